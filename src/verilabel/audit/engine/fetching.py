"""Documents read again, by shard and row: for samples, openings and spot checks."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from verilabel.audit.engine.interface import FetchTask, Nothing
from verilabel.audit.engine.job import Opened
from verilabel.audit.reading.files import FileReader
from verilabel.audit.reading.interface import Shard, ShardChanged
from verilabel.audit.sampling.passages import Document, Passage, cut_passage
from verilabel.audit.settings import Selection

FETCHED = "fetched"


def read_rows(
    shard: Shard, selection: Selection, rows: Sequence[int], *, sha256: str | None = None
) -> Iterator[tuple[int, bytes]]:
    """The texts of some documents of a shard, in the order of their rows.

    Raises ShardChanged where the shard's bytes are not those of `sha256`. Rows that cannot be read are left out.
    """
    wanted = sorted(rows)
    at = 0
    with FileReader().open(shard, selection, about=False) as reading:
        if sha256 is not None and reading.sha256 != sha256:
            raise ShardChanged("the bytes of this shard are not those that were audited", where=shard.name)
        for batch in reading.batches():
            places = {int(row): i for i, row in enumerate(batch.rows)} if at < len(wanted) else {}
            while at < len(wanted) and wanted[at] <= (int(batch.rows[-1]) if len(batch) else -1):
                if wanted[at] in places:
                    yield wanted[at], batch.text(places[wanted[at]])
                at += 1


def fetch_documents(opened: Opened, task: FetchTask) -> Nothing:
    """Leave what is looked at of some documents in the work folder, one file a shard."""
    folder = opened.work / FETCHED
    folder.mkdir(exist_ok=True, mode=0o700)
    selection = opened.job.settings.selection
    texts = read_rows(task.shard, selection, task.rows, sha256=task.sha256)
    found = [
        cut_passage(Document(task.index, task.sha256, row, text.decode("utf-8", "replace")))
        for row, text in texts
    ]
    for row in sorted(set(task.rows) - {passage.row for passage in found}):
        found.append(Passage(task.index, row, None, 0))
    temporary = folder / f".{task.index}.{secrets.token_hex(4)}"
    temporary.write_bytes(msgspec.json.encode(found))
    temporary.replace(fetched_file(opened.work, task.index))
    return Nothing()


def fetched_file(work: Path, index: int) -> Path:
    """Where the texts of a shard's documents were left."""
    return work / FETCHED / f"{index:07d}.json"
