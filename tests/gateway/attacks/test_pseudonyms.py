"""Pseudonyms of a conversation: guards never see what stands behind them, and an approval is of the values, too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.attacks.offices import Office, make_key
from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.upstream import Upstream, upstream_server

ASKED = "Please write to ann.lee@example.com about the tea party in our garden next week."


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_server(
        answer="I wrote to <EMAIL_1> at length, and no word of an answer came back."
    ) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    asked = {"family": "judge", "model": "guard", "base_url": upstream.base_url}
    model = {"use": "model", "directions": ["output"], "on_error": "allow", "settings": asked}
    personal = {"use": "pii", "action": "redact", "directions": ["input"], "settings": {"reversible": True}}
    words = {"use": "topics", "directions": ["output"], "action": "replace", "replace_with": "Ask <EMAIL_1>!"}
    policies = {
        "judged": [{"id": "pii", **personal}, {"id": "judge", **model, "window_chars": 20}],
        "changed": [
            {"id": "pii", **personal},
            {"id": "topic", **words, "settings": {"forbidden": {"letters": ["wrote"]}}},
        ],
    }
    folder = tmp_path_factory.mktemp("pseudonyms")
    for name, guards in policies.items():
        (folder / f"{name}.yaml").write_text(
            json.dumps({"policy": name, "version": "1.0.0", "guards": guards})
        )
    models = [{"name": name, "to": [{"upstream": "main"}], "policy": name} for name in policies]
    config = write_gateway(
        folder, upstream.base_url, models=models, policies={name: f"{name}.yaml" for name in policies}
    )
    with gateway_process(config) as running:
        yield running


def _said(data: bytes) -> str:
    events = [json.loads(line[6:]) for line in data.decode().split("\n") if line.startswith("data: {")]
    return "".join(
        choice["delta"].get("content") or "" for event in events for choice in event.get("choices", [])
    )


def _body(model: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": ASKED}]}


@pytest.mark.parametrize("streams", [False, True])
def test_a_guard_model_is_never_shown_what_a_pseudonym_stands_for(
    gateway: RunningGateway, upstream: Upstream, streams: bool
) -> None:
    upstream.requests.clear()
    status, _, data = gateway.ask(body={**_body("judged"), "stream": streams})
    assert 200 == status, data
    said = _said(data) if streams else json.loads(data)["choices"][0]["message"]["content"]
    assert upstream.answer.replace("<EMAIL_1>", "ann.lee@example.com") == said
    asked = json.dumps([each for each in upstream.requests if each["model"] == "guard"])
    assert (True, False) == ("<EMAIL_1>" in asked, "ann.lee" in asked)


@pytest.mark.parametrize("streams", [False, True])
def test_pseudonyms_in_what_a_guard_puts_there_are_put_back_too(
    gateway: RunningGateway, streams: bool
) -> None:
    _, _, data = gateway.ask(body={**_body("changed"), "stream": streams})
    said = _said(data) if streams else json.loads(data)["choices"][0]["message"]["content"]
    assert "Ask ann.lee@example.com!" == said


def test_an_approval_is_not_of_another_request_with_the_same_pseudonyms(
    upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("approved")
    guards = [
        {"id": "pii", "use": "pii", "action": "redact", "settings": {"reversible": True}},
        {
            "id": "pay",
            "use": "words",
            "action": "hold",
            "directions": ["input"],
            "settings": {"words": ["pay"]},
        },
    ]
    config = write_gateway(folder, upstream.base_url, policy={"guards": guards}, auth="keys")
    requester, approver = make_key(folder, "asker"), make_key(folder, "decider", "approver")
    with gateway_process(config) as running:
        office = Office(running, requester, approver)
        held = office.ask("pay ann.lee@example.com")[2]["verilabel"]["approval"]
        assert 200 == office.approve(held)[0]
        status, _, reply = office.ask("pay bob.smith@example.com")
        assert (403, "approval_pending") == (status, reply["error"]["code"])
        assert reply["verilabel"]["approval"] != held
        assert 200 == office.ask("pay ann.lee@example.com")[0]
