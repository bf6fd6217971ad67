"""Metrics: what is scraped is what was counted, over all workers, under bounded labels."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from verilabel.gateway.telemetry import names
from verilabel.gateway.telemetry.exposition import SUFFIX, Exposition
from verilabel.gateway.telemetry.loop_watch import LoopWatch
from verilabel.gateway.telemetry.metrics import MAX_SERIES, Histogram, Metrics, Snapshot, merge_snapshots
from verilabel.gateway.verdicts import Finding

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(metrics: Metrics, folder: Path | None = None) -> Samples:
    """What Prometheus reads, by name and labels."""
    text = asyncio.run(Exposition(metrics, folder).render()).decode()
    return {
        (sample.name.removeprefix("verilabel_gateway_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """One sample."""
    return samples[name, tuple(sorted(labels.items()))]


def count_request(metrics: Metrics, outcome: str = "answered", status: int = 200, route: str = "gpt") -> None:
    """One request of a second."""
    meter = metrics.meter(route, "chat")
    meter.begun()
    meter.ended(
        outcome,
        status,
        total_s=1.0,
        overhead_s=0.0002,
        first_byte_s=0.3,
        input_tokens=100,
        output_tokens=20,
        cost_microusd=1500,
    )


def test_a_request_is_counted_in_all_that_it_touches() -> None:
    metrics = Metrics(["gpt"])
    count_request(metrics)
    count_request(metrics)
    count_request(metrics, "refused", 403)
    metrics.meter("gpt", "chat").begun()
    seen = scrape(metrics)
    assert 2 == value(seen, "requests_total", route="gpt", dialect="chat", outcome="answered", code="200")
    assert 1 == value(seen, "requests_total", route="gpt", dialect="chat", outcome="refused", code="403")
    assert 1 == value(seen, "requests_in_flight")
    assert 300 == value(seen, "tokens_total", route="gpt", direction="input")
    assert 60 == value(seen, "tokens_total", route="gpt", direction="output")
    assert 0.0045 == value(seen, "cost_usd_total", route="gpt")
    assert 3 == value(seen, "request_seconds_count", route="gpt", dialect="chat")
    assert 3.0 == value(seen, "request_seconds_sum", route="gpt", dialect="chat")
    assert 0 == value(seen, "request_seconds_bucket", route="gpt", dialect="chat", le="0.5")
    assert 3 == value(seen, "request_seconds_bucket", route="gpt", dialect="chat", le="1.0")
    assert 3 == value(seen, "overhead_seconds_bucket", route="gpt", dialect="chat", le="0.00025")


def test_findings_errors_and_what_failed_open_are_counted_apart() -> None:
    metrics = Metrics(["gpt"])
    usual = {"guard": "pii", "rule": "pii.email", "field": "content", "direction": "input"}
    metrics.note_findings(
        [
            Finding(**usual, action="redact", count=3),
            Finding(**usual, action="block", shadow=True),
            Finding(**usual, action="allow", error=True),
            Finding(**usual, action="block", error=True),
        ]
    )
    seen = scrape(metrics)
    labels = {"guard": "pii", "rule": "pii.email"}
    assert 3 == value(seen, "guard_findings_total", **labels, action="redact", mode="enforce")
    assert 1 == value(seen, "guard_findings_total", **labels, action="block", mode="shadow")
    assert 1 == value(seen, "guard_errors_total", guard="pii", decided="allow")
    assert 1 == value(seen, "guard_errors_total", guard="pii", decided="block")
    assert 1 == value(seen, "fail_open_total", what="guard:pii")


def test_names_that_are_not_configured_never_become_labels() -> None:
    metrics = Metrics(["gpt"])
    for number in range(3 * MAX_SERIES // 100):
        count_request(metrics, route=f"made up by a client {number}")
    count_request(metrics, outcome="invented", status=99999)
    text = asyncio.run(Exposition(metrics).render()).decode()
    assert "made up" not in text
    assert "invented" not in text
    seen = scrape(metrics)
    assert 150 == value(seen, "requests_total", route="other", dialect="chat", outcome="answered", code="200")
    assert 1 == value(seen, "requests_total", route="gpt", dialect="chat", outcome="other", code="0")


def test_however_many_labels_come_a_metric_stays_bounded() -> None:
    metrics = Metrics([])
    for number in range(MAX_SERIES + 100):
        metrics.add(names.LIMITED, (f"limit-{number}",))
    counted = metrics.snapshot().values[names.LIMITED.name]
    assert MAX_SERIES + 1 == len(counted)
    assert MAX_SERIES + 100 == sum(count for _, count in counted)
    assert (("other",), 100) in counted


def test_labels_that_do_not_fit_their_metric_are_a_mistake_of_the_program() -> None:
    with pytest.raises(ValueError, match="has the labels"):
        Metrics([]).add(names.LIMITED, ("a", "b"))


def test_gauges_are_set_when_they_are_read() -> None:
    metrics = Metrics([])
    metrics.refresh.append(lambda: metrics.set(names.APPROVALS_PENDING, 4))
    assert 4 == value(scrape(metrics), "approvals_pending")
    metrics.set(names.ADMITTED, 1, ("gpt", "0"))
    metrics.set(names.ADMITTED, 0, ("gpt", "0"))
    assert 0 == value(scrape(metrics), "admission_admitted", route="gpt", target="0")


@given(st.lists(st.floats(0, 500, allow_nan=False), max_size=50))
def test_a_histogram_has_every_duration_in_the_first_bucket_that_holds_it(durations: list[float]) -> None:
    bounds = names.LONG_BUCKETS
    histogram = Histogram(bounds)
    for duration in durations:
        histogram.observe(duration)
    for place, bound in enumerate(bounds):
        assert sum(d <= bound for d in durations) == sum(histogram.cells[: place + 1])
    assert len(durations) == sum(histogram.cells[:-1])
    assert pytest.approx(sum(durations)) == histogram.cells[-1]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6))
def test_counters_of_workers_add_up(requests: list[int]) -> None:
    workers = [Metrics(["gpt"]) for _ in requests]
    for worker, number in zip(workers, requests, strict=True):
        for _ in range(number):
            count_request(worker)
    merged = merge_snapshots([w.snapshot() for w in workers], now_s=time.time(), gauges_after_s=60)
    assert sum(requests) == sum(count for _, count in merged.values["requests_total"])
    assert [((), float(len(requests)))] == merged.values["workers"]
    assert sum(requests) == sum(sum(cells[:-1]) for _, cells in merged.histograms["request_seconds"])


def test_gauges_become_one_as_each_means_it_and_those_of_the_dead_are_left_out() -> None:
    snapshots = []
    for pending, up, is_closed, at_s in (
        (3, 1, False, 100.0),
        (5, 0, False, 99.0),
        (9, 1, True, 100.0),
        (9, 1, False, 1.0),
    ):
        metrics = Metrics([], clock=lambda at_s=at_s: at_s)  # type: ignore[misc]
        metrics.set(names.APPROVALS_PENDING, pending)
        metrics.set(names.UPSTREAM_UP, up, ("openai",))
        metrics.add(names.AUDIT_ERRORS)
        snapshots.append(metrics.snapshot(is_closed=is_closed))
    merged = merge_snapshots(snapshots, now_s=100.0, gauges_after_s=10)
    assert [((), 5)] == merged.values["approvals_pending"]
    assert [(("openai",), 0)] == merged.values["upstream_up"]
    assert [((), 2.0)] == merged.values["workers"]
    assert [((), 4)] == merged.values["audit_errors_total"]


WORKER = """
import asyncio, sys
from pathlib import Path
from verilabel.gateway.telemetry.exposition import Exposition
from verilabel.gateway.telemetry.metrics import Metrics

