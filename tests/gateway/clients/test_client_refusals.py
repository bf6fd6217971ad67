"""What the SDKs make of refusals: the right exception, our message and code, retries after the time that was told."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest

from gateway.clients.wired import Wired, route_of

QUESTION: list[Any] = [{"role": "user", "content": "What is the answer?"}]


def _code(error: anthropic.APIStatusError) -> str:
    body: Any = error.body
    return str(body["verilabel"]["code"])


def _ask_openai(wired: Wired, model: str, **more: Any) -> Any:
    settings = {"messages": QUESTION, **more}
    return wired.openai().chat.completions.create(model=model, **settings)


def _ask_anthropic(wired: Wired, model: str, **more: Any) -> Any:
    settings = {"messages": QUESTION, "max_tokens": 10, **more}
    return wired.anthropic().messages.create(model=model, **settings)


def test_a_wrong_key_is_an_authentication_error(wired: Wired) -> None:
    with pytest.raises(openai.AuthenticationError) as refused:
        wired.openai(api_key="vk_wrong").chat.completions.create(model=route_of("gpt"), messages=QUESTION)
    assert ("key_unknown", True) == (refused.value.code, "not in force" in refused.value.message)
    with pytest.raises(anthropic.AuthenticationError) as other:
        wired.anthropic(api_key="vk_wrong").messages.create(
            model=route_of("claude"), max_tokens=10, messages=QUESTION
        )
    assert "key_unknown" == _code(other.value)


def test_a_model_that_is_not_there_is_a_not_found_error(wired: Wired) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        _ask_openai(wired, "nothing")
    assert ("model_not_found", "$.model") == (refused.value.code, refused.value.param)
    with pytest.raises(anthropic.NotFoundError) as other:
        _ask_anthropic(wired, "nothing")
    assert "model_not_found" == _code(other.value)


def test_what_the_gateway_does_not_serve_is_a_not_found_error(wired: Wired) -> None:
    with pytest.raises(anthropic.NotFoundError):
        wired.anthropic().messages.count_tokens(model=route_of("claude"), messages=QUESTION)
    with pytest.raises(openai.NotFoundError, match="nothing here"):
        wired.openai().responses.retrieve("resp_1")


@pytest.mark.parametrize(
    ("model", "code"),
    [("error-400:failing", "upstream_refused"), (route_of("claude"), "not_translatable")],
)
def test_a_request_that_cannot_be_served_is_a_bad_request_error(wired: Wired, model: str, code: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        _ask_openai(wired, model, n=2)
    assert code == refused.value.code


def test_an_api_that_the_provider_does_not_have_is_a_bad_request_error(wired: Wired) -> None:
    with pytest.raises(openai.BadRequestError, match="completions API") as refused:
        wired.openai().completions.create(model=route_of("claude"), prompt="hello")
    assert ("not_translatable", "$.model") == (refused.value.code, refused.value.param)
    with pytest.raises(openai.BadRequestError, match="embeddings API"):
        wired.openai().embeddings.create(model=route_of("gemini"), input="hello")


def test_an_ill_formed_request_is_a_bad_request_error_with_its_place(wired: Wired) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        _ask_openai(wired, route_of("gpt"), messages=[{"role": "user", "content": 5}])
    assert "$.messages[0].content" == refused.value.param
    with pytest.raises(anthropic.BadRequestError):
        _ask_anthropic(wired, route_of("claude"), messages="hello")


def test_a_provider_that_fails_is_an_internal_server_error(wired: Wired) -> None:
    with pytest.raises(openai.InternalServerError) as refused:
        _ask_openai(wired, "error-500:failing")
    assert (502, "upstream_error") == (refused.value.status_code, refused.value.code)
    with pytest.raises(anthropic.InternalServerError) as other:
        _ask_anthropic(wired, "error-500:failing-claude")
    assert "upstream_error" == _code(other.value)


def test_a_provider_that_is_asked_too_much_is_a_rate_limit_error(wired: Wired) -> None:
    with pytest.raises(openai.RateLimitError) as refused:
        _ask_openai(wired, "error-429:failing")
    assert ("upstream_rate_limit", "7") == (refused.value.code, refused.value.response.headers["retry-after"])
    with pytest.raises(anthropic.RateLimitError) as other:
        _ask_anthropic(wired, "error-429:failing-claude")
    assert "7" == other.value.response.headers["retry-after"]


def test_a_limit_is_a_rate_limit_error_that_says_when_to_come_back(wired: Wired) -> None:
    _ask_openai(wired, route_of("gpt", "limited"))
    with pytest.raises(openai.RateLimitError) as refused:
        while True:  # a slow machine may let some through
            _ask_openai(wired, route_of("gpt", "limited"))
    headers = refused.value.response.headers
    assert ("limit_exceeded", "1") == (refused.value.code, headers["retry-after"])
    assert 0 < float(headers["retry-after-ms"]) <= 500
    with pytest.raises(anthropic.RateLimitError) as other:
        while True:
            _ask_anthropic(wired, route_of("claude", "limited"))
    assert "limit_exceeded" == _code(other.value)


def test_retries_of_the_clients_own_wait_as_told_and_get_through(wired: Wired) -> None:
    client = wired.openai(max_retries=4).chat.completions
    for _ in range(3):
        raw = client.with_raw_response.create(model=route_of("gpt", "limited"), messages=QUESTION)
        assert "The answer is 42." == raw.parse().choices[0].message.content
    records = [each for each in wired.gateway.records() if each.get("route") == route_of("gpt", "limited")]
    assert {200, 429} == {each["status"] for each in records[-5:]}
    messages = wired.anthropic(max_retries=4).messages
    for _ in range(2):
        done = messages.create(model=route_of("claude", "limited"), max_tokens=10, messages=QUESTION)
        assert "end_turn" == done.stop_reason


@pytest.mark.parametrize("model", ["dies", "broken-sse"])
def test_a_stream_that_breaks_off_upstream_raises(wired: Wired, model: str) -> None:
    said = ""
    with pytest.raises(openai.APIError) as broken:
        for chunk in _ask_openai(wired, f"{model}:failing", stream=True):
            said += chunk.choices[0].delta.content or ""
    assert ("upstream_", True) == (str(broken.value.code)[:9], "The answer is 42.".startswith(said))
    with pytest.raises(anthropic.APIStatusError) as other:
        for event in _ask_anthropic(wired, f"{model}:failing-claude", stream=True):
            assert event.type != "message_stop"
    assert _code(other.value).startswith("upstream_")


@pytest.mark.parametrize("client", ["chat", "responses", "messages"])
def test_a_translated_stream_that_breaks_off_upstream_raises(wired: Wired, client: str) -> None:
    if client == "messages":
        with pytest.raises(anthropic.APIStatusError):
            list(_ask_anthropic(wired, "dies:failing", stream=True))
    elif client == "chat":
        with pytest.raises(openai.APIError):
            list(_ask_openai(wired, "dies:failing-claude", stream=True))
    else:
        with pytest.raises(openai.APIError) as broken:
            list(wired.openai().responses.create(model="dies:failing", input="?", stream=True))
        assert "upstream_connection" == broken.value.code
