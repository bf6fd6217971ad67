"""Withheld records: what stays in the open of an attempt that its owner commits to and does not show.

A `SealedAttempt` keeps all by which an attempt is counted, and a commitment to the rest; whoever has the attempt's
line and its salt can show later what was committed to (docs/formats.md, "A sealed bundle").
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from verilabel.records.attempt import Attempt, Failure, Observation, Usage
from verilabel.records.score import Scored, Unscored

REASON = "withheld"
"""The reason of an unscored record whose own reason is withheld."""
OPEN_ANSWERS = 5
"""How many answers of each suite, the first of the committed order, stay open (label-semantics section 13)."""
Digest = Annotated[str, msgspec.Meta(pattern=r"\Asha256:[0-9a-f]{64}\Z")]


class WithheldFailure(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """Why a withheld attempt gave no answer, as `Failure` without the message, which may repeat a response."""

    kind: str
    retryable: bool = False
    fatal: bool = False


class SealedAttempt(
    msgspec.Struct,
    frozen=True,
    tag_field="kind",
    tag="sealed",
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """The stand-in of a withheld attempt. Exactly one of `answered` and `failure` is set."""

    suite: str
    sample: str
    epoch: int
    attempt: int
    commitment: Digest
    """SHA-256(0x00 || salt || line) over 32 random bytes and the attempt's exact line."""
    judge: str | None = None
    answered: bool = False
    """True where the attempt has an output."""
    said: bool = False
    """True where a failed attempt had a response that is not empty."""
    status: int | None = None
    finish: str | None = None
    served_model: str | None = None
    fingerprint: str | None = None
    usage: Usage | None = None
    failure: WithheldFailure | None = None

    @property
    def contradiction(self) -> str | None:
        """What two of its fields say against each other, or None."""
        if self.answered and self.failure is not None:
            return "it is answered and it failed"
        if not self.answered and self.failure is None:
            return "it is neither answered nor failed"
        return (
            "an answered attempt is said to have a failed one's response"
            if self.answered and self.said
            else None
        )

    def as_counted(self) -> Attempt:
        """An attempt with empty texts that is counted exactly as the withheld one."""
        failure = self.failure
        return Attempt(
            suite=self.suite,
            sample=self.sample,
            epoch=self.epoch,
            attempt=self.attempt,
            request="",
            judge=self.judge,
            status=self.status,
            response=REASON if self.said else None,
            output="" if self.answered else None,
            finish=self.finish,
            served_model=self.served_model,
            fingerprint=self.fingerprint,
            usage=self.usage,
            failure=Failure(failure.kind, "", failure.retryable, failure.fatal) if failure else None,
        )


def withhold_attempt(attempt: Attempt, commitment: str) -> SealedAttempt:
    """The stand-in of an attempt under its commitment."""
    failure = attempt.failure
    return SealedAttempt(
        suite=attempt.suite,
        sample=attempt.sample,
        epoch=attempt.epoch,
        attempt=attempt.attempt,
        commitment=commitment,
        judge=attempt.judge,
        answered=attempt.output is not None,
        said=failure is not None and bool(attempt.response or attempt.response_base64),
        status=attempt.status,
        finish=attempt.finish,
        served_model=attempt.served_model,
        fingerprint=attempt.fingerprint,
        usage=attempt.usage,
        failure=WithheldFailure(failure.kind, failure.retryable, failure.fatal) if failure else None,
    )


def withhold_finding(finding: Scored | Unscored) -> Scored | Unscored:
    """A finding about a withheld answer, without the words that may repeat it."""
    if isinstance(finding, Scored):
        return msgspec.structs.replace(finding, detail=None)
    return msgspec.structs.replace(finding, reason=REASON)


def withhold_observation(observation: Observation) -> Observation:
    """An observation of a withheld attempt, without the headers, which a server may fill as it likes."""
    return msgspec.structs.replace(observation, headers={})


def tells_what_is_withheld(finding: Scored | Unscored) -> bool:
    """True if a finding holds words of its own about an answer."""
    if isinstance(finding, Scored):
        return finding.detail is not None
    return finding.reason != REASON
