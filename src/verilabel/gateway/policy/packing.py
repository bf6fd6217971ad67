"""Packs: a policy's exact bytes in one signed envelope, shared as a file, pinned by the digest of those bytes.

There is a kind of pack for each kind of policy, told apart by the type of payload that is signed with it.

A pack is data alone: reading one runs nothing. What is pinned is the policy's own identity, `sha256:` over its bytes,
so that the same policy signed by somebody else still fits its pin. Packs are kept as
`$VERILABEL_HOME/policies/HEX.pack`, and a configuration names one as `pack:NAME@sha256:HEX`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from verilabel.errors import LimitExceeded, MalformedInput, SealError, UsageError
from verilabel.evidence.atomic import write_file
from verilabel.evidence.envelope import open_envelope, sign
from verilabel.evidence.keys import PrivateKey, PublicKey, decode_base64
from verilabel.evidence.trust import TrustPolicy
from verilabel.gateway.policy.document import Policy
from verilabel.gateway.policy.forms import convert_document
from verilabel.records.canonical import digest, is_digest, parse_json
from verilabel.records.strict_yaml import load_strict_yaml

PACK_TYPE = "application/vnd.verilabel.policy+yaml"
PACK_PREFIX = "pack:"
MAX_PACK_BYTES = 2 * 2**20
MAX_PACKED_POLICY = 2**20


class PackKind(NamedTuple):
    """What packs of one kind hold. `read_name` gives name and version of a policy's bytes; for bytes that are none it
    raises MalformedInput with the place that it is given."""

    payload_type: str
    read_name: Callable[[bytes, str], tuple[str, str]]


def _read_name(data: bytes, where: str) -> tuple[str, str]:
    document = load_strict_yaml(data, where=where, max_bytes=MAX_PACKED_POLICY)
    policy = convert_document(document, Policy, where)
    return policy.policy, policy.version


GUARD_POLICY = PackKind(PACK_TYPE, _read_name)
"""Packs that hold a guard policy."""


class Pack(NamedTuple):
    """A pack that was read. `signers` are the names under which its signatures are trusted; empty: not verified."""

    name: str
    version: str
    digest: str
    data: bytes
    keyids: tuple[str, ...]
    signers: tuple[str, ...] = ()
    payload_type: str = PACK_TYPE


def pack_policy(data: bytes, key: PrivateKey, *, where: str, kind: PackKind = GUARD_POLICY) -> bytes:
    """The file of a pack: a policy's exact bytes, signed. Raises MalformedInput for bytes that are no policy."""
    kind.read_name(data, where)
    return sign(data, key, payload_type=kind.payload_type)


def read_pack(data: bytes, *, where: str, kinds: Sequence[PackKind] = (GUARD_POLICY,)) -> Pack:
    """What a pack says it holds, before any signature is verified: to be held against a digest.

    Raises SealError for what is no pack, MalformedInput where the policy in it is none.
    """
    kind, payload, keyids = _peek(data, where, kinds)
    name, version = kind.read_name(payload, where)
    return Pack(name, version, digest(payload), payload, keyids, payload_type=kind.payload_type)


def verify_pack(
    data: bytes,
    *,
    where: str,
    trust: TrustPolicy | None = None,
    keys: Iterable[PublicKey] = (),
    kinds: Sequence[PackKind] = (GUARD_POLICY,),
) -> Pack:
    """A pack whose every signature verifies and is trusted: by `keys`, or by `trust` in the role `labels`.

    Trust policies have no role of their own for policies: a rule that is limited to rubrics or systems trusts no pack.
    Raises SealError where a signature does not hold, or is nobody's who is trusted.
    """
    given = tuple(keys)
    known = {key.keyid: key for key in given}
    if trust is not None:
        known |= {key.keyid: key for key in trust.keys("labels")}
    kind, _, _ = _peek(data, where, kinds)
    opened = open_envelope(data, known.values(), payload_type=kind.payload_type, where=where)
    signers = tuple(_trusted_name(key, given, trust, where) for key in opened.keys)
    name, version = kind.read_name(opened.payload, where)
    return Pack(
        name, version, digest(opened.payload), opened.payload, opened.keyids, signers, kind.payload_type
    )


