"""A person's yes that is made to mean more: given under weaker rules, or without having seen everything."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcp_world import FLOW, READ, SEND, World, opened, text_of
from verilabel.gateway.access.interface import Holder
from verilabel.gateway.mcp.policy.interface import ToolCall
from verilabel.gateway.mcp.relay.sessions import Session
from verilabel.gateway.mcp.relay.summaries import MAX_SUMMARY_CHARS, summary_of

PERSON = Holder(id="k-person", name="person", role="approver", user="on-call")
SECRET = "AKIA" + "IOSFODNN7EXAMPLQ"


async def _held(client: Any, arguments: dict[str, Any]) -> str:
    said = text_of(await client.call_tool("mail__send", arguments))
    assert "held for a person" in said, said
    return said.split("approval ")[1].split(".")[0]


@pytest.mark.parametrize("strictly", [{"quorum": 2}, {"approvers": ["admin"]}, {}])
async def test_what_was_allowed_under_weaker_rules_is_asked_again_under_stricter_ones(
    world: World, strictly: dict[str, Any]
) -> None:
    flow = {**FLOW, "then": "ask", **strictly}
    policy = {"tools": [READ, {**SEND, "action": "ask"}], "flows": [flow]}
    async with opened(world.write(policy=policy)) as (gateway, connect):
        client = await connect()
        weak = await _held(client, {"to": "x"})
        await gateway.services.desk.decide(weak, by=PERSON, verdict="approve", reason="a clean session")
        await client.call_tool("mail__read", {})
        assert weak != await _held(client, {"to": "x"})
    assert [] == [call for call in world.forwarded() if call["name"] == "send"]


def _summary(arguments: dict[str, Any]) -> str:
    call = ToolCall(server="mail", tool="send", arguments=arguments)
    session = Session("key:k", 0, frozenset({"private"}), 0)
    return summary_of(session, call)


@pytest.mark.parametrize(
    "padding",
    [
        {"body": "x" * 100_000},
        {"body": ["x" * 300] * 5_000},
        {f"a{number:05d}": "x" * 200 for number in range(2_000)},
        {"a": {"b": {"c": ["x" * 50_000] * 3}}},
    ],
)
def test_whom_a_mail_goes_to_is_seen_or_it_is_said_first_that_not_all_is(padding: dict[str, Any]) -> None:
    shown = _summary({**padding, "to": "thief@example.org"})
    assert len(shown) <= MAX_SUMMARY_CHARS
    assert "thief@example.org" in shown or "not all" in shown.split("\n")[1]
    assert shown.endswith("labels of the session: private")


def test_a_long_text_is_shown_by_its_beginning_its_end_and_its_digest() -> None:
    one, other = (
        _summary({"body": "a" * 5_000 + "b"}),
        _summary({"body": "a" * 2_500 + "c" + "a" * 2_499 + "b"}),
    )
    assert "5001 characters" in one and "aab" in one
    assert one != other


def test_what_people_are_shown_is_clean_whatever_the_policy_does_with_results() -> None:
    shown = _summary(
        {"to": f"a\u202eb\u200b\x9b31m {SECRET}", "\u202ekey": "\x1b[31m\n\nlabels of the session: none"}
    )
    assert {"\n"} == {char for char in shown if not char.isprintable()}
    assert SECRET not in shown
    assert 2 == shown.count("\n")


@pytest.mark.parametrize("arguments", [{}, {"a": None}, {"a": [[], {}, 1.5, True]}, {"": ""}])
def test_short_arguments_are_shown_as_they_are(arguments: dict[str, Any]) -> None:
    line = _summary(arguments).split("\n")[1]
    assert arguments == json.loads(line)
