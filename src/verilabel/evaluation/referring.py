"""Reference systems: a verified bundle of theirs gives the counts that relative thresholds are compared with.

The counts become part of the plan, so that they are fixed and logged before the first request (label-semantics 7).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from verilabel.errors import UsageError
from verilabel.evidence.trust import TrustPolicy
from verilabel.records.plan import MeasurePlan, Plan, PlannedReference
from verilabel.records.tally import Tally
from verilabel.rubric.structure import Criterion, Rubric, TimesReference, criteria_of, rules_of


@dataclass(frozen=True)
class Reference:
    """A verified bundle of the reference system: its plan, its counts, and what identifies it."""

    plan: Plan
    tallies: Mapping[str, Tally]
    manifest_sha256: str
    evidence_root: str


def read_reference(path: Path, *, trust: TrustPolicy | None, now: datetime) -> Reference:
    """Verify a bundle of the reference system. Raises what its verification found; UsageError below V2."""
    from verilabel.evidence.verifier import verify_bundle  # its weight would be paid by every run

    found = verify_bundle(path, trust=trust, now=now)
    if found.failure is not None:
        raise found.failure
    if found.level < "V2" or found.plan is None or found.root is None:
        raise UsageError(f"a reference must verify to V2, this is {found.level_name}", where=str(path))
    assert found.manifest_sha256 is not None, "a verified bundle has a manifest"
    return Reference(found.plan, found.tallies, found.manifest_sha256, found.root)


def plan_references(
    rubric: Rubric,
    measures: Sequence[MeasurePlan],
    digests: Mapping[str, str],
    references: Sequence[Reference],
) -> tuple[PlannedReference, ...]:
    """The reference counts of the measures that some row compares with a reference.

    `digests` maps a suite's `id@version` to its digest. Raises UsageError where a bundle counts a measure otherwise,
    counts none of them, or counts one that another bundle counts already.
    """
    relative = {m.id: m for m in measures if m.id in _relative_measures(rubric)}
    planned: dict[str, PlannedReference] = {}
    for reference in references:
        counted = {theirs.id for theirs in reference.plan.measures} & set(relative)
        if not counted:
            raise UsageError(
                f"the reference bundle {reference.manifest_sha256[:19]}... counts nothing that {rubric.name} compares "
                "with a reference",
                hint=f"it compares {', '.join(sorted(relative)) or 'no measure of these suites'}",
            )
        if twice := counted & set(planned):
            raise UsageError(f"two reference bundles count {min(twice)}", hint="give one for each measure")
        served = {stream.suite: stream.suite_sha256 for stream in reference.plan.streams}
        for theirs in reference.plan.measures:
            ours = relative.get(theirs.id)
            if ours is None:
                continue
            if theirs != ours or served[theirs.suite] != digests[ours.suite]:
                raise UsageError(
                    f"the reference bundle counts {theirs.id} otherwise (suite, filter, detector or unit)",
                    hint="label the reference system by this rubric on these suites",
                )
            planned[theirs.id] = PlannedReference(
                tally=reference.tallies[theirs.id],
                system_sha256=reference.plan.system_sha256,
                manifest_sha256=reference.manifest_sha256,
                evidence_root=reference.evidence_root,
            )
    return tuple(planned[key] for key in sorted(planned))


def _relative_measures(rubric: Rubric) -> set[str]:
    return {
        row.measure
        for level in rubric.scale.levels
        for rule in rules_of(level).values()
        for row in criteria_of(rule)
        if isinstance(row, Criterion) and isinstance(row.value, TimesReference)
    }
