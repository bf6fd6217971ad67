"""Limits that two workers share through a real Redis: how many requests get through, against how many may."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from verilabel.errors import ModelError, SandboxError
from verilabel.gateway_bench.bench import Bench
from verilabel.gateway_bench.contenders import make_key, our_gateway
from verilabel.gateway_bench.load import Done, Work
from verilabel.gateway_bench.programs import free_port, own_environment, pinned
from verilabel.gateway_bench.scenario import Scenario
from verilabel.gateway_bench.tables import Cell, Section, Table
from verilabel.sandbox.process import start_process

WORKERS = 2
CONNECTIONS = 32
RATE, BURST = 200, 50
"""Requests a second, and at once: well below what two workers can answer, on a busy machine too."""
METHOD = (
    "One gateway with {workers} workers that share a limit through a redis-server of their own; {connections} "
    "connections ask as fast as they are answered, far above the limit. *May* is what the limit gives out in the "
    "time from the first request to the last reply: the burst, and the rate times that time. Answers are 200 or "
    "429; *other* is anything else."
)


def redis_program() -> str | None:
    """redis-server or valkey-server, where one is installed."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


@contextlib.asynccontextmanager
async def redis_server(folder: Path, cpu: int) -> AsyncIterator[str]:
    """A redis-server of its own on a free port, and its URL. Raises SandboxError where it does not start."""
    program = redis_program()
    if program is None:
        raise SandboxError("neither redis-server nor valkey-server is installed")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    command += ["--save", "", "--appendonly", "no", "--daemonize", "no"]
    with pinned(cpu):
        process = await start_process(command, env=own_environment(folder))
    try:
        while (line := await process.read_line()) is not None:
            if b"Ready to accept connections" in line:
                break
        else:
            raise SandboxError("redis-server does not start", where=process.stderr_tail[-300:])
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        await process.stop()


async def _ask(bench: Bench, name: str, limit: dict[str, Any], redis: str, work: Work) -> tuple[Done, int]:
    """Ask a gateway with one limit; what came, and by how many workers."""
    folder = bench.folder / f"sharing-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    token = await make_key(folder, bench.gateway_cpu)
    policy = {"policy": "shared", "version": "1.0.0", "limits": [{"id": name, **limit}]}
    settings = {"auth": "keys", "limits_store": redis}
    async with our_gateway(
        "verilabel, 2 workers",
        folder,
        cpu=bench.gateway_cpu,
        upstream=bench.mock.url,
        policy=policy,
        settings=settings,
        workers=WORKERS,
    ) as server:
        done = await bench.load(
            Work(
                kind=work.kind,
                url=server.url,
                token=token,
                count=work.count,
                seconds=work.seconds,
                connections=CONNECTIONS,
                renew_after=20,
            )
        )
        return done, workers_that_answered(folder)


def workers_that_answered(folder: Path) -> int:
    """How many workers wrote that they ended a request into the audit trail, each into a file of its own."""
    found = 0
    for path in (folder / "audit").glob("*.jsonl"):
        with path.open("rb") as file:
            found += any(json.loads(line).get("event") == "ended" for line in file)
    return found


async def measure_sharing(bench: Bench) -> Section:
    """The table of shared limits."""
    seconds = 1.0 if bench.options.quick else 10.0
    fixed = 300 if bench.options.quick else 5_000
    plans = (
        (RATE, 1, BURST, Work(kind="closed", url="", seconds=seconds)),
        (fixed, 3600, fixed, Work(kind="counted", url="", count=3 * fixed)),
    )
    rows: list[tuple[Cell, ...]] = []
    try:
        await bench.set_scenario(Scenario())
        async with redis_server(bench.folder, bench.load_cpu) as redis:
            for amount, window_s, burst, work in plans:
                limit = {"requests": f"{amount}/{'s' if window_s == 1 else 'h'}", "burst": burst}
                shown = f"{limit['requests']}, at once {burst:,}"
                bench.say(f"  {shown}")
                done, workers = await _ask(bench, f"window-{window_s}", limit, redis, work)
                rows.append(_row(shown, done, workers, burst + amount / window_s * done.seconds))
                if set(done.statuses) - {200, 429}:
                    counts = ", ".join(
                        f"{status}: {count:,}" for status, count in sorted(done.statuses.items())
                    )
                    bench.note(f"{shown}: answers by status: {counts}.")
                if workers < WORKERS:
                    bench.note(
                        f"{shown}: {workers} of {WORKERS} workers got requests, so that nothing was shared."
                    )
    except (SandboxError, ModelError) as error:
        bench.note(f"Shared limits were not measured: {error.message}")
    headings = (
        "limit",
        "seconds",
        "workers that answered",
        "asked",
        "may",
        "got through",
        "difference %",
        "429",
        "other",
    )
    return Section(
        name="limits",
        title="Limits shared by two workers",
        method=METHOD.format(workers=WORKERS, connections=CONNECTIONS),
        tables=(Table(title="Requests that got through", headings=headings, rows=tuple(rows)),),
        notes=bench.take_notes(),
    )


def _row(shown: str, done: Done, workers: int, may: float) -> tuple[Cell, ...]:
    passed, refused = done.statuses.get(200, 0), done.statuses.get(429, 0)
    asked = sum(done.statuses.values())
    difference = 100 * (passed - may) / may
    return (
        shown,
        done.seconds,
        workers,
        asked,
        may,
        passed,
        difference,
        refused,
        asked - passed - refused + done.broken,
    )
