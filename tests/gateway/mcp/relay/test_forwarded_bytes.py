"""What was decided is what was forwarded, and nothing else is: any arguments, in any spelling, and any bytes at all."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_world import World
from servers.mcp_gateway import RunningMcpGateway, make_key, running_mcp_gateway
from verilabel.gateway.audit.verifying import verify_trail
from verilabel.gateway.mcp.strict_json import write_canonically
from verilabel.records.canonical import MAX_INTEGER

HTTP = {"listen": {"transport": "http", "port": 0}, "keep_content": True}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.integers(-MAX_INTEGER, MAX_INTEGER) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXTS, below, max_size=4),
    max_leaves=12,
)
SPELLINGS = st.fixed_dictionaries(
    {"ensure_ascii": st.booleans(), "indent": st.sampled_from([None, 0, 3]), "sort_keys": st.booleans()}
)
CHANGES = st.lists(
    st.tuples(
        st.floats(0, 1), st.integers(0, 30), st.binary(max_size=6) | st.sampled_from([b'"', b"{", b","])
    ),
    min_size=1,
    max_size=3,
)


def _message(arguments: dict[str, Any], **spelling: Any) -> bytes:
    params = {"name": "mail__send", "arguments": arguments, "_meta": META}
    message = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
    return json.dumps(message, **spelling).encode("utf-8")


def _post(gateway: RunningMcpGateway, body: bytes, token: str) -> int:
    headers = {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/call", "mcp_name": "mail__send"}
    return gateway.post(body, authorization=f"Bearer {token}", **headers)[0]


def _decided(world: World) -> list[tuple[str, bytes]]:
    # by lines as the trail has them: a text may hold other characters that end lines elsewhere
    lines = [
        json.loads(line)
        for path in sorted((world.folder / "audit").glob("*.jsonl"))
        for line in path.read_bytes().split(b"\n")
        if line
    ]
    begun = [record for record in lines if record.get("event") == "begun"]
    return [(record["route"], record["content"]["arguments"].encode("utf-8")) for record in begun]


def _forwarded(world: World) -> list[tuple[str, bytes]]:
    lines = (world.folder / "mail.log").read_bytes().split(b"\n")
    messages = [json.loads(line) for line in lines if line]
    calls = [message["params"] for message in messages if message["method"] == "tools/call"]
    return [(f"mail/{call['name']}", write_canonically(call["arguments"])) for call in calls]


def test_the_arguments_that_were_decided_are_the_arguments_that_were_forwarded(world: World) -> None:
    path = world.write(**HTTP)
    token = make_key(path, "agent")
    sent: list[tuple[str, bytes]] = []

    @settings(max_examples=40)
    @given(st.dictionaries(TEXTS, VALUES, max_size=5), SPELLINGS)
    def call_with(arguments: dict[str, Any], spelling: dict[str, Any]) -> None:
        assert 200 == _post(gateway, _message(arguments, **spelling), token)
        sent.append(("mail/send", write_canonically(arguments)))

    with running_mcp_gateway(path) as gateway:
        call_with()
    assert sent == _decided(world)
    assert sent == _forwarded(world)
    assert [] == verify_trail(world.folder / "audit").problems


def test_whatever_bytes_arrive_nothing_is_forwarded_that_was_not_decided(world: World) -> None:
    path = world.write(**HTTP)
    token = make_key(path, "agent")
    good = _message({"to": "friend@example.org", "n": [1, 2.5, {"a": None}]})
    answers: list[int] = []

    @settings(max_examples=80)
    @given(CHANGES)
    def post_changed(changes: list[tuple[float, int, bytes]]) -> None:
        body = good
        for place, length, put_in in changes:
            start = int(place * len(body))
            body = body[:start] + put_in + body[start + length :]
        answers.append(_post(gateway, body, token))

    with running_mcp_gateway(path) as gateway:
        post_changed()
        assert 200 == _post(gateway, good, token)
    # most of these bytes are no message any more, and those that still are were decided as the server read them
    assert answers.count(400) > len(answers) / 2
    # without its id it is a notification, which is taken and not answered
    assert set(answers) <= {200, 202, 400}
    assert len(_forwarded(world)) >= 1
    assert _decided(world) == _forwarded(world)
