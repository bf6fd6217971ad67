"""What is built from shipped data alone and outlives an audit: folders of files, named by all that decides them.

They lie beside what the compiler keeps. Every file's digest is checked before it is used: what was damaged is built
anew.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from verilabel.audit.kernels.compiling import kept_root

_SUMS = "SHA256SUMS"


def digest_sources(paths: Iterable[Path], *more: bytes) -> str:
    """Name what is built by programs from data: 64 hexadecimal digits over the files and whatever else decides it."""
    total = hashlib.sha256()
    for content in (*(path.read_bytes() for path in paths), *more):
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


def kept_folder(name: str, digest: str) -> Path:
    """Where what has a name and was made from sources of a digest is kept on this machine; it may not be there yet."""
    return kept_root() / f"{name}-{digest[:32]}"


def copy_kept(name: str, digest: str, target: Path, build: Callable[[Path], None]) -> None:
    """Make `target` a folder with what `build` writes into an empty folder; built once a machine, copied after that.

    Does nothing where `target` is there; it appears whole or not at all. A cache that cannot be written is done
    without. Raises OSError where `target` cannot be written.
    """
    if target.is_dir():
        return
    kept = kept_folder(name, digest)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        if not _copy_checked(kept, temporary):
            build(temporary)
            _keep(temporary, kept)
        _put_in_place(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _copy_checked(kept: Path, target: Path) -> bool:
    """Copy kept files, if all are there and none has changed."""
    try:
        lines = (kept / _SUMS).read_text("ascii").splitlines()
        for line in lines:
            total, _, name = line.partition("  ")
            content = (kept / name).read_bytes()
            if hashlib.sha256(content).hexdigest() != total:
                return False
            (target / name).write_bytes(content)
    except (OSError, ValueError):
        return False
    return bool(lines)


def _keep(source: Path, kept: Path) -> None:
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{kept.name}-", dir=kept.parent))
    except OSError:
        return
    try:
        sums = []
        for path in sorted(source.iterdir()):
            content = path.read_bytes()
            with (temporary / path.name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            sums.append(f"{hashlib.sha256(content).hexdigest()}  {path.name}\n")
        (temporary / _SUMS).write_text("".join(sums), "ascii")
        shutil.rmtree(kept, ignore_errors=True)  # what was there was damaged
        _put_in_place(temporary, kept)
    except OSError:
        pass
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put_in_place(written: Path, target: Path) -> None:
    try:
        written.rename(target)
    except OSError:
        if not target.is_dir():  # else another one was faster, with the same content
            raise
