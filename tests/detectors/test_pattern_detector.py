"""Patterns from data files: same meaning as Python's, but in linear time, and refused where that cannot be."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from verilabel.detectors.automaton import MAX_STATES, LinearPattern
from verilabel.detectors.pattern import READ_CHARACTERS, PatternDetector
from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.records.sample import Message, Sample
from verilabel.records.score import Scored, Unscored

SAMPLE = Sample("s-1", (Message("user", "?"),))

ATOMS = [
    "a",
    "b",
    "A",
    " ",
    r"\n",
    ".",
    r"\d",
    r"\W",
    r"\s",
    r"\b",
    "^",
    "$",
    r"\A",
    r"\Z",
    "[ab1]",
    "[^a]",
    "[a-c]",
]
REPEATS = ["", "*", "+", "?", "{2}", "{1,2}", "{0,2}?", "*?", "{2,}"]
atoms = st.builds(
    "".join, st.tuples(st.sampled_from([*ATOMS, "(?i:b)", "(?m:$)", "(?s:.)"]), st.sampled_from(REPEATS))
)
patterns = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("({}|{}){}".format, inner, inner, st.sampled_from(REPEATS)),
    ),
    max_leaves=6,
)


@given(patterns, st.text(alphabet="abcAB1 \n_é", max_size=9))
def test_a_pattern_finds_what_pythons_own_finds(pattern: str, text: str) -> None:
    try:
        expected = re.compile(pattern)
    except re.error:
        assume(False)
    assert (expected.search(text) is not None) == LinearPattern(pattern).found_in(text)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"\bno\b", "Oh no!", True),
        (r"\bno\b", "another", False),
        (r"(?i)SORRY", "so sorry", True),
        (r"^yes$", "yes\n", True),
        (r"(?m)^yes$", "well\nyes\nno", True),
        (r"\d{4}-\d{2}", "on 2024-05 or so", True),
        (r"colou?r|hue", "a hue", True),
        (r"(?x) a  b  # spaced", "ab", True),
        ("", "", True),
        ("[^ab]", "ab", False),
        ("é", "café", True),
    ],
)
def test_everyday_patterns(pattern: str, text: str, found: bool) -> None:
    finding = PatternDetector(pattern).detect("s@1", SAMPLE, 1, text)
    assert isinstance(finding, Scored)
    assert found is finding.value


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(.*a){12}$", "^a*a*a*a*a*a*$", "(a?){30}a{30}$"]
)
def test_patterns_that_need_exponential_time_elsewhere_are_answered(pattern: str) -> None:
    assert LinearPattern(pattern).found_in("a" * 5_000)
    assert not LinearPattern(pattern).found_in("a" * 5_000 + "!")


@pytest.mark.parametrize("pattern", [r"(a)\1", "(?=a)b", "(?<!a)b", "(a)(?(1)b|c)", "a++b", "(?>a)b"])
def test_what_no_automaton_can_run_is_refused_with_the_reason(pattern: str) -> None:
    with pytest.raises(MalformedInput, match="not supported"):
        PatternDetector(pattern)


@pytest.mark.parametrize("pattern", ["(", "[a", "a{2,1}", "*", r"\q"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(MalformedInput, match="not a pattern"):
        PatternDetector(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["a" * 1_001, f"a{{{MAX_STATES + 1}}}", "((a{30}){30}){30}", "(" * 60 + "a" + ")" * 60, "a{1000000}"],
)
def test_a_pattern_beyond_a_limit_is_refused(pattern: str) -> None:
    with pytest.raises(LimitExceeded):
        PatternDetector(pattern)


def test_a_long_answer_is_matched_in_its_part_that_is_read_or_left_unscored() -> None:
    detector = PatternDetector("needle")
    assert isinstance(found := detector.detect("s@1", SAMPLE, 1, "needle" + "x" * READ_CHARACTERS), Scored)
    assert found.value
    assert isinstance(detector.detect("s@1", SAMPLE, 1, "x" * READ_CHARACTERS + "needle"), Unscored)


def test_two_patterns_are_two_detectors() -> None:
    assert PatternDetector("a").card.name != PatternDetector("b").card.name
    assert PatternDetector("a").card == PatternDetector("a").card
