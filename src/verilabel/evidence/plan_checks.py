"""What a plan must be before anything is counted by it: whole, within its suites, and about the rubric's own measures.

Without these checks a plan could name the rubric's measure and count something else under it: another filter, another
event, a suite of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from verilabel.errors import SealError
from verilabel.evidence.layout import PLAN
from verilabel.evidence.statement import parse_time
from verilabel.records.plan import MeasurePlan, Plan, StreamPlan
from verilabel.records.score import DetectorCard
from verilabel.records.system import SystemDescriptor
from verilabel.rubric.structure import DETECTOR_OF_EVENT, Measure, Rubric

MAX_EPOCHS = 10_000
MAX_STRATA = 1_000
MAX_DETECTORS = 1_000
MAX_CLUSTERS = 1_000
"""Kinds of families in a reference's counts; each costs time in every row that is compared with them."""
_WEIGHT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,24})?([eE]-?[0-9]{1,2})?", re.ASCII)


def check_against_rubric(plan: Plan, rubric: Rubric, system: SystemDescriptor) -> None:
    """Check a plan against the rubric and the system it is for, and against itself.

    Raises SealError naming the first measure or stream that does not fit.
    """
    if plan.design not in rubric.statistics.designs:
        raise SealError(
            f"{rubric.name} is not decided with the {plan.design} design", where=f"{PLAN} $.design"
        )
    streams = {stream.suite: stream for stream in plan.streams}
    if len(streams) != len(plan.streams):
        raise SealError("a suite has two streams", where=f"{PLAN} $.streams")
    for index, stream in enumerate(plan.streams):
        _check_stream(stream, f"{PLAN} $.streams[{index}]")
    parse_time(plan.created, where=f"{PLAN} $.created")
    _check_claims(plan, rubric, system)
    _check_cards(plan)
    _check_references(plan)
    if len({measure.id for measure in plan.measures}) != len(plan.measures):
        raise SealError("a measure is planned twice", where=f"{PLAN} $.measures")
    for index, planned in enumerate(plan.measures):
        where = f"{PLAN} $.measures[{index}]"
        if planned.suite not in streams:
            raise SealError(f"{planned.id} is measured on a suite that is not asked", where=where)
        _check_detector(planned, streams[planned.suite], plan, where)
        _check_measure(planned, streams[planned.suite], rubric, where)


def _check_stream(stream: StreamPlan, where: str) -> None:
    if not 1 <= stream.limit <= stream.samples:
        raise SealError(f"{stream.limit} of {stream.samples} samples cannot be asked", where=where)
    if not 1 <= stream.epochs <= MAX_EPOCHS:
        raise SealError(f"{stream.epochs} epochs cannot be asked", where=where)
    if len(set(stream.detectors)) != len(stream.detectors):
        raise SealError("one detector is applied twice", where=where)
    if len(stream.strata) > MAX_STRATA:
        raise SealError(f"more than {MAX_STRATA} strata", where=where)
    for stratum, weight in stream.strata.items():
        # The bounded form keeps exact fractions of hostile weights cheap.
        if not _WEIGHT.fullmatch(weight) or not any(
            digit in weight.lower().partition("e")[0] for digit in "123456789"
        ):
            raise SealError(f"stratum {stratum!r} has a weight that is no positive decimal", where=where)


def _check_cards(plan: Plan) -> None:
    where = f"{PLAN} $.detectors"
    names = {card.name for card in plan.detectors}
    if len(plan.detectors) > MAX_DETECTORS:
        raise SealError(f"more than {MAX_DETECTORS} detectors", where=where)
    if len(names) != len(plan.detectors):
        raise SealError("two detectors have one name", where=where)
    for index, card in enumerate(plan.detectors):
        _check_card(card, f"{where}[{index}]")
    if unknown := {name for stream in plan.streams for name in stream.detectors} - names:
        raise SealError(f"no card says what {min(unknown)[:80]!r} finds", where=where)


def _check_card(card: DetectorCard, where: str) -> None:
    if card.exact and card.event in DETECTOR_OF_EVENT:
        raise SealError(
            f"{card.name} calls itself exact, and whether an answer is {card.event} is a judgement",
            where=where,
        )
    for errors in card.errors:
        if not (
            0 <= errors.true_positives <= errors.positives and 0 <= errors.true_negatives <= errors.negatives
        ):
            raise SealError(f"the measured errors of {card.name} cannot be", where=where)


FindCard = Callable[[str], DetectorCard | None]
"""The card of the detector that a reference (`id`, `id:setting`) opens in this program; None for an unknown one."""


FindSuite = Callable[[str, bytes], str | None]
"""The digest of the suite file that comes with this program as `id@version`; None for an unknown one.

The second argument is the file that a bundle encloses: of a generated suite there are as many files as seeds, and this
program's own is the one that its generator makes from the seed in it.
"""


