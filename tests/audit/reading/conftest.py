"""What tests of reading share: everything that is read of some inputs, as plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from verilabel.audit.interface import Batch
from verilabel.audit.reading.files import FileReader
from verilabel.audit.reading.interface import Shard
from verilabel.audit.settings import Selection


@dataclass
class Everything:
    """All shards of some inputs, read."""

    shards: list[Shard] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    rows: list[tuple[int, int]] = field(default_factory=list)
    """Number of the shard, and row."""
    unread: list[tuple[int, str, int, int]] = field(default_factory=list)
    about: dict[str, list[str | None]] = field(default_factory=dict)
    repaired: int = 0
    counted: int = 0
    stored: int = 0

    @property
    def names(self) -> list[str]:
        return [shard.name for shard in self.shards]

    @property
    def reasons(self) -> list[str]:
        return [reason for _, reason, _, _ in self.unread]


def _check(batch: Batch) -> None:
    assert 0 == batch.offsets[0]
    assert len(batch.data) == batch.offsets[-1]
    assert len(batch) == len(batch.rows)
    assert batch.data.flags.writeable and batch.data.flags.c_contiguous
    assert ("uint8", "int64", "int64") == (
        str(batch.data.dtype),
        str(batch.offsets.dtype),
        str(batch.rows.dtype),
    )
    for document in range(len(batch)):
        batch.text(document).decode("utf-8")
    for values in batch.about.values():
        assert len(batch) == len(values)


def read_inputs(*inputs: object, batch_bytes: int = 4 * 2**20, **selection: object) -> Everything:
    chosen = Selection(**selection)  # type: ignore[arg-type]
    reader = FileReader(batch_bytes)
    everything = Everything()
    for number, shard in enumerate(reader.plan([str(given) for given in inputs], chosen)):
        everything.shards.append(shard)
        with reader.open(shard, chosen) as reading:
            everything.digests.append(reading.sha256)
            for batch in reading.batches():
                _check(batch)
                everything.batches.append(batch)
                for document in range(len(batch)):
                    everything.texts.append(batch.text(document))
                    everything.rows.append((number, int(batch.rows[document])))
                for name in ("url", "date", "licence"):
                    values = list(batch.about.get(name, [None] * len(batch)))
                    everything.about.setdefault(name, []).extend(values)
            everything.unread += [(one.row, one.reason, one.count, one.bytes) for one in reading.unread]
            everything.repaired += reading.repaired
            everything.counted += reading.rows
            everything.stored += reading.stored_bytes
    return everything


@pytest.fixture
def read() -> Callable[..., Everything]:
    """Read everything of some inputs; keyword arguments are of `Selection`, and `batch_bytes`."""
    return read_inputs
