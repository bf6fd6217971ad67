"""Models behind HTTP: a pooled session, bounded reads, each failure a value, the key in one header."""

from __future__ import annotations

import io
import os
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from verilabel.errors import MissingExtra, UsageError
from verilabel.models.dialects.dialect import Decoded, Dialect
from verilabel.models.interface import Exchange, ModelRequest, Stopwatch
from verilabel.models.keys import ApiKey
from verilabel.models.statuses import failure_of_status, retry_after
from verilabel.records.attempt import Failure
from verilabel.records.system import Identity

if TYPE_CHECKING:
    import aiohttp

HEADERS_KEPT = frozenset(
    {
        "content-type",
        "date",
        "retry-after",
        "retry-after-ms",
        "x-request-id",
        "request-id",
        "cf-ray",
        "openai-version",
        "openai-processing-ms",
        "x-should-retry",
    }
)
HEADER_PREFIXES_KEPT = ("x-ratelimit-", "anthropic-ratelimit-")
MAX_HEADER_CHARS = 256
_MAX_HEADER_NAMES = 512
Decode = Callable[[bytes], Decoded | Failure]
_LARGE_BODY_BYTES = 2**20  # from here on the library wants a stream, to send in pieces


class HttpModel:
    """A model behind an HTTP endpoint that speaks one of the dialects.

    Nothing is retried here and no redirect is followed. `connections` bounds the sockets, and so the
    questions worth asking at once; `timeout_s` is the time one question may take; a response body beyond
    `max_response_bytes` is refused unread. Raises MissingExtra where aiohttp is not installed.
    """

    identity: Identity = "provider_asserted"
    fixed_outcomes = False
    weights: str | None = None

    def __init__(
        self,
        *,
        address: str,
        provider_model: str,
        dialect: Dialect,
        name: str,
        base_url: str,
        key: ApiKey | None = None,
        timeout_s: float = 120.0,
        max_response_bytes: int = 8 * 2**20,
        connections: int = 100,
        notes: tuple[str, ...] = (),
    ) -> None:
        try:
            import aiohttp
        except ImportError as error:
            raise MissingExtra("aiohttp", "eval") from error
        self.address = address
        self.provider_model = provider_model
        self.base_url: str | None = base_url
        self.max_concurrency: int | None = connections
        self.notes = notes
        self._aiohttp = aiohttp
        self._dialect = dialect
        self._name = name
        self._url = base_url + dialect.path(name)
        self._key = key
        self._timeout_s = timeout_s
        self._max_response_bytes = max_response_bytes
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._kept_names: dict[str, str | None] = {}

    def __repr__(self) -> str:
        return f"HttpModel({self.address!r}, base_url={self.base_url!r})"

    async def __aenter__(self) -> Self:
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            # the body's exact bytes are evidence, so they are asked for as they are
            "Accept-Encoding": "identity",
            "User-Agent": "verilabel",
            **self._dialect.headers,
        }
        if self._key is not None:
            headers.update(self._dialect.auth(self._key.reveal()))
        self._session = self._aiohttp.ClientSession(
            connector=self._aiohttp.TCPConnector(limit=self._connections, limit_per_host=0),
            timeout=self._aiohttp.ClientTimeout(total=self._timeout_s),
            headers=headers,
            cookie_jar=self._aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @property
    def dialect(self) -> Dialect:
        """The dialect that it is spoken to in."""
        return self._dialect

    @property
    def name(self) -> str:
        """The model's name within the dialect."""
        return self._name

    async def ask(self, request: ModelRequest) -> Exchange:
        """Ask once and read the whole response. Raises UsageError for a parameter the dialect cannot send."""
        return await self.send(self._dialect.encode(request, self._name), self._dialect.decode)

    async def send(self, body: bytes, decode: Decode) -> Exchange:
        """Post one body to the dialect's path; `decode` reads a body of status 200 and never raises."""
        if self._session is None:
            raise UsageError("open the model with `async with` before asking it")
        watch = Stopwatch()
        data = body if len(body) < _LARGE_BODY_BYTES else io.BytesIO(body)
        try:
            response = await self._session.post(self._url, data=data, allow_redirects=False)
        except (self._aiohttp.ClientError, TimeoutError, OSError) as error:
            return _failed(body, watch, self._failure_of_connection(error))
        try:
            received, failure = await self._read_body(response)
        finally:
            response.release()
        return self._conclude(body, watch, response, received, failure, decode)

    async def _read_body(self, response: aiohttp.ClientResponse) -> tuple[bytes, Failure | None]:
        """What came of the body, and why it is not whole, if it is not."""
        if (response.content_length or 0) > self._max_response_bytes:
            response.close()
            return b"", self._too_large()
        chunks: list[bytes] = []
        size = 0
        try:
            while chunk := await response.content.readany():
                size += len(chunk)
                if size > self._max_response_bytes:
                    response.close()
                    return b"", self._too_large()
                chunks.append(chunk)
        except TimeoutError:
            return b"".join(chunks), self._timed_out()
        except (self._aiohttp.ClientError, OSError):
            return b"".join(chunks), Failure(
                "truncated", "the response stopped before its end", retryable=True
            )
        return chunks[0] if len(chunks) == 1 else b"".join(chunks), None

    def _conclude(
        self,
        body: bytes,
        watch: Stopwatch,
        response: aiohttp.ClientResponse,
        received: bytes,
        failure: Failure | None,
        decode: Decode,
    ) -> Exchange:
        elapsed_us = watch.elapsed_us
        headers = self._kept_headers(response.headers)
        if self._key is not None and self._key.stands_in(received):
            # a server that repeats the key must not get it into the evidence
            received = b""
            failure = failure_of_status(response.status, received) or Failure(
                "malformed", "the response repeated the API key; its body is not kept", fatal=True
            )
        failure = failure or failure_of_status(response.status, received)
        if failure is None:
            answer = decode(received) if received else _no_body()
            if not isinstance(answer, Failure):
                return Exchange(
                    request=body,
                    status=200,
                    response=received,
                    headers=headers,
                    output=answer.output,
                    finish=answer.finish,
                    served_model=answer.served_model,
                    fingerprint=answer.fingerprint,
                    usage=answer.usage,
                    started_us=watch.started_us,
                    elapsed_us=elapsed_us,
                )
            failure = _say_if_html(answer, received)
        return Exchange(
            request=body,
            status=response.status,
            response=received,
            headers=headers,
            failure=failure,
            started_us=watch.started_us,
            elapsed_us=elapsed_us,
            retry_after_s=retry_after(headers) if failure.retryable else None,
        )

    def _kept_headers(self, headers: Any) -> dict[str, str]:
        kept: dict[str, str] = {}
        for name, value in headers.items():
            key = self._kept_names.get(name, "")
            if key == "":
                key = self._learn_name(name)
            if key is not None:
                # a header may hold any bytes, and a server may repeat the key in one
                shown = value if value.isascii() else value.encode("ascii", "replace").decode()
                kept[key] = (
                    "(withheld)"
                    if self._key and self._key.stands_in(shown.encode())
                    else shown[:MAX_HEADER_CHARS]
                )
        return kept

    def _learn_name(self, name: str) -> str | None:
        """The name a header is kept under, or None; remembered, as servers send the same names every time."""
        lower = name.lower()
        key = lower if lower in HEADERS_KEPT or lower.startswith(HEADER_PREFIXES_KEPT) else None
        if len(self._kept_names) < _MAX_HEADER_NAMES:
            self._kept_names[name] = key
        return key

    def _failure_of_connection(self, error: BaseException) -> Failure:
        if isinstance(error, TimeoutError):
            return self._timed_out()
        if isinstance(error, ssl.SSLCertVerificationError | self._aiohttp.ClientConnectorCertificateError):
            return Failure("connection", "the server's certificate is not valid", fatal=True)
        if isinstance(error, self._aiohttp.ClientConnectorDNSError):
            return Failure("connection", "the host's name cannot be resolved", retryable=True)
        if isinstance(error, self._aiohttp.ServerDisconnectedError):
            return Failure(
                "connection", "the server closed the connection before it answered", retryable=True
            )
        if isinstance(error, self._aiohttp.ClientResponseError | self._aiohttp.ClientPayloadError):
            return Failure("malformed", "the server does not speak HTTP as it should", retryable=True)
        # only the errno's own words: addresses and ports would differ in every run
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if isinstance(number, int) and number > 0 else type(error).__name__
        return Failure("connection", f"the connection failed: {reason}", retryable=True)

    def _timed_out(self) -> Failure:
        return Failure("timeout", f"no whole answer within {self._timeout_s:g} s", retryable=True)

    def _too_large(self) -> Failure:
        return Failure("too_large", f"the response is larger than {self._max_response_bytes} bytes")


def _failed(body: bytes, watch: Stopwatch, failure: Failure) -> Exchange:
    return Exchange(request=body, failure=failure, started_us=watch.started_us, elapsed_us=watch.elapsed_us)


def _no_body() -> Failure:
    return Failure("empty", "the response has no body", retryable=True)


def _say_if_html(failure: Failure, received: bytes) -> Failure:
    if failure.kind == "malformed" and received.lstrip()[:1] == b"<":
        return Failure("malformed", "the response is a web page, not JSON", retryable=True)
    return failure
