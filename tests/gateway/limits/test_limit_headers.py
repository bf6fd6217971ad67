"""Response headers of limits: the forms clients parse, and times that are honest after rounding."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.limit_worlds import Clocks, at_once, budget, rate, refused, reserved, take, tokens
from verilabel.gateway.limits.headers import (
    ietf_headers,
    limit_headers,
    openai_headers,
    refusal_headers,
    retry_headers,
    write_duration,
)
from verilabel.gateway.limits.interface import Standing

WALL_S = 1_790_000_000.25


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (0.000001, "1ms"),
        (0.017, "17ms"),
        (0.9991, "1s"),
        (8.64, "8.64s"),
        (60.0, "1m0s"),
        (63.0, "1m3s"),
        (3600.0, "1h0m0s"),
        (86_399.5, "23h59m59.5s"),
    ],
)
def test_durations_are_written_as_clients_parse_them(seconds: float, text: str) -> None:
    assert text == write_duration(seconds)


@given(st.integers(0, 10**13))
def test_a_duration_reads_back_to_no_less_than_it_was(us: int) -> None:
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:([\d.]+)s)?|(\d+)ms", write_duration(us / 1e6))
    assert match is not None
    hours, minutes, seconds, ms = (float(part or 0) for part in match.groups())
    read = hours * 3600 + minutes * 60 + seconds + ms / 1000
    assert us / 1e6 - 1e-6 <= read <= us / 1e6 + 0.001001


async def test_openai_clients_are_told_the_limit_with_the_least_left() -> None:
    limiter = Clocks().limiter()
    charges = [take(rate(60)), take(rate(1000, 3600.0, id="wide")), take(tokens(6000), 4000)]
    answer = reserved(await limiter.reserve(charges))
    assert {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "6000",
        "x-ratelimit-remaining-tokens": "2000",
        "x-ratelimit-reset-tokens": "40s",
    } == dict(openai_headers(answer.standings))


async def test_anthropic_clients_are_told_a_moment_that_is_not_too_early() -> None:
    limiter = Clocks().limiter()
    answer = reserved(await limiter.reserve([take(rate(60)), take(tokens(6000), 4000)]))
    told = dict(limit_headers(answer.standings, dialect="anthropic", wall_s=WALL_S))
    assert ("59", "2026-09-21T14:13:22Z") == (
        told["anthropic-ratelimit-requests-remaining"],
        told["anthropic-ratelimit-requests-reset"],
    )
    assert datetime.fromisoformat(told["anthropic-ratelimit-tokens-reset"]).timestamp() >= WALL_S + 40


async def test_the_drafts_headers_list_every_limit() -> None:
    limiter = Clocks().limiter()
    charges = [take(rate(60, burst=30)), take(budget(5_000_000), 1), take(at_once(4))]
    answer = reserved(await limiter.reserve(charges))
    policy, state = (value for _, value in ietf_headers(answer.standings))
    assert (
        '"rate";q=30;w=30, "budget";q=5000000;w=86400;qu="microdollars", "slots";q=4;qu="concurrent-requests"'
    ) == policy
    assert re.fullmatch(r'"rate";r=29;t=1, "budget";r=4999999;t=\d+, "slots";r=3', state)


def test_integers_of_structured_fields_have_fifteen_digits_at_most() -> None:
    huge = Standing(budget(10**15), 10**15, 1.0)
    assert all(str(10**15) not in value for _, value in ietf_headers([huge]))


def test_a_request_without_limits_has_no_headers() -> None:
    assert () == limit_headers((), dialect="openai", wall_s=WALL_S)


@given(st.integers(1, 5000), st.sampled_from([1.0, 60.0, 3600.0]), st.integers(0, 10**10))
async def test_who_waits_for_retry_after_and_comes_alone_is_let_in(
    amount: int, window_s: float, passed: int
) -> None:
    for name, unit_s in (("retry-after", 1.0), ("retry-after-ms", 0.001)):
        clocks = Clocks()
        limiter = clocks.limiter()
        limit = rate(amount, window_s)
        charges = [take(limit), take(budget(10**15), 1)]
        reserved(await limiter.reserve([take(limit, amount)]))
        clocks.advance(passed % max(round(window_s * 1e9) // amount, 1))
        answer = refused(await limiter.reserve(charges))
        told = dict(refusal_headers(answer, dialect="openai", wall_s=WALL_S))
        assert answer.retry_after_s is not None
        assert int(told[name]) * unit_s < answer.retry_after_s + unit_s or told[name] == "1"
        clocks.advance_s(int(told[name]) * unit_s)
        reserved(await limiter.reserve(charges))


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
async def test_a_refusal_that_no_waiting_helps_names_no_time(dialect: Literal["openai", "anthropic"]) -> None:
    answer = refused(await Clocks().limiter().reserve([take(tokens(10), 11)]))
    told = dict(refusal_headers(answer, dialect=dialect, wall_s=WALL_S))
    assert not any(name.startswith("retry") for name in told)
    assert () == retry_headers(None)
