"""Compressed bodies of upstreams, unpacked without letting a small body become a large one."""

from __future__ import annotations

import zlib

from verilabel.gateway.upstream.interface import UpstreamFailure

_WINDOW = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class Inflater:
    """Unpacks gzip and deflate part by part, at most `limit` bytes in all. Raises UpstreamFailure."""

    def __init__(self, coding: str, limit: int) -> None:
        window = _WINDOW.get(coding.strip().lower())
        if window is None:
            raise UpstreamFailure(
                "malformed", "the upstream compresses in a way it was not asked for", may_retry=False
            )
        self._unpack = zlib.decompressobj(window)
        self._left = limit

    def feed(self, data: bytes) -> bytes:
        """What the next part unpacks to."""
        try:
            out = self._unpack.decompress(data, self._left + 1)
        except zlib.error:
            raise UpstreamFailure(
                "malformed", "the upstream's compressed body is broken", may_retry=False
            ) from None
        self._left -= len(out)
        if self._left < 0 or self._unpack.unconsumed_tail:
            raise UpstreamFailure(
                "too_large", "the upstream's body unpacks beyond the limit", may_retry=False
            )
        if self._unpack.unused_data:
            raise UpstreamFailure(
                "malformed", "bytes follow the end of the upstream's compressed body", may_retry=False
            )
        return out

    def finish(self) -> None:
        """The body has ended: it must be whole."""
        if not self._unpack.eof:
            raise UpstreamFailure("connection", "the upstream's compressed body broke off", may_retry=True)
