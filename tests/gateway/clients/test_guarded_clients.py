"""What the SDKs see of guards and people: redacted answers, cut streams, held requests that pass once approved."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from gateway.clients.wired import EMAIL, SECRET, Wired, route_of
from servers.spoken import Saying, speak_chat, speak_messages, speak_response
from verilabel.gateway.wire.catalogue import DIALECTS

QUESTION: list[Any] = [{"role": "user", "content": "Who is it?"}]
CHAT = ("gpt", "claude", "gemini")
ANSWER = f"Write to {EMAIL} for the answer."
THOUGHT = f"I think of {EMAIL} here."
ARGUMENTS = json.dumps({"to": EMAIL, "text": "hello"})


def _chat_stream(wired: Wired, **asked: Any) -> openai.types.chat.ChatCompletion:
    with wired.openai().chat.completions.stream(**asked) as stream:
        for _ in stream:
            pass
        return stream.get_final_completion()


@pytest.mark.parametrize("family", CHAT)
@pytest.mark.parametrize("chunk", [1, 5])
def test_content_reasoning_and_arguments_are_redacted_alike_in_streams(
    wired: Wired, family: str, chunk: int
) -> None:
    wired.upstream.reset(answer=ANSWER, reasoning=THOUGHT, calls=[("send", ARGUMENTS)], chunk=chunk)
    asked: dict[str, Any] = {"model": route_of(family, "guarded"), "messages": QUESTION}
    whole = wired.openai().chat.completions.create(**asked)
    streamed = wired.openai().chat.completions.create(**asked, stream=True)
    texts = {"content": "", "reasoning_content": "", "arguments": ""}
    for event in streamed:
        for choice in event.choices:
            for name in ("content", "reasoning_content"):
                texts[name] += getattr(choice.delta, name, None) or ""
            for call in choice.delta.tool_calls or []:
                assert call.function is not None
                texts["arguments"] += call.function.arguments or ""
    message: Any = whole.choices[0].message
    assert texts["content"] == message.content and texts["reasoning_content"] == message.reasoning_content
    assert json.loads(texts["arguments"]) == json.loads(message.tool_calls[0].function.arguments)
    assert not [text for text in texts.values() if "contact" in text or not text]


@pytest.mark.parametrize("family", CHAT)
def test_blocks_of_messages_and_items_of_responses_are_redacted_alike_in_streams(
    wired: Wired, family: str
) -> None:
    wired.upstream.reset(answer=ANSWER, reasoning=THOUGHT, calls=[("send", ARGUMENTS)], chunk=3)
    model = route_of(family, "guarded")
    messages = wired.anthropic().messages
    whole = messages.create(model=model, max_tokens=100, messages=QUESTION)
    with messages.stream(model=model, max_tokens=100, messages=QUESTION) as stream:
        streamed = stream.get_final_message()
    assert _said(whole.content) == _said(streamed.content)
    responses = wired.openai().responses
    whole_response = responses.create(model=model, input="Who is it?")
    with responses.stream(model=model, input="Who is it?") as events:
        seen = "".join(event.to_json(warnings=False) for event in events)
        response = events.get_final_response()
    assert whole_response.output_text == response.output_text == _redacted(whole.content)
    assert "contact" not in _said(whole.content) + seen + whole_response.to_json(warnings=False)


def _said(content: list[Any]) -> str:
    shown = [block.model_dump(exclude={"id", "signature", "parsed_output"}) for block in content]
    return json.dumps([{name: value for name, value in each.items() if value is not None} for each in shown])


def _redacted(content: list[Any]) -> str:
    return "".join(block.text for block in content if block.type == "text")


def test_log_probabilities_do_not_repeat_what_was_redacted(wired: Wired) -> None:
    wired.upstream.reset(answer=ANSWER)
    asked: dict[str, Any] = {"model": route_of("gpt", "guarded"), "messages": QUESTION, "logprobs": True}
    done = wired.openai().chat.completions.create(**asked)
    streamed = wired.openai().chat.completions.create(**asked, stream=True)
    for choices in (done.choices, [choice for chunk in streamed for choice in chunk.choices]):
        tokens = [token.token for each in choices if each.logprobs for token in each.logprobs.content or []]
        assert "contact" not in "".join(tokens)


@pytest.mark.parametrize("family", CHAT)
def test_a_secret_ends_a_stream_with_an_error_and_is_not_in_what_came_before(
    wired: Wired, family: str
) -> None:
    wired.upstream.reset(answer=f"The key is {SECRET} as you know.", chunk=5)
    model, said = route_of(family, "guarded"), ""
    with pytest.raises(openai.APIError, match="no secrets here") as cut:
        for chunk in wired.openai().chat.completions.create(model=model, messages=QUESTION, stream=True):
            said += "".join(choice.delta.content or "" for choice in chunk.choices)
    assert ("The key is ", "guard_blocked") == (said, cut.value.code)
    said = ""
    with (
        pytest.raises(anthropic.APIStatusError, match="no secrets here"),
        wired.anthropic().messages.stream(model=model, max_tokens=99, messages=QUESTION) as stream,
    ):
        for text in stream.text_stream:
            said += text
    assert "The key is " == said
    deltas: list[str] = []
    with (
        pytest.raises(openai.APIError, match="no secrets here") as ended,
        wired.openai().responses.stream(model=model, input="?") as events,
    ):
        deltas += [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "guard_blocked" == ended.value.code


def test_a_secret_in_a_question_is_a_permission_error_and_stays_here(wired: Wired) -> None:
    question: list[Any] = [{"role": "user", "content": f"my key is {SECRET}"}]
    with pytest.raises(openai.PermissionDeniedError, match="no secrets here") as refused:
        wired.openai().chat.completions.create(model=route_of("gpt", "guarded"), messages=question)
    assert ("guard_blocked", "policy_error") == (refused.value.code, refused.value.type)
    with pytest.raises(anthropic.PermissionDeniedError, match="no secrets here"):
        wired.anthropic().messages.create(
            model=route_of("claude", "guarded"), max_tokens=9, messages=question
        )
    assert [] == wired.upstream.requests


def _approval(error: openai.APIStatusError | anthropic.APIStatusError) -> str:
    return str(error.response.json()["verilabel"]["approval"])


def test_a_held_request_is_a_permission_error_until_a_person_approves(wired: Wired) -> None:
    question: list[Any] = [{"role": "user", "content": "do the wire transfer of monday"}]

    def ask_openai() -> Any:
        done = wired.openai().chat.completions.create(model=route_of("gpt", "held"), messages=question)
        return done.choices[0].message.content

    def ask_anthropic() -> Any:
        done = wired.anthropic().messages.create(
            model=route_of("claude", "held"), max_tokens=9, messages=question
        )
        return done.content[0].text  # type: ignore[union-attr]

    def ask_responses() -> Any:
        return wired.openai().responses.create(model=route_of("o", "held"), input=question).output_text

    asks: list[Callable[[], Any]] = [ask_openai, ask_anthropic, ask_responses]
    for ask in asks:
        with pytest.raises((openai.PermissionDeniedError, anthropic.PermissionDeniedError)) as held:
            ask()
        refused: Any = held.value
        approval = _approval(refused)
        assert approval == refused.response.headers["x-verilabel-approval"]
        wired.decide(approval, "approve")
        assert "The answer is 42." == ask()
        with pytest.raises((openai.PermissionDeniedError, anthropic.PermissionDeniedError)):
            ask()


@pytest.mark.parametrize("stream", [False, True])
def test_a_held_tool_call_comes_once_its_approval_is_named(wired: Wired, stream: bool) -> None:
    arguments = json.dumps({"to": "all-customers", "n": int(stream)})
    wired.upstream.reset(calls=[("send", arguments)])
    asked: dict[str, Any] = {"model": route_of("gpt", "held-calls"), "messages": QUESTION}

    def ask(**headers: str) -> str:
        more = {**asked, "extra_headers": headers}
        create = wired.openai().chat.completions.create
        done = _chat_stream(wired, **more) if stream else create(**more)
        calls = done.choices[0].message.tool_calls
        assert calls is not None
        return str(calls[0].function.arguments)  # type: ignore[union-attr]

    with pytest.raises(openai.PermissionDeniedError) as held:
        ask()
    approval = _approval(held.value)
    assert ("approval_pending", True) == (held.value.code, approval in held.value.message)
    wired.decide(approval, "approve")
    assert arguments == ask(**{"x-verilabel-approval": approval})


def _answer_for(wired: Wired, text: str, verdict: str) -> threading.Thread:
    """Somebody who decides on a request with this text as soon as it waits."""

    def decide() -> None:
        while not (found := [each for each in wired.pending() if text in each["summary"]]):
            pass
        wired.decide(found[0]["id"], verdict)

    person = threading.Thread(target=decide)
    person.start()
    return person


@pytest.mark.parametrize("client", ["chat", "responses", "messages"])
def test_a_stream_waits_on_its_open_connection_while_a_person_approves(wired: Wired, client: str) -> None:
    text = f"the wire transfer of tuesday by {client}"
    question: list[Any] = [{"role": "user", "content": text}]
    wait = {"x-verilabel-wait": "hold"}
    person = _answer_for(wired, text, "approve")
    if client == "chat":
        stream = wired.openai().chat.completions.create(
            model=route_of("gpt", "held"), messages=question, stream=True, extra_headers=wait
        )
        said = "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
    elif client == "responses":
        with wired.openai().responses.stream(
            model=route_of("o", "held"), input=text, extra_headers=wait
        ) as events:
            said = events.get_final_response().output_text
    else:
        with wired.anthropic().messages.stream(
            model=route_of("claude", "held"), max_tokens=9, messages=question, extra_headers=wait
        ) as messages:
            said = messages.get_final_text()
    person.join(20)
    assert "The answer is 42." == said


@pytest.mark.parametrize("client", ["chat", "responses", "messages"])
@pytest.mark.parametrize("family", ["gpt", "claude"])
def test_a_held_tool_call_comes_on_the_open_stream_once_a_person_approves(
    wired: Wired, client: str, family: str
) -> None:
    arguments = {"to": "all-customers", "by": f"{client} {family}"}
    wired.upstream.reset(calls=[("send", json.dumps(arguments))], chunk=3)
    model, wait = route_of(family, "held-calls"), {"x-verilabel-wait": "hold"}
    person = _answer_for(wired, f"{client} {family}", "approve")
    found: list[Any]
    if client == "chat":
        done = _chat_stream(wired, model=model, messages=QUESTION, extra_headers=wait)
        found = [json.loads(call.function.arguments) for call in done.choices[0].message.tool_calls or []]  # type: ignore[union-attr]
    elif client == "responses":
        with wired.openai().responses.stream(model=model, input="?", extra_headers=wait) as events:
            output = events.get_final_response().output
        found = [json.loads(each.arguments) for each in output if each.type == "function_call"]
    else:
        with wired.anthropic().messages.stream(
            model=model, max_tokens=9, messages=QUESTION, extra_headers=wait
        ) as messages:
            content = messages.get_final_message().content
        found = [block.input for block in content if block.type == "tool_use"]
    person.join(20)
    assert ([arguments], 1) == (found, len(wired.upstream.requests))


@pytest.mark.parametrize("client", ["chat", "responses", "messages"])
def test_keep_alives_mean_nothing_to_clients(client: str) -> None:
    said = Saying(model="m", text="The answer is 42.")
    path, speak = {
        "chat": ("/v1/chat/completions", speak_chat),
        "responses": ("/v1/responses", speak_response),
        "messages": ("/v1/messages", speak_messages),
    }[client]
    alive = DIALECTS[path].keep_alive()
    body = alive * 3 + alive.join(speak(said).events)
    answering = httpx2.MockTransport(
        lambda _: httpx2.Response(200, content=body, headers={"content-type": "text/event-stream"})
    )
    settings: dict[str, Any] = {"api_key": "none", "http_client": httpx2.Client(transport=answering)}
    if client == "messages":
        caller = anthropic.Anthropic(base_url="http://gateway.invalid", **settings)
        with caller.messages.stream(model="m", max_tokens=9, messages=QUESTION) as messages:
            assert "The answer is 42." == messages.get_final_text()
        return
    asker = openai.OpenAI(base_url="http://gateway.invalid/v1", **settings)
    if client == "responses":
        with asker.responses.stream(model="m", input="?") as events:
            assert "The answer is 42." == events.get_final_response().output_text
        return
    chunks = asker.chat.completions.create(model="m", messages=QUESTION, stream=True)
    assert "The answer is 42." == "".join(
        choice.delta.content or "" for chunk in chunks for choice in chunk.choices
    )


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_waited_long_enough_is_told_and_may_ask_again(wired: Wired, stream: bool) -> None:
    question: list[Any] = [{"role": "user", "content": f"the wire transfer of thursday, stream {stream}"}]

    def ask() -> Any:
        create = wired.openai().chat.completions.with_raw_response.create
        return create(model=route_of("gpt", "held-briefly"), messages=question, stream=stream)

    with pytest.raises(openai.APIError) as waited:
        raw = ask()
        approval = raw.headers["x-verilabel-approval"]
        list(raw.parse())
    assert "approval_pending" == waited.value.code
    if not stream:
        refused: Any = waited.value
        approval = _approval(refused)
    wired.decide(approval, "approve")
    answered = ask()
    assert approval == answered.headers.get("x-verilabel-approval", approval)
    assert b"42" in answered.http_response.read()


@pytest.mark.parametrize("stream", [False, True])
def test_a_denied_request_raises_on_its_open_connection(wired: Wired, stream: bool) -> None:
    text = f"the wire transfer of wednesday, stream {stream}"
    person = _answer_for(wired, text, "deny")
    with pytest.raises(openai.APIError) as denied:
        list(
            wired.openai().chat.completions.create(
                model=route_of("gpt", "held"),
                messages=[{"role": "user", "content": text}],
                stream=stream,
                extra_headers={"x-verilabel-wait": "hold"},
            )
        )
    person.join(20)
    assert "approval_denied" == denied.value.code
    assert [] == wired.upstream.requests
