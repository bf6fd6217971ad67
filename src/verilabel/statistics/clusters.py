"""The Korn-Graubard interval for clustered answers: a report, never a decision."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from verilabel.errors import MalformedInput
from verilabel.statistics.arguments import Number, check_counts, exact_fraction, exact_level
from verilabel.statistics.beta import beta_quantile
from verilabel.statistics.eprocess import Cluster


class ClusterInterval(NamedTuple):
    """A rate over clusters with its two-sided interval."""

    rate: float
    lower: float
    upper: float
    effective_n: float
    """How many independent answers the clusters are worth."""


def korn_graubard(clusters: Iterable[Cluster], alpha: Number = 0.05) -> ClusterInterval:
    """Two-sided interval at confidence 1 - alpha for the mean of cluster means, each tail alpha / 2.

    `clusters` are pairs (mean in [0, 1], how many clusters have it). Clopper-Pearson at the effective sample
    size p (1 - p) / variance of p (Korn and Graubard 1998); where all clusters agree that size cannot be
    estimated and is the number of clusters, not of answers (statistics.md section 1.3). Decisions use
    `log_e_clusters`, since this interval can err more often than alpha says when clusters are few.
    Raises MalformedInput for means outside [0, 1] and where there is no cluster.
    """
    pairs = [(exact_fraction(mean, "cluster mean"), count) for mean, count in clusters]
    for mean, count in pairs:
        check_counts(0, count)
        if not 0 <= mean <= 1:
            raise MalformedInput(f"a cluster mean of {mean} is not between 0 and 1")
    m = sum(count for _, count in pairs)
    if m == 0:
        raise MalformedInput("no clusters, no interval")
    half = exact_level(alpha) / 2
    rate = sum((mean * count for mean, count in pairs), Fraction(0)) / m
    spread = sum((count * (mean - rate) ** 2 for mean, count in pairs), Fraction(0))
    size = Fraction(m) if spread == 0 else rate * (1 - rate) * m * (m - 1) / spread
    events, rest = float(rate * size), float((1 - rate) * size)
    lower = 0.0 if events == 0 else beta_quantile(float(half), events, rest + 1)
    upper = 1.0 if rest == 0 else beta_quantile(float(1 - half), events + 1, rest)
    return ClusterInterval(float(rate), lower, upper, float(size))
