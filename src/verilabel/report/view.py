"""Everything a page about a bundle says, as frozen values: numbers and words, no markup.

`ReportView.document()` is what `verilabel show --json` prints. Bounds and rates of decided rows are the label's own
decimal strings; points of curves and intervals that decide nothing are floats.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from verilabel.evidence.verification import Step
from verilabel.records.label import Status
from verilabel.report.baselines import Beside
from verilabel.report.training import AuditView

Place = Literal["held", "open", "beyond"]
"""Of a level on the scale: at or below the pair's lower half, above it and up to the upper half, above both."""


class Half(msgspec.Struct, frozen=True):
    """One half of the pair: `granted L2 Guarded`, or `cannot exclude up to L3 Robust`."""

    word: str
    id: str
    name: str
    meaning: str


class ScaleLevel(msgspec.Struct, frozen=True):
    """One level of the scale and where the pair puts it."""

    id: str
    name: str
    meaning: str
    place: Place
    says: str
    """The place in words: granted, not excluded, shown not to be met; or established, not ruled out, ruled out."""


class Point(msgspec.Struct, frozen=True):
    """What a row's counts said after `n` answers. Log values are natural logarithms, clipped to +-1e6."""

    n: int
    rate: float
    lower: float
    upper: float
    log_e_met: float | None = None
    log_e_not_met: float | None = None


class Outlook(msgspec.Struct, frozen=True):
    """How many more answers an undecided row would take; None where no number up to a million would do."""

    best_case: int | None
    """More answers until met, if every one of them counts in favour."""
    at_rate: int | None
    """More answers until decided, about, if the rate so far goes on."""
    at_rate_status: Status | None
    left_in_plan: int
    """Answers that the plan still allowed."""


class RowView(msgspec.Struct, frozen=True):
    """One row of one level's rule, with what was spent on it and how it came to be decided."""

    anchor: str
    level: str
    level_name: str
    test: str
    title: str
    measure: str | None
    attested: str | None
    counted: str
    """What an event is, in words."""
    op: str | None
    threshold: str | None
    tested_met: str | None
    tested_not_met: str | None
    status: Status
    n: int
    n_planned: int
    events: int
    missing: int
    rate: str | None
    lower: str | None
    upper: str | None
    alpha_met: str | None
    alpha_not_met: str | None
    log_e_met: str | None
    log_e_not_met: str | None
    log_needed: str | None
    reason: str | None
    flags: tuple[str, ...]
    calls: int
    """Requests to the system, retries among them, for samples that the measure counts."""
    outlook: Outlook | None
    points: tuple[Point, ...]

    @property
    def upwards(self) -> bool:
        """True where met means that the rate is high enough."""
        return self.op in (">", ">=")


class LevelView(msgspec.Struct, frozen=True):
    """One level's rule and its rows."""

    id: str
    name: str
    meaning: str
    test: str
    test_says: str
    rule_says: str
    status: Status
    rows: tuple[RowView, ...]


class GroupCount(msgspec.Struct, frozen=True):
    """Counts of one group of samples, with a two-sided 95 % Clopper-Pearson interval; it decides nothing."""

    value: str
    asked: int
    events: int
    missing: int
    rate: float | None
    lower: float
    upper: float


class Breakdown(msgspec.Struct, frozen=True):
    """A measure's counts by the values of a tag of its samples."""

    measure: str
    title: str
    counted: str
    tag: str
    upwards: bool
    in_families: bool
    """True where answers of one family are not independent, so that the intervals are too narrow."""
    groups: tuple[GroupCount, ...]
    left_out: int
    """Groups beyond the limit of a page."""


class Gap(msgspec.Struct, frozen=True):
    """Something the label does not say, and why."""

    kind: Literal["not_assessed", "undetermined", "missing", "withheld", "evidence"]
    what: str
    why: str
    anchor: str | None = None


class BadgeView(msgspec.Struct, frozen=True):
    """What stands beside the level on the card: that the label is disputed, withdrawn, imported or sealed."""

    flag: str
    word: str
    sign: str
    tone: Literal["against", "open", "note"]
    """How it weighs: the label is not in force, somebody objects, or how the evidence came about."""
    says: str
    """Who, when or what, in a few words."""


class ComparedMeasure(msgspec.Struct, frozen=True):
    """One measure as a replication found it in both bundles. Rates are differences; decimals are the statement's."""

    measure: str
    verdict: str
    items: int
    events_original: int
    n_original: int
    events_replica: int
    n_replica: int
    lower: str
    upper: str
    """Bounds of (original - replica), or empty where there are none."""


