"""The content-addressed cache of suite data: a file is found by its SHA-256 and by nothing else."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from verilabel.errors import SealError
from verilabel.records.canonical import sha256_hex

HOME_VARIABLE = "VERILABEL_HOME"


def home_folder() -> Path:
    """The folder of this user's state: `$VERILABEL_HOME`, else `~/.verilabel`."""
    given = os.environ.get(HOME_VARIABLE)
    return Path(given).expanduser() if given else Path.home() / ".verilabel"


class Cache:
    """Data files under `root/sha256/ab/ab12...`; a file gets its name only after its bytes were checked."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def of_user(cls) -> Cache:
        """The cache of this user: `cache` inside the home folder."""
        return cls(home_folder() / "cache")

    def path_of(self, sha256: str) -> Path:
        """Where the file of this SHA-256 (64 hex digits) lies, if it does."""
        return self.root / "sha256" / sha256[:2] / sha256

    def find(self, sha256: str) -> bytes | None:
        """The bytes of this SHA-256, or None. Raises SealError where the cached bytes were changed."""
        path = self.path_of(sha256)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        if sha256_hex(data) != sha256:
            raise SealError(
                "the cached file is not the one its name promises",
                where=str(path),
                hint="delete it and pull again",
            )
        return data

    def keep(self, data: bytes, sha256: str, *, where: str) -> Path:
        """Store bytes under their SHA-256 and return the path.

        `where` names their origin. Raises SealError if the digest differs; nothing is left behind then.
        """
        check_digest(data, sha256, where=where)
        path = self.path_of(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
        return path


def check_digest(data: bytes, sha256: str, *, where: str) -> None:
    """Raise SealError unless the bytes have this SHA-256 (64 hex digits)."""
    found = sha256_hex(data)
    if found != sha256:
        raise SealError(
            f"the data has SHA-256 {found}, the suite pins {sha256}",
            where=where,
            hint="the file was changed, or it is another version than the suite was made for",
        )


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all: temporary file, fsync, rename."""
    part = path.with_name(f".{path.name[:80]}.{secrets.token_hex(8)}")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        raise
