"""Limit rows of a policy: how they are read, what requests take from them, and how counters are named."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.errors import MalformedInput, UsageError
from verilabel.gateway.limits.amounts import (
    UNSTATED_OUTPUT_TOKENS,
    CompiledRow,
    charge,
    charges,
    compile_limits,
    cost_microusd,
    estimate_usage,
)
from verilabel.gateway.limits.interface import Limit
from verilabel.gateway.policy.document import LimitRow, Price
from verilabel.gateway.verdicts import Usage

WHO = {"key": "k-1", "user": "admin", "model": "gpt", "route": "chat"}


def compiled(**words: object) -> CompiledRow:
    row = LimitRow(**{"id": "row", **words})  # type: ignore[arg-type]
    return compile_limits([row], "policy.yaml $.limits")[0]


@pytest.mark.parametrize(
    ("words", "limit"),
    [
        (
            {"requests": "60/min"},
            Limit(id="row", quantity="requests", amount=60, window_s=60.0, burst=60),
        ),
        (
            {"requests": "10/s", "burst": 3},
            Limit(id="row", quantity="requests", amount=10, window_s=1.0, burst=3),
        ),
        (
            {"tokens": "100000/h"},
            Limit(id="row", quantity="tokens", amount=100_000, window_s=3600.0, burst=100_000),
        ),
        ({"cost_usd": "5.00/day"}, Limit(id="row", quantity="cost", amount=5_000_000, calendar="day")),
        ({"cost_usd": "0.000001/month"}, Limit(id="row", quantity="cost", amount=1, calendar="month")),
        ({"budget_tokens": "1000/month"}, Limit(id="row", quantity="tokens", amount=1000, calendar="month")),
        ({"concurrency": 4}, Limit(id="row", quantity="concurrency", amount=4)),
    ],
)
def test_every_form_of_a_limit_is_read(words: dict[str, object], limit: Limit) -> None:
    assert limit == compiled(**words).limit


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ({}, "limits[0]"),
        ({"requests": "1/s", "tokens": "1/s"}, "limits[0]"),
        ({"requests": "60"}, "limits[0].requests"),
        ({"requests": "60/day"}, "limits[0].requests"),
        ({"requests": "0/min"}, "limits[0].requests"),
        ({"requests": "-1/min"}, "limits[0].requests"),
        ({"requests": "1.5/min"}, "limits[0].requests"),
        ({"requests": "1e3/min"}, "limits[0].requests"),
        ({"requests": "٣/min"}, "limits[0].requests"),
        ({"requests": "./min"}, "limits[0].requests"),
        ({"requests": "nan/min"}, "limits[0].requests"),
        ({"tokens": "99999999999/s"}, "limits[0].tokens"),
        ({"cost_usd": "5/min"}, "limits[0].cost_usd"),
        ({"cost_usd": "0.0000001/day"}, "limits[0].cost_usd"),
        ({"budget_tokens": "1.5/day"}, "limits[0].budget_tokens"),
        ({"concurrency": 0}, "limits[0].concurrency"),
        ({"requests": "10/s", "burst": 11}, "limits[0].burst"),
        ({"requests": "10/s", "burst": 0}, "limits[0].burst"),
        ({"concurrency": 3, "burst": 1}, "limits[0].burst"),
        ({"concurrency": 3, "per": ()}, "limits[0].per"),
        ({"concurrency": 3, "per": ("key", "key")}, "limits[0].per"),
        ({"concurrency": 3, "per": ("all", "key")}, "limits[0].per"),
        ({"concurrency": 3, "route": "a*b"}, "limits[0].route"),
        ({"concurrency": 3, "id": 'a"b'}, "limits[0].id"),
    ],
)
def test_a_limit_that_says_nothing_sensible_is_refused_with_its_place(
    words: dict[str, object], place: str
) -> None:
    with pytest.raises(MalformedInput) as refusal:
        compiled(**words)
    assert f"policy.yaml $.{place}" == refusal.value.where


@given(st.text(max_size=40))
def test_any_text_as_an_amount_is_a_limit_or_malformed(text: str) -> None:
    try:
        limit = compiled(cost_usd=text).limit
    except MalformedInput:
        return
    number, _, unit = text.partition("/")
    assert (Fraction(number) * 1_000_000, unit) == (limit.amount, limit.calendar)


def test_two_rows_of_one_name_are_refused() -> None:
    rows = [LimitRow(id="row", requests="1/s"), LimitRow(id="row", tokens="1/s")]
    with pytest.raises(MalformedInput, match="two limits are called 'row'"):
        compile_limits(rows, "p")


def test_a_row_holds_for_its_routes_alone() -> None:
    row = compiled(requests="1/s", route="team-*")
    assert [True, False] == [
        charge(row, **{**WHO, "route": route}, amounts={}) is not None for route in ("team-a", "other")
    ]


def test_each_of_per_has_a_counter_of_its_own() -> None:
    row = compiled(requests="1/s", per=("key", "model"))
    names = {
        charge(row, **{**WHO, **change}, amounts={}).key  # type: ignore[union-attr]
        for change in ({}, {"user": "other"}, {"route": "other"}, {"key": "k-2"}, {"model": "claude"})
    }
    assert 3 == len(names)


def test_rows_of_two_policies_never_share_a_counter() -> None:
    row = [LimitRow(id="row", requests="1/s", per=("all",))]
    keys = [
        charge(compile_limits(row, "p", policy=policy)[0], **WHO, amounts={}).key  # type: ignore[union-attr]
        for policy in ("a", "b", "")
    ]
    assert 3 == len(set(keys))


NAMES = st.text(max_size=12) | st.sampled_from(["a;user=b", "#", "a" * 200, "\ud800", "", "key=", ";", "%3B"])


@given(NAMES, NAMES, NAMES, NAMES)
def test_texts_of_clients_never_meet_on_one_counter(one: str, two: str, three: str, four: str) -> None:
    row = compiled(requests="1/s", per=("key", "user"))
    first = charge(row, **{**WHO, "key": one, "user": two}, amounts={})
    second = charge(row, **{**WHO, "key": three, "user": four}, amounts={})
    assert first is not None and second is not None
    assert ((one, two) == (three, four)) == (first.key == second.key)


@given(st.text(max_size=5000))
def test_names_of_counters_are_short_and_plain_whatever_clients_send(user: str) -> None:
    row = compiled(requests="1/s", per=("key", "user", "model", "route"))
    taken = charge(row, **{**WHO, "user": user, "model": user}, amounts={})
    assert taken is not None
    assert len(taken.key) < 400
    assert taken.key.isascii() and taken.key.isprintable()


def test_a_request_is_charged_by_every_row_that_is_not_waived_for_its_key() -> None:
    rows = compile_limits(
        [
            LimitRow(id="a", requests="1/s"),
            LimitRow(id="b", tokens="9/s"),
            LimitRow(id="c", cost_usd="1/day"),
            LimitRow(id="d", concurrency=3),
        ],
        "p",
    )
    taken = charges(rows, **WHO, amounts={"tokens": 7, "cost": 11}, exempt=("b",))
    assert [("a", 1), ("c", 11), ("d", 1)] == [(one.limit.id, one.amount) for one in taken]


def test_a_cost_limit_without_a_price_is_an_error_and_not_free() -> None:
    with pytest.raises(UsageError, match="counts cost"):
        charge(compiled(cost_usd="1/day"), **WHO, amounts={"tokens": 5})


@given(
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.decimals(0, 1000, places=7, allow_nan=False),
    st.decimals(0, 1000, places=3, allow_nan=False),
)
def test_cost_is_exact_and_rounded_up(
    input: int, output: int, per_input: Decimal, per_output: Decimal
) -> None:
    exact = input * Fraction(per_input) + output * Fraction(per_output)
    cost = cost_microusd(Usage(input, output), Price(input=per_input, output=per_output))
    assert exact <= cost < exact + 1


def test_the_estimate_is_a_quarter_of_the_bytes_and_the_output_limit() -> None:
    assert [Usage(26, 300), Usage(0, UNSTATED_OUTPUT_TOKENS), Usage(1, 0), Usage(1, 10**15)] == [
        estimate_usage(101, 300),
        estimate_usage(0, None),
        estimate_usage(1, -5),
        estimate_usage(1, 10**40),
    ]
