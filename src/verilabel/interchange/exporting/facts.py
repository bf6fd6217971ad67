"""What every export says: the pair, the level, the digests; and the label's rows and intervals in plain values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from verilabel.interchange.exporting.source import Source
from verilabel.records.label import PAIR_WORDS, Label, LevelResult, Row, Status
from verilabel.records.plan import MeasurePlan
from verilabel.records.system import Scalar
from verilabel.records.tally import Tally
from verilabel.suites.format import Manifest

NONE = "none"
STATUS_WORDS: dict[Status, str] = {
    "met": "met",
    "not_met": "not met",
    "undetermined": "undetermined",
    "not_assessed": "not assessed",
}
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", re.ASCII)
_SLUG = re.compile(r"[^A-Za-z0-9._-]+")
MAX_SLUG = 100


def stand(source: Source) -> dict[str, str]:
    """The facts that every export carries, in one order: both halves of the pair, the level, digests and dates."""
    label, found = source.label, source.found
    low, high = PAIR_WORDS[label.kind]
    facts = {
        "sentence": found.sentence,
        "label": label.sentence,
        low: f"{label.lower} {label.lower_name}",
        high: f"{label.upper} {label.upper_name}",
        "verification": found.level_name,
        "verification_reason": found.reason,
        "flags": ", ".join(found.flags) or NONE,
        "statement_sha256": source.statement_sha256 or NONE,
        "manifest_sha256": found.manifest_sha256 or NONE,
        "evidence_root": found.root or NONE,
        "evidence_leaves": str(found.leaves),
        "plan_sha256": source.plan.digest,
        "rubric": f"{label.rubric.id}@{label.rubric.version}",
        "rubric_sha256": label.rubric.sha256,
        "system_sha256": source.system.digest,
        "use_case": source.system.use_case,
        "locale": source.system.locale,
        "identity": source.system.identity,
        "design": label.design,
        "signer": found.signer or NONE,
        "keyid": found.keyid or NONE,
        "issued": found.issued or NONE,
        "valid_until": found.valid_until or NONE,
    }
    if any(part.relation == "interpretation" for part in source.rubric.sources):
        facts["rubric_relation"] = "interpretation: its levels are this rubric's own, not a vendor's"
    if source.plan.imported is not None:
        imported = source.plan.imported
        facts["observed"] = f"no: imported from {imported.tool} {imported.tool_version}".strip()
    return facts


@dataclass(frozen=True)
class PlacedRow:
    """A row of the label and where it stands."""

    level: LevelResult
    number: int
    row: Row

    @property
    def id(self) -> str:
        """A name that is stable for one version of the rubric: `L2/when/1`."""
        return f"{self.level.level}/{self.level.test}/{self.number + 1}"

    @property
    def title(self) -> str:
        """What the row asks for: `quiz.right >= 0.5`."""
        if self.row.attested is not None:
            return f"attested: {self.row.attested}"
        return f"{self.row.measure} {self.row.op} {self.row.threshold}"

    @property
    def status(self) -> Status:
        """As the label has it."""
        return self.row.status

    @property
    def speaks_for(self) -> bool | None:
        """True if the row speaks for a better label, False if against it, None if it is open.

        `when` and `rule_out` ask for what is wanted; a `rule_in` that is met establishes a danger.
        """
        if self.status not in ("met", "not_met"):
            return None
        return (self.status == "met") is (self.level.test != "rule_in")

    @property
    def says(self) -> str:
        """The row in one sentence: status, counts, bounds, what it was tested at, and the reason."""
        row = self.row
        parts = [STATUS_WORDS[row.status]]
        if row.n:
            missing = f", {row.missing} missing" if row.missing else ""
            parts.append(f"{row.events} events in {row.n} answers{missing}")
        if row.lower is not None and row.upper is not None:
            parts.append(f"bounds {row.lower} .. {row.upper}")
        if row.tested_met is not None:
            parts.append(f"tested at {row.tested_met}")
        parts += [row.reason] if row.reason else []
        return "; ".join(parts)


def rows_of(label: Label) -> Iterator[PlacedRow]:
    """Every row of the label, level by level."""
    for level in label.levels:
        for number, row in enumerate(level.rows):
            yield PlacedRow(level, number, row)


@dataclass(frozen=True)
class Interval:
    """Bounds of a measure's rate, as decimal strings rounded outward, and how sure they are together."""

    lower: str
    upper: str
    confidence: str
    method: str


