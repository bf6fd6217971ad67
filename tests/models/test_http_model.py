"""Models behind HTTP, against real servers on the loopback: answers, failures of every kind, the key."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import urllib.request
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from verilabel.errors import UsageError
from verilabel.models.address import open_model
from verilabel.models.interface import Exchange, Model, ModelRequest
from verilabel.models.statuses import retry_after
from verilabel.records.attempt import Attempt, Observation, Usage, body_fields

Ask = Callable[..., ModelRequest]
Scripted = Callable[..., AbstractAsyncContextManager[str]]
Respond = Callable[..., Any]
KEY = "sk-test-0123456789abcdef"
ENVIRON = {"TEST_KEY": KEY}
GOOD = json.dumps(
    {"model": "m-1", "choices": [{"message": {"content": "Hello!"}, "finish_reason": "stop"}]}
).encode()


def _open(url: str, *, key: bool = False, **options: Any) -> Model:
    return open_model(
        "openai/m", base_url=url, key_env="TEST_KEY" if key else None, environ=ENVIRON, **options
    )


async def _ask_once(url: str, request: ModelRequest, **options: Any) -> Exchange:
    async with _open(url, **options) as model:
        return await model.ask(request)


def _read_stats(url: str) -> dict[str, int]:
    with urllib.request.urlopen(f"{url.removesuffix('/v1')}/stats") as stats:
        counts: dict[str, int] = json.load(stats)
    return counts


async def test_an_answer_comes_with_its_exact_bytes_and_what_was_observed(
    mock_server: Callable[..., AbstractContextManager[str]], ask: Ask
) -> None:
    with mock_server() as url:
        exchange = await _ask_once(url, ask("What is 6 times 7?", params={"temperature": "0"}))

    sent = b'{"model":"m","messages":[{"role":"user","content":"What is 6 times 7?"}],"temperature":0}'
    assert sent == exchange.request
    assert json.loads(exchange.response)["choices"][0]["message"]["content"] == exchange.output
    assert (200, "The answer is 42.", "stop", "mock-1", "fp_mock", Usage(20, 6)) == (
        exchange.status,
        exchange.output,
        exchange.finish,
        exchange.served_model,
        exchange.fingerprint,
        exchange.usage,
    )
    assert exchange.elapsed_us > 0
    assert exchange.started_us > 1_700_000_000_000_000


async def test_the_anthropic_dialect_is_spoken_end_to_end(
    mock_server: Callable[..., AbstractContextManager[str]], ask: Ask
) -> None:
    with mock_server("--dialect", "anthropic", "--answers", "echo") as url:
        address = {"base_url": url.removesuffix("/v1"), "key_env": "TEST_KEY", "environ": ENVIRON}
        async with open_model("anthropic/claude", **address) as model:
            exchange = await model.ask(ask("Say this.", system="Repeat."))

    assert (exchange.output, exchange.finish, exchange.served_model) == ("Say this.", "end_turn", "mock-1")


async def test_a_hundred_questions_at_once_each_get_their_own_answer(
    mock_server: Callable[..., AbstractContextManager[str]], ask: Ask
) -> None:
    with mock_server("--answers", "echo", "--fail-every", "10", "--latency-ms", "1") as url:
        async with _open(url, connections=8) as model:
            exchanges = await asyncio.gather(*(model.ask(ask(f"prompt {i}")) for i in range(100)))
        counts = await asyncio.to_thread(_read_stats, url)

    wrong = [e for i, e in enumerate(exchanges) if e.failure is None and e.output != f"prompt {i}"]
    assert wrong == []
    assert 10 == sum(e.failure is not None for e in exchanges) == counts["failures"]
    assert counts["requests"] == 100
    assert counts["max_inflight"] <= 8


@pytest.mark.filterwarnings("error::ResourceWarning")
async def test_a_prompt_of_megabytes_arrives_whole(
    mock_server: Callable[..., AbstractContextManager[str]], ask: Ask
) -> None:
    prompt = "many words " * 150_000
    with mock_server("--answers", "echo") as url:
        exchange = await _ask_once(url, ask(prompt))

    assert exchange.output == prompt


STATUSES = [
    # status, kind, retryable, fatal
    (400, "bad_request", False, False),
    (401, "unauthorized", False, True),
    (403, "unauthorized", False, True),
    (404, "not_found", False, True),
    (408, "server_error", True, False),
    (413, "bad_request", False, False),
    (422, "bad_request", False, False),
    (429, "rate_limited", True, False),
    (500, "server_error", True, False),
    (503, "server_error", True, False),
    (529, "server_error", True, False),
]


@pytest.mark.parametrize(("status", "kind", "retryable", "fatal"), STATUSES)
async def test_a_status_is_a_failure_of_its_kind_with_the_providers_words(
    status: int,
    kind: str,
    retryable: bool,
    fatal: bool,
    scripted_server: Scripted,
    respond: Respond,
    ask: Ask,
) -> None:
    body = b'{"error":{"message":"some\\n reason","type":"x","code":null}}'
    async with scripted_server(respond(status, body)) as url:
        exchange = await _ask_once(url, ask())

    assert exchange.failure is not None
    assert (kind, retryable, fatal) == (
        exchange.failure.kind,
        exchange.failure.retryable,
        exchange.failure.fatal,
    )
    assert f"HTTP {status}: some reason" == exchange.failure.message
    assert (status, body, None) == (exchange.status, exchange.response, exchange.output)


async def test_an_exhausted_account_is_not_asked_again(
    scripted_server: Scripted, respond: Respond, ask: Ask
) -> None:
    body = b'{"error":{"message":"You exceeded your quota","code":"insufficient_quota"}}'
    async with scripted_server(respond(429, body)) as url:
        exchange = await _ask_once(url, ask())

    assert exchange.failure is not None
    assert (
        exchange.failure.kind,
        exchange.failure.retryable,
        exchange.failure.fatal,
    ) == ("rate_limited", False, True)


async def test_a_prompt_refused_by_a_content_filter_is_filtered(
    scripted_server: Scripted, respond: Respond, ask: Ask
) -> None:
    async with scripted_server(
        respond(400, b'{"error":{"message":"policy","code":"content_filter"}}')
    ) as url:
        exchange = await _ask_once(url, ask())

    assert exchange.failure is not None
    assert exchange.failure.kind == "filtered"


async def test_the_wait_a_provider_asks_for_is_passed_on(
    scripted_server: Scripted, respond: Respond, ask: Ask
) -> None:
    async with scripted_server(respond(429, b"{}", "Retry-After: 7")) as url:
        exchange = await _ask_once(url, ask())

    assert exchange.retry_after_s == 7.0
    assert exchange.headers["retry-after"] == "7"


def test_the_wait_is_read_in_seconds_milliseconds_and_dates() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    later = format_datetime(now + timedelta(seconds=30), usegmt=True)

    waits = [
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": later}, 30.0),
        ({"retry-after": format_datetime(now - timedelta(days=1), usegmt=True)}, 0.0),
        ({"retry-after": "1e9"}, 86400.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ]
    assert [wait for _, wait in waits] == [retry_after(headers, now=now) for headers, _ in waits]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "empty"),
        (b"<html>Bad gateway</html>", "malformed"),
        (b"{}", "malformed"),
        (b'{"choices":[', "malformed"),
    ],
)
async def test_a_body_that_is_no_answer_is_a_failure(
    body: bytes, kind: str, scripted_server: Scripted, respond: Respond, ask: Ask
) -> None:
    async with scripted_server(respond(200, body)) as url:
        exchange = await _ask_once(url, ask())

    assert exchange.failure is not None
    assert (kind, body) == (exchange.failure.kind, exchange.response)


async def test_a_response_that_stops_before_its_end_is_truncated_and_kept_as_far_as_it_came(
    scripted_server: Scripted, ask: Ask
) -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + GOOD[:20])
        await writer.drain()
        writer.close()

    async with scripted_server(answer) as url:
        exchange = await _ask_once(url, ask())

    assert exchange.failure is not None
    assert ("truncated", True, GOOD[:20]) == (
        exchange.failure.kind,
        exchange.failure.retryable,
        exchange.response,
    )


@pytest.mark.parametrize("announced", [True, False])
async def test_a_response_beyond_the_limit_is_refused(
    announced: bool, scripted_server: Scripted, ask: Ask
) -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        if announced:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
            return
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            await writer.drain()

    async with scripted_server(answer) as url:
        exchange = await _ask_once(url, ask(), max_response_bytes=50_000)

    assert exchange.failure is not None
    assert (exchange.failure.kind, exchange.response) == ("too_large", b"")


async def test_a_small_compressed_body_that_unpacks_beyond_the_limit_is_refused(
    scripted_server: Scripted, respond: Respond, ask: Ask
) -> None:
    bomb = gzip.compress(b"x" * 5_000_000)
    async with scripted_server(respond(200, bomb, "Content-Encoding: gzip")) as url:
        exchange = await _ask_once(url, ask(), max_response_bytes=len(bomb) * 2)

    assert exchange.failure is not None
    assert exchange.failure.kind == "too_large"


async def test_a_chunked_answer_is_read_whole(scripted_server: Scripted, ask: Ask) -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in GOOD:
            writer.write(b"1\r\n%c\r\n" % byte)
        writer.write(b"0\r\n\r\n")

    async with scripted_server(answer) as url:
        exchange = await _ask_once(url, ask())

    assert (exchange.output, exchange.response) == ("Hello!", GOOD)


@pytest.mark.parametrize("begins", [True, False])
async def test_a_server_that_never_ends_is_a_timeout(
    begins: bool, scripted_server: Scripted, ask: Ask
) -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        if begins:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")

    async with scripted_server(answer) as url:
        exchange = await _ask_once(url, ask(), timeout_s=0.1)

    assert exchange.failure is not None
    assert (exchange.failure.kind, exchange.failure.retryable) == ("timeout", True)


async def test_a_server_that_is_not_there_is_a_connection_failure(ask: Ask) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody can answer here
        exchange = await _ask_once(f"http://127.0.0.1:{taken.getsockname()[1]}/v1", ask())

    assert exchange.failure is not None
    assert (
        exchange.failure.kind,
        exchange.failure.retryable,
        exchange.failure.message,
    ) == ("connection", True, "the connection failed: Connection refused")


@pytest.mark.parametrize(("sent", "kind"), [(b"", "connection"), (b"SSH-2.0-OpenSSH_9\r\n\r\n", "malformed")])
async def test_a_server_that_hangs_up_or_speaks_something_else_is_a_failure(
    sent: bytes, kind: str, scripted_server: Scripted, ask: Ask
) -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await writer.drain()
        writer.close()

    async with scripted_server(answer) as url:
        exchange = await _ask_once(url, ask())

    assert exchange.failure is not None
    assert kind == exchange.failure.kind


async def test_a_redirect_is_not_followed_with_the_key(
    scripted_server: Scripted, respond: Respond, ask: Ask
) -> None:
    seen: list[bytes] = []

    async def elsewhere(request: bytes, writer: asyncio.StreamWriter) -> None:
        seen.append(request)
        writer.close()

    async with (
        scripted_server(elsewhere) as other,
        scripted_server(respond(307, b"", f"Location: {other}/chat/completions")) as url,
    ):
        exchange = await _ask_once(url, ask(), key=True)

    assert exchange.failure is not None
    assert (exchange.failure.kind, exchange.failure.fatal) == ("malformed", True)
    assert seen == []


async def test_the_key_is_sent_and_appears_in_no_record_and_no_repr(
    scripted_server: Scripted, respond: Respond, ask: Ask
) -> None:
    seen: list[bytes] = []
    echoing = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}"}}).encode()

    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        seen.append(request)
        await respond(401, echoing, f"X-Request-Id: {KEY}")(request, writer)

    async with scripted_server(answer) as url, _open(url, key=True) as model:
        exchange = await model.ask(ask())
        shown = repr(model) + repr(exchange) + repr(vars(model))

    assert f"Bearer {KEY}".encode() in seen[0]
    assert KEY not in shown
    assert exchange.failure is not None
    assert exchange.failure.kind == "unauthorized"
    attempt = Attempt(
        suite="s",
        sample="x",
        epoch=1,
        attempt=1,
        request=exchange.request.decode(),
        failure=exchange.failure,
        **body_fields(exchange.response),  # type: ignore[arg-type]
    )
    observation = Observation(
        suite="s", sample="x", epoch=1, attempt=1, started_us=1, elapsed_us=1, headers=exchange.headers
    )
    assert KEY not in repr(attempt) + repr(observation)


async def test_only_listed_headers_are_kept_whatever_bytes_they_hold(
    scripted_server: Scripted, respond: Respond, ask: Ask
) -> None:
    headers = (
        "X-Request-ID: r\xe91",
        "Set-Cookie: session=secret",
        "X-RateLimit-Remaining-Requests: 9",
        "Date: today",
    )
    async with scripted_server(respond(200, GOOD, *headers)) as url:
        exchange = await _ask_once(url, ask())

    assert {"content-type", "x-request-id", "x-ratelimit-remaining-requests", "date"} == set(exchange.headers)
    assert exchange.headers["x-request-id"].isascii()


async def test_a_cancelled_question_leaves_the_model_usable(scripted_server: Scripted, ask: Ask) -> None:
    hold = asyncio.Event()
    asked = asyncio.Event()

    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        if b"first" in request:
            asked.set()
            await hold.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(GOOD) + GOOD)

    async with scripted_server(answer) as url, _open(url, connections=1) as model:
        first = asyncio.create_task(model.ask(ask("first")))
        await asked.wait()
        first.cancel()
        second = await model.ask(ask("second"))
        hold.set()

    assert first.cancelled()
    assert second.output == "Hello!"


async def test_a_model_that_was_not_opened_says_so(ask: Ask) -> None:
    with pytest.raises(UsageError, match="async with"):
        await _open("http://127.0.0.1:1/v1").ask(ask())


def _self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def test_a_server_with_an_unknown_certificate_gets_no_question_and_no_key(
    tmp_path: Path, ask: Ask
) -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read(1))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=_self_signed(tmp_path))
    async with server:
        port = server.sockets[0].getsockname()[1]
        exchange = await _ask_once(f"https://localhost:{port}/v1", ask(), key=True)

    assert exchange.failure is not None
    assert ("connection", True, "the server's certificate is not valid") == (
        exchange.failure.kind,
        exchange.failure.fatal,
        exchange.failure.message,
    )
    assert b"".join(seen) == b""
