"""Files of an export as lazy bytes, and writing them: all of them whole, or none."""

from __future__ import annotations

import json
import os
import secrets
import stat
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from verilabel.errors import UsageError
from verilabel.evidence.atomic import flush_folder
from verilabel.records.canonical import sha256_hex


@dataclass(frozen=True)
class ExportFile:
    """One file: its place below the export's folder, and its bytes, made when they are asked for."""

    name: str
    """Relative, with `/` between its parts."""
    chunks: Callable[[], Iterable[bytes]]

    def data(self) -> bytes:
        """The whole file."""
        return b"".join(self.chunks())


@dataclass(frozen=True)
class Export:
    """What one format makes of a bundle: files, and notes on what it could not say."""

    files: tuple[ExportFile, ...]
    notes: tuple[str, ...] = ()


@dataclass
class Target:
    """A file and the place where it goes. `replaces` is True where an existing file is to be replaced."""

    path: Path
    file: ExportFile
    replaces: bool = False
    temporary: Path | None = field(default=None, repr=False)


def plain_file(name: str, data: bytes) -> ExportFile:
    """A file whose bytes are known already."""
    return ExportFile(name, lambda: (data,))


def json_bytes(document: Any) -> bytes:
    """A document as indented JSON in UTF-8, keys in the order given. Floats must be finite."""
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def derived_uuid(*parts: str) -> str:
    """A UUID in the form of version 4 that the same parts always give: their SHA-256, cut and marked.

    Formats ask for random identifiers; these are not random, so that exporting twice gives the same bytes.
    """
    head = bytearray.fromhex(sha256_hex("\x1f".join(parts).encode())[:32])
    head[6] = (head[6] & 0x0F) | 0x40
    head[8] = (head[8] & 0x3F) | 0x80
    return str(uuid.UUID(bytes=bytes(head)))


def write_targets(targets: Sequence[Target]) -> list[Path]:
    """Write all files: beside their places first, then moved there; where anything fails, nothing is left.

    Raises UsageError where a file is there already and may not be replaced, OSError where the disk refuses.
    """
    _check_places(targets)
    made = _make_folders(targets)
    placed: list[Target] = []
    try:
        for target in targets:
            _write_beside(target)
        for target in targets:
            _move(target)
            placed.append(target)
    except BaseException:
        for target in placed:
            if not target.replaces:
                target.path.unlink(missing_ok=True)
        _remove_temporaries(targets)
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()
        raise
    _remove_temporaries(targets)
    for folder in dict.fromkeys(target.path.parent for target in targets):
        flush_folder(folder)
    return [target.path for target in targets]


def _check_places(targets: Sequence[Target]) -> None:
    seen: set[Path] = set()
    for target in targets:
        if target.path in seen:
            raise UsageError(
                "two files would be written here", where=str(target.path), hint="give --out a folder"
            )
        seen.add(target.path)
        if target.path.is_dir():
            raise UsageError("this is a folder", where=str(target.path))
        if os.path.lexists(target.path) and not target.replaces:
            raise UsageError(
                "the file is already there",
                where=str(target.path),
                hint="choose another --out, or --force to replace it",
            )


def _make_folders(targets: Sequence[Target]) -> list[Path]:
    made: list[Path] = []
    for target in targets:
        missing = []
        folder = target.path.parent
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        for new in reversed(missing):
            new.mkdir()
            made.append(new)
    return made


def _write_beside(target: Target) -> None:
    mode = stat.S_IMODE(target.path.stat().st_mode) if target.replaces and target.path.is_file() else 0o644
    target.temporary = target.path.with_name(f".{target.path.name[:100]}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(target.temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        for chunk in target.file.chunks():
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _move(target: Target) -> None:
    assert target.temporary is not None, "written before it is moved"
    if target.replaces:
        target.temporary.replace(target.path)
        return
    try:
        target.path.hardlink_to(target.temporary)  # unlike a rename, it fails where the name is taken
    except FileExistsError:
        raise UsageError(
            "the file is already there", where=str(target.path), hint="choose another --out, or --force"
        ) from None


def _remove_temporaries(targets: Sequence[Target]) -> None:
    for target in targets:
        if target.temporary is not None:
            target.temporary.unlink(missing_ok=True)
