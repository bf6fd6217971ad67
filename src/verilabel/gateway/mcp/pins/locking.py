"""Lock files: read with their signatures, written whole, opened for the servers that the gateway's file names.

A signed lock is the canonical JSON of a `Lock` in a DSSE envelope of a payload type of its own; an unsigned one is that
JSON and a newline. Where the gateway's file names a trust policy, only a signed lock by somebody trusted counts: a key
or rule for the role `labels` that is limited to no rubrics and no systems, as for packs. Every way in which a lock can
be wrong closes the server: there is no way from a bad lock to a server without one.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from verilabel.errors import LimitExceeded, MalformedInput, SealError, UsageError, VerilabelError
from verilabel.evidence.envelope import MAX_ENVELOPE_BYTES, open_envelope, sign
from verilabel.evidence.keys import PrivateKey, PublicKey, decode_base64
from verilabel.evidence.trust import TrustPolicy
from verilabel.gateway.mcp.pins.examining import ClosedServer, LockedServer, UnlockedServer
from verilabel.gateway.mcp.pins.interface import Pins
from verilabel.gateway.mcp.pins.lock import Lock, LockedObject, LockedTool, digest_tool_set
from verilabel.gateway.mcp.pins.plain_files import read_plain_file
from verilabel.gateway.mcp.policy.document import ServerEntry
from verilabel.gateway.policy.remark import Remark, doubt
from verilabel.records.canonical import is_digest, jcs, parse_json

LOCK_TYPE = "application/vnd.verilabel.mcp-lock+json"
MAX_LOCK_BYTES = MAX_ENVELOPE_BYTES
_MAX_PAYLOAD = MAX_LOCK_BYTES // 4 * 3 - 4096


class ReadLock(NamedTuple):
    """A lock that was read. `keyids` are of the keys that signed; `signers` the names under which they are trusted,
    empty where no trust policy was asked and nothing was verified."""

    lock: Lock
    keyids: tuple[str, ...]
    signers: tuple[str, ...]


class OpenedPins(NamedTuple):
    """What examines a server's offers, and what a person should know about it."""

    pins: Pins
    remarks: tuple[Remark, ...]


def write_lock(lock: Lock, key: PrivateKey | None) -> bytes:
    """The bytes of a lock file, signed where there is a key. Raises LimitExceeded for one that is too large."""
    payload = jcs(msgspec.to_builtins(lock))
    if len(payload) > _MAX_PAYLOAD:
        raise LimitExceeded(
            f"the lock has {len(payload)} bytes, the limit is {_MAX_PAYLOAD}", where=lock.server
        )
    return payload + b"\n" if key is None else sign(payload, key, payload_type=LOCK_TYPE)


def read_lock(data: bytes, *, where: str, trust: TrustPolicy | None = None) -> ReadLock:
    """Read a lock file, and verify its signatures where there is a trust policy.

    Raises SealError where a signature is missing, does not hold or is nobody's who is trusted, MalformedInput for what
    is no lock, LimitExceeded for one that is too large.
    """
    if len(data) > MAX_LOCK_BYTES:
        raise LimitExceeded(f"a lock has at most {MAX_LOCK_BYTES} bytes", where=where)
    if trust is not None:
        return _read_trusted(data, trust, where)
    if not data.startswith(b'{"payload"'):
        return ReadLock(_parse_lock(data.removesuffix(b"\n"), where), (), ())
    payload, keyids = _peek(data, where)
    return ReadLock(_parse_lock(payload, where), keyids, ())


def load_lock(path: Path, *, trust: TrustPolicy | None = None) -> ReadLock:
    """Read the lock at a path. Raises UsageError where there is none, and as `read_lock` does."""
    try:
        data = read_plain_file(path, MAX_LOCK_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            "there is no such lock, so nothing of the server is shown",
            where=str(path),
            hint="verilabel mcp pin CONFIG --server NAME",
        ) from None
    return read_lock(data, where=str(path), trust=trust)


