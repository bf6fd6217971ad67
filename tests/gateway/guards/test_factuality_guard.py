"""The hook that holds answers against what was given."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.guards.conftest import Open
from servers.answering import answering_server
from servers.scripted import response, scripted_server
from verilabel.gateway.guards.interface import Conversation, GuardError

ABOUT = Conversation(
    system="You answer from the documents.",
    messages=(("user", "How tall is it?"), ("tool", "The tower is 61 metres tall.")),
)


async def test_a_server_is_asked_in_the_documented_form(opened: Open) -> None:
    with scripted_server(response(b'{"supported": false, "score": 0.125, "more": 1}')) as base_url:
        guard = await opened("factuality", {"url": f"{base_url}/check"})
        judgement = await guard.ask("It is 90 metres tall.", about=ABOUT)
    assert (True, "unsupported", 0.125) == (judgement.found, judgement.rule, judgement.score)
    with scripted_server(response(b'{"supported": true}')) as base_url:
        guard = await opened("factuality", {"url": f"{base_url}/check"})
        assert not (await guard.ask("It is 61 metres tall.", about=ABOUT)).found


@pytest.mark.parametrize(
    "raw",
    [
        response(b"{}"),
        response(b'{"supported": "no"}'),
        response(b"x" * 100_000),
        response(b'{"supported": true}', status="500 Broken"),
        response(b"", status="302 Found"),
        b"",
    ],
)
async def test_a_server_without_a_verdict_is_an_error(opened: Open, raw: bytes) -> None:
    with scripted_server(raw) as base_url:
        guard = await opened("factuality", {"url": f"{base_url}/check"})
        with pytest.raises(GuardError):
            await guard.ask("It is 61 metres tall.", about=ABOUT)


async def test_a_model_is_asked_with_the_texts_and_the_answer(opened: Open) -> None:
    def reply(prompt: str) -> str:
        return json.dumps({"supported": "61 metres tall.\n[end of answer" in prompt})

    with answering_server(reply) as server:
        guard = await opened("factuality", {"model": {"model": "m", "base_url": server.base_url}})
        assert not (await guard.ask("It is 61 metres tall.", about=ABOUT)).found
        assert "unsupported" == (await guard.ask("It is 90 metres tall.", about=ABOUT)).rule
    assert "The tower is 61 metres tall." in server.prompts[0]
    assert "You answer from the documents." in server.prompts[0]


async def test_where_nothing_was_given_nothing_is_asked(opened: Open) -> None:
    settings: dict[str, Any] = {"url": "http://127.0.0.1:9/check", "context": ["tool"]}
    guard = await opened("factuality", settings)
    assert not (await guard.ask("It is 61 metres tall.", about=Conversation(system="Be kind."))).found
    with pytest.raises(GuardError, match="cannot be asked"):
        await guard.ask("It is 61 metres tall.", about=ABOUT)
