"""As many requests as replies allow: by wrk where it is installed, else by the bench's own load program."""

from __future__ import annotations

import shutil

import msgspec

from verilabel.errors import SandboxError
from verilabel.gateway_bench.bench import Bench
from verilabel.gateway_bench.contenders import Running
from verilabel.gateway_bench.load import COMPLETIONS, Work, question_body, token_headers
from verilabel.gateway_bench.programs import run_program

LONGER = (1, 8)
"""How many times as long a contender is given, one after the other, until each connection has had a reply."""


class Busy(msgspec.Struct, frozen=True, kw_only=True):
    """What a closed loop showed: replies a second, and the gateway's processor time for each, in microseconds."""

    per_second: float
    cpu_us: float | None


def has_wrk() -> bool:
    """True if wrk is installed."""
    return shutil.which("wrk") is not None


async def keep_busy(
    bench: Bench, running: Running, *, connections: int, seconds: float, stream: bool
) -> Busy:
    """Keep a contender busy, longer where few replies come.

    Raises SandboxError where replies are refused (what refuses quickly is not fast), or none comes.
    """
    for longer in LONGER:
        asked, used = await bench.count_asked(), running.server.cpu_us()
        replies, per_second = await _replies(bench, running, connections, longer * seconds, stream=stream)
        used = running.server.cpu_us() - used
        if replies >= connections:
            break
    if not replies:
        raise SandboxError("no reply came under load")
    if await bench.count_asked() - asked < replies:
        raise SandboxError("it answered without asking the upstream")
    direct = running.contender.kind == "direct"
    return Busy(per_second=per_second, cpu_us=None if direct else used / replies)


async def _replies(
    bench: Bench, running: Running, connections: int, seconds: float, *, stream: bool
) -> tuple[int, float]:
    """Replies, and replies a second. Raises SandboxError where any is refused."""
    if has_wrk():
        return await _by_wrk(bench, running, connections, seconds, stream=stream)
    work = Work(
        kind="closed",
        url=running.server.url,
        token=running.token,
        stream=stream,
        connections=connections,
        seconds=seconds,
    )
    done = await bench.load(work)
    if set(done.statuses) - {200} or done.broken:
        raise SandboxError(f"refuses under load: {done.statuses}, {done.broken} broken")
    return done.statuses.get(200, 0), done.per_second


async def _by_wrk(
    bench: Bench, running: Running, connections: int, seconds: float, *, stream: bool
) -> tuple[int, float]:
    """Replies, and replies a second, by wrk with one thread."""
    body = question_body(stream=stream).decode()
    headers = {"content-type": "application/json", **token_headers(running.token)}
    script = bench.folder / "wrk.lua"
    lines = ['wrk.method = "POST"', f"wrk.body = {_lua(body)}"]
    lines += [f"wrk.headers[ {_lua(name)} ] = {_lua(value)}" for name, value in headers.items()]
    script.write_text("\n".join(lines))
    program = shutil.which("wrk")
    assert program is not None, "asked for with `has_wrk`"
    # wrk takes whole seconds alone
    command = [program, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "60s"]
    command += ["-s", str(script), running.server.url + COMPLETIONS]
    return read_wrk(await run_program(command, folder=bench.folder, cpu=bench.load_cpu))


def _lua(text: str) -> str:
    """A text as a Lua string: long brackets of a level that the text does not close."""
    level = "="
    while f"]{level}]" in text:
        level += "="
    return f"[{level}[{text}]{level}]"


def read_wrk(printed: str) -> tuple[int, float]:
    """Requests, and requests a second, of what wrk printed. Raises SandboxError where replies were refused or broke."""
    requests, per_second = 0, 0.0
    for line in printed.splitlines():
        words = line.split()
        if line.strip().startswith(("Non-2xx", "Socket errors")):
            raise SandboxError(f"refuses under load: {line.strip()}")
        if words[1:3] == ["requests", "in"]:
            requests = int(words[0])
        if words[:1] == ["Requests/sec:"]:
            per_second = float(words[1])
    return requests, per_second
