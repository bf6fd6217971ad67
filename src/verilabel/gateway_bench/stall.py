"""The stall table: how long a hostile text takes, and how long everybody else waits meanwhile."""

from __future__ import annotations

import time

import msgspec

from verilabel.errors import ModelError, SandboxError
from verilabel.gateway_bench.bench import Bench
from verilabel.gateway_bench.contenders import Running, chosen
from verilabel.gateway_bench.exchange import Exchanger, request_bytes
from verilabel.gateway_bench.hostile import SIZE, harmless, hostile_texts
from verilabel.gateway_bench.load import COMPLETIONS, question_body, token_headers
from verilabel.gateway_bench.probe import Probed
from verilabel.gateway_bench.programs import own_environment, own_module, pinned
from verilabel.gateway_bench.scenario import Scenario
from verilabel.gateway_bench.tables import Cell, Section, Spread, Table
from verilabel.sandbox.process import start_process

TIMEOUT_S = 60.0
GIVE_UP_S = 5.0
"""A contender that took longer for a text is not asked for it in further directions."""
TRIES = 4
AGAIN_MS = 3.0
DIRECTIONS = ("request", "reply", "stream")
METHOD = (
    "A text of {size:,} bytes comes in a request, in a whole reply and in a stream of 4 characters a chunk (the "
    "upstream sends it in one piece, as fast as it is read). Beside it another process asks the gateway's health "
    "path every millisecond; *wait* is the slowest answer, from when it was due. *Plain prose* is the same on "
    "{size:,} bytes of ordinary sentences: what a text costs for its size alone. The worst text of each direction "
    "stands in the table. What seemed slow was tried up to {tries} times, and the least counts: a busy machine "
    "only adds. *CPU* is the gateway's processor time for the request, the probe's questions included; it hardly "
    "feels a busy machine."
)


class Stalled(msgspec.Struct, frozen=True, kw_only=True):
    """One hostile request, in milliseconds: its time, the slowest health answer meanwhile, the processor time."""

    name: str
    direction: str
    request_ms: float
    wait_ms: float
    cpu_ms: float
    status: int


async def stall_once(bench: Bench, running: Running, name: str, text: str, direction: str) -> Stalled:
    """Send one text while the probe asks. A request without a reply has the status 0."""
    server = running.server
    question, stream = (text if direction == "request" else "Go on."), direction == "stream"
    await bench.set_scenario(
        Scenario(content="It is done." if direction == "request" else text, sizes=(4,), burst=True)
    )
    body = question_body(stream=stream, question=question)
    request = request_bytes(server.url, COMPLETIONS, body, token_headers(running.token))
    host, port = server.address
    with pinned(bench.load_cpu):
        probe = await start_process(
            own_module("probe", host, str(port), running.contender.health), env=own_environment(bench.folder)
        )
    exchanger = Exchanger(server.url, timeout_s=TIMEOUT_S)
    try:
        if await probe.read_line() != b"ready":
            raise SandboxError("the probe does not start", where=probe.stderr_tail[-300:])
        began, used = time.perf_counter(), server.cpu_us()
        try:
            status = (await exchanger.send(request)).status
        except ModelError:
            status = 0
        took, used = time.perf_counter() - began, server.cpu_us() - used
        await probe.write_line(b"")
        line = await probe.read_line()
        if line is None:
            raise SandboxError("the probe ended early", where=probe.stderr_tail[-300:])
        found = msgspec.json.decode(line, type=Probed)
    finally:
        exchanger.close()
        await probe.stop()
    return Stalled(
        name=name,
        direction=direction,
        request_ms=1000 * took,
        wait_ms=found.worst_ms,
        cpu_ms=used / 1000,
        status=status,
    )


async def stall_all(bench: Bench, running: Running) -> list[Stalled]:
    """Every text in every direction, after one unmeasured request; the harmless text is the first."""
    await stall_once(bench, running, "warm-up", "Hello.", "request")
    found = []
    texts = [("plain prose", harmless())]
    texts += [(each.name, each.text) for each in hostile_texts(quick=bench.options.quick)]
    for name, text in texts:
        for direction in DIRECTIONS:
            one = await _least_of_tries(bench, running, name, text, direction)
            found.append(one)
            if one.request_ms > 1000 * GIVE_UP_S:
                break
    return found


