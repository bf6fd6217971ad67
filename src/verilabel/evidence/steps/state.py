"""What the steps of a verification share: what has been established so far, and how a step ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from verilabel.errors import CheckFailed, SealError
from verilabel.evidence.container import Container
from verilabel.evidence.counting import Recount
from verilabel.evidence.keys import PublicKey
from verilabel.evidence.manifest import Manifest
from verilabel.evidence.others.signed import Signed
from verilabel.evidence.plan_checks import FindCard, FindSuite
from verilabel.evidence.statement import Statement
from verilabel.evidence.suite_checks import SuiteFacts
from verilabel.evidence.trust import TrustPolicy
from verilabel.evidence.verification import StatementFinding, Verification
from verilabel.records.label import Label
from verilabel.records.plan import Plan
from verilabel.records.system import SystemDescriptor
from verilabel.rubric.structure import Rubric


@dataclass
class State:
    """What the steps have established so far."""

    path: Path
    trust: TrustPolicy | None
    now: datetime
    container: Container
    references: Sequence[Verification]
    find_card: FindCard | None
    find_suite: FindSuite | None
    beside: Sequence[Signed]
    """Statements of others that the reader has beside the bundle."""
    manifest: Manifest | None = None
    signer_key: PublicKey | None = None
    signer: str | None = None
    signer_holders: frozenset[str] = frozenset()
    """What the trust policy calls the signer, for comparing (`trust.Accepted.holders`)."""
    statement: Statement | None = None
    system: SystemDescriptor | None = None
    plan: Plan | None = None
    rubric: Rubric | None = None
    label: Label | None = None
    root: str | None = None
    leaves: int = 0
    recounted: Recount | None = None
    departure: SealError | None = None
    """Where the evidence leaves the plan's committed order."""
    suites: Mapping[str, SuiteFacts] = field(default_factory=dict)
    hidden: str | None = None
    """Where the surplus holds an attempt at a counted answer."""
    given: Mapping[str, Signed] = field(default_factory=dict)
    """Name to the finding that the label leans on."""
    given_audits: tuple[Signed, ...] = ()
    """Audits of training data that were enclosed when the label was made."""
    statements: tuple[StatementFinding, ...] = ()
    lacking_for_v4: tuple[str, ...] = ()
    flags: list[str] = field(default_factory=list)
    short_of: dict[str, str] = field(default_factory=dict)
    """Level to why it is not reached."""
    evidence_digest: Future[str] | None = None


class Skipped(Exception):
    """A step that has nothing to check in this bundle; the message says what that costs."""


def does_not_follow(state: State, message: str, where: str) -> NoReturn:
    """End a step: the label does not follow from the evidence, which keeps it below V2."""
    state.short_of["V2"] = message
    raise CheckFailed(message, where=where)