class StatementView(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody signed about the label, whether it counts, and why not."""

    kind: str
    digest: str
    about: str
    """Digest of the statement that it is about."""
    signer: str
    """The name the trust policy gives its signer, else the key's own name and id."""
    signer_says: str
    """Whose name that is."""
    keyid: str
    issued: str
    counts: bool
    says: str
    """The verifier's few words; `verdict` says them to a reader."""
    verdict: str
    why: str
    """Why it does not count, where it does not."""
    logged: bool
    text: str = ""
    """Its signer's own words: the objection, the reason, the declaration of independence."""
    facts: tuple[tuple[str, str], ...] = ()
    measures: tuple[ComparedMeasure, ...] = ()
    measures_left_out: int = 0


class FlagView(msgspec.Struct, frozen=True):
    """A flag and what it means."""

    flag: str
    meaning: str


class Count(msgspec.Struct, frozen=True):
    """A thing and how often it happened."""

    what: str
    count: int


class ErrorView(msgspec.Struct, frozen=True):
    """One measurement of a detector against people. Bounds are two-sided 95 % Clopper-Pearson."""

    dataset: str
    dataset_sha256: str
    language: str
    method: str
    true_positives: int
    positives: int
    sensitivity: tuple[float, float] | None
    true_negatives: int
    negatives: int
    specificity: tuple[float, float] | None


class DetectorView(msgspec.Struct, frozen=True):
    """What scored the answers, and how wrong it is."""

    name: str
    event: str
    sha256: str
    exact: bool
    errors: tuple[ErrorView, ...]
    pooled: ErrorView | None
    """Several measurements in one language added up, as the rubric counts them."""


class SuiteView(msgspec.Struct, frozen=True):
    """What was asked. Facts beside the plan's are the suite file's own words."""

    name: str
    sha256: str
    samples: int
    allowed: int
    answered: int
    epochs: int
    title: str
    license: str
    citation: str
    uri: str


class ServedView(msgspec.Struct, frozen=True):
    """A model that answers named as their maker."""

    model: str
    fingerprint: str
    answers: int


class RubricView(msgspec.Struct, frozen=True):
    """The rubric that was applied."""

    id: str
    version: str
    sha256: str
    title: str
    license: str
    stewards: tuple[str, ...]
    sources: tuple[str, ...]
    is_interpretation: bool
    alpha: str
    bind: tuple[str, ...]


class PlanView(msgspec.Struct, frozen=True):
    """What was decided before the first request."""

    sha256: str
    created: str
    design: str
    seed: str
    order: str
    max_attempts: int
    fixed_outcomes: bool
    budget: str


class SealView(msgspec.Struct, frozen=True):
    """What holds the bundle together."""

    root: str | None
    leaves: int
    signer: str | None
    keyid: str | None
    log_index: int | None
    issued: str | None
    valid_until: str | None
    tool: str | None


class Totals(msgspec.Struct, frozen=True):
    """What was spent and what came of it."""

    answers: int = 0
    requests: int = 0
    judge_requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    withheld: tuple[Count, ...] = ()
    """Counted answers that the bundle only commits to, by suite."""
    surplus_answers: int = 0
    """Answered, kept and not counted: outside the counted prefix of the committed order."""
    failed_attempts: tuple[Count, ...] = ()
    unanswered: tuple[Count, ...] = ()
    """Samples without an answer, by the kind of their last failure."""
    unscored: tuple[Count, ...] = ()
    """Answers that a detector could not score, by its reason."""


class SystemView(msgspec.Struct, frozen=True):
    """The system under test."""

    name: str
    provider_model: str
    sha256: str
    identity: str
    facts: tuple[tuple[str, str], ...]
    """Further keys of the descriptor that are set, in its order."""


class StepView(msgspec.Struct, frozen=True):
    """One step of an agent's episode, its texts cut to what is shown."""

    heading: str
    notes: tuple[str, ...]
    """What became of it: that it failed, what a tool policy said, an exit status."""
    texts: tuple[tuple[str, str], ...]
    """Arguments, results and streams by name; what somebody said has an empty name."""


class EpisodeView(msgspec.Struct, frozen=True):
    """An answer that is an agent's episode, as steps in their order."""

    steps: tuple[StepView, ...]
    left_out: int
    """Further steps that are not shown."""
    ending: str
    containment: str | None
    """The level and provider of the sandbox, where programs ran in one."""


class SampleView(msgspec.Struct, frozen=True):
    """One answer of a row that is not met or undecided. `prompt` is the last user turn where it could be read."""

    measure: str
    suite: str
    sample: str
    epoch: int
    prompt: str
    output: str | None
    failure: str | None
    findings: tuple[str, ...]
    withheld: bool = False
    """True where prompt and answer are not in the bundle, which holds a commitment to them."""
    episode: EpisodeView | None = None
    """The answer's steps, where it is an agent's episode."""


class ReportView(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle for reading. The pair's two halves are one value: nothing here has one without the other."""

    bundle: str
    sentence: str
    pair: tuple[Half, Half]
    kind: str
    scale: tuple[ScaleLevel, ...]
    level: str
    level_says: str
    level_limit: str
    """What the level does not say (label-semantics section 12)."""
    reason: str
    """Why the level is not higher."""
    genuine: bool
    """False where steps 1 to 9 failed: figures are then the issuer's claims and nothing more."""
    warning: str | None
    """What kind of failure it is, in one sentence, where a step failed."""
    failure: str | None
    validity: str
    badges: tuple[BadgeView, ...] = ()
    statements: tuple[StatementView, ...] = ()
    audits: tuple[AuditView, ...] = ()
    """Audits of the system's training data, whether they count or not."""
    lacking_for_v4: tuple[str, ...] = ()
    """What keeps the label from V4, beside what keeps it from V3."""
    statements_not_judged: int = 0
    """Enclosed statements of others that the verifier did not come to."""
    design: str
    system: SystemView
    levels: tuple[LevelView, ...]
    breakdowns: tuple[Breakdown, ...]
    gaps: tuple[Gap, ...]
    flags: tuple[FlagView, ...]
    detectors: tuple[DetectorView, ...]
    suites: tuple[SuiteView, ...]
    served: tuple[ServedView, ...]
    rubric: RubricView
    plan: PlanView
    seal: SealView
    totals: Totals
    steps: tuple[Step, ...]
    samples: tuple[SampleView, ...]
    samples_asked_for: int
    read_at: str
    baselines: Beside = Beside()
    """What scripted agents score on the bundle's generated suites, where it has any and it verified."""
    format: Literal["verilabel/report/v1"] = "verilabel/report/v1"

    @property
    def rows(self) -> tuple[RowView, ...]:
        """The rows of all levels in order."""
        return tuple(row for level in self.levels for row in level.rows)

    def document(self) -> dict[str, Any]:
        """The view as a JSON document."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        return {"format": self.format, **document}
