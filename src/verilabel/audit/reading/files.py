"""The reader of inputs: plans shards, and reads each of them by its form.

Reading a shard: 1. open it, 2. hash its stored bytes, 3. compare them with the plan, 4. give the documents, 5. see
that the stored bytes are still the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from verilabel.audit.interface import Batch, Bytes
from verilabel.audit.reading import reasons
from verilabel.audit.reading.csv_rows import RowReader
from verilabel.audit.reading.gathering import Gatherer
from verilabel.audit.reading.inflating import inflate
from verilabel.audit.reading.interface import BATCH_BYTES, Shard, Unread
from verilabel.audit.reading.json_lines import LineReader
from verilabel.audit.reading.ledger import Ledger
from verilabel.audit.reading.parquet import ParquetFile, find_stretches, read_groups
from verilabel.audit.reading.places import open_place, peek_place
from verilabel.audit.reading.planning import delimiter_of, plan_inputs
from verilabel.audit.reading.storing import StoredBytes, changed, digest_unreadable
from verilabel.audit.reading.texts import FileGroup, is_group, read_text
from verilabel.audit.reading.torn import Torn
from verilabel.audit.reading.web_archives import ArchiveReader
from verilabel.audit.settings import Selection
from verilabel.errors import MalformedInput


class FileReading:
    """One shard that is being read (`interface.Reading`)."""

    def __init__(self, sha256: str, stored_bytes: int, gatherer: Gatherer) -> None:
        self._sha256 = sha256
        self._stored_bytes = stored_bytes
        self.ledger = gatherer.ledger
        self.gatherer = gatherer
        self.read: Callable[[], Iterator[Batch]] = lambda: iter(())
        self.check: Callable[[], None] = lambda: None

    @property
    def sha256(self) -> str:
        """Digest of the stored bytes; of bytes that nobody could read, a digest that no bytes have."""
        return self._sha256

    @property
    def stored_bytes(self) -> int:
        """How many bytes those are."""
        return self._stored_bytes

    @property
    def unread(self) -> Sequence[Unread]:
        """What could not be read, by rising rows."""
        return self.ledger.unread

    @property
    def repaired(self) -> int:
        """Documents with bytes that are no UTF-8."""
        return self.ledger.repaired

    @property
    def rows(self) -> int:
        """Documents in the shard, as far as they could be counted."""
        return self.ledger.rows

    def batches(self) -> Iterator[Batch]:
        """The documents, once, in order. Raises ShardChanged where the stored bytes are no longer the same."""
        try:
            yield from self.read()
        except Torn as torn:
            self.ledger.miss(self.ledger.rows, torn.reason, 0, torn.stored)
        yield from self.gatherer.finish()
        self.check()


class FileReader:
    """Reads files of this machine, object stores and the hub (`interface.Reader`)."""

    def __init__(self, batch_bytes: int = BATCH_BYTES) -> None:
        self._batch_bytes = batch_bytes

    def plan(self, inputs: Sequence[str], selection: Selection) -> list[Shard]:
        """The shards of inputs, in the order of their names, which does not depend on the machine.

        Raises UsageError for what is not there or cannot be opened, MalformedInput for a column that is missing or not
        text and for an input of which nothing can be read, MissingExtra for a package that it takes to read it.
        """
        return plan_inputs(inputs, selection)

    @contextlib.contextmanager
    def open(self, shard: Shard, selection: Selection, *, about: bool = True) -> Iterator[FileReading]:
        """Begin to read a shard. Raises ShardChanged where it is gone or not as it was planned."""
        gatherer = Gatherer(Ledger(), self._batch_bytes, selection.max_document_bytes, keeps_about=about)
        with contextlib.ExitStack() as stack:
            try:
                reading = self._begin(shard, selection, gatherer, stack)
            except Torn as torn:
                reading = self._give_up(shard, torn, gatherer)
            yield reading

    def _give_up(self, shard: Shard, torn: Torn, gatherer: Gatherer) -> FileReading:
        reading = FileReading(digest_unreadable(torn.reason, shard.files), 0, gatherer)
        one = shard.form == "text"
        reading.ledger.miss(0, torn.reason, int(one), shard.bytes)
        reading.ledger.rows = int(one)
        return reading

    def _begin(
        self, shard: Shard, selection: Selection, gatherer: Gatherer, stack: contextlib.ExitStack
    ) -> FileReading:
        if is_group(shard.files):
            group = FileGroup(shard.files, selection.max_document_bytes, shard.bytes)
            reading = FileReading(group.sha256, group.size, gatherer)
            reading.read = lambda: group.read(reading.ledger, reading.gatherer)
            return reading
        place = shard.files[0]
        stretches = _find_part(shard)
        file = stack.enter_context(open_place(place, stretches))
        if stretches is None:
            stretches = [(0, file.seek(0, 2))]
        if sum(end - start for start, end in stretches) != shard.bytes:
            raise changed(place, "changed since it was planned")
        stored = StoredBytes(file, stretches, place, hold=shard.form != "parquet")
        reading = FileReading(stored.sha256, stored.size, gatherer)
        if shard.form == "parquet":
            reading.read = lambda: _read_parquet(shard, selection, stored, reading)
            reading.check = stored.check_unchanged
        else:
            blocks = stored.blocks()
            reading.read = lambda: self._read_stream(shard, selection, blocks, reading)
            reading.check = lambda: _exhaust(blocks)
        return reading

    def _read_stream(
        self, shard: Shard, selection: Selection, stored: Iterator[Bytes], reading: FileReading
    ) -> Iterator[Batch]:
        limit = selection.max_document_bytes
        blocks = inflate(stored, reading.stored_bytes, shard.compression)
        if shard.form == "jsonl":
            return LineReader(blocks, selection, reading.ledger, reading.gatherer, self._batch_bytes).read()
        if shard.form == "csv":
            delimiter = delimiter_of(shard.files[0])
            return RowReader(
                blocks, delimiter, selection, reading.ledger, reading.gatherer, self._batch_bytes
            ).read()
        if shard.form == "warc":
            return ArchiveReader(blocks, limit, reading.ledger, reading.gatherer).read()
        return read_text(blocks, limit, reading.ledger, reading.gatherer)


def _exhaust(blocks: Iterator[Bytes]) -> None:
    """Read what is left of the stored bytes, so that their digest is compared."""
    with contextlib.suppress(Torn):
        for _ in blocks:
            pass


def _find_part(shard: Shard) -> list[tuple[int, int]] | None:
    """The stored bytes of a part of a file, or None for a whole one."""
    if shard.start == 0 and shard.end == 0:
        return None
    if shard.form != "parquet":
        return [(shard.start, shard.end)]
    place = shard.files[0]
    try:
        with peek_place(place) as source:
            footer = ParquetFile(source).footer()
    except Torn as torn:
        if torn.reason in (reasons.FORBIDDEN, reasons.UNREADABLE):
            raise
        raise changed(place, "changed since it was planned") from None
    if shard.end > len(footer.groups):
        raise changed(place, "changed since it was planned")
    return find_stretches(footer, shard.start, shard.end)


def _read_parquet(
    shard: Shard, selection: Selection, stored: StoredBytes, reading: FileReading
) -> Iterator[Batch]:
    table = ParquetFile(stored.file)
    start, end = shard.start, shard.end or len(table.groups)
    try:
        columns = table.choose(selection, shard.files[0])
    except MalformedInput:
        rows = sum(table.groups[place].rows for place in range(start, end))
        reading.ledger.miss(0, reasons.NO_COLUMN, rows)
        reading.ledger.rows = rows
        return
    yield from read_groups(
        table, start, end, columns, selection.max_document_bytes, reading.ledger, reading.gatherer
    )
