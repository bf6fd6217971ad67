"""What upstreams say where they fail, and what they call themselves: guarded before it is cut, and bounded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.rough_upstream import Answer, chunk, rough_upstream, streamed, whole

KEY = "ghp_" + "a1B2c3D4e5F6" * 3
MAIL = "ann.lee@example.com"
DONE = b"data: [DONE]\n\n"


def _error(message: Any) -> bytes:
    return whole(
        json.dumps({"type": "error", "error": {"type": "x", "message": message}}).encode(), status="400 Bad"
    )


ANSWERS: dict[str, Answer] = {
    **{f"cut-{size}": _error("x" * size + " " + KEY + " " + "y" * 300) for size in range(255, 300, 4)},
    "mail": _error(f"no such thing as {MAIL} here"),
    "object": _error({"said": MAIL}),
    "long-name": streamed(chunk("hi", model="m" * 5000) + chunk("", "stop", model="m" * 5000) + DONE),
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    guards = [{"id": name, "use": name, "action": "redact"} for name in ("pii", "secrets")]
    with rough_upstream(ANSWERS) as upstream:
        upstreams = [
            {"id": dialect, "base_url": upstream.base_url, "dialect": dialect, "retries": 0}
            for dialect in ("openai", "anthropic")
        ]
        models = [
            {"name": f"{dialect}/{name}", "to": [{"upstream": dialect, "model": name}]}
            for dialect in ("openai", "anthropic")
            for name in ANSWERS
        ]
        folder = tmp_path_factory.mktemp("errors")
        config = write_gateway(folder, "", policy={"guards": guards}, models=models, upstreams=upstreams)
        with gateway_process(config) as running:
            yield running


def _ask(gateway: RunningGateway, model: str, **more: Any) -> tuple[int, bytes]:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    status, _, data = gateway.ask(body=body)
    return status, data


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_no_part_of_a_secret_is_left_where_a_long_error_is_cut(gateway: RunningGateway, dialect: str) -> None:
    for name in [name for name in ANSWERS if name.startswith("cut-")]:
        status, data = _ask(gateway, f"{dialect}/{name}")
        assert (400, False) == (status, KEY[:6].encode() in data)


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_an_error_is_told_without_what_the_guards_redact(gateway: RunningGateway, dialect: str) -> None:
    status, data = _ask(gateway, f"{dialect}/mail")
    assert (400, "no such thing as [EMAIL] here") == (status, json.loads(data)["error"]["message"])
    assert MAIL.encode() not in _ask(gateway, f"{dialect}/object")[1]


def test_a_name_that_an_upstream_gives_itself_is_recorded_in_part(gateway: RunningGateway) -> None:
    assert 200 == _ask(gateway, "openai/long-name", stream=True)[0]
    names = [record["served_model"] for record in gateway.records() if record.get("served_model")]
    assert {"m" * 200} == set(names)
