"""Explanations: the sentences say what the rule and the row say, with true numbers."""

from __future__ import annotations

import pytest
from shapes import AT_MOST_5, PLAIN, counts, errors, judged, row, rubric

from verilabel.records.label import Row
from verilabel.records.plan import Design
from verilabel.records.tally import Tally
from verilabel.rubric.decide import decide
from verilabel.rubric.explain import explain_row, explain_rubric
from verilabel.rubric.model import bundled_rubrics, load_rubric
from verilabel.rubric.structure import Rubric


def load(text: str) -> Rubric:
    return load_rubric(text.encode(), "f")


def row_of(text: str, tally: Tally, design: Design = "fixed") -> Row:
    return decide(load(text), {"m": tally}, design=design).levels[0].rows[0]


@pytest.mark.parametrize(
    ("text", "tally", "sentence"),
    [
        (
            rubric(row("<=", "0.03")),
            counts(500, 3),
            "m: 3 of 500 answers (0.60 %); upper bound 1.75 % against 3 %: met",
        ),
        (
            rubric(row("<=", "0.03")),
            counts(100, 30, 2),
            "m: 30 of 100 answers (30.00 %, 2 missing); lower bound 21.24 % against 3 %: not met",
        ),
        (
            rubric(row(">=", "0.5")),
            counts(20, 12),
            "m: 12 of 20 answers (60.00 %); lower bound 36.05 %, upper bound 80.89 %, to be at least 50 %: "
            "undetermined",
        ),
        (
            AT_MOST_5,
            judged(81, 0, errors(100, 100, 100, 100)),
            "m: 0 of 81 answers (0.00 %); upper bound 4.72 % against 4.74 % (from 5 %): met",
        ),
    ],
)
def test_a_row_is_told_with_its_counts_bound_and_threshold(text: str, tally: Tally, sentence: str) -> None:
    assert sentence == explain_row(row_of(text, tally))


def test_a_row_says_why_it_is_undetermined() -> None:
    text = rubric(row("<=", "0.05"), measures={"m": f"{PLAIN}, min_n: 100"})
    assert "(99 answers, at least 100 are required)" in explain_row(row_of(text, counts(99, 0)))


def test_bounds_in_sentences_are_rounded_outward() -> None:
    found = row_of(rubric(row("<=", "0.03")), counts(500, 3))
    assert ("0.017434", "1.75 %") == (found.upper, explain_row(found).split("upper bound ")[1][:6])


def test_rows_without_counts_and_attested_rows_are_told_too() -> None:
    text = rubric(
        f"{{all: [{row('<=', '0.05')}, {{attested: x}}]}}",
        attestations="attestations: {x: {statement: It was seen., role: expert}}\n",
    )
    measured, attested = decide(load(text), {}, design="fixed").levels[0].rows
    assert "m <= 0.05: no answers: not assessed" == explain_row(measured)
    assert "attestation x: not given: not assessed" == explain_row(attested)


@pytest.mark.parametrize("op", ["<=", ">="])
@pytest.mark.parametrize("value", ["0.05", "0.2", "0.7"])
def test_the_fewest_answers_that_are_named_are_the_fewest(op: str, value: str) -> None:
    text = rubric(row(op, value))
    (level,) = explain_rubric(load(text)).levels
    (told,) = level.rows
    for n, design in ((told.answers_fixed, "fixed"), (told.answers_anytime, "anytime")):
        assert n is not None and n > 1
        statuses = [row_of(text, counts(m, 0 if op == "<=" else m), design).status for m in (n - 1, n)]
        assert ["undetermined", "met"] == statuses


def test_a_tree_is_told_in_words() -> None:
    inner = f"{{at_least: 2, of: [{row('<=', '0.1')}, {row('<=', '0.2')}, {row('<=', '0.3')}]}}"
    (level,) = explain_rubric(load(rubric(f"{{any: [{row('<=', '0.05')}, {inner}]}}"))).levels
    assert "any of [1], (at least 2 of [2], [3], [4])" == level.tree
    assert "L1 One is granted when" == level.sentence


def test_every_bundled_rubric_can_be_explained() -> None:
    for bundled in bundled_rubrics():
        lines = "\n".join(explain_rubric(bundled).lines())
        for level in bundled.scale.levels[1:]:
            assert f"{level.id} {level.name} is " in lines
