"""A store that is lost in the middle: what cannot be kept is not done, and what was read stays unshown."""

from __future__ import annotations

import pytest

from mcp_world import FLOW, World, opened, text_of

HTTP = {"listen": {"transport": "http", "port": 0}}
POLICY = {"flows": [{**FLOW, "then": "ask"}]}
STORE = "verilabel-mcp.db"
LOST = "the gateway cannot go on (DatabaseLost)"
TAKING = """
def call(behaviour, arguments, as_scripted=call):
    if behaviour.get("takes"):
        Path(behaviour["takes"]).unlink()
    return as_scripted(behaviour, arguments)


if __name__ == "__main__":
"""


def _forwarded(world: World) -> list[str]:
    return [call["name"] for call in world.forwarded()]


@pytest.mark.parametrize("name", ["read", "send"])
async def test_without_the_store_no_call_is_let_through(world: World, name: str) -> None:
    async with opened(world.write(policy=POLICY, **HTTP)) as (_, connect):
        client = await connect()
        assert "sent to a" == text_of(await client.call_tool("mail__send", {"to": "a"}))
        (world.folder / STORE).unlink()
        refused = await client.call_tool(f"mail__{name}", {"to": "b"})
        assert (True, True) == (refused.is_error, LOST in text_of(refused))
    assert ["send"] == _forwarded(world)


async def test_a_result_whose_labels_cannot_be_kept_is_not_shown(world: World) -> None:
    # the server itself takes the gateway's store away while it is asked
    server = (world.folder / "server.py").read_text()
    (world.folder / "server.py").write_text(server.replace('\nif __name__ == "__main__":\n', TAKING))
    store = world.folder / STORE
    world.script(
        "mail", calls={"read": {"returns": "a letter", "takes": str(store)}, "send": {"returns": "sent"}}
    )
    async with opened(world.write(policy=POLICY, **HTTP)) as (_, connect):
        client = await connect()
        refused = await client.call_tool("mail__read", {})
        assert (True, True) == (refused.is_error, LOST in text_of(refused))
        assert "a letter" not in text_of(refused)
        assert (await client.call_tool("mail__send", {"to": "x"})).is_error
    assert not store.exists()
    assert ["read"] == _forwarded(world)


async def test_what_a_person_must_allow_is_not_done_where_nobody_can_be_asked(world: World) -> None:
    path = world.write(policy={"tools": [{"match": "mail/send", "action": "ask"}]}, **HTTP)
    async with opened(path) as (_, connect):
        client = await connect()
        assert "held for a person" in text_of(await client.call_tool("mail__send", {"to": "x"}))
        (world.folder / STORE).unlink()
        for to in ("x", "y"):
            refused = await client.call_tool("mail__send", {"to": to})
            assert (True, True) == (refused.is_error, LOST in text_of(refused))
    assert [] == world.forwarded()
