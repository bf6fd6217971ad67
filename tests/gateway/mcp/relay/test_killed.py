"""A gateway that is killed: nothing was done that is not recorded, nothing recorded is lost, nothing lives on."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from contextlib import suppress

from mcp_world import FLOW, World, text_of
from servers.mcp_gateway import make_key, running_mcp_gateway
from verilabel.gateway.audit.verifying import verify_trail

HTTP = {"listen": {"transport": "http"}}


async def test_what_was_forwarded_is_recorded_and_servers_end_with_a_killed_gateway(world: World) -> None:
    path = world.write(policy={"flows": [{**FLOW, "then": "deny"}]}, **HTTP)
    token = make_key(path, "agent")
    answered = 0
    with running_mcp_gateway(path) as gateway:
        async with asyncio.timeout(60):
            with suppress(Exception, asyncio.CancelledError):
                async with gateway.client(token) as client:

                    async def keep_calling() -> None:
                        nonlocal answered
                        while True:
                            result = await client.call_tool("mail__send", {"to": "x"})
                            answered += text_of(result) == "sent to x"
                            if answered == 40:
                                gateway.process.send_signal(signal.SIGKILL)

                    await asyncio.gather(*(keep_calling() for _ in range(4)))
        assert -signal.SIGKILL == gateway.process.wait(10)
    begun = [r for r in world.trail() if r["event"] == "begun"]
    ended = [r for r in world.trail() if r["event"] == "ended" and r["outcome"] == "answered"]
    assert len(begun) >= len(world.forwarded()) >= len(ended) >= answered >= 40
    assert verify_trail(world.folder / "audit").problems == []
    for _ in range(100):
        if not _is_running(str(world.folder / "mail.json")):
            break
        await asyncio.sleep(0.05)
    assert not _is_running(str(world.folder / "mail.json"))


async def test_taint_and_approvals_outlive_a_killed_gateway(world: World) -> None:
    path = world.write(policy={"flows": [{**FLOW, "then": "ask"}]}, **HTTP)
    token = make_key(path, "agent")
    with running_mcp_gateway(path) as gateway:
        async with gateway.client(token) as client:
            await client.call_tool("mail__read", {})
            held = text_of(await client.call_tool("mail__send", {"to": "x"}))
            gateway.process.send_signal(signal.SIGKILL)
            gateway.process.wait(10)
    with running_mcp_gateway(path) as gateway:
        async with gateway.client(token) as client:
            assert held == text_of(await client.call_tool("mail__send", {"to": "x"}))
    assert [] == [p for p in world.forwarded() if p["name"] == "send"]
    assert json.dumps(["private", "untrusted"]) in json.dumps(world.trail()[-1]["tool"]["labels"])


def _is_running(argument: str) -> bool:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return any(argument in line for line in listed.splitlines())
