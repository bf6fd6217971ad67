"""OpenAI's SDK for JavaScript against the gateway, unchanged but for base URL and key."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.clients.wired import EMAIL, SECRET, Wired, route_of

FOLDER = Path(__file__).parent / "npm"
CALLS = [("lookup", '{"city": "Oslo"}'), ("lookup", '{"city": "Bergen"}')]
FAMILIES = ("gpt", "claude", "gemini")


@pytest.fixture(autouse=True)
def node() -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not on PATH")
    if not (FOLDER / "node_modules" / "openai").is_dir():
        pytest.skip("OpenAI's SDK is not installed: npm ci --prefix tests/gateway/clients/npm")


def _run(wired: Wired, scenario: str, model: str, *, key: str | None = None, **environment: str) -> Any:
    """What the program saw."""
    given = {"GATEWAY_URL": wired.gateway.base_url, "GATEWAY_KEY": key or wired.key, **environment}
    done = subprocess.run(
        ["node", str(FOLDER / "client.mjs"), scenario, model],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_chat_is_answered_whole_and_in_a_stream(wired: Wired, family: str) -> None:
    seen = _run(wired, "whole", route_of(family))
    assert ("The answer is 42.", 18) == (seen["text"], seen["tokens"])
    assert seen["policy"].startswith("sha256:")
    assert "The answer is 42." == _run(wired, "stream", route_of(family))["text"]


@pytest.mark.parametrize("family", FAMILIES)
def test_parallel_tools_are_called_whole_and_in_a_stream(wired: Wired, family: str) -> None:
    wired.upstream.reset(calls=CALLS, chunk=3)
    expected = [[name, json.loads(arguments)] for name, arguments in CALLS]
    seen = _run(wired, "tools", route_of(family))
    assert (expected, expected, "tool_calls") == (seen["whole"], seen["streamed"], seen["finish"])


def test_a_response_is_answered_whole_and_in_a_stream(wired: Wired) -> None:
    for family in ("o", "gpt"):
        assert {"The answer is 42."} == set(_run(wired, "responses", route_of(family)).values())


def test_embeddings_and_models_are_read(wired: Wired) -> None:
    assert [[0.5, -0.25], [0.5, -0.25]] == _run(wired, "embeddings", route_of("gpt"))["vectors"]
    assert {route_of("gpt"), route_of("claude")} <= set(_run(wired, "models", "-")["names"])


@pytest.mark.parametrize(
    ("key", "model", "error", "status", "code"),
    [
        ("vk_wrong", route_of("gpt"), "AuthenticationError", 401, "key_unknown"),
        (None, "nothing", "NotFoundError", 404, "model_not_found"),
        (None, "error-500:failing", "InternalServerError", 502, "upstream_error"),
        (None, "error-429:failing", "RateLimitError", 429, "upstream_rate_limit"),
    ],
)
def test_refusals_are_the_errors_of_the_sdk(
    wired: Wired, key: str | None, model: str, error: str, status: int, code: str
) -> None:
    seen = _run(wired, "whole", model, key=key)
    assert (error, status, code) == (seen["error"], seen["status"], seen["code"])


def test_a_stream_that_breaks_off_upstream_raises(wired: Wired) -> None:
    seen = _run(wired, "stream", "dies:failing")
    assert ("APIError", "upstream_connection") == (seen["error"], seen["code"])


def test_its_own_retries_wait_as_told_and_get_through(wired: Wired) -> None:
    assert ["The answer is 42."] * 3 == _run(wired, "retry", route_of("gpt", "limited"))["texts"]


def test_guards_hold_and_cut_streams(wired: Wired) -> None:
    model = route_of("gpt", "guarded")
    wired.upstream.reset(answer=f"Write to {EMAIL} now.", chunk=2)
    whole = _run(wired, "whole", model)["text"]
    assert (whole, False) == (_run(wired, "stream", model)["text"], "contact" in whole)
    wired.upstream.reset(answer=f"The key is {SECRET}.", chunk=5)
    seen = _run(wired, "stream", model)
    assert ("APIError", "guard_blocked", True) == (
        seen["error"],
        seen["code"],
        "no secrets here" in seen["message"],
    )


def test_a_held_request_passes_once_a_person_approved(wired: Wired) -> None:
    question = "do the wire transfer of sunday"
    held = _run(wired, "whole", route_of("gpt", "held"), QUESTION=question)
    assert ("PermissionDeniedError", "approval_pending") == (held["error"], held["code"])
    waiting = next(each for each in wired.pending() if question in each["summary"])
    wired.decide(waiting["id"], "approve")
    assert "The answer is 42." == _run(wired, "whole", route_of("gpt", "held"), QUESTION=question)["text"]
