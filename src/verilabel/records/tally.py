"""Counts of one measure: all that the statistics need, and nothing that depends on the order of answers."""

from __future__ import annotations

from typing import Literal

import msgspec

from verilabel.records.score import ErrorCounts

Unit = Literal["item", "family", "trial"]
"""What counts as one independent observation (label-semantics section 4)."""
Population = Literal["items_sampled", "items_fixed"]
"""What a rate speaks of: prompts like these, or this benchmark (NIST AI 800-3)."""


class Clusters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """`count` families that each had `events` events and `missing` missing answers among `size` answers."""

    events: int
    missing: int
    size: int
    count: int


class Tally(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A measure's counts.

    `n` units were asked; `events` showed the event, `missing` gave no usable answer (both are part of `n`).
    With unit `item`, repeated epochs are collapsed to the item by worst of k before counting.
    With unit `family`, `events`, `missing` and `n` count answers and `clusters` holds the families.
    """

    measure: str
    n: int
    events: int
    missing: int = 0
    unit: Unit = "item"
    population: Population = "items_sampled"
    clusters: tuple[Clusters, ...] = ()
    pool: int | None = None
    """Size of the finite pool of fixed outcomes this was drawn from without replacement, where that is so."""
    exact: bool = False
    """True where the detector computes its event and has no judge error."""
    errors: ErrorCounts | None = None
    """The detector's measured error, for the event as counted (already swapped where the measure negates it)."""
    complement: bool = False
    """True where the rubric counts the absence of the detector's event."""
    n_planned: int = 0
    """Units the plan allows at most (0: not known)."""
