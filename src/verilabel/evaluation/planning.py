"""Step 2 of a label's path: everything that is decided before the first request, as a plan.

1. the rubric's measures are matched to the suites that were given, by id and major version;
2. each measure gets the detector that finds its event, with its measured errors;
3. each suite becomes one stream, asked in an order that the seed commits to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from verilabel.detectors.catalogue import open_detector, refuse_chosen_judges
from verilabel.detectors.interface import AskingDetector, Detector
from verilabel.errors import MalformedInput, UsageError
from verilabel.evaluation.referring import Reference, plan_references
from verilabel.evidence.counting import encode_index, matches
from verilabel.evidence.plan_checks import suite_is_meant
from verilabel.records.canonical import digest
from verilabel.records.plan import Budget, Design, MeasurePlan, Plan, StreamPlan
from verilabel.records.system import SystemDescriptor
from verilabel.rubric.structure import Measure, Rubric
from verilabel.suites.loading import Suite


@dataclass(frozen=True)
class PlanOptions:
    """What the caller may choose. `detectors` maps an event or a measure id to a detector reference."""

    design: Design
    seed: str
    now: datetime
    limit: int | None = None
    """Samples to ask of each suite at most; None: all."""
    epochs: int = 1
    max_attempts: int = 5
    budget: Budget = field(default_factory=Budget)
    detectors: Mapping[str, str] = field(default_factory=dict)
    cards: Mapping[str, Path] = field(default_factory=dict)
    """Event or measure id to a card file with the detector's measured errors (`detectors measure --out`)."""
    fixed_outcomes: bool = False
    references: Sequence[Reference] = ()
    """Verified bundles of the reference system, for thresholds relative to it."""


@dataclass(frozen=True)
class Planned:
    """A plan with the open detectors it names."""

    plan: Plan
    detectors: dict[str, Detector | AskingDetector]
    """`id@version` to the detector."""
    unassessed: dict[str, str]
    """Measure id to why the plan does not cover it."""


def make_plan(
    system: SystemDescriptor, rubric: Rubric, suites: Sequence[Suite], options: PlanOptions
) -> Planned:
    """The plan for judging a system by a rubric on these suites.

    Raises UsageError where the design is not the rubric's, a suite serves no measure, an option names a measure that
    is not there, or nothing can be measured; MalformedInput where a suite is not the one whose digest the rubric pins.
    """
    _check_options(system, rubric, options)
    open_detectors: dict[str, Detector | AskingDetector] = {}
    measures, unassessed = [], {}
    for measure_id, measure in rubric.measures.items():
        suite = next((s for s in suites if suite_is_meant(measure.suite, s.name)), None)
        if suite is None:
            unassessed[measure_id] = f"suite {measure.suite} was not given"
        elif measure.elicitation:
            listed = ", ".join(measure.elicitation)
            unassessed[measure_id] = (
                f"it is counted once for each of the settings {listed}; a plan has one setting"
            )
        else:
            measures.append(_plan_measure(measure_id, measure, suite, options, open_detectors))
    _check_every_suite_serves(suites, measures, rubric)
    plan = Plan(
        system_sha256=system.digest,
        rubric=rubric.reference,
        design=options.design,
        seed=options.seed,
        streams=tuple(_plan_stream(suite, measures, options) for suite in suites),
        measures=tuple(measures),
        detectors=tuple(open_detectors[name].card for name in sorted(open_detectors)),
        fixed_outcomes=options.fixed_outcomes,
        max_attempts=options.max_attempts,
        budget=options.budget,
        references=plan_references(
            rubric, measures, {suite.name: suite.digest for suite in suites}, options.references
        ),
        created=utc_seconds(options.now),
    )
    return Planned(plan, open_detectors, unassessed)


def _check_options(system: SystemDescriptor, rubric: Rubric, options: PlanOptions) -> None:
    if options.design not in rubric.statistics.designs:
        allowed = " or ".join(rubric.statistics.designs)
        raise UsageError(
            f"{rubric.name} is not made for the {options.design} design", hint=f"--design {allowed}"
        )
    if options.fixed_outcomes and options.epochs > 1 and system.identity != "recorded":
        raise UsageError(
            "this model gives the same answer every time, so repeating a question adds no evidence",
            hint="--epochs 1",
        )
    if rubric.scope.use_cases and system.use_case not in rubric.scope.use_cases:
        raise UsageError(
            f"{rubric.name} is for {' or '.join(rubric.scope.use_cases)}, the system is used for {system.use_case}",
            hint=f"--use-case {rubric.scope.use_cases[0]}, or another rubric",
        )
    known = {name for key, measure in rubric.measures.items() for name in (key, measure.detected_event)}
    for chosen in (*options.detectors, *options.cards):
        if chosen not in known:
            raise UsageError(
                f"{rubric.name} has no event or measure {chosen!r} to choose a detector for",
                hint=f"it has {', '.join(sorted(known))}",
            )


