"""The tables of the load part: what every gateway showed, ours against each other one, and the goals beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from verilabel.gateway_bench.busy import Busy
from verilabel.gateway_bench.contenders import BARE, OURS, Contender
from verilabel.gateway_bench.tables import Cell, Spread, Table, ratio, spread_of

LITELLM = "LiteLLM filter, mask"
IORAILS = "NeMo IORails, default"


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one contender showed in one round. Times in milliseconds unless the name says otherwise."""

    number: int
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


Found = dict[str, list[Round]]
"""The rounds of each contender, by its name; a round that failed is missing."""
Read = Callable[[Round], float | None]

_COLUMNS: tuple[tuple[str, Read], ...] = (
    ("start s", lambda one: one.start_s),
    ("start CPU s", lambda one: one.start_cpu_s),
    ("idle MB", lambda one: one.idle_mb),
    ("after MB", lambda one: one.after_mb),
)
_SPEEDS: tuple[tuple[str, Read], ...] = (
    ("requests/s", lambda one: one.requests.per_second),
    ("CPU us/request", lambda one: one.requests.cpu_us),
    ("streams/s", lambda one: one.streams.per_second),
    ("CPU us/stream", lambda one: one.streams.cpu_us),
    ("in one write/s", lambda one: one.bursts.per_second),
    ("CPU us/stream in one write", lambda one: one.bursts.cpu_us),
    ("first text ms", lambda one: one.first_text),
)


def _median_latency(one: Round) -> float:
    return one.p50


def _slow_latency(one: Round) -> float:
    return one.p99


def added(found: Found, name: str, read: Callable[[Round], float]) -> Spread | None:
    """A latency less that of `direct` in the same round."""
    direct = {one.number: read(one) for one in found.get("direct", [])}
    return spread_of([read(one) - direct[one.number] for one in found.get(name, []) if one.number in direct])


def load_table(measured: Sequence[Contender], found: Found) -> Table:
    """What every contender showed."""
    rows: list[tuple[Cell, ...]] = []
    for each in measured:
        rounds = found[each.name]
        latencies: list[Cell] = [
            spread_of([read(one) for one in rounds])
            if each.kind == "direct"
            else added(found, each.name, read)
            for read in (_median_latency, _slow_latency)
        ]
        rows.append(
            (
                each.name,
                *(spread_of([read(one) for one in rounds]) for _, read in _COLUMNS),
                *latencies,
                *(spread_of([read(one) for one in rounds]) for _, read in _SPEEDS),
            )
        )
    names = [name for name, _ in _COLUMNS], [name for name, _ in _SPEEDS]
    return Table(
        title="One gateway under load (`direct` shows its latency itself)",
        headings=("gateway", *names[0], "added p50 ms", "added p99 ms", *names[1]),
        rows=tuple(rows),
    )


class Against:
    """Ours against another contender, as ratios of medians; None where either was not measured."""

    def __init__(self, found: Found, other: str) -> None:
        self._found = found
        self._other = other

    def _medians(self, read: Read) -> tuple[Spread | None, Spread | None]:
        ours, theirs = (self._found.get(name, []) for name in (OURS.name, self._other))
        return spread_of([read(one) for one in ours]), spread_of([read(one) for one in theirs])

    def times(self, read: Read) -> float | None:
        """How many times theirs is ours: of speeds, more is better."""
        ours, theirs = self._medians(read)
        return ratio(ours, theirs)

    def thrift(self, read: Read) -> float | None:
        """How many times ours is theirs: of costs, more is better."""
        ours, theirs = self._medians(read)
        return ratio(theirs, ours)

    def more(self, read: Read) -> float | None:
        """How much more ours is."""
        ours, theirs = self._medians(read)
        return None if ours is None or theirs is None else ours.median - theirs.median

    def latency(self) -> float | None:
        """How many times their added latency is ours."""
        return ratio(
            added(self._found, OURS.name, _median_latency), added(self._found, self._other, _median_latency)
        )


def ratio_tables(measured: Sequence[Contender], found: Found) -> list[Table]:
    """Ours against each other contender, and the goals; empty where ours was not measured."""
    if not found.get(OURS.name):
        return []
    speeds = [read for name, read in _SPEEDS if name.endswith("/s")]
    costs = [read for name, read in _SPEEDS if name.startswith("CPU")]
    rows: list[tuple[Cell, ...]] = []
    for each in measured:
        if each.kind == "direct" or each.name == OURS.name:
            continue
        against = Against(found, each.name)
        rows.append(
            (
                each.name,
                *(against.times(read) for read in speeds),
                *(against.thrift(read) for read in costs),
                against.latency(),
            )
        )
    headings = (
        f"{OURS.name}, against",
        *("requests/s x", "streams/s x", "in one write x"),
        *("requests by CPU x", "streams by CPU x", "in one write by CPU x"),
        "added p50 x",
    )
    title = "Times as many requests and streams as another row (by CPU: for the same processor time)"
    return [Table(title=title, headings=headings, rows=tuple(rows)), goal_table(found)]


def goal_table(found: Found) -> Table:
    """What is aimed at, and what was found; a dash where a contender was not measured."""
    speeds = dict(_SPEEDS)
    requests, streams, bursts = speeds["requests/s"], speeds["streams/s"], speeds["in one write/s"]
    request_us, stream_us = speeds["CPU us/request"], speeds["CPU us/stream"]
    bare, litellm, iorails = (Against(found, name) for name in (BARE.name, LITELLM, IORAILS))
    mine = found[OURS.name]
    rows: tuple[tuple[Cell, ...], ...] = (
        ("requests/s against bare", ">= 0.6", bare.times(requests)),
        ("requests by CPU against bare", ">= 0.6", bare.thrift(request_us)),
        ("requests/s against LiteLLM with its filter", ">= 40", litellm.times(requests)),
        ("requests/s against NeMo IORails with regex", ">= 8", iorails.times(requests)),
        ("streams/s against bare", ">= 0.35", bare.times(streams)),
        ("streams by CPU against bare", ">= 0.35", bare.thrift(stream_us)),
        ("streams/s in one write against bare", ">= 0.35", bare.times(bursts)),
        ("streams/s against LiteLLM with its filter", ">= 40", litellm.times(streams)),
        ("added p50 against bare", "<= 1.5", bare.latency()),
        ("first text, ms more than bare", "<= 1", bare.more(speeds["first text ms"])),
        ("start, s", "< 1", spread_of([one.start_s for one in mine])),
        ("resident after load, MB", "< 80", spread_of([one.after_mb for one in mine])),
    )
    return Table(
        title=f"Goals, and what was found for {OURS.name}", headings=("what", "goal", "found"), rows=rows
    )
