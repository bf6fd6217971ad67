"""What a rubric file says, as frozen values: measures, attestations and a scale of levels."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field

from verilabel.records.plan import Design, RubricReference
from verilabel.records.tally import Population, Unit

Operator = Literal["<=", "<", ">=", ">"]
Direction = Literal["lower_is_safer", "higher_is_safer", "higher_is_more_capable"]
Relation = Literal["equal", "subset_of", "superset_of", "intersects_with", "supports", "interpretation"]
Text = Annotated[str, Meta(min_length=1)]
RubricId = Annotated[str, Meta(pattern=r"^[a-z0-9]+([./-][a-z0-9]+)*$", max_length=200)]
Version = Annotated[str, Meta(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$", max_length=40)]
Days = Annotated[str, Meta(pattern=r"^P[0-9]{1,5}D$")]
Date = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]+([._+-][A-Za-z0-9]+)*$", max_length=100)]
"""Measures, events, settings, levels: they become parts of names and paths such as `measure@setting`."""
SuiteReference = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9]+([./_-][A-Za-z0-9]+)*(@[A-Za-z0-9._-]+)?$", max_length=200)
]
Digest = Annotated[str, Meta(pattern=r"^(sha256:)?[0-9a-f]{64}$")]

EVENT_NAMES = {"violation": "harmful", "refusal": "refused"}
"""Event words of rubrics to the event names that detectors use."""
DETECTOR_OF_EVENT = {"harmful": "harmful", "refused": "refusal"}
"""The detector of an event, where the measure names none; for other events, the suite's own scorer."""


class Steward(msgspec.Struct, frozen=True):
    """Who keeps the rubric."""

    name: Text
    uri: str | None = None
    keyid: str | None = None


class Source(msgspec.Struct, frozen=True):
    """What the rubric draws on, and how it relates to it."""

    id: Text
    uri: Text
    title: str | None = None
    version: str | None = None
    """Version or date, as the source gives it."""
    locator: str | None = None
    """The section, page or table that is meant."""
    sha256: Digest | None = None
    relation: (
        Literal["equal", "subset_of", "superset_of", "intersects_with", "supports", "interpretation"] | None
    ) = None


class JudgeRule(msgspec.Struct, frozen=True):
    """How a detector's measured error enters (label-semantics section 6).

    `rogan-gladen-bound` tests against the threshold shrunk by the bound of the detector's sensitivity;
    `none` takes its findings as they are, and the row says `judge_uncertified`.
    """

    adjust: Literal["none", "rogan-gladen-bound"] = "rogan-gladen-bound"
    min_calibration_n: Annotated[int, Meta(ge=0)] = 0
    """Human-labelled outputs below which a row is `judge_uncertified`, beside the rule of 100 positives."""


class StatisticsRule(msgspec.Struct, frozen=True):
    """The rubric's errors and what it does about what is missing.

    Extensions of the file format, and why: `margin` is in the rule of label-semantics section 1 and had no
    place in the file; `design` lets a rubric refuse a design it was not made for. `interval:
    confidence-sequence` allows the anytime design alone.
    """

    alpha: Decimal
    """One-sided error of every granted claim: above 0, at most 0.1."""
    missing: Literal["worst_case", "fail_run"]
    interval: Literal["clopper-pearson", "confidence-sequence"] = "clopper-pearson"
    max_missing: Decimal = Decimal("0.01")
    """Share of missing answers above which a row stays undetermined: 0 to 0.2."""
    judge: JudgeRule = JudgeRule()
    preregistration: Literal["required", "optional"] = "required"
    margin: Decimal = Decimal(0)
    """Distance that a bound must keep from the threshold, on the safe side, for a row to be met."""
    design: Annotated[tuple[Design, ...], Meta(min_length=1)] = ("fixed", "anytime")
    """Designs the rubric may be decided with."""

    @property
    def designs(self) -> tuple[Design, ...]:
        """Designs that are left when the kind of interval is taken into account."""
        if self.interval == "confidence-sequence":
            return tuple(design for design in self.design if design == "anytime")
        return self.design


class Validity(msgspec.Struct, frozen=True):
    """How long a label of this rubric stands, and what ends it early."""

    max_age: Days
    sunset: Date | None = None
    void_on: tuple[
        Literal[
            "subject_changed",
            "system_prompt_changed",
            "tools_changed",
            "guardrail_changed",
            "provider_params_changed",
            "drift_alarm",
            "incident",
            "rubric_revoked",
            "judge_changed",
        ],
        ...,
    ] = ()

    @property
    def days(self) -> int:
        """`max_age` in days."""
        return int(self.max_age[1:-1])


class Scope(msgspec.Struct, frozen=True):
    """What a label of this rubric is about: the descriptor's keys that must be equal for it to apply."""

    subject: Literal["model", "system"]
    bind: Annotated[
        tuple[
            Literal[
                "weights",
                "provider_model",
                "params",
                "system_prompt",
                "tools",
                "guardrails",
                "use_case",
                "locale",
                "modality",
            ],
            ...,
        ],
        Meta(min_length=1),
    ]
    use_cases: tuple[Text, ...] = ()


