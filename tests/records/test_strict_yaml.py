"""Strict YAML: what is read, and every form that is refused with its line and column."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.records.strict_yaml import load_strict_yaml


def load(text: str | bytes, **limits: int) -> object:
    data = text.encode() if isinstance(text, str) else text
    return load_strict_yaml(data, where="f.yaml", **limits)


def test_plain_values_have_one_reading() -> None:
    document = load("a: 1\nb: -0.250\nc: 1e-3\nd: true\ne: ~\nf: text\ng: [x, '1']\nh: {i: 'no'}\n")
    assert {
        "a": 1,
        "b": Decimal("-0.250"),
        "c": Decimal("0.001"),
        "d": True,
        "e": None,
        "f": "text",
        "g": ["x", "1"],
        "h": {"i": "no"},
    } == document


def test_decimals_keep_their_digits() -> None:
    assert "0.10" == str(load("0.10"))


@pytest.mark.parametrize("text", ["2027-01-01", "2027-01-01T10:00:00Z", "0.1.0", "P30D", "a:b"])
def test_dates_and_versions_stay_text(text: str) -> None:
    assert text == load(text)


def test_keys_are_text_even_where_they_look_like_numbers() -> None:
    assert {"1": "a", "2024-01-01": "b"} == load("1: a\n2024-01-01: b\n")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: &x 1", "f.yaml:1:4"),
        ("a: *x", "f.yaml:1:4"),
        ("a: !!str 1", "f.yaml:1:4"),
        ("a: !x 1", "f.yaml:1:4"),
        ("a: ! x", "f.yaml:1:4"),
        ("<<: {a: 1}", "f.yaml:1:1"),
        ("a: 1\nb: 2\na: 3", "f.yaml:3:1"),
        ("a: {b: 1, b: 2}", "f.yaml:1:11"),
        ("1: x\n'1': y", "f.yaml:2:1"),
        ("--- 1\n--- 2", "f.yaml:2:1"),
        ("%YAML 1.1\n---\na: 1", "f.yaml:1:1"),
        ("a: .inf", "f.yaml:1:4"),
        ("a: -.INF", "f.yaml:1:4"),
        ("a: .NaN", "f.yaml:1:4"),
        ("? [a]\n: 1", "f.yaml:1:3"),
        ("~: 1", "f.yaml:1:1"),
        ("true: 1", "f.yaml:1:1"),
        ("a: [1", "f.yaml:1:6"),
        ("a: @x", "f.yaml:1:4"),
        ("a: 1\n\tb: 2", "f.yaml:2:1"),
        ("a: \x01", "f.yaml:1:4"),
        ('a: "\\ud800"', "f.yaml:1:4"),
        ("", "f.yaml"),
        ("# only a comment", "f.yaml"),
    ],
)
def test_what_readers_could_differ_about_is_refused_where_it_stands(text: str, place: str) -> None:
    with pytest.raises(MalformedInput) as refused:
        load(text)
    assert place == refused.value.where


@pytest.mark.parametrize("word", ["yes", "No", "ON", "off", "y", "N"])
@pytest.mark.parametrize("form", ["a: {}", "{}: 1", "[{}]", "{}"])
def test_bare_truth_words_of_old_yaml_are_refused(word: str, form: str) -> None:
    with pytest.raises(MalformedInput, match="truth value"):
        load(form.format(word))


@pytest.mark.parametrize("word", ["yes", "No", "y"])
def test_quoted_truth_words_are_text(word: str) -> None:
    assert {"a": word} == load(f'a: "{word}"')


@pytest.mark.parametrize(
    "number", ["012", "0x1F", "0o17", "0b1", "1_000", "12:30", "1:00:00.5", ".5", "5.", "+.5", "1e"]
)
def test_numbers_that_readers_take_differently_are_refused(number: str) -> None:
    with pytest.raises(MalformedInput, match="differ"):
        load(f"a: {number}")


@pytest.mark.parametrize(
    "text", ["9007199254740992", "1e31", "1e-31", "0." + "1" * 60, "1" * 50, "1e99999999999"]
)
def test_numbers_beyond_the_limits_are_refused(text: str) -> None:
    with pytest.raises(LimitExceeded):
        load(f"a: {text}")


def test_bytes_that_are_not_utf8_are_refused_where_they_stand() -> None:
    with pytest.raises(MalformedInput) as refused:
        load(b"a: 1\nb: \xff")
    assert "f.yaml:2:4" == refused.value.where


def test_a_file_beyond_the_size_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(LimitExceeded, match="at most 10"):
        load("a: 1234567890", max_bytes=10)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_nesting_beyond_the_limit_is_refused(opening: str) -> None:
    with pytest.raises(LimitExceeded, match="deeper than 8"):
        load(opening * 2000, max_depth=8)


def test_nesting_up_to_the_limit_is_read() -> None:
    assert [[["x"]]] == load("[[[x]]]", max_depth=3)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    try:
        load(data)
    except MalformedInput as error:
        assert error.where is not None and error.where.startswith("f.yaml")


@given(st.text(alphabet="ab:-[]{},'\"#&*!|>%@ \n\t0.9e~<", max_size=60))
def test_any_text_of_yaml_signs_is_read_or_refused(text: str) -> None:
    try:
        load(text)
    except MalformedInput as error:
        assert error.message


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000, places=6))
def test_decimals_are_read_exactly(number: Decimal) -> None:
    read = load(f"a: {number:f}")
    assert {"a": number} == read
