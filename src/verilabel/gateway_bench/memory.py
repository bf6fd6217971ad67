"""The memory table: resident memory over very many requests, each with another model name."""

from __future__ import annotations

from verilabel.errors import SandboxError
from verilabel.gateway_bench.bench import Bench
from verilabel.gateway_bench.contenders import chosen
from verilabel.gateway_bench.load import Work
from verilabel.gateway_bench.scenario import Scenario
from verilabel.gateway_bench.tables import Cell, Section, Table

REQUESTS = 200_000
QUICK_REQUESTS = 5_000
PARTS = 10
CONNECTIONS = 32
METHOD = (
    "{count:,} requests over {connections} connections, every one with a model name that was never asked before, "
    "in {parts} equal parts; resident memory of all of the gateway's processes before the first part and after "
    "each. *Growth* is from the end of the first part, when everything has been used once, to the end of the "
    "last; a gateway that keeps something of every request grows in every part."
)


async def measure_memory(bench: Bench) -> Section:
    """Resident memory of ours, part by part."""
    count = QUICK_REQUESTS if bench.options.quick else REQUESTS
    rows: list[tuple[Cell, ...]] = []
    await bench.set_scenario(Scenario())
    for contender in chosen("memory", bench.options.rivals):
        try:
            async with bench.running(contender) as running:
                weights = [running.server.rss_mb()]
                answered = 0
                for part in range(PARTS):
                    done = await bench.load(
                        Work(
                            kind="counted",
                            url=running.server.url,
                            token=running.token,
                            count=count // PARTS,
                            connections=CONNECTIONS,
                            random_names=True,
                            stream=part % 2 == 1,
                        )
                    )
                    answered += done.statuses.get(200, 0)
                    weights.append(running.server.rss_mb())
        except SandboxError as error:
            bench.skip(contender, error.message)
            continue
        if answered < count // PARTS * PARTS:
            bench.note(f"{contender.name} answered {answered:,} of {count:,} requests with 200.")
        per_request = 1e6 * (weights[-1] - weights[1]) / (count - count // PARTS)
        rows.append((contender.name, answered, *weights, weights[-1] - weights[1], per_request))
    headings = (
        "MB",
        "answered",
        "idle",
        *(f"{100 * (part + 1) // PARTS} %" for part in range(PARTS)),
        "growth",
        "bytes a request",
    )
    return Section(
        name="memory",
        title="How large",
        method=METHOD.format(count=count, connections=CONNECTIONS, parts=PARTS),
        tables=(Table(title="Resident memory", headings=headings, rows=tuple(rows)),),
        notes=(
            "Parts are whole replies and streams in turn.",
            *bench.take_notes(),
        ),
    )
