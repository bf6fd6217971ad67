"""The leak table: no secret passes the real process, whatever API asks or answers, however a stream is cut."""

from __future__ import annotations

import base64
import json
import os
import random
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.upstream import Upstream, upstream_server

NIGHTLY = os.environ.get("VERILABEL_NIGHTLY") == "1"
SIZES = range(1, 65)
SOME_SIZES = SIZES if NIGHTLY else (1, 2, 3, 5, 8, 13, 31, 64)
LONGEST_RUN = 8
"""Characters of a secret in a row that may stand in an answer by chance: so many may not."""


def _coded(seed: int, size: int) -> str:
    return base64.b64encode(random.Random(seed).randbytes(size)).decode().rstrip("=")


def _token(seed: int, size: int) -> str:
    return _coded(seed, size).replace("+", "-").replace("/", "_")


def _pem() -> str:
    body = _coded(3, 540)
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *lines, "-----END RSA PRIVATE KEY-----"])


JWT = ".".join(
    (
        base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("="),
        base64.urlsafe_b64encode(b'{"sub":"1234567890","name":"Ann Lee"}').decode().rstrip("="),
        _token(2, 32),
    )
)
SECRETS = {
    "e-mail": "annabel.lee.of.the.sea@mail.example.com",
    "SSN": "219-09-9999",
    "card": "4111 1111 1111 1111",
    "GitHub key": "ghp_" + "a1B2c3D4e5F6" * 3,
    "JWT": JWT,
    "PEM": _pem(),
}
TEXT = "".join(
    f"Here is the {name}, as you asked:\n{secret}\nand so on. " for name, secret in SECRETS.items()
)
ARGUMENTS = json.dumps({"to": "the office", "subject": "ok", **SECRETS})
TOOL = {"type": "object", "properties": {}}
POLICY: dict[str, Any] = {
    "guards": [
        {"id": "pii", "use": "pii", "action": "redact", "directions": ["output"]},
        {"id": "secrets", "use": "secrets", "action": "redact", "directions": ["output"]},
    ]
}
DIALECTS = ("openai", "openai-responses", "anthropic", "google")
PAIRS = [(client, answers) for client in ("chat", "messages", "responses") for answers in DIALECTS]
PAIRS.append(("completions", "openai"))
PATHS = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
    "completions": "/v1/completions",
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_server() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    config = write_gateway(
        tmp_path_factory.mktemp("leaks"),
        upstream.base_url,
        policy=POLICY,
        upstreams=[
            {"id": name, "base_url": upstream.base_url, "retries": 0, "dialect": name} for name in DIALECTS
        ],
        models=[{"name": f"by-{name}", "to": [{"upstream": name, "model": "m"}]} for name in DIALECTS],
    )
    with gateway_process(config) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(upstream: Upstream) -> None:
    upstream.reset(answer=TEXT, reasoning=TEXT, tool_arguments=ARGUMENTS)


def _body(client: str, answers: str, *, stream: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"model": f"by-{answers}", "stream": stream}
    if client == "completions":
        return {**body, "prompt": "tell me"}
    if client == "responses":
        tool = {"type": "function", "name": "send", "parameters": TOOL}
        return {**body, "input": "tell me", "tools": [tool]}
    body["messages"] = [{"role": "user", "content": "tell me"}]
    if client == "messages":
        return {**body, "max_tokens": 4096, "tools": [{"name": "send", "input_schema": TOOL}]}
    return {**body, "tools": [{"type": "function", "function": {"name": "send", "parameters": TOOL}}]}


def _gather(node: Any, path: tuple[str, ...], found: dict[tuple[str, ...], list[str]]) -> None:
    """Every text of a document under the names that lead to it; indexes that tell texts apart count as names."""
    if isinstance(node, dict):
        marks = tuple(
            f"{key}={node[key]}" for key in ("index", "output_index", "content_index") if key in node
        )
        for key, value in node.items():
            _gather(value, (*path, *marks, key), found)
    elif isinstance(node, list):
        for value in node:
            _gather(value, path, found)
    elif isinstance(node, str):
        found[path].append(node)


def _texts(data: bytes) -> dict[tuple[str, ...], str]:
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    if data.startswith(b"{"):
        _gather(json.loads(data), (), found)
    else:
        for line in data.decode().split("\n"):
            if line.startswith("data: {"):
                event = json.loads(line[6:])
                _gather(event, (str(event.get("type", "")),), found)
    return {path: "".join(parts) for path, parts in found.items()}


def _leaks(data: bytes) -> list[str]:
    texts = list(_texts(data).values())
    return [
        f"{name}: {secret[i : i + LONGEST_RUN]!r}"
        for name, secret in SECRETS.items()
        for escaped in {secret, json.dumps(secret)[1:-1]}
        for i in range(len(escaped) - LONGEST_RUN + 1)
        if escaped[i : i + LONGEST_RUN] not in ("-----BEG", "RSA PRIV")
        and any(escaped[i : i + LONGEST_RUN] in text for text in texts)
    ]


def _ask(gateway: RunningGateway, client: str, answers: str, *, stream: bool) -> bytes:
    status, _, data = gateway.ask(PATHS[client], _body(client, answers, stream=stream))
    assert (200, False) == (status, b'"error":{' in data), data[-300:]
    return data


