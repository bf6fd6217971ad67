"""Compressed streams (gzip, Zstandard) in blocks of bounded size, whatever they promise to become.

What comes before damage is given; the damage is Torn, with the stored bytes behind it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import IO, cast

import numpy as np

from verilabel.audit.interface import Bytes
from verilabel.audit.reading import reasons
from verilabel.audit.reading.interface import Compression
from verilabel.audit.reading.torn import Torn
from verilabel.errors import MissingExtra

_OUT_BYTES = 1 * 2**20
_STEP_BYTES = 64 * 2**10
"""Of Zstandard at once: what a step had before damage in it is lost."""
_IN_BYTES = 256 * 2**10
_BLOCK_BYTES = 4 * 2**20
_MOST_WINDOW = 2**27
_GZIP = 31
"""zlib's name for gzip with the largest window."""


def inflate(blocks: Iterator[Bytes], size: int, compression: Compression) -> Iterator[Bytes]:
    """What a stream of `size` stored bytes holds. Raises Torn where it is damaged, and what `blocks` raises."""
    if compression == "gz":
        return _collect(_inflate_gzip(blocks, size))
    if compression == "zst":
        return _collect(_inflate_zstd(blocks, size))
    return blocks


def _collect(pieces: Iterator[bytes]) -> Iterator[Bytes]:
    """Small pieces as blocks; those before damage are given first."""
    gathered = bytearray()
    torn: Torn | None = None
    try:
        for piece in pieces:
            gathered += piece
            if len(gathered) >= _BLOCK_BYTES:
                yield np.frombuffer(gathered, np.uint8)
                gathered = bytearray()
    except Torn as damage:
        torn = damage
    if gathered:
        yield np.frombuffer(gathered, np.uint8)
    if torn is not None:
        raise torn


def _slices(blocks: Iterator[Bytes]) -> Iterator[bytes]:
    for block in blocks:
        for at in range(0, len(block), _IN_BYTES):
            yield block[at : at + _IN_BYTES].tobytes()


def _inflate_gzip(blocks: Iterator[Bytes], size: int) -> Iterator[bytes]:
    inflater: zlib._Decompress | None = None
    seen = 0
    for piece in _slices(blocks):
        seen += len(piece)
        rest = piece
        while rest or inflater is not None:
            if inflater is None:
                rest = rest.lstrip(b"\0")  # tapes and tools pad with zeros between and behind members
                if not rest:
                    break
                inflater = zlib.decompressobj(_GZIP)
            before = inflater.copy()
            try:
                out = inflater.decompress(rest, _OUT_BYTES)
            except zlib.error:
                yield from _salvage(before, rest)
                raise Torn(reasons.BROKEN_GZIP, size - seen + len(rest)) from None
            if out:
                yield out
            if inflater.eof:
                rest, inflater = inflater.unused_data, None
                continue
            rest = inflater.unconsumed_tail
            if not rest and len(out) < _OUT_BYTES:
                break
    if inflater is not None:
        raise Torn(reasons.BROKEN_GZIP)


def _salvage(inflater: zlib._Decompress, rest: bytes) -> Iterator[bytes]:
    """What comes before damage in a step that failed as a whole: the step again, in ever smaller ones."""
    step = _OUT_BYTES
    while step:
        before = inflater.copy()
        try:
            out = inflater.decompress(rest, step)
        except zlib.error:
            inflater, step = before, step // 32
            continue
        if not out or inflater.eof:
            yield out
            return
        yield out
        rest = inflater.unconsumed_tail


class _Source:
    """Blocks as a file for the decompressor, with the frames followed as they pass."""

    def __init__(self, blocks: Iterator[Bytes]) -> None:
        self._pieces = _slices(blocks)
        self.frames = FrameWalker()
        self.count = 0
        self.failure: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        del size  # pieces are smaller than what is asked for
        try:
            piece = next(self._pieces, b"")
        except Exception as failure:  # the decompressor would take it for its own
            self.failure = failure
            return b""
        self.count += len(piece)
        self.frames.follow(piece)
        return piece


def _inflate_zstd(blocks: Iterator[Bytes], size: int) -> Iterator[bytes]:
    try:
        import zstandard
    except ImportError:
        raise MissingExtra("zstandard", "audit") from None
    source = _Source(blocks)
    # its memory is bounded by the window that is allowed, not by what a frame says of itself
    reader = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW).stream_reader(
        cast(IO[bytes], source),
        read_size=_IN_BYTES,
        read_across_frames=True,
    )
    while True:
        try:
            out = reader.read(_STEP_BYTES)
        except zstandard.ZstdError:
            left = size - source.count
            raise Torn(reasons.BROKEN_ZSTD, left) from None
        if not out:
            break
        yield out
    if source.failure is not None:
        raise source.failure
    if not source.frames.complete:
        raise Torn(reasons.BROKEN_ZSTD)


class FrameWalker:
    """Follows the frames of a Zstandard stream (RFC 8878, section 3.1) to know whether it ends where a frame ends.

    The decompressor gives what it has when its input ends, and does not say that a frame was cut off.
    """

    def __init__(self) -> None:
        self._skip = 0
        self._header = b""
        self._wants = "magic"
        self._checksum = 0
        self._lost = False

    @property
    def complete(self) -> bool:
        """Whether what was followed so far ends with a whole frame (or is empty)."""
        return self._wants == "magic" and not self._header and self._skip == 0 and not self._lost

    def follow(self, piece: bytes) -> None:
        """Take the next bytes of the stream."""
        at = 0
        while at < len(piece) and not self._lost:
            if self._skip:
                passed = min(self._skip, len(piece) - at)
                self._skip -= passed
                at += passed
                continue
            missing = self._needed() - len(self._header)
            self._header += piece[at : at + missing]
            at += missing
            if len(self._header) >= self._needed():
                self._step()

    def _needed(self) -> int:
        if self._wants == "magic":
            return 5  # the magic number and the descriptor; of a skippable frame, the first byte of its size
        return {"skippable": 8, "block": 3}[self._wants]

    def _step(self) -> None:
        header = self._header
        if self._wants == "magic":
            magic = int.from_bytes(header[:4], "little")
            if magic & 0xFFFFFFF0 == 0x184D2A50:
                self._wants = "skippable"
                return
            self._lost = magic != 0xFD2FB528
            descriptor = header[4]
            self._checksum = 4 if descriptor & 4 else 0
            single = bool(descriptor & 32)
            sizes = (1 if single else 0, 2, 4, 8)
            self._skip = (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3] + sizes[descriptor >> 6]
            self._wants = "block"
        elif self._wants == "skippable":
            self._skip = int.from_bytes(header[4:8], "little")
            self._wants = "magic"
        else:
            value = int.from_bytes(header, "little")
            self._skip = 1 if (value >> 1) & 3 == 1 else value >> 3
            if value & 1:
                self._skip += self._checksum
                self._wants = "magic"
        self._header = b""
