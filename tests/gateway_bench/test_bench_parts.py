"""Parts of the bench on real gateways: a leak is seen where there is one, a stall is timed, two workers share."""

from __future__ import annotations

from pathlib import Path

import pytest

from verilabel.gateway_bench.bench import Options, open_bench
from verilabel.gateway_bench.busy import has_wrk, keep_busy
from verilabel.gateway_bench.contenders import BARE, OURS
from verilabel.gateway_bench.leak import longest_leak
from verilabel.gateway_bench.planted import plant
from verilabel.gateway_bench.queueing import approval_id
from verilabel.gateway_bench.sharing import measure_sharing, redis_program
from verilabel.gateway_bench.stall import DIRECTIONS, stall_once

QUICK = Options(sections=(), rivals=("bare",), quick=True)


async def test_the_bare_gateway_leaks_whole_secrets_and_ours_none(tmp_path: Path) -> None:
    async with open_bench(QUICK, tmp_path, lambda _: None) as bench:
        for contender, leaks in ((BARE, True), (OURS, False)):
            async with bench.running(contender) as running:
                for planted, other in zip(plant(1)[1::3], plant(2)[1::3], strict=True):
                    found = await longest_leak(bench, running, planted, other.value, stream=True)
                    assert (len(planted.value) if leaks else 0) == found.longest
                    assert (12, 0) == (found.replies, found.refused)


async def test_a_hostile_text_is_timed_while_others_ask(tmp_path: Path) -> None:
    async with open_bench(QUICK, tmp_path, lambda _: None) as bench, bench.running(OURS) as running:
        for direction in DIRECTIONS:
            found = await stall_once(bench, running, "a.a.", "a." * 1000, direction)
            assert (200, direction) == (found.status, found.direction)
            assert found.request_ms > 0
            assert found.cpu_ms > 0
            assert found.wait_ms > 0


@pytest.mark.skipif(redis_program() is None, reason="neither redis-server nor valkey-server is installed")
async def test_two_workers_give_out_no_more_than_one_limit(tmp_path: Path) -> None:
    async with open_bench(QUICK, tmp_path, lambda _: None) as bench:
        section = await measure_sharing(bench)
    rows = [dict(zip(section.tables[0].headings, row, strict=True)) for row in section.tables[0].rows]
    assert 2 == len(rows)
    for row in rows:
        assert row["got through"] <= row["may"] + 1
        assert row["429"] > 0
        assert 0 == row["other"]


async def test_without_wrk_our_own_load_program_keeps_a_gateway_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not has_wrk()
    async with open_bench(QUICK, tmp_path, lambda _: None) as bench, bench.running(BARE) as running:
        for stream in (False, True):
            found = await keep_busy(bench, running, connections=2, seconds=0.2, stream=stream)
            assert found.per_second > 0
            assert found.cpu_us is not None
            assert found.cpu_us > 0


def test_the_approval_of_an_answer_is_found_in_it() -> None:
    assert "ap_0a1b" == approval_id(b'{"error":{"approval":"ap_0a1b","message":"held"}}')
    assert approval_id(b'{"error":{"message":"refused"}}') is None
