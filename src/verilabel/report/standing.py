"""How a label stands: what a failed step means, whether it is in force, and what the card says beside the level."""

from __future__ import annotations

from collections.abc import Sequence

from verilabel.errors import CheckFailed
from verilabel.evidence.verification import Verification
from verilabel.report.view import BadgeView, StatementView
from verilabel.report.wording import BADGE_SAYS, VALIDITY_SAYS, WARNING_SAYS, say_list

STANDING_STEPS = (10, 11)
"""The verifier's steps on validity and on what others signed: their failing says nothing against the evidence."""


def judge_failure(verification: Verification) -> tuple[str | None, bool]:
    """What a failed step means for a reader, and whether the figures still follow from sealed evidence."""
    failed = next((step.number for step in verification.steps if step.outcome == "failed"), None)
    if failed is None:
        return None, True
    says_no = isinstance(verification.failure, CheckFailed)
    if failed in STANDING_STEPS:
        return WARNING_SAYS["not_in_force" if says_no else "statement"], True
    return WARNING_SAYS["not_derived" if says_no else "changed"], False


def say_validity(verification: Verification) -> str:
    """Whether the label is in force, in a few words."""
    flags = set(verification.flags)
    if verification.valid_until is None:
        kind = "unsigned"
    elif "expired" in flags:
        kind = "expired"
    elif flags & {"revoked", "superseded"}:
        kind = "withdrawn"
    else:
        kind = next((flag for flag in ("not_yet_valid", "current") if flag in flags), "unchecked")
    until, issued = (verification.valid_until or "")[:10], (verification.issued or "")[:10]
    return VALIDITY_SAYS[kind].format(until=until, issued=issued)


def list_badges(verification: Verification, statements: Sequence[StatementView]) -> tuple[BadgeView, ...]:
    """What stands beside the level, with who and when from the statements that count."""
    return tuple(
        _badge(flag, [s for s in statements if s.counts and _raises(flag, s, verification)])
        for flag in BADGE_SAYS
        if flag in verification.flags
    )


def _raises(flag: str, statement: StatementView, verification: Verification) -> bool:
    """True if the statement is one of those for which the verifier raised the flag."""
    if statement.about != verification.statement_sha256:
        return False
    if flag == "disputed":
        return statement.kind == "dispute"
    word = {"revoked": "withdrawn", "superseded": "superseded"}.get(flag)
    return statement.kind == "withdrawal" and statement.says == word


def _badge(flag: str, raised_by: Sequence[StatementView]) -> BadgeView:
    words = BADGE_SAYS[flag]
    says = words["says"].format(
        signers=say_list([statement.signer for statement in raised_by]),
        dates=say_list([statement.issued[:10] for statement in raised_by]),
    )
    return BadgeView(flag, words["word"], words["sign"], words["tone"], says)  # type: ignore[arg-type]
