"""What an audit may say with confidence: bounds on how many documents contain something, and the words for it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Literal

import msgspec

from verilabel.audit.bounds.corrected import (
    MILLION,
    Counted,
    bound_pool,
    bound_true_share,
    most_documents,
    pooled_recall,
    weakest_recall,
)
from verilabel.errors import MalformedInput
from verilabel.records.score import ErrorCounts
from verilabel.statistics.arguments import check_counts, exact_level
from verilabel.statistics.judge import false_positive_upper, sensitivity_lower

Method = Literal["census", "sample", "sample_with_errors"]
_JUDGE_SHARE = Fraction(1, 5)
"""Of the level, spent on the detector's own errors (label-semantics section 6)."""
_ALONE = "Each bound holds by itself at the confidence, not all bounds of an audit together."
_READ = "It is about the documents that were read; documents that were not read are not counted as clean."
_FORMS = (
    "It is about values in the forms that were planted, in any mix of them; other forms were not measured."
)
_APART = (
    "Documents are missed independently of one another; copies of one document are found or missed together."
)
_FLAGGED = "It is about what the detector says; its own errors were not measured."
_FAILED = "Documents on which the detector gave no answer count as containing it above, as free of it below."
_ERRORS = "The detector errs here as often as where its errors were measured."


class Audited(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of the documents in which something was found, so many were drawn at random and looked at by people."""

    checked: int
    correct: int


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many of the documents read contain something: bounds that hold with a confidence under named assumptions."""

    kind: str
    method: Method
    read: int
    unread: int | None
    """Documents that could not be read; None where their number is not known."""
    found: int
    """Documents in which it was found, of those read, or of those drawn."""
    confidence: str
    upper: int
    """No more of the documents read contain it; `read` where there is no bound."""
    lower: int
    """No fewer; 0 where there is no bound."""
    upper_per_million: int
    """`upper` of a million documents read, rounded up."""
    lower_per_million: int
    """`lower` of a million documents read, rounded down."""
    upper_with_unread_per_million: int | None
    """The same if every document that was not read contained it, of all documents. None where `unread` is."""
    assumptions: tuple[str, ...]
    drawn: int = 0
    """Documents drawn at random; 0 for a census."""
    failed: int = 0
    """Of those drawn, without an answer."""
    recall_lower: str | None = None
    """Lower bound of recall (or sensitivity) that `upper` rests on, six places; None where none was used."""
    weakest_format: str | None = None
    """The planted format that this bound of recall is of."""
    upper_as_planted: int | None = None
    """The upper bound if forms are mixed as they were planted, equally often: it rests on pooled recall."""
    audited: Audited | None = None


def state_census(
    kind: str,
    *,
    read: int,
    unread: int | None,
    found: int,
    recalls: Sequence[Counted],
    confidence: str = "0.95",
    audited: Audited | None = None,
) -> Statement:
    """The bounds after every document read was searched, and `found` of them contain a finding of the kind.

    `recalls` are the counts of the canaries of this kind, of this run, a format each. With a = 1 - confidence, a/2 goes
    to the bound of recall R and a/2 to the largest T with P(Bin(T, R) <= found) > a/2; a third each where audited
    findings bound how many of those found are true. The lower bound needs audited findings, for nothing else says that
    what was found is real. Raises MalformedInput for counts that cannot be.
    """
    alpha = _level(confidence)
    check_counts(found, read)
    part, true_found, lower = alpha / 2, found, 0
    if audited is not None and audited.checked:
        part = alpha / 3
        lower, _ = bound_pool(audited.correct, audited.checked, found, alpha)
        _, true_found = bound_pool(audited.correct, audited.checked, found, part)
    weakest, pooled = weakest_recall(recalls, part), pooled_recall(recalls, part)
    upper = most_documents(true_found, read, weakest.recall, part)
    return _state(
        Statement(
            kind=kind,
            method="census",
            read=read,
            unread=unread,
            found=found,
            confidence=confidence,
            upper=upper,
            lower=lower,
            upper_per_million=0,
            lower_per_million=0,
            upper_with_unread_per_million=None,
            assumptions=(_ALONE, _READ, _FORMS, _APART),
            recall_lower=f"{weakest.recall:.6f}",
            weakest_format=weakest.format,
            upper_as_planted=most_documents(true_found, read, pooled.recall, part),
            audited=audited,
        )
    )


def state_sample(
    kind: str,
    *,
    read: int,
    unread: int | None,
    drawn: int,
    found: int,
    failed: int = 0,
    errors: ErrorCounts | None = None,
    confidence: str = "0.95",
) -> Statement:
    """The bounds after `drawn` of the documents read were drawn at random without replacement, and `found` contain it.

    Without `errors`, exact for the finite number read (hypergeometric), and about what the detector flags. With them, a
    fifth of the level goes to sensitivity and false positives, and the bounds are about what is truly there. Raises
    MalformedInput for counts that cannot be.
    """
    alpha = _level(confidence)
    check_counts(drawn, read)
    check_counts(found + failed, drawn)
    assumptions = [_ALONE, _READ, _FAILED]
    sensitivity = None
    if errors is None:
        lower, _ = bound_pool(found, drawn, read, alpha)
        _, upper = bound_pool(found + failed, drawn, read, alpha)
        assumptions.append(_FLAGGED)
    else:
        spent = alpha * _JUDGE_SHARE
        sensitivity = sensitivity_lower(errors.true_positives, errors.positives, spent)
        invented = false_positive_upper(errors.true_negatives, errors.negatives, spent)
        least, most = bound_true_share(found, failed, drawn, sensitivity, invented, alpha - spent)
        lower, upper = ceil(least * read), floor(most * read)
        assumptions.append(_ERRORS)
    return _state(
        Statement(
            kind=kind,
            method="sample" if errors is None else "sample_with_errors",
            read=read,
            unread=unread,
            found=found,
            confidence=confidence,
            upper=upper,
            lower=lower,
            upper_per_million=0,
            lower_per_million=0,
            upper_with_unread_per_million=None,
            assumptions=tuple(assumptions),
            drawn=drawn,
            failed=failed,
            recall_lower=None if sensitivity is None else f"{sensitivity:.6f}",
        )
    )


def _level(confidence: str) -> Fraction:
    try:
        exact = Decimal(confidence)
    except ArithmeticError as error:
        raise MalformedInput(f"the confidence {confidence!r} is not a decimal", hint="write 0.95") from error
    return 1 - exact_level(exact, "confidence")


def _state(bare: Statement) -> Statement:
    """The statement with its rates per million, rounded outward."""
    if bare.unread is not None:
        check_counts(0, bare.unread)
    whole = None if bare.unread is None else bare.read + bare.unread
    return msgspec.structs.replace(
        bare,
        upper_per_million=_per_million_up(bare.upper, bare.read),
        lower_per_million=bare.lower * MILLION // bare.read if bare.read else 0,
        upper_with_unread_per_million=(
            None if whole is None else _per_million_up(bare.upper + whole - bare.read, whole)
        ),
    )


def _per_million_up(count: int, of: int) -> int:
    return -(-count * MILLION // of) if of else MILLION


# ---------------------------------------------------------------- words


def describe_coverage(read: int, unread: int | None) -> str:
    """The share of documents that was read, rounded down so that less than all never reads as 100 %."""
    if unread is None:
        return "an unknown share of all"
    if not read + unread:
        return "there were none"
    share = Decimal(100 * read) / Decimal(read + unread)
    return f"{_plain(share.quantize(Decimal('0.01'), ROUND_DOWN))} %"


def describe_statement(statement: Statement, what: str | None = None) -> str:
    """One sentence: the bounds, their confidence, and what share of the documents they are about.

    `what` names what the documents contain; the kind's id where it is not given.
    """
    name = what or statement.kind
    sure = f"{_plain(Decimal(statement.confidence) * 100)} %"
    about = f"of those read ({describe_coverage(statement.read, statement.unread)})"
    if statement.upper >= statement.read and not statement.lower:
        return f"how many documents contain {name} is not bounded: {_reason(statement)}"
    if statement.upper >= statement.read:
        return f"no fewer than {statement.lower_per_million:,} per million documents contain {name} ({sure}), {about}"
    most = f"no more than {statement.upper_per_million:,} per million documents contain {name} ({sure})"
    if not statement.lower_per_million:
        return f"{most}, {about}"
    return f"{most}, and no fewer than {statement.lower_per_million:,} ({sure}), {about}"


def _reason(statement: Statement) -> str:
    if not statement.read:
        return "no document was read"
    if statement.method != "census":
        return "no document was drawn" if not statement.drawn else "too few documents were drawn"
    if statement.weakest_format is None:
        return "no canaries were planted, so the share that is found is not known"
    if Decimal(statement.recall_lower or 0) == 0:
        return f"no canary of the format {statement.weakest_format} was found"
    return "too many documents may have been missed"


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
