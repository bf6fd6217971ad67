"""The load table: start, memory, latency, requests and streams a second, first text; ours beside bare and rivals."""

from __future__ import annotations

from statistics import median, quantiles

from verilabel.errors import ModelError, SandboxError
from verilabel.gateway_bench.bench import Bench
from verilabel.gateway_bench.busy import has_wrk, keep_busy
from verilabel.gateway_bench.contenders import Running, chosen
from verilabel.gateway_bench.exchange import Exchanger, request_bytes
from verilabel.gateway_bench.load import COMPLETIONS, Work, question_body, token_headers
from verilabel.gateway_bench.load_tables import Found, Round, load_table, ratio_tables
from verilabel.gateway_bench.received import received_texts
from verilabel.gateway_bench.scenario import PLAIN_TEXT, Scenario, whole_reply
from verilabel.gateway_bench.tables import Section
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


async def measure_round(bench: Bench, running: Running, number: int) -> Round:
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
        number=number,
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
                    found[contender.name].append(await measure_round(bench, running, number))
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
        tables=(load_table(measured, found), *ratio_tables(measured, found), *turns),
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
