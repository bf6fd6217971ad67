"""A Redis that goes away, comes back, stands still or refuses: fail closed at once, counted, and recovered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.limits.limit_worlds import at_once, budget, rate, refused, reserved, take, tokens
from servers.redis_server import RedisServer, redis_server
from verilabel.errors import UsageError
from verilabel.gateway.limits.interface import LimitsLost
from verilabel.gateway.limits.redis import RedisLimiter


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture
async def limiter(server: RedisServer) -> AsyncIterator[RedisLimiter]:
    opened = RedisLimiter(server.url, timeout_s=20)  # a killed store is noticed at once all the same
    await opened.open()
    yield opened
    await opened.close()


async def until_back(limiter: RedisLimiter, server: RedisServer) -> None:
    async with asyncio.timeout(20):
        while limiter.is_lost:
            await asyncio.to_thread(server.ask, "PING")


async def test_a_killed_store_refuses_is_counted_and_comes_back(
    server: RedisServer, limiter: RedisLimiter
) -> None:
    reserved(await limiter.reserve([take(rate(5))]))
    server.kill()
    for count in (1, 2, 3):
        with pytest.raises(LimitsLost):
            await limiter.reserve([take(rate(5))])
        assert (count, True) == (limiter.lost_count, limiter.is_lost)
    server.start()
    await until_back(limiter, server)
    reserved(await limiter.reserve([take(rate(5))]))


async def test_many_requests_in_flight_at_a_kill_are_all_answered(
    server: RedisServer, limiter: RedisLimiter
) -> None:
    async def ask() -> str:
        for _ in range(500):
            try:
                await limiter.reserve([take(rate(10**6))])
            except LimitsLost:
                return "lost"
        return "served"

    asking = [asyncio.ensure_future(ask()) for _ in range(100)]
    await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED, timeout=0.02)
    server.kill()
    assert {"lost"} == set(await asyncio.gather(*asking))


async def test_a_store_that_stands_still_is_noticed_once(server: RedisServer) -> None:
    limiter = RedisLimiter(server.url, timeout_s=0.25)
    await limiter.open()
    server.pause()
    answers = await asyncio.gather(
        *(limiter.reserve([take(rate(5))]) for _ in range(50)), return_exceptions=True
    )
    assert 50 == sum(isinstance(answer, LimitsLost) for answer in answers)
    # from now on nobody waits for it: these are refused without a turn of the event loop
    for _ in range(1000):
        asking = limiter.reserve([take(rate(5))])
        with pytest.raises(LimitsLost):
            asking.send(None)
    server.resume()
    await until_back(limiter, server)
    await limiter.close()


async def test_what_could_not_be_settled_is_settled_when_the_store_is_back(server: RedisServer) -> None:
    limiter = RedisLimiter(server.url, timeout_s=0.25)
    await limiter.open()
    limit, spent, slots = tokens(100, 36_000.0), budget(100, "month"), at_once(1)
    charges = [take(limit, 100), take(spent, 100), take(slots)]
    one = reserved(await limiter.reserve(charges))
    server.pause()
    await limiter.settle(one, {"tokens": 10, "cost": 20})
    await limiter.settle(one, {"tokens": 10, "cost": 20})
    assert limiter.is_lost
    server.resume()
    await until_back(limiter, server)
    answer = reserved(await limiter.reserve([take(limit, 90), take(spent, 80), take(slots)]))
    assert [0, 0, 0] == [standing.remaining for standing in answer.standings]
    assert 0 == limiter.unsettled_count
    await limiter.close()


async def test_slots_in_flight_are_held_again_in_a_store_that_was_restarted(
    server: RedisServer, limiter: RedisLimiter
) -> None:
    one = reserved(await limiter.reserve([take(at_once(1))]))
    server.kill()
    with pytest.raises(LimitsLost):
        await limiter.reserve([take(at_once(1))])
    server.start()
    await until_back(limiter, server)
    refused(await limiter.reserve([take(at_once(1))]))
    await limiter.settle(one, {})
    reserved(await limiter.reserve([take(at_once(1))]))


async def test_a_share_is_given_out_while_the_store_is_gone_and_the_store_asked_when_it_is_back(
    server: RedisServer,
) -> None:
    limiter = RedisLimiter(server.url, lost="share", workers=4, timeout_s=20)
    await limiter.open()
    limit, slots = rate(40, 3600.0), at_once(8)
    server.kill()
    shared = [reserved(await limiter.reserve([take(limit)])) for _ in range(10)]
    refused(await limiter.reserve([take(limit)]))
    two = [reserved(await limiter.reserve([take(slots)])) for _ in range(2)]
    refused(await limiter.reserve([take(slots)]))
    assert 14 == limiter.lost_count
    server.start()
    await until_back(limiter, server)
    for one in shared + two:
        await limiter.settle(one, {})
    reserved(await limiter.reserve([take(limit, 40)]))
    assert 14 == limiter.lost_count
    await limiter.close()


async def test_a_store_that_cannot_be_written_is_lost_until_it_can(
    server: RedisServer, limiter: RedisLimiter
) -> None:
    server.ask("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(LimitsLost):
        await limiter.reserve([take(rate(5))])
    assert limiter.is_lost
    server.ask("REPLICAOF", "NO", "ONE")
    await until_back(limiter, server)
    reserved(await limiter.reserve([take(rate(5))]))


async def test_a_store_that_is_full_is_lost() -> None:
    full = redis_server("--maxmemory", "1", "--maxmemory-policy", "noeviction")
    with full as server, pytest.raises(UsageError, match="its memory is full"):
        await RedisLimiter(server.url).open()


async def test_a_wrong_password_is_refused_at_the_start_and_never_shown() -> None:
    with redis_server(password="right") as server:
        url = server.url.replace("right", "wr0ng-s3cret")
        limiter = RedisLimiter(url, lost="share", timeout_s=20)
        with pytest.raises(UsageError, match="wrong user or password") as refusal:
            await limiter.open()
        assert "wr0ng-s3cret" not in f"{refusal.value!r} {refusal.value} {limiter!r}"
        assert refusal.value.__suppress_context__
        right = RedisLimiter(server.url, timeout_s=20)
        await right.open()
        reserved(await right.reserve([take(rate(5))]))
        await right.close()


async def test_a_store_that_is_not_there_stops_the_start_unless_shares_are_allowed() -> None:
    with redis_server(start=False) as server:
        with pytest.raises(UsageError, match="cannot be reached: no connection"):
            await RedisLimiter(server.url).open()
        sharing = RedisLimiter(server.url, lost="share", workers=2, timeout_s=20)
        await sharing.open()
        reserved(await sharing.reserve([take(rate(10, 3600.0), 5)]))
        server.start()
        await until_back(sharing, server)
        reserved(await sharing.reserve([take(rate(10, 3600.0), 10)]))
        await sharing.close()


async def test_a_closed_limiter_refuses(limiter: RedisLimiter) -> None:
    await limiter.close()
    with pytest.raises(LimitsLost):
        await limiter.reserve([take(rate(5))])
