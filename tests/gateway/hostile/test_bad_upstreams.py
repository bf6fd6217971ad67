"""Upstreams that break the rules: clients get a clear error in the form of their API, and memory stays bounded."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from gateway.hostile.raw_client import peak_bytes
from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.rough_upstream import Answer, RoughUpstream, chunk, rough_upstream, streamed, whole

MIB = 2**20
KEY = "sk-own-key-of-the-gateway"
MESSAGE = {"role": "assistant", "content": "fine"}
REPLY = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}],
    }
).encode()
DONE = b"data: [DONE]\n\n"
HELLO = chunk("Hello, wor")


def _bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join(packer.compress(b"\0" * MIB) for _ in range(256)) + packer.flush()


def _nested(depth: int) -> bytes:
    return REPLY[:-1] + b',"x":' + b"[" * depth + b'"a"' + b"]" * depth + b"}"


def _event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


def _fall_silent(connection: socket.socket, said: bytes) -> None:
    with suppress(OSError):
        connection.sendall(said)
        connection.settimeout(60)
        connection.recv(1)


BOMB = _bomb()
DEEP_EVENT = _event(HELLO[6:-3] + b',"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}")
WHOLE: dict[str, tuple[Answer, str]] = {
    "closes": (lambda _connection, _data: None, "upstream_connection"),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", "upstream_connection"),
    "headers without number": (
        b"HTTP/1.1 200 OK\r\n" + b"x-a: y\r\n" * 20_000 + b"\r\n",
        "upstream_connection",
    ),
    "body shorter than said": (
        whole(REPLY).replace(b"length: %d" % len(REPLY), b"length: 9999"),
        "upstream_connection",
    ),
    "HTML": (whole(b"<html>hello</html>", kind="text/html"), "upstream_malformed"),
    "no body": (whole(b""), "upstream_malformed"),
    "a list": (whole(b"[]"), "upstream_malformed"),
    "NaN": (whole(REPLY[:-1] + b',"x":NaN}'), "upstream_malformed"),
    "a number out of range": (whole(REPLY[:-1] + b',"x":1e999}'), "upstream_malformed"),
    "a number of 5,000 digits": (whole(REPLY[:-1] + b',"x":' + b"9" * 5000 + b"}"), "upstream_malformed"),
    "half a surrogate pair": (whole(REPLY.replace(b"fine", b"\\ud800")), "upstream_malformed"),
    "no UTF-8": (whole(REPLY.replace(b"fine", b"\xff")), "upstream_malformed"),
    "100 levels": (whole(_nested(100)), "upstream_malformed"),
    "900 levels": (whole(_nested(900)), "upstream_malformed"),
    "10,000 levels": (whole(_nested(10_000)), "upstream_malformed"),
    "a stream nobody asked for": (streamed(HELLO + chunk("", "stop") + DONE), "upstream_malformed"),
    "a bomb": (whole(BOMB, "content-encoding: gzip"), "upstream_too_large"),
    "unknown compression": (whole(REPLY, "content-encoding: br"), "upstream_malformed"),
    "broken compression": (whole(REPLY, "content-encoding: gzip"), "upstream_malformed"),
    "half compressed": (whole(gzip.compress(REPLY)[:-9], "content-encoding: gzip"), "upstream_connection"),
    "falls silent": (
        lambda connection, _data: _fall_silent(connection, whole(REPLY)[:-9]),
        "upstream_timeout",
    ),
    "never speaks": (lambda connection, _data: _fall_silent(connection, b""), "upstream_timeout"),
    "a redirection": (whole(b"", "location: http://127.0.0.1:9/", status="302 Found"), "upstream_error"),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", "upstream_error"),
    "its key is wrong": (whole(b"{}", status="401 Unauthorized"), "upstream_refuses_gateway"),
}
STREAMS: dict[str, tuple[Answer, str]] = {
    "an event that is no JSON": (streamed(HELLO + b"data: {not json\n\n" + DONE), "upstream_malformed"),
    "an event with a key twice": (
        streamed(HELLO + _event(b'{"choices":[],"\\u0063hoices":[]}') + DONE),
        "upstream_malformed",
    ),
    "an event with NaN": (streamed(HELLO + _event(b'{"choices":[],"x":NaN}') + DONE), "upstream_malformed"),
    "an event of 10,000 levels": (streamed(HELLO + DEEP_EVENT + DONE), "upstream_malformed"),
    "an event without end": (
        streamed(HELLO + b"data: " + b"x" * (2 * MIB)),
        "upstream_malformed",
    ),
    "a last word without the end": (streamed(HELLO + chunk("", "stop")), "upstream_connection"),
    "no end": (streamed(HELLO), "upstream_connection"),
    "half an event": (streamed(HELLO + b'data: {"id": "x'), "upstream_malformed"),
    "a name that is none": (streamed(HELLO + b"event: a b\x00\ndata: {}\n\n" + DONE), "upstream_malformed"),
    "a bomb": (streamed(BOMB, "content-encoding: gzip"), "upstream_too_large"),
    "falls silent": (
        lambda connection, _data: _fall_silent(connection, streamed(HELLO)),
        "upstream_timeout",
    ),
}
ERRORS: dict[str, tuple[bytes, int]] = {
    "its own key": (json.dumps({"error": {"message": f"{KEY} is not valid"}}).encode(), 400),
    "its own key in escapes": (
        b'{"error":{"message":"' + "".join(f"\\u{ord(each):04x}" for each in KEY).encode() + b'"}}',
        400,
    ),
    "HTML": (b"<html>" * 50_000, 404),
    "a list": (b'{"error":["message"]}', 422),
    "half a surrogate pair": (b'{"error":{"message":"\\ud800"}}', 400),
    "line ends": (b'{"error":{"message":"a\\r\\nx-injected: yes"}}', 404),
    "an e-mail address": (b'{"error":{"message":"ask ann.lee@example.com"}}', 400),
}


def _pour(upstream: RoughUpstream, name: str, head: bytes) -> Answer:
    return lambda connection, _data: upstream.pour(connection, name, head, b"[1,2,3,4,5,6]," * 8192, 2**31)


@pytest.fixture(scope="module")
def upstream() -> Iterator[RoughUpstream]:
    answers: dict[str, Answer] = {f"whole: {name}": answer for name, (answer, _) in WHOLE.items()}
    answers |= {f"stream: {name}": answer for name, (answer, _) in STREAMS.items()}
    answers |= {
        f"error: {name}": whole(body, status=f"{status} No") for name, (body, status) in ERRORS.items()
    }
    answers |= {
        f"wait: {said}": whole(b"{}", f"retry-after: {said}", status="429 No")
        for said in ("7", "nan", "inf", "-5", "9" * 30, "soon")
    }
    answers["a key twice"] = whole(REPLY[:-1] + b',"choices":[{"index":0,"message":{"content":"x"}}]}')
    with rough_upstream(answers) as running:
        plain = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
        answers["a body without end"] = _pour(running, "a body without end", plain + b"\r\n[")
        answers["a head without end"] = _pour(running, "a head without end", plain + b"x-a: ")
        answers["an error without end"] = _pour(
            running, "an error without end", plain.replace(b"200 OK", b"400 No") + b"\r\n["
        )
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: RoughUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    # each bad answer has an upstream of its own: one that failed often is left alone for a while
    upstreams = [
        {
            "id": f"u{i}",
            "base_url": upstream.base_url,
            "retries": 0,
            "key_env": "UPSTREAM_KEY",
            "idle_timeout_s": 0.4,
            "first_byte_timeout_s": 0.6 if name == "whole: never speaks" else 20,
        }
        for i, name in enumerate(upstream.answers)
    ]
    models = [
        {"name": f"m{i}", "to": [{"upstream": f"u{i}", "model": name}]}
        for i, name in enumerate(upstream.answers)
    ]
    policy = {"guards": [{"id": "pii", "use": "pii", "action": "redact"}]}
    config = write_gateway(
        tmp_path_factory.mktemp("rough"),
        upstream.base_url,
        policy=policy,
        upstreams=upstreams,
        models=models,
    )
    with gateway_process(config, environ={"UPSTREAM_KEY": KEY}) as running:
        yield running


def _ask(
    gateway: RunningGateway, upstream: RoughUpstream, name: str, **more: Any
) -> tuple[int, dict[str, str], bytes]:
    model = f"m{list(upstream.answers).index(name)}"
    path = more.pop("path", "/v1/chat/completions")
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    return gateway.ask(path, body)


def _events(data: bytes) -> list[Any]:
    assert data.endswith(b"\n\n")
    found = [line[6:] for line in data.decode().split("\n") if line.startswith("data: ")]
    return [json.loads(each) for each in found if each != "[DONE]"]


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_that_is_none_is_a_clear_error(
    gateway: RunningGateway, upstream: RoughUpstream, name: str
) -> None:
    status, _, data = _ask(gateway, upstream, f"whole: {name}")
    code = WHOLE[name][1]
    error = json.loads(data)["error"]
    assert (504 if code == "upstream_timeout" else 502, code) == (status, error["code"])
    record = gateway.records()[-1]
    assert ("failed", status, code) == (record["outcome"], record["status"], record["code"])
    assert 1 == upstream.asked[f"whole: {name}"]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_goes_wrong_ends_in_a_clear_error(
    gateway: RunningGateway, upstream: RoughUpstream, name: str
) -> None:
    status, headers, data = _ask(gateway, upstream, f"stream: {name}", stream=True)
    *before, last = _events(data)
    assert (200, STREAMS[name][1]) == (status, last["error"]["code"])
    said = "".join(each["choices"][0]["delta"].get("content", "") for each in before)
    assert "Hello, wor".startswith(said) and headers["content-type"].startswith("text/event-stream")
    record = gateway.records()[-1]
    assert ("failed", STREAMS[name][1]) == (record["outcome"], record["code"])


def test_an_answer_that_is_asked_for_as_a_stream_must_be_one(
    gateway: RunningGateway, upstream: RoughUpstream
) -> None:
    status, _, data = _ask(gateway, upstream, "whole: HTML", stream=True)
    assert (502, "upstream_malformed") == (status, json.loads(data)["error"]["code"])


@pytest.mark.parametrize("stream", [False, True])
def test_errors_come_in_the_form_of_the_api_that_was_asked(
    gateway: RunningGateway, upstream: RoughUpstream, stream: bool
) -> None:
    path = "/v1/messages"
    name = "stream: an event that is no JSON" if stream else "whole: NaN"
    _, _, data = _ask(gateway, upstream, name, path=path, max_tokens=9, stream=stream)
    last = _events(data)[-1] if stream else json.loads(data)
    assert ("error", True) == (last["type"], {"type", "message"} <= last["error"].keys())


def test_of_a_key_that_stands_twice_the_client_gets_what_was_guarded(
    gateway: RunningGateway, upstream: RoughUpstream
) -> None:
    _, _, data = _ask(gateway, upstream, "a key twice")
    assert (1, "x") == (data.count(b'"choices"'), json.loads(data)["choices"][0]["message"]["content"])


@pytest.mark.parametrize("name", ["a body without end", "a head without end", "an error without end"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_without_end_is_cut_off_in_bounded_memory(
    gateway: RunningGateway, upstream: RoughUpstream, name: str, stream: bool
) -> None:
    before = peak_bytes(gateway.process.pid)
    status, _, _ = _ask(gateway, upstream, name, stream=stream)
    assert (400 if name == "an error without end" else 502) == status
    assert peak_bytes(gateway.process.pid) - before < 160 * MIB  # 32 MiB are allowed, kept and joined


@pytest.mark.parametrize("name", ERRORS)
def test_what_an_upstream_says_of_its_refusal_is_guarded(
    gateway: RunningGateway, upstream: RoughUpstream, name: str
) -> None:
    status, headers, data = _ask(gateway, upstream, f"error: {name}")
    message = json.loads(data)["error"]["message"]
    assert (ERRORS[name][1], True) == (status, len(message) <= 400)
    assert "x-injected" not in headers
    for secret in (KEY, "ann.lee", "<html>"):
        assert secret not in message


@pytest.mark.parametrize(
    ("said", "passed_on"),
    [("7", "7"), ("nan", None), ("inf", "86400"), ("-5", None), ("9" * 30, "86400"), ("soon", None)],
)
def test_an_upstream_that_is_asked_too_much_says_when_to_come_back(
    gateway: RunningGateway, upstream: RoughUpstream, said: str, passed_on: str | None
) -> None:
    status, headers, data = _ask(gateway, upstream, f"wait: {said}")
    assert (429, "upstream_rate_limit") == (status, json.loads(data)["error"]["code"])
    assert passed_on == headers.get("retry-after")


def test_the_key_of_the_gateway_is_nowhere(gateway: RunningGateway) -> None:
    kept = b"".join(each.read_bytes() for each in gateway.folder.rglob("*") if each.is_file())
    kept += gateway.ask("/metrics", method="GET")[2]
    assert KEY.encode() not in kept
