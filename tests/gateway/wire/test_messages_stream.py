"""Streams of Anthropic's Messages, held against the events that its SDK knows."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic.types import RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from gateway.wire.stream_makers import (
    MARK,
    SECRET,
    SecretFilter,
    bodies_of,
    cut,
    events_of,
    open_everything,
    open_nothing,
    redact,
    run,
    sse,
)
from verilabel.gateway.verdicts import Field, Usage
from verilabel.gateway.wire.catalogue import DIALECTS
from verilabel.gateway.wire.interface import MalformedStream

MESSAGES = DIALECTS["/v1/messages"]
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
PIECES = st.sampled_from([SECRET, "sk-", "abc", "123", "s", " hello ", "é", "😀", '"', "\\", "\n", ""])
BLOCKS = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
}


def event(kind: str, **more: Any) -> bytes:
    return sse({"type": kind, **more}, kind)


def start() -> bytes:
    message = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 1},
    }
    return event("message_start", message=message)


def block(index: int, kind: str, pieces: list[str]) -> list[bytes]:
    content = {
        "text": {"text": ""},
        "thinking": {"thinking": "", "signature": ""},
        "tool_use": {"id": "t", "name": "n", "input": {}},
    }
    delta_kind, member = BLOCKS[kind]
    return [
        event("content_block_start", index=index, content_block={"type": kind, **content[kind]}),
        *[
            event("content_block_delta", index=index, delta={"type": delta_kind, member: piece})
            for piece in pieces
        ],
        event("content_block_stop", index=index),
    ]


def end(reason: str = "end_turn") -> bytes:
    return event(
        "message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": 9}
    ) + event("message_stop")


def texts_of(data: bytes) -> dict[tuple[int, str], str]:
    found: dict[tuple[int, str], str] = {}
    for body in bodies_of(data):
        if body["type"] == "content_block_delta":
            for member in ("text", "thinking", "partial_json", "content"):
                key = (body["index"], member)
                found[key] = found.get(key, "") + body["delta"].get(member, "")
    return {key: text for key, text in found.items() if text}


@given(
    st.lists(st.tuples(st.sampled_from(sorted(BLOCKS)), st.lists(PIECES, max_size=8)), max_size=4),
    st.lists(st.integers(1, 300), min_size=1, max_size=5),
)
def test_each_block_leaves_as_its_redaction_in_events_that_the_sdk_knows(
    blocks: list[tuple[str, list[str]]], sizes: list[int]
) -> None:
    data = (
        start()
        + b"".join(b"".join(block(i, kind, pieces)) for i, (kind, pieces) in enumerate(blocks))
        + end()
    )
    rewriter = MESSAGES.rewriter(open_everything, keeps_passages=True)
    out = run(rewriter, cut(data, sizes))
    assert {key: redact(text) for key, text in texts_of(data).items()} == texts_of(out)
    for (name, _), body in zip(events_of(out), bodies_of(out), strict=True):
        assert body["type"] == name
        EVENT.validate_python(body)
    assert rewriter.is_complete
    assert (Usage(8, 9), "claude-x") == (rewriter.usage, rewriter.served_model)


def test_a_stream_that_no_filter_looks_at_passes_byte_for_byte() -> None:
    data = start() + b"".join(block(0, "text", ["a", "sk-"])) + event("ping") + end()
    assert data == run(MESSAGES.rewriter(open_nothing, keeps_passages=False), cut(data, [11]))


def test_what_a_block_holds_goes_out_before_it_stops() -> None:
    data = start() + b"".join(block(0, "text", ["a sk-ab"])) + end()
    bodies = bodies_of(run(MESSAGES.rewriter(open_everything, keeps_passages=False), [data]))
    assert [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
    ] == [body["type"] for body in bodies[:5]]
    assert {"type": "text_delta", "text": "sk-ab"} == bodies[3]["delta"]


def test_a_text_that_a_block_begins_with_and_its_deltas_are_one_text() -> None:
    data = start() + event("content_block_start", index=0, content_block={"type": "text", "text": "sk-abc"})
    data += event("content_block_delta", index=0, delta={"type": "text_delta", "text": "123!"}) + event(
        "content_block_stop", index=0
    )
    out = run(MESSAGES.rewriter(open_everything, keeps_passages=False), [data + end()])
    assert {(0, "text"): f"{MARK}!"} == texts_of(out)
    assert "" == bodies_of(out)[1]["content_block"]["text"]


def test_results_citations_and_inputs_that_come_whole_are_looked_at() -> None:
    result = {
        "type": "web_search_tool_result",
        "tool_use_id": "t",
        "content": [
            {
                "type": "web_search_result",
                "title": SECRET,
                "url": f"https://x.org/{SECRET}",
                "encrypted_content": "E",
                "page_age": None,
            }
        ],
    }
    call = {
        "type": "server_tool_use",
        "id": "t",
        "name": "web_search",
        "input": {"query": {SECRET: [f"a {SECRET}"]}},
    }
    citation = {
        "type": "web_search_result_location",
        "cited_text": SECRET,
        "encrypted_index": "E",
        "title": SECRET,
        "url": "u",
    }
    data = (
        start()
        + event("content_block_start", index=0, content_block=call)
        + event("content_block_stop", index=0)
    )
    data += event("content_block_start", index=1, content_block=result) + event("content_block_stop", index=1)
    data += (
        event("content_block_delta", index=2, delta={"type": "citations_delta", "citation": citation}) + end()
    )
    out = run(MESSAGES.rewriter(open_everything, keeps_passages=False), [data])
    assert SECRET.encode() not in out
    assert {"query": {MARK: [f"a {MARK}"]}} == bodies_of(out)[1]["content_block"]["input"]
    assert "E" == bodies_of(out)[3]["content_block"]["content"][0]["encrypted_content"]


@pytest.mark.parametrize("kind", ["content_block_delta", "something_new"])
def test_texts_of_deltas_that_nobody_knows_are_one_text(kind: str) -> None:
    data = b"".join(
        event(kind, index=0, delta={"type": "x_delta", "content": piece})
        for piece in ("sk-a", "bc12", "3 and s")
    )
    out = run(MESSAGES.rewriter(open_everything, keeps_passages=False), [start(), data, end()])
    bodies = [body for body in bodies_of(out) if body["type"] == kind]
    assert f"{MARK} and s" == "".join(body["delta"]["content"] for body in bodies)


def test_the_signature_of_thinking_passes_whatever_became_of_the_thinking() -> None:
    events = block(0, "thinking", [f"plan {SECRET}"])
    signature = event(
        "content_block_delta", index=0, delta={"type": "signature_delta", "signature": "S" * 40}
    )
    out = run(
        MESSAGES.rewriter(open_everything, keeps_passages=False),
        [start(), *events[:-1], signature, events[-1], end()],
    )
    assert {(0, "thinking"): f"plan {MARK}"} == texts_of(out)
    assert signature in out


def test_a_block_that_goes_on_after_its_stop_is_refused() -> None:
    rewriter = MESSAGES.rewriter(open_everything, keeps_passages=False)
    rewriter.feed(start() + b"".join(block(0, "text", ["sk-abc"])))
    with pytest.raises(MalformedStream, match="goes on"):
        rewriter.feed(event("content_block_delta", index=0, delta={"type": "text_delta", "text": "123"}))


def test_where_a_filter_stops_nothing_goes_out_any_more() -> None:
    def open_stopping(field: Field, choice: int, *, is_plain: bool = False) -> SecretFilter:
        return SecretFilter(stops=True)

    rewriter = MESSAGES.rewriter(open_stopping, keeps_passages=False)
    out = run(rewriter, [start(), *block(0, "text", ["fine ", "then sk-", "abc123 no"]), end()])
    assert rewriter.stopped
    assert {(0, "text"): "fine then "} == texts_of(out)
    assert "content_block_delta" == bodies_of(out)[-1]["type"]


def test_an_error_of_the_upstream_passes_redacted() -> None:
    rewriter = MESSAGES.rewriter(open_everything, keeps_passages=False)
    error = event("error", error={"type": "overloaded_error", "message": f"no {SECRET}"})
    out = run(rewriter, [start(), *block(0, "text", ["a sk-"])[:-1], error, *block(1, "text", [SECRET])])
    assert rewriter.is_complete
    assert ("error", f"no {MARK}") == (events_of(out)[-1][0], bodies_of(out)[-1]["error"]["message"])
    assert {(0, "text"): "a sk-"} == texts_of(out)


def test_a_refusal_of_the_model_says_its_reason_redacted() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": f"because {SECRET}"}
    data = event(
        "message_delta",
        delta={"stop_reason": "refusal", "stop_sequence": None, "stop_details": details},
        usage={"output_tokens": 0},
    )
    out = run(MESSAGES.rewriter(open_everything, keeps_passages=False), [start(), data])
    assert f"because {MARK}" == bodies_of(out)[-1]["delta"]["stop_details"]["explanation"]


@pytest.mark.parametrize("wrong", [{}, {"type": []}, {"type": "content_block_delta", "index": "0"}])
def test_an_event_without_type_or_with_another_index_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(MalformedStream):
        MESSAGES.rewriter(open_everything, keeps_passages=False).feed(sse(wrong))
