"""A machine's clock that jumps: the trail stays whole, and nothing is lost or counted twice."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.gateway.audit.record import AuditRecord
from verilabel.gateway.audit.trail import AuditTrail
from verilabel.gateway.audit.verifying import verify_trail
from verilabel.gateway.policy.document import AuditSettings

DAY_US = 86_400 * 1_000_000
NOW_US = 1_795_348_800 * 1_000_000
STILL_MS = 3_600_000


class Clock:
    """A clock that is put wherever a test likes."""

    def __init__(self) -> None:
        self.now_us = NOW_US

    def __call__(self) -> int:
        return self.now_us


@settings(max_examples=25)
@given(jumps=st.lists(st.integers(-400 * DAY_US, 400 * DAY_US), min_size=1, max_size=8))
def test_a_trail_stays_whole_whatever_the_clock_does(jumps: list[int]) -> None:
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        trail = AuditTrail.open(
            AuditSettings(folder=folder, sync_ms=STILL_MS), "w0", folder=Path(folder), clock_us=clock
        )
        with trail:
            for number, jump in enumerate(jumps):
                clock.now_us = max(DAY_US, clock.now_us + jump)
                trail.append(
                    AuditRecord(event="ended", id=f"req_{number}", at_us=clock.now_us, outcome="answered")
                )
                trail.look()
                trail.checkpoint()
        report = verify_trail(Path(folder))
    assert (True, len(jumps), 0) == (report.is_intact, report.counts.records, report.counts.lost)