def test_this_table_would_see_a_leak(upstream: Upstream) -> None:
    data = json.dumps({"choices": [{"message": {"content": TEXT}}]}).encode()
    assert set(SECRETS) == {leak.partition(":")[0] for leak in _leaks(data)}
    events = b"".join(
        b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": letter}}]}).encode() + b"\n\n"
        for letter in SECRETS["e-mail"]
    )
    assert _leaks(events)


@pytest.mark.parametrize(("client", "answers"), PAIRS)
def test_no_secret_passes_a_whole_answer(
    gateway: RunningGateway, upstream: Upstream, client: str, answers: str
) -> None:
    data = _ask(gateway, client, answers, stream=False)
    assert [] == _leaks(data)
    assert b"and so on" in data and (client == "completions" or b"the office" in data)


@pytest.mark.parametrize(("client", "answers"), PAIRS)
def test_no_secret_passes_a_stream_however_it_is_cut(
    gateway: RunningGateway, upstream: Upstream, client: str, answers: str
) -> None:
    sizes = SIZES if (client, answers) == ("chat", "openai") else SOME_SIZES
    for upstream.chunk in sizes:
        data = _ask(gateway, client, answers, stream=True)
        assert [] == _leaks(data), f"in parts of {upstream.chunk}"
        said = "".join(_texts(data).values())
        assert said.count("and so on") >= 6 and (client == "completions" or "the office" in said)


def test_a_stream_says_what_the_whole_answer_says(gateway: RunningGateway, upstream: Upstream) -> None:
    whole = json.loads(_ask(gateway, "chat", "openai", stream=False))["choices"][0]["message"]
    for upstream.chunk in SOME_SIZES:
        texts = _texts(_ask(gateway, "chat", "openai", stream=True))
        said = {path[-1]: text for path, text in texts.items() if "delta" in path}
        assert (whole["content"], whole["reasoning_content"]) == (said["content"], said["reasoning_content"])
        assert whole["tool_calls"][0]["function"]["arguments"] == said["arguments"]
        json.loads(said["arguments"])


def test_no_secret_passes_in_a_second_choice(gateway: RunningGateway, upstream: Upstream) -> None:
    upstream.choices = 3
    assert [] == _leaks(_ask(gateway, "chat", "openai", stream=False))
    for upstream.chunk in SOME_SIZES:
        data = _ask(gateway, "chat", "openai", stream=True)
        assert ([], True) == (_leaks(data), b'"index": 2' in data or b'"index":2' in data)


def test_no_secret_passes_in_log_probabilities(gateway: RunningGateway, upstream: Upstream) -> None:
    asked = {**_body("chat", "openai", stream=False), "logprobs": True}
    for upstream.chunk in SOME_SIZES:
        for stream in (False, True):
            _, _, data = gateway.ask(PATHS["chat"], {**asked, "stream": stream})
            assert [] == _leaks(data) + _leaks(json.dumps({"tokens": _tokens_of(data)}).encode())
    upstream.reset(answer="Nothing to be seen here.")
    assert upstream.answer == _tokens_of(gateway.ask(PATHS["chat"], asked)[2])


def _tokens_of(data: bytes) -> str:
    documents = [json.loads(each) for each in _documents(data)]
    return "".join(bytes(token["bytes"]).decode() for token in _tokens(documents))


def _documents(data: bytes) -> list[str]:
    if data.startswith(b"{"):
        return [data.decode()]
    return [line[6:] for line in data.decode().split("\n") if line.startswith("data: {")]


def _tokens(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "logprob" in node:
            yield node
        for value in node.values():
            yield from _tokens(value)
    elif isinstance(node, list):
        for value in node:
            yield from _tokens(value)


ODD_PLACES = [
    {"choices": [{"index": 0, "message": "SECRET"}]},
    {"choices": [{"index": 0, "message": {"role": "assistant", "content": ["SECRET"]}}]},
    {"choices": {"a": {"message": {"content": "SECRET"}}}},
    {"choices": [], "SECRET-member": "SECRET"},
    {"choices": [{"index": 0, "text": "SECRET", "message": None}]},
    {"choices": [{"index": 0, "message": {"content": "x", "audio": {"transcript": "SECRET"}}}]},
    {"choices": [{"index": 0, "message": {"content": "x", "annotations": [{"url": "SECRET"}]}}]},
    {"error": {"message": "SECRET"}, "choices": []},
]


@pytest.mark.parametrize("place", range(len(ODD_PLACES)))
def test_no_secret_passes_where_none_is_expected(gateway_of_oddities: RunningGateway, place: int) -> None:
    status, _, data = gateway_of_oddities.ask(
        body={"model": f"odd-{place}", "messages": [{"role": "user", "content": "x"}]}
    )
    assert (200, []) == (status, _leaks(data)) or status == 502


@pytest.fixture(scope="module")
def gateway_of_oddities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    from servers.rough_upstream import Answer, rough_upstream, whole

    answers: dict[str, Answer] = {
        f"odd-{i}": whole(json.dumps(each).replace('"SECRET"', json.dumps(SECRETS["GitHub key"])).encode())
        for i, each in enumerate(ODD_PLACES)
    }
    with rough_upstream(answers) as rough:
        config = write_gateway(tmp_path_factory.mktemp("odd"), rough.base_url, policy=POLICY)
        with gateway_process(config) as running:
            yield running
