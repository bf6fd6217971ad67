"""Too much of everything: tools, calls at once, half requests. Memory stays bounded and others are served."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

from mcp_world import World, opened, text_of, tool
from servers.mcp_gateway import RunningMcpGateway, make_key, running_mcp_gateway

HTTP = {"listen": {"transport": "http", "port": 0}}
EVERYTHING = {"tools": [{"match": "mail/*"}]}
MEBIBYTE = 2**20


def _peak_memory(gateway: RunningMcpGateway) -> int:
    """The most memory that a gateway's process has held, in bytes."""
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


async def test_ten_thousand_tools_are_shown_and_called_in_bounded_memory(world: World) -> None:
    path = world.write(policy=EVERYTHING, **HTTP)
    token = make_key(path, "agent")
    world.script("mail", tools=[tool(f"t{n:05}", description="d" * 200) for n in range(10_000)])
    with running_mcp_gateway(path) as gateway:
        async with gateway.client(token) as client:
            assert 10_000 == len((await client.list_tools()).tools)
            assert "done" == text_of(await client.call_tool("mail__t09999", {}))
        assert _peak_memory(gateway) < 300 * MEBIBYTE


async def test_one_tool_more_than_ten_thousand_closes_the_server_and_no_other(world: World) -> None:
    world.script("mail", tools=[tool(f"t{n:05}") for n in range(10_001)])
    world.script("files", tools=[tool("list")])
    path = world.write(policy={"tools": [{"match": "*/*"}]})
    async with opened(path) as (_, connect):
        client = await connect()
        assert ["files__list"] == [each.name for each in (await client.list_tools()).tools]
        assert (await client.call_tool("mail__t00000", {})).is_error
    assert [] == world.forwarded()


async def test_a_list_of_tools_without_an_end_closes_the_server(world: World) -> None:
    server = (world.folder / "server.py").read_text()
    endless = server.replace(
        '"ttlMs": 0, "cacheScope": "private"}', '"nextCursor": "on", "cacheScope": "private"}'
    )
    assert endless != server
    (world.folder / "server.py").write_text(endless)
    async with opened(world.write()) as (_, connect):
        client = await connect()
        assert [] == (await client.list_tools()).tools
    assert [] == world.forwarded()


async def test_calls_that_fan_out_are_all_answered_and_few_reach_the_server(world: World) -> None:
    world.script("mail", calls={"send": {"delay_s": 0.3, "returns": "sent"}})
    path = world.write(policy={"limits": {"parallel": 3}}, **HTTP)
    token = make_key(path, "agent")
    with running_mcp_gateway(path) as gateway:
        async with gateway.client(token) as client:
            calls = (client.call_tool("mail__send", {"to": str(n)}) for n in range(60))
            said = [text_of(result) for result in await asyncio.gather(*calls)]
            assert "sent" == text_of(await client.call_tool("mail__send", {"to": "later"}))
    refused = [text for text in said if "3 calls are at work already" in text]
    assert 60 == len(refused) + said.count("sent")
    assert said.count("sent") + 1 == len(world.forwarded())
    # 60 calls come within a few of the server's answers: no more than that many at once is let through in each
    assert 3 <= said.count("sent") <= 30


async def test_clients_that_stop_in_the_middle_of_a_request_keep_nobody_else_out(world: World) -> None:
    path = world.write(**HTTP)
    token = make_key(path, "agent")
    with running_mcp_gateway(path) as gateway, ExitStack() as stack:
        place = urlsplit(gateway.url)
        assert place.hostname is not None and place.port is not None
        address = (place.hostname, place.port)
        head = f"POST /mcp HTTP/1.1\r\nhost: {place.netloc}\r\nauthorization: Bearer {token}\r\n"
        whole_head = f"{head}content-type: application/json\r\ncontent-length: 100\r\n\r\n"
        half = [stack.enter_context(socket.create_connection(address, 30)) for _ in range(150)]
        for number, connection in enumerate(half):
            connection.sendall((head if number % 3 else f"{whole_head}{{").encode("ascii"))
        async with gateway.client(token) as client:
            for _ in range(3):
                assert "sent to x" == text_of(await client.call_tool("mail__send", {"to": "x"}))
        # a body that does not come is given up
        assert half[0].recv(65536).startswith(b"HTTP/1.1 408 ")
        with suppress(ConnectionError):
            half[0].sendall(b"}")
    assert 3 == len(world.forwarded())
