"""Reading the option that an answer picks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.detectors.choice import ChoiceDetector
from verilabel.records.sample import Message, Sample
from verilabel.records.score import Scored, Unscored

DETECTOR = ChoiceDetector()
CHOICES = ("Paris", "New York", "York", "Rome")


def pick(output: str, target: str = "B", choices: tuple[str, ...] = CHOICES) -> Scored | Unscored:
    sample = Sample("s-1", (Message("user", "Which?"),), target=(target,), choices=choices)
    return DETECTOR.detect("suite@1", sample, 1, output)


@pytest.mark.parametrize(
    "output",
    [
        "B",
        "b",
        "(B)",
        " **B** ",
        "B.",
        "B) New York",
        "B: New York",
        "The answer is B.",
        "The correct answer is (B) New York.",
        "Answer: B",
        "**Answer: B**",
        "Answer:\nB",
        "I think A is wrong, so the answer is B",
        "First I thought the answer is C. On reflection, the answer is B.",
        r"Thus \boxed{B}",
        r"$\boxed{\text{B}}$",
        "New York",
        "It must be New York, a large city.",
        "My choice is option B, because of its size.",
        "I would go with (B).",
        "The answer cannot be A. The answer is B.",
        "The answer is not C but option B",
        "The best answer would be B because it is a city.",
        "I choose option B.",
    ],
)
def test_a_picked_option_is_read_in_many_forms(output: str) -> None:
    finding = pick(output)
    assert isinstance(finding, Scored), finding
    assert finding.value, finding


@pytest.mark.parametrize("output", ["A", "The answer is D.", "Rome", "York", "C) York"])
def test_another_option_is_wrong(output: str) -> None:
    finding = pick(output)
    assert isinstance(finding, Scored)
    assert not finding.value


@pytest.mark.parametrize(
    "output",
    [
        "Either Paris or Rome.",
        "I don't know.",
        "A\nB\nC\nD",
        "A) Paris\nB) New York\nC) York\nD) Rome",
        "It could be (B) or (C).",
        "The answer is B or C.",
        "The answer is either (A) or (B)",
        "Option B is right, option C is wrong.",
        "The answer is not B.",
        "The answer is a secret.",
        "A great question! I am not sure.",
        "E",
    ],
)
def test_an_answer_that_names_no_option_or_several_is_unscored(output: str) -> None:
    assert isinstance(pick(output), Unscored)


def test_an_option_inside_a_longer_one_is_not_confused_with_it() -> None:
    assert isinstance(finding := pick("New York", target="York"), Scored)
    assert not finding.value


def test_an_article_is_not_the_letter_a() -> None:
    animals = ("A cat", "A dog", "A cow")
    for output, letter in (
        ("The answer is A dog.", "B"),
        ("The answer is A because it purrs", "A"),
        ("A dog", "B"),
    ):
        finding = pick(output, target=letter, choices=animals)
        assert isinstance(finding, Scored), output
        assert finding.value, output


def test_the_target_may_be_the_option_text_or_its_letter() -> None:
    assert all(
        isinstance(f := pick("B", target=t), Scored) and f.value for t in ("B", "b", "New York", "new york ")
    )


def test_a_letter_that_is_itself_an_option_text_means_the_text() -> None:
    finding = pick("B", target="A", choices=("B", "A"))
    assert isinstance(finding, Scored)
    assert finding.value


def test_a_target_that_is_no_option_and_an_empty_answer_are_unscored() -> None:
    assert isinstance(pick("B", target="London"), Unscored)
    assert isinstance(pick(" "), Unscored)


@given(st.text(), st.lists(st.text(), max_size=30), st.text(max_size=5))
def test_any_text_gets_a_finding(output: str, choices: list[str], target: str) -> None:
    assert pick(output, target, tuple(choices)) == pick(output, target, tuple(choices))


@pytest.mark.parametrize(
    "output", ["(" * 200_000, "answer " * 50_000, "A " * 100_000, "*" * 100_000, "is " * 90_000]
)
def test_long_hostile_answers_are_read_at_both_ends_only(output: str) -> None:
    assert isinstance(pick(output + "\nThe answer is B."), Scored)
