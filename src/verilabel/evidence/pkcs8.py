"""Encrypted PKCS #8 files that are slow to guess: PBKDF2-HMAC-SHA256 and AES-256-CBC (RFC 8018, 5958).

`cryptography` encrypts PKCS #8 with 2,048 rounds (its version 50, seen in the file it writes), too few for
a key that signs labels, and offers no way to ask for more. It reads what is written here, and so does
OpenSSL.
"""

from __future__ import annotations

import base64
import secrets
import textwrap

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

ROUNDS = 600_000
"""Rounds of PBKDF2-HMAC-SHA256, as the OWASP password storage cheat sheet asks for."""

_SEQUENCE, _INTEGER, _OCTETS = 0x30, 0x02, 0x04
_NULL = b"\x05\x00"
# Object identifiers in DER, by their names in RFC 8018 and NIST's register.
_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")
_HMAC_SHA256 = bytes.fromhex("06082a864886f70d0209")
_AES256_CBC = bytes.fromhex("060960864801650304012a")


def encrypt_pem(private_key_info: bytes, passphrase: bytes, *, rounds: int = ROUNDS) -> bytes:
    """The PEM file `ENCRYPTED PRIVATE KEY` of an unencrypted PKCS #8 DER structure."""
    salt, vector = secrets.token_bytes(16), secrets.token_bytes(16)
    key = PBKDF2HMAC(hashes.SHA256(), length=32, salt=salt, iterations=rounds).derive(passphrase)
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    padded = padder.update(private_key_info) + padder.finalize()
    ciphertext = encryptor.update(padded) + encryptor.finalize()
    derivation = _der(
        _SEQUENCE,
        _PBKDF2,
        _der(_SEQUENCE, _der(_OCTETS, salt), _integer(rounds), _der(_SEQUENCE, _HMAC_SHA256, _NULL)),
    )
    cipher = _der(_SEQUENCE, _AES256_CBC, _der(_OCTETS, vector))
    scheme = _der(_SEQUENCE, _PBES2, _der(_SEQUENCE, derivation, cipher))
    text = base64.b64encode(_der(_SEQUENCE, scheme, _der(_OCTETS, ciphertext))).decode("ascii")
    lines = [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----",
        *textwrap.wrap(text, 64),
        "-----END ENCRYPTED PRIVATE KEY-----",
    ]
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def _integer(value: int) -> bytes:
    return _der(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _der(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content
