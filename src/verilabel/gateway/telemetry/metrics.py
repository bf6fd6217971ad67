"""What a worker counts, in plain integers of its own; `exposition` makes Prometheus' text of it.

Labels are names of the configuration and words of this program, never a client's text. Whatever comes, a metric has at
most `MAX_SERIES` combinations of labels; further ones are counted under `other`. Counting is for one thread, the event
loop's. Another worker's numbers are at most `exposition.SHARE_EVERY_S` old.
"""

from __future__ import annotations

import os
import secrets
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable

import msgspec

from verilabel.gateway.telemetry.names import (
    BY_NAME,
    COST,
    DURATION,
    FAIL_OPEN,
    FINDINGS,
    FIRST_BYTE,
    GUARD_ERRORS,
    IN_FLIGHT,
    METRICS,
    OVERHEAD,
    REQUESTS,
    TOKENS,
    WORKERS,
    Metric,
)
from verilabel.gateway.verdicts import Finding

MAX_SERIES = 5000
OTHER = "other"
OUTCOMES = frozenset({"answered", "refused", "held", "failed", "cut", "abandoned"})
Labels = tuple[str, ...]


class Snapshot(msgspec.Struct, frozen=True):
    """The numbers of one worker at one moment: counters and gauges by metric and labels; histograms as bucket counts
    with the sum behind them. `is_closed` says that the worker has ended: then its gauges mean nothing."""

    at_s: float
    values: dict[str, list[tuple[Labels, float]]]
    histograms: dict[str, list[tuple[Labels, list[float]]]]
    is_closed: bool = False


class Histogram:
    """Counts of durations up to each bound, of those beyond, and their sum in seconds."""

    __slots__ = ("_bounds", "cells")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.cells: list[float] = [0] * (len(bounds) + 2)

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        cells = self.cells
        cells[bisect_left(self._bounds, seconds)] += 1
        cells[-1] += seconds


class RequestMeter:
    """The metrics of requests to one route in one dialect, bound once."""

    __slots__ = ("_first_byte", "_flight", "_outcomes", "_overhead", "_route", "_total", "_totals")

    def __init__(self, metrics: Metrics, route: str, dialect: str) -> None:
        self._outcomes: dict[tuple[str, int], int] = metrics.outcomes_of(route, dialect)
        self._total = metrics.histogram(DURATION, (route, dialect))
        self._first_byte = metrics.histogram(FIRST_BYTE, (route, dialect))
        self._overhead = metrics.histogram(OVERHEAD, (route, dialect))
        self._totals = metrics.totals_of(route)
        self._flight = metrics.flight

    def begun(self) -> None:
        """A request has begun."""
        self._flight[0] += 1

    def ended(
        self,
        outcome: str,
        status: int,
        *,
        total_s: float,
        overhead_s: float | None = None,
        first_byte_s: float | None = None,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cost_microusd: int = 0,
    ) -> None:
        """A request has ended. Times in seconds, None where there was no such moment."""
        self._flight[0] -= 1
        key = outcome, status
        outcomes = self._outcomes
        if key in outcomes:
            outcomes[key] += 1
        else:
            self._add_outcome(key)
        self._total.observe(total_s)
        if first_byte_s is not None:
            self._first_byte.observe(first_byte_s)
        if overhead_s is not None:
            self._overhead.observe(overhead_s)
        totals = self._totals
        totals[0] += input_tokens
        totals[1] += output_tokens
        totals[2] += cost_microusd

    def _add_outcome(self, key: tuple[str, int]) -> None:
        outcome, status = key
        known = outcome if outcome in OUTCOMES else OTHER, status if 100 <= status <= 599 else 0
        self._outcomes[known] = self._outcomes.get(known, 0) + 1


