"""Challenges: which withheld answers of a sealed bundle must be opened, chosen by a nonce fixed after it was logged.

The withheld answers of the evidence are numbered from 0 in their order. Chosen are the k with the smallest
SHA-256(SHA-256(nonce) || root || number), the number as 8 bytes, big-endian. The root binds every commitment, so
whoever knew the nonce before the root was logged could have tried salts until no altered record was chosen.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import heapq
from typing import Annotated, Literal

import msgspec

from verilabel.errors import MalformedInput, SealError
from verilabel.evidence.container import Container
from verilabel.evidence.keys import parse_public_file
from verilabel.evidence.layout import LABEL_PROOF, LOG_KEY
from verilabel.evidence.merkle import HASH_BYTES, MAX_PROOF_HASHES, verify_consistency
from verilabel.evidence.note import (
    Checkpoint,
    open_checkpoint,
    parse_checkpoint_text,
    parse_note,
    parse_proof,
)
from verilabel.evidence.reading import read_document
from verilabel.evidence.verification import Verification
from verilabel.records.canonical import jcs, parse_json
from verilabel.records.withheld import Digest

CHALLENGE_FORMAT: Literal["verilabel/challenge/v1"] = "verilabel/challenge/v1"
MAX_K = 10_000_000
MAX_NONCE_CHARS = 4096
MAX_CHALLENGE_BYTES = 256 * 1024


class TextNonce(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="text"):
    """A text that nobody could foresee when the bundle was logged; nothing in it shows that."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NONCE_CHARS)]

    @property
    def data(self) -> bytes:
        """The nonce's bytes."""
        return self.text.encode("utf-8")


class CheckpointNonce(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="checkpoint"
):
    """A later checkpoint of the label's log."""

    checkpoint: str
    """The signed note."""
    consistency: tuple[str, ...] = ()
    """The consistency proof from the label's own checkpoint, in base64; empty where nobody gave it."""

    @property
    def data(self) -> bytes:
        """The nonce's bytes: what the log signed. A signature could be made anew until it chooses well."""
        return parse_note(self.checkpoint.encode("utf-8"), where="$.nonce.checkpoint").text.encode("utf-8")


