"""The scales of the bundled rubrics hang together, and can be reached on suites of the sizes that these have."""

from __future__ import annotations

from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapes import counts, families

from verilabel.records.label import Label, Status
from verilabel.records.tally import Tally
from verilabel.rubric.decide import decide
from verilabel.rubric.model import bundled_rubrics
from verilabel.rubric.structure import Measure, Rubric
from verilabel.suites.loading import load_suite

RUBRICS = {rubric.id.removeprefix("verilabel/"): rubric for rubric in bundled_rubrics()}
# The ladder is pinned by labels: its two upper levels ask different questions and are not nested.
HAZARD_SCALES = sorted(
    name for name, rubric in RUBRICS.items() if rubric.scale.kind == "hazard" and name != "capability-ladder"
)
SIZES = {
    # adapters, from the summaries of their files
    ("xstest", "label"): 200,
    ("xstest", "type"): 25,
    ("advbench", ""): 520,
    ("bbq-religion", ""): 25,
    ("bipia-injection", ""): 15,
    ("gsm8k", ""): 200,
    # tasks of Inspect, as inspect_evals 0.26.0 has them: pairs of AgentDojo without a sandbox
    ("inspect/agentdojo", ""): 949,
    ("inspect/agent-threat-bench-autonomy-hijack", ""): 6,
    ("inspect/agent-threat-bench-data-exfil", ""): 8,
    ("inspect/agent-threat-bench-memory-poison", ""): 10,
    ("harmbench", ""): 41,
    ("simple-safety-tests", ""): 80,
    ("truthfulqa-mc", ""): 483,
    ("wmdp-cyber", ""): 150,
    # published, not with the program: independent items, or games where the unit is the family. Not looked up again,
    # but as their papers are remembered: cve-bench, cybench, hard45, mask, medqa, agent-red-teaming, red-team
    ("anthropic/red-team", ""): 38961,
    ("cais/machiavelli", ""): 30,
    ("cais/mask", ""): 1000,
    ("cais/textquests", ""): 25,
    ("cybench", ""): 40,
    ("google-deepmind/stealth-awareness", ""): 16,
    ("gray-swan/agent-red-teaming", ""): 44,
    ("medqa", ""): 1273,
    ("metr/time-horizon", ""): 170,
    ("openai/mle-bench", ""): 75,
    ("securebio/vct", ""): 322,
    ("securebio/vct-refusal", ""): 40,  # not published: the least that the rubric asks for
    ("swe-bench/verified", ""): 500,
    ("swe-bench/verified-hard45", ""): 45,
    ("uiuc-kang-lab/cve-bench", ""): 40,
}
"""Independent units of a suite that is not in the package, by the first tag that is filtered on."""
SHOWABLE = sorted(set(RUBRICS) - {"ailuminate-hazards", "grade-vs-reference", "capability-ladder"})


@cache
def core_units(suite: str, tag: str, values: tuple[str, ...]) -> int:
    """The independent units of a suite of this project whose tag has one of the values."""
    entries = load_suite(suite, run_seed="sizes").entries
    return len({entry.unit for entry in entries if not tag or entry.tags[tag] in values})


def size_of(measure: Measure) -> int:
    """How many units a measure can have: families where its unit is the family, items otherwise."""
    suite = measure.suite.partition("@")[0]
    if suite.startswith("verilabel/"):
        return max(measure.min_n, 200)  # this project's own, to come: as large as the rubric needs
    tag, values = next(iter((measure.filter or {}).items()), ("", ()))
    if not suite.startswith(("core/", "cap/", "agent/")):
        return SIZES[suite, tag]
    chosen = (values,) if isinstance(values, str) else tuple(values)
    if measure.unit == "family" or suite.startswith("agent/"):
        return core_units(suite, tag, chosen)
    return len(load_suite(suite, run_seed="sizes").entries)


def tally_of(name: str, measure: Measure, events: int, units: int) -> Tally:
    """So many events on so many units."""
    made = (
        families((1, 0, 1, events), (0, 0, 1, units - events), measure=name)
        if measure.unit == "family"
        else counts(units, events, measure=name)
    )
    return msgspec.structs.replace(
        made, unit=measure.unit, population=measure.population, complement=measure.negate
    )


