"""Limits in a real Redis: the same decisions as in memory, exact between processes, settled once."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.limits.limit_hammer import LIMITS
from gateway.limits.limit_worlds import at_once, budget, rate, refused, reserved, take, tokens
from servers.redis_server import RedisServer, redis_server
from verilabel.gateway.limits import periods, redis
from verilabel.gateway.limits.batches import PREFIX
from verilabel.gateway.limits.interface import Exceeded, Reservation
from verilabel.gateway.limits.redis import RedisLimiter

HAMMER = Path(__file__).parent / "limit_hammer.py"
FOLDER = Path(redis.__file__).parent


@pytest.fixture(scope="module")
def shared_server() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def server(shared_server: RedisServer) -> RedisServer:
    shared_server.ask("FLUSHALL")
    return shared_server


@pytest.fixture
async def limiter(server: RedisServer) -> AsyncIterator[RedisLimiter]:
    opened = RedisLimiter(server.url, timeout_s=20)  # a busy machine is not a lost store
    await opened.open()
    yield opened
    await opened.close()


def hammer(url: str, scenario: str, processes: int, tasks: int, tries: int) -> list[dict[str, float]]:
    command = [sys.executable, str(HAMMER), url, scenario, str(tasks), str(tries)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    for process in started:
        assert process.stdout is not None
        assert "ready\n" == process.stdout.readline()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [json.loads(process.communicate()[0]) for process in started]


def store_seconds(server: RedisServer) -> float:
    seconds, rest = server.ask("TIME").strip("[]()").replace("'", "").split(",")
    return int(seconds) + int(rest) / 1e6


async def until(server: RedisServer, moment: float) -> None:
    while await asyncio.to_thread(store_seconds, server) < moment:
        pass


@pytest.mark.parametrize(("scenario", "allowed"), [("budget", 1000), ("slots", 17)])
def test_two_processes_get_exactly_the_limit_together(
    server: RedisServer, scenario: str, allowed: int
) -> None:
    counts = hammer(server.url, scenario, 2, 40, 40)
    assert (allowed, 0) == (sum(one["taken"] for one in counts), sum(one["lost"] for one in counts))


def test_two_processes_get_exactly_burst_and_refill_of_a_rate(server: RedisServer) -> None:
    counts = hammer(server.url, "rate", 2, 40, 100)
    taken = sum(one["taken"] for one in counts)
    elapsed = max(one["last"] for one in counts) - min(one["first"] for one in counts)
    allowed = LIMITS["rate"].burst + elapsed * LIMITS["rate"].amount
    assert 0.99 * allowed - 1 <= taken <= allowed + 1


async def test_all_counters_are_charged_or_none(limiter: RedisLimiter) -> None:
    wide, spent, slots, narrow = rate(10, 3600.0), budget(10, "month"), at_once(5), tokens(3, 3600.0)
    charges = [take(wide), take(spent), take(slots), take(narrow, 2)]
    reserved(await limiter.reserve(charges))
    answer = refused(await limiter.reserve(charges))
    assert "tokens" == answer.charge.limit.quantity
    assert [9, 9, 4, 1] == [standing.remaining for standing in answer.standings]
    last = reserved(await limiter.reserve([take(wide), take(spent), take(slots)]))
    assert [8, 8, 3] == [standing.remaining for standing in last.standings]


async def test_requests_of_one_batch_share_what_there_is(limiter: RedisLimiter) -> None:
    limit, other = rate(10, 3600.0), tokens(4, 3600.0)
    answers = await asyncio.gather(
        *(limiter.reserve([take(limit), take(other)] if i % 2 else [take(limit)]) for i in range(40))
    )
    taken = [answer for answer in answers if isinstance(answer, Reservation)]
    both = [answer for answer in taken if len(answer.charges) == 2]
    assert 10 == len(taken)
    assert len(both) <= 4
    assert 0 == refused(await limiter.reserve([take(limit)])).standings[0].remaining


async def test_a_charge_larger_than_its_limit_never_fits(limiter: RedisLimiter) -> None:
    for charge in (take(tokens(10), 11), take(budget(10), 11)):
        answer = refused(await limiter.reserve([take(rate(5)), charge]))
        assert (charge, None) == (answer.charge, answer.retry_after_s)


async def test_who_waits_as_long_as_told_by_the_stores_clock_is_let_in(
    server: RedisServer, limiter: RedisLimiter
) -> None:
    limit = rate(70, 1.0, 7)
    for _ in range(3):
        while isinstance(answer := await limiter.reserve([take(limit)]), Reservation):
            asked = answer.at
        assert answer.retry_after_s is not None
        assert answer.retry_after_s <= 1 / 70 + 1e-5
        await until(server, max(asked, store_seconds(server)) + answer.retry_after_s)
        reserved(await limiter.reserve([take(limit)]))


async def test_settling_gives_back_what_was_not_used_and_only_once(limiter: RedisLimiter) -> None:
    limit, spent = tokens(1000, 36_000.0), budget(1000, "month")
    charges = [take(limit, 900), take(spent, 900)]
    first = reserved(await limiter.reserve(charges))
    refused(await limiter.reserve(charges))
    for _ in range(3):
        await limiter.settle(first, {"tokens": 100, "cost": 50})
    second = reserved(await limiter.reserve(charges))
    assert [0, 50] == [standing.remaining for standing in second.standings]


async def test_what_was_used_beyond_the_reservation_delays_what_follows(limiter: RedisLimiter) -> None:
    limit, spent = tokens(60, 60.0), budget(100, "month")
    first = reserved(await limiter.reserve([take(limit, 60), take(spent, 60)]))
    await limiter.settle(first, {"tokens": 180, "cost": 130})
    answer = refused(await limiter.reserve([take(limit, 1)]))
    assert answer.retry_after_s is not None
    assert 110 < answer.retry_after_s <= 121.0
    assert 0 == refused(await limiter.reserve([take(spent, 1)])).standings[0].remaining


async def test_a_sequential_client_is_never_refused_for_its_own_ended_request(limiter: RedisLimiter) -> None:
    for _ in range(50):
        one = reserved(await limiter.reserve([take(at_once(1))]))
        await limiter.settle(one, {})


async def test_a_request_given_up_while_it_asks_holds_nothing(limiter: RedisLimiter) -> None:
    slots, limit = at_once(1), tokens(100, 36_000.0)
    for _ in range(20):
        asking = asyncio.ensure_future(limiter.reserve([take(slots), take(limit, 100)]))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait({asking})
        assert asking.cancelled()
    # the last of those is given back with the next call
    answer = await limiter.reserve([take(budget(1, "month"))])
    assert isinstance(answer, Reservation)
    reserved(await limiter.reserve([take(slots), take(limit, 99)]))


async def test_a_request_given_up_in_the_moment_of_its_answer_holds_nothing(limiter: RedisLimiter) -> None:
    slots = at_once(1)

    async def ask_and_give_up_the_other() -> None:
        await limiter.reserve([take(rate(100))])
        asking.cancel()

    # both are answered by one call of the store; the first, who wakes first, gives up the second
    first = asyncio.ensure_future(ask_and_give_up_the_other())
    asking = asyncio.ensure_future(limiter.reserve([take(slots)]))
    await asyncio.wait({first, asking})
    assert asking.cancelled()
    reserved(await limiter.reserve([take(rate(100))]))
    reserved(await limiter.reserve([take(slots)]))


async def test_requests_given_up_late_save_nothing_up(server: RedisServer, limiter: RedisLimiter) -> None:
    limit = tokens(100, 0.5)
    idle = reserved(await limiter.reserve([take(limit, 100)]))
    await until(server, idle.at + 0.5)
    full = reserved(await limiter.reserve([take(limit, 100)]))
    await limiter.settle(idle, {"tokens": 0})
    answer = await limiter.reserve([take(limit, 100)])
    # in the time that the two calls took, something has flowed off; all of it only where they took half a second
    assert isinstance(answer, Exceeded) or answer.at >= full.at + 0.5


async def test_slots_of_a_process_that_died_are_free_after_their_lease(server: RedisServer) -> None:
    dead, alive = (RedisLimiter(server.url, lease_s=0.2, timeout_s=20) for _ in range(2))
    await dead.open()
    await alive.open()
    slots = at_once(1)
    one = reserved(await dead.reserve([take(slots)]))
    refused(await alive.reserve([take(slots)]))
    await dead.close()  # without settling: nothing renews the lease any more
    await until(server, one.at + 0.5)
    reserved(await alive.reserve([take(slots)]))
    await alive.close()


async def test_slots_of_a_long_request_are_kept_beyond_their_lease(server: RedisServer) -> None:
    limiter = RedisLimiter(server.url, lease_s=0.3, timeout_s=20)
    await limiter.open()
    one = reserved(await limiter.reserve([take(at_once(1))]))
    await until(server, one.at + 0.9)
    refused(await limiter.reserve([take(at_once(1))]))
    await limiter.settle(one, {})
    reserved(await limiter.reserve([take(at_once(1))]))
    await limiter.close()


async def test_scripts_that_the_store_forgot_are_loaded_again(
    server: RedisServer, limiter: RedisLimiter
) -> None:
    one = reserved(await limiter.reserve([take(tokens(100, 3600.0), 60)]))
    server.ask("SCRIPT", "FLUSH")
    await limiter.settle(one, {"tokens": 0})
    server.ask("SCRIPT", "FLUSH")
    reserved(await limiter.reserve([take(tokens(100, 3600.0), 100)]))
    assert 0 == limiter.lost_count


async def test_an_emptied_store_gives_nothing_back_that_it_never_took(
    server: RedisServer, limiter: RedisLimiter
) -> None:
    limit = tokens(100, 36_000.0)
    before = reserved(await limiter.reserve([take(limit, 100)]))
    server.ask("FLUSHALL")
    reserved(await limiter.reserve([take(limit, 100)]))
    await limiter.settle(before, {"tokens": 0})
    refused(await limiter.reserve([take(limit, 1)]))


async def test_everything_that_is_written_expires(server: RedisServer, limiter: RedisLimiter) -> None:
    charges = [
        take(rate(5)),
        take(tokens(5)),
        take(budget(5)),
        take(budget(9, "month", id="m")),
        take(at_once(3)),
    ]
    one = reserved(await limiter.reserve(charges))
    await limiter.settle(one, {"tokens": 9, "cost": 2})
    reserved(await limiter.reserve([take(at_once(3))]))
    from redis import Redis

    with Redis.from_url(server.url, decode_responses=True) as client:
        keys = list(client.scan_iter())
        assert len(keys) >= 7
        for key in keys:
            assert key.startswith(PREFIX)
            assert 0 < client.pttl(key) <= 41 * 86_400_000


async def test_budgets_begin_anew_when_the_calendar_says_so(limiter: RedisLimiter) -> None:
    for calendar in ("day", "month"):
        answer = reserved(await limiter.reserve([take(budget(5, calendar, id=calendar))]))
        _, end = periods.period(calendar, round(answer.at * 1e9))  # type: ignore[arg-type]
        assert pytest.approx(end / 1e9 - answer.at, abs=1e-3) == answer.standings[0].reset_s


def test_months_of_the_store_are_those_of_the_calendar(server: RedisServer) -> None:
    text = (FOLDER / "reserve.lua").read_text()
    arithmetic = text[text.index("local function month_of") : text.index("local today")]
    asked = [datetime(year, month, day, tzinfo=UTC) for year in (2026, 2027, 2028, 2100, 2400) for month in range(1, 13)
             for day in (1, 15, 28)]  # fmt: skip
    days = [int(moment.timestamp()) // 86_400 for moment in asked]
    script = f"""local DAY_S = 86400
    {arithmetic}
    local ends = {{}}
    for i, day in ipairs(ARGV) do
      local year, month = month_of(tonumber(day))
      ends[#ends + 1] = string.format('%.0f %.0f', first_of(year, month) / 1e6, first_of(year, month + 1) / 1e6)
    end
    return ends"""
    from redis import Redis

    with Redis.from_url(server.url, decode_responses=True) as client:
        answers = client.eval(script, 0, *days)
    expected = [
        " ".join(str(edge // 10**9) for edge in periods.period("month", day * 86_400 * 10**9)) for day in days
    ]
    assert expected == answers


async def test_a_clock_of_the_store_that_was_ahead_locks_nobody(
    server: RedisServer, limiter: RedisLimiter
) -> None:
    limit = tokens(10, 3600.0)
    reserved(await limiter.reserve([take(limit, 4)]))
    key = f"{PREFIX}r:{take(limit).key}"
    from redis import Redis

    with Redis.from_url(server.url, decode_responses=True) as client:
        level, last = str(client.get(key)).split()
        client.set(key, f"{level} {int(last) + 10**15}", px=100_000)
    assert 0 == reserved(await limiter.reserve([take(limit, 6)])).standings[0].remaining
    answer = refused(await limiter.reserve([take(limit, 1)]))
    assert answer.retry_after_s is not None
    assert answer.retry_after_s <= 360.0
