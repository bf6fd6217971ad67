"""A user who wants more than the limits give: streams let go of, other names for one model, more processes."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.attacks.offices import bearer, make_key
from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.upstream import Upstream, upstream_server


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_server() as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(upstream: Upstream) -> None:
    upstream.reset()


LIMITS = [
    {"id": "day", "budget_tokens": "5000/day", "per": ["user"], "route": "paid"},
    {"id": "each-model", "requests": "1/h", "per": ["user", "model"], "route": "team-*"},
]


@pytest.fixture(scope="module")
def keys() -> dict[str, dict[str, str]]:
    return {}


@pytest.fixture(scope="module")
def gateway(
    upstream: Upstream, keys: dict[str, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("limits")
    config = write_gateway(
        folder,
        upstream.base_url,
        policy={"limits": LIMITS},
        auth="keys",
        upstreams=[
            {"id": "main", "base_url": upstream.base_url, "retries": 0},
            {"id": "claude", "base_url": upstream.base_url, "dialect": "anthropic", "retries": 0},
        ],
        models=[
            {"name": "paid", "to": [{"upstream": "claude"}]},
            {"name": "team-*", "to": [{"upstream": "main", "model": "gpt"}]},
        ],
    )
    keys |= {name: bearer(make_key(folder, name)) for name in ("leaver", "namer")}
    with gateway_process(config) as running:
        yield running


def test_a_stream_let_go_of_before_its_usage_was_counted_is_not_free(
    gateway: RunningGateway, upstream: Upstream, keys: dict[str, dict[str, str]]
) -> None:
    upstream.reset(answer="word " * 400, pause_s=0.02)
    body = {
        "model": "paid",
        "max_tokens": 4000,
        "stream": True,
        "messages": [{"role": "user", "content": "x"}],
    }
    place = urlsplit(gateway.url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
    headers = {"content-type": "application/json", **keys["leaver"]}
    connection.request("POST", "/v1/messages", json.dumps(body), headers)
    assert b"message_start" in connection.getresponse().read(300)
    connection.close()
    while not any(record["event"] == "ended" for record in gateway.records()):
        pass
    assert "abandoned" == gateway.records()[-1]["outcome"]
    upstream.reset()
    assert 429 == gateway.ask("/v1/messages", body, headers=keys["leaver"])[0]


def test_another_name_for_one_model_is_no_other_counter(
    gateway: RunningGateway, keys: dict[str, dict[str, str]]
) -> None:
    asked = [
        gateway.ask(
            body={"model": name, "messages": [{"role": "user", "content": "x"}]}, headers=keys["namer"]
        )[0]
        for name in ("team-a", "team-b", "team-c")
    ]
    assert [200, 429, 429] == asked


def test_workers_asked_for_on_the_command_line_share_the_limits_too(
    upstream: Upstream, tmp_path: Path
) -> None:
    limits: list[dict[str, Any]] = [{"id": "few", "budget_tokens": "4400/day", "per": ["all"]}]
    config = write_gateway(tmp_path, upstream.base_url, policy={"limits": limits})
    body = {"model": "m", "max_tokens": 1000, "messages": [{"role": "user", "content": "x"}]}
    with gateway_process(config, "--workers", "4") as gateway:
        upstream.reset()
        answers = [gateway.ask(body=body) for _ in range(12)]
    left = {
        int(given["x-ratelimit-limit-tokens"])
        for _, given, _ in answers
        if "x-ratelimit-limit-tokens" in given
    }
    assert {1100} == left
