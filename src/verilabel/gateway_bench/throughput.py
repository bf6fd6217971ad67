"""The load table: start, memory, latency, requests and streams a second, first text; ours beside bare and rivals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median, quantiles

import msgspec

from verilabel.errors import ModelError, SandboxError
from verilabel.gateway_bench.bench import Bench
from verilabel.gateway_bench.busy import Busy, has_wrk, keep_busy
from verilabel.gateway_bench.contenders import Contender, Running, chosen
from verilabel.gateway_bench.exchange import Exchanger, request_bytes
from verilabel.gateway_bench.load import COMPLETIONS, Work, question_body, token_headers
from verilabel.gateway_bench.received import received_texts
from verilabel.gateway_bench.scenario import PLAIN_TEXT, Scenario, whole_reply
from verilabel.gateway_bench.tables import Cell, Section, Spread, Table, ratio, spread_of
from verilabel.gateway_bench.taking_turns import measure_turns

CONNECTIONS = 32
PAUSE_MS = 5.0
METHOD = (
    "One upstream, one load program and one gateway at a time: the gateway on CPU {gateway}, upstream and load on "
    "CPU {load}; {rounds} rounds, in each of which every contender is started, measured and ended in turn; "
    "medians, with the least and the greatest. *Added* is one connection at {pace:g} requests a second, less "
    "`direct` in the same round. *Requests/s* and *streams/s* are {connections} connections that never pause "
    "({loader}): replies of {size} bytes, streams of 66 chunks of 4 characters; in *streams/s* each chunk is a "
    "write of its own, in *in one write* the upstream sends all at once. *First text* is the time to the first "
    "characters of a stream with {pause:g} ms between chunks. *CPU* is the gateway's processor time for each, in "
    "microseconds: what is left to compare where the load side is the limit, and it feels a busy machine less "
    "than time on the clock does. Below, ours and another take turns of a second each, both running all the time: "
    "the ratios of neighbouring turns are what a busy machine disturbs least."
)


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one contender showed in one round. Times in milliseconds unless the name says otherwise."""

    start_s: float | None
    start_cpu_s: float | None
    idle_mb: float | None
    after_mb: float | None
    p50: float
    p99: float
    first_text: float | None
    requests: Busy
    streams: Busy
    bursts: Busy


async def check_contender(bench: Bench, running: Running) -> None:
    """Check that a contender answers what the upstream says, whole and streamed: else its speed means nothing.

    Raises SandboxError.
    """
    exchanger = Exchanger(running.server.url)
    await bench.set_scenario(Scenario())
    try:
        for stream in (False, True):
            request = request_bytes(
                running.server.url, COMPLETIONS, question_body(stream=stream), token_headers(running.token)
            )
            reply = await exchanger.send(request)
            if reply.status != 200 or PLAIN_TEXT not in received_texts(reply.body):
                what = "stream" if stream else "reply"
                raise SandboxError(f"its {what} is not what the upstream said (status {reply.status})")
    except ModelError as error:
        raise SandboxError(error.message) from error
    finally:
        exchanger.close()


async def measure_round(bench: Bench, running: Running) -> Round:
    """One contender in one round."""
    server, quick = running.server, bench.options.quick
    seconds = 0.5 if quick else 3.0
    is_gateway = running.contender.kind != "direct"
    start_cpu_s = server.cpu_us() / 1e6
    idle = server.rss_mb() if is_gateway else None
    await check_contender(bench, running)
    url, token = server.url, running.token
    await bench.load(Work(kind="closed", url=url, token=token, connections=CONNECTIONS, seconds=0.5))
    paced = await bench.load(
        Work(kind="paced", url=url, token=token, count=40 if quick else 300, every_ms=10.0)
    )
    await bench.set_scenario(Scenario(pause_ms=PAUSE_MS, burst=False))
    streamed = await bench.load(
        Work(kind="paced", url=url, token=token, count=5 if quick else 15, every_ms=400.0, stream=True)
    )
    await bench.set_scenario(Scenario())
    requests = await keep_busy(bench, running, connections=CONNECTIONS, seconds=seconds, stream=False)
    bursts = await keep_busy(bench, running, connections=CONNECTIONS, seconds=seconds, stream=True)
    await bench.set_scenario(Scenario(burst=False))
    streams = await keep_busy(bench, running, connections=CONNECTIONS, seconds=seconds, stream=True)
    if len(paced.latencies_ms) < 2:
        raise SandboxError(f"it answers no paced requests (statuses {paced.statuses})")
    return Round(
        start_s=server.start_s if is_gateway else None,
        start_cpu_s=start_cpu_s if is_gateway else None,
        idle_mb=idle,
        after_mb=server.rss_mb() if is_gateway else None,
        p50=median(paced.latencies_ms),
        p99=quantiles(paced.latencies_ms, n=100)[98],
        first_text=median(streamed.first_text_ms) if streamed.first_text_ms else None,
        requests=requests,
        streams=streams,
        bursts=bursts,
    )


