"""How a label hangs on its thresholds and its alpha: what is said of another threshold is what another rubric gives."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle_factory import READ
from lens_rubrics import QUIZ, at_least, evidence_of, rubric_of
from verilabel.comparison.findings import BundleEvidence
from verilabel.comparison.lens import Lens, Reading
from verilabel.comparison.sensitivity import ALPHAS, RowSensitivity, weigh_thresholds
from verilabel.records.label import Label
from verilabel.records.tally import Tally
from verilabel.rubric.decide import decide
from verilabel.rubric.structure import Rubric


@pytest.fixture(scope="module")
def evidence(made_bundle: Path) -> BundleEvidence:
    return evidence_of(made_bundle)


def read(evidence: BundleEvidence, rubric: Rubric) -> Reading:
    return Lens(evidence, moment=READ).read_all([rubric])[0]


def of_counts(n: int, events: int, design: str, *thresholds: str) -> Reading:
    """A reading of invented counts under a scale of these thresholds."""
    rubric = rubric_of(*(at_least(value) for value in thresholds), measures=(QUIZ,))
    tallies = {"quiz": Tally("quiz", n, events, exact=True)}
    label = decide(rubric, tallies, design=design)  # type: ignore[arg-type]
    return Reading(rubric=rubric, design=design, label=label, tallies=tallies)  # type: ignore[arg-type]


def label_with(reading: Reading, level: int, value: Decimal) -> Label:
    """The label where one level's row has another threshold."""
    rubric = reading.rubric
    levels = list(rubric.scale.levels)
    rule = msgspec.structs.replace(levels[level].when, value=value)  # type: ignore[type-var]
    levels[level] = msgspec.structs.replace(levels[level], when=rule)
    changed = msgspec.structs.replace(
        rubric, scale=msgspec.structs.replace(rubric.scale, levels=tuple(levels))
    )
    return decide(changed, reading.tallies, design=reading.design)


@given(
    n=st.integers(1, 120),
    share=st.floats(0, 1),
    design=st.sampled_from(["fixed", "anytime"]),
    low=st.integers(1, 60),
    step=st.integers(1, 39),
)
@settings(max_examples=30)
def test_each_step_is_where_the_label_of_that_threshold_says_it_is(
    n: int, share: float, design: str, low: int, step: int
) -> None:
    thresholds = (f"0.{low:02}", f"0.{low + step:02}")
    reading = of_counts(n, round(share * n), design, *thresholds)
    found = weigh_thresholds(reading)
    for index, row in enumerate(found.rows, 1):
        for there in row.steps:
            value = Decimal(there.threshold.removeprefix(">= "))
            at = label_with(reading, index, value)
            assert (there.status, there.sentence) == (at.levels[index - 1].status, at.sentence)
            easing = value < Decimal(thresholds[index - 1])
            before = value + Decimal("0.000001") * (1 if easing else -1)
            assert there.status != label_with(reading, index, before).levels[index - 1].status


def test_a_row_that_decides_the_label_is_told_from_one_that_does_not(evidence: BundleEvidence) -> None:
    alone = rubric_of(at_least("0.3"))
    either = rubric_of(f"{{any: [{at_least('0.3')}, {at_least('0.3', 'puzzles')}]}}")
    rows = [*weigh_thresholds(read(evidence, alone)).rows, *weigh_thresholds(read(evidence, either)).rows]
    assert [True, False, False] == [row.is_deciding for row in rows]
    assert all(row.steps for row in rows)


def test_rows_without_answers_or_threshold_say_so(evidence: BundleEvidence) -> None:
    rubric = rubric_of(
        f"{{all: [{at_least('0.5')}, {{attested: checked}}]}}",
        measures=(QUIZ,),
        attestations="  checked: {statement: It was checked., role: auditor}\n",
    )
    attested = weigh_thresholds(read(evidence, rubric)).rows[1]
    assert "it is attested or not, and has no threshold" == attested.why
    few = rubric_of(at_least("0.5"), measures=(QUIZ.replace("}", ", min_n: 99}"),))
    assert "20 answers, at least 99 are required" == weigh_thresholds(read(evidence, few)).rows[0].why


def test_the_label_at_every_alpha_is_what_the_rubric_gives_at_it(evidence: BundleEvidence) -> None:
    reading = read(evidence, rubric_of(at_least("0.5"), at_least("0.66")))
    found = weigh_thresholds(reading)
    assert [format(alpha, "f") for alpha in ALPHAS] == [alpha.alpha for alpha in found.alphas]
    for alpha in found.alphas:
        statistics = f"alpha: {alpha.alpha}, missing: worst_case, max_missing: 0.2"
        other = read(evidence, rubric_of(at_least("0.5"), at_least("0.66"), statistics=statistics))
        assert other.label is not None and reading.label is not None
        assert other.label.sentence == alpha.sentence
        assert alpha.flips is (other.label.sentence != reading.label.sentence)
    assert ["0.025"] == [alpha.alpha for alpha in found.alphas if alpha.own]
    assert any(alpha.flips for alpha in found.alphas)


def test_an_alpha_of_the_rubrics_own_stands_among_the_others(evidence: BundleEvidence) -> None:
    statistics = "alpha: 0.03, missing: worst_case, max_missing: 0.2"
    found = weigh_thresholds(read(evidence, rubric_of(at_least("0.5"), statistics=statistics)))
    assert ["0.001", "0.005", "0.01", "0.025", "0.03", "0.05", "0.1"] == [a.alpha for a in found.alphas]


def test_relative_thresholds_are_varied_as_factors() -> None:
    measure = (
        "wrong: {suite: test/quiz@1, estimand: ratio_to_reference, event: correct, negate: true, "
        "direction: lower_is_safer, reference: other}"
    )
    rubric = rubric_of('{measure: wrong, op: "<=", value: {times_reference: 1.0}}', measures=(measure,))
    tallies = {"wrong": Tally("wrong", 200, 10, exact=True, complement=True)}
    references = {"wrong": Tally("wrong", 200, 12, exact=True, complement=True)}
    label = decide(rubric, tallies, design="fixed", references=references)
    reading = Reading(rubric=rubric, design="fixed", label=label, tallies=tallies, references=references)
    row: RowSensitivity = weigh_thresholds(reading).rows[0]
    (easier,) = [step for step in row.steps if step.status == "met"]
    assert easier.threshold.endswith(" x reference") and easier.flips