def open_pins(
    entry: ServerEntry, name: str, *, folder: Path, trust: TrustPolicy | None, closed: bool = False
) -> OpenedPins:
    """What examines the offers of a server of the gateway's file; the file's folder is where its paths begin.

    Without `pins` in the entry every sound tool is shown, with a remark. A lock that is named and missing, corrupt or
    not trusted raises (UsageError, MalformedInput, SealError); with `closed` the server shows nothing instead, and a
    remark says why, so that the others can be served.
    """
    place = f"$.servers.{name}"
    if entry.pins is None:
        remark = doubt(
            place, "no pins: a server that changes is not noticed", "verilabel mcp pin, then name the lock"
        )
        return OpenedPins(UnlockedServer(), (remark,))
    try:
        read = load_lock(folder / entry.pins, trust=trust)
        _require_server(read.lock, name, str(folder / entry.pins))
    except (VerilabelError, OSError) as error:
        if not closed:
            raise
        message = error.message if isinstance(error, VerilabelError) else "the lock cannot be read"
        closing = Remark("error", f"{place}.pins", message, getattr(error, "hint", None))
        return OpenedPins(ClosedServer("its lock cannot be used"), (closing,))
    return OpenedPins(LockedServer(read.lock), _remarks(read, trust, place))


def _remarks(read: ReadLock, trust: TrustPolicy | None, place: str) -> tuple[Remark, ...]:
    if trust is not None:
        return ()
    what = "is signed, and nobody asked by whom" if read.keyids else "is not signed"
    return (doubt(f"{place}.pins", f"the lock {what}: `trust` is not set", "trust: trust.yaml"),)


def _require_server(lock: Lock, name: str, where: str) -> None:
    if lock.server != name:
        raise SealError("the lock is another server's", where=where, hint="verilabel mcp pin --update")


def _read_trusted(data: bytes, trust: TrustPolicy, where: str) -> ReadLock:
    if not data.startswith(b'{"payload"'):
        raise SealError(
            "the lock is not signed, and a trust policy is set",
            where=where,
            hint="verilabel mcp pin --key NAME",
        )
    opened = open_envelope(data, trust.keys("labels"), payload_type=LOCK_TYPE, where=where)
    signers = tuple(_trusted_name(key, trust, where) for key in opened.keys)
    return ReadLock(_parse_lock(opened.payload, where), opened.keyids, signers)


def _trusted_name(key: PublicKey, trust: TrustPolicy, where: str) -> str:
    decision = trust.accepts(key, role="labels")
    if not decision.accepted:
        raise SealError(f"the lock's signature does not count: {decision.reason}", where=where)
    return str(decision.name)


def _peek(data: bytes, where: str) -> tuple[bytes, tuple[str, ...]]:
    try:
        document = parse_json(data, where=where, max_bytes=MAX_LOCK_BYTES, max_depth=4)
        kind, payload, signatures = document["payloadType"], document["payload"], document["signatures"]
        keyids = tuple(str(signature["keyid"]) for signature in signatures)
        if kind != LOCK_TYPE or not isinstance(payload, str) or not keyids:
            raise SealError("the envelope holds no lock", where=where)
        return decode_base64(payload, what="the lock", where=where), keyids
    except (MalformedInput, KeyError, TypeError, AttributeError):
        raise SealError("not a lock: the envelope is broken", where=where) from None


def _parse_lock(payload: bytes, where: str) -> Lock:
    try:
        lock = msgspec.json.decode(payload, type=Lock)
        canonical = jcs(msgspec.to_builtins(lock))
    except (msgspec.DecodeError, MalformedInput, RecursionError, UnicodeDecodeError) as error:
        raise MalformedInput(f"not a lock: {str(error)[:200]}", where=where) from None
    # one form alone: no key twice, no other order, no byte that nobody reads
    if canonical != payload:
        raise MalformedInput("the lock is not in its canonical form", where=where)
    _require_consistent(lock, where)
    return lock


def _require_consistent(lock: Lock, where: str) -> None:
    lists: tuple[tuple[str, tuple[LockedTool | LockedObject, ...]], ...] = (
        ("tools", lock.tools),
        ("resources", lock.resources),
        ("prompts", lock.prompts),
    )
    for field, objects in lists:
        names = [each.name for each in objects]
        if names != sorted(set(names)):
            raise MalformedInput("names out of order or twice", where=f"{where}: $.{field}")
        if not all(is_digest(each.digest) and is_digest(each.content) for each in objects):
            raise MalformedInput("a digest that is none", where=f"{where}: $.{field}")
    if lock.tool_set != digest_tool_set(lock.tools):
        raise MalformedInput(
            "the digest of the tool set does not fit the tools", where=f"{where}: $.tool_set"
        )
