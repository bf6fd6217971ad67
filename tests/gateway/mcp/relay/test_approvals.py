"""A person's yes is for one call, once: forged, changed, replayed, late and somebody else's are worth nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from mcp_world import FLOW, World, opened, principal, text_of
from verilabel.gateway.access.interface import Holder
from verilabel.gateway.mcp.relay.serving import make_server

ASKED = {"tools": [{"match": "mail/send", "action": "ask", "ttl": "5m"}]}
IN_BAND = {"tools": [{"match": "mail/send", "action": "ask", "strict": False, "channel": "client"}]}
PERSON = Holder(id="k-person", name="person", role="approver", user="on-call")
ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])


async def _held(client: Any, arguments: dict[str, Any]) -> str:
    said = text_of(await client.call_tool("mail__send", arguments))
    assert "held for a person" in said, said
    return said.split("approval ")[1].split(".")[0]


def _sent(world: World) -> list[Any]:
    return [p["arguments"]["to"] for p in world.forwarded() if p["name"] == "send"]


@ERAS
async def test_an_approved_call_is_done_once_and_the_next_is_asked_again(world: World, mode: str) -> None:
    async with opened(world.write(policy=ASKED)) as (gateway, connect):
        client = await connect(mode=mode)
        approval = await _held(client, {"to": "x"})
        assert approval == await _held(client, {"to": "x"})
        await gateway.services.desk.decide(approval, by=PERSON, verdict="approve", reason="I asked")
        assert "sent to x" == text_of(await client.call_tool("mail__send", {"to": "x"}))
        assert approval != await _held(client, {"to": "x"})
    assert ["x"] == _sent(world)


async def test_any_changed_byte_is_another_question(world: World) -> None:
    async with opened(world.write(policy=ASKED)) as (gateway, connect):
        client = await connect()
        approval = await _held(client, {"to": "x", "n": 1})
        await gateway.services.desk.decide(approval, by=PERSON, verdict="approve", reason="I asked")
        for changed in (
            {"to": "x", "n": 2},
            {"to": "x "},
            {"to": "x", "n": 1, "m": None},
            {"to": "X", "n": 1},
        ):
            assert approval != await _held(client, changed)
    assert [] == _sent(world)


async def test_an_approval_is_for_who_asked_under_the_policy_it_was_asked_under(world: World) -> None:
    async with opened(world.write(policy=ASKED)) as (gateway, connect):
        approval = await _held(await connect("first"), {"to": "x"})
        await gateway.services.desk.decide(approval, by=PERSON, verdict="approve", reason="I asked")
        assert approval != await _held(await connect("second"), {"to": "x"})
    async with opened(world.write(policy={**ASKED, "version": "1.0.1"})) as (_, connect):
        assert approval != await _held(await connect("first"), {"to": "x"})
    assert [] == _sent(world)


async def test_two_retries_at_once_use_one_approval_once(world: World) -> None:
    async with opened(world.write(policy=ASKED)) as (gateway, connect):
        client = await connect()
        approval = await _held(client, {"to": "x"})
        await gateway.services.desk.decide(approval, by=PERSON, verdict="approve", reason="I asked")
        said = await asyncio.gather(*(client.call_tool("mail__send", {"to": "x"}) for _ in range(8)))
    assert ["x"] == _sent(world)
    assert 1 == sum(not result.is_error for result in said)


async def test_an_approval_that_expired_and_one_that_was_denied_are_no_approvals(world: World) -> None:
    short = {"tools": [{"match": "mail/send", "action": "ask", "ttl": "1s"}]}
    async with opened(world.write(policy=short)) as (gateway, connect):
        client = await connect()
        approval = await _held(client, {"to": "x"})
        await gateway.services.desk.decide(approval, by=PERSON, verdict="approve", reason="I asked")
        late = await gateway.services.queue.find(approval)
        while late is not None and late.state == "approved":
            await asyncio.sleep(0.05)
            late = await gateway.services.queue.find(approval)
        assert approval != await _held(client, {"to": "x"})
        denied = await _held(client, {"to": "y"})
        await gateway.services.desk.decide(denied, by=PERSON, verdict="deny", reason="no")
        assert denied != await _held(client, {"to": "y"})
    assert [] == _sent(world)


async def test_whoever_asked_cannot_approve(world: World) -> None:
    async with opened(world.write(policy=ASKED)) as (gateway, connect):
        approval = await _held(await connect("agent"), {"to": "x"})
        own = Holder(id="k-other", name="other", role="approver", user="agent")
        with pytest.raises(Exception, match="themselves"):
            await gateway.services.desk.decide(approval, by=own, verdict="approve", reason="me")


@ERAS
@pytest.mark.parametrize(
    ("action", "content", "is_sent"),
    [
        ("accept", {"approve": True}, True),
        ("accept", {"approve": False}, False),
        ("accept", {"approve": "true"}, False),
        ("decline", None, False),
        ("cancel", None, False),
    ],
)
async def test_the_clients_person_is_asked_in_band_where_the_policy_says_so(
    world: World, mode: str, action: Any, content: Any, is_sent: bool
) -> None:
    asked: list[str] = []

    async def answer(_: object, params: Any) -> types.ElicitResult:
        asked.append(params.message)
        return types.ElicitResult(action=action, content=content)

    async with opened(world.write(policy=IN_BAND)) as (gateway, connect):
        client = await connect(mode=mode, elicitation_callback=answer)
        result = await client.call_tool("mail__send", {"to": "x"})
        assert is_sent is not result.is_error
        votes = await gateway.services.queue.list_approvals()  # type: ignore[attr-defined]
        assert ["agent (asked in band)"] == [vote.by for vote in votes[0].votes]
    assert 1 == len(asked) and '"to":"x"' in asked[0]
    assert (["x"] if is_sent else []) == _sent(world)


@ERAS
async def test_a_client_that_cannot_ask_anybody_leaves_it_to_the_queue(world: World, mode: str) -> None:
    async with opened(world.write(policy=IN_BAND)) as (_, connect):
        assert (await _held(await connect(mode=mode), {"to": "x"})).startswith("ap_")


async def test_a_strict_rule_is_never_decided_by_the_clients_own_person(world: World) -> None:
    policy = {"flows": [{**FLOW, "channel": "queue"}], "tools": [{"match": "mail/send", "action": "ask"}]}

    async def accept(_: object, params: object) -> types.ElicitResult:
        raise AssertionError("nobody is asked in band")

    async with opened(world.write(policy=policy)) as (_, connect):
        await _held(await connect(elicitation_callback=accept), {"to": "x"})


class _Manual:
    """Speaks `tools/call` by hand, so that states can be forged."""

    def __init__(self, client: Any) -> None:
        self.session = client.session

    async def call(self, arguments: dict[str, Any], state: str | None = None, *, answer: bool = True) -> Any:
        response = types.ElicitResult(action="accept", content={"approve": True})
        return await self.session.call_tool(
            "mail__send",
            arguments,
            input_responses={"approval": response} if answer else None,
            request_state=state,
            allow_input_required=True,
        )


async def _accepting(_: object, params: object) -> types.ElicitResult:
    return types.ElicitResult(action="decline", content=None)


async def test_a_sealed_state_is_worth_nothing_when_forged_changed_or_used_for_another_call(
    world: World,
) -> None:
    async with opened(world.write(policy=IN_BAND)) as (gateway, connect):
        manual = _Manual(await connect(elicitation_callback=_accepting))
        unsolicited = await manual.call({"to": "x"})
        assert "input_required" == unsolicited.result_type
        state = unsolicited.request_state
        flipped = state[:-2] + ("A" if state[-2] != "A" else "B") + state[-1]
        for forged in ("ap_0", flipped, state[:20]):
            with pytest.raises(MCPError, match="requestState"):
                await manual.call({"to": "x"}, forged)
        with pytest.raises(MCPError, match="requestState"):
            await manual.call({"to": "y"}, state)
        other = _Manual(await connect("other", elicitation_callback=_accepting))
        with pytest.raises(MCPError, match="requestState"):
            await other.call({"to": "x"}, state)
        assert [] == _sent(world)
        assert not (await manual.call({"to": "x"}, state)).is_error
        again = await manual.call({"to": "x"}, state)
        assert "input_required" == again.result_type and again.request_state != state
    assert ["x"] == _sent(world)
    assert make_server(gateway.services, lambda _: principal()).name == "verilabel-mcp-gateway"


async def test_a_gateway_that_was_restarted_keeps_what_was_approved_and_used(world: World) -> None:
    path = world.write(policy=ASKED, listen={"transport": "http"})
    async with opened(path) as (gateway, connect):
        approval = await _held(await connect(), {"to": "x"})
        await gateway.services.desk.decide(approval, by=PERSON, verdict="approve", reason="I asked")
    async with opened(path) as (_, connect):
        assert "sent to x" == text_of(await (await connect()).call_tool("mail__send", {"to": "x"}))
    async with opened(path) as (_, connect):
        assert approval != await _held(await connect(), {"to": "x"})