Found = dict[str, list[Round]]


async def measure_load(bench: Bench) -> Section:
    """The load table and the table of ratios."""
    contenders = [each for each in chosen("load", bench.options.rivals) if bench.can_start(each)]
    found: Found = {each.name: [] for each in contenders}
    rounds = 1 if bench.options.quick else bench.options.rounds
    for number in range(rounds):
        bench.say(f" round {number + 1} of {rounds}")
        for contender in contenders:
            try:
                async with bench.running(contender) as running:
                    found[contender.name].append(await measure_round(bench, running))
            except (SandboxError, ModelError) as error:
                bench.skip(contender, error.message)
    measured = [each for each in contenders if found[each.name]]
    turns = await measure_turns(bench)
    loader = "wrk" if has_wrk() else "a load program of ours on asyncio, as wrk is not installed"
    return Section(
        name="load",
        title="How fast",
        method=METHOD.format(
            gateway=bench.gateway_cpu,
            load=bench.load_cpu,
            rounds=rounds,
            pace=100.0,
            connections=CONNECTIONS,
            loader=loader,
            size=len(whole_reply(Scenario())),
            pause=PAUSE_MS,
        ),
        tables=(_load_table(measured, found), *_ratio_tables(measured, found), *turns),
        notes=(
            *(
                ("Gateway and load shared one CPU: this process may use only one.",)
                if bench.gateway_cpu == bench.load_cpu
                else ()
            ),
            "Upstream and load share a CPU: rows near `direct` are limited by it, and the CPU columns tell them apart.",
            *bench.take_notes(),
        ),
    )


_COLUMNS: tuple[tuple[str, Callable[[Round], float | None]], ...] = (
    ("start s", lambda one: one.start_s),
    ("start CPU s", lambda one: one.start_cpu_s),
    ("idle MB", lambda one: one.idle_mb),
    ("after MB", lambda one: one.after_mb),
    ("p50 ms", lambda one: one.p50),
    ("p99 ms", lambda one: one.p99),
    ("requests/s", lambda one: one.requests.per_second),
    ("CPU us/request", lambda one: one.requests.cpu_us),
    ("streams/s", lambda one: one.streams.per_second),
    ("CPU us/stream", lambda one: one.streams.cpu_us),
    ("in one write/s", lambda one: one.bursts.per_second),
    ("CPU us/stream in one write", lambda one: one.bursts.cpu_us),
    ("first text ms", lambda one: one.first_text),
)


def _spread(rounds: Sequence[Round], read: Callable[[Round], float | None]) -> Spread | None:
    return spread_of([read(one) for one in rounds])


def added(found: Found, name: str, read: Callable[[Round], float | None]) -> Spread | None:
    """A latency less `direct` of the same round."""
    pairs = zip(found[name], found.get("direct", []), strict=False)
    values = [(read(one), read(direct)) for one, direct in pairs]
    return spread_of([a - b for a, b in values if a is not None and b is not None])


def _load_table(measured: list[Contender], found: Found) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for each in measured:
        cells: list[Cell] = [_spread(found[each.name], read) for _, read in _COLUMNS]
        plus = [added(found, each.name, lambda one: one.p50), added(found, each.name, lambda one: one.p99)]
        rows.append((each.name, *cells[:4], *(plus if each.kind != "direct" else cells[4:6]), *cells[6:]))
    headings = [name for name, _ in _COLUMNS]
    headings[4:6] = ["added p50 ms", "added p99 ms"]
    return Table(
        title="One gateway under load (`direct` shows its latency itself)",
        headings=("gateway", *headings),
        rows=tuple(rows),
    )


