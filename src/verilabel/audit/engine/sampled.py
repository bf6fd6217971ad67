"""The stage in which costly detectors and judges look at documents that the corpus itself chooses."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from verilabel.audit.engine.fetching import FETCHED, fetched_file
from verilabel.audit.engine.interface import Executor, FetchTask, Mapped
from verilabel.audit.engine.mapping import MAP, PASSAGES, UNREAD
from verilabel.audit.engine.watching import Watch
from verilabel.audit.reading.interface import Shard, Unread
from verilabel.audit.sampling.choosing import Drawn, choose, merge, number_copies
from verilabel.audit.sampling.measurers import Measurer, open_measurers
from verilabel.audit.sampling.passages import Passage
from verilabel.audit.sampling.result import SampleResult
from verilabel.audit.sampling.running import describe_cost, forecast, run_sample
from verilabel.audit.settings import SamplingSettings

LEDGER = "sample"
Say = Callable[[str], None]


async def sample(
    settings: SamplingSettings,
    shards: Sequence[Shard],
    mapped: Sequence[Mapped],
    executor: Executor,
    watch: Watch,
    work: Path,
    say: Say,
) -> SampleResult | None:
    """Have every detector and judge look at the sample; None where none was asked for. Costs are said first.

    Raises UsageError for a detector that is none, and what opening a judge's model raises.
    """
    measurers = open_measurers(settings)
    if not settings.documents or not measurers:
        return None
    drawn = _draw(settings.documents, mapped, work)
    passages = await _fetch(drawn, shards, mapped, executor, watch, work)
    (work / LEDGER).mkdir(exist_ok=True, mode=0o700)
    for cost in forecast(measurers, passages, work / LEDGER):
        say(describe_cost(cost))
    watch.enter("sampling", _names(measurers), len(passages) * len(measurers))

    def tell(reference: str, done: int, of: int) -> None:
        watch.detail, watch.shards_done, watch.shards = reference, done, of

    return await run_sample(
        measurers,
        passages,
        population=sum(done.read for done in mapped),
        wanted=settings.documents,
        work=work / LEDGER,
        tell=tell,
    )


def _names(measurers: Sequence[Measurer]) -> str:
    return ", ".join(measurer.reference for measurer in measurers)


def _draw(wanted: int, mapped: Sequence[Mapped], work: Path) -> tuple[Drawn, ...]:
    copies = number_copies([done.sha256 for done in mapped])
    return merge(
        (
            choose(done.sha256, done.rows, wanted, unread=_unread(work, done), copy=copy)
            for done, copy in zip(mapped, copies, strict=True)
        ),
        wanted,
    )


def _unread(work: Path, done: Mapped) -> list[Unread]:
    return msgspec.json.decode((work / MAP / done.key / UNREAD).read_bytes(), type=list[Unread])


async def _fetch(
    drawn: Sequence[Drawn],
    shards: Sequence[Shard],
    mapped: Sequence[Mapped],
    executor: Executor,
    watch: Watch,
    work: Path,
) -> list[Passage]:
    rows: dict[int, list[int]] = {}
    for document in drawn:
        rows.setdefault(document.shard, []).append(document.row)
    kept = {at: _kept(work, mapped[at], at) for at in rows}
    missing = sorted(at for at in rows if not set(rows[at]) <= kept[at].keys())
    watch.enter("drawing", "a sample", len(missing))
    shutil.rmtree(work / FETCHED, ignore_errors=True)
    tasks = [FetchTask(at, shards[at], mapped[at].sha256, tuple(rows[at])) for at in missing]
    async for _ in executor.run(str(work), tasks, watch.advance):
        watch.shards_done += 1
    passages = [kept[at][row] for at in rows if at not in missing for row in rows[at]]
    for at in missing:
        passages += msgspec.json.decode(fetched_file(work, at).read_bytes(), type=list[Passage])
    return sorted(passages, key=lambda passage: (passage.shard, passage.row))


def _kept(work: Path, done: Mapped, at: int) -> dict[int, Passage]:
    """The passages that were kept of a shard, by row."""
    content = (work / MAP / done.key / PASSAGES).read_bytes()
    return {
        passage.row: passage._replace(shard=at)
        for passage in msgspec.json.decode(content, type=list[Passage])
    }
