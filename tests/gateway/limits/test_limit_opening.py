"""Which store a gateway's settings open, and which URLs are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.limit_worlds import at_once, budget, rate, refused, reserved, take, tokens
from servers.redis_server import redis_server
from verilabel.errors import UsageError
from verilabel.gateway.limits.address import check_store_url
from verilabel.gateway.limits.memory import MemoryLimiter
from verilabel.gateway.limits.opening import open_limiter
from verilabel.gateway.limits.redis import RedisLimiter
from verilabel.gateway.limits.share import ShareLimiter


async def test_a_redis_url_opens_the_shared_store() -> None:
    with redis_server() as server:
        limiter = open_limiter(server.url, lost="block", workers=2)
        assert isinstance(limiter, RedisLimiter)
        await limiter.open()
        reserved(await limiter.reserve([take(rate(1))]))
        refused(await limiter.reserve([take(rate(1))]))
        await limiter.close()


async def test_one_worker_has_the_whole_of_every_limit() -> None:
    limiter = open_limiter("memory", lost="block", workers=1)
    assert isinstance(limiter, MemoryLimiter)
    reserved(await limiter.reserve([take(rate(10), 10)]))


async def test_workers_without_a_shared_store_never_give_out_more_than_the_limit_together() -> None:
    limiters = [open_limiter("memory", lost="block", workers=4) for _ in range(4)]
    for limit, together in ((rate(40, 3600.0), 40), (budget(42, "month"), 40), (at_once(8), 8)):
        taken = 0
        for limiter in limiters:
            for _ in range(limit.amount):
                answer = await limiter.reserve([take(limit)])
                taken += hasattr(answer, "token")
        assert together == taken


async def test_a_request_as_large_as_the_burst_fits_into_an_unused_share() -> None:
    limiter = ShareLimiter(4)
    reserved(await limiter.reserve([take(tokens(100), 100)]))
    answer = refused(await limiter.reserve([take(tokens(100), 100)]))
    # a quarter of the rate: the burst has flowed off after four windows
    assert answer.retry_after_s == pytest.approx(240.0, rel=0.01)
    assert tokens(100) == answer.charge.limit


async def test_what_several_workers_give_out_beyond_the_limit_is_what_the_page_says() -> None:
    limiters = [open_limiter("memory", lost="block", workers=4) for _ in range(4)]
    for limit, amount, together in ((tokens(100), 100, 400), (tokens(100), 1, 0), (at_once(2), 1, 4)):
        taken = 0
        for limiter in limiters:
            while hasattr(await limiter.reserve([take(limit, amount)]), "token"):
                taken += amount
        assert together == taken


@pytest.mark.parametrize(
    "url",
    [
        "",
        "Memory",
        "http://localhost/",
        "redis://",
        "redis:///0",
        "redis://:s3cret@localhost:port/0",
        "redis://:s3cret@[::1/0",
        "redis://:s3cret@localhost/zero",
        "rediss://:s3cret@localhost/0?ssl_cert_reqs=none",
        "redis://:s3cret@localhost/0?socket_timeout=1000",
        "redis://:s3cret@localhost/0?s3cret",
    ],
)
def test_another_url_is_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(UsageError) as refusal:
        open_limiter(url, lost="block", workers=1)
    assert "s3cret" not in str(refusal.value) or "option 's3cret'" in str(refusal.value)


@given(st.text(max_size=60), st.sampled_from(["", "redis://", "redis://:pw@h:6379/", "rediss://h/0?"]))
def test_any_text_as_a_url_is_a_place_or_a_usage_error(text: str, begin: str) -> None:
    try:
        place = check_store_url(begin + text)
    except UsageError:
        return
    assert place.startswith(("redis://", "rediss://", "unix://"))
    assert ":pw@" not in place


def test_no_workers_at_all_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        open_limiter("memory", lost="block", workers=0)
