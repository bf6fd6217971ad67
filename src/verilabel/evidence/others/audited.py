"""What V4 asks for beside a replication, and what of it is there (label-semantics section 12): pure functions.

V4 needs, from signers whom the trust policy names, in force and not withdrawn: an audit of the system's training data;
for every data set that was audited, a look for every suite that the label counts; findings on elicitation, on
governance, and on the calibration of judges where the scores come from a judge model; and no open dispute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from verilabel.evidence.others.audit import BenchmarkMatches, DataAudit
from verilabel.records.label import Label
from verilabel.records.plan import MeasurePlan, Plan, StreamPlan

JUDGE_CALIBRATION = "judge-calibration"
FINDINGS = {
    JUDGE_CALIBRATION: "judge calibration",
    "elicitation": "elicitation",
    "governance": "governance",
}
"""Names of the findings that V4 asks for, and what each is on."""
MAX_NAMED = 5
"""Things that are lacking, named in one sentence; the rest is counted."""


@dataclass
class Standing:
    """What counts towards V4 of the statements that a reader has, and why others do not."""

    audits: list[DataAudit] = field(default_factory=list)
    findings: set[str] = field(default_factory=set)
    """Names of those that count."""
    refused: dict[str, str] = field(default_factory=dict)
    """`audit`, or the name of a finding, to why one does not count."""
    is_disputed: bool = False


def counted_measures(plan: Plan, label: Label) -> list[MeasurePlan]:
    """The plan's measures that rows of the label decide on with at least one answer."""
    rows = (row for level in label.levels for row in level.rows)
    counted = {row.measure for row in rows if row.measure is not None and row.n > 0}
    return [m for m in plan.measures if m.id in counted or m.id.split("@")[0] in counted]


def counted_suites(plan: Plan, label: Label) -> list[StreamPlan]:
    """The suites that those measures are counted on, in the plan's order."""
    suites = {measure.suite for measure in counted_measures(plan, label)}
    return [stream for stream in plan.streams if stream.suite in suites]


def is_judged(plan: Plan, label: Label, judge_requests: int) -> bool:
    """True if scores that the label counts come from a judge model, or nobody can tell that they do not.

    A judge asks, and its questions are in the evidence. Beside that, a detector that is not exact and was opened with a
    setting (`judge:MODEL`, another tool's scorer), or that scored imported answers, may be one.
    """
    if judge_requests:
        return True
    names = {measure.detector for measure in counted_measures(plan, label)}
    cards = (card for card in plan.detectors if card.name in names and not card.exact)
    return any(plan.imported is not None or ":" in card.reference for card in cards)


def find_lacking(plan: Plan, label: Label, judge_requests: int, standing: Standing) -> tuple[str, ...]:
    """Everything that keeps a label from V4, beside what keeps it from V3; empty where nothing does."""
    needed = [n for n in FINDINGS if n != JUDGE_CALIBRATION or is_judged(plan, label, judge_requests)]
    lacking = [*_lacking_audits(standing), *_uncovered(counted_suites(plan, label), standing.audits)]
    lacking += [
        standing.refused.get(name, f"no statement on {FINDINGS[name]}")
        for name in needed
        if name not in standing.findings
    ]
    return (*lacking, "it is disputed") if standing.is_disputed else tuple(lacking)


def _lacking_audits(standing: Standing) -> Iterator[str]:
    if not standing.audits:
        yield standing.refused.get("audit", "no statement on training data")
    elif all(audit.relation != "declared-training-data" for audit in standing.audits):
        yield "no statement on training data other than that of fine-tuning"


def _uncovered(suites: Sequence[StreamPlan], audits: Iterable[DataAudit]) -> Iterator[str]:
    """Suites of which nobody says whether a data set holds them, data set by data set: another one tells nothing."""
    of_set: dict[str, list[DataAudit]] = {}
    for audit in audits:
        of_set.setdefault(audit.audit.dataset_root, []).append(audit)
    for root, together in of_set.items():
        for stream in suites:
            found = [matches for audit in together if (matches := matches_of(stream, audit)) is not None]
            if not found:
                yield f"no statement on {stream.suite} in the data set {root[:19]}"
            elif all(
                matches.items != stream.samples or matches.unchecked == matches.items for matches in found
            ):
                yield f"no statement on all {stream.samples} samples of {stream.suite} in the data set {root[:19]}"


def matches_of(stream: StreamPlan, audit: DataAudit) -> BenchmarkMatches | None:
    """What an audit found of a suite, by its name and digest; None where it did not look for it."""
    wanted = (stream.suite, stream.suite_sha256)
    return next((m for m in audit.contamination if (m.benchmark, m.benchmark_sha256) == wanted), None)


def is_contaminated(plan: Plan, label: Label, audits: Iterable[DataAudit]) -> bool:
    """True if an audit found an item of a suite that the label counts."""
    suites = counted_suites(plan, label)
    found = (matches_of(stream, audit) for audit in audits for stream in suites)
    return any(matches is not None and matches.items_matched for matches in found)


def say_lacking(lacking: Sequence[str]) -> str:
    """What is lacking, in one sentence."""
    more = [f"and {len(lacking) - MAX_NAMED} more"] if len(lacking) > MAX_NAMED else []
    return f"{'; '.join([*lacking[:MAX_NAMED], *more])} (V4)"
