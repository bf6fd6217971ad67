"""Requests are read so that nobody further on can read them otherwise."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.gateway.pipeline.decoding import MAX_DEPTH, decode_body, encode
from verilabel.gateway.verdicts import Refused

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def _code(data: bytes) -> str:
    with pytest.raises(Refused) as caught:
        decode_body(data)
    assert caught.value.refusal.status == 400
    return caught.value.refusal.code


@given(st.dictionaries(st.text(max_size=6), _VALUES, max_size=5), st.booleans(), st.booleans())
def test_every_way_of_writing_one_object_is_read_as_that_object(
    value: dict[str, object], indented: bool, escaped: bool
) -> None:
    data = json.dumps(value, indent=1 if indented else None, ensure_ascii=escaped).encode(
        "utf-8", "surrogatepass"
    )
    assert value == json.loads(encode(decode_body(data)))


@given(st.dictionaries(st.text(max_size=6), _VALUES, min_size=1, max_size=4), st.data())
def test_a_key_given_twice_is_refused_wherever_and_however_it_is_written(
    value: dict[str, object], data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from(sorted(value)))
    again = data.draw(st.sampled_from([json.dumps(key), _escaped(key)]))
    inner = json.dumps(value)[:-1] + f", {again}: 1}}"
    for written in (inner, f'{{"outer": [{inner}]}}'):
        assert _code(written.encode()) == "duplicate_key"


def _escaped(key: str) -> str:
    units = key.encode("utf-16-be", "surrogatepass")
    return '"' + "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2)) + '"'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"NaN",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1} trailing',
        b'{"a": "\xff"}',
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
    ],
)
def test_what_is_no_json_object_in_utf_8_is_refused(data: bytes) -> None:
    assert _code(data) == "invalid_json"


@pytest.mark.parametrize("depth", [MAX_DEPTH + 2, 10_000, 200_000])
def test_great_depth_is_refused_and_ends_no_process(depth: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        inner = opening * depth + (b"1" if opening != b"[" else b"") + closing * depth
        assert _code(b'{"a":' + inner + b"}") == "json_too_deep"


def test_depth_within_the_limit_is_taken() -> None:
    depth = MAX_DEPTH - 2
    assert "a" in decode_body(b'{"a":' + b"[" * depth + b"]" * depth + b"}")
