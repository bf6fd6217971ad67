"""Evidence lines: one spelling a record, and no text that two readers could read differently."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.errors import MalformedInput
from verilabel.evidence.lines import Line, decode_line, encode_line, encode_lines
from verilabel.records.attempt import Attempt, Failure, Observation, Usage, body_fields, response_body
from verilabel.records.score import Scored, Unscored

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.integers(0, 2**40)
FAILURES = st.builds(Failure, kind=TEXT, message=TEXT, retryable=st.booleans(), fatal=st.booleans())
ATTEMPTS = st.builds(
    Attempt,
    suite=TEXT, sample=TEXT, epoch=NUMBERS, attempt=NUMBERS, request=TEXT,
    judge=st.none() | TEXT, status=st.none() | NUMBERS, response=st.none() | TEXT, output=st.none() | TEXT,
    finish=st.none() | TEXT, usage=st.none() | st.builds(Usage, NUMBERS, NUMBERS), failure=st.none() | FAILURES,
)  # fmt: skip
SCORES = st.builds(Scored, TEXT, TEXT, NUMBERS, TEXT, TEXT, st.booleans(), st.none() | TEXT)
UNSCORED = st.builds(Unscored, TEXT, TEXT, NUMBERS, TEXT, TEXT, TEXT)
OBSERVATIONS = st.builds(
    Observation,
    TEXT,
    TEXT,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    headers=st.dictionaries(TEXT, TEXT, max_size=2),
)
RECORDS: st.SearchStrategy[Line] = st.one_of(ATTEMPTS, SCORES, UNSCORED, OBSERVATIONS)
ONE = Attempt("s@1.0.0", "a", 1, 1, "{}", output="ok")


@settings(max_examples=150, deadline=None)
@given(record=RECORDS)
def test_every_record_comes_back_from_its_one_line(record: Line) -> None:
    line = encode_line(record)
    assert record == decode_line(line, "x")
    assert b"\n" not in line
    assert line + b"\n" == encode_lines([record])


@settings(max_examples=100, deadline=None)
@given(record=RECORDS)
def test_a_line_is_json_that_any_reader_understands(record: Line) -> None:
    document = json.loads(encode_line(record))
    assert document["kind"] in ("attempt", "score", "unscored", "observation")
    assert record.sample == document["sample"]


@settings(max_examples=200, deadline=None)
@given(record=RECORDS, data=st.data())
def test_a_changed_line_is_another_record_or_none(record: Line, data: st.DataObject) -> None:
    line = encode_line(record)
    at = data.draw(st.integers(0, len(line) - 1))
    changed = line[:at] + bytes([line[at] ^ data.draw(st.integers(1, 255))]) + line[at + 1 :]
    try:
        read = decode_line(changed, "x")
    except MalformedInput:
        return
    assert record != read
    assert changed == encode_line(read)


def _line() -> str:
    return encode_line(ONE).decode()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{}",
        "[]",
        "null",
        _line().replace('"attempt"', '"mystery"', 1),
        _line().replace('{"kind":"attempt",', "{"),
        _line() + " ",
        " " + _line(),
        _line().replace(":", ": ", 1),
        _line().replace('"epoch":1', '"epoch":1,"epoch":1'),
        _line().replace('"epoch":1', '"epoch":1.0'),
        _line().replace('"epoch":1', '"epoch":1e0'),
        _line().replace('"epoch":1', '"epoch":"1"'),
        _line().replace('"epoch":1', '"epoch":true'),
        _line().replace('"sample":"a"', '"sample":"\\u0061"'),
        _line().replace('"sample":"a"', '"sample":"\\ud800"'),
        _line().replace('"output":"ok"', '"output":"ok","status":null'),
        _line().replace('"output":"ok"', '"output":"ok","mood":1'),
        _line().replace('"sample":"a",', ""),
        "[" * 100_000,
        '{"kind":' * 20_000,
    ],
)
def test_what_is_not_the_one_spelling_of_a_record_is_refused_with_its_place(line: str) -> None:
    with pytest.raises(MalformedInput) as caught:
        decode_line(line.encode(), "records/evidence.jsonl:7")
    assert "records/evidence.jsonl:7" == caught.value.where


@pytest.mark.parametrize("line", [b"\xff", b'{"kind":"attempt","suite":"\xc3\x28"}', b"\0"])
def test_bytes_that_are_not_utf8_are_refused(line: bytes) -> None:
    with pytest.raises(MalformedInput, match="not a record"):
        decode_line(line, "x")


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=60))
def test_any_response_body_is_kept_exactly(body: bytes) -> None:
    attempt = Attempt("s@1.0.0", "a", 1, 1, "{}", output="ok", **body_fields(body))  # type: ignore[arg-type]
    kept = decode_line(encode_line(attempt), "x")
    assert isinstance(kept, Attempt)
    assert body == response_body(kept)
