"""What this user has seen of logs: pinned keys, the largest checkpoint of each log, evidence of misbehaviour.

    DIR/keys/URLDIGEST.vkey              the key that a URL's log is held to, since the first meeting
    DIR/KEYDIGEST/checkpoint             the largest checkpoint that was seen and found consistent
    DIR/KEYDIGEST/leaves                 its leaf hashes, 32 bytes each, where the log was audited
    DIR/KEYDIGEST/evidence/KIND-DIGEST/  checkpoints that one honest log cannot both have signed

What is remembered belongs to the log's key, not to the address at which it was met: two mirrors that show two
histories are held against each other.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from verilabel.errors import SealError
from verilabel.evidence.atomic import write_file
from verilabel.evidence.keys import PublicKey, home_folder, load_public
from verilabel.evidence.merkle import HASH_BYTES
from verilabel.evidence.note import MAX_NOTE_BYTES, Checkpoint, open_checkpoint
from verilabel.records.canonical import sha256_hex

FindingKind = Literal["forked", "shrunk", "rewritten", "another_tree", "wrong_tile", "unreadable"]
CHECKPOINT = "checkpoint"
LEAVES = "leaves"
LOCK = "lock"
EVIDENCE = "evidence"
MAX_LEAVES_KEPT = 2**24


@dataclass(frozen=True)
class Finding:
    """One way in which a log is not what it must be.

    `forked`: it signed two trees, one of which does not begin with the other. `shrunk`: it shows fewer entries than it
    signed before. `rewritten`: it grew, and changed what it had. `another_tree`: it signed a root that is not that of
    the entries it serves. `wrong_tile`: a tile is not that of its entries. `unreadable`: it does not serve what it
    signed. The first four come with signed checkpoints, which show it to anybody.
    """

    kind: FindingKind
    message: str
    entry: int | None = None
    """The first entry that does not fit, where that is known."""
    evidence: Path | None = None
    """Where the checkpoints are kept."""

    def error(self, where: str) -> SealError:
        """The finding as an error, for callers that cannot go on."""
        hint = None if self.evidence is None else f"the signed checkpoints are kept in {self.evidence}"
        return SealError(f"the log is {self.kind}: {self.message}", where=where, hint=hint)


def memory_folder() -> Path:
    """Where a user's memory of logs lives: `logs` in the folder of keys and the local log."""
    return home_folder() / "logs"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One program at a time; the lock goes with the process that has it."""
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Pins:
    """Which key each URL's log is held to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "keys"

    def path(self, url: str) -> Path:
        """The file of a URL's pin."""
        return self._folder / f"{sha256_hex(url.encode('utf-8'))[:32]}.vkey"

    def find(self, url: str) -> PublicKey | None:
        """The key that the URL is held to, or None at a first meeting. Raises MalformedInput for a damaged pin."""
        path = self.path(url)
        return load_public(path) if path.exists() else None

    def pin(self, url: str, key: PublicKey) -> None:
        """Hold the URL to a key. Raises UsageError where it is pinned already."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_file(self.path(url), key.file_bytes())


class Memory:
    """What was seen of the log with one key."""

    def __init__(self, folder: Path, key: PublicKey) -> None:
        self.key = key
        self.folder = folder / sha256_hex(key.file_bytes())[:32]

    def checkpoint(self) -> tuple[Checkpoint, bytes] | None:
        """The largest checkpoint that was seen, and its note. Raises SealError where it was tampered with."""
        path = self.folder / CHECKPOINT
        if not path.exists():
            return None
        with path.open("rb") as file:
            note = file.read(MAX_NOTE_BYTES + 1)
        return open_checkpoint(note, [self.key], where=str(path)).checkpoint, note

    def leaves(self) -> list[bytes]:
        """The leaf hashes of the last audit; none where there was no audit or the file is not whole."""
        path = self.folder / LEAVES
        if not path.exists() or path.stat().st_size % HASH_BYTES:
            return []
        data = path.read_bytes()
        return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]

    def keep(self, note: bytes, leaves: list[bytes] | None = None, *, seen: bytes | None = None) -> None:
        """Remember a checkpoint that was found consistent with what was seen before, and its leaves after an audit.

        `seen` is the note that it was compared with, None where there was none. Where another program has kept another
        one meanwhile, that one stays, for nobody has compared the two: what was seen never goes back or forks.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(self.folder / LOCK):
            kept = self.checkpoint()
            if (None if kept is None else kept[1]) != seen:
                return
            if leaves is not None and len(leaves) <= MAX_LEAVES_KEPT:
                write_file(self.folder / LEAVES, b"".join(leaves), overwrite=True)
            write_file(self.folder / CHECKPOINT, note, overwrite=True)

    def accuse(
        self, kind: FindingKind, message: str, files: Mapping[str, bytes], *, entry: int | None = None
    ) -> Finding:
        """Keep what shows a finding, in a folder of its own, and return the finding with its place."""
        parts = [kind.encode(), *(b"%s\0%s" % (name.encode(), files[name]) for name in sorted(files))]
        folder = self.folder / EVIDENCE / f"{kind}-{sha256_hex(b''.join(parts))[:12]}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        document = {"finding": kind, "message": message, "log": self.key.line}
        if entry is not None:
            document["entry"] = str(entry)
        for name, data in files.items():
            write_file(folder / name, data, overwrite=True)
        summary = json.dumps(document, indent=2, ensure_ascii=False).encode("utf-8") + b"\n"
        write_file(folder / "finding.json", summary, overwrite=True)
        return Finding(kind, message, entry, folder)
