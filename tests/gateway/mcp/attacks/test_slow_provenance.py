"""Texts made to take time, or to slip past the bounds of provenance: runs, many places, a cut inside a word."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from verilabel.gateway.mcp.policy.provenance import MAX_VOUCHING_CHARS, is_known, keep_end, vouching_text

THIEF = "thief@evil.example"


@pytest.mark.parametrize(
    ("value", "source"),
    [
        (")", ")" * 250_000 + "x"),
        (["...", ")).", "}.", "5"], "." * 128_000 + "x" + "5" + ")" * 100_000 + "x"),
        (["abc"] * 1000, ("abc" + "." * 250) * 999 + "x"),
        ([f"abc{n}" for n in range(1000)], "".join(f"abc{n}.x " for n in range(1000)) * 18),
    ],
)
def test_runs_of_punctuation_make_nothing_known_and_take_no_time(value: Any, source: str) -> None:
    found: list[Any] = []
    worker = threading.Thread(
        target=lambda: found.extend((is_known(value, [source]), vouching_text(source, {"a": value}))),
        daemon=True,
    )
    worker.start()
    worker.join(8)  # it took from 11 to 400 seconds
    assert found and found[0] is False


def test_what_a_call_named_is_not_vouched_for_however_often_it_stands_joined_before() -> None:
    echo = f"x{THIEF} " * 1_500 + THIEF
    assert not is_known(THIEF, [vouching_text(echo, {"query": THIEF})[-5_000:]])


def test_half_a_word_at_the_cut_is_not_known() -> None:
    text = f"not{THIEF} and so on\n"
    kept = keep_end(text + "x" * (MAX_VOUCHING_CHARS - len(text) + 3), MAX_VOUCHING_CHARS)
    assert len(kept) <= MAX_VOUCHING_CHARS and not is_known(THIEF, [kept])
    assert "" == keep_end("x" * 500, 100)
    assert "short" == keep_end("short", 100)