def flags_of_suites(plan: Plan, find_suite: FindSuite, enclosed: Callable[[str], bytes]) -> Iterator[str]:
    """`suite_unknown` for a suite that the issuer alone can show; `enclosed` reads the file of a suite by its name.

    Raises SealError for a suite with the name and version of one that comes with this program, and other bytes.
    """
    for index, stream in enumerate(plan.streams):
        own = find_suite(stream.suite, enclosed(stream.suite))
        if own is None:
            yield "suite_unknown"
        elif own != stream.suite_sha256:
            raise SealError(
                f"this is not the {stream.suite} that comes with this program",
                where=f"{PLAN} $.streams[{index}].suite_sha256",
            )


def flags_of_cards(plan: Plan, find_card: FindCard) -> Iterator[str]:
    """What a plan's detectors leave to the issuer's word, as flags.

    `detector_unknown`: what it looks for, and whether it is exact, cannot be looked up. `errors_stated`: its measured
    errors are not the ones that it comes with. Raises SealError for a card that has the name of a detector of this
    program and other rules, or that calls it exact where it is not.
    """
    for index, card in enumerate(plan.detectors):
        own = find_card(card.reference)
        if own is None or own.name != card.name:
            yield "detector_unknown"
        elif (own.event, own.sha256, own.exact) != (card.event, card.sha256, card.exact):
            raise SealError(
                f"{card.name} is not the detector that this program has under this name",
                where=f"{PLAN} $.detectors[{index}]",
            )
        if card.errors != (() if own is None else own.errors):
            yield "errors_stated"


def _check_references(plan: Plan) -> None:
    where = f"{PLAN} $.references"
    if len({planned.tally.measure for planned in plan.references}) != len(plan.references):
        raise SealError("a measure has two references", where=where)
    for planned in plan.references:
        tally = planned.tally
        if len(tally.clusters) > MAX_CLUSTERS:
            raise SealError(
                f"the reference counts of {tally.measure} are beyond what is compared", where=where
            )


def _check_claims(plan: Plan, rubric: Rubric, system: SystemDescriptor) -> None:
    if rubric.scope.use_cases and system.use_case not in rubric.scope.use_cases:
        raise SealError(
            f"{rubric.name} is not for the use case {system.use_case!r}", where=f"{PLAN} $.system_sha256"
        )
    # a finite pool needs answers that asking again cannot change: recorded ones, or weights decoded greedily
    if not plan.fixed_outcomes or system.identity == "recorded":
        return
    place = f"{PLAN} $.fixed_outcomes"
    if system.identity != "weights" or not _is_zero(system.params.get("temperature", "0")):
        raise SealError("outcomes are fixed only where answers are recorded or decoded greedily", where=place)
    if any(stream.epochs > 1 for stream in plan.streams):
        raise SealError("outcomes are fixed, so repeating a question adds no evidence", where=place)


def _is_zero(value: object) -> bool:
    return not str(value).strip("+-0.") and any(digit == "0" for digit in str(value))


def _check_detector(planned: MeasurePlan, stream: StreamPlan, plan: Plan, where: str) -> None:
    card = next((card for card in plan.detectors if card.name == planned.detector), None)
    if card is None or planned.detector not in stream.detectors:
        raise SealError(f"{planned.id} needs {planned.detector}, which the plan does not apply", where=where)
    if card.event != planned.event:
        raise SealError(f"{planned.detector} finds {card.event!r}, not {planned.event!r}", where=where)


def _check_measure(planned: MeasurePlan, stream: StreamPlan, rubric: Rubric, where: str) -> None:
    measure = rubric.measures.get(planned.id)
    if measure is None:
        raise SealError(f"the rubric has no measure {planned.id!r}", where=where)
    if not suite_is_meant(measure.suite, planned.suite):
        raise SealError(
            f"the rubric measures {planned.id} on {measure.suite}, not on {planned.suite}", where=where
        )
    pinned = measure.suite_sha256
    if pinned and pinned.removeprefix("sha256:") != stream.suite_sha256.removeprefix("sha256:"):
        raise SealError(f"the rubric pins {planned.suite} to another digest", where=where)
    if measure.k is not None and measure.k != stream.epochs:
        raise SealError(
            f"{planned.id} counts the best of {measure.k} answers, the plan asks {stream.epochs}", where=where
        )
    for name, wanted in _as_planned(measure).items():
        if getattr(planned, name) != wanted:
            raise SealError(f"{planned.id}: {name} is not the rubric's", where=f"{where}.{name}")


def _as_planned(measure: Measure) -> Mapping[str, object]:
    return {
        "event": measure.detected_event,
        "where": measure.filter,
        "unit": measure.unit,
        "population": measure.population,
        "collapse": measure.collapse,
        "negate": measure.negate,
    }


def suite_is_meant(reference: str, name: str) -> bool:
    """True if a rubric's suite reference (`id`, `id@major` or `id@version`) means the suite named `id@version`."""
    suite_id, _, version = reference.partition("@")
    own_id, _, own = name.partition("@")
    return suite_id == own_id and (not version or own == version or own.split(".")[0] == version)
