"""Two parties' answers to the same questions: an interval for the difference, an exact test, a verdict, the n it takes.

statistics.md section 3. Everything that is printed or signed is computed in whole numbers or correctly rounded
operations, so that two machines that recompute a comparison get the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import ceil, comb, isqrt, sqrt
from statistics import NormalDist
from typing import Literal, NamedTuple

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.statistics.arguments import Number, check_counts, exact_fraction, exact_level
from verilabel.statistics.exact import GRID, PLACES
from verilabel.statistics.multiplicity import holm_decimals

Verdict = Literal["replicated", "not_replicated", "underpowered"]
DEFAULT_POWER = Fraction(9, 10)
MAX_NEEDED = 10**9
MAX_TRIALS = 10_000
"""Answers of one party to one question."""

_BITS = 128
"""Probabilities are whole multiples of 2^-128."""
_NEGLIGIBLE = 1 << 28
"""Tails below 2^-100 are cut off; what is lost in all stays far below the sixth decimal."""
_FINE = 10**12


class Cell(NamedTuple):
    """What two parties found on one unit, an item or a family: events, missing answers and answers of each."""

    a_events: int
    a_missing: int
    a_trials: int
    b_events: int
    b_missing: int
    b_trials: int

    @property
    def lowest(self) -> Fraction:
        """The least difference of the shares, a - b, that the missing answers leave possible."""
        return Fraction(self.a_events, self.a_trials) - Fraction(
            self.b_events + self.b_missing, self.b_trials
        )

    @property
    def highest(self) -> Fraction:
        """The greatest difference of the shares, a - b, that the missing answers leave possible."""
        return Fraction(self.a_events + self.a_missing, self.a_trials) - Fraction(
            self.b_events, self.b_trials
        )


Cells = Mapping[Cell, int]
"""Kinds of units to how many units are of each kind."""


class Difference(NamedTuple):
    """A mean difference a - b with its interval; 6 decimals, bounds rounded outward."""

    difference: Decimal
    """With the two pseudo-units, and missing answers counted half."""
    lower: Decimal
    upper: Decimal


class PairedTest(NamedTuple):
    """What `compare_rates` finds of one measure."""

    verdict: Verdict
    units: int
    difference: Difference
    p_value: Decimal
    """Of the exact conditional test of no difference, rounded up to 6 decimals."""
    needed: int
    """Units that would decide it if what was seen is typical; 0 where it is decided or no number can be said."""


def compare_rates(
    cells: Cells, margin: Number, alpha: Number = Fraction(1, 20), *, clustered: bool = False
) -> PairedTest:
    """The replication test of statistics.md section 3, with missing answers counted worst-case in both directions.

    1 the interval of the mean difference lies inside (-margin, margin): replicated; 2 else the exact test rejects at
    alpha: not_replicated; 3 else underpowered. `clustered` is for units that are families. Raises MalformedInput for
    counts, margins or levels that cannot be, LimitExceeded for more answers to one question than are compared.
    """
    return compare_families_of_rates([(cells, clustered)], margin, alpha)[0]


def compare_families_of_rates(
    measured: Sequence[tuple[Cells, bool]], margin: Number, alpha: Number = Fraction(1, 20)
) -> list[PairedTest]:
    """`compare_rates` of several measures of one pair of parties, each as its cells and whether units are families.

    That any of them is called different where none is has probability at most alpha: step 2 rejects after Holm's
    correction over them. Step 1 needs none, because the whole is replicated only where every measure is.
    """
    wanted = exact_margin(margin)
    level = exact_level(alpha)
    p_values = [p_value_of_no_difference(cells, clustered=clustered) for cells, clustered in measured]
    adjusted = holm_decimals(p_values)
    return [
        _test_of(cells, wanted, level, p_value, rejects=Fraction(p_adjusted) < level)
        for (cells, _), p_value, p_adjusted in zip(measured, p_values, adjusted, strict=True)
    ]


def _test_of(
    cells: Cells, margin: Fraction, level: Fraction, p_value: Decimal, *, rejects: bool
) -> PairedTest:
    found = bound_difference(cells, level)
    units = sum(cells.values())
    verdict: Verdict = "underpowered"
    if units and -margin < Fraction(found.lower) and Fraction(found.upper) < margin:
        verdict = "replicated"
    elif rejects:
        verdict = "not_replicated"
    needed = units_to_decide(cells, margin, level) if verdict == "underpowered" else 0
    return PairedTest(verdict, units, found, p_value, needed)


def exact_margin(margin: Number) -> Fraction:
    """An equivalence margin as an exact fraction. Raises MalformedInput unless 0 < margin < 1."""
    value = exact_fraction(margin, "margin")
    if not 0 < value < 1:
        raise MalformedInput(f"margin {margin} is not between 0 and 1", hint="write 2 points as 0.02")
    return value


def check_cells(cells: Cells) -> None:
    """Refuse cells that cannot be. Raises MalformedInput, or LimitExceeded beyond 10,000 answers of one party."""
    for cell, count in cells.items():
        check_counts(0, count)
        for events, missing, trials in (cell[:3], cell[3:]):
            check_counts(events + missing, trials)
            if min(events, missing) < 0 or trials < 1:
                raise MalformedInput(f"{events} events and {missing} missing of {trials} answers cannot be")
            if trials > MAX_TRIALS:
                raise LimitExceeded(f"{trials} answers to one question, the limit is {MAX_TRIALS}")


# ---------------------------------------------------------------- the interval


def bound_difference(cells: Cells, alpha: Number) -> Difference:
    """The interval of the mean difference a - b, each side at error alpha (Bonett and Price 2012, statistics.md 3).

    Two pseudo-units with the differences +1 and -1 are added, so that units that all agree do not give an interval
    of no width. The lower end is that of the lowest differences which missing answers leave possible, the upper end
    that of the highest. Without units it is [-1, 1]. Raises as `check_cells`.
    """
    check_cells(cells)
    z = normal_quantile(exact_level(alpha))
    low_mean, low_half = _mean_and_half({cell: cell.lowest for cell in cells}, cells, z)
    high_mean, high_half = _mean_and_half({cell: cell.highest for cell in cells}, cells, z)
    middle = (low_mean + high_mean) / 2
    return Difference(
        _on_grid(round(middle * GRID)),
        _on_grid(((low_mean * _FINE).__floor__() - low_half) // (_FINE // GRID)),
        _on_grid(-((-((high_mean * _FINE).__ceil__()) - high_half) // (_FINE // GRID))),
    )


def _mean_and_half(differences: Mapping[Cell, Fraction], cells: Cells, z: Fraction) -> tuple[Fraction, int]:
    """The mean with pseudo-units, and z standard errors in units of 10^-12, rounded up."""
    size = sum(cells.values()) + 2
    total, squares = _moments(differences, cells)
    mean = total / size
    variance = ((squares + 2) / size - mean * mean) / size
    scaled = variance * z * z * _FINE * _FINE
    return mean, isqrt(scaled.__ceil__()) + 1


def _moments(differences: Mapping[Cell, Fraction], cells: Cells) -> tuple[Fraction, Fraction]:
    by_value: Counter[Fraction] = Counter()
    for cell, count in cells.items():
        by_value[differences[cell]] += count
    total = sum((value * count for value, count in by_value.items()), Fraction(0))
    return total, sum((value * value * count for value, count in by_value.items()), Fraction(0))


def normal_quantile(tail: Number) -> Fraction:
    """z such that a standard normal exceeds it with probability `tail`, to 9 decimals."""
    return Fraction(round(-NormalDist().inv_cdf(float(exact_level(tail))) * 10**9), 10**9)


def _on_grid(steps: int) -> Decimal:
    return Decimal(max(-GRID, min(GRID, steps))).scaleb(-PLACES)


# ---------------------------------------------------------------- the exact test


def p_value_of_no_difference(cells: Cells, *, clustered: bool = False) -> Decimal:
    """The p-value of "both parties show the event equally often", exact and two-sided, rounded up to 6 decimals.

    Given each unit's events of both parties together, party a's share of them is hypergeometric, and their sum a
    convolution (statistics.md 3); with one answer each this is the exact test of McNemar. Families (`clustered`)
    count once each, for the party that shows more events: within them answers depend on each other, and the sign
    test holds whatever that dependence is. Missing answers are completed in the way that makes the parties most
    alike; where they may be alike altogether, p is 1. Raises as `check_cells`.
    """
    check_cells(cells)
    completed = _complete_alike(cells)
    if completed is None:
        return Decimal(1)
    return _sign_test(completed) if clustered else _conditional_test(completed)


def _complete_alike(cells: Cells) -> Counter[Cell] | None:
    """The cells with missing answers filled so that the difference is least; None where it may be none."""
    lowest, _ = _moments({cell: cell.lowest for cell in cells}, cells)
    highest, _ = _moments({cell: cell.highest for cell in cells}, cells)
    if lowest <= 0 <= highest:
        return None
    completed: Counter[Cell] = Counter()
    for cell, count in cells.items():
        a, b = (0, cell.b_missing) if lowest > 0 else (cell.a_missing, 0)
        completed[Cell(cell.a_events + a, 0, cell.a_trials, cell.b_events + b, 0, cell.b_trials)] += count
    return completed


def _sign_test(cells: Cells) -> Decimal:
    signs: Counter[int] = Counter()
    for cell, count in cells.items():
        signs[(cell.lowest > 0) - (cell.lowest < 0)] += count
    favour = {Cell(1, 0, 1, 0, 0, 1): signs[1], Cell(0, 0, 1, 1, 0, 1): signs[-1]}
    if signs[1] == signs[-1]:
        return Decimal(1)
    return _conditional_test(favour)


class _Probabilities(NamedTuple):
    """Whole multiples of 2^-128 at consecutive numbers, from `start` on."""

    start: int
    values: list[int]


def _conditional_test(cells: Cells) -> Decimal:
    groups: Counter[tuple[int, int, int]] = Counter()
    observed = 0
    for cell, count in cells.items():
        together = cell.a_events + cell.b_events
        observed += cell.a_events * count
        groups[cell.a_trials, cell.b_trials, together] += count
    whole = _Probabilities(0, [1 << _BITS])
    for (a_trials, b_trials, together), count in sorted(groups.items()):
        whole = _convolve(whole, _power(_hypergeometric(a_trials, b_trials, together), count))
    place = observed - whole.start
    seen = whole.values[place] if 0 <= place < len(whole.values) else 0
    # what is as likely as what was seen counts, up to rounding
    limit = seen + (seen >> 30) + _NEGLIGIBLE
    tail = sum(value for value in whole.values if value <= limit)
    steps = -(-(tail * GRID) // (1 << _BITS))
    return Decimal(min(GRID, max(1, steps))).scaleb(-PLACES)


def _hypergeometric(a_trials: int, b_trials: int, together: int) -> _Probabilities:
    """How many of `together` events are party a's, if any of the answers is as likely to show one."""
    least, most = max(0, together - b_trials), min(together, a_trials)
    every = comb(a_trials + b_trials, together)
    ways = (comb(a_trials, i) * comb(b_trials, together - i) for i in range(least, most + 1))
    return _Probabilities(least, [(way << _BITS) // every for way in ways])


def _power(one: _Probabilities, count: int) -> _Probabilities:
    """The sum of `count` independent numbers, by squaring."""
    if len(one.values) == 1:
        return _Probabilities(one.start * count, [1 << _BITS])
    result, square = _Probabilities(0, [1 << _BITS]), one
    while count:
        if count & 1:
            result = _convolve(result, square)
        count >>= 1
        if count:
            square = _convolve(square, square)
    return result


def _convolve(a: _Probabilities, b: _Probabilities) -> _Probabilities:
    """The sum of two independent numbers. The lists are multiplied as two long numbers (Kronecker substitution)."""
    slot = (2 * _BITS + min(len(a.values), len(b.values)).bit_length() + 8) // 8
    product = (_pack(a.values, slot) * _pack(b.values, slot)).to_bytes(
        slot * (len(a.values) + len(b.values)), "little"
    )
    values = [
        int.from_bytes(product[at : at + slot], "little") >> _BITS
        for at in range(0, slot * (len(a.values) + len(b.values) - 1), slot)
    ]
    first, last = 0, len(values)
    while last - first > 1 and values[last - 1] < _NEGLIGIBLE:
        last -= 1
    while last - first > 1 and values[first] < _NEGLIGIBLE:
        first += 1
    return _Probabilities(a.start + b.start + first, values[first:last])


def _pack(values: list[int], slot: int) -> int:
    return int.from_bytes(b"".join(value.to_bytes(slot, "little") for value in values), "little")


# ---------------------------------------------------------------- how many units are needed


def units_for_equivalence(
    variance: Number, margin: Number, alpha: Number = Fraction(1, 20), power: Number = DEFAULT_POWER
) -> int:
    """Units at which two parties of equal rates are found within the margin with this power (statistics.md 3).

    `variance` is that of one unit's difference: 2 p (1 - p) (1 - ICC) / K for rate p and K answers each; variation
    between units cancels. n = z^2 / (2 margin^2) (v + sqrt(v^2 + 8 margin^2 / z^2)), with z the sum of the quantiles
    of alpha and of (1 - power) / 2. Raises MalformedInput for a negative variance or a margin that cannot be.
    """
    v = exact_fraction(variance, "variance")
    if v < 0:
        raise MalformedInput(f"variance {variance} is negative")
    delta = float(exact_margin(margin))
    z = float(normal_quantile(alpha) + normal_quantile((1 - exact_level(power, "power")) / 2))
    spread = float(v)
    needed = z * z / (2 * delta * delta) * (spread + sqrt(spread * spread + 8 * delta * delta / (z * z)))
    return ceil(needed)


def units_to_decide(cells: Cells, margin: Fraction, alpha: Fraction) -> int:
    """Units that would decide an open comparison with 90 % power; 0 where no number can be said.

    First the units that show equality if the rates are equal and differences vary as they were seen to; where there
    are that many already, the fewest that would decide it if the difference is the one that was seen. Missing
    answers narrow the margin.
    """
    units = sum(cells.values())
    if not units:
        return 0
    low, _ = _moments({cell: cell.lowest for cell in cells}, cells)
    high, _ = _moments({cell: cell.highest for cell in cells}, cells)
    middle = {cell: (cell.lowest + cell.highest) / 2 for cell in cells}
    total, squares = _moments(middle, cells)
    gap, mean = (high - low) / units / 2, abs(total / units)
    variance = squares / units - (total / units) ** 2
    left = margin - gap
    if left > 0 and (equal := units_for_equivalence(variance, left, alpha)) > units:
        return equal if equal <= MAX_NEEDED else 0
    z_power = normal_quantile(1 - DEFAULT_POWER)
    reachable = []
    if left > mean:
        reachable.append((normal_quantile(alpha) + z_power) ** 2 * variance / (left - mean) ** 2)
    if mean > gap:
        reachable.append((normal_quantile(alpha / 2) + z_power) ** 2 * variance / (mean - gap) ** 2)
    counts = [ceil(number) for number in reachable if units < ceil(number) <= MAX_NEEDED]
    return min(counts, default=0)
