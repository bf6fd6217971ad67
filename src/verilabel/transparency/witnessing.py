"""A witness: it cosigns only checkpoints that extend what it last saw of a log, and never goes back.

Its state is one SQLite file. Comparing a request with the last checkpoint and replacing that is one transaction, on
the disk before the cosignature leaves; so two requests at once, or a kill, cannot make it sign two histories. A witness
that loses its state must not go on under the same key: it would cosign any tree as the first.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from verilabel.errors import MalformedInput, SealError, UsageError
from verilabel.evidence.atomic import flush_folder, write_file
from verilabel.evidence.keys import KeyType, PrivateKey, PublicKey
from verilabel.evidence.log_store import LOCK_TIMEOUT_S, database_errors
from verilabel.evidence.merkle import EMPTY_ROOT, verify_consistency
from verilabel.evidence.note import (
    Checkpoint,
    Note,
    cosignature_line,
    open_checkpoint,
    parse_checkpoint_text,
    parse_note,
)
from verilabel.records.canonical import sha256_hex
from verilabel.transparency.witness_protocol import SIZE_TYPE, CosignRequest, parse_request

DATABASE = "witness.sqlite"
REFUSED = "refused"
MAX_REFUSED_KEPT = 1000
TEXT_TYPE = "text/plain; charset=utf-8"
_FORMAT = "verilabel/witness/v1"
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS logs (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, note BLOB NOT NULL)"
    " WITHOUT ROWID",
)


@dataclass(frozen=True)
class Reply:
    """What the witness answers over HTTP."""

    status: HTTPStatus
    body: bytes
    content_type: str = TEXT_TYPE


class Witness:
    """A witness with its key, the logs that it knows by their keys, and its state in a folder.

    Any number of threads and processes may share the folder. Raises UsageError where the folder belongs to another
    witness, MalformedInput where a log's key is the witness's own.
    """

    def __init__(
        self,
        key: PrivateKey,
        log_keys: Sequence[PublicKey],
        folder: Path,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if any(log_key.raw == key.public.raw for log_key in log_keys):
            raise MalformedInput("a log cannot be its own witness", hint="give the witness a key of its own")
        self._key = key
        self._folder = folder
        self._clock = clock
        self._known: dict[str, list[PublicKey]] = {}
        for log_key in log_keys:
            self._known.setdefault(log_key.name, []).append(log_key)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._prepare()

    @property
    def public_key(self) -> PublicKey:
        """The key that its cosignatures verify with."""
        return self._key.public.of_type(KeyType.COSIGNATURE)

    def add_checkpoint(self, body: bytes) -> Reply:
        """Answer an `add-checkpoint` request (C2SP tlog-witness).

        In order: 1 the form (400), 2 the origin is known (404), 3 a known key of that log signed (403), 4 the old size
        is not above the new (400); then in one transaction 5 the old size is the one last cosigned (409 with that
        size), 6 the same size has the same root (409), 7 the proof leads from the old root to the new (422), 8 the
        checkpoint is kept; and 9 cosigned. Raises SealError or UsageError where the state cannot be used.
        """
        try:
            request = parse_request(body)  # step 1
        except MalformedInput as error:
            return _refuse(HTTPStatus.BAD_REQUEST, error.message)
        checkpoint = request.checkpoint
        if checkpoint.origin not in self._known:  # step 2
            return _refuse(HTTPStatus.NOT_FOUND, "this witness does not know the log")
        try:
            open_checkpoint(request.note, self._known[checkpoint.origin])  # step 3
        except (SealError, MalformedInput) as error:
            return _refuse(HTTPStatus.FORBIDDEN, error.message)
        if request.old_size > checkpoint.size:  # step 4
            return _refuse(HTTPStatus.BAD_REQUEST, "the old size is above the checkpoint's")
        with self._transaction() as connection:
            refusal = self._compare(connection, request)  # steps 5 to 7
            if refusal is not None:
                return refusal
            connection.execute(  # step 8
                "INSERT INTO logs VALUES (?, ?, ?) ON CONFLICT (origin)"
                " DO UPDATE SET size = excluded.size, note = excluded.note",
                (checkpoint.origin, checkpoint.size, self._signed_by_log(request.note)),
            )
        line = cosignature_line(request.note, self._key, time=int(self._clock()))  # step 9
        return Reply(HTTPStatus.OK, line.encode("utf-8"))

    def seen(self, origin_digest: str) -> bytes | None:
        """The last checkpoint that was cosigned of the log whose origin has this SHA-256, or None.

        It has the log's own signatures alone.
        """
        origin = next(
            (name for name in self._known if sha256_hex(name.encode("utf-8")) == origin_digest), None
        )
        if origin is None:
            return None
        with self._transaction() as connection:
            last = self._last(connection, origin)
        return None if last is None else last[1]

    def _compare(self, connection: sqlite3.Connection, request: CosignRequest) -> Reply | None:
        new = request.checkpoint
        last = self._last(connection, new.origin)
        old, note = (Checkpoint(new.origin, 0, EMPTY_ROOT), b"") if last is None else last
        if request.old_size != old.size:  # step 5
            return Reply(HTTPStatus.CONFLICT, f"{old.size}\n".encode("ascii"), SIZE_TYPE)
        if new.size == old.size and new.root != old.root:  # step 6
            self._keep_refused(note, request.note)
            return _refuse(HTTPStatus.CONFLICT, "another tree of this size was signed before")
        try:
            verify_consistency(old.size, new.size, request.proof, old.root, new.root)  # step 7
        except SealError as error:
            self._keep_refused(note, request.note)
            return _refuse(HTTPStatus.UNPROCESSABLE_ENTITY, error.message)
        return None

    def _last(self, connection: sqlite3.Connection, origin: str) -> tuple[Checkpoint, bytes] | None:
        row = connection.execute("SELECT size, note FROM logs WHERE origin = ?", (origin,)).fetchone()
        if row is None:
            return None
        checkpoint = parse_checkpoint_text(parse_note(row[1], where=DATABASE).text, where=DATABASE)
        if checkpoint.size != row[0] or checkpoint.origin != origin:
            raise SealError("the witness's state does not hold", where=str(self._folder / DATABASE))
        return checkpoint, row[1]

    def _keep_refused(self, earlier: bytes, refused: bytes) -> None:
        """Signed by the log's key and not consistent as it was shown: it may be proof that the log forked."""
        folder = self._folder / REFUSED
        folder.mkdir(mode=0o700, exist_ok=True)
        # anybody can hang lines of unknown keys on a checkpoint: they must not fill the folder with one refusal
        refused = self._signed_by_log(refused)
        path = folder / f"{sha256_hex(earlier + refused)[:32]}.checkpoints"
        if not path.exists() and len(list(folder.iterdir())) < MAX_REFUSED_KEPT:
            write_file(path, earlier + b"\n" + refused, overwrite=True)

    def _signed_by_log(self, note: bytes) -> bytes:
        """A checkpoint with the signatures of its log's known keys alone, which were verified."""
        parsed = parse_note(note)
        origin = parse_checkpoint_text(parsed.text).origin
        known = {(key.name, key.note_hash) for key in self._known[origin]}
        own = tuple(s for s in parsed.signatures if (s.name, s.note_hash) in known)
        return Note(parsed.text, own).bytes()

    def _prepare(self) -> None:
        with self._transaction() as connection:
            for statement in _SCHEMA:
                connection.execute(statement)
            facts = {"format": _FORMAT, "key": self.public_key.line}
            meta = dict(connection.execute("SELECT name, value FROM meta"))
            if not meta:
                connection.executemany("INSERT INTO meta VALUES (?, ?)", list(facts.items()))
            elif meta != facts:
                raise UsageError(
                    "this is the state of another witness", where=str(self._folder), hint=meta.get("key")
                )
        flush_folder(self._folder)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        where = str(self._folder / DATABASE)
        with database_errors(where):
            connection = sqlite3.connect(where, isolation_level=None, timeout=LOCK_TIMEOUT_S)
            try:
                connection.execute("PRAGMA trusted_schema = OFF")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    connection.rollback()
                    raise
                connection.commit()
            finally:
                connection.close()


def _refuse(status: HTTPStatus, message: str) -> Reply:
    return Reply(status, f"{message}\n".encode("utf-8", "replace"))
