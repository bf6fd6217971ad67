"""The page on limits: its example is read as it stands, and names what the code does."""

from __future__ import annotations

from pathlib import Path

import msgspec
import yaml

from verilabel.gateway.limits import address, amounts, memory, redis
from verilabel.gateway.limits.amounts import compile_limits
from verilabel.gateway.policy.document import LimitRow

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "gateway-limits.md").read_text(encoding="utf-8")


def test_the_example_of_the_page_is_read() -> None:
    example = yaml.safe_load(PAGE.split("```yaml\n")[1].split("```")[0])
    rows = compile_limits(msgspec.convert(example["limits"], list[LimitRow]), "page $.limits")
    expected = [
        ("requests", 60, 20),
        ("tokens", 100_000, 100_000),
        ("cost", 5_000_000, 0),
        ("tokens", 2_000_000, 0),
        ("concurrency", 4, 0),
    ]
    assert expected == [(row.limit.quantity, row.limit.amount, row.limit.burst) for row in rows]


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    for figure in (
        f"{amounts.UNSTATED_OUTPUT_TOKENS:,} tokens",
        f"{memory.MAX_COUNTERS:,} of each kind",
        f"{redis.TIMEOUT_S * 1000:.0f} ms",
        f"{redis.MAX_BACKLOG:,} requests",
    ):
        assert figure in PAGE.replace("\n", " ")
    assert (60.0, 3600.0, 300.0) == (redis.LEASE_S, redis.HELD_S, redis.BACKLOG_S)
    assert all(f"`{option}`" in PAGE for option in address.OPTIONS)
