"""The corpus of an audit found again: shards by the digest of their bytes, whatever they are called now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from verilabel.audit.interface import Batch
from verilabel.audit.proof.shards import ShardEntry
from verilabel.audit.reading.files import FileReader
from verilabel.audit.reading.interface import Shard, ShardChanged
from verilabel.audit.settings import AuditSettings, Selection
from verilabel.errors import SealError, UsageError

_NAMED = 3
_Key = tuple[str, str, str]
"""Digest, form, compression."""


def find_shards(
    inputs: Sequence[str], selection: Selection, entries: Sequence[ShardEntry]
) -> dict[int, Shard]:
    """The shards of inputs, by their number in the audit. All of their bytes are read.

    Raises SealError naming shards that are not the audited ones, and what planning raises.
    """
    if not inputs:
        raise UsageError("where is the corpus?", hint="--corpus PATH")
    here: dict[_Key, list[Shard]] = {}
    for shard in FileReader().plan(inputs, selection):
        with FileReader().open(shard, selection) as reading:
            here.setdefault((reading.sha256, shard.form, shard.compression), []).append(shard)
    wanted = Counter(_key_of(entry) for entry in entries)
    there = Counter({key: len(shards) for key, shards in here.items()})
    missing = []
    for entry in entries:
        there[_key_of(entry)] -= 1
        missing += [entry.shard.name] if there[_key_of(entry)] < 0 else []
    more = [shard.name for key, shards in here.items() for shard in shards[wanted[key] :]]
    if missing or more:
        raise SealError(
            f"this is not the corpus that was audited: {_names('audited, not here', missing)};"
            f" {_names('here, not audited', more)}",
            where=", ".join(inputs)[:400],
        )
    waiting = {key: iter(shards) for key, shards in here.items()}
    return {index: next(waiting[_key_of(entry)]) for index, entry in enumerate(entries)}


def _key_of(entry: ShardEntry) -> _Key:
    return entry.shard.sha256, entry.form, entry.compression


def _names(what: str, names: Sequence[str]) -> str:
    some = ", ".join(name[:100] for name in names[:_NAMED])
    return f"{len(names)} shards {what}" + (
        f" ({some}{', ...' if len(names) > _NAMED else ''})" if names else ""
    )


def read_documents(
    shard: Shard, settings: AuditSettings, rows: Sequence[int], sha256: str
) -> Iterator[tuple[int, Batch]]:
    """Some documents of a shard, in the order of their rows, each as a batch of its own; those unread are left out.

    Raises ShardChanged where the shard's bytes are not those of `sha256`.
    """
    wanted = np.array(sorted(rows), np.int64)
    with FileReader().open(shard, settings.selection, about=settings.reads_about) as reading:
        if reading.sha256 != sha256:
            raise ShardChanged("the bytes of this shard are not those that were audited", where=shard.name)
        for batch in reading.batches():
            for place in np.flatnonzero(np.isin(batch.rows, wanted)).tolist():
                yield int(batch.rows[place]), _alone(batch, place)


def _alone(batch: Batch, place: int) -> Batch:
    text = batch.data[batch.offsets[place] : batch.offsets[place + 1]].copy()
    return Batch(
        text,
        np.array([0, len(text)], np.int64),
        batch.rows[place : place + 1].copy(),
        {name: [values[place]] for name, values in batch.about.items()},
    )
