"""Comparing whole answers and final numbers with the gold ones."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.detectors.exact import ExactDetector
from verilabel.detectors.number import NumberDetector, read_number
from verilabel.errors import UsageError
from verilabel.records.sample import Message, Sample
from verilabel.records.score import Scored, Unscored


def sample(*target: str) -> Sample:
    return Sample("s-1", (Message("user", "?"),), target=target)


@pytest.mark.parametrize(
    ("output", "correct"),
    [
        ("Paris", True),
        (" paris.\n", True),
        ("**Paris**", True),
        ("ＰＡＲＩＳ", True),
        ("Paris, France", False),
    ],
)
def test_an_exact_answer_ignores_case_spacing_and_outer_punctuation_only(output: str, correct: bool) -> None:
    finding = ExactDetector().detect("s@1", sample("Lutetia", "Paris"), 1, output)
    assert isinstance(finding, Scored)
    assert correct is finding.value


def test_an_exact_answer_without_target_or_text_is_unscored() -> None:
    assert isinstance(ExactDetector().detect("s@1", sample(), 1, "Paris"), Unscored)
    assert isinstance(ExactDetector().detect("s@1", sample("Paris"), 1, " . "), Unscored)


def test_an_answer_that_only_begins_like_the_target_is_wrong_however_long_it_is() -> None:
    finding = ExactDetector().detect("s@1", sample("a" * 10_000), 1, "a" * 10_000 + "b")
    assert isinstance(finding, Scored)
    assert not finding.value


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", 42),
        ("The answer is 1,234.", 1234),
        ("It costs $1,234,567.50 in total", Fraction("1234567.5")),
        ("x = -3", -3),
        ("x = −3.5", Fraction("-3.5")),
        ("from 10-15", 15),
        ("about 2.5e3 volts", 2500),
        ("3/4 of them", Fraction(3, 4)),
        ("0.5", Fraction(1, 2)),
        (".5", Fraction(1, 2)),
        ("50%", 50),
        ("#### 18", 18),
        ("#### 18\nLet me know if you need 2 more.", 18),
        (r"so \boxed{7} in 3 steps", 7),
        ("First 3, then 5, so 8", 8),
        ("take 1/0 or 6", 6),
        ("1\u202f234", 1234),
        ("3." + "1" * 60, Fraction("3." + "1" * 60)),
        ("version 1.2.3", None),
        ("no number here", None),
        ("version B12 of v2", None),
        ("", None),
        ("1e999", None),
    ],
)
def test_the_number_an_answer_gives(text: str, number: int | Fraction | None) -> None:
    assert number == read_number(text)


def test_a_number_within_the_tolerance_is_correct_and_just_outside_is_not() -> None:
    found = [
        NumberDetector("0.01").detect("s@1", sample("3.14"), 1, text) for text in ("3.15", "3.13", "3.1501")
    ]
    assert [True, True, False] == [f.value for f in found if isinstance(f, Scored)]


def test_the_tolerance_is_part_of_the_card() -> None:
    assert NumberDetector().card.name != NumberDetector("0.01").card.name != NumberDetector("0.1").card.name


@pytest.mark.parametrize("tolerance", ["-1", "much", ""])
def test_a_tolerance_that_is_none_is_refused(tolerance: str) -> None:
    with pytest.raises(UsageError):
        NumberDetector(tolerance)


@pytest.mark.parametrize(("target", "output"), [("many", "3"), ("3", "three"), ("3", "  ")])
def test_without_a_number_on_both_sides_the_answer_is_unscored(target: str, output: str) -> None:
    assert isinstance(NumberDetector().detect("s@1", sample(target), 1, output), Unscored)


@given(st.text())
def test_no_text_makes_reading_a_number_fail(text: str) -> None:
    NumberDetector().detect("s@1", sample("1"), 1, text)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12))
def test_numbers_are_read_back_as_written_with_and_without_separators(value: object) -> None:
    for text in (f"so it is {value:f}.", f"so it is {value:,f}"):  # type: ignore[str-bytes-safe]
        assert Fraction(str(value)) == read_number(text)


@pytest.mark.parametrize(
    "text", ["1," * 100_000, "1" * 200_000, "-" * 200_000, "1/" * 100_000, "$ " * 100_000]
)
def test_long_hostile_answers_give_a_finding(text: str) -> None:
    assert NumberDetector().detect("s@1", sample("1"), 1, text).sample == "s-1"


def test_real_solutions_are_judged_as_their_authors_judged_them(shared_data: Path) -> None:
    judged = []
    lines = (shared_data / "gsm8k" / "example_model_solutions_first200.jsonl").read_text("utf-8").splitlines()
    for row in map(json.loads, lines):
        gold = sample(row["ground_truth"].split("####")[-1].strip())
        for model in ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"):
            finding = NumberDetector().detect("gsm8k", gold, 1, row[model]["solution"])
            judged.append(isinstance(finding, Scored) and finding.value is row[model]["is_correct"])
    assert 800 == sum(judged)
