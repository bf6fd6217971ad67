"""Draws out of SHA-256: the same everywhere, within their bounds, and even."""

from __future__ import annotations

import hashlib
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from verilabel.suites.worlds.chance import Chance


def test_the_first_words_are_those_of_sha256_over_the_seed_and_the_block() -> None:
    blocks = b"".join(
        hashlib.sha256(b"a\x1f7\x00" + number.to_bytes(8, "big")).digest() for number in range(2)
    )
    expected = [int.from_bytes(blocks[i : i + 8], "big") for i in range(0, 64, 8)]
    chance = Chance("a", 7)
    assert expected == [chance.word() for _ in range(8)]


def test_other_seeds_draw_otherwise() -> None:
    assert Chance("a", "b").word() != Chance("ab").word() != Chance("b", "a").word()


@given(st.text(max_size=20), st.integers(1, 2**63))
def test_draws_stay_below_their_bound(seed: str, bound: int) -> None:
    assert 0 <= Chance(seed).below(bound) < bound


@given(st.text(max_size=20), st.lists(st.integers(), max_size=30))
def test_shuffling_keeps_every_item(seed: str, items: list[int]) -> None:
    assert Counter(items) == Counter(Chance(seed).shuffled(items))


def test_draws_are_even() -> None:
    chance = Chance("even")
    counts = Counter(chance.below(6) for _ in range(6000))
    # 6000 draws of 1/6: standard deviation 28.9, five of them
    assert all(abs(count - 1000) < 145 for count in counts.values()) and 6 == len(counts)


def test_orders_of_three_items_are_even() -> None:
    chance = Chance("orders")
    counts = Counter(tuple(chance.shuffled("abc")) for _ in range(6000))
    assert 6 == len(counts) and all(abs(count - 1000) < 145 for count in counts.values())
