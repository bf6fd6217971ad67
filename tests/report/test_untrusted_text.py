"""Text from outside: nothing unseen stays unseen, nothing that can be read is changed."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from verilabel.report.untrusted import shorten, show_unseen

UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(text=st.text(alphabet=st.characters()))
def test_no_character_that_hides_or_reorders_is_left(text: str) -> None:
    for character in show_unseen(text):
        assert character in "\n\t\u200c\u200d" or unicodedata.category(character) not in UNSEEN


@given(text=st.text(alphabet=st.characters(exclude_categories=("C", "Zl", "Zp"))))
def test_text_that_can_be_read_stays_as_it_is(text: str) -> None:
    assert text == show_unseen(text)


def test_a_bidi_override_is_named_by_its_code_point() -> None:
    assert "user[U+202E]nimda" == show_unseen("user\u202enimda")


def test_one_line_is_one_line_whatever_the_text() -> None:
    assert "a b c[U+2028]d" == show_unseen("a\nb\r\nc\u2028d", one_line=True)


def test_a_cut_text_says_how_much_is_missing() -> None:
    assert "abc… (2 more characters)" == shorten("abcde", 3)
    assert "abc" == shorten("abc", 3)
