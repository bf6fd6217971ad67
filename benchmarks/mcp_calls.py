"""A tool call through the MCP gateway, beside none and beside FastMCP's proxy, on stdio and over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.settings import REPOSITORY, CommandFailed, NotMeasured, Settings, program
from benchmarks.tables import Cell, Section, Table, spread_of

ROUNDS = 5
CALLS = 300
AT_ONCE = 100
FASTMCP = REPOSITORY / ".venv-fastmcp" / "bin" / "python"
PARTS = Path(__file__).with_name("mcp_parts")
METHOD = (
    f"One echo server, {CALLS} calls one after another and {AT_ONCE} at once, by the protocol library's own client in "
    "the newest protocol version; the same server behind each contender. Rounds go in turns, each with processes of "
    "its own, after 20 calls that are not counted. The gateway decides by a policy with 50 rules, filters results "
    "for secrets and injections and writes two lines of its trail a call; its server is a plain process here, as "
    "everybody's is. Values of a contender are medians over rounds of each round's median."
)


def measure(settings: Settings) -> Section:
    """Latency and throughput on both transports, and the decision alone."""
    try:
        import mcp  # noqa: F401
        import re2  # noqa: F401
    except ImportError as missing:
        raise NotMeasured(f"{missing.name} is missing: make bench installs the extra `agents`") from None
    rounds = settings.rounds_or(ROUNDS)
    calls = 40 if settings.quick else CALLS
    contenders = ["direct", "gateway"] + (["fastmcp"] if FASTMCP.exists() else [])
    tables = [
        _transport_table(settings, transport, contenders, rounds, calls) for transport in ("stdio", "http")
    ]
    tables.append(_decision_table(settings))
    notes = [
        "FastMCP's `create_proxy` opens a connection to the server for every request, which is its design; it has no "
        "policy, pins, filter or record.",
    ]
    if not FASTMCP.exists():
        notes.append("FastMCP was not installed (make bench-mcp).")
    return Section("MCP gateway", METHOD, tuple(tables), tuple(notes))


def _transport_table(
    settings: Settings, transport: str, contenders: Sequence[str], rounds: int, calls: int
) -> Table:
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in contenders:
            folder = settings.folder / f"mcp-{transport}-{name}-{number}"
            folder.mkdir()
            found[name].append(asyncio.run(_round(transport, name, folder, calls)))
    direct = statistics.median(p50 for p50, _, _ in found["direct"])
    rows: list[tuple[Cell, ...]] = []
    for name in contenders:
        p50, p99, rate = (spread_of([each[i] for each in found[name]]) for i in range(3))
        added = spread_of([each[0] - direct for each in found[name]])
        rows.append((name, p50, added, p99, rate))
    return Table(
        transport, ("through", "p50 ms", "added p50 ms", "p99 ms", f"calls/s, {AT_ONCE} at once"), tuple(rows)
    )


async def _round(transport: str, name: str, folder: Path, calls: int) -> tuple[float, float, float]:
    """Median and 99th percentile in milliseconds, and calls a second, of one round."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(_client(transport, name, folder))
        tools = [tool.name for tool in (await client.list_tools()).tools]
        tool = next(tool for tool in tools if tool.endswith("echo"))
        times = []
        for number in range(calls + 20):
            began = time.perf_counter()
            result = await client.call_tool(tool, {"text": f"hello {number}"})
            times.append((time.perf_counter() - began) * 1e3)
            if result.is_error:
                raise CommandFailed(f"{name} on {transport}: {result.content}")
        began = time.perf_counter()
        await asyncio.gather(*(client.call_tool(tool, {"text": str(i)}) for i in range(AT_ONCE)))
        rate = AT_ONCE / (time.perf_counter() - began)
    counted = sorted(times[20:])
    return counted[len(counted) // 2], counted[int(len(counted) * 0.99)], rate


@asynccontextmanager
async def _client(transport: str, name: str, folder: Path) -> AsyncIterator[Any]:
    """A client of one contender; everything that was started ends with the block."""
    from mcp import Client, StdioServerParameters
    from mcp.client.streamable_http import streamable_http_client

    echo = [_interpreter(), str(PARTS / "echo_server.py")]
    if transport == "stdio":
        command = {
            "direct": echo,
            "gateway": [
                program(),
                "mcp",
                "gateway",
                "--policy",
                str(_gateway_file(folder, {"command": echo})),
            ],
            "fastmcp": [str(FASTMCP), str(PARTS / "fastmcp_proxy.py"), *echo],
        }[name]
        extra = {} if name == "fastmcp" else _environment()
        parameters = StdioServerParameters(command=command[0], args=command[1:], env=extra)
        async with Client(parameters, cache=None) as client:
            yield client
        return
    async with AsyncExitStack() as stack:
        port = _free_port()
        await stack.enter_async_context(_running([*echo, str(port)], port, _environment()))
        url = f"http://127.0.0.1:{port}/mcp"
        if name != "direct":
            front = _free_port()
            command = {
                "gateway": [
                    *(program(), "mcp", "gateway", "--port", str(front)),
                    *("--policy", str(_gateway_file(folder, {"url": url}))),
                ],
                "fastmcp": [str(FASTMCP), str(PARTS / "fastmcp_proxy.py"), url, str(front)],
            }[name]
            # another project's environment has packages of its own
            extra = {} if name == "fastmcp" else _environment()
            await stack.enter_async_context(_running(command, front, extra))
            url = f"http://127.0.0.1:{front}/mcp"
        client = await stack.enter_async_context(Client(streamable_http_client(url), cache=None))
        yield client


def _gateway_file(folder: Path, server: dict[str, Any]) -> Path:
    path = folder / "mcp.yaml"
    entry = {**server, "sandbox": {"provider": "process", "min_containment": "C0"}}
    if "command" in server:
        entry["env"] = {"PYTHONPATH": _environment()["PYTHONPATH"]}
    document = {
        "verilabel": "mcp/v1",
        "policy": policy_document(),
        "servers": {"bench": entry},
        "listen": {"transport": "stdio" if "command" in server else "http", "auth": "none"},
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def policy_document() -> dict[str, Any]:
    """A policy of 50 rules, with one for the tool that is called."""
    others = [
        {"match": f"other{i}/tool_{i}*", "sink": "external", "args": {"to": {"type": "email"}}}
        for i in range(45)
    ]
    flows = [
        {"id": f"flow-{i}", "when": {"session_has": ["private", "untrusted"]}, "to": {"sink": sink}}
        for i, sink in enumerate(("external", "exec", "write", "money"))
    ]
    rule = {
        "match": "bench/echo",
        "reads": ["private"],
        "args": {"text": {"type": "string", "max_bytes": 1000}},
    }
    return {
        "verilabel": "mcp-policy/v1",
        "policy": "bench",
        "version": "1.0.0",
        "default": "deny",
        "tools": [rule, *others],
        "flows": flows,
        "limits": {"calls_per_session": 1_000_000, "parallel": 1_000},
    }


def _decision_table(settings: Settings) -> Table:
    from verilabel.gateway.mcp.policy.interface import SessionView, ToolCall
    from verilabel.gateway.mcp.policy.reading import load_tool_policy

    compiled = load_tool_policy(json.dumps(policy_document()).encode(), "bench").compile({})
    session = SessionView(labels=frozenset({"private", "untrusted"}))
    cases = {
        "a call that is let through": ToolCall(server="bench", tool="echo", arguments={"text": "hello"}),
        "a sink after an untrusted read": ToolCall(
            server="other7", tool="tool_7", arguments={"to": "someone@example.org"}
        ),
    }
    rows: list[tuple[Cell, ...]] = []
    for name, call in cases.items():
        times = []
        for _ in range(2_000 if settings.quick else 20_000):
            began = time.perf_counter_ns()
            compiled.decide(call, session)
            times.append((time.perf_counter_ns() - began) / 1e3)
        times.sort()
        rows.append((name, times[len(times) // 2], times[int(len(times) * 0.99)]))
    return Table("one decision, 50 rules", ("call", "p50 us", "p99 us"), tuple(rows))


def _interpreter() -> str:
    """The echo server's interpreter: one that every user may run, since servers of a gateway of root run as nobody."""
    system = Path("/usr/bin/python3")
    same = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return str(system) if os.geteuid() == 0 and system.resolve().name == same else sys.executable


def _environment() -> dict[str, str]:
    """What every process of the bench starts with beside the usual."""
    root = {"VERILABEL_SANDBOX_UID": "65534"} if os.geteuid() == 0 else {}
    return {**root, "PYTHONPATH": sysconfig.get_paths()["purelib"]}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def _running(command: list[str], port: int, extra: dict[str, str]) -> AsyncIterator[None]:
    process = subprocess.Popen(  # noqa: ASYNC220 - nothing else is at work yet
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, **extra}
    )
    try:
        for _ in range(600):
            if process.poll() is not None:
                said = process.stderr.read().decode("utf-8", "replace") if process.stderr else ""
                raise CommandFailed(f"{command[0]} ended: {said[-500:]}")
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except OSError:
                await asyncio.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(20)
        if process.stderr:
            process.stderr.close()
