"""The folder of an audit, read as if it were hostile: plain files of known names, sizes and digests, and no others."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from verilabel.audit.proof.layout import (
    ATTESTATION,
    MANIFEST,
    MAX_FILE_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_SHARDS,
    SHARDS,
    UNLISTED,
    may_be_path,
)
from verilabel.audit.proof.manifest import AuditManifest, parse_audit_manifest
from verilabel.audit.proof.shards import ListedFile, ShardEntry, read_shards
from verilabel.errors import LimitExceeded, MalformedInput, SealError, UsageError
from verilabel.evidence.others.signed import MAX_SIGNED_BYTES
from verilabel.records.canonical import DIGEST_PREFIX

MAX_FILES = 12 * MAX_SHARDS


class AuditFolder:
    """An audit's folder, whose files are opened without following links."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise UsageError(
                "there is no audit here", where=str(root), hint="verilabel data audit --out makes one"
            )
        self.root = root
        if not (root / MANIFEST).exists():
            raise UsageError(
                f"this folder has no {MANIFEST}",
                where=str(root),
                hint="is it an audit? an unfinished one ends in .run",
            )

    def open(self, path: str) -> BinaryIO:
        """A file of the folder, for reading. Raises MalformedInput for what is no plain file."""
        try:
            descriptor = os.open(self.root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise MalformedInput(f"{path} cannot be read: {error.strerror}", where=str(self.root)) from error
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE_BYTES:
            os.close(descriptor)
            raise MalformedInput(f"{path} is not a plain file of a fitting size", where=str(self.root))
        return os.fdopen(descriptor, "rb")

    def read(self, path: str, most: int) -> bytes:
        """A small file, whole. Raises LimitExceeded for a larger one."""
        with self.open(path) as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise LimitExceeded(f"{path} is larger than {most} bytes", where=str(self.root))
        return data

    def manifest(self) -> AuditManifest:
        """The manifest, whose form was checked. Raises as `parse_audit_manifest`."""
        return parse_audit_manifest(self.read(MANIFEST, MAX_MANIFEST_BYTES))

    def attestation(self) -> bytes | None:
        """The signed statement, if the audit was signed."""
        return self.read(ATTESTATION, MAX_SIGNED_BYTES) if (self.root / ATTESTATION).exists() else None

    def shards(self) -> Iterator[ShardEntry]:
        """The shards, in order."""
        with self.open(SHARDS) as file:
            for index, entry in enumerate(read_shards(file)):
                if index >= MAX_SHARDS:
                    raise LimitExceeded(f"more than {MAX_SHARDS} shards", where=SHARDS)
                _check_names(entry, index)
                yield entry

    def paths(self) -> Iterator[str]:
        """The files that are there. Raises MalformedInput for anything that may not be."""
        yield from self._scan(self.root, "", 0)

    def _scan(self, folder: Path, prefix: str, depth: int) -> Iterator[str]:
        with os.scandir(folder) as entries:
            for entry in entries:
                path = prefix + entry.name
                if entry.is_symlink():
                    raise MalformedInput(f"{path[:200]!r} is a symbolic link", where=str(self.root))
                if entry.is_dir(follow_symlinks=False) and depth < 2:
                    yield from self._scan(Path(entry.path), path + "/", depth + 1)
                elif entry.is_file(follow_symlinks=False) and may_be_path(path):
                    yield path
                else:
                    raise MalformedInput(f"{path[:200]!r} has no place in an audit", where=str(self.root))

    def check_file(self, listed: ListedFile) -> None:
        """Check size and digest of a listed file. Raises SealError."""
        with self.open(listed.path) as file:
            if os.fstat(file.fileno()).st_size != listed.bytes:
                raise SealError(
                    f"{listed.path} has not the size that is listed", where=str(self.root), step=1
                )
            sha = hashlib.file_digest(cast(io.BufferedReader, file), "sha256").hexdigest()
            if DIGEST_PREFIX + sha != listed.sha256:
                raise SealError(
                    f"{listed.path} has not the digest that is listed", where=str(self.root), step=1
                )


def _check_names(entry: ShardEntry, index: int) -> None:
    prefix = f"shards/{index:07d}/"
    paths = [file.path for file in entry.files]
    if paths != sorted(set(paths)) or not all(
        path.startswith(prefix) and may_be_path(path) for path in paths
    ):
        raise MalformedInput("a shard lists files that are not its own", where=f"{SHARDS} line {index + 1}")


def check_presence(there: Iterable[str], listed: Iterable[str]) -> None:
    """Check that exactly the listed files are there. Raises SealError naming one that should not be, or is not."""
    found, wanted = set(there) - set(UNLISTED), set(listed)
    if missing := wanted - found:
        raise SealError(f"{min(missing)} is listed and not there", where=MANIFEST, step=1)
    if more := found - wanted:
        raise SealError(f"{min(more)} is there and not listed", where=MANIFEST, step=1)
