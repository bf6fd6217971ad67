"""Tasks by what they ask: what a worker does with the bytes that it is given, wherever it runs."""

from __future__ import annotations

from pathlib import Path

import msgspec

from verilabel.audit.duplicates.reducing import reduce_partition
from verilabel.audit.engine.canary import find_canaries
from verilabel.audit.engine.checks import cards_of, open_checks, prepare_checks
from verilabel.audit.engine.fetching import fetch_documents
from verilabel.audit.engine.finishing import finish_shard
from verilabel.audit.engine.interface import (
    CanaryTask,
    FetchTask,
    FinishTask,
    MapTask,
    Nothing,
    Outcome,
    Prepared,
    PrepareTask,
    ReduceTask,
    Report,
    Task,
)
from verilabel.audit.engine.job import INDEXES, open_job
from verilabel.audit.engine.mapping import map_shard
from verilabel.audit.engine.warming import warm_readers, warm_up
from verilabel.audit.settings import AuditSettings

PARTS = "parts.json"
EDGES = "edges"


class Parts(msgspec.Struct, frozen=True):
    """What the partitions are made from: each shard's folder, and the number of its first document."""

    folders: tuple[str, ...]
    first: tuple[int, ...]


def carry_out(work: str, task: Task, report: Report) -> Outcome:
    """Do one task. Raises errors of the tree."""
    match task:
        case PrepareTask():
            return _prepare(Path(work) / INDEXES, task.settings)
        case MapTask():
            return map_shard(open_job(work), task, report)
        case ReduceTask():
            return _reduce(Path(work), task)
        case FinishTask():
            return finish_shard(open_job(work), task)
        case CanaryTask():
            return find_canaries(open_job(work), task)
        case FetchTask():
            return fetch_documents(open_job(work), task)


def _prepare(indexes: Path, settings: AuditSettings) -> Prepared:
    prepare_checks(settings, indexes)
    checks = open_checks(settings, indexes)
    warm_up(checks)
    warm_readers()
    return Prepared(cards_of(checks))


def _reduce(work: Path, task: ReduceTask) -> Nothing:
    parts = msgspec.json.decode((work / PARTS).read_bytes(), type=Parts)
    settings = open_job(str(work)).job.settings
    reduce_partition(
        [work / folder for folder in parts.folders],
        parts.first,
        task.partition,
        task.of,
        work / EDGES / f"{task.partition:06d}-of-{task.of:06d}",
        settings.duplicates,
    )
    return Nothing()
