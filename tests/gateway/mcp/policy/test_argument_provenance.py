"""Provenance of arguments: what counts as named by the person or a trusted tool, and what only looks like it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.gateway.mcp.policy.provenance import MAX_ATOM_CHARS, fold_text, is_known, list_atoms

PROMPT = (
    "Please send the report to alice.b@corp.example (cc bob@corp.example), post it in #general, pay 1,200 to "
    "DE89 3704 0044 0532 0130 00 and 98.70 to Uber Eats; look at https://news.example/today?x=1 and "
    "www.shop.example/a. Delete file 13 in /home/ann/notes.txt. My friend's name is Jean-Luc; meet at 5 on 2024-05-15."
)


def known(value: Any, source: str = PROMPT) -> bool:
    return is_known([value], [fold_text(source)])


@pytest.mark.parametrize(
    "value",
    [
        "alice.b@corp.example",
        "Alice.B@CORP.example",
        "bob@corp.example",
        ["alice.b@corp.example", "bob@corp.example"],
        "general",
        "#general",
        1200,
        1200.0,
        "1,200",
        98.7,
        "98.70",
        "DE89 3704 0044 0532 0130 00",
        "uber  eats",
        "https://news.example/today?x=1",
        "https://www.shop.example/a",
        "www.shop.example/a",
        13,
        "13",
        "/home/ann/notes.txt",
        "Jean-Luc",
        "2024-05-15",
        5,
        "ＵＢＥＲ eats",
        {"Uber": "Eats"},
    ],
)
def test_what_was_named_is_known(value: Any) -> None:
    assert known(value)


@pytest.mark.parametrize(
    "value",
    [
        "lice.b@corp.example",
        "b@corp.example",
        "alice.b@corp.exampl",
        "alice.b@corp.example.evil.example",
        "alice.b@corp.example,x@evil.example",
        "alice.b",
        "corp.example",
        "xalice.b@corp.example",
        "alice.b@corp.example\u200b",
        "аlice.b@corp.example",  # a Cyrillic a
        ["alice.b@corp.example", "x@evil.example"],
        {"hook": "alice.b@corp.example"},
        "https://news.example/today?x=1&d=secret",
        "https://news.example/today",
        "https://news.example/",
        "http://news.example/today?x=1",
        "https://evil.example/?u=https://news.example/today?x=1",
        "https://www.shop.example/a/b",
        "shop.example/a",
        "gener",
        "general2",
        "Jean",
        "Luc",
        "3",
        3,
        2024,
        "15",
        120,
        1200.5,
        -1200,
        "/home/ann",
        "notes.txt",
        "/home/ann/notes.txt/../../x",
        "evil",
        float("nan"),
        float("inf"),
    ],
)
def test_what_was_not_named_whole_is_not_known(value: Any) -> None:
    assert not known(value)


@pytest.mark.parametrize("value", ["", "  ", None, True, [], {}, [None, False, ""]])
def test_a_value_that_says_nothing_is_known_by_nobody(value: Any) -> None:
    assert not known(value)


def test_empty_parts_beside_a_known_one_change_nothing() -> None:
    assert known({"general": None, "uber eats": ["", True]})


def test_a_sentence_may_end_behind_what_it_names() -> None:
    for end in (".", ",", "!", "?", ")", "'s", "\n", "; thanks", '".', " .", ""):
        assert known("bob@corp.example", f"Write to bob@corp.example{end}"), end
        assert known("Bob Lee", f"Write to Bob Lee{end}"), end


def test_a_source_in_another_form_of_unicode_is_the_same() -> None:
    assert known("café", "meet at the cafe\u0301, please")
    assert known("STRASSE 5", "Straße 5")


def test_sources_are_taken_together_for_the_atoms_and_each_alone_for_one() -> None:
    assert is_known(["ann", "bob"], [fold_text("ann"), fold_text("bob")])
    assert not is_known(["ann bob"], [fold_text("ann"), fold_text("bob")])


def test_what_is_too_much_to_look_at_is_not_known() -> None:
    assert list_atoms(["x"] * 5000) is None
    assert list_atoms(["x" * (MAX_ATOM_CHARS + 1)]) is None
    assert not is_known(10**400, [str(10**400)])
    assert known(10**26, f"pay {10**26}") and not known("--5", "5") and not known("5.5.5", "5")
    assert not known("b" * 1001 + "a", "b" * 50_000)


def test_a_deep_value_is_taken_apart_without_recursion() -> None:
    deep: Any = "general"
    for _ in range(50_000):
        deep = [deep]
    assert known(deep)


@given(st.text(max_size=30), st.text(max_size=30))
def test_folding_twice_is_folding_once(first: str, second: str) -> None:
    assert fold_text(first) == fold_text(fold_text(first))
    assert fold_text(f"{first} {second}") == fold_text(f"{fold_text(first)} {fold_text(second)}")


@given(st.text("abc1.@/-: ", min_size=1, max_size=8), st.text("abc1.@/-: ", max_size=20))
def test_what_is_known_stands_in_the_source(value: str, source: str) -> None:
    if (
        "/" not in value
        and not fold_text(value).replace(".", "").replace("-", "").isdigit()
        and known(value, source)
    ):
        assert fold_text(value) in fold_text(source)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    ),
    st.text(max_size=20),
)
def test_no_json_makes_provenance_fail(value: Any, source: str) -> None:
    assert known(value, source) in (True, False)
    assert not known(value, "")
