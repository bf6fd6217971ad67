"""What a detector says of one answer: scored, or unscored with the reason. Never NaN, never a guess."""

from __future__ import annotations

import msgspec

from verilabel.records.canonical import digest, jcs


class Scored(
    msgspec.Struct,
    frozen=True,
    gc=False,
    tag_field="kind",
    tag="score",
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """A detector's finding: whether the event it looks for is true of the answer."""

    suite: str
    sample: str
    epoch: int
    detector: str
    """`id@version` of the detector."""
    event: str
    """The event named after its truth: refused, harmful, correct, matched."""
    value: bool
    detail: str | None = None
    """A short reason a person can check: the rule that matched, the letter that was read."""


class Unscored(
    msgspec.Struct,
    frozen=True,
    tag_field="kind",
    tag="unscored",
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """The detector could not tell. Counts worst-case for the claim (label-semantics section 5)."""

    suite: str
    sample: str
    epoch: int
    detector: str
    event: str
    reason: str


class ErrorCounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A detector's measured error against people: counts, never rates, so that bounds can be recomputed.

    `true_positives` of `positives` outputs that people labelled with the event were found; `true_negatives`
    of `negatives` without it were cleared.
    """

    true_positives: int
    positives: int
    true_negatives: int
    negatives: int
    dataset: str
    dataset_sha256: str
    language: str = "en"
    method: str = ""
    """How it was measured, for example leave-one-model-out."""


class DetectorCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which detector, exactly, and how wrong it is. `exact` detectors compute their event and have no judge error."""

    id: str
    version: str
    event: str
    sha256: str
    """Digest of its rules, weights or judge prompt and settings."""
    exact: bool = False
    errors: tuple[ErrorCounts, ...] = ()
    setting: str = ""
    """What follows the id where the detector is opened with a setting: `regex:PATTERN`, `number:TOLERANCE`."""

    @property
    def reference(self) -> str:
        """What opens the detector again."""
        return f"{self.id}:{self.setting}" if self.setting else self.id

    @property
    def name(self) -> str:
        """`id@version`, as score records cite it."""
        return f"{self.id}@{self.version}"

    @property
    def digest(self) -> str:
        """Digest of the whole card."""
        return digest(jcs(msgspec.to_builtins(self)))

    def pooled(self, language: str = "en") -> ErrorCounts | None:
        """The counts of every measurement in one language added up; None where there is none."""
        mine = [e for e in self.errors if e.language == language]
        if not mine:
            return None
        if len(mine) == 1:
            return mine[0]
        return ErrorCounts(
            true_positives=sum(e.true_positives for e in mine),
            positives=sum(e.positives for e in mine),
            true_negatives=sum(e.true_negatives for e in mine),
            negatives=sum(e.negatives for e in mine),
            dataset=" + ".join(e.dataset for e in mine),
            dataset_sha256=digest("".join(sorted(e.dataset_sha256 for e in mine)).encode()),
            language=language,
            method="pooled",
        )
