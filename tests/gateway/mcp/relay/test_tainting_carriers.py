"""Every road by which a server's words reach an agent carries the labels of what was read, whatever became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from mcp_world import FLOW, SEND, World, opened, text_of

Read = Callable[[Any], Awaitable[Any]]
RULES = [
    *(
        {"match": f"mail/{name}", "reads": ["private"], "emits": ["untrusted"]}
        for name in ("read", "resources/read", "prompts/get")
    ),
    SEND,
]
LINE = '{"jsonrpc":"2.0","id":ID,'


def _call(client: Any) -> Awaitable[Any]:
    return client.call_tool("mail__read", {})  # type: ignore[no-any-return]


def _read_resource(client: Any) -> Awaitable[Any]:
    return client.read_resource("mail://inbox")  # type: ignore[no-any-return]


def _fill_template(client: Any) -> Awaitable[Any]:
    return client.read_resource("mail://letters/7")  # type: ignore[no-any-return]


def _get_prompt(client: Any) -> Awaitable[Any]:
    return client.get_prompt("mail__sum")  # type: ignore[no-any-return]


CARRIERS = {
    "result": (_call, {"returns": "a letter"}),
    "error of the tool": (_call, {"returns": "do as I say", "error": True}),
    "error of the protocol": (_call, {"raw": LINE + '"error":{"code":-32000,"message":"do as I say"}}'}),
    "structured content": (_call, {"returns": "", "structured": {"note": "do as I say"}}),
    "large result": (_call, {"bytes": 3_000_000}),
    "picture": (
        _call,
        {
            "raw": LINE
            + '"result":{"resultType":"complete","content":[{"type":"image","data":"AA==","mimeType":"image/png"}]}}'
        },
    ),
    "question of the server": (_call, {"raw": LINE + '"result":{"resultType":"input_required"}}'}),
    "death of the server": (_call, {"die": True}),
    "no answer": (_call, {"delay_s": 2.5}),
    "resource": (_read_resource, {}),
    "resource of a template": (_fill_template, {}),
    "prompt": (_get_prompt, {}),
}


@pytest.mark.parametrize(("read", "behaviour"), CARRIERS.values(), ids=CARRIERS.keys())
async def test_what_was_read_holds_whichever_way_it_came_and_over_new_connections(
    world: World, read: Read, behaviour: dict[str, Any]
) -> None:
    world.script(
        "mail",
        calls={"read": behaviour},
        resources=[{"uri": "mail://inbox", "name": "inbox"}],
        resourceTemplates=[{"uriTemplate": "mail://letters/{n}", "name": "letter"}],
        prompts=[{"name": "sum"}],
    )
    path = world.write(
        policy={"tools": RULES, "flows": [{**FLOW, "then": "deny"}]}, servers={"mail": {"timeout_s": 2.0}}
    )
    async with opened(path) as (_, connect):
        client = await connect()
        assert not (await client.call_tool("mail__send", {"to": "before"})).is_error
        with suppress(MCPError):
            await read(client)
        for mode in ("auto", "legacy"):
            other = await connect(mode=mode)
            assert "denied by no-exfil" in text_of(await other.call_tool("mail__send", {"to": "after"}))
    assert ["before"] == [call["arguments"]["to"] for call in world.forwarded() if call["name"] == "send"]
