"""How rows came to be decided, and what it would take where they are not: the rubric on other counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isinf
from typing import NamedTuple

import msgspec

from verilabel.records.label import Label, Row, Status
from verilabel.records.plan import Design
from verilabel.records.tally import Clusters, Tally
from verilabel.report.view import Outlook, Point
from verilabel.rubric.decide import decide
from verilabel.rubric.structure import Rubric

MAX_MORE = 1_000_000
_CLIP = 1e6


class RowPlace(NamedTuple):
    """Where a row stands in a label: the index of its level result, and its own index in it."""

    level: int
    row: int


class MeasureRule:
    """A rubric applied to one measure alone: its rows are decided as in the label, all others are left out."""

    def __init__(self, rubric: Rubric, measure: str, design: Design) -> None:
        self._rubric = rubric
        self._measure = measure
        self._design = design

    def decide(self, tally: Tally, place: RowPlace) -> Row:
        """The row that these counts give."""
        label = decide(self._rubric, {self._measure: tally}, design=self._design)
        return label.levels[place.level].rows[place.row]

    def trace(self, curve: Iterable[Tally]) -> list[Label]:
        """What the rubric says along a curve; `points_of` takes one row's points out of it."""
        return [decide(self._rubric, {self._measure: tally}, design=self._design) for tally in curve]

    def look_ahead(self, tally: Tally, place: RowPlace) -> Outlook | None:
        """How many more answers would decide the row, at best and at the rate so far.

        None where the row cannot be decided from these counts alone (its reference is not at hand).
        """
        now = self.decide(tally, place)
        if now.status != "undetermined":
            return None
        upwards = now.op in (">", ">=")

        def status_after(more: int, *, at_rate: bool) -> Status:
            grown = extend_tally(tally, more, favourable_event=upwards, at_rate=at_rate)
            return self.decide(grown, place).status

        room = MAX_MORE if tally.pool is None else tally.pool - tally.n
        best = _first(room, lambda more: status_after(more, at_rate=False) == "met")
        at_rate = _first(room, lambda more: status_after(more, at_rate=True) in ("met", "not_met"))
        status = None if at_rate is None else status_after(at_rate, at_rate=True)
        return Outlook(best, at_rate, status, max(0, tally.n_planned - tally.n))


def points_of(trace: Iterable[Label], place: RowPlace) -> tuple[Point, ...]:
    """One row's points of a trace, those without bounds left out."""
    rows = (label.levels[place.level].rows[place.row] for label in trace)
    return tuple(_point(row) for row in rows if row.lower is not None and row.upper is not None)


def extend_tally(tally: Tally, more: int, *, favourable_event: bool, at_rate: bool) -> Tally:
    """The counts after `more` further answers (whole families, where families are counted)."""
    if tally.clusters:
        return _extend_families(tally, more, favourable_event=favourable_event, at_rate=at_rate)
    n = tally.n + more
    if at_rate:
        events, missing = round(tally.events * n / tally.n), round(tally.missing * n / tally.n)
        events = min(events, n - missing)
    else:
        events, missing = tally.events + (more if favourable_event else 0), tally.missing
    return msgspec.structs.replace(
        tally, n=n, events=events, missing=missing, n_planned=max(n, tally.n_planned)
    )


def _extend_families(tally: Tally, more: int, *, favourable_event: bool, at_rate: bool) -> Tally:
    count = sum(cluster.count for cluster in tally.clusters)
    size = max(1, round(tally.n / count))
    families = -(-more // size)
    if at_rate:
        grown = [
            Clusters(c.events, c.missing, c.size, round(c.count * (count + families) / count))
            for c in tally.clusters
        ]
    else:
        grown = [*tally.clusters, Clusters(size if favourable_event else 0, 0, size, families)]
    n = sum(c.size * c.count for c in grown)
    return msgspec.structs.replace(
        tally,
        n=n,
        events=sum(c.events * c.count for c in grown),
        missing=sum(c.missing * c.count for c in grown),
        clusters=tuple(grown),
        n_planned=max(n, tally.n_planned),
    )


def _first(most: int, is_enough: Callable[[int], bool]) -> int | None:
    """The first number from 1 to `most` that is enough, by doubling and bisection; None where `most` is not."""
    low, high = 0, 1
    while high < most and not is_enough(high):
        low, high = high, high * 2
    high = min(high, most)
    if most < 1 or not is_enough(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _point(row: Row) -> Point:
    return Point(
        n=row.n,
        rate=float(row.rate or 0),
        lower=float(row.lower or 0),
        upper=float(row.upper or 1),
        log_e_met=_finite(row.log_e_met),
        log_e_not_met=_finite(row.log_e_not_met),
    )


def _finite(text: str | None) -> float | None:
    if text is None:
        return None
    value = float(text)
    return (_CLIP if value > 0 else -_CLIP) if isinf(value) else max(-_CLIP, min(_CLIP, value))