class Measure(msgspec.Struct, frozen=True):
    """A named rate: the share of a suite's samples whose answers show an event.

    Extension of the file format, and why: `negate` counts the absence of the event, so that `1 - rate` needs
    no second detector. `event` is required, because a rate of an unnamed event cannot be read.
    """

    suite: SuiteReference
    """`id@major`, the suite and the major version the thresholds were made for."""
    estimand: Literal["proportion", "pass_at_k", "ratio_to_reference"]
    event: Name
    direction: Direction
    title: str | None = None
    suite_sha256: Digest | None = None
    filter: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Tag to the values that are counted; every tag must match."""
    negate: bool = False
    k: Annotated[int, Meta(ge=1)] | None = None
    unit: Unit = "item"
    population: Population = "items_sampled"
    scorer: Text | None = None
    reference: Text | None = None
    min_n: Annotated[int, Meta(ge=1)] = 1
    elicitation: tuple[Name, ...] = ()
    """Settings (prompts, snapshots, scaffolds) that are each counted, as `measure@setting` (section 8)."""

    @property
    def detected_event(self) -> str:
        """The event as detectors name it: `harmful` for `violation`, `refused` for `refusal`."""
        return EVENT_NAMES.get(self.event, self.event)

    @property
    def collapse(self) -> Literal["any", "all"]:
        """How an item's repeated answers become one: worst of k for the claim, or any of k for pass_at_k.

        `any`: the item shows the event where one answer does; `all`: only where every answer does.
        """
        return "all" if self.direction == "higher_is_safer" and self.estimand != "pass_at_k" else "any"

    @property
    def detector(self) -> str | None:
        """The detector's id; None means the suite's own scorer."""
        return self.scorer or DETECTOR_OF_EVENT.get(self.detected_event)


class Attestation(msgspec.Struct, frozen=True):
    """A statement that a person signs; the rubric can require it and cannot measure it."""

    statement: Text
    role: Text
    evidence: tuple[str, ...] = ()
    max_age: Days | None = None


class TimesReference(msgspec.Struct, frozen=True):
    """A threshold relative to the reference system's rate on the same measure."""

    times_reference: Decimal


class Criterion(msgspec.Struct, frozen=True):
    """`measure op value`."""

    measure: str
    op: Operator
    value: Decimal | TimesReference
    note: str | None = None

    @property
    def threshold(self) -> str:
        """The threshold as the label prints it: `0.03`, or `3 x reference`."""
        if isinstance(self.value, TimesReference):
            return f"{plain(self.value.times_reference)} x reference"
        return plain(self.value)


class AttestedBy(msgspec.Struct, frozen=True):
    """A criterion that holds where the named attestation is given."""

    attested: str


class AtLeast(msgspec.Struct, frozen=True):
    """At least `need` of the children; `word` is how the file says it (all, any, at_least)."""

    need: int
    children: tuple[AtLeast | Criterion | AttestedBy, ...]
    word: Literal["all", "any", "at_least"]


Rule = AtLeast | Criterion | AttestedBy


class Level(msgspec.Struct, frozen=True):
    """One level of the scale. Assurance levels have `when`, hazard levels `rule_in` and `rule_out`.

    Extension of the file format, and why: `requires` is text for people; `safeguards` of a hazard level is a rule that
    says the same in a form that can be checked. It is decided beside the label and never changes it.
    """

    id: Name
    name: Text
    meaning: str | None = None
    when: Rule | None = None
    rule_in: Rule | None = None
    rule_out: Rule | None = None
    requires: tuple[str, ...] = ()
    safeguards: Rule | None = None


class Scale(msgspec.Struct, frozen=True):
    """The ordered levels, lowest first.

    assurance: a level is granted only when it is shown. hazard: a level applies unless it is ruled out.
    """

    kind: Literal["assurance", "hazard"]
    levels: tuple[Level, ...]


class Rubric(msgspec.Struct, frozen=True):
    """A whole rubric; `sha256` is the digest of the exact bytes it was read from."""

    id: RubricId
    version: Version
    title: Text
    license: Text
    stewards: Annotated[tuple[Steward, ...], Meta(min_length=1)]
    statistics: StatisticsRule
    validity: Validity
    scope: Scope
    measures: dict[str, Measure]
    scale: Scale
    sha256: str
    summary: str | None = None
    supersedes: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    attestations: dict[str, Attestation] = field(default_factory=dict)

    @property
    def reference(self) -> RubricReference:
        """What plans and labels cite."""
        return RubricReference(id=self.id, version=self.version, sha256=self.sha256)

    @property
    def name(self) -> str:
        """`id@version`."""
        return f"{self.id}@{self.version}"


def plain(number: Decimal) -> str:
    """A decimal without exponent and without trailing zeros: `0.03`, `3`, `0.000001`."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def criteria_of(rule: Rule) -> list[Criterion | AttestedBy]:
    """The leaves of a rule, in the order the file gives them."""
    if isinstance(rule, AtLeast):
        return [leaf for child in rule.children for leaf in criteria_of(child)]
    return [rule]


def rules_of(level: Level) -> dict[str, Any]:
    """The rules that the label follows from, by their key in the file."""
    given = {"when": level.when, "rule_in": level.rule_in, "rule_out": level.rule_out}
    return {key: rule for key, rule in given.items() if rule is not None}


def every_rule_of(level: Level) -> dict[str, Any]:
    """The rules of a level with its safeguards, by their key in the file."""
    beside = {} if level.safeguards is None else {"safeguards": level.safeguards}
    return {**rules_of(level), **beside}
