"""Resources and prompts as a way around what holds for tools: rates, bounds, records, the end of a cancelled read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from mcp_world import World, opened

URI = "mail://inbox"
INBOX = {"uri": URI, "name": "inbox"}
READING = {"match": "mail/resources/read", "reads": ["private"], "emits": ["untrusted"]}


def _world(world: World, rule: dict[str, Any], **more: Any) -> Any:
    world.script("mail", resources=[INBOX], reads={URI: "a letter"}, slow=more.pop("slow", {}))
    limits = {"limits": more.pop("limits")} if "limits" in more else {}
    return world.write(policy={"tools": [rule], **limits}, **more)


async def test_a_rate_holds_for_resources_too(world: World) -> None:
    async with opened(_world(world, {**READING, "rate": {"per_session": "2/min"}})) as (_, connect):
        client = await connect()
        for _ in range(2):
            await client.read_resource(URI)
        with pytest.raises(MCPError, match="too often"):
            await client.read_resource(URI)


async def test_reads_count_for_what_a_session_may_do_at_once(world: World) -> None:
    path = _world(world, READING, limits={"parallel": 2}, slow={"resources/read": 0.3})
    async with opened(path) as (_, connect):
        client = await connect()
        together = await asyncio.gather(
            *(client.read_resource(URI) for _ in range(4)), return_exceptions=True
        )
        assert 2 == sum("at work already" in str(each) for each in together)


async def test_with_content_kept_a_read_can_be_followed_in_the_trail(world: World) -> None:
    async with opened(_world(world, READING, keep_content=True)) as (_, connect):
        client = await connect()
        await client.read_resource(URI)
    begun, ended = world.trail()
    assert "a letter" in ended["content"]["result"] and ended["reply"].startswith("hmac-sha256:")
    assert URI in begun["content"]["arguments"]


async def test_a_read_that_the_client_gives_up_has_an_end_and_labels(world: World) -> None:
    async with opened(_world(world, READING, slow={"resources/read": 0.5})) as (_, connect):
        client = await connect()
        reading = asyncio.create_task(client.read_resource(URI))
        log = world.folder / "mail.log"
        while not (log.exists() and '"resources/read"' in log.read_text()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await client.read_resource(URI)
    outcomes = [(r["event"], r["outcome"]) for r in world.trail()]
    assert ("ended", "abandoned") in outcomes
    last = [r for r in world.trail() if r["event"] == "begun"][-1]
    assert ["private", "untrusted"] == last["tool"]["labels"]


async def test_what_a_person_denied_is_refused_and_recorded_as_such(world: World) -> None:
    from verilabel.gateway.access.interface import Holder

    person = Holder(id="k-person", name="person", role="approver", user="on-call")
    async with opened(_world(world, {**READING, "action": "ask"})) as (gateway, connect):
        client = await connect()
        with pytest.raises(MCPError, match="held for a person"):
            await client.read_resource(URI)
        waiting = await gateway.services.queue.list_approvals(states=("pending",))  # type: ignore[attr-defined]
        await gateway.services.desk.decide(waiting[0].id, by=person, verdict="approve", reason="yes")
        assert "a letter" in str(await client.read_resource(URI))
    assert ["held", "allowed", "answered"] == [r["outcome"] for r in world.trail()]
