"""The stages of an audit, in order; each can be broken off anywhere, and done again finds what is done.

1. plan: shards of the inputs, indexes of the checks, the job's digest
2. map: every shard is read once (`mapping`)
3. reduce and join: duplicates over all shards
4. finish: records, leaves and roots a shard (`finishing`)
5. plant: canaries in copies of the corpus' own documents (`canary`)
6. sample: costly detectors and judges on documents chosen by content

What follows is `assembling` (sums, statements, manifest) and `auditing` (signature, and the result in its place).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from verilabel.audit.bounds.statements import state_census
from verilabel.audit.canaries.plan import plan_canaries
from verilabel.audit.canaries.recall import Recall, add_recalls
from verilabel.audit.duplicates.joining import join_edges
from verilabel.audit.duplicates.reducing import partitions_for
from verilabel.audit.engine.blocking import in_thread
from verilabel.audit.engine.canary import keep_items
from verilabel.audit.engine.finishing import JOINED
from verilabel.audit.engine.interface import (
    CanaryTask,
    Executor,
    Finished,
    FinishTask,
    Mapped,
    MapTask,
    Planted,
    Prepared,
    PrepareTask,
    ReduceTask,
    Task,
)
from verilabel.audit.engine.job import Job, write_job
from verilabel.audit.engine.mapping import DUPLICATES, MAP
from verilabel.audit.engine.sampled import Say, sample
from verilabel.audit.engine.tasks import EDGES, PARTS, Parts
from verilabel.audit.engine.watching import Watch
from verilabel.audit.engine.work import OUT, check_apart, place_secret
from verilabel.audit.interface import CheckCard
from verilabel.audit.reading.files import FileReader
from verilabel.audit.reading.interface import Shard
from verilabel.audit.sampling.measurers import open_measurers
from verilabel.audit.sampling.result import SampleResult
from verilabel.audit.settings import AuditSettings
from verilabel.errors import MalformedInput, UsageError

MAX_CANARIES = 10_000
"""Of a format; a worker holds the texts that they are planted in."""
MAX_SAMPLE = 1_000_000
MAX_BYTES = 2**30
"""Of a document, or of a part of a file: a batch has less than 2**31."""


@dataclass(frozen=True)
class Ordered:
    """An audit as it was ordered."""

    inputs: tuple[str, ...]
    settings: AuditSettings
    out: Path
    secret: Path | None = None
    force: bool = False


@dataclass(frozen=True)
class Surveyed:
    """What the stages found, for the manifest."""

    ordered: Ordered
    job: Job
    shards: Sequence[Shard]
    mapped: Sequence[Mapped]
    finished: Sequence[Finished]
    canaries: tuple[Recall, ...]
    sample: SampleResult | None
    started: datetime
    engine: str


async def survey(ordered: Ordered, executor: Executor, watch: Watch, work: Path, say: Say) -> Surveyed:
    """Stages 1 to 6: what is done for every document. Raises errors of the tree; done again, it continues."""
    started = datetime.now(UTC).replace(microsecond=0)
    watch.enter("planning")
    check_settings(ordered.settings)
    open_measurers(ordered.settings.sampling)  # a name that nothing has is found before anything is read
    shards = await in_thread(FileReader().plan, ordered.inputs, ordered.settings.selection)
    if not shards:
        raise UsageError("there is nothing to audit", where=", ".join(ordered.inputs))
    check_apart(ordered.out, ordered.secret, shards)
    watch.enter("preparing", "indexes; compiling what this machine has not compiled yet")
    job = await _make_job(ordered, shards, executor, watch, work)
    mapped = await _map(shards, executor, watch, work)
    if not sum(done.read for done in mapped):
        raise MalformedInput(
            "not one document could be read",
            where=", ".join(ordered.inputs),
            hint="which column holds the text? --column NAME",
        )
    if "duplicates" in ordered.settings.checks:
        await _reduce(ordered.settings, mapped, executor, watch, work)
    finished = await _finish(mapped, executor, watch, work)
    canaries = await _plant(ordered.settings, mapped, executor, watch, work)
    found = await sample(ordered.settings.sampling, shards, mapped, executor, watch, work, say)
    return Surveyed(ordered, job, shards, mapped, finished, canaries, found, started, executor.name)


def check_settings(settings: AuditSettings) -> None:
    """Check what would otherwise be noticed hours later. Raises UsageError, MalformedInput for a confidence."""
    state_census("", read=1, unread=0, found=0, recalls=(), confidence=settings.confidence)
    for name, value, least, most in (
        ("canaries", settings.canaries.per_format, 0, MAX_CANARIES),
        ("sample", settings.sampling.documents, 0, MAX_SAMPLE),
        ("max_document_bytes", settings.selection.max_document_bytes, 1, MAX_BYTES),
        ("shard_bytes", settings.selection.shard_bytes, 1, MAX_BYTES),
    ):
        if not least <= value <= most:
            raise UsageError(f"{value} is not between {least} and {most}", where=name)
    if not 0 <= settings.duplicates.min_similarity <= 1:
        raise UsageError("a similarity is between 0 and 1", where="min_similarity")


async def _make_job(
    ordered: Ordered, shards: Sequence[Shard], executor: Executor, watch: Watch, work: Path
) -> Job:
    secret = place_secret(work, ordered.out, ordered.secret)
    cards: tuple[CheckCard, ...] = ()
    # a worker does it: what the checks take in memory is not taken once more by the driver
    async for _, result in executor.run(str(work), [PrepareTask(ordered.settings)], watch.advance):
        cards = msgspec.json.decode(result, type=Prepared).cards
    job = Job(ordered.settings, cards, secret.id, sum(shard.bytes for shard in shards), len(shards))
    write_job(work, job)
    return job


async def _map(shards: Sequence[Shard], executor: Executor, watch: Watch, work: Path) -> list[Mapped]:
    watch.enter("reading", executor.name, len(shards))
    watch.stored_bytes = sum(shard.bytes for shard in shards)
    found: dict[int, Mapped] = {}
    tasks = [MapTask(index, shard) for index, shard in enumerate(shards)]
    async for place, result in executor.run(str(work), tasks, watch.advance):
        mapped = msgspec.json.decode(result, type=Mapped)
        found[place] = mapped
        watch.count_shard(shards[place].bytes, mapped)
    return [found[index] for index in range(len(shards))]


def first_documents(mapped: Sequence[Mapped]) -> list[int]:
    """The number of each shard's first document among all that were read."""
    first, total = [], 0
    for done in mapped:
        first.append(total)
        total += done.read
    return first


