"""Running a passage guard: at once where it is quick and the text short, else under its time-out; with counters."""

from __future__ import annotations

import asyncio
from collections import Counter
from time import perf_counter_ns

from verilabel.gateway.guards.interface import Conversation, GuardError, Judgement, PassageGuard
from verilabel.gateway.guards.quick import QUICK_CHARS
from verilabel.gateway.policy.document import GuardEntry
from verilabel.gateway.verdicts import Direction, Field


class GuardCounters:
    """How often each guard looked, found, failed and was too slow, and for how long; by the entry's id."""

    __slots__ = ("elapsed_us", "failed", "found", "looked", "timed_out")

    def __init__(self) -> None:
        self.looked: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.timed_out: Counter[str] = Counter()
        self.elapsed_us: Counter[str] = Counter()


async def run_guard(
    guard: PassageGuard,
    entry: GuardEntry,
    text: str,
    field: Field,
    direction: Direction,
    about: Conversation,
    *,
    counters: GuardCounters | None = None,
) -> Judgement:
    """The guard's judgement of a text. Whatever keeps it from looking (a time-out, its own mistake) is a GuardError."""
    started = perf_counter_ns()
    try:
        judgement = await _judge(guard, entry, text, field, direction, about)
    except GuardError as error:
        if counters is not None:
            slow = isinstance(error.__cause__, TimeoutError)
            (counters.timed_out if slow else counters.failed)[entry.id] += 1
        raise
    finally:
        if counters is not None:
            counters.looked[entry.id] += 1
            counters.elapsed_us[entry.id] += (perf_counter_ns() - started) // 1000
    if counters is not None and judgement.found:
        counters.found[entry.id] += 1
    return judgement


async def _judge(
    guard: PassageGuard,
    entry: GuardEntry,
    text: str,
    field: Field,
    direction: Direction,
    about: Conversation,
) -> Judgement:
    try:
        if guard.is_quick and len(text) <= QUICK_CHARS:
            return guard.judge_now(text, field, direction, about)
        async with asyncio.timeout(entry.timeout_ms / 1000):
            return await guard.judge(text, field, direction, about)
    except GuardError:
        raise
    except TimeoutError as error:
        raise GuardError(f"{entry.id} did not answer within {entry.timeout_ms} ms") from error
    except Exception as error:
        # only the kind of the mistake: its words may repeat the text
        raise GuardError(f"{entry.id} failed: {type(error).__name__}") from error
