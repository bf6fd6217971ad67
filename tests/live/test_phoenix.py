"""Spans of the MCP gateway in a real Phoenix: that they arrive, nest, and are taken for tools and guardrails.

Phoenix is large and wants versions of its own, so it is started from an environment of its own, when asked:

    python3 -m venv .venv-phoenix && .venv-phoenix/bin/pip install arize-phoenix
    VERILABEL_LIVE_PHOENIX=.venv-phoenix/bin/python .venv/bin/pytest tests/live/test_phoenix.py
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from live.serving import free_port, server
from mcp_world import FLOW, World, make_world
from servers.mcp_gateway import make_key, running_mcp_gateway

SECRET = "sesame-77"
LOOKS = 100
PACE_S = 0.2


@pytest.fixture(scope="module")
def phoenix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running Phoenix that sends nothing to its makers."""
    python = os.environ.get("VERILABEL_LIVE_PHOENIX")
    if not python:
        pytest.skip("VERILABEL_LIVE_PHOENIX does not name the Python of an environment with arize-phoenix")
    folder, port = tmp_path_factory.mktemp("phoenix"), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(free_port()),
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    url = f"http://127.0.0.1:{port}"
    command = [str(Path(python).absolute()), "-m", "phoenix.server.main", "serve"]
    with server(command, f"{url}/healthz", cwd=folder, environment=environment):
        yield url


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A scripted mail server; as root it runs as nobody."""
    if os.geteuid() == 0:
        monkeypatch.setenv("VERILABEL_SANDBOX_UID", "65534")
    folder = Path(tempfile.mkdtemp(prefix="verilabel-phoenix-"))
    folder.chmod(0o777)
    yield make_world(folder)
    shutil.rmtree(folder, ignore_errors=True)


def stored(phoenix: str) -> list[dict[str, Any]]:
    """The spans of the default project, as Phoenix's API has them."""
    try:
        with urllib.request.urlopen(f"{phoenix}/v1/projects/default/spans?limit=100", timeout=10) as answer:
            return list(json.load(answer)["data"])
    except urllib.error.HTTPError as error:
        with error:
            return []


async def test_calls_of_the_gateway_are_traces_in_phoenix(
    phoenix: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", phoenix)
    path = world.write(policy={"flows": [{**FLOW, "then": "deny"}]}, listen={"transport": "http", "port": 0})
    token = make_key(path, "agent")
    with running_mcp_gateway(path) as gateway:
        async with gateway.client(token) as client:
            await client.call_tool("mail__read", {"a": SECRET})
            await client.call_tool("mail__send", {"to": SECRET})
    spans: list[dict[str, Any]] = []
    for _ in range(LOOKS):
        spans = await asyncio.to_thread(stored, phoenix)
        if any(span["name"] == "tools/call mail__send" for span in spans):
            break
        await asyncio.sleep(PACE_S)
    by_id = {span["context"]["span_id"]: span for span in spans}
    below = {(by_id[s["parent_id"]]["name"], s["name"]) for s in spans if s["parent_id"] in by_id}
    assert {
        ("tools/call mail__read", "run_guardrail verilabel.policy"),
        ("tools/call mail__read", "execute_tool read"),
        ("execute_tool read", "MCP send tools/call read"),
        ("tools/call mail__send", "run_guardrail verilabel.policy"),
    } <= below
    assert ("tools/call mail__send", "execute_tool send") not in below
    (denied,) = (s for s in spans if s["name"] == "tools/call mail__send")
    assert ("ERROR", "refused") == (denied["status_code"], denied["attributes"]["verilabel.outcome"])
    trace = next(line["trace"] for line in world.trail() if line["tool"]["tool"] == "send")
    assert trace == denied["context"]["trace_id"]
    assert SECRET not in json.dumps(spans)
