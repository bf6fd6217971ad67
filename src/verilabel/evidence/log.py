"""A local transparency log: an append-only RFC 6962 tree in a folder, with a signed checkpoint after every
entry.

`Log` is what a label needs of a log, here or on another machine; `LocalLog` is one in a folder. The folder
holds `log.sqlite` (entries, the hashes of complete tree nodes, every checkpoint that was signed, with the
cosignatures it got) and `checkpoint` (the last signed checkpoint, kept apart so that a log that was put back
to an older state is seen). Entries commit to `{"digest", "kind"}` alone: a verifier rebuilds an entry from
the plan or the statement itself. Times beside entries are the keeper's own word; only witnesses'
cosignatures make time part of what is signed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

import msgspec

from verilabel.errors import MalformedInput, SealError, UsageError
from verilabel.evidence.atomic import flush_folder, write_file
from verilabel.evidence.keys import PrivateKey, PublicKey
from verilabel.evidence.log_store import LogStore, broken_log, create_database
from verilabel.evidence.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_at,
    verify_consistency,
)
from verilabel.evidence.note import (
    MAX_NOTE_BYTES,
    Checkpoint,
    Proof,
    merge_cosignatures,
    open_checkpoint,
    sign_checkpoint,
)
from verilabel.records.canonical import is_digest, jcs, parse_json

CHECKPOINT = "checkpoint"
MAX_ENTRY_BYTES = 4096
EntryKind = Literal["verilabel.plan/v1", "verilabel.label/v1", "verilabel.statement/v1"]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is logged: that a plan, a label's statement or another statement with this digest exists."""

    kind: EntryKind
    digest: str

    @property
    def leaf(self) -> bytes:
        """The leaf hash of the entry in the log's tree, 32 bytes."""
        return leaf_hash(self.bytes())

    def bytes(self) -> bytes:
        """The canonical bytes of the entry. Raises MalformedInput where the digest is not one."""
        if not is_digest(self.digest):
            raise MalformedInput(
                "not a digest", where="entry: $.digest", hint="sha256: and 64 hexadecimal digits"
            )
        return jcs(msgspec.to_builtins(self))


class LoggedEntry(msgspec.Struct, frozen=True):
    """An entry with its number and the keeper's time of logging (RFC 3339, not signed), where that is known."""

    number: int
    entry: Entry
    logged: str | None = None


class Audit(msgspec.Struct, frozen=True):
    """What an audit recomputed and found in order."""

    origin: str
    keyid: str
    size: int
    root: str
    """The root as hexadecimal digits."""
    checkpoints: int
    """Signed checkpoints that were checked."""


def parse_entry(data: bytes, *, where: str = "entry") -> Entry:
    """Read the canonical bytes of an entry. Raises MalformedInput."""
    try:
        entry = msgspec.convert(parse_json(data, where=where, max_bytes=MAX_ENTRY_BYTES, max_depth=2), Entry)
    except msgspec.ValidationError as error:
        raise MalformedInput(f"not a log entry: {error}", where=where) from None
    if not is_digest(entry.digest):
        raise MalformedInput(
            "not a digest", where=f"{where}: $.digest", hint="sha256: and 64 hexadecimal digits"
        )
    if jcs(msgspec.to_builtins(entry)) != data:
        raise MalformedInput("the entry is not in its canonical form", where=where)
    return entry


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)


