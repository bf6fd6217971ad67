"""A store that is lost in the middle: what cannot be kept is not done, and what was read stays unshown."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from mcp_world import FLOW, World, opened, text_of

HTTP = {"listen": {"transport": "http", "port": 0}}
POLICY = {"flows": [{**FLOW, "then": "ask"}]}


def _damage(world: World, table: str) -> None:
    with closing(sqlite3.connect(world.folder / "verilabel-mcp.db")) as connection:
        connection.execute(f"DROP TABLE {table}")
        connection.commit()


async def test_where_labels_cannot_be_kept_no_call_is_let_through(world: World) -> None:
    async with opened(world.write(policy=POLICY, **HTTP)) as (_, connect):
        client = await connect()
        assert "sent to a" == text_of(await client.call_tool("mail__send", {"to": "a"}))
        _damage(world, "mcp_sessions")
        for name in ("read", "send"):
            refused = await client.call_tool(f"mail__{name}", {"to": "b"})
            assert refused.is_error and "the gateway cannot go on" in text_of(refused)
    assert [("send", "a")] == [(call["name"], call["arguments"]["to"]) for call in world.forwarded()]


async def test_where_labels_are_lost_between_a_call_and_its_result_the_result_is_not_shown(world: World) -> None:
    # the server itself takes the gateway's store away while it is asked
    server = (world.folder / "server.py").read_text()
    taking = (
        "import sqlite3\n"
        f"        connection = sqlite3.connect({str(world.folder / 'verilabel-mcp.db')!r})\n"
        '        connection.execute("DROP TABLE mcp_sessions")\n'
        "        connection.commit()\n"
    )
    changed = server.replace(
        "    time.sleep(behaviour.get", f"    if behaviour.get('takes'):\n        {taking}    time.sleep(behaviour.get"
    )
    assert changed != server
    (world.folder / "server.py").write_text(changed.replace("from __future__ import annotations\n", ""))
    world.script("mail", calls={"read": {"returns": "a letter", "takes": True}, "send": {"returns": "sent"}})
    path = world.write(policy=POLICY, **HTTP)
    async with opened(path) as (_, connect):
        client = await connect()
        (world.folder / "verilabel-mcp.db").chmod(0o666)
        refused = await client.call_tool("mail__read", {})
        assert refused.is_error and "a letter" not in text_of(refused)
        assert "the gateway cannot go on" in text_of(refused)
        assert (await client.call_tool("mail__send", {"to": "x"})).is_error
    assert ["read"] == [call["name"] for call in world.forwarded()]


@pytest.mark.parametrize("table", ["approvals"])
async def test_where_questions_cannot_be_kept_what_needs_a_person_is_not_done(world: World, table: str) -> None:
    async with opened(world.write(policy=POLICY, **HTTP)) as (_, connect):
        client = await connect()
        assert not (await client.call_tool("mail__read", {})).is_error
        _damage(world, table)
        refused = await client.call_tool("mail__send", {"to": "x"})
        assert refused.is_error and "the gateway cannot go on" in text_of(refused)
    assert ["read"] == [call["name"] for call in world.forwarded()]
