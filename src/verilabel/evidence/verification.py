"""What a verifier found: every step with its outcome, and the level that follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Literal

import msgspec

from verilabel.errors import VerilabelError
from verilabel.evidence.others.audit import AUDIT_LIMIT
from verilabel.records.label import Label
from verilabel.records.plan import Plan
from verilabel.records.system import SystemDescriptor
from verilabel.records.tally import Tally


class Level(StrEnum):
    """The levels of label-semantics section 12, lowest first; they compare in this order, with plain strings too."""

    V0 = "V0"
    V1 = "V1"
    V2S = "V2s"
    V2 = "V2"
    V3 = "V3"
    V4 = "V4"

    @property
    def rank(self) -> int:
        """The place in the order, from 0."""
        return list(Level).index(self)

    # The alphabet would put V2s above V2. Another string than a level's raises ValueError.
    def __lt__(self, other: str) -> bool:
        return self.rank < Level(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= Level(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > Level(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= Level(other).rank


LEVEL_NAMES = {
    "V0": "claimed",
    "V1": "signed",
    "V2s": "recomputed, records sealed",
    "V2": "recomputed",
    "V3": "replicated",
    "V4": "audited",
}
Outcome = Literal["passed", "failed", "skipped", "not_reached"]


class Step(msgspec.Struct, frozen=True):
    """One numbered step of the verification."""

    number: int
    name: str
    outcome: Outcome
    detail: str = ""


class StatementFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One statement that somebody signed about the label, and what it counts for."""

    kind: str
    """replication, dispute, withdrawal, finding, audit."""
    digest: str
    signer: str
    """The name the trust policy gives its signer, else the key's own name and id."""
    keyid: str
    issued: str
    counts: bool
    """True if it changes the level or the flags."""
    says: str
    """In a few words: the verdict, the grounds, the reason."""
    why: str = ""
    """Why it does not count, where it does not."""
    logged: bool = False


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """The whole finding (label-semantics section 12). `failure` is set where a step says the bundle is not genuine."""

    level: Level
    reason: str
    """Why the level is not higher; of V4, what it leaves open."""
    steps: tuple[Step, ...]
    flags: tuple[str, ...] = ()
    """current, expired, not_yet_valid; identity:...; unwitnessed; signer_unpinned; judge_uncertified; ..."""
    label: Label | None = None
    system: SystemDescriptor | None = None
    plan: Plan | None = None
    signer: str | None = None
    """The name the trust policy gives the signer, else the key's id."""
    keyid: str | None = None
    issued: str | None = None
    valid_until: str | None = None
    root: str | None = None
    leaves: int = 0
    tallies: dict[str, Tally] = {}
    """Measure to the counts that were derived from the evidence."""
    manifest_sha256: str | None = None
    statement_sha256: str | None = None
    """Digest of the label's statement: what statements of others are about."""
    statements: tuple[StatementFinding, ...] = ()
    lacking_for_v4: tuple[str, ...] = ()
    """What keeps the label from V4 beside what keeps it from V3; empty too where the check ended before step 11."""
    failure: VerilabelError | None = None

    @property
    def level_name(self) -> str:
        """For example `V2 recomputed`."""
        return f"{self.level} {LEVEL_NAMES[self.level]}"

    @property
    def sentence(self) -> str:
        """The sentence every page prints: the pair, the level, the validity and the system."""
        label = self.label.sentence if self.label else "no label"
        parts = [label, self.level_name]
        if self.valid_until and "current" in self.flags:
            parts.append(f"current until {self.valid_until[:10]}")
        elif self.valid_until and "expired" in self.flags:
            parts.append(f"expired on {self.valid_until[:10]}")
        parts.extend(word for word in ("revoked", "superseded", "disputed") if word in self.flags)
        if self.system:
            system = self.system
            parts.append(f"for system {system.digest[7:15]} ({system.use_case}, {system.locale})")
        return "; ".join(parts) + "."


def level_of(
    steps: Sequence[Step], short_of: Mapping[str, str], failure: VerilabelError | None
) -> tuple[Level, str]:
    """The level that the steps allow, and why it is not higher; of V4, which is the highest, what it leaves open.

    `short_of` says of a level why it is not reached, and of V2s why the label goes no further than that.
    """
    failed = next((step.number for step in steps if step.outcome == "failed"), None)
    if failed is not None and failed <= 7:
        return Level.V0, str(failure)
    if "V1" in short_of:
        return Level.V0, short_of["V1"]
    if failed is not None:
        return Level.V1, short_of.get("V2", str(failure))
    if "V2" in short_of:
        return Level.V1, short_of["V2"]
    if "V2s" in short_of:
        return Level.V2S, short_of["V2s"]
    if "V3" in short_of:
        return Level.V2, short_of["V3"]
    if "V4" in short_of:
        return Level.V3, short_of["V4"]
    return Level.V4, AUDIT_LIMIT
