"""Texts and keys that were planted in every place of every API are nowhere but where they belong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.hostile.raw_client import connect, head
from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.upstream import Upstream, upstream_server

ASKED = "zebrafinch-question-7193"
ANSWERED = "quokka-answer-2847"
TOOL = "numbat-tool-5561"
UPSTREAM_KEY = "sk-" + "upstreamkey" * 3
HEADER_SECRET = "header-secret-of-the-gateway"
POLICY: dict[str, Any] = {
    "guards": [
        {
            "id": "pii",
            "use": "pii",
            "action": "redact",
            "settings": {"reversible": True},
            "directions": ["input"],
        },
        {"id": "secrets", "use": "secrets", "action": "block"},
        {
            "id": "held",
            "use": "words",
            "action": "hold",
            "directions": ["input"],
            "settings": {"words": ["please hold"]},
        },
        {
            "id": "blocked",
            "use": "words",
            "action": "block",
            "settings": {"words": ["please block"]},
        },
    ],
    "limits": [{"id": "rate", "per": ["key", "user", "model"], "requests": "100000/min"}],
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_server(answer=f"{ANSWERED}, said quietly.") as running:
        running.tool_arguments = json.dumps({"to": TOOL})
        running.reasoning = f"thinking of {ANSWERED}"
        yield running


@pytest.fixture(scope="module")
def planted(
    upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningGateway, str]]:
    folder = tmp_path_factory.mktemp("planted")
    of = {"base_url": upstream.base_url, "key_env": "PLANTED_KEY"}
    dialects = ("openai", "openai-responses", "anthropic")
    config = write_gateway(
        folder,
        upstream.base_url,
        policy=POLICY,
        auth="keys",
        upstreams=[
            {"id": name, "dialect": name, "retries": 0, **of, "headers": {"x-extra": HEADER_SECRET}}
            for name in dialects
        ],
        models=[
            {"name": "m", "to": [{"upstream": "openai"}]},
            {"name": "error-*", "to": [{"upstream": "openai"}]},
            *({"name": f"by-{name}", "to": [{"upstream": name, "model": "m"}]} for name in dialects),
            *(
                {"name": name, "to": [{"upstream": "openai"}]}
                for name in ("dies", "html", "broken-sse", "wrong-key")
            ),
        ],
    )
    command = [sys.executable, "-m", "verilabel", "gateway", "keys", "create", "--name", "one", "--json"]
    made = subprocess.run([*command, "--store", str(folder / "gateway.db")], capture_output=True, check=True)
    token = str(json.loads(made.stdout)["token"])
    with gateway_process(config, environ={"PLANTED_KEY": UPSTREAM_KEY}) as running:
        yield running, token


def _requests() -> Iterator[tuple[str, dict[str, Any]]]:
    said = [
        {"role": "system", "content": f"{ASKED} system"},
        {"role": "user", "content": f"{ASKED} ann@example.com"},
    ]
    tools = [
        {
            "type": "function",
            "function": {"name": "f", "description": ASKED, "parameters": {"type": "object"}},
        }
    ]
    for stream in (False, True):
        for model in (
            "m",
            "by-anthropic",
            "by-openai-responses",
            "dies",
            "html",
            "broken-sse",
            "error-400",
            "error-500",
        ):
            yield "/v1/chat/completions", {"model": model, "messages": said, "tools": tools, "stream": stream}
        yield (
            "/v1/chat/completions",
            {"model": "m", "messages": said, "user": ASKED, "metadata": {"a": ASKED}},
        )
        yield (
            "/v1/messages",
            {
                "model": "by-anthropic",
                "max_tokens": 9,
                "system": ASKED,
                "messages": said[1:],
                "stream": stream,
            },
        )
        yield (
            "/v1/responses",
            {"model": "by-openai-responses", "instructions": ASKED, "input": ASKED, "stream": stream},
        )
        yield "/v1/completions", {"model": "m", "prompt": ASKED, "stream": stream}
        for word in ("please hold", "please block"):
            yield (
                "/v1/chat/completions",
                {
                    "model": "m",
                    "messages": [{"role": "user", "content": f"{ASKED} {word}"}],
                    "stream": stream,
                },
            )
    yield "/v1/embeddings", {"model": "m", "input": [ASKED, ASKED]}
    yield "/v1/chat/completions", {"model": "wrong-key", "messages": said}
    yield "/v1/chat/completions", {"model": f"no-such-{ASKED}", "messages": said}
    yield "/v1/chat/completions", {"model": "m", "messages": ASKED}
    yield "/v1/chat/completions", {"model": "m", "messages": [{"role": ASKED, "content": {ASKED: ASKED}}]}


def _kept(folder: Path, *names: str) -> bytes:
    return b"\n".join(
        each.read_bytes() for name in names for each in sorted(folder.glob(name)) if each.is_file()
    )


def test_nothing_planted_is_found_where_it_does_not_belong(
    planted: tuple[RunningGateway, str], upstream: Upstream
) -> None:
    gateway, token = planted
    key = {"authorization": f"Bearer {token}"}
    heard: list[tuple[str, dict[str, Any], int, dict[str, str], bytes]] = []
    for path, body in _requests():
        heard.append((path, body, *gateway.ask(path, body, headers=key)))
    heard.append(("", {}, *gateway.ask(data=f'{{"{ASKED}": '.encode(), headers=key)))
    heard.append(("", {}, *gateway.ask(f"/v1/{ASKED}", {}, headers=key)))
    heard.append(("", {}, *gateway.ask(body={"model": "m"}, headers={"authorization": f"Bearer {ASKED}"})))
    with connect(gateway.url) as connection:
        connection.sendall(head("content-length: 5000") + b'{"model":"' + ASKED.encode())
    assert {200, 400, 401, 403, 404, 502} <= {each[2] for each in heard}
    metrics = gateway.ask("/metrics", method="GET")[2]
    state = gateway.ask("/verilabel/api/state", headers=key, method="GET")[2]
    models = gateway.ask("/v1/models", headers=key, method="GET")[2]
    trail = _kept(gateway.folder, "audit/*", "stderr.txt")
    assert len(gateway.records()) >= len(heard)
    for planted_text in (ASKED, ANSWERED, TOOL, UPSTREAM_KEY, HEADER_SECRET, token, "ann@example"):
        for place in (trail, metrics, state, models):
            assert planted_text.encode() not in place, planted_text
    for _, body, status, headers, data in heard:
        for secret in (UPSTREAM_KEY, HEADER_SECRET, token):
            assert secret.encode() not in data and secret not in str(headers)
        if status != 200:
            assert ASKED.encode() not in data, body
            assert ASKED not in str(headers)
    assert {f"Bearer {UPSTREAM_KEY}", UPSTREAM_KEY} >= {
        sent.get("Authorization") or sent.get("X-Api-Key") or sent.get("x-api-key", "")
        for sent in upstream.headers
    }
    for sent in upstream.headers:
        assert token not in str(sent)


def test_the_store_holds_no_key_and_no_text_that_was_not_held(planted: tuple[RunningGateway, str]) -> None:
    gateway, token = planted
    gateway.ask(
        body={"model": "m", "messages": [{"role": "user", "content": f"{ASKED}-passing"}]},
        headers={"authorization": f"Bearer {token}"},
    )
    stored = _kept(gateway.folder, "gateway.db*")
    assert stored
    for text in (token, token.rpartition("_")[2], UPSTREAM_KEY, ANSWERED, f"{ASKED}-passing"):
        assert text.encode() not in stored
