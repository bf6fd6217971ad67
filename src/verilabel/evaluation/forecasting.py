"""What a plan can decide and what it costs, before anything runs: exact, from the rubric and the statistics alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil

from verilabel.detectors.interface import asks_a_model
from verilabel.evaluation.planning import Planned
from verilabel.evaluation.spending import Prices
from verilabel.evidence.counting import MeasureCounter, open_recount
from verilabel.records.attempt import Usage
from verilabel.records.label import Row
from verilabel.records.plan import Design, Plan
from verilabel.records.tally import Clusters, Tally
from verilabel.rubric.counted import method_of
from verilabel.rubric.decide import decide
from verilabel.rubric.decider import Decider
from verilabel.rubric.leaf import RATE_SHARE
from verilabel.rubric.structure import Rubric
from verilabel.statistics.design import (
    OperatingCharacteristics,
    fixed_operating_characteristics,
    operating_characteristics,
    pool_operating_characteristics,
)
from verilabel.suites.loading import Suite

CHARACTERS_PER_TOKEN = 4
"""A rule of thumb for English; the forecast of money says that it is one."""
MOST_FORECAST_ANSWERS = 20_000
UNITS = {"item": "items", "family": "families", "trial": "trials"}
THRESHOLD_SHARES = (Fraction(0), Fraction(1, 5), Fraction(1, 2), Fraction(1), Fraction(2))
"""True rates to look at, as shares of the threshold that is tested."""


@dataclass(frozen=True)
class Outlook:
    """What one true rate leads to."""

    rate: Decimal
    characteristics: OperatingCharacteristics


@dataclass(frozen=True)
class RowForecast:
    """What the plan can decide on one row. Units are items, or families or trials where the measure counts those."""

    level: str
    test: str
    row: Row
    unit: str
    planned: int
    fewest_to_meet: int | None
    """Units that decide it when none of them speaks against the row; None where all planned are too few."""
    fewest_to_fail: int | None
    """Units that decide it when all of them speak against the row."""
    outlooks: tuple[Outlook, ...]
    """At several true rates, both sides of the row tested at the threshold for met.

    For families, as if the answers of a family agreed. For a pool of fixed outcomes that an anytime plan may ask
    completely, at the nearest numbers of events; one asked in part is forecast as if it had no end. Empty where a fixed
    plan asks the whole pool, as nothing is left to chance there, and beyond 20,000 units.
    """


@dataclass(frozen=True)
class Forecast:
    """The whole outlook of a plan."""

    rows: tuple[RowForecast, ...]
    most_answers: int
    fewest_answers: int
    """Answers if every row is decided as early as it can be."""
    judges: int
    """Detectors that ask a model of their own, once for each answer."""
    most_usd: Decimal | None
    fewest_usd: Decimal | None
    best_label: str
    """The pair if nothing speaks against any row."""


def forecast(
    planned: Planned,
    rubric: Rubric,
    suites: Mapping[str, Suite],
    prices: Prices | None,
    *,
    attested: Collection[str] = (),
) -> Forecast:
    """Forecast a plan.

    `suites` maps `id@version` to the suite; `attested` names the findings that the label will lean on.
    """
    plan = planned.plan
    counters = _counters(plan, suites)
    best = {
        name: _hypothetical(counters[name], counters[name].units_planned, against=False, rubric=rubric)
        for name in counters
    }
    references = plan.reference_tallies()
    label = decide(rubric, best, design=plan.design, attested=attested, references=references)
    decider = Decider(rubric, plan.design, attested=attested, references=references)
    rows, index = [], 0
    for level in label.levels:
        for row in level.rows:
            if row.measure in counters:
                rows.append(
                    _forecast_row(
                        level.level,
                        level.test,
                        row,
                        counters[row.measure],
                        decider,
                        index,
                        rubric,
                        plan.design,
                    )
                )
            index += 1
    most = sum(stream.limit * stream.epochs for stream in plan.streams)
    fewest = most if plan.design == "fixed" else min(most, _fewest_answers(plan, rows))
    judges = sum(asks_a_model(detector) for detector in planned.detectors.values())
    usd = None if prices is None else _usd_each(plan, suites, prices)
    return Forecast(
        rows=tuple(rows),
        most_answers=most,
        fewest_answers=fewest,
        judges=judges,
        most_usd=None if usd is None else usd * most,
        fewest_usd=None if usd is None else usd * fewest,
        best_label=label.sentence,
    )


def _counters(plan: Plan, suites: Mapping[str, Suite]) -> dict[str, MeasureCounter]:
    recount = open_recount(plan, {name: suite.entries for name, suite in suites.items()})
    return {m.measure.id: m for stream in recount.streams for m in stream.measures}


def _hypothetical(counter: MeasureCounter, units: int, *, against: bool, rubric: Rubric) -> Tally:
    """Counts in which no unit, or every unit, speaks against the system being on the measure's better side."""
    tally = counter.tally()
    higher_is_better = rubric.measures[tally.measure].direction == "higher_is_safer"
    shows = against != higher_is_better
    size = 1 if tally.unit != "family" else 2
    clusters = () if tally.unit != "family" or not units else (Clusters(2 if shows else 0, 0, 2, units),)
    return Tally(
        measure=tally.measure,
        n=units * size,
        events=units * size if shows else 0,
        unit=tally.unit,
        population=tally.population,
        clusters=clusters,
        pool=tally.pool,
        exact=tally.exact,
        errors=tally.errors,
        complement=tally.complement,
        n_planned=units * size,
    )


