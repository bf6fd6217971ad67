"""Requests of each client's API as each upstream is asked."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.translation.asked_bodies import ASKED, CHAT, MESSAGES, MODELS, PIXEL, RESPONSES, SCHEMA
from gateway.translation.recorded_upstreams import PAIRS
from gateway.translation.request_shapes import check_request
from gateway.translation.sdk_exchange import translation_between
from verilabel.gateway.translation.catalogue import find_translation
from verilabel.gateway.translation.interface import Untranslatable


def translate(client: str, upstream: str, body: dict[str, Any], model: str | None = None) -> dict[str, Any]:
    """The upstream's body, checked against the upstream's own types."""
    before = copy.deepcopy(body)
    asked = translation_between(client, upstream).request(body, model=model or MODELS[upstream])
    assert before == body
    check_request(upstream, asked)
    return asked


def chat(**members: Any) -> dict[str, Any]:
    """A short chat request with these members."""
    return {"model": "any", "messages": [{"role": "user", "content": "Hello"}], **members}


def messages(**members: Any) -> dict[str, Any]:
    """A short Messages request with these members."""
    return {**chat(), "max_tokens": 900, **members}


def responses(**members: Any) -> dict[str, Any]:
    """A short Responses request with these members."""
    return {"model": "any", "input": "Hello", **members}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_a_full_request_has_the_types_of_the_upstreams_api(client: str, upstream: str, stream: bool) -> None:
    asked = translate(client, upstream, {**ASKED[client], "stream": stream})
    if upstream == "google":
        path = find_translation(client, upstream).path("models/gemini-3-pro", stream=stream)  # type: ignore[union-attr]
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        assert f"/models/gemini-3-pro:{verb}" == path
        assert "model" not in asked
        return
    assert MODELS[upstream] == asked["model"]
    assert stream == asked.get("stream", False)


@given(
    st.text(max_size=40),
    st.sampled_from(["..", "/", "\\", "%", "%2e%2e", "?", "#", ":", "\n", "\x00", "\u202e"]),
)
def test_a_models_name_leads_nowhere_else_at_google(name: str, mark: str) -> None:
    translation = translation_between("chat", "google")
    for model in ("", "models/", f"models/{name}{mark}", f"{mark}{name}", f"a{mark}b{name}"):
        with pytest.raises(Untranslatable) as refusal:
            translation.path(model, stream=False)
        assert "$.model" == refusal.value.where
        assert len(model) < 10 or model not in str(refusal.value)


def test_a_chat_conversation_as_anthropic_is_asked() -> None:
    asked = translate("chat", "anthropic", CHAT)
    assert [
        {"type": "text", "text": "Answer briefly."},
        {"type": "text", "text": "Name your sources."},
    ] == asked["system"]
    assert [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is on this picture?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me look."},
                {"type": "tool_use", "id": "call_1", "name": "look_up", "input": {"city": "Oslo"}},
                {"type": "tool_use", "id": "call_2", "name": "look_up", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "call_1",
                    "content": [{"type": "text", "text": "rain"}],
                },
                {
                    "type": "tool_result",
                    "tool_use_id": "call_2",
                    "content": [{"type": "text", "text": "sun"}],
                },
                {"type": "text", "text": "And tomorrow?"},
            ],
        },
    ] == asked["messages"]
    assert (900, {"user_id": "user-7"}) == (asked["max_tokens"], asked["metadata"])
    assert {"type": "adaptive"} == asked["thinking"]
    described = {**SCHEMA, "description": "A city"}
    assert {"effort": "medium", "format": {"type": "json_schema", "schema": described}} == asked[
        "output_config"
    ]
    assert [
        {"name": "look_up", "description": "Weather of a city", "input_schema": SCHEMA, "strict": True},
        {"name": "read_clock", "input_schema": {"type": "object", "properties": {}}},
    ] == asked["tools"]


def test_a_chat_conversation_as_google_is_asked() -> None:
    asked = translate("chat", "google", CHAT)
    assert {"parts": [{"text": "Answer briefly."}, {"text": "Name your sources."}]} == asked[
        "systemInstruction"
    ]
    call = {"name": "look_up", "args": {"city": "Oslo"}, "id": "call_1"}
    assert [
        {
            "role": "user",
            "parts": [
                {"text": "What is on this picture?"},
                {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
            ],
        },
        {
            "role": "model",
            "parts": [
                {"text": "Let me look."},
                {"functionCall": call, "thoughtSignature": "skip_thought_signature_validator"},
                {"functionCall": {"name": "look_up", "args": {}, "id": "call_2"}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "look_up", "response": {"output": "rain"}, "id": "call_1"}},
                {"functionResponse": {"name": "look_up", "response": {"output": "sun"}, "id": "call_2"}},
                {"text": "And tomorrow?"},
            ],
        },
    ] == asked["contents"]
    assert {
        "maxOutputTokens": 900,
        "temperature": 0.5,
        "topP": 0.9,
        "frequencyPenalty": 0,
        "presencePenalty": 0.0,
        "responseMimeType": "application/json",
        "responseJsonSchema": {**SCHEMA, "description": "A city"},
        "thinkingConfig": {"thinkingLevel": "MEDIUM", "includeThoughts": True},
    } == asked["generationConfig"]
    # the parameters of a strict tool are held to
    assert {"functionCallingConfig": {"mode": "VALIDATED"}} == asked["toolConfig"]


def test_a_messages_conversation_as_openai_is_asked() -> None:
    asked = translate("messages", "openai", MESSAGES)
    assert [
        {
            "role": "system",
            "content": [
                {"type": "text", "text": "Answer briefly."},
                {"type": "text", "text": "Name your sources."},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is on this picture?"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
            ],
        },
        {
            "role": "assistant",
            "content": "Let me look.",
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "look_up", "arguments": '{"city":"Oslo"}'},
                },
                {"id": "call_2", "type": "function", "function": {"name": "look_up", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
        {"role": "tool", "tool_call_id": "call_2", "content": "Error: no such city"},
        {"role": "user", "content": "And tomorrow?"},
    ] == asked["messages"]
    assert ("medium", 900, "user-7") == (
        asked["reasoning_effort"],
        asked["max_completion_tokens"],
        asked["user"],
    )
    assert SCHEMA == asked["response_format"]["json_schema"]["schema"]


def test_a_responses_conversation_as_openai_is_asked() -> None:
    asked = translate("responses", "openai", RESPONSES)
    roles = [message["role"] for message in asked["messages"]]
    assert ["system", "developer", "user", "assistant", "tool", "tool", "user"] == roles
    answer = asked["messages"][3]
    assert "Let me look." == answer["content"]
    assert ["call_1", "call_2"] == [call["id"] for call in answer["tool_calls"]]
    assert ["rain", "sun"] == [message["content"] for message in asked["messages"][4:6]]


def test_a_chat_conversation_as_the_responses_api_is_asked() -> None:
    asked = translate(
        "chat", "openai-responses", {**CHAT, "frequency_penalty": None, "presence_penalty": None}
    )
    kinds = [(item["type"], item.get("role")) for item in asked["input"]]
    assert [
        ("message", "system"),
        ("message", "developer"),
        ("message", "user"),
        ("message", "assistant"),
        ("function_call", None),
        ("function_call", None),
        ("function_call_output", None),
        ("function_call_output", None),
        ("message", "user"),
    ] == kinds
    assert {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "low"} == asked[
        "input"
    ][2]["content"][1]
    assert False is asked["store"]
    assert "include" not in asked


def test_output_tokens_have_a_default_where_the_api_demands_them() -> None:
    assert 4_096 == translate("chat", "anthropic", chat())["max_tokens"]
    assert 4_096 == translate("responses", "anthropic", responses())["max_tokens"]
    assert 50 == translate("chat", "anthropic", chat(max_tokens=50))["max_tokens"]


@pytest.mark.parametrize(
    ("said", "anthropic", "google"),
    [
        ("none", {"type": "none"}, {"mode": "NONE"}),
        ("auto", {"type": "auto"}, {"mode": "AUTO"}),
        ("required", {"type": "any"}, {"mode": "ANY"}),
        (
            {"type": "function", "function": {"name": "a"}},
            {"type": "tool", "name": "a"},
            {"mode": "ANY", "allowedFunctionNames": ["a"]},
        ),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [
                        {"type": "function", "function": {"name": "a"}},
                        {"type": "function", "function": {"name": "b"}},
                    ],
                },
            },
            {"type": "any"},
            {"mode": "ANY", "allowedFunctionNames": ["a", "b"]},
        ),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "b"}}]},
            },
            {"type": "auto"},
            {"mode": "VALIDATED", "allowedFunctionNames": ["b"]},
        ),
    ],
)
def test_tool_choices_have_the_same_meaning_everywhere(said: Any, anthropic: Any, google: Any) -> None:
    tools = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in "abc"]
    body = chat(tools=tools, tool_choice=said)
    asked = translate("chat", "anthropic", body)
    assert anthropic == asked["tool_choice"]
    assert google == translate("chat", "google", body)["toolConfig"]["functionCallingConfig"]
    if isinstance(said, dict) and said["type"] == "allowed_tools":
        # what may not be called is not offered where no word forbids it
        assert google["allowedFunctionNames"] == [tool["name"] for tool in asked["tools"]]
    native = translate("chat", "openai-responses", body)["tool_choice"]
    if isinstance(said, str):
        assert said == native
    else:
        assert said["type"] == native["type"]


def test_one_call_at_a_time_is_asked_of_those_who_can_promise_it() -> None:
    tools = [{"type": "function", "function": {"name": "a"}}]
    asked = translate("chat", "anthropic", chat(tools=tools, parallel_tool_calls=False))
    assert {"type": "auto", "disable_parallel_tool_use": True} == asked["tool_choice"]
    offered = [{"name": "a", "input_schema": {"type": "object"}}]
    choice = {"type": "any", "disable_parallel_tool_use": True}
    back = translate("messages", "openai", messages(tools=offered, tool_choice=choice))
    assert (False, "required") == (back["parallel_tool_calls"], back["tool_choice"])
    assert "parallel_tool_calls" not in translate("messages", "openai", messages(tools=offered))


@pytest.mark.parametrize(
    ("effort", "thinking", "output"),
    [
        ("none", {"type": "disabled"}, None),
        ("minimal", {"type": "adaptive"}, {"effort": "low"}),
        ("low", {"type": "adaptive"}, {"effort": "low"}),
        ("xhigh", {"type": "adaptive"}, {"effort": "xhigh"}),
        ("max", {"type": "adaptive"}, {"effort": "max"}),
    ],
)
def test_effort_as_anthropic_knows_it(effort: str, thinking: Any, output: Any) -> None:
    asked = translate("chat", "anthropic", chat(reasoning_effort=effort))
    assert (thinking, output) == (asked["thinking"], asked.get("output_config"))


def test_effort_is_a_budget_for_models_that_know_no_other() -> None:
    body = chat(reasoning_effort="high", max_completion_tokens=64_000)
    old = translate("chat", "anthropic", body, "claude-sonnet-4-5-20250929")
    assert {"type": "enabled", "budget_tokens": 16_384} == old["thinking"]
    assert "output_config" not in old
    short = translate(
        "chat", "anthropic", {**body, "max_completion_tokens": 2_000}, "claude-3-7-sonnet-latest"
    )
    assert {"type": "enabled", "budget_tokens": 1_999} == short["thinking"]
    flash = translate("chat", "google", body, "gemini-2.5-flash")
    assert {"thinkingBudget": 24_576, "includeThoughts": True} == flash["generationConfig"]["thinkingConfig"]
    off = translate("chat", "google", chat(reasoning_effort="none"), "gemini-2.5-flash")
    assert {"thinkingBudget": 0} == off["generationConfig"]["thinkingConfig"]


@pytest.mark.parametrize(
    ("members", "effort"),
    [
        ({"thinking": {"type": "disabled"}}, "none"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1_024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 4_096}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 16_384}}, "high"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, "max"),
        ({"thinking": {"type": "adaptive"}}, None),
        ({}, None),
    ],
)
def test_thinking_of_messages_clients_is_effort(members: dict[str, Any], effort: str | None) -> None:
    assert effort == translate("messages", "openai", messages(**members)).get("reasoning_effort")
    reasoning = translate("messages", "openai-responses", messages(**members)).get("reasoning") or {}
    assert effort == reasoning.get("effort")


def test_a_budget_reaches_models_that_know_budgets_as_it_is() -> None:
    thinking = {"type": "enabled", "budget_tokens": 3_000, "display": "omitted"}
    asked = translate("messages", "google", messages(thinking=thinking), "gemini-2.5-pro")
    assert {"thinkingBudget": 3_000} == asked["generationConfig"]["thinkingConfig"]


def test_calls_of_google_that_came_without_ids_are_matched_by_name() -> None:
    call = {"id": "call_vl01", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    history = [
        {"role": "user", "content": "Go"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_vl01", "content": "done"},
    ]
    asked = translate("chat", "google", {"model": "any", "messages": history}, "gemini-2.5-pro")
    assert [{"functionCall": {"name": "f", "args": {}}}] == asked["contents"][1]["parts"]
    response = {"name": "f", "response": {"output": "done"}}
    assert [{"functionResponse": response}] == asked["contents"][2]["parts"]


def test_ids_that_anthropic_does_not_take_are_rewritten_alike_in_call_and_result() -> None:
    call = {"id": "functions.f:0", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    other = {**call, "id": "functions_f_0"}
    history = [
        {"role": "user", "content": "Go"},
        {"role": "assistant", "tool_calls": [call, other]},
        {"role": "tool", "tool_call_id": "functions.f:0", "content": "done"},
        {"role": "tool", "tool_call_id": "functions_f_0", "content": "done"},
    ]
    asked = translate("chat", "anthropic", {"model": "any", "messages": history})
    called = [block["id"] for block in asked["messages"][1]["content"]]
    answered = [block["tool_use_id"] for block in asked["messages"][2]["content"]]
    assert called == answered
    assert "functions_f_0" == called[1]
    assert len(set(called)) == 2
    assert all(char.isalnum() or char in "_-" for char in called[0])


def test_documents_and_sounds_go_where_they_can_be_read() -> None:
    file = {
        "type": "file",
        "file": {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"},
    }
    sound = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    body = {"model": "any", "messages": [{"role": "user", "content": [file]}]}
    document = translate("chat", "anthropic", body)["messages"][0]["content"][0]
    source = {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}
    assert {"type": "document", "source": source, "title": "a.pdf"} == document
    inline = translate("chat", "google", body)["contents"][0]["parts"]
    assert [{"inlineData": {"mimeType": "application/pdf", "data": "JVBERg=="}}] == inline
    heard = {"model": "any", "messages": [{"role": "user", "content": [sound]}]}
    parts = translate("chat", "google", heard)["contents"][0]["parts"]
    assert [{"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}}] == parts
    shown = messages(
        messages=[{"role": "user", "content": [{"type": "document", "source": source, "title": "a.pdf"}]}]
    )
    assert [file] == translate("messages", "openai", shown)["messages"][0]["content"]


def test_images_by_address_go_where_addresses_are_followed() -> None:
    url = "https://example.org/picture.png"
    part = {"type": "image_url", "image_url": {"url": url}}
    body = {"model": "any", "messages": [{"role": "user", "content": [part]}]}
    block = {"type": "image", "source": {"type": "url", "url": url}}
    assert [block] == translate("chat", "anthropic", body)["messages"][0]["content"]
    shown = messages(messages=[{"role": "user", "content": [block]}])
    assert [part] == translate("messages", "openai", shown)["messages"][0]["content"]


def test_images_in_the_result_of_a_tool_reach_the_responses_api() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    use = {"type": "tool_use", "id": "t1", "name": "shoot", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [image]}
    body = messages(
        messages=[
            {"role": "user", "content": "Go"},
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [result]},
        ]
    )
    output = translate("messages", "openai-responses", body)["input"][2]["output"]
    assert [
        {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"}
    ] == output


def test_a_system_turn_in_the_middle_stays_in_its_place() -> None:
    history = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello."},
        {"role": "developer", "content": "Speak Norwegian now."},
        {"role": "user", "content": "How are you?"},
    ]
    asked = translate("chat", "anthropic", {"model": "any", "messages": history})
    assert ["user", "assistant", "system", "user"] == [message["role"] for message in asked["messages"]]
    assert "system" not in asked


def test_log_probabilities_are_asked_for_by_the_name_each_api_has() -> None:
    asked = translate("chat", "openai-responses", chat(logprobs=True, top_logprobs=3))
    assert (["message.output_text.logprobs"], 3) == (asked["include"], asked["top_logprobs"])
    back = translate(
        "responses", "openai", responses(include=["message.output_text.logprobs"], top_logprobs=3)
    )
    assert (True, 3) == (back["logprobs"], back["top_logprobs"])


def test_streams_of_openai_are_always_asked_for_their_usage() -> None:
    asked = translate("messages", "openai", messages(stream=True))
    assert {"include_usage": True} == asked["stream_options"]


def test_nothing_is_kept_at_openai_unless_the_client_asks_for_it() -> None:
    assert False is translate("messages", "openai-responses", messages())["store"]
    assert False is translate("chat", "openai-responses", chat())["store"]
    assert True is translate("chat", "openai-responses", chat(store=True))["store"]


def test_output_tokens_leave_room_for_the_thinking_that_is_asked_for() -> None:
    assert 4_096 + 16_384 == translate("chat", "anthropic", chat(reasoning_effort="high"))["max_tokens"]
    asked = translate("chat", "anthropic", chat(reasoning_effort="low"), "claude-opus-4-1")
    assert (6_144, 2_048) == (asked["max_tokens"], asked["thinking"]["budget_tokens"])


def test_empty_texts_that_a_provider_would_refuse_are_left_out() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
    history = [
        {"role": "system", "content": ""},
        {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "Go"}]},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": ""},
    ]
    body = {"model": "any", "messages": history}
    asked = translate("chat", "anthropic", body)
    assert "system" not in asked
    assert [
        [{"type": "text", "text": "Go"}],
        [{"type": "tool_use", "id": "call_1", "name": "f", "input": {}}],
        [{"type": "tool_result", "tool_use_id": "call_1", "content": []}],
    ] == [message["content"] for message in asked["messages"]]
    parts = [content["parts"] for content in translate("chat", "google", body, "gemini-2.5-pro")["contents"]]
    assert [{"text": "Go"}] == parts[0]
    assert {"output": ""} == parts[2][0]["functionResponse"]["response"]
