"""Models behind Inspect's providers: addresses as Inspect knows them, answers with the calls behind them, failures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from inspect_world import find_interpreter
from servers.running import mock_server, requests_seen
from verilabel.errors import ModelError, PolicyError, UsageError
from verilabel.evaluation.wire import wires_of
from verilabel.models.address import open_model
from verilabel.models.inspect_model import choose_inspect_model
from verilabel.models.interface import Exchange, Model, ModelRequest

pytestmark = pytest.mark.inspect

Ask = Callable[..., ModelRequest]
KEY = "sk-test-0123456789abcdef"


@pytest.fixture(scope="module")
def inspect_python() -> str:
    """The interpreter that has inspect_ai and the client library of OpenAI, or a skip."""
    return find_interpreter("openai")


async def ask_all(model: Model, *requests: ModelRequest) -> list[Exchange]:
    async with model:
        return list(await asyncio.gather(*(model.ask(request) for request in requests)))


def open_mock(url: str, python: str) -> Model:
    return open_model(
        "inspect/openai/mock-1",
        base_url=url,
        key_env="TEST_KEY",
        environ={"TEST_KEY": KEY},
        inspect_python=python,
    )


def test_answers_come_with_the_call_behind_them_and_failures_are_values_asked_once(
    ask: Ask, inspect_python: str
) -> None:
    requests = [ask(f"Say {i}", sample=str(i), params={"max_tokens": 12}) for i in range(8)]
    requests.append(ask(f"Repeat {KEY}", sample="key"))
    requests.append(ask("Say what?", sample="params", params={"nonsense": 1}))
    with mock_server("--answers", "echo", "--fail-every", "3", "--fail-status", "503") as url:
        model = open_mock(url, inspect_python)
        exchanges = asyncio.run(ask_all(model, *requests))
        seen = requests_seen(url)
    plain, (keyed, odd) = exchanges[:8], exchanges[8:]
    assert 9 == seen
    assert 3 == sum(e.status == 503 for e in (*plain, keyed))
    for request, exchange in zip(requests[:8], plain, strict=True):
        assert wires_of(model.provider_model)[0].encode(request) == exchange.request
        if exchange.failure is None:
            call = json.loads(exchange.response)["call"]
            assert (request.prompt, request.prompt) == (
                exchange.output,
                call["request"]["messages"][0]["content"],
            )
            assert exchange.output == call["response"]["choices"][0]["message"]["content"]
            said = wires_of(model.provider_model)[0].read("", exchange.response)
            assert (exchange.output, exchange.served_model) == (
                getattr(said, "output", None),
                getattr(said, "served_model", None),
            )
        else:
            assert (503, True) == (exchange.status, exchange.failure.retryable)
    assert keyed.output is None
    assert KEY.encode() not in keyed.response
    assert odd.failure is not None
    assert ("bad_request", True) == (odd.failure.kind, odd.failure.fatal)


def test_a_refused_key_is_fatal_and_an_unknown_provider_is_not_opened(ask: Ask, inspect_python: str) -> None:
    with mock_server("--fail-every", "1", "--fail-status", "401") as url:
        (exchange,) = asyncio.run(ask_all(open_mock(url, inspect_python), ask("Hello?")))
    assert exchange.failure is not None
    assert ("unauthorized", True, 401) == (exchange.failure.kind, exchange.failure.fatal, exchange.status)
    with pytest.raises(ModelError, match="cannot open nothing/x"):
        asyncio.run(ask_all(open_model("inspect/nothing/x", inspect_python=inspect_python)))


@pytest.mark.parametrize(
    ("address", "name", "recorded", "args"),
    [
        ("openai/gpt-4o", "openai/gpt-4o", "openai/gpt-4o", {"max_retries": 0}),
        (
            "openai-responses/gpt-4o",
            "openai/gpt-4o",
            "openai/gpt-4o",
            {"max_retries": 0, "responses_api": True},
        ),
        ("inspect/mistral/large", "mistral/large", "inspect/mistral/large", {}),
        ("vllm/a/b", "openai/a/b", "vllm/a/b", {"max_retries": 0, "responses_api": False}),
    ],
)
def test_an_address_of_ours_is_one_of_inspects(
    address: str, name: str, recorded: str, args: dict[str, object]
) -> None:
    choice = choose_inspect_model(address, environ={"OPENAI_API_KEY": KEY, "MISTRAL_API_KEY": "m" * 20})
    assert (name, recorded, args) == (choice.name, choice.provider_model, choice.as_command()["args"])
    assert KEY not in repr(choice)


def test_only_the_variables_of_the_provider_itself_are_passed_on() -> None:
    environ = {
        "MISTRAL_API_KEY": "m" * 20,
        "OPENAI_API_KEY": KEY,
        "AWS_SECRET_ACCESS_KEY": "a" * 20,
        "GROQ_API_KEY": "g",
    }
    asked = {
        address: set(choose_inspect_model(address, environ=environ).secrets)
        for address in ("inspect/mistral/x", "inspect/bedrock/x", "inspect/openai-api/groq/x", "openai/x")
    }
    assert asked == {
        "inspect/mistral/x": {"MISTRAL_API_KEY"},
        "inspect/bedrock/x": {"AWS_SECRET_ACCESS_KEY"},
        "inspect/openai-api/groq/x": {"GROQ_API_KEY"},
        "openai/x": set(),
    }


def test_a_secret_is_seen_in_what_a_provider_repeats() -> None:
    choice = choose_inspect_model("inspect/mistral/x", environ={"MISTRAL_API_KEY": "m" * 20})
    assert [True, False] == [choice.is_repeated_in(data) for data in (b'{"a":"' + b"m" * 20 + b'"}', b"none")]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("inspect/", "not a model"),
        ("inspect/openai", "not a model"),
        ("inspect/mockllm/model", "not a model"),
        ("replay:x.csv", "not a model"),
        ("hf/path", "not a model"),
        ("scripted:clever", "no such scripted agent"),
        ("scripted:random,seed=;", "no such scripted agent"),
    ],
)
def test_what_inspect_cannot_ask_is_a_usage_error(address: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_inspect_model(address, environ={})


def test_a_key_that_is_missing_or_would_travel_in_the_open_is_refused() -> None:
    with pytest.raises(ModelError, match="no API key"):
        choose_inspect_model("anthropic/x", environ={})
    with pytest.raises(PolicyError):
        choose_inspect_model("openai/x", base_url="http://host.example/v1", key_env="K", environ={"K": KEY})


def test_a_scripted_agent_keeps_its_seed() -> None:
    choice = choose_inspect_model("scripted:random,seed=7")
    assert ("random", "7", "scripted:random,seed=7") == (choice.script, choice.seed, choice.provider_model)