async def main():
    metrics = Metrics(["gpt"])
    exposition = Exposition(metrics, Path(sys.argv[1]))
    await exposition.open()
    for _ in range(int(sys.argv[2])):
        meter = metrics.meter("gpt", "chat")
        meter.begun()
        meter.ended("answered", 200, total_s=0.1)
    exposition.share()
    print("shared", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    if sys.argv[3] == "close":
        await exposition.close()
    else:
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_two_processes_are_scraped_as_one_and_their_counts_outlive_them(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), str(number), how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number, how in ((30, "close"), (12, "kill"))
    ]
    for process in processes:
        assert process.stdout is not None
        assert "shared\n" == process.stdout.readline()
    own = Metrics(["gpt"])
    count_request(own)
    labels = {"route": "gpt", "dialect": "chat", "outcome": "answered", "code": "200"}
    seen = scrape(own, tmp_path)
    assert (43, 3) == (value(seen, "requests_total", **labels), value(seen, "workers"))
    for process in processes:
        process.communicate("\n")
    seen = scrape(own, tmp_path)
    assert 43 == value(seen, "requests_total", **labels)
    assert value(seen, "workers") < 3


def test_a_file_that_is_no_snapshot_does_not_stop_the_scrape(tmp_path: Path) -> None:
    (tmp_path / ("1-a" + SUFFIX)).write_bytes(b"\xff\xff garbage")
    foreign = Snapshot(time.time(), {"unheard_of": [((), 1.0)]}, {})
    (tmp_path / ("1-b" + SUFFIX)).write_bytes(msgspec.msgpack.encode(foreign))
    assert 1 == value(scrape(Metrics([]), tmp_path), "workers")


async def test_a_loop_that_was_blocked_is_seen() -> None:
    metrics = Metrics([])
    watch = LoopWatch(metrics)
    watch.start()
    await asyncio.sleep(0)
    time.sleep(0.2)  # noqa: ASYNC251 what is tested is that this blocks the loop
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    watch.stop()
    assert 1 == metrics.snapshot().values["loop_stalls_total"][0][1]
    assert metrics.snapshot().values["loop_lag_seconds"][0][1] >= 0.1