def label_of_every_answer(rubric: Rubric, safest: bool) -> Label:
    """The label where each answer to each suite, asked in full, is the safest or the least safe one."""
    tallies = {}
    for name, measure in rubric.measures.items():
        units = size_of(measure)
        happens = (measure.direction == "higher_is_safer") == safest
        tallies[name] = tally_of(name, measure, units if happens else 0, units)
    return decide(rubric, tallies, design="fixed", attested=tuple(rubric.attestations))


@pytest.mark.parametrize("name", sorted(set(RUBRICS) - {"capability-ladder"}))
def test_no_measure_asks_for_more_answers_than_its_suite_has(name: str) -> None:
    too_small = [key for key, m in RUBRICS[name].measures.items() if m.min_n > size_of(m)]
    assert [] == too_small


@pytest.mark.parametrize("name", SHOWABLE)
def test_the_best_end_of_a_scale_can_be_shown_on_suites_of_their_real_size(name: str) -> None:
    label = label_of_every_answer(RUBRICS[name], safest=True)
    if label.kind == "assurance":
        assert label.scale[-1] == label.lower
    else:
        assert (label.scale[0], label.scale[0]) == (label.lower, label.upper)


@pytest.mark.parametrize("name", HAZARD_SCALES)
def test_the_dangerous_end_of_a_scale_can_be_established_on_suites_of_their_real_size(name: str) -> None:
    label = label_of_every_answer(RUBRICS[name], safest=False)
    assert label.scale[-1] == label.lower


def statuses(label: Label, test: str) -> list[Status]:
    """The outcome of one kind of rule, from the lowest level upwards."""
    order = {level: place for place, level in enumerate(label.scale)}
    found = [(order[result.level], result.status) for result in label.levels if result.test == test]
    return [status for _, status in sorted(found)]


@st.composite
def evidence(draw: st.DrawFn) -> Label:
    """A hazard scale decided on plenty of answers at any rates, with any of its attestations."""
    rubric = RUBRICS[draw(st.sampled_from(HAZARD_SCALES))]
    attested = draw(st.sets(st.sampled_from(sorted(rubric.attestations))))
    tallies = {
        name: tally_of(name, measure, draw(st.integers(0, 20)) * 500, 10_000)
        for name, measure in rubric.measures.items()
        if draw(st.integers(0, 9))  # one measure in ten is missing
    }
    return decide(rubric, tallies, design="fixed", attested=tuple(sorted(attested)))


@given(evidence())
@settings(max_examples=80, deadline=None)
def test_what_rules_out_a_level_rules_out_every_level_above_it(label: Label) -> None:
    met = [status == "met" for status in statuses(label, "rule_out")]
    assert sorted(met) == met


@given(evidence())
@settings(max_examples=80, deadline=None)
def test_what_establishes_a_level_establishes_every_level_below_it(label: Label) -> None:
    met = [status == "met" for status in statuses(label, "rule_in")]
    assert sorted(met, reverse=True) == met


@pytest.mark.parametrize(
    "name", ["frontier-safety-3", "meta-frontier", "preparedness-v2", "rsp-2.2", "rsp-3"]
)
def test_no_vendors_threshold_is_established_by_benchmarks_alone(name: str) -> None:
    rubric = RUBRICS[name]
    tallies = {key: tally_of(key, measure, 10_000, 10_000) for key, measure in rubric.measures.items()}
    label = decide(rubric, tallies, design="fixed")
    lowest = {"frontier-safety-3": "FW"}.get(name, label.scale[0])  # an early warning is a proxy's to give
    assert (lowest, label.scale[-1]) == (label.lower, label.upper)


def graded(failing_reference: int) -> str:
    """The grade of a system without one harmful answer, by how often each hazard fails in the reference."""
    rubric = RUBRICS["ailuminate-hazards"]
    own = {name: tally_of(name, m, 0, size_of(m)) for name, m in rubric.measures.items()}
    reference = {
        name: tally_of(name, m, failing_reference, size_of(m)) for name, m in rubric.measures.items()
    }
    return decide(rubric, own, design="fixed", references=reference).lower


def test_on_this_suite_a_hazards_grade_needs_a_reference_that_fails_often() -> None:
    first = {
        grade: next((n for n in range(43) if graded(n) == grade), None) for grade in ("F", "G", "VG", "E")
    }
    assert {"F": 5, "G": 8, "VG": 15, "E": None} == first
