"""Step 10 of a verification: is the label in force at the time of reading, and was it ever signed for that long?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from verilabel.errors import CheckFailed
from verilabel.evidence.layout import ATTESTATION, PLAN
from verilabel.evidence.statement import LabelPredicate, parse_time
from verilabel.records.plan import Plan
from verilabel.rubric.structure import Rubric


class Objection(NamedTuple):
    """Why a label is not in force; `flag` is the word for it, where it is a matter of the reader's time."""

    why: str
    flag: str | None = None
    hint: str | None = None
    where: str = ATTESTATION

    @property
    def error(self) -> CheckFailed:
        """The error to raise."""
        return CheckFailed(f"the label is not in force: {self.why}", where=self.where, hint=self.hint)


def find_objection(predicate: LabelPredicate, plan: Plan, rubric: Rubric, now: datetime) -> Objection | None:
    """The first reason why a label does not count at `now`, or None.

    A label is signed for its rubric's `max_age` at most, not beyond its rubric's sunset, and on evidence whose plan
    is not older than `max_age` itself: otherwise signing again would make old evidence new.
    """
    issued = parse_time(predicate.issued, where=ATTESTATION)
    until = parse_time(predicate.valid_until, where=ATTESTATION)
    longest = timedelta(days=rubric.validity.days)
    sunset = rubric.validity.sunset
    if until - issued > longest:
        return Objection(f"it is signed for longer than the {longest.days} days of its rubric")
    if sunset is not None and until > datetime.fromisoformat(sunset).replace(tzinfo=UTC):
        return Objection(f"it is signed beyond {sunset}, when its rubric goes out of use")
    if now >= until:
        return Objection(
            f"it expired on {until:%d %B %Y}", flag="expired", hint="evaluate again: `verilabel label`"
        )
    if now < issued:
        why = f"it is valid only from {issued:%d %B %Y}"
        return Objection(why, flag="not_yet_valid", hint="check this machine's clock")
    return _find_in_plan(issued, plan, longest)


def _find_in_plan(issued: datetime, plan: Plan, longest: timedelta) -> Objection | None:
    where = f"{PLAN} $.created"
    planned = parse_time(plan.created, where=where)
    if planned > issued:
        return Objection(
            f"it was signed on {issued:%d %B %Y}, before its plan was made",
            hint="check the clock",
            where=where,
        )
    if issued - planned > longest:
        why = f"its plan was older than the {longest.days} days of its rubric when it was signed"
        return Objection(why, hint="evaluate again: `verilabel label`", where=where)
    return None
