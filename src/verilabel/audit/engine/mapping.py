"""The first stage: a shard is read once, every check looks at it, and what they found is kept under its name.

The name is a digest over the job and the shard's bytes and form. So a shard that was done stays done, equal shards are
done once, and two workers that do the same shard make the same folder.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from pathlib import Path

import msgspec
import numpy as np

from verilabel.audit.canaries.plan import Hosts, shard_seed
from verilabel.audit.canaries.planting import hosts_needed, list_formats
from verilabel.audit.duplicates.parts import write_map_part
from verilabel.audit.engine.examples import Chooser, ExampleKeeper
from verilabel.audit.engine.interface import Advance, Mapped, MapTask, Report
from verilabel.audit.engine.job import Opened
from verilabel.audit.engine.keeping import FINDINGS, RECORDS, SPILL, Keeping, flush_files
from verilabel.audit.engine.passages import PassageKeeper, passages_wanted
from verilabel.audit.interface import Batch, CheckCard, Examined, Findings
from verilabel.audit.kernels.digests import text_digests
from verilabel.audit.kernels.tokens import count_words, cut_words
from verilabel.audit.pii.masking import mask
from verilabel.audit.proof.commitments import MARK_BYTES, Marker, Salter
from verilabel.audit.proof.examples import SHOWN
from verilabel.audit.proof.findings import FOUND, Found
from verilabel.audit.proof.layout import EXAMPLES_A_KIND
from verilabel.audit.proof.records import COMMITMENT, Records, column_of_kind
from verilabel.audit.reading.files import FileReader
from verilabel.audit.reading.interface import Reader, Reading
from verilabel.audit.reading.planning import delimiter_of
from verilabel.audit.reading.texts import is_group
from verilabel.evidence.atomic import flush_folder

MAP = "map"
DONE = "done.json"
UNREAD = "unread.json"
DIGESTS = "digests"
HOSTS = "hosts"
PASSAGES = "passages.json"
EXAMPLES = "examples.json"
DUPLICATES = "duplicates"
FORMATS_OF_ITEMS = 6


def map_shard(opened: Opened, task: MapTask, report: Report, reader: Reader | None = None) -> Mapped:
    """Read a shard and keep what is found. Raises ShardChanged where its bytes change meanwhile."""
    settings = opened.job.settings
    with (reader or FileReader()).open(task.shard, settings.selection, about=settings.reads_about) as reading:
        key = key_of(opened, task, reading.sha256)
        folder = opened.work / MAP / key
        done = find_done(folder)
        if done is not None:
            return msgspec.structs.replace(done, index=task.index, is_reused=True)
        empty = Mapped(task.index, key, reading.sha256, reading.stored_bytes, 0, 0, 0, 0, 0, 0, 0, 0)
        return _make(opened, reading, folder, empty, report)


def key_of(opened: Opened, task: MapTask, shard_sha256: str) -> str:
    """The name of what this job makes of a shard with these bytes."""
    shard = task.shard
    # the same bytes read in another form are other documents; of bytes that nobody can read the plan knows the number
    delimiter = delimiter_of(shard.files[0]) if shard.form == "csv" else ""
    read_as = [shard.form, shard.compression, delimiter, is_group(shard.files), shard.bytes]
    named = msgspec.json.encode([opened.job.digest, *read_as, shard_sha256])
    return hashlib.sha256(named).hexdigest()[:40]


def find_done(folder: Path) -> Mapped | None:
    """What was kept of a shard, if it was done."""
    try:
        return msgspec.json.decode((folder / DONE).read_bytes(), type=Mapped)
    except FileNotFoundError:
        return None


def _make(opened: Opened, reading: Reading, folder: Path, empty: Mapped, report: Report) -> Mapped:
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    temporary.mkdir(parents=True)
    try:
        done = _fill(opened, reading, temporary, empty, report)
        (temporary / DONE).write_bytes(msgspec.json.encode(done))
        flush_files(temporary)
        try:
            temporary.rename(folder)
        except OSError:
            if find_done(folder) is None:
                raise  # somebody else was not first: what is there would be the same
        flush_folder(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return done


def _fill(opened: Opened, reading: Reading, folder: Path, empty: Mapped, report: Report) -> Mapped:
    pass_ = ShardPass(opened, reading.sha256)
    hosts = Hosts(shard_seed(reading.sha256), _hosts_wanted(opened))
    share = reading.stored_bytes / max(opened.job.stored_bytes, 1)
    passages = PassageKeeper(reading.sha256, passages_wanted(opened.job.settings.sampling, share))
    documents = text_bytes = findings = 0
    with Keeping(folder) as keeping:
        for batch in reading.batches():
            found = pass_.examine(batch, keeping)
            hosts.offer(batch)
            passages.offer(batch)
            documents, text_bytes, findings = (
                documents + len(batch),
                text_bytes + len(batch.data),
                findings + found,
            )
            report(Advance(len(batch.data), len(batch), found))
        if not documents:
            pass_.examine(_NO_DOCUMENTS, keeping)  # what is kept has its form where there is nothing in it
        if "duplicates" in opened.job.settings.checks:
            spilled = keeping.spilled()
            write_map_part(spilled, spilled.pop(DIGESTS), folder / DUPLICATES)
    shutil.rmtree(folder / SPILL)
    (folder / HOSTS).write_bytes(msgspec.msgpack.encode(hosts.texts()))
    (folder / PASSAGES).write_bytes(msgspec.json.encode(passages.passages()))
    (folder / EXAMPLES).write_bytes(msgspec.json.encode(pass_.examples.examples()))
    (folder / UNREAD).write_bytes(msgspec.json.encode(list(reading.unread)))
    return msgspec.structs.replace(
        empty,
        rows=reading.rows,
        read=documents,
        repaired=reading.repaired,
        text_bytes=text_bytes,
        unread=sum(item.count for item in reading.unread),
        unknown=sum(item.count == 0 for item in reading.unread),
        unread_bytes=sum(item.bytes for item in reading.unread),
        findings=findings,
    )


def _hosts_wanted(opened: Opened) -> int:
    """How many documents the shard's canaries are planted in copies of; one share more than the least."""
    job = opened.job
    kinds = {kind.id for card in job.cards for kind in card.kinds}
    share = -(-job.settings.canaries.per_format // job.shards)
    return hosts_needed(len(list_formats(kinds)) + FORMATS_OF_ITEMS, share) if share else 0


_NO_DOCUMENTS = Batch(np.zeros(0, np.uint8), np.zeros(1, np.int64), np.zeros(0, np.int64))


class ShardPass:
    """The one pass over the batches of a shard."""

    def __init__(self, opened: Opened, shard_sha256: str) -> None:
        self._opened = opened
        self._salter: Salter = opened.secret.salter(shard_sha256)
        self._marker: Marker = opened.secret.marker()
        self.examples = ExampleKeeper(EXAMPLES_A_KIND)
        self._chooser = Chooser(shard_sha256, self.examples, mask)
        self._words_of = cut_words if any(check.reads_words for check in opened.checks) else count_words

    def examine(self, batch: Batch, keeping: Keeping) -> int:
        """Have every check look at a batch, and keep what they find; the number of findings."""
        words = self._words_of(batch)
        records = np.zeros(len(batch), self._opened.form)
        records["row"] = batch.rows
        digests = text_digests(batch)
        records[COMMITMENT] = self._salter.commit(batch.rows, digests)
        keeping.add_spill({DIGESTS: digests})
        records["bytes"] = np.diff(batch.offsets)
        records["words"] = np.diff(words.documents)
        first_kind = found = 0
        for check in self._opened.checks:
            examined = check.examine(batch, words)
            fill_columns(records, check.card, examined)
            if examined.findings is not None:
                found += len(examined.findings.document)
                keeping.add_array(FINDINGS, self._mark(batch, check.card, examined.findings, first_kind))
            for name, columns in examined.tables.items():
                keeping.add_table(name, columns, batch)
            keeping.add_spill(examined.spill)
            first_kind += len(check.card.kinds)
        keeping.add_array(RECORDS, records)
        return found

    def _mark(self, batch: Batch, card: CheckCard, findings: Findings, first_kind: int) -> Found:
        found = np.zeros(len(findings.document), FOUND)
        found["row"] = batch.rows[findings.document]
        found["kind"] = findings.kind + np.uint16(first_kind)
        found["start"] = findings.start - batch.offsets[findings.document]
        found["length"] = findings.end - findings.start
        data, kinds, is_shown = batch.data, [kind.id for kind in card.kinds], card.name in SHOWN
        places = (found["row"], findings.kind, found["start"], findings.start, findings.end)
        marks: list[bytes] = []
        for row, kind, start, first, last in zip(*(place.tolist() for place in places), strict=True):
            value = data[first:last].tobytes()
            marks.append(self._marker.mark(kinds[kind], value))
            if is_shown:
                self._chooser.offer(kinds[kind], row, start, value, marks[-1])
        found["mark"] = np.frombuffer(b"".join(marks), np.uint8).reshape(-1, MARK_BYTES)
        return found


def fill_columns(records: Records, card: CheckCard, examined: Examined) -> None:
    """Put a check's columns, and the counts of its findings, into the records of a batch."""
    for name, values in examined.columns.items():
        records[name] = values
    if examined.findings is None or not card.kinds:
        return
    kinds = len(card.kinds)
    places = examined.findings.document.astype(np.int64) * kinds + examined.findings.kind
    counts = np.bincount(places, minlength=len(records) * kinds).reshape(-1, kinds)
    for place, kind in enumerate(card.kinds):
        records[column_of_kind(kind.id)] = np.minimum(counts[:, place], 65535)