class Log(Protocol):
    """What a label's path needs of a log: to append an entry, and to show that the log only grew."""

    @property
    def public_key(self) -> PublicKey:
        """The key that the log signs with, under the name of its origin."""

    def append(self, entry: Entry) -> Proof:
        """Add an entry and return its proof, which holds. Raises SealError where the log is not sound."""

    def consistency(self, old_size: int, new_size: int | None = None) -> list[bytes]:
        """The proof that the log at `new_size` (by default now) starts with its first `old_size` entries."""

    def close(self) -> None:
        """Let go of files and connections."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class LocalLog:
    """A log in a folder. Any number of processes may append at once; an instance stays in one thread.

    `key` is the log's private key, or None for reading alone. Use as a context manager, or call `close`.
    """

    def __init__(
        self, path: Path, key: PrivateKey | None = None, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self.path = path
        self._clock = clock
        self._where = str(path)
        self._store = LogStore(path, writable=key is not None)
        if key is not None and key.public.raw != self.public_key.raw:
            self._store.close()
            owner = f"{self.public_key.name} ({self.public_key.keyid})"
            raise UsageError(f"this is the log of another key: {owner}", where=self._where)
        self._key = None if key is None else key.named(self.origin)

    @classmethod
    def create(
        cls,
        path: Path,
        key: PrivateKey,
        *,
        origin: str | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> Self:
        """Make an empty log. Its origin, the name under which it signs, is the key's name where none is
        given.

        Raises UsageError where the folder is there already and not empty.
        """
        named = key.named(origin or key.name)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UsageError("the folder of a new log is not empty", where=str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        note = sign_checkpoint(Checkpoint(named.name, 0, EMPTY_ROOT), named)
        # Made beside its place and moved there whole: a log that is half made does not exist.
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as scratch:
            folder = Path(scratch) / path.name
            folder.mkdir()
            create_database(folder, named.public, note)
            write_file(folder / CHECKPOINT, note)
            try:
                folder.rename(path)
            except OSError as error:
                raise UsageError(
                    f"the log cannot be put in place: {error.strerror}", where=str(path)
                ) from None
        flush_folder(path.parent)
        return cls(path, key, clock=clock)

    @classmethod
    def open(
        cls, path: Path, key: PrivateKey | None = None, *, clock: Callable[[], datetime] = utc_now
    ) -> Self:
        """Open a log that is there. Raises UsageError where there is none, or where it belongs to another
        key.
        """
        return cls(path, key, clock=clock)

    def close(self) -> None:
        """Let go of the files."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def public_key(self) -> PublicKey:
        """The key that the log signs with, under the name of its origin."""
        return self._store.public_key

    @property
    def origin(self) -> str:
        """The log's name, under which it signs checkpoints."""
        return self.public_key.name

    @property
    def size(self) -> int:
        """How many entries the log has now."""
        return self._store.size()

    def append(self, entry: Entry) -> Proof:
        """Add an entry and return its proof against the new signed checkpoint: `append_all` of one."""
        return self.append_all([entry])[0]

    def append_all(self, entries: Sequence[Entry]) -> list[Proof]:
        """Add entries in order, all or none, and return their proofs against the last new checkpoint.

        In order, in one transaction: 1 the stored tree still has the root of the last checkpoint that was
        signed, and of the one kept beside; then for each entry 2 it and the nodes it completes are stored; 3 a
        consistency proof from the last checkpoint to the new one holds; 4 the new checkpoint is signed and
        stored. After the transaction: 5 the checkpoint beside is renewed. Raises SealError where 1 or 3
        fails (nothing is signed then), MalformedInput for what is no entry, UsageError where the log is
        open for reading alone or stays locked.
        """
        if self._key is None:
            raise UsageError("this log is open for reading alone", where=self._where)
        documents = [entry.bytes() for entry in entries]
        logged = self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with self._store.transaction("IMMEDIATE"):
            before = last = self._check_last_checkpoint(self._beside())  # step 1
            note = self._store.checkpoint_note()
            for data in documents:
                self._store.add_entry(last.size, data, logged)  # step 2
                new = Checkpoint(self.origin, last.size + 1, root_at(self._store, last.size + 1))
                self._check_growth(last, new)  # step 3
                note = sign_checkpoint(new, self._key)  # step 4
                self._store.add_checkpoint(new.size, note)
                last = new
            paths = [
                inclusion_proof(self._store, number, last.size) for number in range(before.size, last.size)
            ]
        self._renew_beside()  # step 5
        return [Proof(before.size + place, tuple(path), note) for place, path in enumerate(paths)]

    def _renew_beside(self) -> None:
        # The database's write lock also orders the writers of this file, so that it never goes back.
        with self._store.transaction("IMMEDIATE"):
            for left_by_a_killed_writer in self.path.glob(f".{CHECKPOINT}.*.tmp"):
                left_by_a_killed_writer.unlink(missing_ok=True)
            write_file(self.path / CHECKPOINT, self._store.checkpoint_note(), overwrite=True)

    def add_cosignatures(self, size: int, lines: bytes, witnesses: Iterable[PublicKey]) -> bytes:
        """Keep witnesses' cosignatures with the checkpoint over `size` entries; return its note with them.

        Only what verifies with a given key is kept. Raises SealError where a given key's cosignature does not hold
        or none is by a given key, MalformedInput where `lines` are no signature lines.
        """
        with self._store.transaction("IMMEDIATE"):
            note = merge_cosignatures(self._store.checkpoint_note(size), lines, witnesses)
            self._store.replace_checkpoint(size, note)
        self._renew_beside()
        return note

    def checkpoint_note(self, size: int | None = None) -> bytes:
        """The signed checkpoint over `size` entries, by default the last, with the cosignatures it has."""
        return self._store.checkpoint_note(size)

    def hashes(self, level: int, start: int, count: int) -> list[bytes]:
        """The hashes of consecutive complete tree nodes of a level, as they are stored (`audit` checks them).

        Raises SealError where one is missing.
        """
        return self._store.nodes(level, start, count)

    def entry_bytes(self, start: int, count: int) -> list[bytes]:
        """The bytes of consecutive entries, whose hashes are the tree's leaves. Raises SealError where one is
        missing.
        """
        with self._store.transaction("DEFERRED"):
            rows = list(self._store.rows(start, count))
        for number in range(start, start + count):
            if number - start >= len(rows) or rows[number - start][0] != number:
                raise broken_log("the entry is missing", self._where, number)
        return [self._entry(number, data).bytes() for number, data, _ in rows]

    def prove(self, number: int, size: int | None = None) -> Proof:
        """The proof of one entry against the checkpoint over `size` entries, by default the last.

        Raises UsageError where that has no such entry.
        """
        beside = self._beside()  # read first: what is signed later is no sign of a log that shrank
        with self._store.transaction("DEFERRED"):
            checkpoint = self._check_last_checkpoint(beside)
            covered = checkpoint.size if size is None else min(size, checkpoint.size)
            path = inclusion_proof(self._store, number, covered)
            return Proof(number, tuple(path), self._store.checkpoint_note(covered))

    def consistency(self, old_size: int, new_size: int | None = None) -> list[bytes]:
        """The proof that the log at `new_size` (by default now) starts with its first `old_size` entries.

        Raises UsageError where the log is not that large.
        """
        with self._store.transaction("DEFERRED"):
            size = self._store.size()
            new = size if new_size is None else new_size
            if new > size:
                raise UsageError(f"the log has {size} entries, not {new}", where=self._where)
            return consistency_proof(self._store, old_size, new)

    def entries(self, start: int = 0, limit: int = -1) -> list[LoggedEntry]:
        """At most `limit` entries from number `start` on, in order, as they are stored (`audit` checks
        them).
        """
        with self._store.transaction("DEFERRED"):
            return [
                LoggedEntry(number, self._entry(number, data), logged)
                for number, data, logged in self._store.rows(start, limit)
            ]

    def audit(self, *, against: bytes | None = None) -> Audit:
        """Recompute the whole log from its entries and compare everything that is stored.

        In order: 1 the file is sound, 2 entries are numbered without gaps, well formed, and hash to the
        stored nodes, 3 every checkpoint that was signed has the root of its first entries, 4 so has the
        checkpoint kept beside, 5 and the one in `against`, which somebody else may have kept. Raises
        SealError that names the first entry which does not fit.
        """
        kept = [(str(self.path / CHECKPOINT), self._beside())]
        if against is not None:
            kept.append(("the given checkpoint", self._open(against, "the given checkpoint")))
        with self._store.transaction("DEFERRED"):
            self._store.check_file()  # step 1
            frontier = Frontier()
            self._audit_checkpoints(frontier, kept)
            nodes = 0
            for number, data, _ in self._store.rows():
                nodes += self._audit_entry(frontier, number, data)  # step 2
                self._audit_checkpoints(frontier, kept)  # steps 3 to 5
            self._audit_ends(frontier.size, nodes, kept)
        root = frontier.root().hex()
        return Audit(self.origin, self.public_key.keyid, frontier.size, root, frontier.size + 1)

    def _open(self, note: bytes, where: str) -> Checkpoint:
        try:
            opened = open_checkpoint(note, [self.public_key], where=where)
        except MalformedInput as error:
            raise SealError(error.message, where=error.where) from None
        return opened.checkpoint

    def _beside(self) -> Checkpoint:
        path = self.path / CHECKPOINT
        try:
            with path.open("rb") as file:
                note = file.read(MAX_NOTE_BYTES + 1)
        except FileNotFoundError:
            raise broken_log("the checkpoint beside the log is missing", str(path)) from None
        return self._open(note, str(path))

    def _check_last_checkpoint(self, beside: Checkpoint) -> Checkpoint:
        """The last signed checkpoint, which the stored tree and the checkpoint beside agree with."""
        last = self._open(self._store.checkpoint_note(), f"{self._where}: last checkpoint")
        size = self._store.size()
        if last.size != size:
            message = f"a checkpoint was signed over {last.size} entries, there are {size}"
            raise broken_log(message, self._where, min(size, last.size))
        if root_at(self._store, size) != last.root:
            raise broken_log("the stored tree is not the one of the last checkpoint", self._where)
        if beside.size > size:
            raise broken_log(
                f"a checkpoint was signed over {beside.size} entries, {size} are left", self._where, size
            )
        if root_at(self._store, beside.size) != beside.root:
            raise broken_log(
                f"the first {beside.size} entries are not those of the checkpoint beside", self._where
            )
        return last

    def _check_growth(self, last: Checkpoint, new: Checkpoint) -> None:
        proof = consistency_proof(self._store, last.size, new.size)
        try:
            verify_consistency(last.size, new.size, proof, last.root, new.root)
        except SealError:
            raise broken_log(
                "the log would not be an extension of its last checkpoint", self._where
            ) from None

    def _entry(self, number: int, data: object) -> Entry:
        if type(data) is not bytes:
            raise broken_log("the entry is malformed", self._where, number)
        try:
            return parse_entry(data, where=f"entry {number}")
        except MalformedInput as error:
            raise broken_log(f"the entry is malformed: {error.message}", self._where, number) from None

    def _audit_entry(self, frontier: Frontier, number: int, data: object) -> int:
        if number != frontier.size:
            raise broken_log("the entry is missing", self._where, frontier.size)
        completed = frontier.add(self._entry(number, data).leaf)
        for level, hashed in enumerate(completed):
            if self._store.node(level, number >> level) != hashed:
                raise broken_log("the entry does not hash to the stored tree", self._where, number)
        return len(completed)

    def _audit_checkpoints(self, frontier: Frontier, kept: list[tuple[str, Checkpoint]]) -> None:
        size, root = frontier.size, frontier.root()
        signed = self._open(self._store.checkpoint_note(size), f"{self._where}: checkpoint {size}")
        if signed != Checkpoint(self.origin, size, root):
            raise broken_log("the entry is not the one that was signed", self._where, max(size - 1, 0))
        for where, checkpoint in kept:
            if checkpoint.size == size and checkpoint.root != root:
                raise broken_log(f"the first {size} entries are not those of {where}", self._where)

    def _audit_ends(self, size: int, nodes: int, kept: list[tuple[str, Checkpoint]]) -> None:
        for where, checkpoint in kept:
            if checkpoint.size > size:
                message = f"{where} was signed over {checkpoint.size} entries, {size} are left"
                raise broken_log(message, self._where, size)
        if self._store.count("checkpoints") != size + 1:
            raise broken_log(f"a checkpoint was signed over more than {size} entries", self._where, size)
        if self._store.count("nodes") != nodes:
            raise broken_log("the stored tree has nodes without entries", self._where, size)