class Challenge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One challenge to one bundle."""

    manifest_sha256: Digest
    root: Digest
    k: Annotated[int, msgspec.Meta(ge=1, le=MAX_K)]
    """How many withheld answers are to be opened."""
    nonce: TextNonce | CheckpointNonce
    format: Literal["verilabel/challenge/v1"] = CHALLENGE_FORMAT

    def bytes(self) -> bytes:
        """The canonical bytes of the file."""
        return jcs(msgspec.to_builtins(self)) + b"\n"

    def choose(self, withheld: int) -> list[int]:
        """The numbers of the chosen answers among `withheld`, in order: k of them, or all where there are no more."""
        seed = hashlib.sha256(self.nonce.data).digest() + bytes.fromhex(self.root.removeprefix("sha256:"))
        ranked = heapq.nsmallest(self.k, range(withheld), key=lambda number: _rank(seed, number))
        return sorted(ranked)


def _rank(seed: bytes, number: int) -> bytes:
    return hashlib.sha256(seed + number.to_bytes(8, "big")).digest()


def make_challenge(
    container: Container, found: Verification, k: int, nonce: TextNonce | CheckpointNonce
) -> Challenge:
    """A challenge to a bundle that was verified.

    Raises what the verification found where the bundle is not as it was sealed, UsageError where nothing is withheld,
    MalformedInput and SealError for a nonce that cannot choose.
    """
    manifest, root = require_sealed(found)
    try:
        challenge = msgspec.convert(
            msgspec.to_builtins(Challenge(manifest, root, k, nonce)), Challenge
        )  # its limits hold
    except msgspec.ValidationError as error:
        raise MalformedInput(f"no challenge can be made of this: {error}") from error
    check_nonce(container, challenge)
    return challenge


def parse_challenge(data: bytes, *, where: str) -> Challenge:
    """Read a challenge strictly. Raises MalformedInput for another format or a spelling of its own."""
    document = parse_json(data, where=where, max_bytes=MAX_CHALLENGE_BYTES)
    found = document.get("format") if isinstance(document, dict) else None
    if found != CHALLENGE_FORMAT:
        raise MalformedInput(f"format {found!r} is no challenge", where=f"{where}: $.format")
    try:
        challenge = msgspec.convert(document, Challenge)
    except msgspec.ValidationError as error:
        raise MalformedInput(f"not a challenge: {error}", where=where) from error
    if challenge.bytes() != data:
        raise MalformedInput("not in canonical form", where=where)
    return challenge


def require_sealed(found: Verification) -> tuple[str, str]:
    """Manifest digest and root of a sealed bundle whose label follows from its evidence; it need not be in force.

    Raises what its verification found in steps 1 to 9, SealError where nothing is withheld.
    """
    broken = any(step.outcome == "failed" for step in found.steps[:9])
    if broken and found.failure is not None:
        raise found.failure
    if found.manifest_sha256 is None or found.root is None or "sealed_records" not in found.flags:
        raise SealError("no record of this bundle is withheld", hint="only a sealed bundle can be challenged")
    return found.manifest_sha256, found.root


def check_challenge(
    container: Container, found: Verification, challenge: Challenge, *, where: str
) -> tuple[str, ...]:
    """Check that a challenge is to this bundle and its nonce holds; the flags that say what its choice leaves open.

    `nonce_chosen`: whoever chose the text could have known the records. `nonce_order_unproved`: nothing shows that
    the checkpoint came after the label. `nonce_of_unpinned_log`: whoever keeps the log could have tried entries until
    one chose well, and no trust policy names its key. Raises SealError where the challenge is to another bundle.
    """
    if (challenge.manifest_sha256, challenge.root) != require_sealed(found):
        raise SealError("the challenge is to another bundle", where=where)
    check_nonce(container, challenge)
    if isinstance(challenge.nonce, TextNonce):
        return ("nonce_chosen",)
    flags = () if challenge.nonce.consistency else ("nonce_order_unproved",)
    return (*flags, "nonce_of_unpinned_log") if "log_unpinned" in found.flags else flags


def check_nonce(container: Container, challenge: Challenge) -> None:
    """Check that a checkpoint is a later one of the label's log, and the proof of it where there is one.

    Raises SealError where it is not, MalformedInput where it is no checkpoint.
    """
    nonce = challenge.nonce
    if isinstance(nonce, TextNonce):
        return
    logged = label_checkpoint(container)
    where = "$.nonce.checkpoint"
    key = parse_public_file(read_document(container, LOG_KEY), where=LOG_KEY)
    later = open_checkpoint(nonce.checkpoint.encode("utf-8"), [key], where=where).checkpoint
    if later.size <= logged.size:
        raise SealError(
            f"a checkpoint over {later.size} entries is not later than the label's, over {logged.size}",
            where=where,
        )
    if nonce.consistency:
        where = "$.nonce.consistency"
        proof = [_decode_hash(item, where) for item in nonce.consistency[: MAX_PROOF_HASHES + 1]]
        try:
            verify_consistency(logged.size, later.size, proof, logged.root, later.root)
        except SealError as error:
            raise SealError(
                f"the log did not grow from the label to it: {error.message}", where=where
            ) from None


def label_checkpoint(container: Container) -> Checkpoint:
    """The checkpoint under which the label was logged. Raises SealError where it was not."""
    if LABEL_PROOF not in container.sizes:
        raise SealError("the label is in no log, so no checkpoint is later than it", hint="--nonce TEXT")
    note = parse_proof(read_document(container, LABEL_PROOF), where=LABEL_PROOF).checkpoint_note
    return parse_checkpoint_text(parse_note(note, where=LABEL_PROOF).text, where=LABEL_PROOF)


def encode_hash(value: bytes) -> str:
    """A hash of a consistency proof as a nonce holds it."""
    return base64.b64encode(value).decode("ascii")


def _decode_hash(text: str, where: str) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedInput("not base64", where=where) from None
    if len(value) != HASH_BYTES or encode_hash(value) != text:
        raise MalformedInput(f"a hash of {len(value)} bytes", where=where)
    return value
