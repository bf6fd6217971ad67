"""Wire dialects: golden request bodies, and responses of every shape that providers send."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.errors import UsageError
from verilabel.models.dialects.anthropic import ANTHROPIC
from verilabel.models.dialects.dialect import Decoded, Dialect, read_error
from verilabel.models.dialects.google import GOOGLE
from verilabel.models.dialects.openai_chat import OPENAI_CHAT, OPENAI_CHAT_OFFICIAL
from verilabel.models.dialects.openai_responses import OPENAI_RESPONSES
from verilabel.models.interface import ModelRequest
from verilabel.records.attempt import Failure, Usage
from verilabel.records.sample import Message

DIALECTS = (OPENAI_CHAT, OPENAI_CHAT_OFFICIAL, OPENAI_RESPONSES, ANTHROPIC, GOOGLE)
CONVERSATION = (
    Message("system", "Be brief."),
    Message("user", "Hi"),
    Message("assistant", "Hello!"),
    Message("user", "2+2?"),
)
PARAMS = {"temperature": "0.70", "max_tokens": 64, "top_p": "1", "seed": 7, "stop": "END"}


def _request(params: dict[str, str | int | bool] | None = None) -> ModelRequest:
    return ModelRequest("core/any@1", "s1", 1, CONVERSATION, PARAMS if params is None else params)


CHAT_TURNS = (
    b'[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"},'
    b'{"role":"assistant","content":"Hello!"},{"role":"user","content":"2+2?"}]'
)
GOLDEN = {
    "chat": (
        OPENAI_CHAT,
        b'{"model":"m","messages":' + CHAT_TURNS + b',"max_tokens":64,"seed":7,"stop":"END",'
        b'"temperature":0.70,"top_p":1}',
    ),
    "chat at OpenAI": (
        OPENAI_CHAT_OFFICIAL,
        b'{"model":"m","messages":' + CHAT_TURNS + b',"max_completion_tokens":64,"seed":7,"stop":"END",'
        b'"temperature":0.70,"top_p":1}',
    ),
    "responses": (
        OPENAI_RESPONSES,
        b'{"model":"m","input":'
        + CHAT_TURNS
        + b',"stream":false,"store":false,"max_output_tokens":64,"seed":7,'
        b'"stop":"END","temperature":0.70,"top_p":1}',
    ),
    "anthropic": (
        ANTHROPIC,
        b'{"model":"m","max_tokens":64,"messages":[{"role":"user","content":"Hi"},'
        b'{"role":"assistant","content":"Hello!"},{"role":"user","content":"2+2?"}],"system":"Be brief.",'
        b'"seed":7,"stop_sequences":["END"],"temperature":0.70,"top_p":1}',
    ),
    "google": (
        GOOGLE,
        b'{"contents":[{"role":"user","parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"Hello!"}]},'
        b'{"role":"user","parts":[{"text":"2+2?"}]}],"systemInstruction":{"parts":[{"text":"Be brief."}]},'
        b'"generationConfig":{"maxOutputTokens":64,"seed":7,"stopSequences":["END"],"temperature":0.70,"topP":1}}',
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_the_request_body_is_exactly_these_bytes(name: str) -> None:
    dialect, expected = GOLDEN[name]

    assert expected == dialect.encode(_request(), "m")


def test_the_body_does_not_depend_on_the_order_in_which_parameters_were_written() -> None:
    backwards = dict(reversed(PARAMS.items()))

    for dialect in DIALECTS:
        assert dialect.encode(_request(), "m") == dialect.encode(_request(backwards), "m")


def test_anthropic_gets_the_number_of_tokens_it_requires_where_nobody_chose_one() -> None:
    assert json.loads(ANTHROPIC.encode(_request({}), "m"))["max_tokens"] == 4096


def test_a_dotted_parameter_becomes_a_nested_object() -> None:
    body = json.loads(
        OPENAI_RESPONSES.encode(_request({"reasoning.effort": "low", "text.verbosity": "low"}), "m")
    )

    expected = ({"effort": "low"}, {"verbosity": "low"})
    assert expected == (body["reasoning"], body["text"])


@pytest.mark.parametrize(
    ("params", "where"),
    [
        ({"temperature": "warm"}, "$.params.temperature"),
        ({"temperature": "NaN"}, "$.params.temperature"),
        ({"top_p": '1,"model":"other"'}, "$.params.top_p"),
        ({"model": "other"}, "$.params.model"),
        ({"stream": True}, "$.params.stream"),
        ({"reasoning": "x", "reasoning.effort": "low"}, "$.params.reasoning.effort"),
        ({"reasoning.": 1}, "$.params.reasoning."),
    ],
)
def test_a_parameter_that_cannot_be_sent_is_a_usage_error_that_names_it(
    params: dict[str, str | int | bool], where: str
) -> None:
    with pytest.raises(UsageError) as caught:
        OPENAI_CHAT.encode(_request(params), "m")

    assert where == caught.value.where


def test_the_name_of_a_google_model_cannot_leave_its_place_in_the_path() -> None:
    expected = "/v1beta/models/..%2F..%2Fevil%3Fx:generateContent"

    assert expected == GOOGLE.path("../../evil?x")


def test_the_key_travels_in_the_header_each_provider_reads() -> None:
    expected = [{"Authorization": "Bearer k"}, {"x-api-key": "k"}, {"x-goog-api-key": "k"}]

    assert expected == [dialect.auth("k") for dialect in (OPENAI_CHAT, ANTHROPIC, GOOGLE)]


ANSWERS: list[tuple[str, Dialect, object, Decoded]] = [
    (
        "chat",
        OPENAI_CHAT,
        {
            "id": "x",
            "model": "m-2026-01-01",
            "system_fingerprint": "fp_1",
            "choices": [{"message": {"role": "assistant", "content": "Four."}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 12, "completion_tokens": 3, "prompt_tokens_details": {}},
        },
        Decoded("Four.", "stop", "m-2026-01-01", "fp_1", Usage(12, 3)),
    ),
    (
        "a refusal field is an answer",
        OPENAI_CHAT,
        {"choices": [{"message": {"content": None, "refusal": "I can't."}, "finish_reason": "stop"}]},
        Decoded("I can't.", "stop"),
    ),
    (
        "content in parts",
        OPENAI_CHAT,
        {
            "choices": [
                {"message": {"content": [{"type": "text", "text": "Fo"}, {"type": "text", "text": "ur"}]}}
            ]
        },
        Decoded("Four"),
    ),
    (
        "reasoning is not the answer",
        OPENAI_CHAT,
        {
            "choices": [
                {"message": {"content": "Four", "reasoning_content": "Hm."}, "finish_reason": "length"}
            ]
        },
        Decoded("Four", "length"),
    ),
    (
        "usage that is nonsense is no usage",
        OPENAI_CHAT,
        {
            "choices": [{"message": {"content": "Four"}}],
            "usage": {"prompt_tokens": -1, "completion_tokens": None},
        },
        Decoded("Four"),
    ),
    (
        "responses",
        OPENAI_RESPONSES,
        {
            "status": "completed",
            "model": "m",
            "incomplete_details": None,
            "error": None,
            "output": [
                {"type": "reasoning", "summary": []},
                {"type": "message", "content": [{"type": "output_text", "text": "Four.", "annotations": []}]},
            ],
            "usage": {"input_tokens": 5, "output_tokens": 2},
        },
        Decoded("Four.", "completed", "m", None, Usage(5, 2)),
    ),
    (
        "responses refusal part",
        OPENAI_RESPONSES,
        {
            "status": "completed",
            "output": [{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}],
        },
        Decoded("No.", "completed"),
    ),
    (
        "responses cut at the token limit",
        OPENAI_RESPONSES,
        {
            "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"},
            "output": [{"type": "message", "content": [{"type": "output_text", "text": "Fo"}]}],
        },
        Decoded("Fo", "max_output_tokens"),
    ),
    (
        "anthropic",
        ANTHROPIC,
        {
            "model": "c",
            "stop_reason": "end_turn",
            "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Four."}],
            "usage": {"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 0},
        },
        Decoded("Four.", "end_turn", "c", None, Usage(5, 2)),
    ),
    (
        "google",
        GOOGLE,
        {
            "modelVersion": "g-1",
            "candidates": [
                {
                    "content": {"parts": [{"text": "Hm.", "thought": True}, {"text": "Four."}]},
                    "finishReason": "STOP",
                }
            ],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 3},
        },
        Decoded("Four.", "STOP", "g-1", None, Usage(5, 5)),
    ),
]


@pytest.mark.parametrize(
    ("dialect", "body", "expected"), [a[1:] for a in ANSWERS], ids=[a[0] for a in ANSWERS]
)
def test_an_answer_is_read(dialect: Dialect, body: object, expected: Decoded) -> None:
    assert expected == dialect.decode(json.dumps(body).encode())


FAILURES: list[tuple[str, Dialect, bytes, str]] = [
    ("no choices", OPENAI_CHAT, b'{"choices":[]}', "empty"),
    (
        "null content",
        OPENAI_CHAT,
        b'{"choices":[{"message":{"content":null},"finish_reason":"length"}]}',
        "empty",
    ),
    ("blank content", OPENAI_CHAT, b'{"choices":[{"message":{"content":" \\n"}}]}', "empty"),
    (
        "tool calls only",
        OPENAI_CHAT,
        b'{"choices":[{"message":{"content":null,"tool_calls":[{"id":"1"}]}}]}',
        "empty",
    ),
    (
        "content filter",
        OPENAI_CHAT,
        b'{"choices":[{"message":{"content":"half"},"finish_reason":"content_filter"}]}',
        "filtered",
    ),
    ("another object", OPENAI_CHAT, b'{"object":"list"}', "malformed"),
    ("an array", OPENAI_CHAT, b"[]", "malformed"),
    ("cut JSON", OPENAI_CHAT, b'{"choices":[{"message":{"content":"Fou', "malformed"),
    ("not UTF-8", OPENAI_CHAT, b'{"choices":[{"message":{"content":"\xff"}}]}', "malformed"),
    ("lone surrogate", OPENAI_CHAT, b'{"choices":[{"message":{"content":"\\ud800"}}]}', "malformed"),
    ("deep nesting", OPENAI_CHAT, b'{"x":' + b"[" * 100_000, "malformed"),
    (
        "responses filter",
        OPENAI_RESPONSES,
        b'{"output":[],"status":"incomplete","incomplete_details":{"reason":"content_filter"}}',
        "filtered",
    ),
    (
        "responses failed",
        OPENAI_RESPONSES,
        b'{"output":[],"status":"failed","error":{"code":"server_error","message":"oops"}}',
        "server_error",
    ),
    (
        "responses reasoning only",
        OPENAI_RESPONSES,
        b'{"output":[{"type":"reasoning"}],"status":"incomplete"}',
        "empty",
    ),
    (
        "anthropic classifier",
        ANTHROPIC,
        b'{"content":[{"type":"text","text":"He"}],"stop_reason":"refusal"}',
        "filtered",
    ),
    ("anthropic tool", ANTHROPIC, b'{"content":[{"type":"tool_use"}],"stop_reason":"tool_use"}', "empty"),
    ("anthropic nothing", ANTHROPIC, b'{"content":[],"stop_reason":"end_turn"}', "empty"),
    ("google prompt blocked", GOOGLE, b'{"promptFeedback":{"blockReason":"SAFETY"}}', "filtered"),
    ("google answer blocked", GOOGLE, b'{"candidates":[{"finishReason":"SAFETY"}]}', "filtered"),
    ("google nothing", GOOGLE, b"{}", "empty"),
    ("google no text", GOOGLE, b'{"candidates":[{"finishReason":"MAX_TOKENS","content":{}}]}', "empty"),
]


@pytest.mark.parametrize(("dialect", "body", "kind"), [f[1:] for f in FAILURES], ids=[f[0] for f in FAILURES])
def test_a_response_without_an_answer_is_a_failure_of_its_kind(
    dialect: Dialect, body: bytes, kind: str
) -> None:
    result = dialect.decode(body)

    assert isinstance(result, Failure)
    assert kind == result.kind


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
known_keys = st.sampled_from(
    [
        "choices",
        "message",
        "content",
        "refusal",
        "output",
        "type",
        "text",
        "candidates",
        "parts",
        "usage",
        "model",
    ]
)
near_answers = st.recursive(
    json_values,
    lambda inner: st.dictionaries(known_keys, inner, max_size=4) | st.lists(inner, max_size=2),
    max_leaves=12,
)


@given(near_answers)
def test_no_json_makes_a_decoder_raise_or_answer_with_nothing(value: object) -> None:
    body = json.dumps(value).encode()

    for dialect in DIALECTS:
        result = dialect.decode(body)
        assert isinstance(result, Failure) or result.output.strip()
    assert len(read_error(body).message) <= 300


@given(st.binary(max_size=200))
def test_no_bytes_make_a_decoder_raise(body: bytes) -> None:
    for dialect in DIALECTS:
        assert isinstance(dialect.decode(body), Failure | Decoded)


@given(st.text(), st.sampled_from(["user", "assistant"]))
def test_every_prompt_survives_the_request_body(text: str, role: str) -> None:
    request = ModelRequest("s@1", "x", 1, (Message("user", text), Message(role, text)), {})  # type: ignore[arg-type]

    assert [text, text] == [t["content"] for t in json.loads(OPENAI_CHAT.encode(request, "m"))["messages"]]
    assert [text, text] == [
        t["parts"][0]["text"] for t in json.loads(GOOGLE.encode(request, "m"))["contents"]
    ]