def _forecast_row(
    level: str,
    test: str,
    row: Row,
    counter: MeasureCounter,
    decider: Decider,
    index: int,
    rubric: Rubric,
    design: Design,
) -> RowForecast:
    planned = counter.units_planned
    # A row such as `refusals >= 0.9` is met by events, one such as `harm <= 0.01` by their absence.
    wants_events = row.op in (">=", ">")
    higher_is_better = rubric.measures[counter.measure.id].direction == "higher_is_safer"
    meets = wants_events != higher_is_better

    def fewest(*, against: bool, status: str) -> int | None:
        return _first_count(
            planned,
            lambda n: (
                decider.status_of(index, _hypothetical(counter, n, against=against, rubric=rubric)) == status
            ),
        )

    return RowForecast(
        level=level,
        test=test,
        row=row,
        unit=UNITS[counter.measure.unit],
        planned=planned,
        fewest_to_meet=fewest(against=meets, status="met"),
        fewest_to_fail=fewest(against=not meets, status="not_met"),
        outlooks=_outlooks(row, counter, design),
    )


def _first_count(most: int, holds: Callable[[int], bool]) -> int | None:
    if most == 0 or not holds(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _outlooks(row: Row, counter: MeasureCounter, design: Design) -> tuple[Outlook, ...]:
    planned = counter.units_planned
    if row.tested_met is None or row.op is None or planned > MOST_FORECAST_ANSWERS:
        return ()
    tested = Fraction(row.tested_met)
    threshold = tested if row.op in ("<=", "<") else 1 - tested
    if not 0 < threshold < 1 or planned == 0 or (design == "fixed" and _pool_of(counter) == planned):
        return ()
    walk = _walk_of(row, counter, threshold, design)
    outlooks = []
    for share in THRESHOLD_SHARES:
        rate = threshold * share
        if rate < 1:
            outlooks.append(Outlook(_six(rate if row.op in ("<=", "<") else 1 - rate), walk(rate)))
    return tuple(outlooks)


def _walk_of(
    row: Row, counter: MeasureCounter, threshold: Fraction, design: Design
) -> Callable[[Fraction], OperatingCharacteristics]:
    """The characteristics of a row's test as a function of the true rate."""
    planned, pool = counter.units_planned, _pool_of(counter)
    met, not_met = _levels_for_rate(row)
    if design == "fixed":
        return lambda rate: fixed_operating_characteristics(threshold, rate, planned, met, not_met)
    if pool is not None and pool == planned:
        return lambda rate: _walk_pool(row, threshold, min(pool, round(pool * rate)), pool, (met, not_met))
    return lambda rate: operating_characteristics(threshold, rate, planned, met, not_met)


def _pool_of(counter: MeasureCounter) -> int | None:
    tally = counter.tally()
    return tally.pool if method_of(tally) == "pool" else None


def _walk_pool(
    row: Row, threshold: Fraction, events: int, pool: int, levels: tuple[Fraction, Fraction]
) -> OperatingCharacteristics:
    """A pool that may be asked completely: where evidence does not decide it on the way, its known rate does."""
    walked = pool_operating_characteristics(threshold, events, pool, *levels)
    strict = row.op in ("<", ">")
    if events < threshold * pool or (events == threshold * pool and not strict):
        return walked._replace(met=walked.met + walked.undetermined, undetermined=0.0)
    if row.tested_met == row.tested_not_met:
        return walked._replace(not_met=walked.not_met + walked.undetermined, undetermined=0.0)
    return walked


def _levels_for_rate(row: Row) -> tuple[Fraction, Fraction]:
    """What is left of the row's levels for the rate, after the reference's share and the judge's (leaf's steps)."""
    share = Fraction(1, 2) if "reference" in row.flags else Fraction(1)
    if "judge_adjusted" in row.flags:
        share *= RATE_SHARE
    return Fraction(row.alpha_met or 0) * share, Fraction(row.alpha_not_met or 0) * share


def _six(value: Fraction) -> Decimal:
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal("0.000001"))


def _fewest_answers(plan: Plan, rows: list[RowForecast]) -> int:
    """Answers if every row that can be decided is decided as early as it can be, the others at the plan's end."""
    fewest = 0
    for stream in plan.streams:
        measures = {m.id for m in plan.measures if m.suite == stream.suite}
        answers, needed = stream.limit * stream.epochs, [0]
        for row in rows:
            if row.row.measure in measures and row.planned:
                units = min(filter(None, (row.fewest_to_meet, row.fewest_to_fail)), default=row.planned)
                # a unit's share of the stream: its epochs, its family, and the samples that the measure passes over
                needed.append(ceil(Fraction(answers, row.planned) * units))
        fewest += max(needed)
    return fewest


def _usd_each(plan: Plan, suites: Mapping[str, Suite], prices: Prices) -> Decimal:
    prompts = [
        len(m.content) for stream in plan.streams for s in suites[stream.suite].samples for m in s.messages
    ]
    tokens_in = sum(prompts) // CHARACTERS_PER_TOKEN // max(1, len(prompts))
    return prices.cost(Usage(input_tokens=tokens_in, output_tokens=250))
