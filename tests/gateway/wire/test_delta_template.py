"""The short way of reading delta events says what the long way says, whatever the event."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.stream_makers import SECRET, chat_text, chunk, open_everything, redact, run, sse
from verilabel.gateway.wire.catalogue import DIALECTS
from verilabel.gateway.wire.interface import MalformedStream
from verilabel.gateway.wire.template import DeltaTemplate, learn_template

CHAT = DIALECTS["/v1/chat/completions"]
FRAGMENTS = st.sampled_from(
    [
        b'"',
        b"\\",
        b'\\"',
        b"\\\\",
        b"\\u0041",
        b"\\ud83d",
        b"\\ude00",
        b"\n",
        b"\r",
        b"\xff",
        b"\xc3",
        b"\xa9",
        b"a",
        b"sk-",
        b'","logprobs":null}',
        b'"},"x":{"content":"',
        b"\x00",
        b"}",
        b"{",
        b"\x7f",
        b"\\u00",
        b" ",
        b'"obfuscation":"',
        b'","obfuscation":"',
    ]
)


def make_event(text: str, *, number: int | None = None, padding: str | None = None) -> bytes:
    body: dict[str, Any] = {"type": "x", **({} if number is None else {"sequence_number": number})}
    body |= {"n": 1.5, "content": text, "rest": [None, True]}
    if padding is not None:
        body["obfuscation"] = padding
    return sse(body)


def learn(raw: bytes) -> DeltaTemplate:
    body = json.loads(raw[6:])
    template = learn_template(raw, body, body, "content")
    assert isinstance(template, DeltaTemplate)
    assert json.loads(raw[6:]) == body
    return template


def read_in_full(raw: bytes, like: bytes) -> str | None:
    """The text of an event of the same form, read by a JSON parser; None for any other event."""
    expected = json.loads(like[6:])
    try:
        lines = raw.decode().splitlines() if b"\r" in raw else raw.decode().split("\n")
        assert [True, False, False] == [bool(line) for line in lines]
        body = json.loads(lines[0][6:])
        text = body["content"]
        text.encode()
        for name in ("sequence_number", "obfuscation"):
            if name in expected:
                body[name] = expected[name]
        return text if {**expected, "content": text} == body else None
    except (ValueError, AssertionError, KeyError, TypeError, AttributeError):
        return None


@pytest.mark.parametrize(("number", "padding"), [(None, None), (7, None), (None, "abc"), (7, "abc")])
@given(
    parts=st.lists(FRAGMENTS, max_size=6),
    digits=st.sampled_from([b"7", b"12", b"07", b"-1", b"1.0", b"", b"1e3"]),
    pad=st.sampled_from([b"", b"xyz", b'x"', b"x\\", b"x y", b"\n"]),
)
def test_what_the_short_way_reads_is_what_a_parser_reads(
    number: int | None, padding: str | None, parts: list[bytes], digits: bytes, pad: bytes
) -> None:
    like = make_event("hello", number=number, padding=padding)
    template = learn(like)
    raw = like.replace(b"hello", b"".join(parts))
    if number is not None:
        raw = raw.replace(b'"sequence_number":7', b'"sequence_number":' + digits)
    if padding is not None:
        raw = raw.replace(b'"obfuscation":"abc"', b'"obfuscation":"' + pad + b'"')
    text = template.read(raw)
    if text is not None:
        assert read_in_full(raw, like) == text


@given(st.text(max_size=20), st.integers(0, 10**9), st.text("abcXYZ019", max_size=8))
def test_events_of_the_form_are_read_and_written(text: str, number: int, padding: str) -> None:
    like = make_event("hello", number=3, padding="zz")
    template = learn(like)
    raw = make_event(text, number=number, padding=padding)
    assert text == template.read(raw)
    written = json.loads(template.write("new " + text, raw)[6:])
    assert {**json.loads(raw[6:]), "content": "new " + text, "obfuscation": ""} == written


def test_a_member_of_the_same_name_elsewhere_is_not_taken_for_the_text() -> None:
    body = {
        "a": {"content": "hello"},
        "content": "hello",
        "b": {"content": "hello"},
        "c": '"content":"hello"',
    }
    raw = sse(body)
    template = learn_template(raw, body, body, "content")
    assert isinstance(template, DeltaTemplate)
    assert "other" == template.read(sse({**body, "content": "other"}))
    assert template.read(sse({**body, "b": {"content": "other"}})) is None


def test_a_name_that_is_written_with_escapes_is_not_learned_wrongly() -> None:
    raw = b'data: {"c\\u006fntent":"hello","x":{"content":"hello"}}\n\n'
    body = json.loads(raw[6:])
    assert learn_template(raw, body, body, "content") is None


@given(st.lists(st.lists(FRAGMENTS, max_size=4).map(b"".join), min_size=1, max_size=8), st.booleans())
def test_a_stream_read_the_short_way_gives_the_texts_of_one_read_the_long_way(
    inner: list[bytes], at_once: bool
) -> None:
    like = sse(chunk({"content": "hello"}))
    events = [like] + [like.replace(b"hello", part) for part in inner] + [like]

    def texts(events: list[bytes]) -> str | None:
        try:
            reads = [b"".join(events)] if at_once else events
            return chat_text(run(CHAT.rewriter(open_everything, keeps_passages=False), reads))
        except MalformedStream:
            return None

    # an unknown number in each event keeps every one from having the form of another
    apart = [event.replace(b'"created":1', f'"created":{n}'.encode()) for n, event in enumerate(events, 1)]
    assert texts(apart) == texts(events)


def test_a_long_stream_is_read_the_short_way() -> None:
    rewriter = CHAT.rewriter(open_everything, keeps_passages=False)
    text = f"words {SECRET} and more words " * 40
    out = run(rewriter, [sse(chunk({"content": text[at : at + 3]})) for at in range(0, len(text), 3)])
    assert redact(text) == chat_text(out)
