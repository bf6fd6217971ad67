"""A bundle's container, read as if it were hostile: a folder, or a zip whose every byte is determined.

The zip form is *stored*, never compressed: entries in path order, fixed dates and flags, no gaps, no comment. So
the file is a pure function of its contents, a changed byte anywhere is seen, and a zip bomb cannot be written.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from verilabel.errors import LimitExceeded, MalformedInput, SealError, UsageError
from verilabel.evidence.layout import MAX_BUNDLE_BYTES, MAX_FILES, MAX_PATH, check_path

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_DOS_DATE = 33  # 1980-01-01
_VERSION = 20
_UTF8_FLAG = 0x800
_MAX_ZIP = 2**32 - 1


class Container(Protocol):
    """Read access to the files of a bundle."""

    sizes: Mapping[str, int]
    """Path to size in bytes, in path order."""

    def open(self, path: str) -> BinaryIO:
        """A file of the bundle, for reading."""


class Folder:
    """A bundle that is a folder. Symbolic links, devices and unexpected names are refused."""

    def __init__(self, root: Path) -> None:
        self.root = root
        sizes: dict[str, int] = {}
        self._scan(root, "", sizes)
        self.sizes: Mapping[str, int] = dict(sorted(sizes.items()))

    def _scan(self, folder: Path, prefix: str, sizes: dict[str, int]) -> None:
        before = len(sizes)
        with os.scandir(folder) as entries:
            for entry in entries:
                path = check_path(prefix + entry.name)
                if entry.is_symlink():
                    raise MalformedInput(
                        f"{path} is a symbolic link; a bundle has none", where=str(self.root)
                    )
                if entry.is_dir(follow_symlinks=False):
                    self._scan(Path(entry.path), path + "/", sizes)
                elif entry.is_file(follow_symlinks=False):
                    sizes[path] = entry.stat(follow_symlinks=False).st_size
                else:
                    raise MalformedInput(f"{path} is neither a file nor a folder", where=str(self.root))
                if len(sizes) > MAX_FILES:
                    raise LimitExceeded(f"more than {MAX_FILES} files", where=str(self.root))
        if prefix and len(sizes) == before:
            raise MalformedInput(f"{prefix} is an empty folder; a bundle has none", where=str(self.root))

    def open(self, path: str) -> BinaryIO:
        """A file of the bundle, for reading; raises MalformedInput if it became a link meanwhile."""
        try:
            descriptor = os.open(self.root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise MalformedInput(f"{path} cannot be read: {error.strerror}", where=str(self.root)) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise MalformedInput(f"{path} is not a file", where=str(self.root))
        return os.fdopen(descriptor, "rb")


class _Slice(io.RawIOBase):
    """A range of a file as a file of its own."""

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        self._descriptor, self._at, self._end = os.dup(descriptor), start, start + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = os.pread(self._descriptor, min(len(buffer), self._end - self._at), self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


class StoredZip:
    """A bundle that is one file: a stored zip of exactly the bytes that `write_zip` would write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb")
        self._offsets: dict[str, int] = {}
        try:
            self.sizes: Mapping[str, int] = self._parse()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def open(self, path: str) -> BinaryIO:
        """A file of the bundle, for reading."""
        return io.BufferedReader(_Slice(self._file.fileno(), self._offsets[path], self.sizes[path]), 1 << 18)

    def _parse(self) -> dict[str, int]:
        size = os.fstat(self._file.fileno()).st_size
        if size < _END.size:
            raise self._odd("too short to be a zip")
        magic, *_, count, directory_size, directory_at, comment = _END.unpack(
            self._read(size - _END.size, _END.size)
        )
        if (
            magic != b"PK\5\6"
            or comment
            or count > MAX_FILES
            or directory_at + directory_size != size - _END.size
        ):
            raise self._odd(
                "not a zip in the bundle's canonical form (is it compressed, or was it repacked?)"
            )
        if directory_size > count * (_CENTRAL.size + MAX_PATH):
            raise self._odd("its directory is larger than its paths need")
        directory = self._read(directory_at, directory_size)
        sizes, crcs, at = {}, {}, 0
        for _ in range(count):
            if at + _CENTRAL.size > len(directory):
                raise self._odd("its directory is cut")
            fields = _CENTRAL.unpack_from(directory, at)
            name_length = fields[10]
            try:
                name = check_path(
                    directory[at + _CENTRAL.size : at + _CENTRAL.size + name_length].decode("ascii")
                )
            except UnicodeDecodeError as error:
                raise self._odd("a path is not ASCII") from error
            if name in sizes:
                raise self._odd(f"{name} stands twice")
            sizes[name], crcs[name] = fields[9], fields[7]
            at += _CENTRAL.size + name_length
        self._check_canonical(sizes, crcs, directory, directory_at)
        return sizes

    def _check_canonical(
        self, sizes: dict[str, int], crcs: dict[str, int], directory: bytes, directory_at: int
    ) -> None:
        if list(sizes) != sorted(sizes):
            raise self._odd("its paths are not in order")
        offset, expected = 0, []
        for name, size in sizes.items():
            local = _local_header(name, size, crcs[name])
            if self._read(offset, len(local)) != local:
                raise self._odd(f"the header of {name} is not canonical")
            expected.append(_central_header(name, size, crcs[name], offset))
            self._offsets[name] = offset + len(local)
            offset += len(local) + size
        end = b"".join(expected)
        trailer = _END.pack(b"PK\5\6", 0, 0, len(sizes), len(sizes), len(end), offset, 0)
        if (
            offset != directory_at
            or end != directory
            or self._read(directory_at + len(end), _END.size) != trailer
        ):
            raise self._odd("its directory is not canonical")
        for name, size in sizes.items():
            if self._checksum(self._offsets[name], size) != crcs[name]:
                raise SealError(f"{name} does not have its checksum", where=str(self.path))

    def _checksum(self, offset: int, size: int) -> int:
        crc = 0
        while size:
            block = self._read(offset, min(size, 1 << 20))
            crc, offset, size = zlib.crc32(block, crc), offset + len(block), size - len(block)
        return crc

    def _read(self, offset: int, size: int) -> bytes:
        data = os.pread(self._file.fileno(), size, offset)
        if len(data) != size:
            raise self._odd("it is cut short")
        return data

    def _odd(self, what: str) -> SealError:
        return SealError(f"not a bundle: {what}", where=str(self.path))


