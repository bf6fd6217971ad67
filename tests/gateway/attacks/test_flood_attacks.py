"""Requests that would have the gateway ask elsewhere, ask others too often, or write without end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.attacks.offices import bearer, make_key
from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.upstream import Upstream, upstream_server
from verilabel.gateway.audit.trail import UNKEYED_A_SECOND
from verilabel.gateway.audit.verifying import verify_trail
from verilabel.gateway.pipeline.guarding import MAX_SLOW_TEXTS

GUARD = {
    "id": "asked",
    "use": "model",
    "directions": ["input"],
    "timeout_ms": 2000,
    "when": "request.model == 'guarded'",
    "settings": {"family": "judge", "model": "m", "base_url": "http://127.0.0.1:9/v1"},
}
"""A guard model that is not there: whatever is asked of it fails."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_server() as running:
        yield running


@pytest.fixture(scope="module")
def key() -> dict[str, str]:
    return {}


@pytest.fixture(scope="module")
def gateway(
    upstream: Upstream, key: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("floods")
    config = write_gateway(
        folder,
        upstream.base_url,
        auth="keys",
        policy={"guards": [GUARD]},
        upstreams=[
            {"id": "main", "base_url": upstream.base_url, "retries": 0},
            {"id": "gemini", "base_url": upstream.base_url, "dialect": "google", "retries": 0},
        ],
        models=[
            {"name": "guarded", "to": [{"upstream": "main"}]},
            {"name": "*", "to": [{"upstream": "gemini"}]},
        ],
    )
    key.update(bearer(make_key(folder, "flooder")))
    with gateway_process(config) as running:
        yield running


def _ask(
    gateway: RunningGateway, headers: dict[str, str], model: str, texts: int = 1
) -> tuple[int, str, str]:
    parts = [{"type": "text", "text": f"part {i}"} for i in range(texts)]
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": parts}]}
    status, _, data = gateway.ask(body=body, headers=headers)
    error = json.loads(data)["error"]
    return status, error["code"], error["message"]


LEADING_ELSEWHERE = dict.fromkeys(
    ("../admin", "..", "a/../../b", "a\\b", "%2e%2e%2fadmin", "x:countTokens?", "models/", "a#b"),
    "not_translatable",
) | dict.fromkeys(("a\nb", "a\x00b"), "invalid_request")


@pytest.mark.parametrize("model", LEADING_ELSEWHERE)
def test_a_models_name_leads_to_no_other_address_of_an_upstream(
    gateway: RunningGateway, key: dict[str, str], upstream: Upstream, model: str
) -> None:
    upstream.reset()
    status, code, message = _ask(gateway, key, model)
    assert (400, LEADING_ELSEWHERE[model], 0) == (status, code, len(upstream.requests))
    assert model not in message


def test_a_request_of_more_texts_than_a_slow_guard_is_asked_about_is_refused(
    gateway: RunningGateway, key: dict[str, str], upstream: Upstream
) -> None:
    upstream.reset()
    assert (503, "guard_failed") == _ask(gateway, key, "guarded", texts=5)[:2]
    assert (400, "too_many_texts") == _ask(gateway, key, "guarded", texts=MAX_SLOW_TEXTS + 1)[:2]
    assert 0 == len(upstream.requests)


def test_requests_without_a_key_cannot_fill_the_trail(upstream: Upstream, tmp_path: Path) -> None:
    config = write_gateway(tmp_path, upstream.base_url, auth="keys")
    known = bearer(make_key(tmp_path, "known"))
    count = 60
    with gateway_process(config) as gateway:
        for number in range(count):
            headers = bearer(f"vk_{number}") if number % 2 else {}
            code = _ask(gateway, headers, "m")[1]
            assert ("key_unknown" if number % 2 else "key_missing") == code
        for _ in range(UNKEYED_A_SECOND * 2):
            body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
            assert 200 == gateway.ask(body=body, headers=known)[0]
    records = [each for each in gateway.records() if each["key"] == "none"]
    seconds = {each["at_us"] // 1_000_000 for each in records}
    counts = verify_trail(tmp_path / "audit").counts
    assert count == len(records) + counts.unkeyed
    assert len(records) <= UNKEYED_A_SECOND * (len(seconds) + 1)
    assert UNKEYED_A_SECOND * 2 == counts.outcomes["answered"]