class Metrics:
    """All metrics of one worker. `routes` are the configured names; requests to others are counted as `other`."""

    def __init__(self, routes: Iterable[str], *, clock: Callable[[], float] = time.time) -> None:
        self._routes = frozenset(routes)
        self._clock = clock
        self._meters: dict[tuple[str, str], RequestMeter] = {}
        self._outcomes: dict[tuple[str, str], dict[tuple[str, int], int]] = {}
        self._totals: dict[str, list[int]] = {}
        self._values: dict[str, dict[Labels, float]] = {
            metric.name: {} for metric in METRICS if metric.kind != "histogram"
        }
        self._histograms: dict[str, dict[Labels, Histogram]] = {
            metric.name: {} for metric in METRICS if metric.kind == "histogram"
        }
        self.flight = [0]
        self.refresh: list[Callable[[], None]] = []
        """Called before numbers are given out, to set gauges."""
        self.id = f"{os.getpid()}-{secrets.token_hex(4)}"
        for metric in METRICS:
            if metric.kind == "counter" and not metric.labels:
                self._values[metric.name][()] = 0

    # -- the hot path ----------------------------------------------------------------------------------------

    def meter(self, route: str, dialect: str) -> RequestMeter:
        """The meter of a route and dialect."""
        found = self._meters.get((route, dialect))
        return self._bind_meter(route, dialect) if found is None else found

    def _bind_meter(self, route: str, dialect: str) -> RequestMeter:
        known = route if route in self._routes else OTHER
        meter = RequestMeter(self, known, dialect)
        if known == route and len(self._meters) < MAX_SERIES:
            self._meters[route, dialect] = meter
        return meter

    def note_findings(self, findings: Iterable[Finding]) -> None:
        """Count what guards found in a request, and where they could not look."""
        for found in findings:
            if found.error:
                decided = "allow" if found.action == "allow" else "block"
                self.add(GUARD_ERRORS, (found.guard, decided))
                if decided == "allow":
                    self.add(FAIL_OPEN, (f"guard:{found.guard}",))
            else:
                mode = "shadow" if found.shadow else "enforce"
                self.add(FINDINGS, (found.guard, found.rule, found.action, mode), found.count)

    def add(self, metric: Metric, labels: Labels = (), number: float = 1) -> None:
        """Add to a counter."""
        values = self._values[metric.name]
        if labels in values:
            values[labels] += number
        else:
            self._first(values, metric, labels, number)

    def set(self, metric: Metric, value: float, labels: Labels = ()) -> None:
        """Set a gauge."""
        values = self._values[metric.name]
        if labels in values:
            values[labels] = value
        else:
            self._first(values, metric, labels, value)

    def _first(self, values: dict[Labels, float], metric: Metric, labels: Labels, number: float) -> None:
        if len(labels) != len(metric.labels):
            raise ValueError(f"{metric.name} has the labels {metric.labels}")
        if len(values) >= MAX_SERIES:
            labels = (OTHER,) * len(labels)
        values[labels] = number if metric.kind == "gauge" else values.get(labels, 0) + number

    # -- what meters are bound to ----------------------------------------------------------------------------

    def histogram(self, metric: Metric, labels: Labels) -> Histogram:
        """The histogram of these labels."""
        return self._histograms[metric.name].setdefault(labels, Histogram(metric.buckets))

    def outcomes_of(self, route: str, dialect: str) -> dict[tuple[str, int], int]:
        """Requests of a route and dialect by outcome and status."""
        return self._outcomes.setdefault((route, dialect), {})

    def totals_of(self, route: str) -> list[int]:
        """Input tokens, output tokens and microdollars of a route."""
        return self._totals.setdefault(route, [0, 0, 0])

    # -- giving out ------------------------------------------------------------------------------------------

    def snapshot(self, *, is_closed: bool = False) -> Snapshot:
        """All numbers as they are now."""
        for refresh in self.refresh:
            refresh()
        values = {name: list(cells.items()) for name, cells in self._values.items()}
        values[REQUESTS.name] = [
            ((route, dialect, outcome, str(status)), float(count))
            for (route, dialect), outcomes in self._outcomes.items()
            for (outcome, status), count in outcomes.items()
        ]
        values[TOKENS.name] = [
            ((route, direction), float(totals[place]))
            for route, totals in self._totals.items()
            for place, direction in enumerate(("input", "output"))
        ]
        values[COST.name] = [((route,), totals[2] / 1e6) for route, totals in self._totals.items()]
        values[IN_FLIGHT.name] = [((), float(self.flight[0]))]
        values[WORKERS.name] = [((), 1.0)]
        histograms = {
            name: [(labels, list(histogram.cells)) for labels, histogram in cells.items()]
            for name, cells in self._histograms.items()
        }
        return Snapshot(self._clock(), values, histograms, is_closed)


def merge_snapshots(snapshots: Iterable[Snapshot], *, now_s: float, gauges_after_s: float) -> Snapshot:
    """The numbers of several workers as one. Gauges of a worker that ended, or was silent for so long, are left out."""
    values: dict[str, dict[Labels, float]] = {}
    histograms: dict[str, dict[Labels, list[float]]] = {}
    for snapshot in snapshots:
        is_alive = not snapshot.is_closed and now_s - snapshot.at_s <= gauges_after_s
        for name, cells in snapshot.values.items():
            metric = BY_NAME.get(name)
            if metric is not None and (metric.kind == "counter" or is_alive):
                _merge_values(values.setdefault(name, {}), cells, metric)
        for name, rows in snapshot.histograms.items():
            merged = histograms.setdefault(name, {})
            for labels, counts in rows:
                known = merged.get(labels)
                merged[labels] = (
                    counts if known is None else [a + b for a, b in zip(known, counts, strict=True)]
                )
    return Snapshot(
        now_s,
        {name: sorted(cells.items()) for name, cells in values.items()},
        {name: sorted(cells.items()) for name, cells in histograms.items()},
    )


def _merge_values(into: dict[Labels, float], cells: Iterable[tuple[Labels, float]], metric: Metric) -> None:
    for labels, value in cells:
        known = into.get(labels)
        if known is None:
            into[labels] = value
        elif metric.kind == "counter" or metric.merge == "sum":
            into[labels] = known + value
        else:
            into[labels] = max(known, value) if metric.merge == "max" else min(known, value)