def _trusted_name(key: PublicKey, given: tuple[PublicKey, ...], trust: TrustPolicy | None, where: str) -> str:
    for each in given:
        if each.raw == key.raw:
            return each.name
    if trust is None:
        raise SealError("the signature is by none of the keys given", where=where)
    decision = trust.accepts(key, role="labels")
    if not decision.accepted:
        raise SealError(f"the pack's signature does not count: {decision.reason}", where=where)
    return str(decision.name)


def _peek(data: bytes, where: str, kinds: Sequence[PackKind]) -> tuple[PackKind, bytes, tuple[str, ...]]:
    if len(data) > MAX_PACK_BYTES:
        raise LimitExceeded(f"a pack has at most {MAX_PACK_BYTES} bytes", where=where)
    try:
        document = parse_json(data, where=where, max_bytes=MAX_PACK_BYTES, max_depth=4)
        payload_type, payload, signatures = (
            document["payloadType"],
            document["payload"],
            document["signatures"],
        )
        keyids = tuple(str(signature["keyid"]) for signature in signatures)
    except (MalformedInput, KeyError, TypeError, AttributeError):
        raise SealError(
            "not a pack: no signed envelope", where=where, hint="`verilabel policy sign` makes one"
        ) from None
    kind = next((each for each in kinds if each.payload_type == payload_type), None)
    if kind is None or not isinstance(payload, str):
        raise SealError("not a pack: the envelope holds another type of payload", where=where)
    try:
        return kind, decode_base64(payload, what="the policy in the pack", where=where), keyids
    except MalformedInput as error:
        raise SealError(error.message, where=where) from None


def parse_reference(reference: str, *, where: str) -> tuple[str, str]:
    """Name and digest of `pack:NAME@sha256:...`. Raises MalformedInput."""
    name, _, pinned = reference.removeprefix(PACK_PREFIX).partition("@")
    if not name or not is_digest(pinned):
        raise MalformedInput(
            f"{reference[:120]!r} names no pack",
            where=where,
            hint="pack:NAME@sha256: and 64 hexadecimal digits",
        )
    return name, pinned


def pack_path(pinned: str, home: Path) -> Path:
    """Where the pack of a policy with this digest is kept."""
    return home / "policies" / f"{pinned.removeprefix('sha256:')}.pack"


def keep_pack(
    data: bytes, pinned: str, *, home: Path, where: str, kinds: Sequence[PackKind] = (GUARD_POLICY,)
) -> tuple[Pack, Path]:
    """Keep a pack under its digest. Raises SealError, and writes nothing, where it holds another policy."""
    pack = read_pack(data, where=where, kinds=kinds)
    if pack.digest != pinned:
        raise SealError(f"the pack holds {pack.digest}, not {pinned}", where=where)
    path = pack_path(pinned, home)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_file(path, data, overwrite=True)
    return pack, path


def find_pack(
    reference: str, *, home: Path, trust: TrustPolicy | None, where: str, kind: PackKind = GUARD_POLICY
) -> bytes:
    """The policy's bytes of a pack of one kind that is kept here; nothing is fetched.

    Raises UsageError where it was never pulled, SealError where it is not what its digest or its name says, or, with a
    trust policy, where nobody trusted signed it.
    """
    name, pinned = parse_reference(reference, where=where)
    path = pack_path(pinned, home)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PACK_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(
            "this pack is not kept here", where=where, hint=f"verilabel policy pull URL --digest {pinned}"
        ) from None
    pack = read_pack(data, where=str(path), kinds=(kind,))
    if pack.digest != pinned:
        raise SealError(f"the pack that is kept holds {pack.digest}", where=str(path), hint="pull it again")
    if pack.name != name:
        raise SealError(f"the pack is called {pack.name!r}, not {name!r}", where=where)
    return pack.data if trust is None else verify_pack(data, where=str(path), trust=trust, kinds=(kind,)).data
