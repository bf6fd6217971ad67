"""Reading a call's arguments: one meaning or a complaint, whatever a model writes."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.evaluation.agents.arguments import (
    MAX_ARGUMENT_BYTES,
    MAX_DEPTH,
    BadArguments,
    read_arguments,
    write_number,
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", "{}"),
        ('{"b": 1,\n "a": [true, null]}', '{"a":[true,null],"b":1}'),
        ('{"n": 5.0}', '{"n":5}'),
        ('{"n": 0.10}', '{"n":0.1}'),
        ('{"n": -0.0}', '{"n":0}'),
        ('{"t": "\\u00e9\\n"}', '{"t":"é\\n"}'),
        ('{"\\ud83d\\ude00": 1, "\\ufb33": 2}', '{"😀":1,"\ufb33":2}'),
    ],
)
def test_arguments_have_one_canonical_form(text: str, canonical: str) -> None:
    assert canonical == read_arguments(text)[1]
    assert json.loads(canonical) == read_arguments(text)[0]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not JSON"),
        ("add 1", "not JSON"),
        ("[1]", "not a JSON object"),
        ("null", "not a JSON object"),
        ('"{}"', "not a JSON object"),
        ('{"a":1,"a":2}', "twice"),
        ('{"x":{"a":1,"a":2}}', "twice"),
        ('{"a":NaN}', "does not have"),
        ('{"a":-Infinity}', "does not have"),
        ('{"a":1e999}', "does not have"),
        ('{"a":9007199254740993}', "2\\^53"),
        ('{"a":9007199254740994.0}', "2\\^53"),
        ('{"a":' + "9" * 5000 + "}", "2\\^53"),
        ('{"a":"\\ud800"}', "not JSON"),
        ('{"a":' + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1) + "}", "deeper"),
        ("[" * 500_000, "deeper"),
        ('{"a":"' + "x" * MAX_ARGUMENT_BYTES + '"}', "larger"),
    ],
)
def test_arguments_that_programs_could_read_differently_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(BadArguments, match=complaint):
        read_arguments(text)


def test_brackets_within_texts_are_no_depth() -> None:
    assert {"a": '[[{"\\' * 40} == read_arguments(json.dumps({"a": '[[{"\\' * 40}))[0]


@pytest.mark.parametrize(
    ("bits", "written"),
    [  # RFC 8785, appendix B
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_numbers_are_written_as_rfc_8785_has_them(bits: str, written: str) -> None:
    assert written == write_number(struct.unpack(">d", bytes.fromhex(bits))[0])


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_that_was_written_reads_back_as_itself(value: float) -> None:
    assert value == float(write_number(value))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), JSON, max_size=4))
def test_reading_the_canonical_form_again_changes_nothing(arguments: dict[str, object]) -> None:
    try:
        value, canonical = read_arguments(json.dumps(arguments))
    except BadArguments as error:
        assert "2^53" in str(error)
        return
    assert (value, canonical) == read_arguments(canonical)
    assert arguments == value


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        value, canonical = read_arguments(text)
    except BadArguments:
        return
    assert value == json.loads(canonical)