def _ratio_tables(measured: list[Contender], found: Found) -> list[Table]:
    """Ours against bare and each rival, beside what is aimed at."""
    ours = "verilabel, 24 rules"
    if not found.get(ours):
        return []
    rows: list[tuple[Cell, ...]] = []
    for each in measured:
        if each.kind == "direct" or each.name == ours:
            continue
        theirs = found[each.name]
        rows.append(
            (
                each.name,
                *(
                    ratio(_spread(found[ours], read), _spread(theirs, read))
                    for read in (
                        lambda one: one.requests.per_second,
                        lambda one: one.streams.per_second,
                        lambda one: one.bursts.per_second,
                    )
                ),
                *(
                    ratio(_spread(theirs, read), _spread(found[ours], read))
                    for read in (
                        lambda one: one.requests.cpu_us,
                        lambda one: one.streams.cpu_us,
                        lambda one: one.bursts.cpu_us,
                    )
                ),
                ratio(added(found, ours, lambda one: one.p50), added(found, each.name, lambda one: one.p50)),
            )
        )
    headings = (
        f"{ours}, against",
        "requests/s x",
        "streams/s x",
        "in one write x",
        "requests by CPU x",
        "streams by CPU x",
        "in one write by CPU x",
        "added p50 x",
    )
    ratios = Table(
        title="Times as many requests and streams as another row (by CPU: for the same processor time)",
        headings=headings,
        rows=tuple(rows),
    )
    return [ratios, _goal_table(measured, found, ours)]


def _goal_table(measured: list[Contender], found: Found, ours: str) -> Table:
    """What is aimed at, and what was found."""
    mine, names = found[ours], {each.name for each in measured}
    bare, litellm, iorails = "bare: ASGI + aiohttp", "LiteLLM filter, mask", "NeMo IORails, default"

    def speed(read: Callable[[Round], float | None], name: str) -> float | None:
        return ratio(_spread(mine, read), _spread(found[name], read)) if name in names else None

    def thrift(read: Callable[[Round], float | None], name: str) -> float | None:
        return ratio(_spread(found[name], read), _spread(mine, read)) if name in names else None

    def less(read: Callable[[Round], float | None], name: str) -> float | None:
        first, second = _spread(mine, read), (_spread(found[name], read) if name in names else None)
        return None if first is None or second is None else first.median - second.median

    slower = (
        ratio(added(found, ours, lambda one: one.p50), added(found, bare, lambda one: one.p50))
        if bare in names
        else None
    )
    rows: tuple[tuple[Cell, ...], ...] = (
        ("requests/s against bare", ">= 0.6", speed(lambda one: one.requests.per_second, bare)),
        (
            "requests/s against LiteLLM with its filter",
            ">= 40",
            speed(lambda one: one.requests.per_second, litellm),
        ),
        (
            "requests/s against NeMo IORails with regex",
            ">= 8",
            speed(lambda one: one.requests.per_second, iorails),
        ),
        ("requests by CPU against bare", ">= 0.6", thrift(lambda one: one.requests.cpu_us, bare)),
        ("requests by CPU against NeMo IORails", ">= 8", thrift(lambda one: one.requests.cpu_us, iorails)),
        ("streams/s against bare", ">= 0.35", speed(lambda one: one.streams.per_second, bare)),
        ("streams by CPU against bare", ">= 0.35", thrift(lambda one: one.streams.cpu_us, bare)),
        ("streams in one write by CPU against bare", ">= 0.35", thrift(lambda one: one.bursts.cpu_us, bare)),
        ("streams/s in one write against bare", ">= 0.35", speed(lambda one: one.bursts.per_second, bare)),
        (
            "streams/s against LiteLLM with its filter",
            ">= 40",
            speed(lambda one: one.streams.per_second, litellm),
        ),
        ("added p50 against bare", "<= 1.5", slower),
        ("first text, ms more than bare", "<= 1", less(lambda one: one.first_text, bare)),
        ("start, s", "< 1", _spread(mine, lambda one: one.start_s)),
        ("resident after load, MB", "< 80", _spread(mine, lambda one: one.after_mb)),
    )
    return Table(title=f"Goals, and what was found for {ours}", headings=("what", "goal", "found"), rows=rows)