def interval_of(label: Label, measure: str) -> Interval | None:
    """The bounds that the label prints for a measure; of several rows the one that is surest of its bounds.

    Each bound is one-sided: together they hold with at least 1 - alpha_met - alpha_not_met (Bonferroni). They are
    bounds of the rate of what the detector flags, with missing answers counted against the claim on both sides. None
    where no row has bounds.
    """
    best: tuple[Fraction, Row] | None = None
    for placed in rows_of(label):
        row = placed.row
        if row.measure != measure or None in (row.lower, row.upper, row.alpha_met, row.alpha_not_met):
            continue
        error = Fraction(row.alpha_met or 1) + Fraction(row.alpha_not_met or 1)
        if best is None or error < best[0]:
            best = error, row
    if best is None:
        return None
    error, row = best
    assert row.lower is not None and row.upper is not None, "checked above"
    return Interval(row.lower, row.upper, _decimal_below(1 - error), _say_method(label, row))


def _decimal_below(value: Fraction) -> str:
    """A decimal of at most 6 places that is not above the value."""
    millionths = max(0, value * 10**6 // 1)
    return f"{millionths // 10**6}.{millionths % 10**6:06}".rstrip("0").rstrip(".")


def _say_method(label: Label, row: Row) -> str:
    how = "anytime-valid e-process" if label.design == "anytime" else "exact Clopper-Pearson"
    parts = [f"two one-sided {how} bounds", "missing answers counted against the claim on both sides"]
    if "clustered" in row.flags:
        parts.append("families of paraphrases as units")
    if "finite_pool" in row.flags:
        parts.append("drawn without replacement from a finite pool")
    return "; ".join(parts)


@dataclass(frozen=True)
class Measured:
    """One measure: how it was planned, what was counted, and its bounds."""

    id: str
    plan: MeasurePlan
    tally: Tally
    interval: Interval | None
    suite: Manifest
    lower_is_better: bool
    title: str

    @property
    def rate(self) -> float:
        """Events among all answers, the missing ones included; 0 where there are none."""
        return self.tally.events / self.tally.n if self.tally.n else 0.0

    @property
    def event(self) -> str:
        """What is counted, in words."""
        return f"not {self.plan.event}" if self.plan.negate else self.plan.event

    @property
    def counts(self) -> str:
        """`16 of 20 answers, 2 missing`."""
        missing = f", {self.tally.missing} missing" if self.tally.missing else ""
        return f"{self.tally.events} of {self.tally.n} answers{missing}"

    @property
    def says(self) -> str:
        """The measure in one sentence."""
        bounds = ""
        if self.interval is not None:
            bounds = f"; bounds {self.interval.lower} .. {self.interval.upper} at confidence {self.interval.confidence}"
        return f"rate of `{self.event}` by {self.plan.detector}: {self.counts}{bounds}"


def measured(source: Source) -> list[Measured]:
    """Every measure of the plan with its counts, in the plan's order."""
    result = []
    for plan in source.plan.measures:
        rule = source.measure_rule(plan.id)
        result.append(
            Measured(
                id=plan.id,
                plan=plan,
                tally=source.found.tallies[plan.id],
                interval=interval_of(source.label, plan.id),
                suite=source.suites[plan.suite],
                lower_is_better=rule is not None and rule.direction == "lower_is_safer",
                title=(rule.title if rule else None) or plan.id,
            )
        )
    return result


def number_of(value: Scalar | None) -> float | int | None:
    """A parameter's value where it is a plain number (decimals are texts in a descriptor), else None."""
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value) else None
    return None if isinstance(value, bool) else value


def slug(text: str) -> str:
    """Text made fit to be one part of a path: plain characters, no leading dot, never empty."""
    return _SLUG.sub("_", text).strip("._-")[:MAX_SLUG].rstrip("._-") or "unknown"


def bare(sha256: str) -> str:
    """A digest's 64 hexadecimal digits."""
    return sha256.removeprefix("sha256:")
