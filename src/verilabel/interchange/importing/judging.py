"""The verdict on an import: are the claims evidenced by the records, or only claimed?

Evidenced needs all of: every record that the header counts, each once, with its prompt and answer or at least a score;
at least one headline that the records give again, and none that they contradict; nothing that the reader objects to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from verilabel.interchange.importing.recomputing import MetricFinding, recompute_metrics
from verilabel.interchange.importing.run import ClaimedCount, ImportedRecord, ImportedRun

MAX_REASONS = 5
"""Of one kind that are spelt out; the rest is counted."""


@dataclass(frozen=True)
class Judgement:
    """What an import found."""

    run: ImportedRun
    findings: tuple[MetricFinding, ...]
    reasons: tuple[str, ...]
    """Why the claims are not evidenced; empty where they are."""
    held: str
    """What the records hold."""

    @property
    def evidenced(self) -> bool:
        """True if the records bear out the claims."""
        return not self.reasons

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        return "evidenced" if self.evidenced else "claimed, not evidenced"

    @property
    def items(self) -> int:
        """Distinct samples."""
        return len({(record.group, record.id) for record in self.run.records})


def judge_import(run: ImportedRun, *, part_is_meant: bool = False) -> Judgement:
    """Judge a run. `part_is_meant`: its records are taken as a suite of their own, although the data set has more."""
    findings = recompute_metrics(run)
    reasons = list(run.objections)
    if not run.records:
        reasons.append("no samples are in the log")
    else:
        reasons += _check_counts(run, part_is_meant)
        reasons += _check_records(run.records)
        reasons += _check_made_from(run.records, findings)
    reasons += _check_findings(findings, has_records=bool(run.records))
    return Judgement(run, findings, tuple(dict.fromkeys(reasons)), describe_records(run.records))


def select_group(run: ImportedRun, group: str) -> ImportedRun:
    """The run with the records and claims of one group alone. Claims over all groups are left out."""
    from dataclasses import replace

    return replace(
        run,
        records=tuple(record for record in run.records if record.group == group),
        metrics=tuple(metric for metric in run.metrics if metric.group == group),
        counts=tuple(count for count in run.counts if count.group == group),
        notes=(*run.notes, f"group {group!r} alone"),
    )


def _check_counts(run: ImportedRun, part_is_meant: bool) -> Iterator[str]:
    lacking = {
        count.group
        for count in run.counts
        if count.kind == "records" and _count_held(count, run.records) < count.count
    }
    for count in run.counts:
        held = _count_held(count, run.records)
        if count.kind == "dataset":
            if held < count.count and not part_is_meant and count.group not in lacking:
                yield f"partial: {held:,} of {count.count:,} {count.what} are in the log"
            elif held > count.count:
                yield f"the header states {count.count:,} {count.what}, the log holds {held:,}"
        elif held != count.count:
            yield f"the header states {count.count:,} {count.what}, the log holds {held:,}"


def _count_held(count: ClaimedCount, records: Sequence[ImportedRecord]) -> int:
    mine = [record for record in records if count.group is None or record.group == count.group]
    match count.kind:
        case "records":
            return len(mine)
        case "finished":
            return sum(record.error is None for record in mine)
    return len({(record.group, record.id) for record in mine})


def _check_records(records: Sequence[ImportedRecord]) -> Iterator[str]:
    times = Counter((record.group, record.id, record.epoch) for record in records)
    twice = [(name, epoch) for (_, name, epoch), count in times.items() if count > 1]
    if twice:
        name, epoch = twice[0]
        yield f"{len(twice):,} records stand twice, the first sample {name[:80]!r} epoch {epoch}"
    bare = sum(not _is_evidence(record) for record in records)
    if bare:
        yield f"{bare:,} of {len(records):,} records hold neither an answer with its prompt nor a score"


def _check_made_from(records: Sequence[ImportedRecord], findings: Sequence[MetricFinding]) -> Iterator[str]:
    """What a headline that agrees is made from: an answer that failed has no score, and one that did not has one."""
    failed: set[int] = set()
    unscored: dict[str, int] = {}
    for metric in (f.metric for f in findings if f.verdict == "agrees" and f.metric.is_headline):
        kind = "" if metric.derivation is None else metric.derivation.kind
        mine = [r for r in records if metric.group is None or r.group == metric.group]
        failed |= {id(record) for record in mine if _is_scored_failure(record, metric.key)}
        if kind in ("mean", "mean_of_trials") and metric.absent_is_missing:
            lacking = sum(record.error is None and _lacks(record, metric.key) for record in mine)
            if lacking:
                unscored[f"{metric.label}: {lacking:,} of {len(mine):,}"] = lacking
    if failed:
        yield f"{len(failed):,} records ended with an error, and have scores that the headlines count"
    for shown in list(unscored)[:MAX_REASONS]:
        yield f"{shown} records have neither its score nor an error"


def _is_scored_failure(record: ImportedRecord, key: str) -> bool:
    score = record.scores.get(key)
    # a reason beside a number: the tool itself counts its errors so
    return record.error is not None and score is not None and score.number is not None and not score.reason


def _lacks(record: ImportedRecord, key: str) -> bool:
    score = record.scores.get(key)
    return score is None or score.is_empty


def _is_evidence(record: ImportedRecord) -> bool:
    if record.error is not None:
        return True  # a failure is a finding: it counts as missing
    answered = bool(record.messages) and record.output is not None
    return answered or any(score.number is not None for score in record.scores.values())


def _check_findings(findings: Sequence[MetricFinding], *, has_records: bool) -> Iterator[str]:
    if not findings:
        yield "there is no headline to compare with"
    wrong = [finding for finding in findings if finding.verdict == "contradicts"]
    for finding in wrong[:MAX_REASONS]:
        yield f"{finding.metric.label}: {finding.reason}"
    if len(wrong) > MAX_REASONS:
        yield f"{len(wrong) - MAX_REASONS} more headlines are contradicted"
    agreed = [f for f in findings if f.verdict == "agrees" and f.metric.is_headline]
    confirmed = bool(agreed)
    if findings and has_records and not confirmed:
        yield "no headline could be made again and agreed"
        open_ones = Counter(f.reason for f in findings if f.verdict == "not_recomputable")
        for reason, count in open_ones.most_common(MAX_REASONS):
            yield reason if count == 1 else f"{reason} ({count} headlines)"


def describe_records(records: Sequence[ImportedRecord]) -> str:
    """What the records hold, in words."""
    if not records:
        return "no records"
    parts = {
        "prompt": sum(bool(record.messages) for record in records),
        "answer": sum(record.output is not None for record in records),
        "score": sum(any(s.number is not None for s in record.scores.values()) for record in records),
        "error": sum(record.error is not None for record in records),
    }
    whole = [name for name, count in parts.items() if count == len(records)]
    some = [f"{name} in {count:,}" for name, count in parts.items() if 0 < count < len(records)]
    return (
        "; ".join(filter(None, (f"each with {', '.join(whole)}" if whole else "", ", ".join(some))))
        or "nothing"
    )
