"""Requests under other names, other spellings and by other members than the gateway decides by."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.attacks.offices import bearer, make_key
from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.upstream import Upstream, upstream_server

BODY: dict[str, Any] = {"model": "cheap", "messages": [{"role": "user", "content": "x"}]}


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
    folder = tmp_path_factory.mktemp("addresses")
    models = [{"name": name, "to": [{"upstream": "main"}]} for name in ("cheap", "*")]
    config = write_gateway(folder, upstream.base_url, auth="keys", models=models)
    key.update(bearer(make_key(folder, "limited", "user", "--models", "cheap")))
    with gateway_process(config) as running:
        yield running


def _send(
    gateway: RunningGateway, path: str, headers: dict[str, str], body: Any = None
) -> tuple[int, http.client.HTTPMessage]:
    """Status and headers; no redirect is followed."""
    place = urlsplit(gateway.url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
    data = None if body is None else json.dumps(body)
    connection.request("GET" if data is None else "POST", path, data, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers


@pytest.mark.parametrize("member", ["models", "fallbacks", "api_base", "custom_llm_provider"])
def test_no_member_has_a_routing_upstream_choose_another_model(
    gateway: RunningGateway, upstream: Upstream, key: dict[str, str], member: str
) -> None:
    before = len(upstream.requests)
    status, _, data = gateway.ask(body={**BODY, member: ["expensive"]}, headers=key)
    assert (400, "member_refused", before) == (
        status,
        json.loads(data)["error"]["code"],
        len(upstream.requests),
    )


@pytest.mark.parametrize(
    "model", ["other", "CHEAP", "cheap ", "cheaper", "\uff43heap", "cheap\u200b", ["cheap"], None], ids=repr
)
def test_a_key_asks_no_other_model_however_it_is_spelled(
    gateway: RunningGateway, upstream: Upstream, key: dict[str, str], model: Any
) -> None:
    before = len(upstream.requests)
    assert gateway.ask(body={**BODY, "model": model}, headers=key)[0] in (400, 404)
    assert before == len(upstream.requests)


@pytest.mark.parametrize(
    "path",
    [
        "/verilabel%2fapi/me",
        "/%76erilabel/api/me",
        "/verilabel/api%2fme",
        "//verilabel/api/me",
        "/verilabel/api/me/",
    ],
)
def test_a_path_has_one_spelling(gateway: RunningGateway, key: dict[str, str], path: str) -> None:
    assert 200 == _send(gateway, "/verilabel/api/me", key)[0]
    status, headers = _send(gateway, path, {**key, "host": "evil.example"})
    assert (404, None) == (status, headers["location"])


def test_an_escaped_path_asks_no_model(gateway: RunningGateway, key: dict[str, str]) -> None:
    headers = {**key, "content-type": "application/json"}
    assert 404 == _send(gateway, "/v1%2fchat/completions", headers, BODY)[0]


def test_a_page_under_a_name_of_its_own_reads_no_metrics(gateway: RunningGateway) -> None:
    port = urlsplit(gateway.url).port
    assert 403 == _send(gateway, "/metrics", {"host": f"evil.example:{port}"})[0]
    assert 200 == _send(gateway, "/metrics", {"host": f"localhost:{port}"})[0]
