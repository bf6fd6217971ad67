"""Names of tools in rules: what `*` and `?` match, cover and share."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.errors import MalformedInput
from verilabel.gateway.mcp.policy.matching import covers_glob, matches_glob, may_globs_meet, parse_match

GLOBS = st.text("ab?*", max_size=8)
TEXTS = st.text("abc", max_size=8)


@given(GLOBS, TEXTS)
def test_a_pattern_matches_what_shells_say_it_matches(glob: str, text: str) -> None:
    assert fnmatchcase(text, glob) == matches_glob(glob, text)


@given(GLOBS, GLOBS, TEXTS)
def test_what_is_covered_matches_wherever_the_narrow_pattern_does(wide: str, narrow: str, text: str) -> None:
    if covers_glob(wide, narrow) and matches_glob(narrow, text):
        assert matches_glob(wide, text)


@given(GLOBS, GLOBS, TEXTS)
def test_patterns_that_share_a_text_may_meet(first: str, second: str, text: str) -> None:
    if matches_glob(first, text) and matches_glob(second, text):
        assert may_globs_meet(first, second)


@pytest.mark.parametrize(
    ("wide", "narrow", "covers"),
    [
        ("*", "a?b*", True),
        ("read_*", "read_in?ox", True),
        ("read_?", "read_*", False),
        ("?*", "*?", True),
        ("*a*", "b*a", True),
        ("*a*", "b*", False),
        ("a", "a", True),
        ("??", "?", False),
    ],
)
def test_covering_of_known_patterns(wide: str, narrow: str, covers: bool) -> None:
    assert covers == covers_glob(wide, narrow)


@pytest.mark.parametrize(
    ("first", "second"), [("a*", "b*"), ("?", "aa"), ("a?c", "ab"), ("*x", "*y"), ("a", "")]
)
def test_patterns_without_a_common_text_do_not_meet(first: str, second: str) -> None:
    assert not may_globs_meet(first, second)


def test_brackets_and_case_are_plain_characters() -> None:
    assert not matches_glob("[ab]", "a")
    assert not matches_glob("Send", "send")


def test_a_hostile_name_takes_no_exponential_time() -> None:
    assert not matches_glob("*a" * 100 + "b", "a" * 256)


@pytest.mark.parametrize("text", ["", "mail", "/send", "mail/", "a" * 257 + "/x"])
def test_a_match_without_two_halves_is_refused(text: str) -> None:
    with pytest.raises(MalformedInput):
        parse_match(text)


def test_the_server_ends_at_the_first_slash() -> None:
    pattern = parse_match("mail/*")
    assert pattern.matches("mail", "folders/read")
    assert not parse_match("*/read").matches("mail", "folders/read")
    assert not parse_match("a*/read").matches("b", "a/read")