async def _reduce(
    settings: AuditSettings, mapped: Sequence[Mapped], executor: Executor, watch: Watch, work: Path
) -> None:
    documents = sum(done.read for done in mapped)
    partitions = partitions_for(documents)
    watch.enter("comparing", "duplicates", partitions)
    parts = Parts(tuple(f"{MAP}/{done.key}/{DUPLICATES}" for done in mapped), tuple(first_documents(mapped)))
    (work / PARTS).write_bytes(msgspec.json.encode(parts))
    edges = work / EDGES
    shutil.rmtree(edges, ignore_errors=True)
    edges.mkdir()
    tasks: list[Task] = [ReduceTask(partition, partitions) for partition in range(partitions)]
    async for _ in executor.run(str(work), tasks, watch.advance):
        watch.shards_done += 1
    shutil.rmtree(work / JOINED, ignore_errors=True)
    watch.enter("joining", "duplicates")
    join = partial(join_edges, near=settings.duplicates.near)
    await in_thread(join, sorted(edges.iterdir()), documents, work / JOINED)


async def _finish(mapped: Sequence[Mapped], executor: Executor, watch: Watch, work: Path) -> list[Finished]:
    watch.enter("committing", "records, leaves and roots", len(mapped))
    shutil.rmtree(work / OUT, ignore_errors=True)
    (work / OUT).mkdir()
    documents = sum(done.read for done in mapped)
    tasks = [
        FinishTask(done.index, done.key, first, documents)
        for done, first in zip(mapped, first_documents(mapped), strict=True)
    ]
    found: dict[int, Finished] = {}
    async for place, result in executor.run(str(work), tasks, watch.advance):
        found[place] = msgspec.json.decode(result, type=Finished)
        watch.shards_done += 1
    return [found[index] for index in range(len(mapped))]


async def _plant(
    settings: AuditSettings, mapped: Sequence[Mapped], executor: Executor, watch: Watch, work: Path
) -> tuple[Recall, ...]:
    quotas = plan_canaries(settings, [done.sha256 for done in mapped])
    tasks = [
        CanaryTask(done.key, done.sha256, quota)
        for done, quota in zip(mapped, quotas, strict=True)
        if quota and done.read
    ]
    if not tasks:
        return ()
    watch.enter("planting", "canaries", len(tasks))
    keep_items(settings, work)
    counts: list[tuple[Recall, ...]] = []
    async for _, result in executor.run(str(work), tasks, watch.advance):
        counts.append(msgspec.json.decode(result, type=Planted).counts)
        watch.shards_done += 1
    return tuple(add_recalls(counts))
