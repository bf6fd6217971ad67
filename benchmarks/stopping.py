"""How many answers the anytime design asks before a row is decided, beside a fixed plan of equal power."""

from __future__ import annotations

import random
from fractions import Fraction
from math import ceil, log, log1p, sqrt
from typing import NamedTuple

from benchmarks.settings import Settings
from benchmarks.tables import Section, Table
from verilabel.statistics.beta import binomial_at_most
from verilabel.statistics.design import (
    MAX_DESIGN_ANSWERS,
    OperatingCharacteristics,
    fixed_operating_characteristics,
    operating_characteristics,
)
from verilabel.statistics.eprocess import log_needed, place_bets
from verilabel.statistics.exact import cp_upper, round_up

TAU = Fraction(1, 100)
LEVEL = Fraction(1, 20)
POWER = 0.9
"""Both plans are as small as they can be while they decide `met` this often at half the threshold."""
RATES = tuple(Fraction(n, 10_000) for n in (0, 10, 25, 50, 100, 150, 200, 300, 500, 1000))
SIMULATED_RATES = tuple(Fraction(n, 10_000) for n in (0, 50, 100, 500))
RUNS = 20_000
SEED = 20_260_101
METHOD = (
    "Row `rate <= 1 %`, both error levels 5 %. The anytime design (three-bet e-process) may stop after every answer, "
    "the fixed plan is decided once by Clopper-Pearson bounds; each is the smallest that is met with probability 90 % "
    "at a true rate of 0.5 %. Exact figures come from dynamic programming; the simulation draws runs with a fixed seed "
    "and follows the e-process itself, not the table that the dynamic program uses. No clock is involved."
)


class Simulated(NamedTuple):
    """Counts of verdicts among simulated runs, the mean number of answers and its standard error."""

    met: int
    not_met: int
    undetermined: int
    calls: float
    error: float


def measure(settings: Settings) -> Section:
    """Exact characteristics of both plans, and a simulation of the anytime one."""
    runs = 2_000 if settings.quick else RUNS
    n_max, n_fixed = smallest_anytime(), smallest_fixed()
    exact = {rate: operating_characteristics(TAU, rate, n_max, LEVEL, LEVEL) for rate in RATES}
    fixed = {rate: fixed_operating_characteristics(TAU, rate, n_fixed, LEVEL) for rate in RATES}
    simulated = {rate: simulate(rate, n_max, runs) for rate in SIMULATED_RATES}
    return Section(
        "Stopping",
        METHOD,
        (_exact_table(exact, fixed, n_max, n_fixed), _simulated_table(exact, simulated, runs)),
        (
            "A true rate of 1 % is the threshold itself: `met` there is the error that the level of 5 % bounds. "
            "`not met` is the other side's error at rates up to 1 %.",
            "Close to the threshold the anytime design asks more than the fixed plan, and often ends undetermined.",
        ),
    )


def smallest_fixed() -> int:
    """The fewest answers of a fixed plan with the wanted power at half the threshold."""
    for allowed in range(MAX_DESIGN_ANSWERS):
        low, high = allowed + 1, MAX_DESIGN_ANSWERS
        while low < high:
            middle = (low + high) // 2
            if round_up(cp_upper(allowed, middle, LEVEL)) <= TAU:
                high = middle
            else:
                low = middle + 1
        # power falls between two such n, so the first that has it is the smallest
        if binomial_at_most(allowed, low, float(TAU / 2)) >= POWER:
            return low
    raise AssertionError("power grows with n")


def smallest_anytime() -> int:
    """The smallest bound on answers at which the anytime design has the wanted power at half the threshold."""
    low, high = 1, ceil(50 / TAU)
    while low < high:
        middle = (low + high) // 2
        if operating_characteristics(TAU, TAU / 2, middle, LEVEL, LEVEL).met >= POWER:
            high = middle
        else:
            low = middle + 1
    return low


def simulate(rate: Fraction, n_max: int, runs: int, seed: int = SEED) -> Simulated:
    """Simulate runs of the anytime design at a true rate; events are drawn by the gaps between them."""
    draw = random.Random(f"{seed}/{rate}")
    for_met, against = place_bets(TAU, "met"), place_bets(TAU, "not_met")
    level = float(log_needed(LEVEL))
    met_at: list[int | None] = []
    met = not_met = 0
    asked: list[int] = []
    for _ in range(runs):
        n = events = 0
        while True:
            n_event = n + _gap(draw, float(rate), n_max)
            if events == len(met_at):
                met_at.append(for_met.boundary(events, level))
            stop = met_at[events]
            if stop is not None and stop < n_event and stop <= n_max:
                met += 1
                asked.append(stop)
                break
            n = n_event
            if n > n_max:
                asked.append(n_max)
                break
            events += 1
            if against.log_e(events, n) >= level:
                not_met += 1
                asked.append(n)
                break
    mean = sum(asked) / runs
    variance = sum((n - mean) ** 2 for n in asked) / (runs - 1)
    return Simulated(met, not_met, runs - met - not_met, mean, sqrt(variance / runs))


def _gap(draw: random.Random, rate: float, n_max: int) -> int:
    """How many answers until the next event, itself included; beyond n_max where there is none."""
    if rate == 0:
        return n_max + 1
    return min(n_max + 1, 1 + int(log(1 - draw.random()) / log1p(-rate)))


def _percent(rate: Fraction) -> str:
    return f"{float(100 * rate):g} %"


def _share(part: float) -> str:
    return f"{100 * part:.2f} %"


def _exact_table(
    exact: dict[Fraction, OperatingCharacteristics],
    fixed: dict[Fraction, OperatingCharacteristics],
    n_max: int,
    n_fixed: int,
) -> Table:
    rows = tuple(
        (
            _percent(rate),
            found.calls,
            _share(found.met),
            _share(found.not_met),
            n_fixed,
            _share(fixed[rate].met),
            _share(fixed[rate].not_met),
            n_fixed / found.calls,
        )
        for rate, found in exact.items()
    )
    headings = (
        "true rate",
        "anytime: mean calls",
        "met",
        "not met",
        "fixed: calls",
        "met",
        "not met",
        "fixed / anytime",
    )
    return Table(f"Exact: anytime with at most {n_max:,} answers, fixed with {n_fixed:,}", headings, rows)


def _simulated_table(
    exact: dict[Fraction, OperatingCharacteristics], simulated: dict[Fraction, Simulated], runs: int
) -> Table:
    rows = tuple(
        (
            _percent(rate),
            f"{found.calls:,.1f} ± {found.error:.1f}",
            f"{exact[rate].calls:,.1f}",
            found.met,
            _share(found.met / runs) if rate >= TAU else None,
            found.not_met,
            _share(found.not_met / runs) if rate <= TAU else None,
            found.undetermined,
        )
        for rate, found in simulated.items()
    )
    headings = (
        "true rate",
        "mean calls ± standard error",
        "exact mean",
        "met",
        "wrongly met",
        "not met",
        "wrongly not met",
        "undetermined",
    )
    return Table(f"Simulated: {runs:,} runs a rate, seed {SEED}", headings, rows)
