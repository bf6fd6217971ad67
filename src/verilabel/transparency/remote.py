"""A log on another machine, with the interface of a local one: nothing it says is believed before it is verified.

Its key is given, or trusted at the first meeting and pinned. Each checkpoint that it shows is held against the
largest one seen before; a log that forked, shrank or was rewritten is refused, and the signed checkpoints are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from verilabel.errors import LimitExceeded, MalformedInput, SealError, UsageError
from verilabel.evidence.keys import KeyType, PublicKey, parse_public, parse_public_file
from verilabel.evidence.log import Entry, LoggedEntry, parse_entry
from verilabel.evidence.merkle import consistency_proof, inclusion_proof, root_at
from verilabel.evidence.note import Checkpoint, Proof, open_checkpoint, open_proof, parse_proof
from verilabel.transparency.comparing import compare_growth, shrunken
from verilabel.transparency.fetching import TIMEOUT_S, HttpTiles, check_url, send_request
from verilabel.transparency.local_tiles import FolderTiles
from verilabel.transparency.memory import Memory, Pins, memory_folder
from verilabel.transparency.tiles import TILE_WIDTH, TileNodes, bundles_of, read_entries

MAX_KEY_FILE_BYTES = 2048
MAX_LISTED = 2**20


def is_url(text: str) -> bool:
    """True if the text is meant as the address of a server rather than as a path."""
    return urlsplit(text).scheme in ("http", "https")


def read_log_key(text: str) -> PublicKey:
    """A log's key from its line, or from the file that holds it. Raises MalformedInput or UsageError."""
    path = Path(text)
    if "+" not in text or path.is_file():
        if not path.is_file():
            raise UsageError(
                "not a key line, and no such file", where=text[:200], hint="NAME+HASH+BASE64, or FILE.vkey"
            )
        with path.open("rb") as file:
            key = parse_public_file(file.read(MAX_KEY_FILE_BYTES), where=text)
    else:
        key = parse_public(text, where="--log-key")
    if key.key_type is not KeyType.ED25519:
        raise MalformedInput("a witness's key does not sign a log's checkpoints", where=text[:200])
    return key


def settle_key(
    url: str,
    given: PublicKey | None,
    pins: Pins,
    *,
    tell: Callable[[str], None],
    source: HttpTiles | FolderTiles | None = None,
) -> PublicKey:
    """The key that the log at a URL is held to: the one given, the one pinned, or the one of a first meeting.

    At the first meeting it is pinned, and `tell` is told. `source` is what lies there, by default a server. Raises
    SealError where the given key is not the pinned one.
    """
    pinned = pins.find(url)
    if pinned is not None:
        if given is not None and given != pinned:
            raise SealError(
                f"this log was met under another key, {pinned.line}",
                where=url,
                hint=f"ask its keeper; if it has a new key by right, remove {pins.path(url)}",
            )
        return pinned
    source = HttpTiles(url) if source is None else source
    key = given if given is not None else source.key()
    open_checkpoint(source.checkpoint(), [key], where=f"{url}/checkpoint")
    pins.pin(url, key)
    if given is None:
        tell(f"{url}: met for the first time; its key from now on is {key.line}")
    return key


