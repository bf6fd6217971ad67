"""LangChain's clients of OpenAI's and Anthropic's APIs against the gateway, unchanged but for base URL and key."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

from gateway.clients.wired import EMAIL, SECRET, Wired, route_of

FAMILIES = ("gpt", "o", "claude", "gemini")
SAID = '{"city": "Lisbon", "people": 545923}'


class Capital(BaseModel):
    """A city and how many live there."""

    city: str
    people: int


@tool
def lookup(city: str, days: int) -> str:
    """The weather in a city."""
    return f"rain in {city} for {days} days"


def _model(wired: Wired, name: str, **more: Any) -> ChatOpenAI:
    settings = {"max_retries": 0, **more}
    return ChatOpenAI(model=name, base_url=wired.gateway.base_url, api_key=wired.key, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("responses", [False, True])
def test_a_model_is_invoked_and_streamed(wired: Wired, family: str, responses: bool) -> None:
    model = _model(wired, route_of(family), use_responses_api=responses, stream_usage=True)
    asked = [SystemMessage("Be brief."), HumanMessage("What is the answer?")]
    done = model.invoke(asked)
    assert ("The answer is 42.", 18) == (
        done.text,
        done.usage_metadata and done.usage_metadata["total_tokens"],
    )
    pieces = list(model.stream(asked))
    assert "The answer is 42." == "".join(piece.text for piece in pieces)
    counted = [piece.usage_metadata["total_tokens"] for piece in pieces if piece.usage_metadata]
    assert [18] == [each for each in counted if each]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("responses", [False, True])
def test_bound_tools_are_called_and_answered(wired: Wired, family: str, responses: bool) -> None:
    wired.upstream.reset(
        calls=[("lookup", '{"city": "Oslo", "days": 2}'), ("lookup", '{"city": "Bergen", "days": 1}')],
        chunk=3,
    )
    model = _model(wired, route_of(family), use_responses_api=responses).bind_tools([lookup])
    asked: list[Any] = [HumanMessage("Weather?")]
    streamed: Any = None
    for piece in model.stream(asked):
        streamed = piece if streamed is None else streamed + piece
    done = model.invoke(asked)
    expected = [{"city": "Oslo", "days": 2}, {"city": "Bergen", "days": 1}]
    for message in (done, streamed):
        assert [("lookup", each) for each in expected] == [
            (call["name"], call["args"]) for call in message.tool_calls
        ]
    assert isinstance(done, AIMessage)
    results = [ToolMessage(lookup.invoke(call["args"]), tool_call_id=call["id"]) for call in done.tool_calls]
    wired.upstream.reset(answer="Rain in both.")
    assert "Rain in both." == model.invoke([*asked, done, *results]).text


@pytest.mark.parametrize("family", FAMILIES)
def test_structured_output_is_parsed(wired: Wired, family: str) -> None:
    wired.upstream.reset(answer=SAID)
    model = _model(wired, route_of(family)).with_structured_output(Capital, method="json_schema")
    assert Capital(city="Lisbon", people=545923) == model.invoke("The capital of Portugal?")


@pytest.mark.parametrize("family", ["gpt", "o", "claude"])
def test_structured_output_by_a_forced_tool_is_parsed(wired: Wired, family: str) -> None:
    wired.upstream.reset(answer="", calls=[("Capital", SAID)])
    model = _model(wired, route_of(family)).with_structured_output(Capital, method="function_calling")
    assert Capital(city="Lisbon", people=545923) == model.invoke("The capital of Portugal?")


def test_one_call_at_a_time_is_refused_in_words_where_the_provider_cannot_be_told(wired: Wired) -> None:
    model = _model(wired, route_of("gemini")).with_structured_output(Capital, method="function_calling")
    with pytest.raises(openai.BadRequestError, match="one call at a time"):
        model.invoke("The capital of Portugal?")


async def test_a_model_is_streamed_asynchronously(wired: Wired) -> None:
    model = _model(wired, route_of("claude"))
    assert "The answer is 42." == "".join([piece.text async for piece in model.astream("Hello?")])


def test_embeddings_come_as_numbers(wired: Wired) -> None:
    made = OpenAIEmbeddings(
        model=route_of("gpt"),
        base_url=wired.gateway.base_url,
        api_key=wired.key,  # type: ignore[arg-type]
        check_embedding_ctx_length=False,
    )
    assert [[0.5, -0.25], [0.5, -0.25]] == made.embed_documents(["one", "two"])


def test_guards_hold_for_langchain(wired: Wired) -> None:
    wired.upstream.reset(answer=f"Write to {EMAIL} now.", chunk=2)
    model = _model(wired, route_of("gpt", "guarded"))
    whole = model.invoke("Who?").text
    assert (whole, False) == ("".join(piece.text for piece in model.stream("Who?")), "contact" in whole)
    with pytest.raises(openai.PermissionDeniedError, match="no secrets here"):
        model.invoke(f"my key is {SECRET}")
    wired.upstream.reset(answer=f"The key is {SECRET} as you know.", chunk=5)
    with pytest.raises(openai.APIError, match="no secrets here"):
        list(model.stream("Which key?"))
