"""The blocking HTTP client of logs and witnesses: bounded bodies, one deadline, no redirects, no third package.

What comes back is never believed by itself: checkpoints are signed, and everything else is checked against them.
Redirects are refused, so that a token goes only where it was meant to go.
"""

from __future__ import annotations

import http.client
import socket
import threading
import urllib.error
import urllib.request
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from verilabel.errors import LimitExceeded, PolicyError, SealError, UsageError
from verilabel.evidence.keys import PublicKey, parse_public_file
from verilabel.evidence.note import MAX_NOTE_BYTES
from verilabel.models.endpoint import is_loopback
from verilabel.transparency.tiles import CHECKPOINT_PATH, KEY_PATH, MAX_BUNDLE_BYTES, MAX_TILE_BYTES, TilePath

TIMEOUT_S = 30.0
MAX_ANSWER_BYTES = 2**20
_CHUNK_BYTES = 2**16
_USER_AGENT = "verilabel"


@dataclass(frozen=True)
class Answer:
    """A server's answer: any status, its content type without parameters, and the whole body."""

    status: int
    content_type: str
    body: bytes

    @property
    def text(self) -> str:
        """The body's first line, for messages to people."""
        return self.body[:200].decode("utf-8", "replace").strip().partition("\n")[0]


def check_url(url: str, *, may_be_plain: bool = False, what: str = "log") -> str:
    """The URL of a log or witness, without trailing slashes.

    Raises UsageError for anything but http(s)://host[:port][/path]; PolicyError where it is plain http to another
    machine and `may_be_plain` is false.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise UsageError(f"not the address of a {what}", where=url[:200], hint="like https://log.example.org")
    if parts.username is not None or any(char.isspace() or not char.isprintable() for char in url):
        raise UsageError(f"the {what}'s address holds credentials or spaces", hint="https://log.example.org")
    if parts.scheme == "http" and not is_loopback(host) and not may_be_plain:
        raise PolicyError(
            f"plain http to a {what} on another machine",
            where=url,
            hint="use https; without a token, plain http is taken where the key is given (--log-key)",
        )
    return url.rstrip("/")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Leaves a redirect as the answer it is."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """No request follows."""


def send_request(
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    limit: int = MAX_ANSWER_BYTES,
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    """One GET, or one POST where there is a body; every status is an answer.

    `url` was checked by `check_url`. Raises UsageError where nobody answers in time, LimitExceeded beyond `limit`.
    """
    sent = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity", **(headers or {})}
    # `check_url` lets http and https pass alone
    request = urllib.request.Request(url, data=body, headers=sent)  # noqa: S310
    deadline = _Deadline(timeout_s)
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects(), *deadline.handlers()]
    if is_loopback(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*handlers)
    try:
        with deadline:
            try:
                response = opener.open(request, timeout=timeout_s)
            except urllib.error.HTTPError as error:
                response = error
            with response:
                data = _read_bounded(response, limit, url)
            deadline.check()
            if (response.headers.get("Content-Encoding") or "").lower() == "gzip":
                data = _unpack(data, limit, url)
            kind = (response.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
            return Answer(response.status, kind, data)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        reason = _TOO_SLOW if deadline.has_passed else reason
        raise UsageError(
            f"no answer: {reason}", where=url, hint="is the server running, and reachable?"
        ) from None


_TOO_SLOW = "the answer takes too long"


class _Deadline:
    """One deadline for a whole exchange: connection, handshake, headers and body.

    A socket's own timeout begins anew with each byte that comes. At the deadline the connection is shut down, wherever
    the reader is then.
    """

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self.has_passed = False

    def handlers(self) -> tuple[urllib.request.BaseHandler, ...]:
        """Handlers whose connections it ends."""
        watch = self._watch

        class Plain(http.client.HTTPConnection):
            def connect(self) -> None:
                self._create_connection = watch
                super().connect()

        class Protected(http.client.HTTPSConnection):
            def connect(self) -> None:
                self._create_connection = watch
                super().connect()

        class PlainHandler(urllib.request.HTTPHandler):
            def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
                return self.do_open(Plain, request)

        class ProtectedHandler(urllib.request.HTTPSHandler):
            def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
                return self.do_open(Protected, request)

        return PlainHandler(), ProtectedHandler()

    def check(self) -> None:
        """Raises TimeoutError where it has passed: what was read may be cut short."""
        if self.has_passed:
            raise TimeoutError(_TOO_SLOW)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for watched in self._sockets:
                watched.close()
            self._sockets.clear()

    def _watch(self, *arguments: Any, **named: Any) -> socket.socket:
        connected = socket.create_connection(*arguments, **named)
        with self._lock:
            self._sockets.append(connected.dup())  # TLS takes the socket itself away
        self.check()
        return connected

    def _end(self) -> None:
        with self._lock:
            self.has_passed = True
            for watched in self._sockets:
                with suppress(OSError):
                    watched.shutdown(socket.SHUT_RDWR)


def _read_bounded(response: Any, limit: int, url: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    while chunk := response.read1(_CHUNK_BYTES):
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            raise LimitExceeded(f"the answer has more than {limit} bytes", where=url)
    return b"".join(parts)


def _unpack(data: bytes, limit: int, url: str) -> bytes:
    """C2SP tlog-tiles lets a log compress without being asked to."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(data, limit + 1)
    except zlib.error:
        raise SealError("the answer is not the gzip that it says it is", where=url) from None
    if len(plain) > limit:
        raise LimitExceeded(f"the answer has more than {limit} bytes", where=url)
    return plain


class HttpTiles:
    """The tiles of a log behind a URL (`tiles.TileSource`)."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self.url = url
        self._timeout_s = timeout_s

    @property
    def name(self) -> str:
        """The log's URL."""
        return self.url

    def checkpoint(self) -> bytes:
        """The current checkpoint. Raises UsageError where none is served."""
        return self._fetch(CHECKPOINT_PATH, MAX_NOTE_BYTES)

    def key(self) -> PublicKey:
        """The key line that the server gives out: for a first meeting only. Raises UsageError where it gives none."""
        return parse_public_file(self._fetch(KEY_PATH, MAX_NOTE_BYTES), where=f"{self.url}/{KEY_PATH}")

    def tile(self, tile: TilePath) -> bytes:
        """The bytes of a tile, or of the full tile in its place. Raises SealError where neither is served."""
        limit = MAX_BUNDLE_BYTES if tile.level == "entries" else MAX_TILE_BYTES
        for candidate in dict.fromkeys((tile, tile.full)):
            answer = send_request(
                f"{self.url}/{candidate.path}",
                headers={"Accept-Encoding": "gzip, identity"},
                limit=limit,
                timeout_s=self._timeout_s,
            )
            if answer.status == http.client.OK:
                return answer.body
            if answer.status not in (http.client.NOT_FOUND, http.client.GONE):
                raise UsageError(f"the server answers {answer.status}", where=f"{self.url}/{candidate.path}")
        raise SealError("the log does not serve this tile", where=f"{self.url}/{tile.path}")

    def _fetch(self, path: str, limit: int) -> bytes:
        answer = send_request(
            f"{self.url}/{path}",
            headers={"Cache-Control": "no-cache"},
            limit=limit,
            timeout_s=self._timeout_s,
        )
        if answer.status != http.client.OK:
            raise UsageError(
                f"the server answers {answer.status}",
                where=f"{self.url}/{path}",
                hint="is a log served there?",
            )
        return answer.body
