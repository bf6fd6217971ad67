"""The statements of an audit: a pure function of its counts, so that whoever verifies it can make them again."""

from __future__ import annotations

from collections.abc import Sequence

from verilabel.audit.bounds.statements import Statement, state_census, state_sample
from verilabel.audit.canaries.recall import Recall
from verilabel.audit.proof.manifest import Coverage, KindTotal
from verilabel.audit.sampling.result import SampleResult
from verilabel.records.score import ErrorCounts


def state_all(
    coverage: Coverage,
    totals: Sequence[KindTotal],
    canaries: Sequence[Recall],
    sample: SampleResult | None,
    confidence: str,
) -> tuple[Statement, ...]:
    """A statement for every kind that was looked for: in every document, then in the sample."""
    unread = None if coverage.unknown else coverage.unread
    stated = [
        state_census(
            total.kind,
            read=coverage.read,
            unread=unread,
            found=total.documents,
            recalls=[count for count in canaries if count.kind == total.kind],
            confidence=confidence,
        )
        for total in totals
    ]
    for measured in sample.measured if sample is not None else ():
        for kind in measured.kinds:
            stated.append(
                state_sample(
                    f"{kind.id} by {measured.reference}",
                    read=coverage.read,
                    unread=unread,
                    drawn=measured.asked,
                    found=kind.positives,
                    failed=len(measured.unanswered),
                    errors=_errors_of(kind.errors),
                    confidence=confidence,
                )
            )
    return tuple(stated)


def _errors_of(errors: Sequence[ErrorCounts]) -> ErrorCounts | None:
    """The errors that bounds are corrected by: only where they were measured in one place."""
    return errors[0] if len(errors) == 1 else None
