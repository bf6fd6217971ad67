"""Auditing a log: everything that it serves is recomputed, and held against what was seen before and what peers saw.

1. the checkpoint is signed by the log's key
2. it is held against the last one seen: a log that shrank, or signed another tree of the same size, is found
3. the entries are read; every tile and the root are recomputed from them
4. the tree begins with the one seen before: a log that rewrote an entry is found, and the entry named
5. so it does with every checkpoint that peers and witnesses show
6. the checkpoint and the leaf hashes are remembered, where nothing was found

What is found is a value: the audit goes on after a finding as far as it can.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from verilabel.errors import LimitExceeded, MalformedInput, SealError, UsageError
from verilabel.evidence.consistency import consistency_bytes
from verilabel.evidence.keys import PublicKey
from verilabel.evidence.log import Entry, LocalLog, parse_entry
from verilabel.evidence.merkle import Tree, consistency_proof, leaf_hash, root_at
from verilabel.evidence.note import MAX_NOTE_BYTES, Checkpoint, open_checkpoint
from verilabel.evidence.others.signed import LOGGED_AS
from verilabel.transparency.comparing import compare_growth, shrunken, split_view
from verilabel.transparency.fetching import check_url, send_request
from verilabel.transparency.local_tiles import LocalTiles
from verilabel.transparency.memory import Finding, Memory
from verilabel.transparency.tiles import (
    CHECKPOINT_PATH,
    TILE_HEIGHT,
    TILE_WIDTH,
    TileNodes,
    TileSource,
    bundles_of,
    read_entries,
    read_hashes,
    tiles_of,
)
from verilabel.transparency.witness_protocol import seen_path

MAX_ENTRIES = 2**24
"""What an audit keeps in memory grows with the log: 32 bytes and more for each entry."""
NOT_COMPARED = "not compared"
Signed = tuple[Checkpoint, bytes]
"""A verified checkpoint and its note."""


@dataclass(frozen=True)
class PeerReport:
    """What one peer or witness has seen of the log."""

    peer: str
    size: int | None
    """Entries under the checkpoint it shows; None where it shows none."""
    outcome: str
    """`agrees`, the kind of the finding, or why nothing could be compared."""

    @property
    def was_compared(self) -> bool:
        """True if what the peer shows was held against the log."""
        return not self.outcome.startswith(NOT_COMPARED)


@dataclass(frozen=True)
class Audited:
    """What an audit recomputed, and everything it found."""

    source: str
    origin: str
    keyid: str
    size: int
    root: str
    earlier: int | None
    """The size that was seen before, or None where the log was met for the first time."""
    entries_read: int
    tiles_compared: int
    kinds: dict[str, int]
    """Of the entries read: how many of each kind; `unknown` are those of kinds that this version does not know."""
    statements: tuple[tuple[int, str], ...]
    """Of the entries read: number and digest of each statement about a label. Who has the label asks for those."""
    peers: tuple[PeerReport, ...]
    findings: tuple[Finding, ...]


@dataclass
class _Audit:
    source: TileSource
    memory: Memory
    now: Signed
    before: Signed | None
    findings: list[Finding] = field(default_factory=list)
    entries: dict[int, Entry | None] = field(default_factory=dict)
    """The entries that were read, by their number."""
    tiles_compared: int = 0

    def find(self, finding: Finding) -> str:
        if finding not in self.findings:
            self.findings.append(finding)
        return finding.kind


def audit_local(
    log: LocalLog, memory: Memory, *, peers: Sequence[str] = (), incremental: bool = False
) -> Audited:
    """Audit a log in a folder: the six steps, and where they find nothing all that is stored besides.

    Raises SealError, naming the first entry that does not fit, for what only the folder's keeper can see.
    """
    audited = audit_log(LocalTiles(log), log.public_key, memory, peers=peers, incremental=incremental)
    if not audited.findings:
        log.audit()
    return audited


def audit_log(
    source: TileSource,
    key: PublicKey,
    memory: Memory,
    *,
    peers: Sequence[str] = (),
    incremental: bool = False,
) -> Audited:
    """Carry out the six steps of the module on one log.

    `peers` are URLs of mirrors or witnesses, or files with a checkpoint. An `incremental` audit reads only entries that
    came since the last one, and takes the leaf hashes of the others from memory. Raises UsageError where the log does
    not answer, SealError where its checkpoint is not signed by `key`, LimitExceeded beyond `MAX_ENTRIES`.
    """
    before = memory.checkpoint()
    note = source.checkpoint()
    now = open_checkpoint(note, [key], where=f"{source.name}: checkpoint").checkpoint  # step 1
    audit = _Audit(source, memory, (now, note), before)
    _compare_sizes(audit)  # step 2
    leaves = _recompute(audit, incremental=incremental)  # step 3
    tree = None if leaves is None else Tree(leaves)
    if leaves is not None and tree is not None:
        _compare_earlier(audit, tree, leaves)  # step 4
    reports = [_compare_peer(audit, tree, peer) for peer in peers]  # step 5
    if leaves is not None and not audit.findings:
        memory.keep(note, leaves, seen=None if before is None else before[1])  # step 6
    return Audited(
        source=source.name,
        origin=key.name,
        keyid=key.keyid,
        size=now.size,
        root=now.root.hex(),
        earlier=None if before is None else before[0].size,
        entries_read=len(audit.entries),
        tiles_compared=audit.tiles_compared,
        kinds=dict(Counter("unknown" if e is None else e.kind for e in audit.entries.values())),
        statements=tuple((n, e.digest) for n, e in audit.entries.items() if e and e.kind == LOGGED_AS),
        peers=tuple(reports),
        findings=tuple(audit.findings),
    )


# -- 2


def _compare_sizes(audit: _Audit) -> None:
    if audit.before is None:
        return
    (old, old_note), (now, note) = audit.before, audit.now
    if now.size < old.size:
        audit.find(shrunken(audit.memory, audit.before, audit.now, "this auditor"))
    elif now.size == old.size and now.root != old.root:
        audit.find(split_view(audit.memory, now.size, old_note, note))


# -- 3


def _recompute(audit: _Audit, *, incremental: bool) -> list[bytes] | None:
    """The leaf hashes of all entries, or None where they cannot be read or are not those of the signed root."""
    kept = audit.memory.leaves()[: audit.now[0].size]
    try:
        leaves = _read_leaves(audit, kept if incremental else [])
        if root_at(Tree(leaves), len(leaves)) != audit.now[0].root:
            if incremental and kept:  # what was kept does not fit: read it again, and see which entry changed
                leaves = _read_leaves(audit, [])
            if root_at(Tree(leaves), len(leaves)) != audit.now[0].root:
                _name_other_tree(audit, leaves, kept)
                return None
        _compare_tiles(audit, Tree(leaves))
    except SealError as error:
        place = error.message if error.where is None else f"{error.message} @ {error.where}"
        audit.find(audit.memory.accuse("unreadable", place, {"signed.checkpoint": audit.now[1]}))
        return None
    return leaves


def _read_leaves(audit: _Audit, known: list[bytes]) -> list[bytes]:
    size = audit.now[0].size
    if size > MAX_ENTRIES:
        raise LimitExceeded(
            f"the log signs {size} entries, an audit reads at most {MAX_ENTRIES}", where=audit.source.name
        )
    leaves = list(known)
    for bundle in bundles_of(size, len(known)) if len(known) < size else ():
        entries = read_entries(audit.source, bundle)
        first = bundle.number * TILE_WIDTH
        for number, data in enumerate(entries[len(leaves) - first :], len(leaves)):
            audit.entries[number] = _read_entry(data)
            leaves.append(leaf_hash(data))
    return leaves


def _read_entry(data: bytes) -> Entry | None:
    """The entry, or None for one of a kind that this version does not know: the tree holds it all the same."""
    try:
        return parse_entry(data)
    except MalformedInput:
        return None


def _name_other_tree(audit: _Audit, leaves: list[bytes], kept: list[bytes]) -> None:
    checkpoint, note = audit.now
    entry = _first_difference(leaves, kept)
    if entry is None:
        entry = _first_difference(leaves, _served_leaves(audit))
    named = "" if entry is None else f"; entry {entry} is the first that differs from what was logged"
    message = f"the signed root over {checkpoint.size} entries is not that of the entries it serves{named}"
    audit.find(audit.memory.accuse("another_tree", message, {"signed.checkpoint": note}, entry=entry))


def _served_leaves(audit: _Audit) -> list[bytes]:
    """The leaf hashes that the log serves as tiles, to compare with its entries."""
    leaves: list[bytes] = []
    for tile in tiles_of(audit.now[0].size):
        if tile.level == 0:
            leaves.extend(read_hashes(audit.source, tile))
    return leaves


def _first_difference(leaves: Sequence[bytes], others: Sequence[bytes]) -> int | None:
    return next((n for n, (a, b) in enumerate(zip(leaves, others, strict=False)) if a != b), None)


def _compare_tiles(audit: _Audit, tree: Tree) -> None:
    for tile in tiles_of(tree.size):
        assert tile.level != "entries", "hash tiles alone"
        first = tile.number * TILE_WIDTH
        level = tile.level * TILE_HEIGHT
        expected = [tree.node(level, first + place) for place in range(tile.width)]
        served = read_hashes(audit.source, tile)
        audit.tiles_compared += 1
        place = _first_difference(expected, served)
        if place is not None:
            entry = (first + place) << level
            message = f"{tile.path} is not the tile of the entries, from entry {entry} on"
            files = {"signed.checkpoint": audit.now[1], "served.tile": b"".join(served)}
            audit.find(audit.memory.accuse("wrong_tile", message, files, entry=entry))
            return


# -- 4


def _compare_earlier(audit: _Audit, tree: Tree, leaves: list[bytes]) -> None:
    if audit.before is None or audit.findings:
        return
    old = audit.before[0]
    if root_at(tree, old.size) == old.root:
        return
    entry = _first_difference(audit.memory.leaves()[: old.size], leaves)
    audit.find(_inconsistent(audit, tree, audit.before, audit.now, entry))


def _inconsistent(
    audit: _Audit, tree: Tree, earlier: Signed, later: Signed, entry: int | None, *, peer: str | None = None
) -> Finding:
    named = "" if entry is None else f"; entry {entry} is the first that differs"
    whose = "" if peer is None else f" as {peer} has seen them"
    message = (
        f"the {later[0].size} entries do not begin with the {earlier[0].size} signed earlier{whose}{named}"
    )
    files = {
        "earlier.checkpoint": earlier[1],
        "later.checkpoint": later[1],
        "consistency.json": consistency_bytes(
            earlier[0].size, later[0].size, consistency_proof(tree, earlier[0].size, later[0].size)
        ),
    }
    return audit.memory.accuse("rewritten" if peer is None else "forked", message, files, entry=entry)


# -- 5


def _compare_peer(audit: _Audit, tree: Tree | None, peer: str) -> PeerReport:
    """Hold the checkpoint that a peer shows against the audited tree, or against the checkpoint where that is all."""
    now, note_now = audit.now
    try:
        note = _fetch_seen(peer, audit.memory.key.name)
        seen = open_checkpoint(note, [audit.memory.key], where=peer).checkpoint
    except (UsageError, MalformedInput, SealError) as error:
        return PeerReport(peer, None, f"{NOT_COMPARED}: {error.message}")
    if seen.size > now.size:
        return PeerReport(peer, seen.size, _compare_ahead(audit, (seen, note), peer))
    if seen.size == now.size:
        agrees = seen.root == now.root
        outcome = "agrees" if agrees else audit.find(split_view(audit.memory, now.size, note_now, note))
    elif tree is None:
        outcome = f"{NOT_COMPARED}: the log's entries do not give its signed root"
    elif root_at(tree, seen.size) == seen.root:
        outcome = "agrees"
    else:
        outcome = audit.find(_inconsistent(audit, tree, (seen, note), audit.now, None, peer=peer))
    return PeerReport(peer, seen.size, outcome)


def _compare_ahead(audit: _Audit, seen: Signed, peer: str) -> str:
    """A peer has seen more than the audit: the log has grown meanwhile, or hides what it signed.

    A log that does not answer now is not let off: it signed what the peer shows, and does not serve it.
    """
    signed = {"seen.checkpoint": seen[1]}
    try:
        note = audit.source.checkpoint()
        now = open_checkpoint(note, [audit.memory.key], where=audit.source.name).checkpoint
        if now.size < seen[0].size:
            return audit.find(shrunken(audit.memory, seen, (now, note), peer))
        signed["now.checkpoint"] = note
        nodes = TileNodes(audit.source, now.size)
        finding = compare_growth(audit.memory, nodes, seen, (now, note), kind="forked")
    except (UsageError, MalformedInput, SealError) as error:
        message = f"{peer} has its signature over {seen[0].size} entries, and it shows them no more: {error.message}"
        finding = audit.memory.accuse("unreadable", message, signed)
    return "agrees" if finding is None else audit.find(finding)


def _fetch_seen(peer: str, origin: str) -> bytes:
    """The checkpoint that a mirror, a witness or a file shows."""
    if not peer.startswith(("http://", "https://")):
        path = Path(peer)
        if not path.is_file():
            raise UsageError("no such file, and not an address", where=peer)
        with path.open("rb") as file:
            return file.read(MAX_NOTE_BYTES + 1)
    url = check_url(peer, may_be_plain=True, what="peer")
    answer = None
    for path_ in (CHECKPOINT_PATH, seen_path(origin)):
        answer = send_request(f"{url}/{path_}", headers={"Cache-Control": "no-cache"}, limit=MAX_NOTE_BYTES)
        if answer.status == HTTPStatus.OK:
            return answer.body
    status = "nothing" if answer is None else answer.status
    raise UsageError(f"it shows no checkpoint of this log (it answers {status})", where=peer)
