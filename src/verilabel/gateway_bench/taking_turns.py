"""Ours and another gateway in turns of a second, both running: ratios that hold on a machine that others use, too."""

from __future__ import annotations

from verilabel.errors import ModelError, SandboxError
from verilabel.gateway_bench.bench import Bench
from verilabel.gateway_bench.busy import Busy, keep_busy
from verilabel.gateway_bench.contenders import BARE, CONTENDERS, OURS, Contender, Running
from verilabel.gateway_bench.scenario import Scenario
from verilabel.gateway_bench.tables import Cell, Spread, Table, spread_of

TURNS = 7
CONNECTIONS = 32
OTHERS = (BARE.name, "verilabel, no guards", "verilabel, 24 rules, keys, limits", "NeMo IORails, default")
KINDS = (
    ("requests", False, Scenario()),
    ("streams", True, Scenario(burst=False)),
    ("streams in one write", True, Scenario()),
)


async def measure_turns(bench: Bench) -> list[Table]:
    """The table of ratios; empty where nothing could be compared."""
    others = [each for each in CONTENDERS if each.name in OTHERS and _is_wanted(bench, each)]
    rows: list[tuple[Cell, ...]] = []
    for other in others:
        try:
            async with bench.running(OURS) as ours, bench.running(other) as theirs:
                for what, stream, scenario in KINDS:
                    await bench.set_scenario(scenario)
                    pairs = await _take_turns(bench, ours, theirs, stream=stream)
                    rows.append((f"{other.name}: {what}", *_ratios(pairs)))
        except (SandboxError, ModelError) as error:
            bench.note(f"{OURS.name} and {other.name} did not take turns: {error.message}")
    if not rows:
        return []
    headings = (f"{OURS.name}, against", "times as many", "times as many by CPU")
    return [Table(title="In turns of a second", headings=headings, rows=tuple(rows))]


def _is_wanted(bench: Bench, other: Contender) -> bool:
    return (other.group == "verilabel" or other.group in bench.options.rivals) and bench.can_start(other)


async def _take_turns(
    bench: Bench, ours: Running, theirs: Running, *, stream: bool
) -> list[tuple[Busy, Busy]]:
    """A turn each that does not count, then pairs of turns; who is first changes."""
    turns = 2 if bench.options.quick else TURNS
    pairs = []
    for number in range(turns + 1):
        order = (ours, theirs) if number % 2 else (theirs, ours)
        found = {
            each.contender.name: await keep_busy(
                bench, each, connections=CONNECTIONS, seconds=1.0, stream=stream
            )
            for each in order
        }
        pairs.append((found[ours.contender.name], found[theirs.contender.name]))
    return pairs[1:]


def _ratios(pairs: list[tuple[Busy, Busy]]) -> tuple[Spread | None, Spread | None]:
    """By replies a second and by processor time: how many times as many replies ours gives."""
    return (
        spread_of([ours.per_second / theirs.per_second for ours, theirs in pairs if theirs.per_second > 0]),
        spread_of([theirs.cpu_us / ours.cpu_us for ours, theirs in pairs if theirs.cpu_us and ours.cpu_us]),
    )
