"""Adaptive concurrency and budgets."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from verilabel.errors import UsageError
from verilabel.evaluation.pace import BACKOFF_MOST_S, Pace, backoff_s
from verilabel.evaluation.spending import Prices, Spending
from verilabel.records.attempt import Usage
from verilabel.records.plan import Budget


def test_push_back_shrinks_the_limit_once_a_round_and_success_restores_it() -> None:
    pace = Pace(100)
    for _ in range(50):
        pace.note_push_back()
    assert 70 == pace.limit
    for _ in range(10_000):
        pace.note_success()
    assert 100 == pace.limit


async def test_no_more_questions_are_in_flight_than_the_limit() -> None:
    pace = Pace(3)
    most = 0

    async def ask() -> None:
        nonlocal most
        async with pace:
            most = max(most, pace.in_flight)
            await asyncio.sleep(0)

    await asyncio.gather(*(ask() for _ in range(20)))
    assert 3 == most
    assert 0 == pace.in_flight


def test_the_limit_never_falls_below_one() -> None:
    pace = Pace(2)
    for _ in range(100):
        pace.note_push_back()
        pace._finished += 100
    assert 1 == pace.limit


def test_the_provider_s_wait_is_kept_and_bounded() -> None:
    assert backoff_s(1, 7.0) == 7.0
    assert backoff_s(1, 10_000.0) == BACKOFF_MOST_S
    assert 0 < backoff_s(1, None) <= 0.5
    assert backoff_s(50, None) <= BACKOFF_MOST_S


def test_a_budget_of_requests_is_never_passed() -> None:
    spending = Spending(Budget(requests=3), None)
    assert [True, True, True, False, False] == [spending.reserve() for _ in range(5)]
    assert 3 == spending.requests


def test_tokens_and_money_stop_a_run() -> None:
    by_tokens = Spending(Budget(tokens=100), None)
    by_tokens.note(Usage(60, 40))
    assert not by_tokens.reserve()
    by_money = Spending(Budget(usd="0.01"), Prices(Decimal(1), Decimal(10)))
    by_money.note(Usage(0, 999))
    assert by_money.reserve()
    by_money.note(Usage(0, 1))
    assert not by_money.reserve()
    assert Decimal("0.01") == by_money.usd


def test_a_budget_in_money_needs_prices() -> None:
    with pytest.raises(UsageError, match="needs prices"):
        Spending(Budget(usd="5"), None)
