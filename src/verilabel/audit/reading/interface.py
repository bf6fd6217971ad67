"""What a shard is, how a person says which text is meant, and what reading a shard gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol

import msgspec

from verilabel.audit.interface import Batch
from verilabel.audit.settings import Form, Selection
from verilabel.errors import MalformedInput

Compression = Literal["", "gz", "zst"]
BATCH_BYTES = 4 * 2**20
"""A batch is closed when its text is longer than this."""


class Shard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the inputs that is read, kept and proven as one."""

    name: str
    """Names it in reports and records: the path below the input that was given, and the part; unique, not absolute."""
    form: Form
    compression: Compression
    files: tuple[str, ...]
    """Where it is read: one path or URL, or the several small files of a folder of texts, sorted."""
    start: int = 0
    end: int = 0
    """The part of a file that was cut: bytes of lines, or row groups of Parquet; both 0 for whole files."""
    bytes: int = 0
    """As stored, for progress; what was read is counted when it is."""


class Unread(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Documents that could not be read. They are never left out silently: each lowers the coverage of the audit."""

    row: int
    """Place of the (first) document in its shard, from 0."""
    reason: str
    """One of a few fixed phrases, such as `not JSON`, `no text`, `longer than the limit`, `broken gzip member`."""
    count: int = 1
    """How many documents; 0 where nobody can know (the rest of a torn file)."""
    bytes: int = 0
    """Stored bytes that were not read, where that is known."""


class ShardChanged(MalformedInput):
    """The bytes of a shard are not, or no longer, those that were planned."""


class Reading(Protocol):
    """A shard that is being read."""

    @property
    def sha256(self) -> str:
        """Digest of the shard's stored bytes (`sha256:...`), known before the first batch."""
        ...

    @property
    def stored_bytes(self) -> int:
        """How many bytes those are."""
        ...

    @property
    def unread(self) -> Sequence[Unread]:
        """What could not be read, by rising rows; whole when the batches are at their end."""
        ...

    @property
    def repaired(self) -> int:
        """Documents with bytes that are no UTF-8, read with U+FFFD in their place."""
        ...

    @property
    def rows(self) -> int:
        """Documents in the shard, those unread that could be counted included; whole at the end."""
        ...

    def batches(self) -> Iterator[Batch]:
        """The documents that can be read, once, in order. Raises ShardChanged where the bytes are no longer the same.

        Damage inside a shard raises nothing: what can be read is read, the rest is `unread`.
        """
        ...


class Reader(Protocol):
    """How inputs are read; `reading.files` has the one implementation."""

    def plan(self, inputs: Sequence[str], selection: Selection) -> list[Shard]:
        """The shards of inputs, in the order of their names, which does not depend on the machine.

        Raises UsageError for what is not there, MalformedInput for a column that is missing or not text.
        """
        ...

    def open(
        self, shard: Shard, selection: Selection, *, about: bool = True
    ) -> AbstractContextManager[Reading]:
        """Begin to read a shard; `about` says whether what its columns say beside the text is wanted.

        Raises ShardChanged where it is gone.
        """
        ...