def _local_header(name: str, size: int, crc: int) -> bytes:
    raw = name.encode("ascii")
    return _LOCAL.pack(b"PK\3\4", _VERSION, _UTF8_FLAG, 0, 0, _DOS_DATE, crc, size, size, len(raw), 0) + raw


def _central_header(name: str, size: int, crc: int, offset: int) -> bytes:
    raw = name.encode("ascii")
    fields = (
        _VERSION,
        _VERSION,
        _UTF8_FLAG,
        0,
        0,
        _DOS_DATE,
        crc,
        size,
        size,
        len(raw),
        0,
        0,
        0,
        0,
        0,
        offset,
    )
    return _CENTRAL.pack(b"PK\1\2", *fields) + raw


@contextmanager
def open_container(path: Path) -> Iterator[Container]:
    """Open a bundle, folder or zip. Raises UsageError where there is none, MalformedInput for a hostile one."""
    if path.is_symlink() or not path.exists():
        raise UsageError(
            "no bundle here" if not path.exists() else "a symbolic link, not a bundle", where=str(path)
        )
    if not path.is_dir() and not path.is_file():
        raise UsageError("neither a folder nor a file", where=str(path))  # opening a pipe would wait for ever
    container: Folder | StoredZip = Folder(path) if path.is_dir() else StoredZip(path)
    if sum(container.sizes.values()) > MAX_BUNDLE_BYTES:
        raise LimitExceeded(f"larger than {MAX_BUNDLE_BYTES} bytes", where=str(path))
    try:
        yield container
    finally:
        if isinstance(container, StoredZip):
            container.close()


def digest_of_file(container: Container, path: str) -> str:
    """The digest of a file of a bundle, read block by block."""
    sha = hashlib.sha256()
    with container.open(path) as file:
        while block := file.read(1 << 20):
            sha.update(block)
    return f"sha256:{sha.hexdigest()}"


def write_zip(folder: Path, target: Path) -> None:
    """Write a bundle folder as the canonical stored zip. Raises UsageError beyond 4 GiB."""
    source = Folder(folder)
    total = sum(source.sizes.values()) + 400 * len(source.sizes)
    if total > _MAX_ZIP:
        raise UsageError(f"{total} bytes do not fit the zip form", hint="write a folder: --out without .zip")
    directory, offset = [], 0
    with target.open("wb") as out:
        for name, size in source.sizes.items():
            crc = 0
            with source.open(name) as file:
                while block := file.read(1 << 20):
                    crc = zlib.crc32(block, crc)
            header = _local_header(name, size, crc)
            out.write(header)
            with source.open(name) as file:
                while block := file.read(1 << 20):
                    out.write(block)
            directory.append(_central_header(name, size, crc, offset))
            offset += len(header) + size
        end = b"".join(directory)
        out.write(end + _END.pack(b"PK\5\6", 0, 0, len(directory), len(directory), len(end), offset, 0))
        out.flush()
        os.fsync(out.fileno())
