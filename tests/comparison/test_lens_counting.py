"""Counting again for another rubric gives what counting answer by answer gives, whatever the measure asks."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.comparison.findings import FALSE, MISSING, TRUE, BundleEvidence, NotCounted, StreamFindings
from verilabel.evidence.counting import open_recount
from verilabel.records.plan import Design, MeasurePlan, Plan, RubricReference, StreamPlan
from verilabel.records.sample import SampleEntry
from verilabel.records.score import DetectorCard, ErrorCounts
from verilabel.records.system import SystemDescriptor
from verilabel.rubric.structure import Measure

SUITE = "demo@1.2.0"
SOME = "sha256:" + "3" * 64
ERRORS = ErrorCounts(90, 100, 180, 200, "people", "sha256:" + "1" * 64)
SEEN = DetectorCard("look", "1.0.0", "seen", "sha256:" + "0" * 64, errors=(ERRORS,))
EXACT = DetectorCard("sum", "2.0.0", "right", "sha256:" + "a" * 64, exact=True)
SYSTEM = SystemDescriptor(name="demo", provider_model="demo", identity="simulated", params={})


def plan_of(
    measures: Sequence[MeasurePlan],
    *,
    samples: int,
    limit: int,
    epochs: int = 1,
    fixed_outcomes: bool = False,
) -> Plan:
    """A plan of one suite with two detectors."""
    stream = StreamPlan(SUITE, SOME, SOME, samples, limit, (SEEN.name, EXACT.name), epochs)
    rubric = RubricReference("demo", "1.0.0", "sha256:" + "4" * 64)
    return Plan(
        SOME, rubric, "fixed", "7", (stream,), tuple(measures), (SEEN, EXACT), fixed_outcomes=fixed_outcomes
    )


def evidence_of(
    plan: Plan, index: Sequence[SampleEntry], findings: Sequence[tuple[int, int]]
) -> BundleEvidence:
    """The evidence in which the detectors found these, answer by answer in the committed order."""
    order = open_recount(plan, {SUITE: index}).streams[0].order
    columns = {SEEN.name: bytearray(a for a, _ in findings), EXACT.name: bytearray(b for _, b in findings)}
    stream = StreamFindings(plan.streams[0], order, {e.id: e for e in index}, columns, len(findings))
    return BundleEvidence("demo", plan, SYSTEM, {SUITE: stream})


def planned(name: str, measure: Measure) -> MeasurePlan:
    """The measure as a plan would have it."""
    card = SEEN if measure.event == "seen" else EXACT
    return MeasurePlan(
        id=name,
        suite=SUITE,
        event=measure.detected_event,
        detector=card.name,
        unit=measure.unit,
        population=measure.population,
        where=measure.filter,
        collapse=measure.collapse,
        negate=measure.negate,
    )


indexes = st.lists(
    st.tuples(st.sampled_from(["", "f1", "f2", "f3"]), st.sampled_from("ab"), st.sampled_from("xyz")),
    min_size=1,
    max_size=24,
)
measures = st.builds(
    Measure,
    suite=st.just("demo@1"),
    estimand=st.just("proportion"),
    event=st.sampled_from(["seen", "right"]),
    direction=st.sampled_from(["lower_is_safer", "higher_is_safer"]),
    unit=st.sampled_from(["item", "family", "trial"]),
    population=st.sampled_from(["items_sampled", "items_fixed"]),
    negate=st.booleans(),
    filter=st.sampled_from(
        [{}, {"kind": ("a",)}, {"kind": ("a", "b")}, {"kind": ("b",), "hazard": ("x", "z")}]
    ),
)


@given(
    rows=indexes,
    measure=measures,
    epochs=st.integers(1, 3),
    share=st.floats(0.1, 1),
    fixed_outcomes=st.booleans(),
    values=st.data(),
)
def test_counts_by_groups_are_those_of_counting_answer_by_answer(
    rows: list[tuple[str, str, str]],
    measure: Measure,
    epochs: int,
    share: float,
    fixed_outcomes: bool,
    values: st.DataObject,
) -> None:
    index = [
        SampleEntry(f"s{i}", SOME, family, tags={"kind": kind, "hazard": hazard})
        for i, (family, kind, hazard) in enumerate(rows)
    ]
    limit = max(1, round(share * len(index)))
    plan = plan_of(
        [planned("m", measure)], samples=len(index), limit=limit, epochs=epochs, fixed_outcomes=fixed_outcomes
    )
    one = st.sampled_from((FALSE, TRUE, MISSING))
    findings = values.draw(st.lists(st.tuples(one, one), max_size=limit * epochs))
    counted = open_recount(plan, {SUITE: index})
    meaning = {FALSE: False, TRUE: True, MISSING: None}
    for seen, right in findings:
        counted.streams[0].consume({SEEN.name: meaning[seen], EXACT.name: meaning[right]})
    evidence = evidence_of(plan, index, findings)
    again = evidence.count_measure("m", measure, {SUITE: ("hazard", "kind")})
    if any(all(entry.tags[tag] in of for tag, of in measure.filter.items()) for entry in index):
        assert counted.tallies()["m"] == again
    else:
        assert isinstance(again, NotCounted)


def asked(**fields: object) -> Measure:
    """A measure on the demo suite."""
    return Measure(
        **{
            "suite": "demo@1",
            "estimand": "proportion",
            "event": "seen",
            "direction": "lower_is_safer",
            **fields,
        }  # type: ignore[arg-type]
    )


def small_evidence(design: Design = "fixed", findings: int = 4) -> BundleEvidence:
    index = [SampleEntry(f"s{i}", SOME, tags={"kind": "ab"[i % 2]}) for i in range(4)]
    plan = plan_of([planned("m", asked())], samples=4, limit=4)
    plan = msgspec.structs.replace(plan, design=design)
    return evidence_of(plan, index, [(TRUE, FALSE)] * findings)


@pytest.mark.parametrize(
    ("measure", "why"),
    [
        (asked(suite="other@1"), "suite other@1 was not asked"),
        (asked(suite="demo@2"), "suite demo@2 was not asked"),
        (asked(suite_sha256="sha256:" + "9" * 64), "not the version that the rubric pins"),
        (asked(event="hidden"), "not scored by hidden: the bundle has look@1.0.0 for seen"),
        (asked(scorer="regex:other"), "not scored by regex:other for seen"),
        (asked(elicitation=("plain", "tools")), "counted once for each of plain, tools"),
        (asked(estimand="pass_at_k", k=3), "it counts the best of 3 answers, 1 were asked for"),
        (asked(filter={"kind": ("c", "d")}), "no sample of demo@1.2.0 has kind c or d"),
    ],
)
def test_what_cannot_be_counted_says_why(measure: Measure, why: str) -> None:
    counted = small_evidence().count_measure("m", measure, {SUITE: ("kind",)})
    assert isinstance(counted, NotCounted)
    assert why in counted.why


def test_the_scorer_that_a_rubric_names_is_the_one_that_counts() -> None:
    counted = small_evidence().count_measure("m", asked(scorer="look"), {SUITE: ()})
    assert not isinstance(counted, NotCounted)
    assert (4, 4, False, ERRORS) == (counted.n, counted.events, counted.exact, counted.errors)


def test_the_fixed_design_needs_a_fixed_plan_that_was_carried_out() -> None:
    found = [small_evidence().design, small_evidence(findings=3).design, small_evidence("anytime").design]
    assert ["fixed", "anytime", "anytime"] == found
