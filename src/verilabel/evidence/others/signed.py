"""A signed statement as one file: the envelope, the key that made it, and the log's proof where it was logged.

A person can send it by mail and another can check it alone. The file is the JCS bytes of `{"format", "envelope",
"signer"}`, with `"log"` and `"proof"` where it was logged, and one newline. That a signature is valid says only
whose key made it; whether that key counts is for a trust policy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from verilabel.errors import MalformedInput, SealError, UsageError
from verilabel.evidence.envelope import open_envelope, sign
from verilabel.evidence.keys import KeyType, PrivateKey, PublicKey, parse_public, parse_public_file
from verilabel.evidence.log import Entry
from verilabel.evidence.note import OpenedProof, open_proof, parse_proof
from verilabel.evidence.others.attestation import (
    MAX_ATTESTATION_BYTES,
    Attestation,
    Replication,
    parse_attestation,
)
from verilabel.evidence.trust import TrustPolicy
from verilabel.records.canonical import jcs, parse_json

FORMAT: Literal["verilabel/signed/v1"] = "verilabel/signed/v1"
LOGGED_AS: Literal["verilabel.statement/v1"] = "verilabel.statement/v1"
MAX_SIGNED_BYTES = 3 * MAX_ATTESTATION_BYTES
"""The payload in base64, and the proof."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    format: Literal["verilabel/signed/v1"]
    envelope: dict[str, object]
    signer: str
    log: str | None = None
    proof: str | None = None


@dataclass(frozen=True)
class Signed:
    """A statement whose signature was verified."""

    attestation: Attestation
    signer: PublicKey
    data: bytes
    """The exact bytes of the file."""
    envelope: bytes
    proof: bytes | None = None
    log_key: PublicKey | None = None

    @property
    def file_name(self) -> str:
        """The name under which it lies in a bundle: the first digits of its digest."""
        return f"{self.attestation.digest[7:23]}.json"


def sign_attestation(attestation: Attestation, key: PrivateKey) -> Signed:
    """Sign an attestation whose predicate names this key. Raises SealError where it names another."""
    if attestation.predicate.issuer.keyid != key.keyid:
        raise SealError("the statement names another key than the one that signs it")
    return parse_signed(_write(sign(attestation.payload, key), key.public, None, None))


def with_proof(signed: Signed, log_key: PublicKey, proof: bytes) -> Signed:
    """The same statement with the proof that it stands in a log. Raises SealError where the proof does not hold."""
    return parse_signed(_write(signed.envelope, signed.signer, log_key, proof))


def replica_labels(statements: Iterable[Signed]) -> frozenset[tuple[str, str]]:
    """What replications call the replicas of their own signers: digests of label statements, with the signer's key.

    Anybody may call any label so. A pair is therefore a claim about that key alone, and never says whose a label is.
    """
    predicates = ((signed.attestation.predicate, signed.signer.keyid) for signed in statements)
    return frozenset(
        (found.replica.statement_sha256, keyid)
        for found, keyid in predicates
        if isinstance(found, Replication) and found.replica.keyid == keyid
    )


def entry_of(attestation: Attestation) -> Entry:
    """What is logged for an attestation."""
    return Entry(LOGGED_AS, attestation.digest)


def _write(envelope: bytes, signer: PublicKey, log_key: PublicKey | None, proof: bytes | None) -> bytes:
    document: dict[str, object] = {
        "format": FORMAT,
        "envelope": parse_json(envelope, where="envelope"),
        "signer": signer.line,
    }
    if log_key is not None and proof is not None:
        document |= {"log": log_key.line, "proof": proof.decode("utf-8")}
    return jcs(document) + b"\n"


def load_signed(path: Path) -> Signed:
    """Read a signed statement from its file. Raises UsageError where there is none, and as `parse_signed`."""
    if not path.is_file():  # opening a pipe would wait for ever
        raise UsageError("there is no such statement", where=str(path))
    with path.open("rb") as file:
        data = file.read(MAX_SIGNED_BYTES + 1)
    return parse_signed(data, where=str(path))


def parse_signed(data: bytes, *, where: str = "statement") -> Signed:
    """Verify and read a signed statement.

    In order: 1 form and canonical bytes, 2 the signer's key, 3 the signature, before the payload is parsed, 4 the
    payload, which names the key that signed, 5 the log's proof where there is one. Raises MalformedInput for 1, 2
    and 4, SealError for 3 and 5.
    """
    document = parse_json(data, where=where, max_bytes=MAX_SIGNED_BYTES)  # 1
    try:
        file = msgspec.convert(document, _File, strict=True)
    except msgspec.ValidationError as error:
        raise MalformedInput(f"not a signed statement: {error}", where=where) from None
    if jcs(msgspec.to_builtins(file)) + b"\n" != data or (file.log is None) != (file.proof is None):
        raise MalformedInput("a signed statement that is not in its canonical form", where=where)
    signer = parse_public(file.signer, where=f"{where}: $.signer")  # 2
    if signer.key_type is not KeyType.ED25519:
        raise MalformedInput("a witness's key does not sign statements", where=f"{where}: $.signer")
    envelope = jcs(file.envelope) + b"\n"
    payload = open_envelope(envelope, [signer], where=f"{where}: $.envelope").payload  # 3
    attestation = parse_attestation(payload, where=where)  # 4
    issuer = attestation.predicate.issuer
    if (issuer.keyid, issuer.name) != (signer.keyid, signer.name):
        raise SealError("the statement names another key than the one that signed it", where=where)
    if file.log is None or file.proof is None:
        return Signed(attestation, signer, data, envelope)
    proof = file.proof.encode("utf-8")
    log_key = parse_public_file(f"{file.log}\n".encode(), where=f"{where}: $.log")
    signed = Signed(attestation, signer, data, envelope, proof, log_key)
    open_statement_proof(signed, None, where=where)  # 5
    return signed


def open_statement_proof(
    signed: Signed, trust: TrustPolicy | None, *, where: str = "statement"
) -> OpenedProof | None:
    """The verified proof of a logged statement, with the witnesses that the policy names; None where it was not logged.

    Raises SealError where the proof does not hold, or too few witnesses cosigned it.
    """
    if signed.proof is None or signed.log_key is None:
        return None
    if parse_proof(signed.proof, where=where).extra is not None:
        raise SealError("the proof carries data that nothing authenticates", where=where)
    witnesses = trust.keys("witness") if trust is not None else ()
    quorum = trust.witness_quorum if trust is not None else 0
    leaf = entry_of(signed.attestation).leaf
    return open_proof(signed.proof, leaf, [signed.log_key], witnesses, witness_quorum=quorum, where=where)
