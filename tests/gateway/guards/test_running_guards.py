"""Running a guard: time-outs, mistakes, counters."""

from __future__ import annotations

import asyncio

import pytest

from verilabel.gateway.guards.awaited import AwaitedGuard
from verilabel.gateway.guards.interface import Conversation, GuardError, Judgement
from verilabel.gateway.guards.jailbreak import JailbreakGuard, JailbreakSettings
from verilabel.gateway.guards.quick import QUICK_CHARS, Place
from verilabel.gateway.guards.running import GuardCounters, run_guard
from verilabel.gateway.policy.document import GuardEntry

ABOUT = Conversation()


class Slow(AwaitedGuard):
    """Answers what the text says, or never."""

    async def look(self, text: str, place: Place, /) -> Judgement:
        if text == "never":
            await asyncio.Event().wait()
        if text == "mistake":
            raise ZeroDivisionError(text)
        if text == "refuse":
            raise GuardError("not today")
        return Judgement(found=text == place.field)


async def run(text: str, counters: GuardCounters, *, timeout_ms: int = 50) -> Judgement:
    entry = GuardEntry(id="slow", use="slow", timeout_ms=timeout_ms)
    return await run_guard(Slow("v"), entry, text, "content", "input", ABOUT, counters=counters)


async def test_what_a_guard_did_is_counted() -> None:
    counters = GuardCounters()
    assert (await run("content", counters)).found
    assert not (await run("other", counters)).found
    for text, said in (("never", "within 50 ms"), ("mistake", "ZeroDivisionError"), ("refuse", "not today")):
        with pytest.raises(GuardError, match=said) as raised:
            await run(text, counters)
        assert text == "refuse" or text not in str(raised.value).replace("never answer", "")
    assert (5, 1, 2, 1) == (
        counters.looked["slow"],
        counters.found["slow"],
        counters.failed["slow"],
        counters.timed_out["slow"],
    )


async def test_an_awaited_guard_is_never_asked_on_the_spot() -> None:
    with pytest.raises(GuardError, match="must be awaited"):
        Slow("v").judge_now("text", "content", "input", ABOUT)


async def test_a_long_text_is_awaited_even_of_a_quick_guard() -> None:
    guard = JailbreakGuard(JailbreakSettings())
    entry = GuardEntry(id="jailbreak", use="jailbreak")
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    await run_guard(guard, entry, "word " * 100, "content", "input", ABOUT)
    assert 0 == turns
    await run_guard(guard, entry, "word " * QUICK_CHARS, "content", "input", ABOUT)
    assert turns > 5
    counting.cancel()
