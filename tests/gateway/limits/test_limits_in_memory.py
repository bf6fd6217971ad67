"""Limits in memory: GCRA against an exact model, budgets, slots, settling, clocks that jump, bounded memory."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.limit_worlds import (
    SECOND_NS,
    Clocks,
    at_once,
    budget,
    rate,
    refused,
    reserved,
    take,
    tokens,
)
from verilabel.gateway.limits.interface import Exceeded, Limit, Reservation

RATES = st.builds(
    lambda amount, window, part: tokens(amount, float(window), max(1, amount * part // 100)),
    st.integers(1, 5000),
    st.sampled_from([1, 60, 3600]),
    st.integers(1, 100),
)
STEPS = st.lists(st.tuples(st.integers(0, 3 * 10**9), st.integers(0, 60)), min_size=1, max_size=60)


class ExactGcra:
    """Virtual scheduling in fractions of nanoseconds, from the definition."""

    def __init__(self, limit: Limit) -> None:
        self.increment = Fraction(round(limit.window_s) * SECOND_NS, limit.amount)
        self.tolerance = limit.burst * self.increment
        self.tat = Fraction(0)

    def slack(self, now: int, amount: int) -> Fraction:
        """Nanoseconds by which a charge fits; negative: how long it must wait."""
        return self.tolerance - (max(self.tat, Fraction(now)) + amount * self.increment - now)

    def take(self, now: int, amount: int) -> None:
        """Take a charge that fits."""
        self.tat = max(self.tat, Fraction(now)) + amount * self.increment


@given(RATES, STEPS)
async def test_rates_decide_as_the_exact_model_does(limit: Limit, steps: list[tuple[int, int]]) -> None:
    clocks = Clocks()
    limiter = clocks.limiter()
    model = ExactGcra(limit)
    for wait, amount in steps:
        clocks.advance(wait)
        slack = model.slack(clocks.monotonic, amount)
        answer = await limiter.reserve([take(limit, amount)])
        # increments are rounded up to picoseconds: a thousandth of a nanosecond a unit, summed over the steps
        if abs(slack) > 10:
            assert (slack > 0) == isinstance(answer, Reservation)
        if isinstance(answer, Reservation):
            model.take(clocks.monotonic, amount)


@given(RATES, STEPS)
async def test_no_time_span_admits_more_than_burst_and_rate(
    limit: Limit, steps: list[tuple[int, int]]
) -> None:
    clocks = Clocks()
    limiter = clocks.limiter()
    taken: list[tuple[int, int]] = []
    for wait, amount in steps:
        clocks.advance(wait)
        if isinstance(await limiter.reserve([take(limit, amount)]), Reservation):
            taken.append((clocks.monotonic, amount))
    for first, (begin, _) in enumerate(taken):
        sum_ = 0
        for now, amount in taken[first:]:
            sum_ += amount
            allowed = limit.burst + Fraction((now - begin) * limit.amount, round(limit.window_s) * SECOND_NS)
            assert sum_ <= allowed


@given(RATES, STEPS, st.integers(1, 60))
async def test_who_waits_as_long_as_told_and_comes_alone_is_let_in(
    limit: Limit, steps: list[tuple[int, int]], wanted: int
) -> None:
    clocks = Clocks()
    limiter = clocks.limiter()
    second = tokens(77, 60.0, 70, id="second")
    spent = budget(500)
    for wait, amount in steps:
        clocks.advance(wait)
        await limiter.reserve([take(limit, amount), take(second, amount), take(spent, amount)])
    charges = [take(limit, wanted), take(second, wanted), take(spent, wanted)]
    answer = await limiter.reserve(charges)
    if isinstance(answer, Exceeded):
        if wanted > limit.burst:
            assert answer.retry_after_s is None
            return
        assert answer.retry_after_s is not None
        clocks.advance_s(answer.retry_after_s)
        answer = await limiter.reserve(charges)
    assert isinstance(answer, Reservation)


async def test_a_wait_is_no_longer_than_it_must_be() -> None:
    clocks = Clocks()
    limiter = clocks.limiter()
    limit = rate(60, 60.0, 1)
    reserved(await limiter.reserve([take(limit)]))
    answer = refused(await limiter.reserve([take(limit)]))
    assert 1.0 == answer.retry_after_s
    clocks.advance_s(0.999999)
    refused(await limiter.reserve([take(limit)]))


async def test_a_burst_at_the_edge_of_a_window_is_no_larger() -> None:
    clocks = Clocks()
    limiter = clocks.limiter()
    limit = rate(100)
    clocks.advance(59_999_999_999)
    for _ in range(100):
        reserved(await limiter.reserve([take(limit)]))
    clocks.advance(2)
    refused(await limiter.reserve([take(limit)]))


async def test_all_counters_are_charged_or_none() -> None:
    limiter = Clocks().limiter()
    wide, spent, slots, narrow = rate(10), budget(10), at_once(5), tokens(3)
    charges = [take(wide), take(spent), take(slots), take(narrow, 2)]
    reserved(await limiter.reserve(charges))
    answer = refused(await limiter.reserve(charges))
    assert "tokens" == answer.charge.limit.quantity
    assert [9, 9, 4, 1] == [standing.remaining for standing in answer.standings]
    last = reserved(await limiter.reserve([take(wide), take(spent), take(slots)]))
    assert [8, 8, 3] == [standing.remaining for standing in last.standings]


async def test_a_refusal_names_the_counter_that_is_waited_for_longest() -> None:
    clocks = Clocks()
    limiter = clocks.limiter()
    short, long = rate(1, 1.0, id="short"), rate(1, 3600.0, id="long")
    charges = [take(short), take(long)]
    reserved(await limiter.reserve(charges))
    answer = refused(await limiter.reserve(charges))
    assert ("long", 3600.0) == (answer.charge.limit.id, answer.retry_after_s)


async def test_a_charge_larger_than_its_limit_never_fits() -> None:
    limiter = Clocks().limiter()
    for charge in (take(tokens(10), 11), take(budget(10), 11)):
        answer = refused(await limiter.reserve([take(rate(5)), charge]))
        assert (charge, None) == (answer.charge, answer.retry_after_s)


async def test_two_charges_of_one_counter_add_up() -> None:
    limiter = Clocks().limiter()
    refused(await limiter.reserve([take(tokens(10), 6), take(tokens(10), 6)]))
    reserved(await limiter.reserve([take(tokens(10), 5), take(tokens(10), 5)]))


async def test_settling_gives_back_what_was_not_used() -> None:
    limiter = Clocks().limiter()
    charges = [take(tokens(1000), 900), take(budget(1000), 900)]
    first = reserved(await limiter.reserve(charges))
    refused(await limiter.reserve(charges))
    await limiter.settle(first, {"tokens": 100, "cost": 50})
    second = reserved(await limiter.reserve(charges))
    assert [0, 50] == [standing.remaining for standing in second.standings]


async def test_settling_twice_gives_back_once() -> None:
    limiter = Clocks().limiter()
    limit, slots = tokens(1000), at_once(1)
    first = reserved(await limiter.reserve([take(limit, 400), take(slots)]))
    reserved(await limiter.reserve([take(limit, 600)]))
    for _ in range(3):
        await limiter.settle(first, {"tokens": 0})
    assert 400 == refused(await limiter.reserve([take(limit, 401)])).standings[0].remaining


async def test_what_was_used_beyond_the_reservation_delays_what_follows() -> None:
    clocks = Clocks()
    limiter = clocks.limiter()
    limit = tokens(60, 60.0, 60)
    first = reserved(await limiter.reserve([take(limit, 60)]))
    await limiter.settle(first, {"tokens": 180})
    answer = refused(await limiter.reserve([take(limit, 1)]))
    assert 121.0 == answer.retry_after_s
    clocks.advance_s(121.0)
    reserved(await limiter.reserve([take(limit, 1)]))


async def test_a_usage_beyond_all_reason_locks_for_no_longer_than_a_day_and_a_burst() -> None:
    limiter = Clocks().limiter()
    limit = tokens(60, 60.0, 60)
    first = reserved(await limiter.reserve([take(limit, 1)]))
    await limiter.settle(first, {"tokens": 10**30})
    answer = refused(await limiter.reserve([take(limit, 1)]))
    assert answer.retry_after_s is not None
    assert 86_000 < answer.retry_after_s <= 86_461


async def test_requests_given_up_late_save_nothing_up() -> None:
    # large reservations that flow off and are then given back unused must not add up to a larger burst
    clocks = Clocks()
    limiter = clocks.limiter()
    limit = tokens(100, 100.0, 100)
    idle = []
    for _ in range(5):
        idle.append(reserved(await limiter.reserve([take(limit, 100)])))
        clocks.advance_s(100.0)
    reserved(await limiter.reserve([take(limit, 100)]))
    for one in idle:
        await limiter.settle(one, {"tokens": 0})
    refused(await limiter.reserve([take(limit, 1)]))


@given(
    RATES,
    st.lists(
        st.tuples(st.integers(0, 2 * 10**9), st.integers(1, 60), st.integers(0, 60), st.booleans()),
        max_size=60,
    ),
)
async def test_what_was_used_is_bounded_whatever_is_given_back_and_when(
    limit: Limit, steps: list[tuple[int, int, int, bool]]
) -> None:
    clocks = Clocks()
    limiter = clocks.limiter()
    begin = clocks.monotonic
    used = 0
    waiting: list[Reservation] = []
    for wait, amount, kept, settles in steps:
        clocks.advance(wait)
        if settles and waiting:
            one = waiting.pop(kept % len(waiting))
            await limiter.settle(one, {"tokens": 0})
            used -= one.charges[0].amount
        answer = await limiter.reserve([take(limit, amount)])
        if isinstance(answer, Reservation):
            waiting.append(answer)
            used += amount
        flowed = Fraction((clocks.monotonic - begin) * limit.amount, round(limit.window_s) * SECOND_NS)
        assert used <= 2 * limit.burst + flowed


async def test_a_budget_begins_anew_at_midnight_utc_and_on_the_first() -> None:
    for calendar, moment, wait_s in (
        ("day", datetime(2028, 2, 28, 23, 59, 30, tzinfo=UTC), 30.0),
        ("month", datetime(2028, 2, 29, 23, 0, 0, tzinfo=UTC), 3600.0),
        ("month", datetime(2026, 12, 31, 12, 0, 0, tzinfo=UTC), 43_200.0),
    ):
        clocks = Clocks(wall=int(moment.timestamp()) * SECOND_NS)
        limiter = clocks.limiter()
        limit = budget(5, calendar)
        reserved(await limiter.reserve([take(limit, 5)]))
        answer = refused(await limiter.reserve([take(limit, 1)]))
        assert wait_s == answer.retry_after_s
        clocks.advance_s(wait_s - 0.000001)
        refused(await limiter.reserve([take(limit, 1)]))
        clocks.advance_s(0.000001)
        assert 4 == reserved(await limiter.reserve([take(limit, 1)])).standings[0].remaining


async def test_a_request_over_midnight_belongs_to_the_day_on_which_it_began() -> None:
    clocks = Clocks(wall=int(datetime(2026, 5, 1, 23, 59, 59, tzinfo=UTC).timestamp()) * SECOND_NS)
    limiter = clocks.limiter()
    limit = budget(100)
    first = reserved(await limiter.reserve([take(limit, 90)]))
    clocks.advance_s(2.0)
    reserved(await limiter.reserve([take(limit, 50)]))
    await limiter.settle(first, {"cost": 0})
    assert 50 == refused(await limiter.reserve([take(limit, 51)])).standings[0].remaining


async def test_slots_are_free_again_when_their_request_has_ended() -> None:
    limiter = Clocks().limiter()
    slots = at_once(2)
    first = reserved(await limiter.reserve([take(slots)]))
    reserved(await limiter.reserve([take(slots)]))
    answer = refused(await limiter.reserve([take(slots)]))
    assert (None, 0) == (answer.retry_after_s, answer.standings[0].remaining)
    await limiter.settle(first, {})
    await limiter.settle(first, {})
    reserved(await limiter.reserve([take(slots)]))
    refused(await limiter.reserve([take(slots)]))


async def test_a_lost_request_cannot_hold_a_slot_for_ever() -> None:
    clocks = Clocks()
    limiter = clocks.limiter(lease_s=600.0)
    slots = at_once(1)
    lost = reserved(await limiter.reserve([take(slots)]))
    clocks.advance_s(599.0)
    refused(await limiter.reserve([take(slots)]))
    clocks.advance_s(2.0)
    reserved(await limiter.reserve([take(slots)]))
    await limiter.settle(lost, {})
    refused(await limiter.reserve([take(slots)]))


@pytest.mark.parametrize("jump_s", [-10.0, -3600.0, -(10**9)])
async def test_a_monotonic_clock_that_goes_back_neither_opens_nor_locks(jump_s: float) -> None:
    clocks = Clocks()
    limiter = clocks.limiter()
    limit = rate(60)
    for _ in range(60):
        reserved(await limiter.reserve([take(limit)]))
    clocks.monotonic += round(jump_s * SECOND_NS)
    answer = refused(await limiter.reserve([take(limit)]))
    assert 1.0 == answer.retry_after_s
    clocks.advance_s(1.0)
    reserved(await limiter.reserve([take(limit)]))
    refused(await limiter.reserve([take(limit)]))


async def test_a_clock_that_jumps_ahead_gives_one_burst_and_no_more() -> None:
    clocks = Clocks()
    limiter = clocks.limiter()
    limit = rate(60)
    for _ in range(60):
        reserved(await limiter.reserve([take(limit)]))
    clocks.monotonic += 10**6 * SECOND_NS
    for _ in range(60):
        reserved(await limiter.reserve([take(limit)]))
    refused(await limiter.reserve([take(limit)]))


async def test_a_wall_clock_that_trembles_at_midnight_opens_no_second_day() -> None:
    clocks = Clocks(wall=int(datetime(2026, 5, 2, tzinfo=UTC).timestamp()) * SECOND_NS)
    limiter = clocks.limiter()
    limit = budget(10)
    reserved(await limiter.reserve([take(limit, 10)]))
    for _ in range(3):
        clocks.wall -= SECOND_NS
        refused(await limiter.reserve([take(limit, 1)]))
        clocks.wall += SECOND_NS
        refused(await limiter.reserve([take(limit, 1)]))


async def test_a_wall_clock_that_was_a_year_ahead_neither_opens_nor_locks_when_it_is_put_right() -> None:
    clocks = Clocks(wall=int(datetime(2026, 5, 2, 12, tzinfo=UTC).timestamp()) * SECOND_NS)
    limiter = clocks.limiter()
    for calendar, kept_s in (("day", 86_400.0), ("month", 30 * 86_400.0)):
        limit = budget(10, calendar, id=calendar)
        clocks.wall += 365 * 86_400 * SECOND_NS
        reserved(await limiter.reserve([take(limit, 10)]))
        clocks.wall -= 365 * 86_400 * SECOND_NS
        answer = refused(await limiter.reserve([take(limit, 1)]))
        assert answer.retry_after_s is not None and answer.retry_after_s <= kept_s
        clocks.advance_s(answer.retry_after_s)
        reserved(await limiter.reserve([take(limit, 1)]))


async def test_a_flood_of_users_that_come_once_keeps_memory_flat() -> None:
    clocks = Clocks()
    limiter = clocks.limiter()
    limit, slots = rate(60), at_once(3)
    most = 0
    for user in range(20_000):
        clocks.advance(SECOND_NS // 1000)
        one = reserved(await limiter.reserve([take(limit, who=str(user)), take(slots, who=str(user))]))
        await limiter.settle(one, {})
        most = max(most, len(limiter))
    # a counter of 60 a minute is full again after a second: some 1,000 requests later, and swept within the next
    assert most < 2100
    assert 0 == limiter.open_reservations


async def test_requests_refused_by_a_second_limit_leave_nothing_behind() -> None:
    clocks = Clocks()
    limiter = clocks.limiter()
    reserved(await limiter.reserve([take(budget(1))]))
    for user in range(2000):
        clocks.advance(SECOND_NS)
        refused(await limiter.reserve([take(rate(60), who=str(user)), take(budget(1))]))
    assert len(limiter) < 10


async def test_at_capacity_new_counters_are_refused_and_old_ones_kept() -> None:
    clocks = Clocks()
    limiter = clocks.limiter(capacity=100)
    limit = rate(1, 3600.0)
    for user in range(100):
        reserved(await limiter.reserve([take(limit, who=str(user))]))
    answer = refused(await limiter.reserve([take(limit, who="new")]))
    assert None is answer.retry_after_s
    refused(await limiter.reserve([take(limit, who="5")]))
    assert 100 == len(limiter)
    clocks.advance_s(3601.0)
    reserved(await limiter.reserve([take(limit, who="new")]))


async def test_budgets_of_a_day_are_forgotten_the_day_after() -> None:
    clocks = Clocks()
    limiter = clocks.limiter()
    for user in range(500):
        reserved(await limiter.reserve([take(budget(5), who=str(user))]))
    clocks.advance_s(86_400.0)
    for _ in range(100):
        reserved(await limiter.reserve([take(at_once(100))]))
    assert 1 == len(limiter)


async def test_budgets_made_by_a_wrong_clock_are_forgotten_too() -> None:
    clocks = Clocks()
    limiter = clocks.limiter()
    clocks.wall += 365 * 86_400 * SECOND_NS
    for user in range(100):
        reserved(await limiter.reserve([take(budget(5), who=str(user))]))
    clocks.wall -= 365 * 86_400 * SECOND_NS
    for _ in range(10):
        reserved(await limiter.reserve([take(at_once(100))]))
    clocks.advance_s(86_400.0)
    for _ in range(20):
        reserved(await limiter.reserve([take(at_once(100))]))
    assert 1 == len(limiter)
