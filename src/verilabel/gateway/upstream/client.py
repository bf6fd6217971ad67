"""Asking an upstream over HTTP with aiohttp: pooled connections, bounded bodies, failures as values."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from verilabel.errors import MissingExtra, UsageError
from verilabel.gateway.policy.document import Upstream
from verilabel.gateway.upstream.inflating import Inflater
from verilabel.gateway.upstream.interface import UpstreamFailure
from verilabel.models.endpoint import check_base_url
from verilabel.models.keys import ApiKey, find_key
from verilabel.models.statuses import retry_after

if TYPE_CHECKING:
    import aiohttp

_LARGE_BODY_BYTES = 2**20
MAX_ERROR_BYTES = 64 * 1024
_RETRYABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_RETRY_HEADERS = ("retry-after", "retry-after-ms")


class HttpUpstream:
    """An upstream of the configuration. Raises UsageError or PolicyError for a base URL or key that cannot be used."""

    def __init__(self, upstream: Upstream, *, max_response_bytes: int) -> None:
        key = (
            find_key(key_env=upstream.key_env, key_file=upstream.key_file, defaults=())
            if upstream.key_env or upstream.key_file
            else None
        )
        self.upstream = upstream
        self._base = check_base_url(
            upstream.base_url, has_key=key is not None, allow_insecure=upstream.allow_insecure
        )
        self._key = key
        self._limit = max_response_bytes
        self._headers = _headers(upstream, key)
        self._first_byte_s = float(upstream.first_byte_timeout_s)
        self._idle_s = float(upstream.idle_timeout_s)
        self._session: aiohttp.ClientSession | None = None
        self._urls: dict[str, Any] = {}
        try:
            import aiohttp as library
        except ImportError as error:
            raise MissingExtra("aiohttp", "gateway") from error
        self._library = library

    async def open(self) -> None:
        """Make the connection pool."""
        library = self._library
        self._session = library.ClientSession(
            connector=library.TCPConnector(limit=self.upstream.max_connections, ttl_dns_cache=60),
            timeout=library.ClientTimeout(
                total=None,
                sock_connect=float(self.upstream.connect_timeout_s),
                sock_read=self._first_byte_s,
            ),
            cookie_jar=library.DummyCookieJar(),
            headers=self._headers,
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def ask(self, path: str, body: bytes, *, trace: str | None = None) -> HttpReply:
        """Ask once. Raises UpstreamFailure."""
        if self._session is None:
            raise UsageError("open the upstream before asking it")
        data: Any = body if len(body) < _LARGE_BODY_BYTES else io.BytesIO(body)
        headers = None if trace is None else {"traceparent": trace}
        try:
            response = await self._session.post(
                self._url(path), data=data, headers=headers, allow_redirects=False
            )
        except TimeoutError:
            raise UpstreamFailure("timeout", "the upstream did not answer in time", may_retry=True) from None
        except (self._library.ClientError, OSError) as error:
            raise UpstreamFailure("connection", self._describe(error), may_retry=True) from None
        try:
            reply = HttpReply(response, self._limit, self._library.ClientError)
        except UpstreamFailure:
            response.close()
            raise
        reply.allow_silence(self._idle_s)
        if response.status != 200:
            await self._raise_status(response, reply)
        return reply

    async def probe(self, path: str) -> bool:
        """True if a GET of the path answers with a status below 500."""
        if self._session is None:
            return False
        try:
            async with asyncio.timeout(self._first_byte_s):
                response = await self._session.get(self._url(path), allow_redirects=False)
        except (TimeoutError, self._library.ClientError, OSError):
            return False
        response.close()
        return response.status < 500

    def _url(self, path: str) -> Any:
        url = self._urls.get(path)
        if url is None:
            from yarl import URL

            url = URL(self._base + path, encoded=True)
            if len(self._urls) < 256:
                self._urls[path] = url
        return url

    async def _raise_status(self, response: aiohttp.ClientResponse, reply: HttpReply) -> None:
        status = response.status
        wait = retry_after(
            {name: value for name in _RETRY_HEADERS if (value := response.headers.get(name)) is not None}
        )
        try:
            body = await reply.read_at_most(MAX_ERROR_BYTES)
            if self._key is not None and self._key.stands_in(body):
                body = b""  # what repeats the gateway's own key is shown to nobody
        except UpstreamFailure:
            body = b""
        finally:
            reply.close()
        raise UpstreamFailure(
            "status",
            f"the upstream answered with status {status}",
            may_retry=status in _RETRYABLE,
            status=status,
            body=body,
            retry_after_s=wait,
        )

    def _describe(self, error: BaseException) -> str:
        library = self._library
        if isinstance(error, library.ClientConnectorCertificateError | library.ClientConnectorSSLError):
            return "the upstream's certificate is not valid"
        if isinstance(error, library.ClientConnectorError):
            return "no connection to the upstream"
        if isinstance(error, library.ServerDisconnectedError):
            return "the upstream closed the connection before it answered"
        if isinstance(error, library.ClientResponseError | library.ClientPayloadError):
            return "the upstream does not speak HTTP as it should"
        return "the connection to the upstream failed"


class HttpReply:
    """A reply whose body is still to be read."""

    __slots__ = ("_error", "_inflater", "_limit", "_response", "is_stream")

    def __init__(self, response: aiohttp.ClientResponse, limit: int, error: type[Exception]) -> None:
        self._response = response
        self._limit = limit
        self._error = error
        headers = response.headers
        self.is_stream = headers.get("content-type", "").startswith("text/event-stream")
        coding = headers.get("content-encoding", "")
        self._inflater = Inflater(coding, limit) if coding and coding != "identity" else None

    def allow_silence(self, seconds: float) -> None:
        """From now on each further read may take so long, whatever the first one was given."""
        connection = self._response.connection
        if connection is not None and connection.protocol is not None:
            connection.protocol.read_timeout = seconds
            connection.protocol.start_timeout()

    async def read(self) -> bytes:
        """The whole body, decompressed."""
        size = self._response.content_length
        if size is None or size > self._limit or self._inflater is not None:
            return await self.read_at_most(self._limit)
        try:
            return await self._response.read()
        except TimeoutError:
            raise UpstreamFailure("timeout", "the upstream fell silent", may_retry=True) from None
        except (self._error, OSError):
            raise UpstreamFailure("connection", "the upstream's body broke off", may_retry=True) from None

    async def read_at_most(self, limit: int) -> bytes:
        """The whole body of at most `limit` bytes. Raises UpstreamFailure for more."""
        parts: list[bytes] = []
        size = 0
        async for part in self.parts():
            size += len(part)
            if size > limit:
                self.close()
                raise UpstreamFailure(
                    "too_large", "the upstream's body is larger than the limit", may_retry=False
                )
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def parts(self) -> AsyncIterator[bytes]:
        """What each socket read brings, decompressed."""
        content = self._response.content
        inflater = self._inflater
        try:
            while part := await content.readany():
                yield part if inflater is None else inflater.feed(part)
        except TimeoutError:
            raise UpstreamFailure("timeout", "the upstream fell silent", may_retry=False) from None
        except (self._error, OSError):
            raise UpstreamFailure("connection", "the upstream's body broke off", may_retry=False) from None
        if inflater is not None:
            inflater.finish()

    def close(self) -> None:
        """Let go of the connection: back to the pool if the body was read to its end, else closed."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


def _headers(upstream: Upstream, key: ApiKey | None) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "verilabel-gateway",
        **upstream.headers,
    }
    if upstream.dialect == "anthropic":
        headers.setdefault("anthropic-version", "2023-06-01")
    if key is not None:
        name, prefix = {
            "anthropic": ("x-api-key", ""),
            "google": ("x-goog-api-key", ""),
        }.get(upstream.dialect, ("Authorization", "Bearer "))
        headers[name] = prefix + key.reveal()
    return headers
