"""Members of a zip archive as other tools write them: stored, deflate and zstd (method 93), within bounds.

The standard library reads the central directory; members are decompressed here, because it knows no zstd, and so that
an archive that lies about its sizes never takes more memory than it declares.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from verilabel.errors import LimitExceeded, MalformedInput, MissingExtra
from verilabel.interchange.importing.source import MAX_RECORD_BYTES, MAX_RECORDS, Source

MAX_TOTAL_BYTES = 8 * 2**30
"""Of all members together, decompressed."""
ZSTD = 93
_LOCAL_HEADER = 30
_NAME_LENGTHS = struct.Struct("<HH")


class Archive:
    """A zip archive in memory."""

    def __init__(self, source: Source) -> None:
        """Read the central directory. Raises MalformedInput for a cut or broken archive, LimitExceeded."""
        self._data = memoryview(source.data)
        self.where = source.where
        self._zstd: Any = None
        try:
            with zipfile.ZipFile(io.BytesIO(source.data)) as archive:
                self._infos = archive.infolist()
        except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, ValueError, EOFError) as error:
            raise MalformedInput(
                f"not a whole zip archive: {error}",
                where=source.where,
                hint="the end of the file is missing where it was cut short; copy it again",
            ) from error
        if len(self._infos) > MAX_RECORDS:
            raise LimitExceeded(f"{len(self._infos)} members, the limit is {MAX_RECORDS}", where=self.where)
        if (total := sum(info.file_size for info in self._infos)) > MAX_TOTAL_BYTES:
            raise LimitExceeded(
                f"{total} bytes when unpacked, the limit is {MAX_TOTAL_BYTES}", where=self.where
            )

    def names(self) -> list[str]:
        """The members' names, in the order of the directory; a name may stand twice."""
        return [info.filename for info in self._infos]

    def members(self, prefix: str, suffix: str = ".json") -> Iterator[tuple[str, bytes]]:
        """Every member below a folder, with its bytes."""
        for info in self._infos:
            if info.filename.startswith(prefix) and info.filename.endswith(suffix):
                yield info.filename, self._read(info)

    def member(self, name: str) -> bytes | None:
        """The bytes of a member; None where there is none. Raises MalformedInput where there are two."""
        found = [info for info in self._infos if info.filename == name]
        if len(found) > 1:
            raise MalformedInput(f"{name} stands twice in the archive", where=self.where)
        return self._read(found[0]) if found else None

    def _read(self, info: zipfile.ZipInfo) -> bytes:
        where = f"{self.where}!{info.filename[:120]}"
        if info.file_size > MAX_RECORD_BYTES:
            raise LimitExceeded(f"{info.file_size} bytes, the limit is {MAX_RECORD_BYTES}", where=where)
        if info.flag_bits & 1:
            raise MalformedInput("the member is encrypted", where=where)
        start = info.header_offset + _LOCAL_HEADER
        head = self._data[info.header_offset : start]
        if len(head) < _LOCAL_HEADER or bytes(head[:4]) != b"PK\x03\x04":
            raise MalformedInput("the archive's directory points to no member", where=where)
        start += sum(_NAME_LENGTHS.unpack(head[26:30]))
        packed = self._data[start : start + info.compress_size]
        if len(packed) != info.compress_size:
            raise MalformedInput("the archive is cut short", where=where)
        data = self._unpack(packed, info, where)
        if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
            raise MalformedInput(
                "the member is not of the size and checksum that the archive states", where=where
            )
        return data

    def _unpack(self, packed: memoryview, info: zipfile.ZipInfo, where: str) -> bytes:
        try:
            if info.compress_type == zipfile.ZIP_STORED:
                return bytes(packed)
            if info.compress_type == zipfile.ZIP_DEFLATED:
                # one byte more than declared shows a member that is larger without unpacking all of it
                return zlib.decompressobj(-15).decompress(packed, info.file_size + 1)
            if info.compress_type == ZSTD:
                return self._unpack_zstd(packed, info.file_size)
        except (zlib.error, _zstd_error()) as error:
            raise MalformedInput(f"the member cannot be unpacked: {error}", where=where) from error
        raise MalformedInput(f"compression method {info.compress_type} is not known", where=where)

    def _unpack_zstd(self, packed: memoryview, size: int) -> bytes:
        if self._zstd is None:
            try:
                import zstandard
            except ImportError:
                raise MissingExtra("zstandard", "import") from None
            self._zstd = zstandard.ZstdDecompressor(max_window_size=2**27)
        parts, total = [], 0
        with self._zstd.stream_reader(packed, read_across_frames=True) as reader:
            while total <= size and (part := reader.read(size + 1 - total)):
                parts.append(part)
                total += len(part)
        return b"".join(parts)


def _zstd_error() -> type[Exception]:
    try:
        import zstandard
    except ImportError:
        return zlib.error
    return zstandard.ZstdError
