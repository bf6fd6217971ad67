"""Streams of OpenAI's Responses: deltas and the events that say everything once more agree."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
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

RESPONSES = DIALECTS["/v1/responses"]
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
PIECES = st.sampled_from([SECRET, "sk-", "abc", "123", "s", " hello ", "é", "😀", '"', "\\", "\n", ""])
KINDS = st.sampled_from(
    [
        "message",
        "refusal",
        "reasoning",
        "summary",
        "function_call",
        "custom_tool_call",
        "code_interpreter_call",
    ]
)


class Stream:
    """Writes a stream as OpenAI does, numbers included."""

    def __init__(self) -> None:
        self.events: list[bytes] = []
        self.output: list[dict[str, Any]] = []
        self.say("response.created", response=self.response("in_progress"))

    def response(self, status: str) -> dict[str, Any]:
        usage = {
            "input_tokens": 2,
            "output_tokens": 3,
            "total_tokens": 5,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        }
        return {
            "id": "r",
            "object": "response",
            "created_at": 1,
            "status": status,
            "model": "m-2",
            "output": list(self.output),
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "instructions": None,
            "error": None,
            "incomplete_details": None,
            "metadata": {},
            "temperature": 1.0,
            "top_p": 1.0,
            "usage": usage if status == "completed" else None,
        }

    def say(self, kind: str, **more: Any) -> None:
        self.events.append(sse({"type": kind, "sequence_number": len(self.events), **more}, kind))

    def item(self, kind: str, pieces: list[str], *, logprobs: bool = False) -> None:
        index, text = len(self.output), "".join(pieces)
        place: dict[str, Any] = {"item_id": f"i{index}", "output_index": index}
        if kind in ("message", "refusal"):
            self.part(place, "output_text" if kind == "message" else "refusal", pieces, logprobs=logprobs)
            return
        if kind in ("reasoning", "summary"):
            stem = "response.reasoning_text" if kind == "reasoning" else "response.reasoning_summary_text"
            place |= {"content_index": 0} if kind == "reasoning" else {"summary_index": 0}
            item: dict[str, Any] = {"id": f"i{index}", "type": "reasoning", "summary": []}
            member = "text"
            part = [{"type": "reasoning_text" if kind == "reasoning" else "summary_text", "text": text}]
            done = {**item, **({"content": part} if kind == "reasoning" else {"summary": part})}
        else:
            stem, member = {
                "function_call": ("response.function_call_arguments", "arguments"),
                "custom_tool_call": ("response.custom_tool_call_input", "input"),
                "code_interpreter_call": ("response.code_interpreter_call_code", "code"),
            }[kind]
            item = {
                "id": f"i{index}",
                "type": kind,
                "call_id": "c",
                "name": "tool",
                member: "",
                "status": "in_progress",
                **({"container_id": "k", "outputs": None} if kind == "code_interpreter_call" else {}),
            }
            done = {**item, member: text, "status": "completed"}
        self.say("response.output_item.added", output_index=index, item=item)
        for piece in pieces:
            self.say(f"{stem}.delta", **place, delta=piece, obfuscation="abcdef"[: len(piece) % 6])
        self.say(
            f"{stem}.done", **place, **{member: text}, **({"name": "tool"} if kind == "function_call" else {})
        )
        self.output.append(done)
        self.say("response.output_item.done", output_index=index, item=done)

    def part(self, place: dict[str, Any], kind: str, pieces: list[str], *, logprobs: bool) -> None:
        index, text, member = (
            place["output_index"],
            "".join(pieces),
            "text" if kind == "output_text" else "refusal",
        )
        place = {**place, "content_index": 0}
        item = {
            "id": f"i{index}",
            "type": "message",
            "role": "assistant",
            "status": "in_progress",
            "content": [],
        }
        probabilities = (
            [{"token": text, "logprob": -1.0, "bytes": [1], "top_logprobs": []}] if logprobs else []
        )
        extra = {"annotations": [], "logprobs": probabilities} if member == "text" else {}
        self.say("response.output_item.added", output_index=index, item=item)
        self.say(
            "response.content_part.added",
            **place,
            part={"type": kind, member: "", **extra, **({"logprobs": []} if extra else {})},
        )
        stem = f"response.{kind}"
        for piece in pieces:
            self.say(f"{stem}.delta", **place, delta=piece, **({"logprobs": probabilities} if extra else {}))
        self.say(f"{stem}.done", **place, **{member: text}, **({"logprobs": probabilities} if extra else {}))
        self.say("response.content_part.done", **place, part={"type": kind, member: text, **extra})
        done = {**item, "status": "completed", "content": [{"type": kind, member: text, **extra}]}
        self.output.append(done)
        self.say("response.output_item.done", output_index=index, item=done)

    def end(self) -> bytes:
        self.say("response.completed", response=self.response("completed"))
        return b"".join(self.events)


def streamed(data: bytes) -> dict[tuple[str, int], str]:
    found: dict[tuple[str, int], str] = {}
    for body in bodies_of(data):
        if body["type"].endswith(".delta"):
            key = (body["type"].removesuffix(".delta"), body["output_index"])
            found[key] = found.get(key, "") + body["delta"]
    return {key: text for key, text in found.items() if text}


def said_whole(data: bytes) -> dict[tuple[str, int], str]:
    found = {}
    for body in bodies_of(data):
        if (
            body["type"].endswith(".done")
            and body["type"].count(".") == 2
            and "item" not in body
            and "part" not in body
        ):
            text = next(
                body[name] for name in ("text", "refusal", "arguments", "input", "code") if name in body
            )
            if text:
                found[(body["type"].removesuffix(".done"), body["output_index"])] = text
    return found


@given(
    st.lists(st.tuples(KINDS, st.lists(PIECES, max_size=8)), max_size=4),
    st.lists(st.integers(1, 500), min_size=1, max_size=5),
)
def test_deltas_and_repetitions_leave_as_one_redaction_in_events_that_the_sdk_knows(
    items: list[tuple[str, list[str]]], sizes: list[int]
) -> None:
    stream = Stream()
    for kind, pieces in items:
        stream.item(kind, pieces)
    data = stream.end()
    rewriter = RESPONSES.rewriter(open_everything, keeps_passages=True)
    out = run(rewriter, cut(data, sizes))
    expected = {key: redact(text) for key, text in streamed(data).items()}
    assert expected == streamed(out)
    assert expected == said_whole(out)
    assert SECRET.encode() not in out
    bodies = bodies_of(out)
    final = [body["item"] for body in bodies if body["type"] == "response.output_item.done"]
    assert final == bodies[-1]["response"]["output"]
    numbers = [body["sequence_number"] for body in bodies]
    assert sorted(numbers) == numbers
    for (name, _), body in zip(events_of(out), bodies, strict=True):
        assert body["type"] == name
        EVENT.validate_python(body)
    assert rewriter.is_complete
    assert (Usage(2, 3), "m-2") == (rewriter.usage, rewriter.served_model)


def test_a_stream_that_no_filter_looks_at_passes_byte_for_byte() -> None:
    stream = Stream()
    stream.item("message", ["a", SECRET], logprobs=True)
    stream.item("function_call", ['{"a":', "1}"])
    data = stream.end()
    assert data == run(RESPONSES.rewriter(open_nothing, keeps_passages=False), cut(data, [50]))


def test_log_probabilities_do_not_leave_where_a_filter_looks() -> None:
    stream = Stream()
    stream.item("message", ["x", f"y {SECRET}"], logprobs=True)
    out = run(RESPONSES.rewriter(open_everything, keeps_passages=False), [stream.end()])
    assert SECRET.encode() not in out
    assert b'"token"' not in out


def test_whole_texts_that_no_delta_brought_are_redacted() -> None:
    stream = Stream()
    place = {"item_id": "i", "output_index": 0, "content_index": 0}
    stream.say("response.output_text.done", **place, text=f"a {SECRET}", logprobs=[])
    stream.say("response.refusal.done", **place, refusal=SECRET)
    stream.say(
        "response.output_text.annotation.added",
        **place,
        annotation_index=0,
        annotation={"type": "url_citation", "title": SECRET, "url": "u", "start_index": 0, "end_index": 1},
    )
    stream.output = [
        {
            "id": "x",
            "type": "mcp_call",
            "name": "n",
            "server_label": "s",
            "arguments": f'{{"a":"{SECRET}"}}',
            "output": SECRET,
            "error": None,
        },
        {
            "id": "y",
            "type": "web_search_call",
            "status": "completed",
            "action": {"type": "search", "query": SECRET, "queries": [SECRET]},
        },
        {"id": "z", "type": "something_new", "deep": [{"er": SECRET}]},
    ]
    for index, item in enumerate(stream.output):
        stream.say("response.output_item.added", output_index=index, item=item)
    out = run(RESPONSES.rewriter(open_everything, keeps_passages=False), [stream.end()])
    assert SECRET.encode() not in out
    assert f"a {MARK}" == bodies_of(out)[1]["text"]
    assert f'{{"a":"{MARK}"}}' == bodies_of(out)[-1]["response"]["output"][0]["arguments"]


def test_repetitions_that_say_something_else_than_was_streamed_say_what_was_streamed() -> None:
    stream = Stream()
    place = {"item_id": "i", "output_index": 0, "content_index": 0}
    stream.say("response.output_text.delta", **place, delta="hello", logprobs=[])
    stream.say("response.output_text.done", **place, text=f"hello {SECRET}", logprobs=[])
    out = run(RESPONSES.rewriter(open_everything, keeps_passages=False), [stream.end()])
    assert "hello" == bodies_of(out)[2]["text"]


@pytest.mark.parametrize("kind", ["response.something_new.delta", "response.something_new.chunk"])
def test_texts_of_events_that_nobody_knows_are_one_text(kind: str) -> None:
    stream = Stream()
    for piece in ("sk-a", "bc1", "23 and s"):
        stream.say(kind, output_index=0, delta=piece)
    stream.say("response.something_new.done", output_index=0, text=f"{SECRET} and s")
    bodies = bodies_of(run(RESPONSES.rewriter(open_everything, keeps_passages=False), [stream.end()]))
    assert f"{MARK} and s" == "".join(body["delta"] for body in bodies if body["type"] == kind)
    assert [f"{MARK} and s"] == [body["text"] for body in bodies if body["type"].endswith("new.done")]


def test_output_of_a_shell_is_one_text_for_each_channel() -> None:
    stream = Stream()
    for piece in ("sk-a", "bc123"):
        stream.say(
            "response.shell_call_output_content.delta",
            output_index=0,
            command_index=0,
            item_id="i",
            delta={"stdout": piece, "stderr": piece},
        )
    bodies = bodies_of(run(RESPONSES.rewriter(open_everything, keeps_passages=False), [stream.end()]))
    deltas = [body["delta"] for body in bodies if body["type"].endswith("content.delta")]
    assert (MARK, MARK) == (
        "".join(d.get("stdout", "") for d in deltas),
        "".join(d.get("stderr", "") for d in deltas),
    )


def test_tool_input_that_is_no_json_is_opened_as_plain() -> None:
    opened: list[tuple[Field, bool]] = []

    def open_noting(field: Field, choice: int, *, is_plain: bool = False) -> SecretFilter:
        opened.append((field, is_plain))
        return SecretFilter()

    stream = Stream()
    stream.item("function_call", ["{}"])
    stream.item("custom_tool_call", ["ls \\/"])
    run(RESPONSES.rewriter(open_noting, keeps_passages=False), [stream.end()])
    assert [("tool_arguments", False), ("tool_arguments", True)] == opened


def test_where_a_filter_stops_nothing_goes_out_any_more() -> None:
    def open_stopping(field: Field, choice: int, *, is_plain: bool = False) -> SecretFilter:
        return SecretFilter(stops=True)

    stream = Stream()
    stream.item("message", ["fine ", "then sk-", "abc123 no"])
    for sizes in ([10], [10_000]):
        rewriter = RESPONSES.rewriter(open_stopping, keeps_passages=False)
        out = run(rewriter, cut(stream.end(), sizes))
        assert rewriter.stopped
        assert {("response.output_text", 0): "fine then "} == streamed(out)
        assert "response.output_text.delta" == bodies_of(out)[-1]["type"]


@pytest.mark.parametrize("kind", ["error", "response.failed"])
def test_an_error_of_the_upstream_passes_redacted(kind: str) -> None:
    stream = Stream()
    stream.say(
        "response.output_text.delta", item_id="i", output_index=0, content_index=0, delta="a sk-", logprobs=[]
    )
    if kind == "error":
        stream.say("error", code="server_error", message=f"no {SECRET}", param=None)
    else:
        stream.say(
            kind,
            response={
                **stream.response("failed"),
                "error": {"code": "server_error", "message": f"no {SECRET}"},
            },
        )
    rewriter = RESPONSES.rewriter(open_everything, keeps_passages=False)
    out = run(rewriter, [b"".join(stream.events)])
    assert rewriter.is_complete
    assert {("response.output_text", 0): "a sk-"} == streamed(out)
    assert f"no {MARK}".encode() in out


def test_lists_of_other_things_than_objects_are_refused() -> None:
    for output in ([SECRET], SECRET, [[SECRET]]):
        rewriter = RESPONSES.rewriter(open_everything, keeps_passages=False)
        with pytest.raises(MalformedStream):
            rewriter.feed(sse({"type": "response.completed", "response": {"output": output}}))


def test_an_error_in_a_response_that_is_no_object_is_looked_at() -> None:
    for error in (SECRET, [SECRET], {"deep": [SECRET]}):
        rewriter = RESPONSES.rewriter(open_everything, keeps_passages=False)
        out = rewriter.feed(sse({"type": "response.failed", "response": {"error": error, "output": []}}))
        assert SECRET.encode() not in out
        assert MARK.encode() in out
