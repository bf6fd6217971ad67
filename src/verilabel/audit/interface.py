"""What the checks of an audit are given, and what they give: arrays over a batch of documents, no Python a document.

A shard is read as batches. Every batch is cut into words once, and every check sees the same batch and the same words.
What a check finds becomes columns of the per-document records (fixed width, so that a record's bytes are its packed
row), findings (stretches of text, kept as positions and keyed digests, never as text), and rows of tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from verilabel.audit.settings import AuditSettings

Bytes = npt.NDArray[np.uint8]
Positions = npt.NDArray[np.int64]
Offsets = npt.NDArray[np.int32]
Hashes = npt.NDArray[np.uint64]
Values = npt.NDArray[Any]
"""One value a document, of a column's type."""

ColumnType = Literal["u1", "u2", "u4", "u8", "i8", "f4"]
"""Little-endian and packed: unsigned and signed integers, and a 32-bit float."""


class Batch(NamedTuple):
    """Some documents of a shard, in order, their texts behind one another in one buffer."""

    data: Bytes
    """Valid UTF-8, less than 2**31 bytes; document i is `data[offsets[i]:offsets[i + 1]]`."""
    offsets: Positions
    """Of n + 1 positions, beginning with 0."""
    rows: Positions
    """The place of each document in its shard, rising. One that could not be read is not here, and keeps its place."""
    about: Mapping[str, Sequence[str | None]] = {}
    """What the source says of each document, where it has such columns: `url`, `date`, `licence`."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def text(self, document: int) -> bytes:
        """The text of one document of the batch."""
        return self.data[self.offsets[document] : self.offsets[document + 1]].tobytes()


class Words(NamedTuple):
    """The words of a batch (`kernels.tokens.cut_words`). Word t is `data[starts[t]:ends[t]]`, of hash `hashes[t]`.

    A word is a run of letters, digits and bytes beyond ASCII, lower-cased in ASCII; every character of Chinese,
    Japanese and Korean is a word. Document i has the words `documents[i]` up to `documents[i + 1]`. Only `documents` is
    there where no check reads words.
    """

    hashes: Hashes
    starts: Offsets
    ends: Offsets
    documents: Offsets


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column of the per-document records."""

    name: str
    """Lower case letters, digits and underscores; unique in an audit, so begun with the check's name."""
    type: ColumnType
    words: str
    """What it says, in a few words."""
    values: tuple[str, ...] = ()
    """Names of the values 0, 1, 2, ... where the column is a choice; the audit counts documents by them."""


class Error(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often a kind was found, and found rightly, on a set with known answers."""

    source: str
    """The set, such as `planted` or `presidio-research generated_large (held out)`."""
    planted: int
    found: int
    """Of those planted; recall is found / planted."""
    claimed: int
    correct: int
    """Of those claimed; precision is correct / claimed."""


class Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of finding, such as `pii.email`. The engine counts findings of it a document, in a column of its own."""

    id: str
    """Dotted, lower case; the column is `pii_email`."""
    words: str
    errors: tuple[Error, ...] = ()


class CheckCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a check is, exactly: two checks with equal cards find the same in the same batch."""

    name: str
    version: str
    data_sha256: str
    """Digest over every rule, list, index and parameter that a finding depends on."""
    words: str
    """What it looks for and how, in one sentence."""
    limits: str
    """What it does not find, in one sentence: a reader of the report sees it."""
    kinds: tuple[Kind, ...] = ()
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True)
class Findings:
    """Stretches of text that a check found in a batch, sorted by document and start; all arrays of one length."""

    document: Offsets
    """Index in the batch."""
    kind: npt.NDArray[np.uint16]
    """Index into the card's kinds."""
    start: Positions
    """Byte positions in the batch's data, inside the document."""
    end: Positions


@dataclass(frozen=True)
class Examined:
    """What a check gives for one batch."""

    columns: Mapping[str, Values] = field(default_factory=dict)
    """Every column of the card, one value a document, of the column's type."""
    findings: Findings | None = None
    tables: Mapping[str, Mapping[str, Values | Sequence[Any]]] = field(default_factory=dict)
    """Name to columns of equal length: rows beside the records. A column `document` holds indexes in the batch; the
    engine turns them into `row`s of the shard and keeps the table a shard. Values are integers, floats or texts (never
    text of a document: a benchmark's item, an SPDX id, a host name)."""
    spill: Mapping[str, Values] = field(default_factory=dict)
    """Arrays whose first axis is the document, for a later stage (signatures, keys). Kept while the audit runs."""


class Check(Protocol):
    """One check. Opened once a worker, used for every batch there; pure, deterministic, never raises on any text."""

    @property
    def card(self) -> CheckCard:
        """What it is."""
        ...

    @property
    def reads_words(self) -> bool:
        """Whether it looks at the words: they are cut where some check does."""
        ...

    def examine(self, batch: Batch, words: Words) -> Examined:
        """Look at a batch."""
        ...


class Opening(Protocol):
    """How a check comes into being; every check's package has one, called `OPENING`, in its `opening` module.

    Indexes that are built once and read by many (benchmarks, texts of licences) are written by `prepare` into a folder
    that all workers can read, and mapped into memory by `open`.
    """

    def prepare(self, settings: AuditSettings, folder: Path) -> None:
        """Build what `open` reads, in the driver, once an audit. Atomic; does nothing where it is there already.

        Raises UsageError for settings that cannot be carried out.
        """
        ...

    def open(self, settings: AuditSettings, folder: Path) -> Check:
        """The check, in a worker. Never touches the network."""
        ...
