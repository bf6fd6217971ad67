"""Virtual keys as text: `vk_ID_SECRET`, made once, shown once, kept as a digest.

The secret is 32 bytes from the operating system. Slow password hashes make guessing of *guessable* secrets dear; 2^256
equally likely ones cannot be guessed at any speed, so that one SHA-256 keeps them, and a request costs no more.
"""

from __future__ import annotations

import hashlib
import secrets

PREFIX = "vk_"
MAX_TOKEN_CHARS = 128
_ID_BYTES = 6
_SECRET_BYTES = 32


def new_id() -> str:
    """The public part of a key: 12 hexadecimal digits."""
    return secrets.token_hex(_ID_BYTES)


def new_token(key_id: str) -> str:
    """A key in full, which is kept nowhere."""
    return f"{PREFIX}{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"


def token_hash(token: str) -> bytes:
    """What is kept of a key: SHA-256 of all its characters, 32 bytes."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
