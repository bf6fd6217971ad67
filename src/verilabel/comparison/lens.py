"""The same evidence under many rubrics: what each gives, what it could not assess, and what it asks beside.

A reading is not a label: nobody planned the run for it and nobody signs it. Each row errs with probability at most its
own rubric's alpha; over many rubrics together more rows err, and whoever picks the kindest of twenty has picked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from verilabel.comparison.findings import BundleEvidence, NotCounted
from verilabel.evidence.plan_checks import suite_is_meant
from verilabel.evidence.statement import parse_time
from verilabel.records.label import Label, Row
from verilabel.records.plan import Design, MeasurePlan
from verilabel.records.tally import Tally
from verilabel.rubric.decide import decide
from verilabel.rubric.safeguards import SafeguardCheck, check_safeguards
from verilabel.rubric.structure import (
    AttestedBy,
    Criterion,
    Measure,
    Rubric,
    TimesReference,
    criteria_of,
    every_rule_of,
)

Standing = Literal["all", "some", "none"]


class Unassessed(msgspec.Struct, frozen=True):
    """Something that a rubric looks at and that the evidence does not hold."""

    kind: Literal["measure", "reference", "attestation", "rubric"]
    what: str
    why: str


class Reading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one rubric gives on a bundle's evidence. `label` is None where it cannot be decided at all."""

    rubric: Rubric
    design: Design
    label: Label | None
    tallies: dict[str, Tally] = {}
    references: dict[str, Tally] = {}
    subjects: dict[str, tuple[str, str]] = {}
    """Measure to the suite (`id@version`) and the event that it was counted on."""
    unassessed: tuple[Unassessed, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader must know: another use case, evidence older than the rubric lets it be."""
    safeguards: tuple[SafeguardCheck, ...] = ()
    own: bool = False
    """True for the rubric that the run was planned for."""

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every row of every level."""
        return tuple(row for level in self.label.levels for row in level.rows) if self.label else ()

    @property
    def assessed(self) -> int:
        """Rows that the evidence or an attestation says something of."""
        return sum(row.status != "not_assessed" for row in self.rows)

    @property
    def is_interpretation(self) -> bool:
        """True where the thresholds are this project's reading of somebody else's framework."""
        return any(source.relation == "interpretation" for source in self.rubric.sources)

    @property
    def standing(self) -> Standing:
        """How much of the scale was shown: of an assurance scale granted, of a hazard scale ruled out."""
        if self.label is None:
            return "none"
        last = len(self.label.scale) - 1
        if self.label.kind == "assurance":
            shown = self.label.scale.index(self.label.lower)
        else:
            shown = last - self.label.scale.index(self.label.upper)
        return "all" if shown == last else "some" if shown else "none"

    def document(self) -> dict[str, object]:
        """The reading for programs."""
        label = self.label
        return {
            "rubric": msgspec.to_builtins(self.rubric.reference),
            "title": self.rubric.title,
            "interpretation": self.is_interpretation,
            "own": self.own,
            "design": self.design,
            "sentence": label.sentence if label else None,
            "label": label.document() if label else None,
            "rows": len(self.rows),
            "rows_assessed": self.assessed,
            "not_assessed": msgspec.to_builtins(self.unassessed),
            "notes": list(self.notes),
            "safeguards": msgspec.to_builtins(self.safeguards),
        }


class Lens:
    """One bundle's evidence, to be read under rubric after rubric.

    `attested` names attestations that the caller vouches for; those that were signed and lie in the bundle count
    where they are what a rubric asks for. `references` are the evidence of reference systems. `moment` is when it is
    read.
    """

    def __init__(
        self,
        evidence: BundleEvidence,
        *,
        moment: datetime,
        attested: Collection[str] = (),
        references: Sequence[BundleEvidence] = (),
    ) -> None:
        self.evidence = evidence
        self._moment = moment
        self._attested = frozenset(attested)
        self._references = tuple(references)

    def design_for(self, rubric: Rubric) -> Design:
        """`fixed` only where every bundle that the rubric counts carried a fixed plan out."""
        compared = set(_relative_measures(rubric)) - set(self._planned_references(rubric))
        bundles = (self.evidence, *(self._references if compared else ()))
        return "fixed" if all(bundle.design == "fixed" for bundle in bundles) else "anytime"

    def read_all(self, rubrics: Sequence[Rubric]) -> tuple[Reading, ...]:
        """A reading for each rubric, in their order."""
        tags = tags_to_group_by(rubrics, (self.evidence, *self._references))
        return tuple(self._read(rubric, tags) for rubric in rubrics)

    def _read(self, rubric: Rubric, tags: Mapping[str, tuple[str, ...]]) -> Reading:
        design, own = self.design_for(rubric), rubric.reference == self.evidence.plan.rubric
        notes = tuple(self._notes(rubric))
        if design not in rubric.statistics.designs:
            why = (
                f"it is decided by the {rubric.statistics.designs[0]} design alone, this evidence is {design}"
            )
            refused = Unassessed("rubric", rubric.name, why)
            return Reading(
                rubric=rubric, design=design, label=None, unassessed=(refused,), notes=notes, own=own
            )
        tallies, missing = _count(rubric, self.evidence, tags)
        references, lacking = self._count_references(rubric, tallies, tags)
        asked = _asked_of_people(rubric)
        attested = {
            name
            for name in asked
            if name in self._attested or self.evidence.is_given(name, rubric, self._moment)
        }
        return Reading(
            rubric=rubric,
            design=design,
            label=decide(rubric, tallies, design=design, attested=attested, references=references),
            tallies=tallies,
            references=references,
            subjects=_subjects(rubric, tallies, self.evidence),
            unassessed=(
                *missing,
                *lacking,
                *(
                    Unassessed("attestation", name, f"to be attested by {rubric.attestations[name].role}")
                    for name in asked
                    if name not in attested
                ),
            ),
            notes=notes,
            safeguards=check_safeguards(
                rubric, tallies, design=design, attested=attested, references=references
            ),
            own=own,
        )

    def _notes(self, rubric: Rubric) -> list[str]:
        notes, plan, system = [], self.evidence.plan, self.evidence.system
        if rubric.scope.use_cases and system.use_case not in rubric.scope.use_cases:
            meant = " or ".join(rubric.scope.use_cases)
            notes.append(f"it is for {meant}, the system is used for {system.use_case}: as if it were")
        age = self._moment.astimezone(UTC) - parse_time(plan.created, where="plan $.created")
        if age > timedelta(days=rubric.validity.days):
            notes.append(
                f"planned {plan.created[:10]}, longer ago than the {rubric.validity.days} days it allows"
            )
        if rubric.validity.sunset and self._moment.date().isoformat() > rubric.validity.sunset:
            notes.append(f"it gives no labels after {rubric.validity.sunset}")
        return notes

    def _count_references(
        self,
        rubric: Rubric,
        tallies: Mapping[str, Tally],
        tags: Mapping[str, tuple[str, ...]],
    ) -> tuple[dict[str, Tally], list[Unassessed]]:
        """The reference systems' counts of the measures that are compared with one, and what is lacking."""
        found = self._planned_references(rubric)
        lacking = []
        for name in _relative_measures(rubric):
            if name in found or name not in tallies:
                continue
            counted = self._count_reference(rubric, name, tags)
            if isinstance(counted, NotCounted):
                why = f"{counted.why}; its thresholds are relative to {rubric.measures[name].reference}"
                lacking.append(Unassessed("reference", name, why))
            else:
                found[name] = counted
        return found, lacking

    def _planned_references(self, rubric: Rubric) -> dict[str, Tally]:
        """The counts that the plan holds, for its own rubric and for versions of it that count the measure alike."""
        plan = self.evidence.plan
        if rubric.id != plan.rubric.id:
            return {}
        counted = {planned.id: planned for planned in plan.measures}
        return {
            name: tally
            for name, tally in plan.reference_tallies().items()
            if name in rubric.measures and name in counted
            if counts_alike(counted[name], rubric.measures[name])
        }

    def _count_reference(
        self, rubric: Rubric, name: str, tags: Mapping[str, tuple[str, ...]]
    ) -> Tally | NotCounted:
        measure = rubric.measures[name]
        ours = self.evidence.find_findings(measure)
        outcome = NotCounted("no bundle of the reference system was given")
        for bundle in self._references:
            theirs = bundle.find_findings(measure)
            if isinstance(theirs, NotCounted) or isinstance(ours, NotCounted):
                outcome = theirs if isinstance(theirs, NotCounted) else outcome
                continue
            if (theirs[0].stream.suite_sha256, theirs[1]) != (ours[0].stream.suite_sha256, ours[1]):
                outcome = NotCounted("the reference was asked or scored otherwise (suite or detector)")
                continue
            return bundle.count_measure(name, measure, tags)
        return outcome


def counts_alike(planned: MeasurePlan, measure: Measure) -> bool:
    """True if a rubric's measure is counted as a plan counts it: suite, event, filter, unit and so on."""
    asked = {
        "event": measure.detected_event,
        "where": measure.filter,
        "unit": measure.unit,
        "population": measure.population,
        "collapse": measure.collapse,
        "negate": measure.negate,
    }
    same = all(getattr(planned, name) == value for name, value in asked.items())
    return same and suite_is_meant(measure.suite, planned.suite)


def tags_to_group_by(
    rubrics: Sequence[Rubric], bundles: Sequence[BundleEvidence]
) -> dict[str, tuple[str, ...]]:
    """Suite (`id@version`) to the tags that any rubric's filters look at, so that samples are grouped once for all."""
    tags: dict[str, set[str]] = {suite: set() for bundle in bundles for suite in bundle.streams}
    for rubric in rubrics:
        for measure in rubric.measures.values():
            for suite, names in tags.items():
                if measure.suite.partition("@")[0] == suite.partition("@")[0]:
                    names.update(measure.filter)
    return {suite: tuple(sorted(names)) for suite, names in tags.items()}


def _count(
    rubric: Rubric, evidence: BundleEvidence, tags: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, Tally], list[Unassessed]]:
    tallies, missing = {}, []
    for name, measure in rubric.measures.items():
        counted = evidence.count_measure(name, measure, tags)
        if isinstance(counted, NotCounted):
            missing.append(Unassessed("measure", name, counted.why))
        elif counted.n:
            tallies[name] = counted
        else:
            missing.append(Unassessed("measure", name, "no answer to its questions was counted"))
    return tallies, missing


def _leaves(rubric: Rubric) -> list[Criterion | AttestedBy]:
    return [
        leaf
        for level in rubric.scale.levels
        for rule in every_rule_of(level).values()
        for leaf in criteria_of(rule)
    ]


def _relative_measures(rubric: Rubric) -> list[str]:
    relative = (
        leaf.measure
        for leaf in _leaves(rubric)
        if isinstance(leaf, Criterion) and isinstance(leaf.value, TimesReference)
    )
    return list(dict.fromkeys(relative))


def _asked_of_people(rubric: Rubric) -> list[str]:
    asked = (leaf.attested for leaf in _leaves(rubric) if isinstance(leaf, AttestedBy))
    return list(dict.fromkeys(asked))


def _subjects(
    rubric: Rubric, tallies: Mapping[str, Tally], evidence: BundleEvidence
) -> dict[str, tuple[str, str]]:
    subjects = {}
    for name in tallies:
        measure = rubric.measures[name]
        found = evidence.find_findings(measure)
        if not isinstance(found, NotCounted):
            subjects[name] = (found[0].stream.suite, measure.detected_event)
    return subjects
