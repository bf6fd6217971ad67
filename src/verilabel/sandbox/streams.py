"""A program's three streams on this side: bytes fed in without waiting for a slow reader, bytes kept up to a limit."""

from __future__ import annotations

import asyncio
import contextlib
import os

PIECE_BYTES = 65_536


class Feeder:
    """Writes bytes to a pipe as fast as its reader takes them, then closes it."""

    def __init__(self, descriptor: int, content: bytes) -> None:
        self._descriptor = descriptor
        self._left = memoryview(content)
        self._loop = asyncio.get_running_loop()
        os.set_blocking(descriptor, False)
        self._push()
        if self._descriptor >= 0:
            self._loop.add_writer(descriptor, self._push)

    def close(self) -> None:
        """Stop feeding."""
        if self._descriptor >= 0:
            self._loop.remove_writer(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _push(self) -> None:
        try:
            while self._left:
                self._left = self._left[os.write(self._descriptor, self._left[:PIECE_BYTES]) :]
        except BlockingIOError:
            return
        except OSError:
            # the program does not want the rest
            self._left = self._left[:0]
        self.close()


class Gatherer:
    """Reads a pipe to its end, keeps the first `limit` bytes and counts all."""

    def __init__(self, descriptor: int, limit: int) -> None:
        self._descriptor = descriptor
        self._limit = limit
        self._kept = bytearray()
        self._loop = asyncio.get_running_loop()
        self.total = 0
        self.ended = asyncio.Event()
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._pull)

    @property
    def kept(self) -> bytes:
        """What was kept of what was written."""
        return bytes(self._kept)

    def close(self) -> None:
        """Stop reading: something that lives on may hold the pipe open."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
            self.ended.set()

    def _pull(self) -> None:
        try:
            piece = os.read(self._descriptor, PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self.close()
            return
        self.total += len(piece)
        self._kept += piece[: self._limit - len(self._kept)]


class Pipes:
    """Three pipes of a program: the ends it gets and the ends that stay here."""

    def __init__(self, owner: int | None) -> None:
        self.given: list[int] = []
        self.kept: list[int] = []
        try:
            for position in range(3):
                read, write = os.pipe2(os.O_CLOEXEC)
                given, kept = (read, write) if position == 0 else (write, read)
                self.given.append(given)
                self.kept.append(kept)
                if owner is not None:
                    # opening /dev/stdout anew asks for the rights of the pipe's owner
                    os.fchown(given, owner, owner)
        except OSError:
            self.close_given()
            self.close_kept()
            raise

    def close_given(self) -> None:
        """Close the program's ends here; the program has its own."""
        _close_all(self.given)

    def close_kept(self) -> None:
        """Close the ends that were to stay."""
        _close_all(self.kept)


def _close_all(descriptors: list[int]) -> None:
    while descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptors.pop())
