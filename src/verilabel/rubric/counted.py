"""What counts say of a rate: bounds and evidence for answers, finite pools and families, in either design."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Literal, NamedTuple

from verilabel.records.plan import Design
from verilabel.records.tally import Tally
from verilabel.statistics.eprocess import (
    Side,
    anytime_lower,
    anytime_lower_clusters,
    anytime_upper,
    anytime_upper_clusters,
    decimal_log,
    log_e_clusters,
    log_e_counts,
    log_e_pool,
    log_needed,
)
from verilabel.statistics.exact import cp_lower, cp_upper, pool_lower, pool_upper, round_down, round_up

Direction = Literal["below", "above"]
Method = Literal["counts", "pool", "clusters"]


class Claim(NamedTuple):
    """`the rate is below (above) threshold`, to be shown at one-sided level alpha with the bets of a side."""

    direction: Direction
    strict: bool
    threshold: Decimal
    alpha: Fraction
    side: Side

    @property
    def mirrored(self) -> bool:
        """True where the evidence is counted on the complement of the event."""
        return (self.direction == "above") == (self.side == "met")

    def is_kept_by(self, bound: Decimal) -> bool:
        """True if the rate's bound, and so the rate, is on the claimed side of the threshold."""
        if bound == self.threshold:
            return not self.strict
        return (bound < self.threshold) == (self.direction == "below")


def method_of(tally: Tally) -> Method:
    """How a tally is bounded: as independent answers, as a finite pool, or as families.

    A pool is one only where the detector computes its event. A detector that errs makes the flagged answers of even
    a whole pool a matter of chance: taken as known, they decided wrongly in up to 28 % of runs at a level of 2.5 %.
    """
    if any(cluster.size > 1 for cluster in tally.clusters):
        return "clusters"
    is_pool = tally.pool is not None and tally.population == "items_fixed" and tally.unit == "item"
    if is_pool and tally.exact:
        return "pool"
    return "counts"


def counted_for(tally: Tally, direction: Direction) -> int:
    """Events with missing answers counted against the claim (label-semantics section 5)."""
    return tally.events + tally.missing if direction == "below" else tally.events


def family_means(tally: Tally, direction: Direction, *, mirrored: bool) -> list[tuple[float, int]]:
    """The mean of each kind of family (of the complement where `mirrored`), and how many families have it.

    A quotient of two whole numbers is rounded once, so the float is that of the exact fraction.
    """
    below = direction == "below"
    means = []
    for cluster in tally.clusters:
        events = cluster.events + cluster.missing if below else cluster.events
        means.append(((cluster.size - events if mirrored else events) / cluster.size, cluster.count))
    return means


# ---------------------------------------------------------------- bounds


def bound_rate(
    tally: Tally, direction: Direction, alpha: Fraction, design: Design, *, mirrored: bool = False
) -> Decimal:
    """The upper (`below`) or lower (`above`) bound of the rate at one-sided alpha, rounded outward.

    Missing answers count against the bound's claim. `mirrored` takes the bets on the complement of the event.
    """
    method = method_of(tally)
    round_outward = round_up if direction == "below" else round_down
    if method == "pool":
        inside = _bound_pool(tally, direction, alpha, design, mirrored=mirrored)
        return round_outward(Fraction(inside, tally.pool or 1))
    if method == "counts" and design == "fixed":
        exact = cp_upper if direction == "below" else cp_lower
        return round_outward(exact(counted_for(tally, direction), tally.n, alpha))
    # an upper bound of the rate is one minus a lower bound of the complement's
    upper = (direction == "below") != mirrored
    if method == "clusters":
        invert = anytime_upper_clusters if upper else anytime_lower_clusters
        bound = invert(family_means(tally, direction, mirrored=mirrored), alpha)
    else:
        events = counted_for(tally, direction)
        invert_counts = anytime_upper if upper else anytime_lower
        bound = invert_counts(tally.n - events if mirrored else events, tally.n, alpha)
    return round_outward(1 - Fraction(repr(bound)) if mirrored else bound)


def _bound_pool(
    tally: Tally, direction: Direction, alpha: Fraction, design: Design, *, mirrored: bool
) -> int:
    pool, n, events = tally.pool or 0, tally.n, counted_for(tally, direction)
    if n == pool:
        return events
    if design == "fixed":
        return (pool_upper if direction == "below" else pool_lower)(events, n, pool, alpha)
    needed = log_needed(alpha)
    if mirrored:
        events = n - events
    low, high = events, pool - (n - events)  # what the complement or the event can still be in the pool

    def excluded(inside: int) -> bool:
        log_e = log_e_pool(events, n, pool, Fraction(inside, pool), side)
        return decimal_log(log_e, "down") >= needed

    if (direction == "below") != mirrored:
        side: Side = "met"
        while low < high:  # the largest number that is not excluded as "so many or more"
            middle = (low + high + 1) // 2
            low, high = (low, middle - 1) if excluded(middle) else (middle, high)
    else:
        side = "not_met"
        while low < high:  # the smallest number that is not excluded as "so many or fewer"
            middle = (low + high) // 2
            low, high = (middle + 1, high) if excluded(middle) else (low, middle)
    return pool - low if mirrored else low


def weigh_evidence(tally: Tally, claim: Claim) -> float:
    """ln of the e-value against the claim's contrary, on the claim's own side of the bets."""
    tau = 1 - claim.threshold if claim.mirrored else claim.threshold
    method = method_of(tally)
    if method == "clusters":
        return log_e_clusters(family_means(tally, claim.direction, mirrored=claim.mirrored), tau, claim.side)
    events = counted_for(tally, claim.direction)
    events = tally.n - events if claim.mirrored else events
    if method == "pool":
        return log_e_pool(events, tally.n, tally.pool or 0, tau, claim.side)
    if tau == 1 and events == tally.n:
        return 0.0  # every bet neither gains nor loses; what the logarithms leave over is rounding
    return log_e_counts(events, tally.n, tau, claim.side)
