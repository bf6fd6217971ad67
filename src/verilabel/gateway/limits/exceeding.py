"""Which of several limits a refused request is told of: the one that it must wait for longest."""

from __future__ import annotations

from collections.abc import Sequence

from verilabel.gateway.limits.interface import Charge, Exceeded, Standing

FITS = 0
NEVER = -1
"""The charge is larger than the limit itself."""
UNKNOWN = -2
"""The wait is not known: a slot is free when somebody else has ended."""


def exceeded(charges: Sequence[Charge], waits_us: Sequence[int], standings: Sequence[Standing]) -> Exceeded:
    """The refusal of charges of which at least one does not fit; `waits_us` are microseconds, or FITS, NEVER, UNKNOWN.

    A charge that never fits counts before all others; then the longest wait, since a client that came back after a
    shorter one would be refused again; a wait that is not known is told only where no other is.
    """
    if NEVER in waits_us:
        return Exceeded(charges[waits_us.index(NEVER)], None, tuple(standings))
    longest = max(waits_us)
    if longest > 0:
        return Exceeded(charges[waits_us.index(longest)], longest / 1e6, tuple(standings))
    # charges of one counter that fit one by one and not together have a wait that is not known, either
    first = waits_us.index(UNKNOWN) if UNKNOWN in waits_us else len(charges) - 1
    return Exceeded(charges[first], None, tuple(standings))
