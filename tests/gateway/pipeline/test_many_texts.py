"""Slow guards on requests of many texts: asked about a few at once, with the same verdicts in the same order."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from verilabel.gateway.guards.awaited import AwaitedGuard
from verilabel.gateway.guards.interface import Conversation, GuardError, Judgement
from verilabel.gateway.guards.jailbreak import JailbreakGuard, JailbreakSettings
from verilabel.gateway.guards.quick import QUICK_CHARS, Place
from verilabel.gateway.pipeline.chain import Chain, OpenGuard
from verilabel.gateway.pipeline.guarding import MAX_SLOW_TEXTS
from verilabel.gateway.pipeline.inspection import MAX_ASKED_AT_ONCE, Inspection, Text
from verilabel.gateway.policy.document import GuardEntry

ABOUT = Conversation()
DOCS = Path(__file__).resolve().parents[3] / "docs"


class Busy(AwaitedGuard):
    """Finds every third number, fails on every seventh, and takes longer for some; counts whom it keeps busy."""

    def __init__(self) -> None:
        super().__init__("1")
        self.asked = self.running = self.peak = self.tasks = 0

    async def look(self, text: str, place: Place, /) -> Judgement:
        """Look, with turns for others meanwhile."""
        number = int(text.split(maxsplit=1)[0])
        self.asked += 1
        self.running += 1
        self.peak = max(self.peak, self.running)
        self.tasks = max(self.tasks, len(asyncio.all_tasks()))
        for _ in range(1 + number % 5):
            await asyncio.sleep(0)
        self.running -= 1
        if number % 7 == 0:
            raise GuardError("not this one")
        return Judgement(found=number % 3 == 0, rule=f"r{number}")


def _inspection(*guards: AwaitedGuard, mode: str = "enforce") -> Inspection:
    entries = [
        GuardEntry(id=f"g{i}", use="busy", action="flag", fields=("content",), mode=mode, timeout_ms=60_000)  # type: ignore[arg-type]
        for i in range(len(guards))
    ]
    opened = [OpenGuard(entry, guard, None) for entry, guard in zip(entries, guards, strict=True)]
    return Inspection(Chain("input", opened))


def _texts(count: int) -> list[Text]:
    return [Text(f"{i} is the number", "content", 0) for i in range(count)]


async def test_a_slow_guard_is_asked_about_a_few_of_many_texts_at_once() -> None:
    guards = Busy(), Busy()
    await _inspection(*guards).judge(_texts(3000), ABOUT)
    for guard in guards:
        assert (3000, MAX_ASKED_AT_ONCE) == (guard.asked, guard.peak)
        assert guard.tasks <= 3 + 2 * (MAX_ASKED_AT_ONCE + 1)


async def test_verdicts_on_many_texts_come_in_the_order_of_guards_and_texts() -> None:
    texts = _texts(400)
    inspection = _inspection(Busy(), Busy())
    found = await inspection.judge(texts, ABOUT)
    expected = [i for i in range(400) if i % 3 == 0 and i % 7]
    assert [(guard, f"r{i}") for guard in ("g0", "g1") for i in expected] == [
        (each.entry.id, judgement.rule) for each, _, judgement in found
    ]
    assert [texts[i] for i in expected] * 2 == [text for _, text, _ in found]
    errors = [each.guard for each in inspection.findings if each.error]
    assert {"g0": 58, "g1": 58} == {name: errors.count(name) for name in ("g0", "g1")}


async def test_only_texts_on_which_an_enforced_guard_takes_its_time_are_counted() -> None:
    texts = [*_texts(10), Text("", "content", 0), Text("11", "reasoning", 0)]
    assert 10 == _inspection(Busy(), Busy()).count_slow(texts)
    assert 0 == _inspection(Busy(), mode="shadow").count_slow(texts)
    quick = Busy()
    quick.is_quick = True
    assert 1 == _inspection(quick).count_slow([*texts, Text("1" * (QUICK_CHARS + 1), "content", 0)])
    assert MAX_SLOW_TEXTS == _inspection(Busy()).count_slow(_texts(MAX_SLOW_TEXTS))


def test_the_pages_say_how_many_texts_there_may_be() -> None:
    assert f"{MAX_SLOW_TEXTS:,} texts" in (DOCS / "gateway.md").read_text("utf-8")
    guards = (DOCS / "guards.md").read_text("utf-8")
    assert f"asked about {MAX_ASKED_AT_ONCE} at once" in guards
    assert f"{MAX_SLOW_TEXTS:,} texts" in guards


class Slow(AwaitedGuard):
    """Answers what the text says, or never."""

    async def look(self, text: str, place: Place, /) -> Judgement:
        """Look."""
        if text == "never":
            await asyncio.Event().wait()
        if text == "mistake":
            raise ZeroDivisionError(text)
        if text == "refuse":
            raise GuardError("not today")
        return Judgement(found=text == place.field)


async def test_a_guard_that_is_too_slow_mistaken_or_refusing_is_a_finding_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry = GuardEntry(id="slow", use="slow", fields=("content",), timeout_ms=50)
    inspection = Inspection(Chain("input", [OpenGuard(entry, Slow("v"), None)]))
    texts = [Text(said, "content", 0) for said in ("mistake", "content", "other", "refuse", "never")]
    found = await inspection.judge(texts, ABOUT)
    assert ["content"] == [text.text for _, text, _ in found]
    assert [True, False, True, True] == [each.error for each in inspection.findings]
    assert ["block"] * 4 == [each.action for each in inspection.findings]
    assert ["the guard slow could not look: ZeroDivisionError"] == [
        record.getMessage() for record in caplog.records if record.name == "verilabel.gateway.guards"
    ]


async def test_an_awaited_guard_is_never_asked_on_the_spot() -> None:
    with pytest.raises(GuardError, match="must be awaited"):
        Slow("v").judge_now("text", "content", "input", ABOUT)


async def test_a_long_text_is_awaited_even_of_a_quick_guard() -> None:
    entry = GuardEntry(id="jailbreak", use="jailbreak", fields=("content",))
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    for words, least, most in ((100, 0, 0), (QUICK_CHARS, 6, 10**9)):
        turns = 0
        guard = JailbreakGuard(JailbreakSettings())
        inspection = Inspection(Chain("input", [OpenGuard(entry, guard, None)]))
        await inspection.judge([Text("word " * words, "content", 0)], ABOUT)
        assert least <= turns <= most
    counting.cancel()
