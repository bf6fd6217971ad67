"""What the driver of an audit and its workers say to each other, and what an executor is.

A task is a few bytes of JSON, its result too; what is large lies in the work folder, which all workers reach. It may be
done twice, by two workers at once, or by one that is killed in its midst: what it leaves is named by what went into
it, appears whole or not at all, and is the same every time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Literal, Protocol

import msgspec

from verilabel.audit.canaries.recall import Recall
from verilabel.audit.interface import CheckCard
from verilabel.audit.proof.shards import ListedFile
from verilabel.audit.reading.interface import Shard
from verilabel.audit.settings import AuditSettings


class PrepareTask(msgspec.Struct, frozen=True, tag="prepare"):
    """Build the indexes of the checks, and compile what this machine has not compiled yet."""

    settings: AuditSettings


class MapTask(msgspec.Struct, frozen=True, tag="map"):
    """Read a shard and have every check look at it."""

    index: int
    shard: Shard


class ReduceTask(msgspec.Struct, frozen=True, tag="reduce"):
    """Compare the documents of all shards whose keys lie in one partition."""

    partition: int
    of: int


class FinishTask(msgspec.Struct, frozen=True, tag="finish"):
    """Join a shard's records with its duplicates, and take its root."""

    index: int
    key: str
    first: int
    """Number of the shard's first document among all that were read."""
    documents: int
    """How many were read in all."""


class CanaryTask(msgspec.Struct, frozen=True, tag="canary"):
    """Plant so many values of each format in copies of a shard's documents, and look for them."""

    key: str
    sha256: str
    per_format: int


class FetchTask(msgspec.Struct, frozen=True, tag="fetch"):
    """Read some documents of a shard again, for the sample."""

    index: int
    shard: Shard
    sha256: str
    rows: tuple[int, ...]


Task = PrepareTask | MapTask | ReduceTask | FinishTask | CanaryTask | FetchTask


class Advance(msgspec.Struct, frozen=True):
    """How far a worker has come in a task; what it says is added up."""

    text_bytes: int
    documents: int
    findings: int

    def __add__(self, other: Advance) -> Advance:
        """Both together."""
        return Advance(
            self.text_bytes + other.text_bytes,
            self.documents + other.documents,
            self.findings + other.findings,
        )

    def __sub__(self, other: Advance) -> Advance:
        """What is left when the other is taken back."""
        return Advance(
            self.text_bytes - other.text_bytes,
            self.documents - other.documents,
            self.findings - other.findings,
        )


class Prepared(msgspec.Struct, frozen=True, tag="prepared"):
    """What the checks are."""

    cards: tuple[CheckCard, ...]


class Mapped(msgspec.Struct, frozen=True, tag="mapped"):
    """What a shard held. Everything but `index` and `is_reused` follows from the shard's bytes and the settings."""

    index: int
    key: str
    """Names its folder below `map/`."""
    sha256: str
    stored_bytes: int
    rows: int
    read: int
    repaired: int
    text_bytes: int
    unread: int
    unknown: int
    """Places where nobody can know how many documents were not read."""
    unread_bytes: int
    findings: int
    is_reused: bool = False
    """True if it was kept before, by a run that was broken off or for an equal shard."""


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """A shard's root and files."""

    index: int
    root: str
    words: int
    files: tuple[ListedFile, ...]
    kinds: tuple[tuple[int, int], ...]
    """Of each kind: findings, documents with any."""
    choices: dict[str, dict[int, int]]
    """Column to value to documents, for columns that are choices."""


class Planted(msgspec.Struct, frozen=True, tag="planted"):
    """What was planted in a shard's copies, and found."""

    counts: tuple[Recall, ...]


class Nothing(msgspec.Struct, frozen=True, tag="nothing"):
    """The result is in the work folder."""


Outcome = Prepared | Mapped | Finished | Planted | Nothing
Report = Callable[[Advance], None]


class Executor(Protocol):
    """Runs tasks somewhere. Workers that die are replaced, and their tasks are given to others, up to three times."""

    @property
    def name(self) -> str:
        """What runs, in words: `2 local workers`."""
        ...

    def run(self, work: str, tasks: Sequence[Task], report: Report) -> AsyncIterator[tuple[int, bytes]]:
        """The results of tasks as JSON, as they come, each with the place of its task in the list.

        Raises the error of the tree that a task raised, SandboxError where workers die again and again.
        """
        ...

    async def close(self) -> None:
        """End all workers."""
        ...


EngineKind = Literal["local", "ray"]
