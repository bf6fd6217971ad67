"""Axes: order is kept, everything that must be seen lies on them, and ticks are round and apart."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from verilabel.report.axes import rate_axis, say_tick

RATES = st.lists(st.floats(0, 1), min_size=1, max_size=6)


@given(rates=RATES, upwards=st.booleans())
def test_larger_rates_lie_further_right_and_all_lie_on_the_axis(rates: list[float], upwards: bool) -> None:
    axis = rate_axis(rates, 10, 350, upwards=upwards)
    places = [axis.place(rate) for rate in sorted(rates)]
    assert places == sorted(places)
    assert all(axis.holds(rate) for rate in rates)
    assert 10 <= places[0] and places[-1] <= 350


@given(rates=RATES, upwards=st.booleans())
def test_ticks_are_on_the_axis_and_apart_enough_to_be_read(rates: list[float], upwards: bool) -> None:
    axis = rate_axis(rates, 10, 350, upwards=upwards)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 7
    assert all(axis.low - 1e-9 <= tick <= axis.high + 1e-9 for tick in ticks)
    places = [axis.place(tick) for tick in ticks]
    assert all(after - before >= 30 for before, after in pairwise(places))


def test_an_axis_downwards_has_its_start_at_the_bottom() -> None:
    axis = rate_axis([0.02], 158, 26, upwards=False)
    assert axis.is_sqrt
    assert 158 == axis.place(0.0) > axis.place(0.01) > axis.place(0.02) >= 26


def test_ticks_are_said_without_needless_zeros() -> None:
    assert ["0\u202f%", "0.25\u202f%", "10\u202f%"] == [say_tick(value) for value in (0.0, 0.0025, 0.1)]
