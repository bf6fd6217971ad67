"""Requests and whole replies: every text has its slot, and a body that cannot be walked is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.stream_makers import MARK, SECRET
from verilabel.errors import LimitExceeded, UsageError
from verilabel.gateway.verdicts import Usage
from verilabel.gateway.wire.catalogue import DIALECTS
from verilabel.gateway.wire.interface import ClientDialect, Slot

CHAT = DIALECTS["/v1/chat/completions"]
RESPONSES = DIALECTS["/v1/responses"]
COMPLETIONS = DIALECTS["/v1/completions"]
EMBEDDINGS = DIALECTS["/v1/embeddings"]
MESSAGES = DIALECTS["/v1/messages"]

SCHEMA = {
    "type": "object",
    "required": ["city"],
    "properties": {
        "city": {
            "type": "string",
            "description": f"d1 {SECRET}",
            "enum": [f"e {SECRET}"],
            "default": f"v {SECRET}",
        },
        "usage": {"type": ["string", "null"], "description": f"d2 {SECRET}"},
    },
}
PICTURE = "data:image/png;base64,sk-abc123"

CHAT_REQUEST: dict[str, Any] = {
    "model": "m",
    "n": 2,
    "max_tokens": 9,
    "max_completion_tokens": 11,
    "temperature": 0.70,
    "top_p": 1,
    "seed": 4,
    "user": SECRET,
    "metadata": {"k": SECRET},
    "stop": [SECRET],
    "stream": True,
    "reasoning_effort": "low",
    "messages": [
        {"role": "system", "content": f"s {SECRET}"},
        {"role": "developer", "content": [{"type": "text", "text": f"dev {SECRET}"}]},
        {
            "role": "user",
            "name": SECRET,
            "content": [
                {"type": "text", "text": f"u {SECRET}"},
                {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": SECRET, "format": "wav"}},
                {"type": "something", "new": {"deep": SECRET}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "refusal": f"r {SECRET}",
            "reasoning_content": f"think {SECRET}",
            "tool_calls": [
                {
                    "id": SECRET,
                    "type": "function",
                    "function": {"name": "f", "arguments": f'{{"a":"{SECRET}"}}'},
                },
                {"id": "2", "type": "custom", "custom": {"name": "g", "input": f"in {SECRET}"}},
            ],
        },
        {"role": "assistant", "function_call": {"name": "f", "arguments": SECRET}},
        {"role": "tool", "tool_call_id": SECRET, "content": f"t {SECRET}"},
        {"role": "function", "name": "f", "content": f"fn {SECRET}"},
        {"role": "somebody", "content": f"who {SECRET}"},
    ],
    "tools": [
        {"type": "function", "function": {"name": "f", "description": f"d {SECRET}", "parameters": SCHEMA}},
        {
            "type": "custom",
            "custom": {
                "name": "g",
                "format": {"type": "grammar", "grammar": {"definition": SECRET, "syntax": "lark"}},
            },
        },
    ],
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "x", "description": SECRET, "schema": SCHEMA},
    },
    "prediction": {"type": "content", "content": [{"type": "text", "text": SECRET}]},
    "documents": [{"body": f"doc {SECRET}"}],
}

RESPONSES_REQUEST: dict[str, Any] = {
    "model": "m",
    "instructions": f"i {SECRET}",
    "max_output_tokens": 5,
    "previous_response_id": SECRET,
    "user": SECRET,
    "reasoning": {"effort": "high"},
    "prompt": {"id": SECRET, "variables": {"name": f"var {SECRET}"}},
    "input": [
        {"role": "user", "content": f"u {SECRET}"},
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": f"d {SECRET}"}]},
        {
            "role": "user",
            "content": [
                {"type": "input_image", "image_url": PICTURE},
                {"type": "input_file", "file_data": SECRET, "filename": f"f {SECRET}"},
            ],
        },
        {
            "type": "reasoning",
            "id": SECRET,
            "summary": [{"type": "summary_text", "text": f"sum {SECRET}"}],
            "encrypted_content": SECRET,
        },
        {"type": "function_call", "call_id": SECRET, "name": "f", "arguments": f'"{SECRET}"'},
        {"type": "function_call_output", "call_id": "c", "output": f"o {SECRET}"},
        {"type": "custom_tool_call", "call_id": "c", "name": "g", "input": f"in {SECRET}"},
        {
            "type": "custom_tool_call_output",
            "call_id": "c",
            "output": [{"type": "input_text", "text": f"o2 {SECRET}"}],
        },
        {"type": "shell_call", "call_id": "c", "action": {"commands": [f"ls {SECRET}"]}},
        {"type": "shell_call_output", "call_id": "c", "output": [{"stdout": f"so {SECRET}", "stderr": ""}]},
        {
            "type": "mcp_call",
            "id": "i",
            "name": "n",
            "server_label": "l",
            "arguments": "{}",
            "output": f"mo {SECRET}",
        },
        {"type": "something_new", "deep": [{"er": f"n {SECRET}"}]},
        {"type": "item_reference", "id": SECRET},
    ],
    "tools": [
        {"type": "function", "name": "f", "description": f"td {SECRET}", "parameters": SCHEMA},
        {
            "type": "mcp",
            "server_label": "l",
            "server_url": SECRET,
            "authorization": SECRET,
            "headers": {"x": SECRET},
            "server_description": f"sd {SECRET}",
        },
    ],
    "text": {"format": {"type": "json_schema", "name": "x", "schema": SCHEMA}},
}

MESSAGES_REQUEST: dict[str, Any] = {
    "model": "m",
    "max_tokens": 7,
    "metadata": {"user_id": SECRET},
    "system": [{"type": "text", "text": f"s {SECRET}"}],
    "temperature": 0,
    "messages": [
        {"role": "user", "content": f"u {SECRET}"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": f"th {SECRET}", "signature": SECRET},
                {"type": "redacted_thinking", "data": SECRET},
                {
                    "type": "text",
                    "text": f"a {SECRET}",
                    "citations": [
                        {"type": "char_location", "cited_text": f"c {SECRET}", "document_title": None}
                    ],
                },
                {
                    "type": "tool_use",
                    "id": SECRET,
                    "name": "f",
                    "input": {"b": [f"x {SECRET}", {SECRET: 1}], "type": SECRET, "id": SECRET},
                },
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": SECRET,
                    "content": [{"type": "text", "text": f"r {SECRET}"}],
                },
                {"type": "tool_result", "tool_use_id": "t", "content": f"r2 {SECRET}"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": SECRET}},
                {
                    "type": "document",
                    "title": f"t {SECRET}",
                    "context": f"cx {SECRET}",
                    "source": {"type": "text", "media_type": "text/plain", "data": f"doc {SECRET}"},
                },
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": SECRET},
                },
                {
                    "type": "search_result",
                    "source": f"src {SECRET}",
                    "title": "t",
                    "content": [{"type": "text", "text": f"sr {SECRET}"}],
                },
            ],
        },
    ],
    "tools": [
        {
            "name": "f",
            "description": f"d {SECRET}",
            "input_schema": SCHEMA,
            "input_examples": [{"name": f"ex {SECRET}"}],
        }
    ],
}
OPAQUE = {
    "user",
    "metadata",
    "stop",
    "previous_response_id",
    "tool_call_id",
    "call_id",
    "tool_use_id",
    "id",
    "url",
    "image_url",
    "data",
    "file_data",
    "encrypted_content",
    "signature",
    "server_url",
    "authorization",
    "headers",
}


def replace_all(slots: list[Slot]) -> None:
    for slot in slots:
        slot.container[slot.key] = slot.text.replace(SECRET, MARK)


def members_with_secret(node: Any, name: str = "", found: set[str] | None = None) -> set[str]:
    """Names of the members in which the secret still stands."""
    found = set() if found is None else found
    if isinstance(node, str) and SECRET in node:
        found.add(name)
    for key, value in node.items() if isinstance(node, dict) else ():
        if SECRET in key:
            found.add("(a name)")
        members_with_secret(value, name if name in ("metadata", "headers") else key, found)
    for value in node if isinstance(node, list) else ():
        members_with_secret(value, name, found)
    return found


@pytest.mark.parametrize(
    ("dialect", "body"),
    [(CHAT, CHAT_REQUEST), (RESPONSES, RESPONSES_REQUEST), (MESSAGES, MESSAGES_REQUEST)],
    ids=["chat", "responses", "messages"],
)
def test_every_text_of_a_request_has_its_slot_and_nothing_else_has(
    dialect: ClientDialect, body: dict[str, Any]
) -> None:
    body = copy.deepcopy(body)
    assert dialect.check(body) is None
    before = copy.deepcopy(body)
    slots = dialect.input_slots(body)
    assert before == body
    replace_all(slots)
    assert members_with_secret(body) <= OPAQUE
    if dialect is MESSAGES:
        assert {"b": [f"x {MARK}", {MARK: 1}], "type": MARK, "id": MARK} == body["messages"][1]["content"][3][
            "input"
        ]
    else:
        assert members_with_secret(body) >= {"user", "id"}


def slots_by_text(slots: list[Slot]) -> dict[str, tuple[str, str, bool]]:
    return {slot.text.split(" ")[0]: (slot.field, slot.role, slot.is_plain) for slot in slots}


def test_slots_of_chat_say_field_and_role() -> None:
    found = slots_by_text(CHAT.input_slots(copy.deepcopy(CHAT_REQUEST)))
    expected = {
        "s": ("system", "system", False),
        "dev": ("system", "developer", False),
        "u": ("content", "user", False),
        "r": ("refusal", "assistant", False),
        "think": ("reasoning", "assistant", False),
        '{"a":"sk-abc123"}': ("tool_arguments", "assistant", False),
        "in": ("tool_arguments", "assistant", True),
        "t": ("tool_result", "tool", False),
        "fn": ("tool_result", "function", False),
        "who": ("content", "somebody", False),
        "d": ("tool_definition", "tools", False),
        "d2": ("tool_definition", "tools", False),
        "e": ("tool_definition", "tools", False),
        "doc": ("content", "user", False),
    }
    assert expected == {key: value for key, value in found.items() if key in expected}


def test_slots_of_responses_say_field_and_role() -> None:
    found = slots_by_text(RESPONSES.input_slots(copy.deepcopy(RESPONSES_REQUEST)))
    expected = {
        "i": ("system", "system", False),
        "var": ("system", "system", False),
        "u": ("content", "user", False),
        "d": ("system", "developer", False),
        "sum": ("reasoning", "assistant", False),
        '"sk-abc123"': ("tool_arguments", "assistant", False),
        "o": ("tool_result", "tool", False),
        "o2": ("tool_result", "tool", False),
        "in": ("tool_arguments", "assistant", True),
        "ls": ("tool_arguments", "assistant", True),
        "so": ("tool_result", "tool", False),
        "mo": ("tool_result", "assistant", False),
        "sd": ("tool_definition", "tools", False),
    }
    assert expected == {key: value for key, value in found.items() if key in expected}


def test_slots_of_messages_say_field_and_role() -> None:
    found = slots_by_text(MESSAGES.input_slots(copy.deepcopy(MESSAGES_REQUEST)))
    expected = {
        "s": ("system", "system", False),
        "th": ("reasoning", "assistant", False),
        "a": ("content", "assistant", False),
        "c": ("content", "assistant", False),
        "x": ("tool_arguments", "assistant", True),
        "r": ("tool_result", "user", False),
        "r2": ("tool_result", "user", False),
        "doc": ("content", "user", False),
        "cx": ("content", "user", False),
        "src": ("content", "user", False),
        "d": ("tool_definition", "tools", False),
        "ex": ("tool_definition", "tools", False),
    }
    assert expected == {key: value for key, value in found.items() if key in expected}


REPLIES: list[tuple[ClientDialect, dict[str, Any]]] = [
    (
        CHAT,
        {
            "id": SECRET,
            "model": "m-9",
            "system_fingerprint": "fp",
            "usage": {"prompt_tokens": 1, "completion_tokens": 2},
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "logprobs": {"content": [{"token": SECRET}]},
                    "message": {
                        "role": "assistant",
                        "content": SECRET,
                        "refusal": SECRET,
                        "reasoning": SECRET,
                        "annotations": [
                            {"type": "url_citation", "url_citation": {"title": SECRET, "url": SECRET}}
                        ],
                        "audio": {"id": "a", "data": "AAAA", "transcript": SECRET},
                        "tool_calls": [
                            {"id": "1", "type": "function", "function": {"name": "f", "arguments": SECRET}}
                        ],
                    },
                },
                {"index": 1, "message": {"role": "assistant", "content": [{"type": "text", "text": SECRET}]}},
            ],
            "new": [SECRET],
        },
    ),
    (
        COMPLETIONS,
        {
            "model": "m-9",
            "system_fingerprint": "fp",
            "usage": {"prompt_tokens": 1, "completion_tokens": 2},
            "choices": [{"index": 0, "text": SECRET, "logprobs": {"tokens": [SECRET]}}],
        },
    ),
    (
        RESPONSES,
        {
            "id": "r",
            "model": "m-9",
            "system_fingerprint": "fp",
            "usage": {"input_tokens": 1, "output_tokens": 2},
            "instructions": SECRET,
            "error": {"message": SECRET},
            "output": [
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [
                        {
                            "type": "output_text",
                            "text": SECRET,
                            "annotations": [],
                            "logprobs": [{"token": SECRET}],
                        }
                    ],
                },
                {"type": "function_call", "arguments": SECRET},
                {"type": "something", "new": SECRET},
            ],
        },
    ),
    (
        MESSAGES,
        {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "model": "m-9",
            "usage": {"input_tokens": 1, "output_tokens": 2},
            "content": [
                {"type": "text", "text": SECRET},
                {"type": "thinking", "thinking": SECRET, "signature": "S"},
                {"type": "tool_use", "id": "t", "name": "f", "input": {SECRET: SECRET}},
                {"type": "bash_code_execution_tool_result", "content": {"stdout": SECRET, "stderr": SECRET}},
            ],
        },
    ),
]


@pytest.mark.parametrize(("dialect", "reply"), REPLIES, ids=[dialect.name for dialect, _ in REPLIES])
def test_every_text_of_a_whole_reply_has_its_slot(dialect: ClientDialect, reply: dict[str, Any]) -> None:
    reply = copy.deepcopy(reply)
    replace_all(dialect.output_slots(reply))
    dialect.drop_echoes(reply)
    assert members_with_secret(reply) <= {"id"}
    assert Usage(1, 2) == dialect.usage(reply)
    assert ("m-9", reply.get("system_fingerprint")) == dialect.served(reply)


def test_each_choice_of_a_reply_has_its_number() -> None:
    slots = CHAT.output_slots(copy.deepcopy(REPLIES[0][1]))
    assert {0, 1} == {slot.choice for slot in slots}
    assert [1] == [slot.choice for slot in slots if slot.key == "text"]


def test_a_reply_of_another_form_is_looked_at_all_the_same() -> None:
    for reply in (
        {"choices": SECRET},
        {"choices": [SECRET, [SECRET]]},
        {"output": SECRET},
        {"content": SECRET},
        {"a": {"b": [[SECRET]]}},
    ):
        for dialect in (CHAT, COMPLETIONS, RESPONSES, MESSAGES):
            body = copy.deepcopy(reply)
            replace_all(dialect.output_slots(body))
            assert SECRET not in json.dumps(body)


@given(
    st.recursive(
        st.sampled_from([SECRET, "x", 1, None, True]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "text",
                        "content",
                        "new",
                        "type",
                        "arguments",
                        "function",
                        "parts",
                        "input",
                        "url",
                        "data",
                    ]
                ),
                inner,
                max_size=3,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_a_message_holds_a_request_that_is_taken_hides_no_text(content: Any) -> None:
    for dialect in (CHAT, MESSAGES, RESPONSES):
        body = {
            "model": "m",
            "input" if dialect is RESPONSES else "messages": [
                {"role": "user", "content": copy.deepcopy(content)}
            ],
        }
        if dialect.check(body) is None:
            dialect.describe(body)
            replace_all(dialect.input_slots(body))
            assert members_with_secret(body) <= {"type"}


WRONG: list[tuple[ClientDialect, dict[str, Any], str]] = [
    (CHAT, {"messages": [{"role": "user", "content": "x"}]}, "$.model"),
    (CHAT, {"model": "", "messages": []}, "$.model"),
    (CHAT, {"model": "a\nb", "messages": []}, "$.model"),
    (CHAT, {"model": "m"}, "$.messages"),
    (CHAT, {"model": "m", "messages": []}, "$.messages"),
    (CHAT, {"model": "m", "messages": "hello"}, "$.messages"),
    (CHAT, {"model": "m", "messages": ["hello"]}, "$.messages[0]"),
    (CHAT, {"model": "m", "messages": [{"content": "x"}]}, "$.messages[0].role"),
    (CHAT, {"model": "m", "messages": [{"role": "user", "content": 7}]}, "$.messages[0].content"),
    (CHAT, {"model": "m", "messages": [{"role": "user", "content": ["x"]}]}, "$.messages[0].content[0]"),
    (
        CHAT,
        {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": ["x"]}]}]},
        "$.messages[0].content[0].text",
    ),
    (
        CHAT,
        {
            "model": "m",
            "messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": {"a": 1}}}]}],
        },
        "$.messages[0].tool_calls[0].function.arguments",
    ),
    (CHAT, {"model": "m", "n": 129, "messages": [{"role": "user"}]}, "$.n"),
    (CHAT, {"model": "m", "n": True, "messages": [{"role": "user"}]}, "$.n"),
    (CHAT, {"model": "m", "stream": "yes", "messages": [{"role": "user"}]}, "$.stream"),
    (CHAT, {"model": "m", "max_tokens": -1, "messages": [{"role": "user"}]}, "$.max_tokens"),
    (CHAT, {"model": "m", "tools": {"a": 1}, "messages": [{"role": "user"}]}, "$.tools"),
    (RESPONSES, {"model": "m", "input": 3}, "$.input"),
    (RESPONSES, {"model": "m", "input": ["x"]}, "$.input[0]"),
    (RESPONSES, {"model": "m", "input": [{"role": "user", "content": {"text": "x"}}]}, "$.input[0].content"),
    (
        RESPONSES,
        {"model": "m", "input": [{"type": "function_call_output", "output": {"x": 1}}]},
        "$.input[0].output",
    ),
    (RESPONSES, {"model": "m", "instructions": ["x"]}, "$.instructions"),
    (COMPLETIONS, {"model": "m", "prompt": [1, 2, 3]}, "$.prompt"),
    (COMPLETIONS, {"model": "m"}, "$.prompt"),
    (EMBEDDINGS, {"model": "m", "input": [[1, 2]]}, "$.input"),
    (EMBEDDINGS, {"model": "m", "input": "x", "stream": True}, "$.stream"),
    (
        MESSAGES,
        {"model": "m", "messages": [{"role": "user", "content": [{"text": "x"}]}]},
        "$.messages[0].content[0].type",
    ),
    (
        MESSAGES,
        {"model": "m", "messages": [{"role": "user", "content": [{"type": "tool_use", "input": "x"}]}]},
        "$.messages[0].content[0].input",
    ),
    (
        MESSAGES,
        {"model": "m", "system": {"text": "x"}, "messages": [{"role": "user", "content": "x"}]},
        "$.system",
    ),
]


@pytest.mark.parametrize(
    ("dialect", "body", "where"), WRONG, ids=[f"{d.name} {where}" for d, _, where in WRONG]
)
def test_a_body_that_cannot_be_walked_is_refused_with_the_place(
    dialect: ClientDialect, body: dict[str, Any], where: str
) -> None:
    refusal = dialect.check(body)
    assert refusal is not None
    assert (400, "invalid_request", where) == (refusal.status, refusal.kind, refusal.where)


def test_endless_nesting_is_refused() -> None:
    deep: Any = SECRET
    for _ in range(200):
        deep = [deep]
    with pytest.raises(LimitExceeded):
        CHAT.input_slots({"model": "m", "messages": [{"role": "user", "new": deep}]})


def test_what_conditions_may_ask_of_a_request() -> None:
    about = CHAT.describe(CHAT_REQUEST)
    assert {
        "model": "m",
        "stream": True,
        "media": 2,
        "tools": ["f", "g"],
        "turns": 1,
        "system": f"s {SECRET}\ndev {SECRET}",
        "params": {
            "temperature": "0.7",
            "top_p": "1",
            "seed": 4,
            "max_tokens": 11,
            "reasoning_effort": "low",
        },
        "end_user": SECRET,
        "schema": SCHEMA,
    } == about
    about = MESSAGES.describe(MESSAGES_REQUEST)
    assert (2, ["f"], 2, {"temperature": "0", "max_tokens": 7}, SECRET) == tuple(
        about[name] for name in ("media", "tools", "turns", "params", "end_user")
    )
    about = RESPONSES.describe(RESPONSES_REQUEST)
    assert (2, ["f", "l"], 2, {"max_tokens": 5, "reasoning_effort": "high"}) == tuple(
        about[name] for name in ("media", "tools", "turns", "params")
    )


def test_output_limits_count_all_choices() -> None:
    assert 22 == CHAT.output_limit(CHAT_REQUEST)
    assert CHAT.output_limit({"n": 3}) is None
    assert 60 == COMPLETIONS.output_limit({"prompt": ["a", "b"], "n": 2, "best_of": 3, "max_tokens": 10})
    assert 0 == EMBEDDINGS.output_limit({})
    assert (7, 5) == (MESSAGES.output_limit(MESSAGES_REQUEST), RESPONSES.output_limit(RESPONSES_REQUEST))


def test_a_system_prompt_stands_before_the_clients_own() -> None:
    chat, responses, messages = copy.deepcopy((CHAT_REQUEST, RESPONSES_REQUEST, MESSAGES_REQUEST))
    for dialect, body in ((CHAT, chat), (RESPONSES, responses), (MESSAGES, messages)):
        dialect.set_system_prompt(body, "be kind")
        assert dialect.describe(body)["system"].startswith("be kind\n")
        assert f"s {SECRET}" in dialect.describe(body)["system"] or dialect is RESPONSES
    plain = {"system": "own"}
    MESSAGES.set_system_prompt(plain, "be kind")
    assert {"system": "be kind\n\nown"} == plain
    with pytest.raises(UsageError):
        EMBEDDINGS.set_system_prompt({"input": "x"}, "be kind")


def test_paths_say_which_api_is_meant() -> None:
    assert ["chat", "responses", "completions", "embeddings", "messages"] == [
        dialect.name for dialect in DIALECTS.values()
    ]
    assert all("/v1" + dialect.provider_path == path == dialect.path for path, dialect in DIALECTS.items())
