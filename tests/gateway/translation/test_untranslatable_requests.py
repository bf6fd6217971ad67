"""What one API says and the other cannot is refused with its place; nothing that shapes an answer is dropped."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.translation.recorded_upstreams import PAIRS
from gateway.translation.sdk_exchange import translation_between
from verilabel.errors import UsageError
from verilabel.gateway.translation.catalogue import can_serve, find_translation
from verilabel.gateway.translation.interface import Untranslatable

UPSTREAMS = ["openai", "openai-responses", "anthropic", "google"]
PIXEL = "data:image/png;base64,iVBORw0KGgo="
FUNCTION = {"name": "f", "arguments": "{}"}


def refusal(client: str, upstream: str, body: dict[str, Any], model: str = "gemini-3-pro") -> Untranslatable:
    """The refusal that such a request gets."""
    with pytest.raises(Untranslatable) as caught:
        translation_between(client, upstream).request(body, model=model)
    return caught.value


def chat(*turns: dict[str, Any], **members: Any) -> dict[str, Any]:
    history = list(turns) or [{"role": "user", "content": "Hello"}]
    return {"model": "any", "messages": history, **members}


def messages(*turns: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {**chat(*turns, **members), "max_tokens": 900}


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def called(arguments: str) -> dict[str, Any]:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return {"role": "assistant", "tool_calls": [call]}


RESULT = {"role": "tool", "tool_call_id": "c1", "content": "done"}
HELLO = {"role": "user", "content": "Hello"}
CHAT_CASES: list[tuple[str, dict[str, Any], str]] = [
    ("anthropic", chat(n=2), "$.n"),
    ("anthropic", chat(seed=0), "$.seed"),
    ("anthropic", chat(logprobs=True), "$.logprobs"),
    ("anthropic", chat(temperature=1.5), "$.temperature"),
    ("anthropic", chat(frequency_penalty=0.5), "$.frequency_penalty"),
    ("anthropic", chat(presence_penalty=-1), "$.presence_penalty"),
    ("anthropic", chat(verbosity="low"), "$.verbosity"),
    ("anthropic", chat(response_format={"type": "json_object"}), "$.response_format"),
    ("anthropic", chat(HELLO, {"role": "assistant", "content": "The answer is"}), "$.messages[1]"),
    ("anthropic", chat(HELLO, called("[1]"), RESULT), "$.messages[1].tool_calls[0].function.arguments"),
    ("anthropic", chat(HELLO, called('{"a":'), RESULT), "$.messages[1].tool_calls[0].function.arguments"),
    ("anthropic", chat(HELLO, called('{"a":NaN}'), RESULT), "$.messages[1].tool_calls[0].function.arguments"),
    (
        "anthropic",
        chat(user({"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AA=="}})),
        "$.messages[0].content[0].image_url.url",
    ),
    (
        "anthropic",
        chat(user({"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}})),
        "$.messages[0].content[0].input_audio",
    ),
    (
        "google",
        chat(user({"type": "image_url", "image_url": {"url": "https://example.org/a.png"}})),
        "$.messages[0].content[0].image_url.url",
    ),
    ("google", chat(reasoning_effort="max"), "$.reasoning_effort"),
    ("google", chat(reasoning_effort="none"), "$.reasoning_effort"),
    ("google", chat(HELLO, RESULT), "$.messages[1].content"),
    (
        "google",
        chat(tools=[{"type": "function", "function": {"name": "f"}}], parallel_tool_calls=False),
        "$.parallel_tool_calls",
    ),
    ("google", chat(HELLO, {"role": "system", "content": "Be brief."}), "$.messages[1]"),
    ("openai-responses", chat(stop="END"), "$.stop"),
    ("openai-responses", chat(seed=7), "$.seed"),
    ("openai-responses", chat(n=3), "$.n"),
    ("openai-responses", chat(presence_penalty=1), "$.presence_penalty"),
    (
        "openai-responses",
        chat(user({"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}})),
        "$.messages[0].content[0].input_audio",
    ),
]


@pytest.mark.parametrize(("upstream", "body", "where"), CHAT_CASES)
def test_what_an_upstream_cannot_say_is_refused_with_its_place(
    upstream: str, body: dict[str, Any], where: str
) -> None:
    assert where == refusal("chat", upstream, body).where


@pytest.mark.parametrize(
    ("members", "where"),
    [
        ({"logit_bias": {"5": 1}}, "$.logit_bias"),
        ({"web_search_options": {}}, "$.web_search_options"),
        ({"modalities": ["text", "audio"]}, "$.modalities[1]"),
        ({"audio": {"voice": "a", "format": "mp3"}}, "$.audio"),
        ({"functions": [{"name": "f"}]}, "$.functions"),
        ({"moderation": {"model": "m"}}, "$.moderation"),
        ({"guided_json": {}}, "$.guided_json"),
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "$.tools[0].type"),
        ({"messages": [{"role": "user", "content": "Hi", "name": "Ann"}]}, "$.messages[0].name"),
        ({"messages": [{"role": "critic", "content": "Hi"}]}, "$.messages[0].role"),
        (
            {"messages": [{"role": "user", "content": [{"type": "video", "url": "x"}]}]},
            "$.messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "secret": "b"}]}]},
            "$.messages[0].content[0].secret",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f1"}}]}]},
            "$.messages[0].content[0].file.file_id",
        ),
        ({"messages": [{"role": "assistant", "content": None}, HELLO]}, "$.messages[0]"),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "$.messages[0].role"),
        ({"messages": "Hello"}, "$.messages"),
    ],
)
@pytest.mark.parametrize("upstream", ["openai-responses", "anthropic", "google"])
def test_members_of_chat_without_any_translation_are_refused(
    upstream: str, members: dict[str, Any], where: str
) -> None:
    assert where == refusal("chat", upstream, {**chat(), **members}).where


@pytest.mark.parametrize(
    ("members", "where"),
    [
        ({"container": "c1"}, "$.container"),
        ({"mcp_servers": [{}]}, "$.mcp_servers"),
        (
            {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}},
            "$.context_management.edits[0].type",
        ),
        (
            {"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": 2}]}},
            "$.context_management.edits[0].keep",
        ),
        ({"inference_geo": "eu"}, "$.inference_geo"),
        ({"thinking": {"type": "between_tools"}}, "$.thinking.type"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "$.tools[0].type"),
        ({"tools": [{"name": "f", "input_schema": {}, "input_examples": [{}]}]}, "$.tools[0].input_examples"),
        ({"messages": [HELLO, {"role": "assistant", "content": "The answer is"}]}, "$.messages[1]"),
        (
            {"messages": [user({"type": "search_result", "source": "s", "title": "t", "content": []})]},
            "$.messages[0].content[0].type",
        ),
        (
            {
                "messages": [
                    user(
                        {
                            "type": "document",
                            "source": {"type": "text", "media_type": "text/plain", "data": "words"},
                        }
                    )
                ]
            },
            "$.messages[0].content[0].source.type",
        ),
        (
            {"messages": [user({"type": "image", "source": {"type": "file", "file_id": "f1"}})]},
            "$.messages[0].content[0].source.type",
        ),
    ],
)
@pytest.mark.parametrize("upstream", ["openai", "openai-responses", "google"])
def test_members_of_messages_without_any_translation_are_refused(
    upstream: str, members: dict[str, Any], where: str
) -> None:
    refused = refusal("messages", upstream, {**messages(), **members})
    # an unknown type of tool may be refused for the first member that it brings along
    assert (refused.where or "").startswith(where.rpartition(".")[0])
    if "tools" not in members:
        assert where == refused.where


@pytest.mark.parametrize(
    ("members", "where"),
    [
        ({"previous_response_id": "resp_1"}, "$.previous_response_id"),
        ({"conversation": "conv_1"}, "$.conversation"),
        ({"prompt": {"id": "p1"}}, "$.prompt"),
        ({"background": True}, "$.background"),
        ({"truncation": "auto"}, "$.truncation"),
        ({"max_tool_calls": 3}, "$.max_tool_calls"),
        ({"include": ["web_search_call.results"]}, "$.include[0]"),
        ({"tools": [{"type": "web_search"}]}, "$.tools[0].type"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "$.input[0].type"),
        ({"input": [{"type": "computer_call_output", "call_id": "c"}]}, "$.input[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "$.input[0].content[0].type"),
        ({"input": [{"role": "user", "content": "a", "secret": "b"}]}, "$.input[0].secret"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f1"}]}]},
            "$.input[0].content[0].file_id",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file"}]}]},
            "$.input[0].content[0].file_data",
        ),
    ],
)
@pytest.mark.parametrize("upstream", ["openai", "anthropic", "google"])
def test_members_of_responses_without_any_translation_are_refused(
    upstream: str, members: dict[str, Any], where: str
) -> None:
    assert where == refusal("responses", upstream, {"model": "any", "input": "Hello", **members}).where


def test_a_top_k_has_no_word_at_openai() -> None:
    for upstream in ("openai", "openai-responses"):
        assert "$.top_k" == refusal("messages", upstream, messages(top_k=5)).where


def test_media_in_the_result_of_a_tool_are_refused_where_results_are_words() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    body = messages(
        HELLO,
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
        user({"type": "tool_result", "tool_use_id": "t1", "content": [image]}),
    )
    for upstream in ("openai", "google"):
        assert "$.messages[2].content[0].content[0].source" == refusal("messages", upstream, body).where


def test_so_little_thinking_that_a_model_cannot_do_it_is_refused() -> None:
    body = chat(reasoning_effort="high", max_completion_tokens=900)
    assert "$.reasoning_effort" == refusal("chat", "anthropic", body, "claude-sonnet-4-5").where


def test_a_refusal_says_what_to_do_and_repeats_nothing_of_the_texts() -> None:
    secret = "my password is hunter2"
    body = chat(
        {"role": "user", "content": [{"type": "text", "text": secret, "x": secret}]}, logit_bias={"1": 1}
    )
    refused = refusal("chat", "anthropic", body)
    assert "leave it out" in (refused.hint or "")
    assert secret not in str(refused)
    long_name = "y" * 5_000
    assert len(refusal("chat", "anthropic", chat(**{long_name: 1})).where or "") < 100


@pytest.mark.parametrize(
    "members",
    [
        {"metadata": {"a": "b"}},
        {"store": True},
        {"service_tier": "flex"},
        {"prediction": {"type": "content", "content": "x"}},
        {"prompt_cache_key": "k"},
        {"prompt_cache_retention": "24h"},
        {"stream_options": {"include_usage": True}},
        {"safety_identifier": "u"},
    ],
)
@pytest.mark.parametrize("upstream", ["openai-responses", "anthropic", "google"])
def test_what_tunes_service_alone_stops_no_request(upstream: str, members: dict[str, Any]) -> None:
    plain = translation_between("chat", upstream).request(chat(), model="gemini-3-pro")
    tuned = translation_between("chat", upstream).request(chat(**members), model="gemini-3-pro")
    for name in ("store", "user", "metadata"):
        plain.pop(name, None)
        tuned.pop(name, None)
    assert plain == tuned


def test_which_api_is_served_from_which_upstream() -> None:
    for client in ("chat", "responses", "messages"):
        assert [True] * 4 == [can_serve(client, upstream) for upstream in UPSTREAMS]
    for client in ("completions", "embeddings"):
        assert [True, False, False, False] == [can_serve(client, upstream) for upstream in UPSTREAMS]
    assert not can_serve("chat", "unheard-of")
    same = [
        ("chat", "openai"),
        ("responses", "openai-responses"),
        ("messages", "anthropic"),
        ("embeddings", "openai"),
    ]
    assert [None] * 4 == [find_translation(client, upstream) for client, upstream in same]
    for client, upstream in PAIRS:
        assert find_translation(client, upstream) is not None


@pytest.mark.parametrize(
    ("client", "upstream"), [("completions", "anthropic"), ("embeddings", "google"), ("x", "openai")]
)
def test_an_api_that_cannot_be_served_is_a_mistake_of_the_configuration(client: str, upstream: str) -> None:
    with pytest.raises(UsageError, match="cannot be served"):
        find_translation(client, upstream)


@pytest.mark.parametrize(
    "url", ["data:image/png,AA==", "data:;base64,AA==", "data:image/png;base64", "data:text"]
)
def test_a_data_url_without_type_or_base64_is_refused(url: str) -> None:
    body = chat(user({"type": "image_url", "image_url": {"url": url}}))
    for upstream in ("anthropic", "google", "openai-responses"):
        assert "$.messages[0].content[0].image_url.url" == refusal("chat", upstream, body).where


def test_an_edit_that_keeps_all_thoughts_changes_nothing_and_stops_nothing() -> None:
    edits = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
    translation = translation_between("messages", "openai")
    plain = translation.request(messages(), model="any")
    assert plain == translation.request(messages(context_management=edits), model="any")