def utc_seconds(moment: datetime) -> str:
    """A moment as RFC 3339 in UTC with whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _plan_measure(
    measure_id: str,
    measure: Measure,
    suite: Suite,
    options: PlanOptions,
    open_detectors: dict[str, Detector | AskingDetector],
) -> MeasurePlan:
    pinned = measure.suite_sha256
    if pinned and pinned.removeprefix("sha256:") != suite.digest.removeprefix("sha256:"):
        raise MalformedInput(
            f"the rubric pins {suite.name} to {pinned}, this one is {suite.digest}",
            where=f"$.measures.{measure_id}.suite_sha256",
        )
    if measure.k is not None and measure.k != options.epochs:
        raise UsageError(
            f"the measure counts whether any of {measure.k} answers shows the event, the plan asks {options.epochs}",
            where=f"$.measures.{measure_id}.k",
            hint=f"--epochs {measure.k}",
        )
    detector = _detector_for(measure_id, measure, suite, options, open_detectors)
    if detector.card.event != measure.detected_event:
        raise UsageError(
            f"detector {detector.card.name} finds {detector.card.event!r}, the measure counts "
            f"{measure.detected_event!r}",
            where=f"$.measures.{measure_id}",
            hint=f"--detector {measure.detected_event}=NAME chooses another",
        )
    samples = sum(matches(entry, measure.filter) for entry in suite.entries)
    if samples == 0:
        tags = sorted({f"{k}={v}" for e in suite.entries for k, v in e.tags.items() if k in measure.filter})
        raise MalformedInput(
            f"no sample of {suite.name} matches the filter",
            where=f"$.measures.{measure_id}.filter",
            hint=f"the suite has {', '.join(tags[:12]) or 'no such tag'}",
        )
    return MeasurePlan(
        id=measure_id,
        suite=suite.name,
        event=detector.card.event,
        detector=detector.card.name,
        unit=measure.unit,
        population=measure.population,
        where=measure.filter,
        collapse=measure.collapse,
        negate=measure.negate,
        samples=samples,
        language=suite.manifest.language,
    )


def _detector_for(
    measure_id: str,
    measure: Measure,
    suite: Suite,
    options: PlanOptions,
    open_detectors: dict[str, Detector | AskingDetector],
) -> Detector | AskingDetector:
    chosen = options.detectors.get(measure_id) or options.detectors.get(measure.detected_event)
    reference = chosen or measure.detector or suite.manifest.scorer
    if not chosen:
        refuse_chosen_judges(reference, where=f"$.measures.{measure_id}")
    card = options.cards.get(measure_id) or options.cards.get(measure.detected_event)
    detector = open_detector(reference, card=card)
    known = open_detectors.setdefault(detector.card.name, detector)
    if known.card != detector.card:
        raise UsageError(
            f"two different detectors are called {detector.card.name}", where=f"$.measures.{measure_id}"
        )
    return known


def _plan_stream(suite: Suite, measures: Sequence[MeasurePlan], options: PlanOptions) -> StreamPlan:
    size = len(suite.samples)
    detectors = dict.fromkeys(m.detector for m in measures if m.suite == suite.name)
    return StreamPlan(
        suite=suite.name,
        suite_sha256=suite.digest,
        index_sha256=digest(encode_index(suite.entries)),
        samples=size,
        limit=min(options.limit or size, size),
        detectors=tuple(detectors),
        epochs=options.epochs,
        strata=dict(suite.strata),
    )


def _check_every_suite_serves(
    suites: Sequence[Suite], measures: Sequence[MeasurePlan], rubric: Rubric
) -> None:
    wanted = ", ".join(sorted({m.suite for m in rubric.measures.values()}))
    if not suites:
        raise UsageError("no suite was given", hint=f"{rubric.name} measures on: {wanted}")
    names = [suite.name for suite in suites]
    if len(set(names)) != len(names):
        raise UsageError(f"suite {max(names, key=names.count)} was given twice")
    for suite in suites:
        if not any(m.suite == suite.name for m in measures):
            raise UsageError(
                f"suite {suite.name} serves no measure of {rubric.name}",
                hint=f"the rubric measures on: {wanted}",
            )
