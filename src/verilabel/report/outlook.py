"""How rows came to be decided, and what it would take where they are not: the rubric's own rule on other counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isinf

import msgspec

from verilabel.records.label import Row, Status
from verilabel.records.plan import Design
from verilabel.records.tally import Clusters, Tally
from verilabel.report.view import Outlook, Point
from verilabel.rubric.allocation import PlannedRow
from verilabel.rubric.leaf import RowContext, decide_row
from verilabel.rubric.structure import Criterion, Rubric, TimesReference

MAX_MORE = 1_000_000
_CLIP = 1e6


def rule_of_row(rubric: Rubric, planned: PlannedRow, design: Design) -> RowRule | None:
    """The row's rule; None for attested rows and for rows relative to a reference, whose counts are not at hand."""
    criterion = planned.criterion
    if criterion is None or isinstance(criterion.value, TimesReference):
        return None
    return RowRule(rubric, planned, criterion, design)


class RowRule:
    """One row's rule, ready to be applied to any counts of its measure."""

    def __init__(self, rubric: Rubric, planned: PlannedRow, criterion: Criterion, design: Design) -> None:
        self._rubric = rubric
        self._planned = planned
        self._criterion = criterion
        self._design = design

    def decide(self, tally: Tally) -> Row:
        """The row that these counts give."""
        measure = self._rubric.measures[self._criterion.measure]
        context = RowContext(measure, self._rubric.statistics, self._design, tally)
        return decide_row(self._planned, self._criterion, context)

    def points(self, curve: Iterable[Tally]) -> tuple[Point, ...]:
        """What the counts said along the way."""
        rows = (self.decide(tally) for tally in curve)
        return tuple(_point(row) for row in rows if row.lower is not None and row.upper is not None)

    def look_ahead(self, tally: Tally) -> Outlook:
        """How many more answers would decide the row, at best and at the rate so far."""
        room = MAX_MORE if tally.pool is None else tally.pool - tally.n
        best = _first(room, lambda more: self._extended(tally, more, at_rate=False).status == "met")
        at_rate = _first(
            room, lambda more: self._extended(tally, more, at_rate=True).status in ("met", "not_met")
        )
        status: Status | None = None
        if at_rate is not None:
            status = self._extended(tally, at_rate, at_rate=True).status
        return Outlook(best, at_rate, status, max(0, tally.n_planned - tally.n))

    def _extended(self, tally: Tally, more: int, *, at_rate: bool) -> Row:
        return self.decide(
            _extend(tally, more, favourable_event=self._criterion.op in (">", ">="), at_rate=at_rate)
        )


def _extend(tally: Tally, more: int, *, favourable_event: bool, at_rate: bool) -> Tally:
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
