"""What a real gateway process does: guards in streams, passages, shadow, pseudonyms, fallback, reload."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.upstream import Upstream, upstream_server

KEY = "ghp_" + "a1B2c3D4e5F6" * 3
POLICY: dict[str, Any] = {
    "guards": [
        {"id": "pii", "use": "pii", "settings": {"reversible": True}},
        {"id": "secrets", "use": "secrets", "action": "block", "message": "no secrets here"},
        {
            "id": "codename",
            "use": "words",
            "action": "replace",
            "replace_with": "our project",
            "settings": {"words": ["bluebird"]},
        },
        {
            "id": "watching",
            "use": "words",
            "action": "block",
            "mode": "shadow",
            "settings": {"words": ["competitor"]},
        },
        {
            "id": "topic",
            "use": "topics",
            "action": "block",
            "directions": ["output"],
            "window_chars": 40,
            "settings": {"forbidden": {"gambling": ["roulette", "blackjack"]}},
        },
    ],
    "rules": [
        {"id": "no-tools", "when": "size(request.tools) > 0 && request.model == 'plain'", "action": "block"}
    ],
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_server() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("gateway")
    models = [
        {
            "name": "backed-up",
            "to": [{"upstream": "main", "model": "error-500"}, {"upstream": "main", "model": "good"}],
        },
        {"name": "*", "to": [{"upstream": "main"}]},
    ]
    with gateway_process(write_gateway(folder, upstream.base_url, policy=POLICY, models=models)) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(upstream: Upstream) -> None:
    upstream.answer = "The answer is 42."
    upstream.reasoning = upstream.tool_arguments = ""
    upstream.chunk = 4
    upstream.fail_first = 0
    upstream.pause_s = 0.0


def _body(text: str = "hello", **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def _streamed(data: bytes) -> tuple[str, dict[str, Any] | None]:
    """The content of a chat stream, and its error if it has one."""
    text, error = "", None
    for line in data.decode().split("\n"):
        if line.startswith("data: {"):
            event = json.loads(line[6:])
            error = event.get("error", error)
            for choice in event.get("choices", []):
                text += choice["delta"].get("content") or ""
    return text, error


def test_a_reply_and_its_stream_are_redacted_alike(gateway: RunningGateway, upstream: Upstream) -> None:
    upstream.answer = "Ask bob.smith@example.com, or call the bluebird office about SSN 219-09-9999 today."
    status, _, data = gateway.ask(body=_body())
    whole = json.loads(data)["choices"][0]["message"]["content"]
    assert (200, False, False) == (status, "bob.smith" in whole, "219-09" in whole)
    assert "our project office" in whole
    for upstream.chunk in (1, 3, 7, 200):
        status, headers, data = gateway.ask(body=_body(stream=True))
        assert (200, (whole, None)) == (status, _streamed(data))
        assert headers["content-type"].startswith("text/event-stream")


def test_pseudonyms_go_to_the_provider_and_values_come_back(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    upstream.answer = "Sent to <EMAIL_1>, copied <EMAIL_2> and <EMAIL_3>."
    asked = "mail ann.lee@example.com and dan@example.org, again ann.lee@example.com"
    _, _, data = gateway.ask(body=_body(asked))
    assert upstream.last["messages"][0]["content"] == "mail <EMAIL_1> and <EMAIL_2>, again <EMAIL_1>"
    expected = "Sent to ann.lee@example.com, copied dan@example.org and <EMAIL_3>."
    assert expected == json.loads(data)["choices"][0]["message"]["content"]
    upstream.chunk = 2
    assert (expected, None) == _streamed(gateway.ask(body=_body(asked, stream=True))[2])


def test_a_secret_in_a_request_is_refused_and_never_reaches_the_provider(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    before = len(upstream.requests)
    status, _, data = gateway.ask(body=_body(f"my key is {KEY}"))
    error = json.loads(data)["error"]
    assert (403, "guard_blocked", "no secrets here") == (status, error["code"], error["message"])
    assert (before, False) == (len(upstream.requests), KEY.encode() in data)


def test_a_secret_in_a_stream_ends_it_before_the_first_of_its_characters(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    upstream.answer = f"The key is {KEY} as you know."
    for upstream.chunk in (1, 5):
        text, error = _streamed(gateway.ask(body=_body(stream=True))[2])
        assert ("guard_blocked", True) == (error and error["code"], "The key is ".startswith(text))
    record = [each for each in gateway.records() if each["event"] == "ended"][-1]
    assert ("cut", 200) == (record["outcome"], record["status"])


def test_a_guard_that_reads_passages_holds_its_window_back(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    upstream.answer = (
        "A quiet first sentence about the weather. " * 3 + "Then a tip for roulette follows here."
    )
    upstream.pause_s = 0.002
    text, error = _streamed(gateway.ask(body=_body(stream=True))[2])
    assert error is not None and error["code"] == "guard_blocked"
    assert text and upstream.answer.startswith(text) and "roulette" not in text
    status, _, _ = gateway.ask(body=_body())
    assert 403 == status


def test_a_guard_in_shadow_changes_nothing_and_is_recorded(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    upstream.answer = "Our competitor sells it."
    assert ("Our competitor sells it.", None) == _streamed(gateway.ask(body=_body(stream=True))[2])
    findings = gateway.records()[-1]["findings"]
    assert [("watching", "block", True)] == [
        (each["guard"], each["action"], each["shadow"]) for each in findings
    ]


def test_a_condition_decides_by_the_request(gateway: RunningGateway) -> None:
    tools = [
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    ]
    assert 403 == gateway.ask(body={**_body(tools=tools), "model": "plain"})[0]
    assert 200 == gateway.ask(body={**_body(tools=tools), "model": "other"})[0]
    assert 200 == gateway.ask(body={**_body(), "model": "plain"})[0]


def test_the_next_target_answers_where_the_first_fails(gateway: RunningGateway) -> None:
    status, _, _ = gateway.ask(body={**_body(), "model": "backed-up"})
    record = gateway.records()[-1]
    assert (200, "good", 1) == (status, record["model"], len(record["tries"]))


def test_no_text_of_a_request_or_reply_is_in_the_audit_trail(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    upstream.answer = "marker-of-an-answer bob.smith@example.com"
    gateway.ask(body=_body("marker-of-a-question ann.lee@example.com"))
    gateway.ask(body=_body("marker-of-a-question ann.lee@example.com", stream=True))
    kept = b"".join(file.read_bytes() for file in (gateway.folder / "audit").iterdir())
    for marker in (b"marker-of", b"ann.lee", b"bob.smith"):
        assert marker not in kept
    assert {"input.content", "output.content"} <= gateway.records()[-1]["scanned"].keys()


def test_a_changed_policy_takes_effect_and_a_broken_one_does_not(upstream: Upstream, tmp_path: Path) -> None:
    config = write_gateway(tmp_path, upstream.base_url)
    with gateway_process(config) as gateway:
        first = gateway.ask(body=_body())[1]["x-verilabel-policy"]
        policy = {
            "guards": [{"id": "all", "use": "words", "action": "block", "settings": {"words": ["hello"]}}]
        }
        write_gateway(tmp_path, upstream.base_url, policy=policy)
        assert _until(lambda: gateway.ask(body=_body())[0] == 403)
        (tmp_path / "policy.yaml").write_text("policy: [broken")
        assert _until(
            lambda: b'policy_reloads_total{result="failed"}' in gateway.ask("/metrics", method="GET")[2]
        )
        status, headers, _ = gateway.ask(body=_body())
        assert (403, True) == (status, headers["x-verilabel-policy"] != first)


def _until(holds: Any, timeout_s: float = 20.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.1)
    return False
