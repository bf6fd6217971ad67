"""Commitments to documents and findings: by them the owner of a text can show it, and nobody can guess it.

A run has one secret of 32 bytes, which stays with who audits. From it follow, for the document in row r of a shard with
digest s: salt = SHA-256(K || r) with K = HMAC-SHA-256(secret, "salt" || s), r in 8 bytes, little-endian; commitment =
SHA-256(salt || SHA-256(text)). Who is given salt and text can check the commitment; who has neither cannot try texts.
A finding's mark is HMAC-SHA-256(HMAC(secret, "finding"), kind || 0x00 || value), cut to 16 bytes: equal for equal
values of one kind in one audit, so that distinct values can be counted, and useless without the secret.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Positions
from verilabel.errors import MalformedInput, UsageError
from verilabel.evidence.atomic import write_file
from verilabel.records.canonical import DIGEST_PREFIX, digest

SECRET_BYTES = 32
SALT_BYTES = 32
MARK_BYTES = 16


def _derive(key: bytes, word: bytes) -> bytes:
    return hmac.digest(key, word, "sha256")


@dataclass(frozen=True, repr=False)
class Secret:
    """The secret of an audit. Never printed, never in a record; its `id` is public and says which one it was."""

    key: bytes

    @property
    def id(self) -> str:
        """A digest that names the secret and tells nothing of it."""
        return digest(_derive(self.key, b"id"))

    def salter(self, shard_sha256: str) -> Salter:
        """The salts of one shard's documents."""
        return Salter(_derive(self.key, b"salt" + bytes.fromhex(shard_sha256.removeprefix(DIGEST_PREFIX))))

    def marker(self) -> Marker:
        """The marks of findings."""
        return Marker(_derive(self.key, b"finding"))


@dataclass(frozen=True, repr=False)
class Salter:
    """Salts of the documents of one shard."""

    key: bytes

    def salt(self, row: int) -> bytes:
        """The salt of the document in a row."""
        return hashlib.sha256(self.key + row.to_bytes(8, "little")).digest()

    def commit(self, rows: Positions, digests: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Commitments (n, 32) of documents whose texts have these SHA-256 digests (n, 32)."""
        sha256, key = hashlib.sha256, self.key
        places = rows.astype("<u8").tobytes()
        texts = digests.tobytes()
        out = bytearray(len(rows) * 32)
        for i in range(len(rows)):
            salt = sha256(key + places[8 * i : 8 * i + 8]).digest()
            out[32 * i : 32 * i + 32] = sha256(salt + texts[32 * i : 32 * i + 32]).digest()
        return np.frombuffer(bytes(out), np.uint8).reshape(-1, 32)


@dataclass(frozen=True, repr=False)
class Marker:
    """Marks of findings: keyed digests of what was found."""

    key: bytes

    def mark(self, kind: str, value: bytes) -> bytes:
        """The mark of a value of a kind, 16 bytes."""
        return hmac.digest(self.key, kind.encode() + b"\0" + value, "sha256")[:MARK_BYTES]


def commitment(salt: bytes, text: bytes) -> bytes:
    """The commitment to a text, 32 bytes: what a verifier who was given salt and text compares."""
    return hashlib.sha256(salt + hashlib.sha256(text).digest()).digest()


def make_secret() -> Secret:
    """A new secret."""
    return Secret(secrets.token_bytes(SECRET_BYTES))


def load_secret(path: Path) -> Secret:
    """Read a secret from its file. Raises UsageError where there is none, MalformedInput for what is none."""
    if not path.is_file():
        raise UsageError(
            "there is no such secret", where=str(path), hint="--secret FILE names an audit's secret"
        )
    with path.open("rb") as file:
        text = file.read(2 * SECRET_BYTES + 2).strip()
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except (UnicodeDecodeError, ValueError):
        key = b""
    if len(key) != SECRET_BYTES:
        raise MalformedInput("not a secret of an audit: 64 hexadecimal digits", where=str(path))
    return Secret(key)


def save_secret(secret: Secret, path: Path) -> None:
    """Write a secret so that its owner alone can read it. Raises UsageError where there is something already."""
    write_file(path, secret.key.hex().encode() + b"\n", mode=0o600)
