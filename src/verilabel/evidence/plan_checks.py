"""What a plan must be before anything is counted by it: whole, within its suites, and about the rubric's own measures.

Without these checks a plan could name the rubric's measure and count something else under it: another filter, another
event, a suite of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from verilabel.errors import MalformedInput, SealError
from verilabel.evidence.layout import PLAN, suite_files
from verilabel.records.plan import MeasurePlan, Plan, StreamPlan
from verilabel.records.sample import SampleEntry
from verilabel.rubric.structure import Measure, Rubric

MAX_EPOCHS = 10_000
_WEIGHT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,24})?([eE]-?[0-9]{1,2})?", re.ASCII)


def check_plan(plan: Plan, rubric: Rubric) -> None:
    """Check a plan against the rubric it is for and against itself.

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
    if len({card.name for card in plan.detectors}) != len(plan.detectors):
        raise SealError("two detectors have one name", where=f"{PLAN} $.detectors")
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
    for stratum, weight in stream.strata.items():
        # The bounded form keeps exact fractions of hostile weights cheap.
        if not _WEIGHT.fullmatch(weight) or not any(
            digit in weight.lower().partition("e")[0] for digit in "123456789"
        ):
            raise SealError(f"stratum {stratum!r} has a weight that is no positive decimal", where=where)


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


def check_index(stream: StreamPlan, entries: Sequence[SampleEntry]) -> None:
    """Check a suite's index against its stream.

    Raises SealError where it has another number of samples than was planned, MalformedInput for a stratum without
    a weight.
    """
    _, path = suite_files(stream.suite)
    if len(entries) != stream.samples:
        raise SealError(f"the index of {stream.suite} does not have the planned samples", where=path)
    if stream.strata:
        for entry in entries:
            if entry.stratum not in stream.strata:
                raise MalformedInput(f"sample {entry.id!r} is of a stratum without a weight", where=path)
