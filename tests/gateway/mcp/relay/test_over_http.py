"""The gateway as a process on HTTP: keys, hosts, bodies that parsers could read differently, two agents at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_world import FLOW, World, text_of
from servers.mcp_gateway import RunningMcpGateway, make_key, running_mcp_gateway

HTTP = {"listen": {"transport": "http", "port": 0}}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def _call(name: str = "mail__send", **arguments: object) -> dict[str, object]:
    params = {"name": name, "arguments": arguments, "_meta": META}
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}


def _post(
    gateway: RunningMcpGateway, body: bytes, token: str, name: str = "mail__send", method: str = "tools/call"
) -> tuple[int, bytes]:
    return gateway.post(
        body,
        authorization=f"Bearer {token}",
        mcp_protocol_version="2026-07-28",
        mcp_method=method,
        mcp_name=name,
    )


async def test_two_agents_over_http_have_sessions_of_their_own_in_both_eras(world: World) -> None:
    path = world.write(policy={"flows": [{**FLOW, "then": "deny"}]}, **HTTP)
    first, second = make_key(path, "first"), make_key(path, "second")
    with running_mcp_gateway(path) as gateway:
        async with gateway.client(first) as modern, gateway.client(first, mode="legacy") as legacy:
            assert ["mail__read", "mail__send"] == [t.name for t in (await legacy.list_tools()).tools]
            assert "sent to x" == text_of(await legacy.call_tool("mail__send", {"to": "x"}))
            await modern.call_tool("mail__read", {})
            assert "no-exfil" in text_of(await legacy.call_tool("mail__send", {"to": "y"}))
        async with gateway.client(second) as other:
            assert "sent to z" == text_of(await other.call_tool("mail__send", {"to": "z"}))
    assert ["x", "z"] == [p["arguments"]["to"] for p in world.forwarded() if p["name"] == "send"]
    assert {"first", "second"} == {record["user"] for record in world.trail()}


def test_bodies_that_two_parsers_may_read_differently_are_refused_before_anything_is_decided(
    world: World,
) -> None:
    path = world.write(**HTTP)
    token = make_key(path, "agent")
    good = json.dumps(_call(to="x"))
    bad = {
        "duplicate": good.replace('"to": "x"', '"to": "x", "to": "thief"'),
        "duplicate name": good.replace('"name": "mail__send"', '"name": "mail__send", "name": "mail__other"'),
        "nan": good.replace('"x"', "NaN"),
        "infinity": good.replace('"x"', "1e999"),
        "large number": good.replace('"x"', str(2**53 + 1)),
        "surrogate": good.replace('"x"', r'"\ud800"'),
        "deep": good.replace('"x"', "[" * 100 + "]" * 100),
        "very deep": good.replace('"x"', "[" * 100_000 + "]" * 100_000),
        "batch": f"[{good}]",
        "no json": good[:-1],
        "many values": good.replace('"x"', "[" + ",".join(["0"] * 300_000) + "]"),
    }
    with running_mcp_gateway(path) as gateway:
        for what, body in bad.items():
            status, answer = _post(gateway, body.encode(), token)
            assert (400, True) == (status, b"error" in answer), what
        assert _post(gateway, good.replace('"x"', '"' + "x" * 10 * 2**20 + '"').encode(), token)[0] in (
            0,
            413,
        )
        mismatch = _post(gateway, good.encode(), token, name="mail__read")
        assert 400 == mismatch[0]
        assert 400 == _post(gateway, good.encode(), token, method="tools/list")[0]
        assert [] == world.forwarded()
        status, answer = _post(gateway, good.encode(), token)
        assert (200, "sent to x") == (status, json.loads(answer)["result"]["content"][0]["text"])


def test_nobody_comes_in_without_a_key_in_force_or_under_another_host(world: World) -> None:
    path = world.write(**HTTP)
    token = make_key(path, "agent")
    body = json.dumps(_call(to="x")).encode()
    with running_mcp_gateway(path) as gateway:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {token}"}):
            assert 401 == gateway.post(body, **headers)[0]
        assert 421 == gateway.post(body, authorization=f"Bearer {token}", host="evil.example")[0]
        rebound = gateway.post(body, authorization=f"Bearer {token}", origin="https://evil.example")
        assert 403 == rebound[0]
    assert [] == world.forwarded()


@pytest.mark.parametrize("listen", [{"transport": "http", "host": "0.0.0.0", "auth": "none"}])
def test_without_keys_it_listens_on_this_machine_alone(world: World, listen: dict[str, str]) -> None:
    path = world.write(listen=listen)
    command = [sys.executable, "-m", "verilabel", "mcp", "gateway", "--policy", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (3, True) == (ended.returncode, "$.listen.auth" in ended.stderr)


async def test_what_is_held_is_decided_from_the_shell_and_the_agent_calls_again(world: World) -> None:
    path = world.write(policy={"tools": [{"match": "mail/send", "action": "ask"}]}, **HTTP)
    token = make_key(path, "agent")
    with running_mcp_gateway(path) as gateway:
        async with gateway.client(token) as client:
            held = text_of(await client.call_tool("mail__send", {"to": "x"}))
            approval = held.split("approval ")[1].split(".")[0]
            decided = _approve(path, approval)
            assert 0 == decided.returncode, decided.stderr
            assert "sent to x" == text_of(await client.call_tool("mail__send", {"to": "x"}))


def _approve(path: Path, approval: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "verilabel", "approvals", "approve", approval, "--config", str(path)]
    return subprocess.run(
        [*command, "--as", "on-call", "--reason", "I asked"], capture_output=True, text=True, check=False
    )
