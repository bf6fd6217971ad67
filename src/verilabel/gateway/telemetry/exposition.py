"""The text that Prometheus scrapes, for all workers of a gateway together.

Each worker leaves its numbers in a file of the folder of this start of the gateway, every `SHARE_EVERY_S`; whichever
worker is scraped adds the others' to its own. The counters of a worker that ended go on counting.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from verilabel.errors import MissingExtra
from verilabel.gateway.telemetry.metrics import Metrics, Snapshot, merge_snapshots
from verilabel.gateway.telemetry.names import METRICS, Metric

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

SHARE_EVERY_S = 1.0
ALIVE_S = 10.0
"""A worker that left nothing for so long is taken to have ended."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SUFFIX = ".metrics"
MAX_FILE_BYTES = 64 * 2**20


class Exposition:
    """Gives out one worker's metrics and, where there is a `folder`, those of all workers that share it."""

    def __init__(self, metrics: Metrics, folder: Path | None = None) -> None:
        self._metrics = metrics
        self._folder = folder
        self._path = None if folder is None else folder / (metrics.id + SUFFIX)
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to share. Raises OSError where the folder cannot be written."""
        if self._folder is not None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.share()
            self._task = asyncio.create_task(self._keep_sharing())

    async def close(self) -> None:
        """Leave the last numbers."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
            self.share(is_closed=True)

    def share(self, *, is_closed: bool = False) -> None:
        """Leave the numbers as they are now for the other workers."""
        if self._path is not None:
            _write_snapshot(self._path, self._metrics.snapshot(is_closed=is_closed))

    async def render(self) -> bytes:
        """The text; its type is `CONTENT_TYPE`. Raises MissingExtra."""
        own = self._metrics.snapshot()
        return await asyncio.to_thread(self._render, own)

    async def _keep_sharing(self) -> None:
        while True:
            await asyncio.sleep(SHARE_EVERY_S)
            if self._path is not None:
                with suppress(OSError):  # the numbers of this worker are older then, and no request fails
                    await asyncio.to_thread(_write_snapshot, self._path, self._metrics.snapshot())

    def _render(self, own: Snapshot) -> bytes:
        try:
            from prometheus_client import CollectorRegistry
            from prometheus_client.exposition import generate_latest
            from prometheus_client.registry import Collector
        except ImportError:
            raise MissingExtra("prometheus-client", "gateway") from None
        merged = merge_snapshots([own, *self._others()], now_s=time.time(), gauges_after_s=ALIVE_S)

        class Merged(Collector):
            def collect(self) -> Iterator[Family]:
                yield from families_of(merged)

        registry = CollectorRegistry(auto_describe=False)
        registry.register(Merged())
        return bytes(generate_latest(registry))

    def _others(self) -> Iterator[Snapshot]:
        if self._folder is None:
            return
        for path in sorted(self._folder.glob("*" + SUFFIX)):
            if path == self._path or path.is_symlink():
                continue
            with suppress(OSError, msgspec.DecodeError), path.open("rb") as file:
                yield msgspec.msgpack.decode(file.read(MAX_FILE_BYTES), type=Snapshot)


def _write_snapshot(path: Path, snapshot: Snapshot) -> None:
    # not forced to the disk: numbers need not survive a power cut
    temporary = path.with_suffix(".part")
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.msgpack.encode(snapshot))
    temporary.replace(path)


def families_of(snapshot: Snapshot) -> Iterator[Family]:
    """The metrics as `prometheus_client` knows them."""
    for metric in METRICS:
        yield _histogram(metric, snapshot) if metric.kind == "histogram" else _plain(metric, snapshot)


def _plain(metric: Metric, snapshot: Snapshot) -> Family:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.full_name, metric.says, labels=metric.labels)
    for labels, value in snapshot.values.get(metric.name, ()):
        family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, snapshot: Snapshot) -> Family:
    from prometheus_client.core import HistogramMetricFamily
    from prometheus_client.utils import floatToGoString

    bounds = [*map(floatToGoString, metric.buckets), "+Inf"]
    family = HistogramMetricFamily(metric.full_name, metric.says, labels=metric.labels)
    for labels, cells in snapshot.histograms.get(metric.name, ()):
        total, buckets = 0.0, []
        for bound, count in zip(bounds, cells, strict=False):
            total += count
            buckets.append((bound, total))
        family.add_metric(labels, buckets, sum_value=cells[-1])
    return family
