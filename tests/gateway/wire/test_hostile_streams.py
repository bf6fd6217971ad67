"""Events that no provider would send: they are malformed, or pass without the secret in them, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.wire.stream_makers import MARK, SECRET, bodies_of, open_everything, run, sse
from verilabel.gateway.wire.catalogue import DIALECTS
from verilabel.gateway.wire.interface import MalformedStream

NAMES = st.sampled_from(
    [
        "choices",
        "delta",
        "content",
        "text",
        "index",
        "tool_calls",
        "function",
        "arguments",
        "logprobs",
        "finish_reason",
        "usage",
        "error",
        "type",
        "message",
        "content_block",
        "input",
        "id",
        "item",
        "part",
        "response",
        "output",
        "summary",
        "output_index",
        "content_index",
        "sequence_number",
        "model",
        "refusal",
        "new",
        "data",
        "url",
        "image_url",
        "source",
    ]
)
TYPES = st.sampled_from(
    [
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_start",
        "message_delta",
        "message_stop",
        "response.output_text.delta",
        "response.output_text.done",
        "response.output_item.added",
        "response.output_item.done",
        "response.content_part.added",
        "response.content_part.done",
        "response.completed",
        "response.new.delta",
        "response.new",
        "response.shell_call_output_content.delta",
        "response.function_call_arguments.done",
        "message",
        "output_text",
        "tool_use",
        "function_call",
        "reasoning",
        "thinking",
        "redacted_thinking",
        "web_search_call",
        "error",
        "text",
    ]
)
LEAVES = st.sampled_from([SECRET, f"a {SECRET} b", "x", "", None, True, 0, 1, -1, 1.5, [], {}])
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES, inner, max_size=4)
        | st.builds(
            lambda kind, more: {**more, "type": kind}, TYPES, st.dictionaries(NAMES, inner, max_size=4)
        )
    ),
    max_leaves=14,
)
BODIES = st.builds(
    lambda kind, more: {"type": kind, **more}, TYPES | st.none(), st.dictionaries(NAMES, VALUES, max_size=5)
)
CHUNKS = st.builds(
    lambda index, delta, finish: {"choices": [{"index": index, "delta": delta, "finish_reason": finish}]},
    st.integers(0, 1),
    VALUES,
    st.sampled_from([None, None, "stop"]),
)
# what a client takes for identifiers, enumerations and encoded media, as documented
NO_TEXT = {"id", "type", "model", "image_url", "data", "url", "finish_reason"}


def strings_of(node: Any, name: str = "") -> list[tuple[str, str]]:
    found = [(name, node)] if isinstance(node, str) else []
    for key, value in node.items() if isinstance(node, dict) else ():
        if key not in ("usage", "logprobs"):
            found += strings_of(value, key)
    for value in node if isinstance(node, list) else ():
        found += strings_of(value, name)
    return found


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/completions"])
@settings(max_examples=150)
@given(st.lists(BODIES | CHUNKS, min_size=1, max_size=4), st.booleans())
def test_whatever_events_say_no_text_passes_unseen(
    path: str, bodies: list[dict[str, Any]], at_once: bool
) -> None:
    events = [sse(body, body["type"] if isinstance(body.get("type"), str) else None) for body in bodies]
    rewriter = DIALECTS[path].rewriter(open_everything, keeps_passages=True)
    try:
        out = run(rewriter, [b"".join(events)] if at_once else events)
    except MalformedStream:
        return
    for body in bodies_of(out):
        assert {name for name, text in strings_of(body) if SECRET in text} <= NO_TEXT


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/completions"])
@pytest.mark.parametrize("member", ["delta", "text", "content"])
def test_a_secret_cut_over_events_that_nobody_knows_does_not_pass(path: str, member: str) -> None:
    pieces = ["my sk-", "abc", "123 and s"]
    events = [
        sse({"type": "something.new", "output_index": 0, member: piece}, "something.new") for piece in pieces
    ]
    rewriter = DIALECTS[path].rewriter(open_everything, keeps_passages=False)
    bodies = bodies_of(run(rewriter, events))
    assert f"my {MARK} and s" == "".join(body[member] for body in bodies)
    assert SECRET not in json.dumps(bodies)
