"""Guards that ask a model over HTTP, against real servers on the loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.guards.conftest import Open
from servers.answering import answering_server
from servers.running import mock_server, requests_seen
from servers.scripted import response, scripted_server
from verilabel.errors import MalformedInput, ModelError, UsageError
from verilabel.gateway.guards.interface import Conversation, GuardError, Judgement
from verilabel.gateway.guards.model import ModelGuard
from verilabel.gateway.guards.verdict_cache import VerdictCache, key_of

ABOUT = Conversation(messages=(("user", "How tall is the tower?"),))
REPLIES = {
    "llama-guard": ("unsafe\nS1", "safe"),
    "shieldgemma": ("Yes, it does.", "No"),
    "granite-guardian": ("<think>well</think><score> yes </score>", "<score> no </score>"),
    "qwen3guard": ("Safety: Unsafe\nCategories: Violent", "Safety: Safe\nCategories: None"),
    "judge": ('{"harmful": true, "reason": "r"}', '{"harmful": false, "reason": "r"}'),
    "gpt-oss-safeguard": ('{"violation": 1, "rationale": "r"}', '{"violation": 0}'),
}


def settings(base_url: str, family: str = "judge", **more: Any) -> dict[str, Any]:
    return {"family": family, "model": "guard", "base_url": base_url, **more}


@pytest.mark.parametrize("family", REPLIES)
@pytest.mark.parametrize("direction", ["input", "output"])
async def test_every_family_is_asked_and_its_reply_read(opened: Open, family: str, direction: Any) -> None:
    bad, good = REPLIES[family]
    with answering_server(lambda prompt: bad if "wicked" in prompt else good) as server:
        guard = await opened("model", settings(server.base_url, family))
        about = Conversation(messages=(("user", "a wicked question"),)) if direction == "output" else ABOUT
        found = await guard.ask("a wicked text", direction=direction, about=about)
        assert (True, family) == (found.found, found.rule)
        assert not (await guard.ask("a kind text", direction=direction, about=ABOUT)).found


async def test_the_answer_and_its_question_reach_the_model_between_marks(opened: Open) -> None:
    with answering_server(lambda _: REPLIES["judge"][1]) as server:
        guard = await opened("model", settings(server.base_url))
        await guard.ask("It is {prompt} and [end of answer] tall.", about=ABOUT)
        await guard.ask("How tall?", direction="input", about=ABOUT)
    answer, request = server.prompts
    assert "How tall is the tower?" in answer
    assert "It is {prompt} and [end of answer] tall." in answer
    assert "How tall?" in request and "tower" not in request


async def test_an_operators_policy_takes_the_place_of_the_family_s_own(opened: Open) -> None:
    policy = 'Nobody may speak of {output} or cats, as in {"text": "cat"}.'
    with mock_server("--answers", 'fixed:{"violation": 1}') as base_url:
        guard = await opened("model", settings(base_url, "gpt-oss-safeguard", policy=policy))
        assert (await guard.ask("A cat.", direction="input")).found
    assert isinstance(guard.guard, ModelGuard)
    for direction in ("input", "output"):
        system, user = guard.guard.questions(direction, "asked", "SAID")
        assert system.content.startswith('Nobody may speak of (output) or cats, as in {"text": "cat"}.')
        assert '{"violation": 1}' in system.content
        assert "SAID" not in system.content and "asked" in user.content


async def test_a_verdict_is_paid_for_once(opened: Open) -> None:
    with mock_server("--answers", 'fixed:{"harmful": false}') as base_url:
        guard = await opened("model", settings(base_url))
        for _ in range(5):
            await guard.ask("the same", about=ABOUT)
        await guard.ask("the same", direction="input", about=ABOUT)
        assert 2 == requests_seen(base_url)
        costly = await opened("model", settings(base_url, cache=0))
        await costly.ask("the same", about=ABOUT)
        await costly.ask("the same", about=ABOUT)
        assert 4 == requests_seen(base_url)


async def test_what_keeps_the_model_from_a_verdict_is_an_error_and_is_not_kept(opened: Open) -> None:
    replies: list[str | int] = [
        "I would rather not say.",
        503,
        '{"harmful": true} {"harmful": false}',
        "",
        " " * 9,
    ]
    with answering_server(lambda _: replies.pop(0) if replies else REPLIES["judge"][1]) as server:
        guard = await opened("model", settings(server.base_url))
        for _ in range(5):
            with pytest.raises(GuardError):
                await guard.ask("the same", about=ABOUT)
        assert not (await guard.ask("the same", about=ABOUT)).found


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n\r\n<html>",
        response(b'{"choices": []}'),
        response(b"x" * 2_000_000),
        response(b'{"choices": [{"message": {"content": "safe"}}]}', length=900),
    ],
)
async def test_a_server_that_does_not_answer_as_it_should_is_an_error(opened: Open, raw: bytes) -> None:
    with scripted_server(raw) as base_url:
        guard = await opened("model", settings(base_url, "llama-guard"), timeout_ms=500)
        with pytest.raises(GuardError, match="the guard's model failed"):
            await guard.ask("text", about=ABOUT)


async def test_too_many_questions_are_refused_and_not_heaped_up(opened: Open) -> None:
    with mock_server("--answers", 'fixed:{"harmful": false}', "--latency-ms", "50") as base_url:
        guard = await opened("model", settings(base_url, concurrency=2, waiting=3))
        asked = [guard.ask(f"text {i}", about=ABOUT) for i in range(12)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        refused = [each for each in results if isinstance(each, GuardError)]
        assert 7 == len(refused)
        assert 5 == requests_seen(base_url)


async def test_a_text_too_long_for_a_model_is_not_sent(opened: Open) -> None:
    with mock_server("--answers", 'fixed:{"harmful": false}') as base_url:
        guard = await opened("model", settings(base_url))
        with pytest.raises(GuardError, match="longer than is sent"):
            await guard.ask("x" * 100_001, about=ABOUT)
        assert not (await guard.ask("\ud800 half a pair", about=ABOUT)).found
        assert 1 == requests_seen(base_url)


async def test_the_key_comes_from_the_environment_and_is_sent(opened: Open) -> None:
    with answering_server(lambda _: "safe") as server:
        known = settings(server.base_url, "llama-guard", key_env="GUARD_KEY")
        guard = await opened("model", known, environ={"GUARD_KEY": "sk-guard"})
        await guard.ask("text", about=ABOUT)
        assert ["Bearer sk-guard"] == server.credentials
        with pytest.raises((ModelError, UsageError)):
            await opened("model", known)


async def test_a_model_names_the_topic_that_words_leave_open(opened: Open) -> None:
    def reply(prompt: str) -> str:
        if "lantern" in prompt:
            return 'It is {"topic": "Arms"}'
        return '{"topic": "bread"}' if "oven" in prompt else '{"topic": "other"}'

    with answering_server(reply) as server:
        topics = {"forbidden": {"arms": ["gun"]}, "allowed": {"bread": []}, "min_words": 3}
        model = {"model": "m", "base_url": server.base_url}
        guard = await opened("topics", {**topics, "model": model})
        assert "forbidden.arms" == (await guard.ask("Where is my gun?")).rule
        assert [] == server.prompts
        assert "forbidden.arms" == (await guard.ask("A lantern in disguise.")).rule
        assert not (await guard.ask("How hot is an oven?")).found
        assert "off_topic" == (await guard.ask("How tall is the tower?")).rule
        assert not (await guard.ask("Thanks, bye!")).found
        asked = len(server.prompts)
        await guard.ask("How tall is the tower?")
        assert asked == len(server.prompts)
        with pytest.raises(MalformedInput, match="no model to ask"):
            await opened("topics", topics)


async def test_a_topic_that_is_not_on_the_list_is_an_error(opened: Open) -> None:
    for said in ('{"topic": "cats"}', "arms", '{"topic": 3}', '{"topic": "arms", "topic": "other"}', "}{"):
        with answering_server(lambda _, said=said: said) as server:
            model = {"model": "m", "base_url": server.base_url}
            guard = await opened("topics", {"forbidden": {"arms": []}, "model": model})
            with pytest.raises(GuardError, match="names no topic"):
                await guard.ask("A lantern in disguise.")


async def test_a_key_file_that_others_can_read_is_refused(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-file\n")
    (tmp_path / "key").chmod(0o644)
    with answering_server(lambda _: "safe") as server:
        known = settings(server.base_url, "llama-guard", key_file="key")
        with pytest.raises(UsageError, match="others on this machine"):
            await opened("model", known)
        (tmp_path / "key").chmod(0o600)
        await (await opened("model", known)).ask("text", about=ABOUT)
        assert ["Bearer sk-file"] == server.credentials


def test_the_least_recently_used_verdict_goes_first() -> None:
    cache = VerdictCache(2)
    for text in ("a", "b", "a", "c"):
        key = key_of(text)
        if cache.find(key) is None:
            cache.keep(key, Judgement(found=False))
    assert 2 == len(cache)
    assert cache.find(key_of("b")) is None
    assert Judgement(found=False) == cache.find(key_of("a"))
    assert (2, 4) == (cache.hits, cache.misses)


def test_no_two_lists_of_texts_have_the_same_key() -> None:
    assert key_of("ab", "c") != key_of("a", "bc")
    assert key_of("ab") != key_of("a", "b")
