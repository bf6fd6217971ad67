"""The reference system's bundle against what a plan says of it (label-semantics section 7)."""

from __future__ import annotations

from verilabel.evidence.verification import Verification
from verilabel.records.plan import MeasurePlan, Plan, PlannedReference


def find_disagreement(planned: PlannedReference, plan: Plan, found: Verification) -> str | None:
    """Why a verified bundle does not bear out a planned reference; None where it does.

    It must itself be recomputed, be of the system and under the root that the plan names, count the measure in the
    same way on the same suite, and give the same counts.
    """
    measure = planned.tally.measure
    if found.level < "V2" or found.plan is None or found.system is None:
        return f"the reference bundle for {measure} does not verify to V2: {found.reason}"
    if (found.system.digest, found.root) != (planned.system_sha256, planned.evidence_root):
        return f"the reference bundle for {measure} is of another system or of other evidence"
    theirs, ours = _how_counted(found.plan, measure), _how_counted(plan, measure)
    if theirs != ours:
        return f"the reference bundle counts {measure} otherwise (suite, filter, detector or unit)"
    if found.tallies.get(measure) != planned.tally:
        return f"the reference bundle gives other counts for {measure}"
    return None


def _how_counted(plan: Plan, measure: str) -> tuple[MeasurePlan, str] | None:
    for planned in plan.measures:
        if planned.id == measure:
            return planned, next(s.suite_sha256 for s in plan.streams if s.suite == planned.suite)
    return None
