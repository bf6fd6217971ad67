"""Canonical bytes: one spelling for every value, and a reader that no two programs could differ from."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.records.canonical import MAX_INTEGER, digest, is_digest, jcs, parse_json, sha256_hex

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(value=VALUES)
def test_every_value_comes_back_from_its_canonical_bytes(value: Any) -> None:
    assert value == parse_json(jcs(value), where="x")
    assert value == json.loads(jcs(value))


@settings(max_examples=100, deadline=None)
@given(value=st.dictionaries(TEXT, st.integers(-9, 9), max_size=6), data=st.data())
def test_the_order_of_keys_does_not_matter(value: dict[str, int], data: st.DataObject) -> None:
    other = dict(data.draw(st.permutations(list(value.items()))))
    assert jcs(value) == jcs(other)


@settings(max_examples=200, deadline=None)
@given(one=VALUES, other=VALUES)
def test_different_values_have_different_bytes(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)  # to Python, True == 1
    assert same is (jcs(one) == jcs(other))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # RFC 8785 section 3.2.3: sorted by UTF-16 code units, so U+1F600 comes before U+FB33
        (
            {"€": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "ö": 7},
            '{"\\r":2,"1":4,"\x80":6,"ö":7,"€":1,"\U0001f600":5,"\ufb33":3}',
        ),
        # section 3.2.2.2: only these characters are escaped, and in this way
        ('€$\x0f\nA\'B"\\\\"/', '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'),
        ("\b\t\f\x1f\x7f\u2028", '"\\b\\t\\f\\u001f\x7f\u2028"'),
        ([None, True, False, 0, -1, MAX_INTEGER], "[null,true,false,0,-1,9007199254740992]"),
        ({}, "{}"),
        ([[], {"": ""}], '[[],{"":""}]'),
    ],
)
def test_known_canonical_forms(value: Any, expected: str) -> None:
    assert expected.encode() == jcs(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.5, "a float has no canonical form"),
        (float("nan"), "a float has no canonical form"),
        (MAX_INTEGER + 1, "beyond 2\\^53"),
        ({1: "x"}, "is not a string"),
        ("\ud800", "lone surrogate"),
        ({"\ud800": 1}, "lone surrogate"),
        (b"x", "a bytes has no canonical form"),
        ({"a": [1, {"b": 0.1}]}, "a float has no canonical form"),
    ],
)
def test_what_has_no_canonical_form_is_refused(value: Any, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        jcs(value)


def test_a_refusal_says_where_in_the_value() -> None:
    with pytest.raises(MalformedInput) as caught:
        jcs({"a": [1, {"b": 0.1}]})
    assert "$.a[1].b" == caught.value.where


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a":1,"a":1}', "key 'a' stands twice"),
        (b'{"a":1,"\\u0061":2}', "key 'a' stands twice"),
        (b"1.0", "is not an integer"),
        (b"1e2", "is not an integer"),
        (b"-0.0", "is not an integer"),
        (b"NaN", "is not an integer"),
        (b"-Infinity", "is not an integer"),
        (b"01", "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b"[1,]", "not JSON"),
        (b"", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON|BOM"),
        (b'"\xff"', "not UTF-8 at byte 1"),
        (b'"a\nb"', "not JSON"),
        (b"// x\n{}", "not JSON"),
    ],
)
def test_json_that_two_readers_could_read_differently_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(MalformedInput, match=message) as caught:
        parse_json(data, where="plan.json")
    assert "plan.json" == caught.value.where


@pytest.mark.parametrize(
    "data",
    [
        b"9007199254740993",
        b"-9007199254740993",
        b"1" * 5000,
        b"[" * 65 + b"]" * 65,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'"' + b"a" * 1001 + b'"',
    ],
)
def test_json_beyond_a_limit_is_refused(data: bytes) -> None:
    with pytest.raises(LimitExceeded):
        parse_json(data, where="x", max_bytes=1000 if data.startswith(b'"') else 2**24)


def test_brackets_inside_texts_are_not_depth() -> None:
    value = ["[" * 100, '\\"[{' * 40]
    assert value == parse_json(jcs(value), where="x")


@settings(max_examples=200, deadline=None)
@given(
    data=st.binary(max_size=40) | st.text(alphabet='{}[]":,0123456789.eE-+ \\ua', max_size=40).map(str.encode)
)
def test_no_bytes_make_the_reader_fail_in_another_way(data: bytes) -> None:
    try:
        value = parse_json(data, where="x")
    except MalformedInput:
        return
    assert json.loads(data) == value


def test_a_digest_is_sha256_as_this_project_writes_it() -> None:
    assert "sha256:" + hashlib.sha256(b"abc").hexdigest() == digest(b"abc")
    assert "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" == sha256_hex(b"abc")
    assert is_digest(digest(b""))


@pytest.mark.parametrize(
    "text", ["", "sha256:", "ba" * 32, "sha256:" + "BA" * 32, "sha256:" + "ba" * 31, "sha1:" + "ba" * 32,
             "sha256:sha256:" + "ba" * 32, "sha256:" + "ba" * 32 + "\n", "sha256:" + "b٣" * 32],
)  # fmt: skip
def test_what_only_looks_like_a_digest_is_none(text: str) -> None:
    assert not is_digest(text)
