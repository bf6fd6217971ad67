"""Server-sent events however they are cut: whole events out, bounded, linear."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.stream_makers import cut, events_of
from verilabel.gateway.wire.interface import MalformedStream
from verilabel.gateway.wire.sse import EventReader, read_event, write_event

LINES = st.sampled_from(
    [
        b"data: a",
        b"data:b",
        b"data: \xc3\xa9",
        b"event: ping",
        b": words",
        b"",
        b"id: 7",
        b"data",
        b"retry: 3",
        b"data: c: d",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


def read_all(data: bytes, sizes: list[int]) -> list[bytes]:
    reader = EventReader()
    events = [event for read in cut(data, sizes) for event in reader.feed(read)]
    rest = reader.finish()
    return events + ([rest] if rest else [])


def said(events: list[bytes]) -> list[tuple[str | None, bytes]]:
    found = [read_event(event) for event in events]
    return [(event.name, event.data) for event in found if event.data is not None]


@given(
    st.lists(st.tuples(LINES, ENDS), max_size=40),
    st.lists(st.integers(1, 9), min_size=1, max_size=8),
)
def test_events_are_the_same_however_the_bytes_were_cut_and_no_byte_is_lost(
    lines: list[tuple[bytes, bytes]], sizes: list[int]
) -> None:
    data = b"".join(line + end for line, end in lines) + b"data: end\n\n"
    one_by_one = read_all(data, sizes)
    assert data == b"".join(one_by_one)
    assert said(read_all(data, [len(data)])) == said(one_by_one)


@given(st.lists(st.tuples(LINES, ENDS), max_size=40))
def test_a_clients_own_reader_sees_the_same_data(lines: list[tuple[bytes, bytes]]) -> None:
    data = b"".join(line + end for line, end in lines) + b"\n\n"
    ours = [(name or None, text.decode()) for name, text in said(read_all(data, [3])) if text]
    assert [(name or None, text) for name, text in events_of(data) if text] == ours


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_each_kind_of_line_end_separates_events(end: str, size: int) -> None:
    data = f"data: one{end}{end}event: x{end}data: two{end}data: lines{end}{end}".encode()
    assert [(None, b"one"), ("x", b"two\nlines")] == said(read_all(data, [size]))


def test_an_event_that_ends_in_cr_is_given_out_before_the_next_byte_comes() -> None:
    reader = EventReader()
    assert [b"data: a\r\r"] == reader.feed(b"data: a\r\r")
    assert [b"\ndata: b\r\r"] == reader.feed(b"\ndata: b\r\r")


def test_a_byte_order_mark_is_left_out_even_if_it_is_cut() -> None:
    assert [(None, b"a")] == said(read_all(b"\xef\xbb\xbfdata: a\n\n", [1]))
    assert [(None, b"a")] == said(read_all(b"\xef\xbb\xbfdata: a\n\n", [100]))


@pytest.mark.parametrize("end", [b"", b"\r"])
@pytest.mark.parametrize("size", [1000, 65536])
def test_ten_megabytes_without_an_event_are_refused_at_one(end: bytes, size: int) -> None:
    reader = EventReader()
    fed = 0
    with pytest.raises(MalformedStream, match="longer than 1048576 bytes"):
        for read in cut(b"x" * 10_000_000 if not end else b"x\r" * 5_000_000, [size]):
            reader.feed(read)
            fed += len(read)
    assert fed <= (1 << 20) + size


def test_an_event_beyond_the_limit_is_refused_even_if_it_comes_at_once() -> None:
    with pytest.raises(MalformedStream):
        EventReader(limit=100).feed(b"data: " + b"x" * 200 + b"\n\n")
    assert [b"data: " + b"x" * 50 + b"\n\n"] * 9 == EventReader(limit=100).feed(
        (b"data: " + b"x" * 50 + b"\n\n") * 9
    )


def test_names_of_events_are_names() -> None:
    assert "response.output_text.delta" == read_event(b"event: response.output_text.delta\ndata: {}\n\n").name
    for name in (b"my key is sk-abc", b"\xff", b"x" * 129, b"a:b"):
        with pytest.raises(MalformedStream):
            read_event(b"event: " + name + b"\n\n")


def test_what_is_written_is_read_again() -> None:
    assert ("x.y", b'{"a":1}', True) == read_event(write_event(b'{"a":1}', "x.y"))
    assert (None, b"[DONE]", True) == read_event(write_event(b"[DONE]"))
