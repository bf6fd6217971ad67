"""Clients over HTTP that take more than their share, and people who name a session that is not there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_world import World
from servers.mcp_gateway import make_key, running_mcp_gateway
from verilabel.gateway.mcp.relay.sessions import Sessions
from verilabel.gateway.mcp.relay.shares import IDLE_S, MAX_OF_ONE, SessionShares
from verilabel.registry.database import open_database

OPENING = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "x", "version": "1"},
    },
}


def _write(world: World) -> Path:
    return world.write(listen={"transport": "http"})


def test_a_key_that_opens_sessions_without_end_leaves_room_for_others(world: World) -> None:
    config = _write(world)
    greedy, other = (f"Bearer {make_key(config, name)}" for name in ("greedy", "other"))
    body = json.dumps(OPENING).encode()
    with running_mcp_gateway(config) as gateway:
        answers = [gateway.post(body, authorization=greedy)[0] for _ in range(MAX_OF_ONE + 2)]
        assert [200] * MAX_OF_ONE + [503] * 2 == answers
        assert 200 == gateway.post(body, authorization=other)[0]


def test_sessions_that_ended_or_idled_make_room() -> None:
    now = [0.0]
    shares = SessionShares(clock=lambda: now[0])
    for number in range(MAX_OF_ONE):
        shares.note("k", f"s{number}")
    assert not shares.has_room("k") and shares.has_room("other")
    shares.forget("k", "s3")
    assert shares.has_room("k")
    shares.note("k", "s-new")
    assert not shares.has_room("k")
    now[0] = IDLE_S + 1
    assert shares.has_room("k")


def _end(config: Path, identity: str) -> Any:
    command = [sys.executable, "-m", "verilabel", "mcp", "gateway", "--policy", str(config)]
    return subprocess.run([*command, "--end-session", identity], capture_output=True, check=False)


@pytest.mark.parametrize("identity", ["key:slip", "\udcff", "x'; DROP TABLE mcp_sessions; --", "\x1b[31mred"])
def test_a_slip_in_the_name_of_a_session_is_said_and_ends_nothing(world: World, identity: str) -> None:
    ended = _end(_write(world), identity)
    assert 2 == ended.returncode
    assert b"no such session" in ended.stderr
    assert b"\x1b" not in ended.stderr and b"Traceback" not in ended.stderr


async def test_a_session_that_is_there_is_ended_from_the_shell(world: World) -> None:
    config = _write(world)
    database = await open_database(str(world.folder / "verilabel-mcp.db"))
    sessions = Sessions(database)
    await sessions.open()
    await sessions.add(await sessions.of("key:k_1"), {"private", "untrusted"})
    assert 0 == _end(config, "key:k_1").returncode
    assert frozenset() == (await sessions.of("key:k_1")).labels
    assert [("key:k_1", 1, frozenset())] == [row[:3] for row in await sessions.list()]
    await database.close()