class RemoteLog:
    """A log behind a URL (`log.Log`). It blocks while it asks."""

    def __init__(
        self,
        url: str,
        key: PublicKey,
        memory: Memory,
        *,
        token: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.url = url
        self._key = key
        self._memory = memory
        self._token = token
        self._timeout_s = timeout_s
        self._source = HttpTiles(url, timeout_s=timeout_s)
        self._roots: dict[int, bytes] = {}

    @classmethod
    def open(
        cls,
        url: str,
        *,
        key: PublicKey | None = None,
        token: str | None = None,
        state: Path | None = None,
        tell: Callable[[str], None],
    ) -> Self:
        """Meet a log: settle its key, and hold its checkpoint against what was seen of it before.

        `state` is the folder of what was seen, by default the user's own. Raises UsageError where nobody answers,
        PolicyError for plain http to another machine, SealError where the log is not what it was.
        """
        checked = check_url(url, may_be_plain=key is not None and token is None)
        folder = memory_folder() if state is None else state
        settled = settle_key(checked, key, Pins(folder), tell=tell)
        log = cls(checked, settled, Memory(folder, settled), token=token)
        log.checkpoint()
        return log

    @property
    def public_key(self) -> PublicKey:
        """The key that the log is held to."""
        return self._key

    @property
    def origin(self) -> str:
        """The log's name."""
        return self._key.name

    @property
    def memory(self) -> Memory:
        """What was seen of this log."""
        return self._memory

    @property
    def source(self) -> HttpTiles:
        """Its tiles."""
        return self._source

    def checkpoint(self) -> tuple[Checkpoint, bytes]:
        """The log's present checkpoint and its note: signed by its key, and consistent with what was seen before."""
        seen = self._memory.checkpoint()  # read first: what others see later is no sign of a log that shrank
        checkpoint, note = self._fetch() if seen is None else self._check_not_shrunken(seen)
        self._compare(checkpoint, note)
        return checkpoint, note

    def append(self, entry: Entry) -> Proof:
        """Have an entry logged and verify the proof that comes back.

        In order: 1 the entry is sent, 2 the proof is signed by the log's key and includes the entry, 3 its checkpoint
        is consistent with the largest one seen before, which it may replace. Raises UsageError where the server refuses
        or does not answer, SealError where 2 or 3 fails.
        """
        headers = {"Content-Type": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        where = f"{self.url}/add"
        answer = send_request(where, body=entry.bytes(), headers=headers, timeout_s=self._timeout_s)  # step 1
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise UsageError(
                f"the log takes no entries from you: {answer.text}",
                where=where,
                hint="--log-token-env VARIABLE",
            )
        if answer.status != HTTPStatus.OK:
            raise UsageError(f"the log answers {answer.status}: {answer.text}", where=where)
        opened = open_proof(answer.body, entry.leaf, [self._key], where=where)  # step 2
        proof = parse_proof(answer.body, where=where)
        if proof.extra is not None:
            raise SealError("the proof carries data that nothing authenticates", where=where)
        self._compare(opened.checkpoint, proof.checkpoint_note)  # step 3
        return proof

    def consistency(self, old_size: int, new_size: int | None = None) -> list[bytes]:
        """The proof that the log at `new_size` starts with its first `old_size` entries, computed from its tiles.

        Raises SealError where the tiles are not those of a root that the log signed.
        """
        new = self.checkpoint()[0].size if new_size is None else new_size
        nodes = TileNodes(self._source, new)
        if new in self._roots and root_at(nodes, new) != self._roots[new]:
            raise SealError(f"the tiles are not those of the signed tree of {new} entries", where=self.url)
        return consistency_proof(nodes, old_size, new)

    def prove(self, number: int) -> Proof:
        """The proof of one entry against the present checkpoint, computed from tiles and verified against their leaf.

        Raises UsageError where there is no such entry, SealError where the tiles are not those of the signed root.
        """
        checkpoint, note = self.checkpoint()
        nodes = TileNodes(self._source, checkpoint.size)
        path = inclusion_proof(nodes, number, checkpoint.size)
        proof = Proof(number, tuple(path), note)
        open_proof(proof.bytes(), nodes.node(0, number), [self._key], where=self.url)
        return proof

    @property
    def size(self) -> int:
        """How many entries the log has now."""
        return self.checkpoint()[0].size

    def entries(self, start: int = 0) -> list[LoggedEntry]:
        """The entries from number `start` on, in order, as they are served (an audit checks them).

        Raises SealError where they are not whole, MalformedInput for what is no entry, LimitExceeded for too many.
        """
        size = self.size
        if size - start > MAX_LISTED:
            raise LimitExceeded(
                f"{size - start} entries, the limit is {MAX_LISTED}", where=self.url, hint="--last N"
            )
        found = []
        for bundle in bundles_of(size, start) if start < size else ():
            for number, data in enumerate(read_entries(self._source, bundle), bundle.number * TILE_WIDTH):
                if number >= start:
                    found.append(LoggedEntry(number, parse_entry(data, where=f"{self.url}: entry {number}")))
        return found

    def close(self) -> None:
        """Nothing is held open between requests."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _fetch(self) -> tuple[Checkpoint, bytes]:
        note = self._source.checkpoint()
        return open_checkpoint(note, [self._key], where=f"{self.url}/checkpoint").checkpoint, note

    def _check_not_shrunken(self, seen: tuple[Checkpoint, bytes]) -> tuple[Checkpoint, bytes]:
        """The log's present checkpoint, over at least as many entries as the one seen."""
        now = self._fetch()
        if now[0].size < seen[0].size:
            raise shrunken(self._memory, seen, now, "this user").error(self.url)
        return now

    def _compare(self, checkpoint: Checkpoint, note: bytes) -> None:
        """Hold a verified checkpoint against the largest one seen, and remember the larger."""
        seen = self._memory.checkpoint()
        self._roots[checkpoint.size] = checkpoint.root
        if seen is None:
            self._memory.keep(note, seen=None)
            return
        if checkpoint.size < seen[0].size:  # an older proof, or a log that shrank and grew again
            self._check_not_shrunken(seen)
        old, new = sorted([seen, (checkpoint, note)], key=lambda pair: pair[0].size)
        finding = compare_growth(self._memory, TileNodes(self._source, new[0].size), old, new)
        if finding is not None:
            raise finding.error(self.url)
        if checkpoint.size >= seen[0].size:
            self._memory.keep(note, seen=seen[1])
