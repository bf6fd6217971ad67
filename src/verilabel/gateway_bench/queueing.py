"""Approvals queued by two workers while one of them is killed: is any that was acknowledged lost?"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

import msgspec

from verilabel.errors import ModelError, SandboxError
from verilabel.gateway_bench.bench import Bench
from verilabel.gateway_bench.contenders import make_key, our_gateway
from verilabel.gateway_bench.exchange import Exchanger, request_bytes
from verilabel.gateway_bench.load import COMPLETIONS, question_body, token_headers
from verilabel.gateway_bench.programs import Server
from verilabel.gateway_bench.scenario import Scenario
from verilabel.gateway_bench.tables import Section, Table

COUNT = 10_000
QUICK_COUNT = 200
CONNECTIONS = 16
TRIES = 8
METHOD = (
    "A policy holds every request for a person. {count:,} different requests go to a gateway with two workers "
    "over {connections} connections; when half of them are acknowledged, one worker is killed (SIGKILL). A "
    "request whose connection breaks is sent again, as a client would. Then the gateway is ended, and the store "
    "opened: *lost* are acknowledged approvals that are not in it as pending, *doubled* are requests that are in "
    "it twice."
)


class Queued(msgspec.Struct):
    """What clients were told: the approvals they were given ids of, and requests that had to be sent again."""

    ids: list[str]
    broken: int = 0
    refused: int = 0


async def queue_requests(
    server: Server, token: str, count: int, *, kill_at: int
) -> tuple[Queued, float, int | None]:
    """Send the requests and kill a worker in the middle; what was told, the seconds it took, and who was killed."""
    told = Queued(ids=[])
    numbers = iter(range(count))
    killed: int | None = None

    async def one() -> None:
        nonlocal killed
        exchanger = Exchanger(server.url, timeout_s=30.0)
        for number in numbers:
            request = request_bytes(
                server.url,
                COMPLETIONS,
                question_body(stream=False, question=f"Pay invoice {number}, please."),
                token_headers(token),
            )
            identifier = await _hold(exchanger, request, told)
            if identifier is not None:
                told.ids.append(identifier)
            if killed is None and len(told.ids) >= kill_at:
                killed = kill_worker(server)
        exchanger.close()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(one())
    return told, time.perf_counter() - began, killed


async def _hold(exchanger: Exchanger, request: bytes, told: Queued) -> str | None:
    """Send one request until it is acknowledged; the approval's id."""
    for turn in range(TRIES):
        try:
            reply = await exchanger.send(request)
        except ModelError:
            told.broken += 1
            await asyncio.sleep(0.05 * (turn + 1))
            continue
        identifier = approval_id(reply.body)
        if identifier is not None:
            return identifier
        told.refused += 1
    return None


def approval_id(body: bytes) -> str | None:
    """The approval that an answer names, or None where it names none."""
    at = body.find(b"ap_")
    if at < 0:
        return None
    end = at + 3
    while end < len(body) and body[end : end + 1].isalnum():
        end += 1
    return body[at:end].decode()


def kill_worker(server: Server) -> int | None:
    """Kill the worker that is the youngest process of the gateway; its number, or None where there is none."""
    workers = [pid for pid in server.pids() if pid != server.process.pid and _serves(pid)]
    if not workers:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.kill(workers[-1], signal.SIGKILL)
    return workers[-1]


def _serves(pid: int) -> bool:
    """True if a process is a worker, and not what keeps track of resources for them."""
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


async def kept_approvals(store: Path) -> tuple[set[str], int]:
    """The ids of the pending approvals of a store, and how many rows there are of an action that is there before."""
    from verilabel.gateway.approvals.queue import DatabaseQueue
    from verilabel.registry.database import open_database

    database = await open_database(store)
    try:
        queue = await DatabaseQueue.open(database)
        found: set[str] = set()
        subjects: set[str] = set()
        doubled, before = 0, ""
        while page := await queue.list_approvals(states=("pending",), limit=500, before=before):
            found.update(approval.id for approval in page)
            doubled += sum(approval.action.subject in subjects for approval in page)
            subjects.update(approval.action.subject for approval in page)
            before = page[-1].id
        await queue.close()
        return found, doubled
    finally:
        await database.close()


async def measure_queueing(bench: Bench) -> Section:
    """The table of queued approvals."""
    count = QUICK_COUNT if bench.options.quick else COUNT
    folder = bench.folder / "queueing"
    folder.mkdir(exist_ok=True)
    policy = {
        "policy": "people",
        "version": "1.0.0",
        "rules": [{"id": "all", "when": "true", "action": "hold"}],
        "approvals": {"expires_s": 86_400},
    }
    rows = []
    try:
        await bench.set_scenario(Scenario())
        token = await make_key(folder, bench.gateway_cpu)
        async with our_gateway(
            "verilabel, 2 workers",
            folder,
            cpu=bench.gateway_cpu,
            upstream=bench.mock.url,
            policy=policy,
            settings={"auth": "keys"},
            workers=2,
        ) as server:
            told, seconds, killed = await queue_requests(server, token, count, kill_at=count // 2)
        kept, doubled = await kept_approvals(folder / "gateway.db")
        if killed is None:
            bench.note("No worker was found to kill: the figures are of undisturbed workers.")
        rows.append(
            (
                "two workers, one killed" if killed is not None else "two workers",
                count,
                len(told.ids),
                len(set(told.ids) - kept),
                doubled,
                len(kept - set(told.ids)),
                told.broken,
                told.refused,
                len(told.ids) / seconds,
            )
        )
    except (SandboxError, ModelError) as error:
        bench.note(f"Queued approvals were not measured: {error.message}")
    headings = (
        "gateway",
        "requests",
        "acknowledged",
        "lost",
        "doubled",
        "kept unacknowledged",
        "sent again",
        "other answers",
        "queued/s",
    )
    return Section(
        name="approvals",
        title="Approvals across kill -9",
        method=METHOD.format(count=count, connections=CONNECTIONS),
        tables=(Table(title="Approvals", headings=headings, rows=tuple(rows)),),
        notes=bench.take_notes(),
    )