async def _least_of_tries(bench: Bench, running: Running, name: str, text: str, direction: str) -> Stalled:
    """A text that seems slow is tried again: what others do on this machine only ever adds to a wait."""
    tries = [await stall_once(bench, running, name, text, direction)]
    while len(tries) < TRIES and tries[-1].wait_ms > AGAIN_MS and tries[-1].request_ms < 1000 * GIVE_UP_S:
        tries.append(await stall_once(bench, running, name, text, direction))
    return msgspec.structs.replace(
        min(tries, key=lambda one: one.wait_ms),
        request_ms=min(one.request_ms for one in tries),
        cpu_ms=min(one.cpu_ms for one in tries),
    )


async def measure_stalls(bench: Bench) -> Section:
    """The stall table of every contender, and the texts of which ours is slowest."""
    rows: list[tuple[Cell, ...]] = []
    details: list[Table] = []
    for contender in chosen("stall", bench.options.rivals):
        if not bench.can_start(contender):
            continue
        try:
            async with bench.running(contender) as running:
                found = await stall_all(bench, running)
        except SandboxError as error:
            bench.skip(contender, error.message)
            continue
        rows += _rows(contender.name, found)
        if contender.group == "verilabel":
            details.append(_detail(contender.name, found))
    headings = (
        "64 KiB in",
        "plain: request ms",
        "plain: wait ms",
        "worst: request ms",
        "of the text",
        "worst: wait ms",
        "of the text",
        "worst: CPU ms",
        "median wait ms",
    )
    table = Table(
        title="How long others wait while a hostile text is looked at", headings=headings, rows=tuple(rows)
    )
    return Section(
        name="stall",
        title="What stalls",
        method=METHOD.format(size=SIZE, tries=TRIES),
        tables=(table, *details),
        notes=(
            "The texts: " + "; ".join(f"{each.name}: {each.aim}" for each in hostile_texts()) + ".",
            f"A text that took longer than {GIVE_UP_S:g} s is not tried in further directions by that contender.",
            *bench.take_notes(),
        ),
    )


def _rows(name: str, found: list[Stalled]) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for direction in DIRECTIONS:
        plain = next((one for one in found if one.direction == direction and one.name == "plain prose"), None)
        hostile = [one for one in found if one.direction == direction and one.name != "plain prose"]
        if plain is None or not hostile:
            rows.append((f"{name}: {direction}", *[None] * 8))
            continue
        slowest = max(hostile, key=lambda one: one.request_ms)
        waited = max(hostile, key=lambda one: one.wait_ms)
        rows.append(
            (
                f"{name}: {direction}",
                plain.request_ms,
                plain.wait_ms,
                slowest.request_ms,
                _named(slowest),
                waited.wait_ms,
                _named(waited),
                max(one.cpu_ms for one in hostile),
                Spread(tuple(one.wait_ms for one in hostile)).median,
            )
        )
    return rows


def _named(one: Stalled) -> str:
    said = "" if one.status == 200 else " (no reply)" if one.status == 0 else f" ({one.status})"
    return f"{one.name}{said}"


def _detail(name: str, found: list[Stalled]) -> Table:
    names = list(dict.fromkeys(one.name for one in found))
    by = {(one.name, one.direction): one for one in found}
    rows: list[tuple[Cell, ...]] = []
    for text in names:
        cells: list[Cell] = []
        for direction in DIRECTIONS:
            one = by.get((text, direction))
            cells += [None] * 3 if one is None else [one.request_ms, one.wait_ms, one.cpu_ms]
        rows.append((text, *cells))
    headings = tuple(
        f"{direction}: {what}" for direction in DIRECTIONS for what in ("ms", "wait ms", "CPU ms")
    )
    return Table(title=f"{name}, text by text", headings=("text", *headings), rows=tuple(rows))
