"""Ed25519 keys: made, kept in files that only their owner reads, and written as one canonical public line.

The public line is a verifier key of C2SP signed-note, `NAME+HASH+BASE64`, so that other log software reads
it. A key is identified by `keyid`, the digest of its SubjectPublicKeyInfo; its name is a word for people.
"""

from __future__ import annotations

import base64
import binascii
import getpass
import hashlib
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import NoReturn

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from verilabel.errors import MalformedInput, SealError, UsageError
from verilabel.evidence.atomic import write_file
from verilabel.evidence.pkcs8 import encrypt_pem
from verilabel.records.canonical import digest

HOME_VARIABLE = "VERILABEL_HOME"
DEFAULT_NAME = "default"
MAX_KEY_FILE_BYTES = 16 * 1024
MAX_PUBLIC_LINE = 1024
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_SPKI_PREFIX = bytes.fromhex("302a300506032b6570032100")
"""DER of an Ed25519 SubjectPublicKeyInfo up to the 32 bytes of the key (RFC 8410 section 4)."""
_FIELD = 2**255 - 19
_SMALL_ORDER_Y = frozenset(
    {
        0,
        1,
        _FIELD - 1,
        int.from_bytes(
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
        ),
        int.from_bytes(
            bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"
        ),
    }
)
"""y of the eight points whose order divides 8: anyone can make signatures that such a 'key' accepts."""

Passphrase = bytes | Callable[[], bytes] | None


class KeyType(IntEnum):
    """What a key signs in notes (signature types of C2SP signed-note)."""

    ED25519 = 0x01
    """A note's or checkpoint's text; also every DSSE envelope."""
    COSIGNATURE = 0x04
    """A witness's timestamped cosignature of a checkpoint (C2SP tlog-cosignature v1)."""


@dataclass(frozen=True)
class PublicKey:
    """A public key with its name. `raw` is the 32 bytes of RFC 8032."""

    name: str
    raw: bytes
    key_type: KeyType = KeyType.ED25519

    def __post_init__(self) -> None:
        check_key_name(self.name)
        _check_point(self.raw)

    @property
    def keyid(self) -> str:
        """`sha256:` and the SHA-256 of the DER SubjectPublicKeyInfo: the same under every name and type."""
        return digest(_SPKI_PREFIX + self.raw)

    @property
    def note_hash(self) -> bytes:
        """The 4-byte key id of C2SP signed-note, which depends on name, type and key."""
        material = self.name.encode("utf-8") + b"\n" + bytes([self.key_type]) + self.raw
        return hashlib.sha256(material).digest()[:4]

    @property
    def line(self) -> str:
        """The canonical public line, without a newline (`verifier key` of C2SP signed-note)."""
        material = base64.b64encode(bytes([self.key_type]) + self.raw).decode("ascii")
        return f"{self.name}+{self.note_hash.hex()}+{material}"

    def file_bytes(self) -> bytes:
        """The exact bytes of a public key file: the line and one newline."""
        return self.line.encode("utf-8") + b"\n"

    def named(self, name: str) -> PublicKey:
        """The same key under another name."""
        return replace(self, name=name)

    def of_type(self, key_type: KeyType) -> PublicKey:
        """The same key for the other kind of note signature."""
        return replace(self, key_type=key_type)

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check an Ed25519 signature (RFC 8032). Raises SealError where it does not hold."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            raise SealError(
                f"the signature does not verify with the key {self.name} ({self.keyid})"
            ) from None


class PrivateKey:
    """A signing key. Nothing that prints, copies or pickles it shows the secret."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Ed25519PrivateKey, name: str = DEFAULT_NAME) -> None:
        self._key = key
        raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.public = PublicKey(name=name, raw=raw)

    @property
    def name(self) -> str:
        """The name that goes with its signatures."""
        return self.public.name

    @property
    def keyid(self) -> str:
        """The digest that identifies the key."""
        return self.public.keyid

    def named(self, name: str) -> PrivateKey:
        """The same key under another name, such as the origin of a log."""
        return PrivateKey(self._key, name)

    def sign(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature of a message (RFC 8032)."""
        return self._key.sign(message)

    def pem(self, passphrase: bytes | None = None) -> bytes:
        """The PKCS #8 PEM file of the secret, encrypted where there is a passphrase."""
        plain = serialization.NoEncryption()
        pkcs8 = serialization.PrivateFormat.PKCS8
        if passphrase is None:
            return self._key.private_bytes(serialization.Encoding.PEM, pkcs8, plain)
        if not passphrase:
            raise UsageError("the passphrase is empty")
        return encrypt_pem(self._key.private_bytes(serialization.Encoding.DER, pkcs8, plain), passphrase)

    def __repr__(self) -> str:
        return f"PrivateKey(name={self.name!r}, keyid={self.keyid!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled; save_key writes it to a file of its own")


def new_key(name: str = DEFAULT_NAME) -> PrivateKey:
    """Make a key from the operating system's randomness."""
    return PrivateKey(Ed25519PrivateKey.generate(), name)


def check_key_name(name: str, *, where: str | None = None) -> None:
    """Check a key's name as C2SP signed-note asks: not empty; no space, plus or control character.

    Raises MalformedInput.
    """
    if not name or any(char.isspace() or char < " " or char in "+\x7f" for char in name):
        raise MalformedInput(
            f"{name!r} cannot name a key", where=where, hint="a word or an address such as labels.example.org"
        )
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedInput("a key's name is not valid Unicode", where=where) from None


def _check_point(raw: bytes) -> None:
    if len(raw) != 32:
        raise MalformedInput(f"an Ed25519 public key has 32 bytes, this one {len(raw)}")
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y >= _FIELD or y in _SMALL_ORDER_Y:
        raise MalformedInput(
            "the public key is one that accepts signatures from anyone, or is written irregularly"
        )


def decode_base64(text: str, *, what: str, where: str | None = None) -> bytes:
    """Standard base64, padded, with no byte that could be changed unnoticed (RFC 4648 sections 3.5 and 4).

    Raises MalformedInput.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise MalformedInput(f"{what} is not base64", where=where) from None
    if base64.b64encode(data).decode("ascii") != text:
        raise MalformedInput(f"{what} is base64 in a form that is not canonical", where=where)
    return data


def parse_public(line: str, *, where: str | None = None) -> PublicKey:
    """Read a public line (without newline). Exactly what `PublicKey.line` writes is accepted, nothing else.

    Raises MalformedInput.
    """
    parts = line.split("+", 2)
    if len(line) > MAX_PUBLIC_LINE or len(parts) != 3:
        raise MalformedInput(
            "not a public key line", where=where, hint="NAME+HASH+BASE64, as `keys export` prints it"
        )
    name, _, encoded = parts
    check_key_name(name, where=where)
    material = decode_base64(encoded, what="the public key", where=where)
    key_type = material[0] if material else 0
    if key_type not in tuple(KeyType):
        raise MalformedInput(
            f"keys of type {key_type:#04x} are not supported",
            where=where,
            hint="Ed25519: types 0x01 and 0x04",
        )
    try:
        key = PublicKey(name, material[1:], KeyType(key_type))
    except MalformedInput as error:
        raise MalformedInput(error.message, where=where) from None
    if key.line != line:
        raise MalformedInput("the public key line does not match its own hash", where=where)
    return key


def parse_public_file(data: bytes, *, where: str) -> PublicKey:
    """Read the exact bytes of a public key file. Raises MalformedInput."""
    if len(data) > MAX_PUBLIC_LINE + 1 or not data.endswith(b"\n"):
        raise MalformedInput("a public key file is one line that ends in a newline", where=where)
    try:
        return parse_public(data[:-1].decode("utf-8"), where=where)
    except UnicodeDecodeError:
        raise MalformedInput("not UTF-8", where=where) from None


def home_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Where keys and the local log live: `$VERILABEL_HOME`, or `.verilabel` in the user's home."""
    given = (os.environ if environ is None else environ).get(HOME_VARIABLE)
    return Path(given) if given else Path.home() / ".verilabel"


def key_path(name: str, home: Path | None = None) -> Path:
    """The file of a private key, `keys/NAME.key`; its public line is in `keys/NAME.pub` beside it."""
    if not _FILE_NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a key file", hint="letters, digits, dots, dashes and underscores"
        )
    return (home_folder() if home is None else home) / "keys" / f"{name}.key"


def save_key(
    key: PrivateKey, path: Path, *, passphrase: bytes | None = None, overwrite: bool = False
) -> None:
    """Write a private key (mode 0600) and its public line (`.pub` beside it).

    Raises UsageError where there is a key already and `overwrite` is false.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_file(path, key.pem(passphrase), mode=0o600, overwrite=overwrite)
    # A public line without its private key would be a leftover of an interrupted save: it is replaced.
    write_file(path.with_suffix(".pub"), key.public.file_bytes(), overwrite=True)


def load_public(path: Path) -> PublicKey:
    """Read a public key file. Raises MalformedInput, or UsageError where there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PUBLIC_LINE + 2)
    except FileNotFoundError:
        raise UsageError("there is no such key", where=str(path), hint="verilabel keys new") from None
    return parse_public_file(data, where=str(path))


def load_key(path: Path, *, passphrase: Passphrase = None) -> PrivateKey:
    """Read a private key file; its name comes from the `.pub` beside it, or else from the file's name.

    `passphrase` is asked for only where the file is encrypted. Raises UsageError where the file is missing,
    open to others, or its passphrase missing or wrong; MalformedInput where it holds no Ed25519 key;
    SealError where the public line beside it belongs to another key.
    """
    key = _parse_pem(_read_owned(path), passphrase, where=str(path))
    beside = path.with_suffix(".pub")
    if not beside.exists():
        return PrivateKey(key, path.stem)
    public = load_public(beside)
    private = PrivateKey(key, public.name)
    if private.public != public:
        raise SealError(
            f"the public line beside it belongs to another key than {path.name}",
            where=str(beside),
            hint=f"remove {beside.name} if {path.name} is the right one",
        )
    return private


def _read_owned(path: Path) -> bytes:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise UsageError("there is no such key", where=str(path), hint="verilabel keys new") from None
    except IsADirectoryError:
        raise UsageError("not a regular file", where=str(path)) from None
    with file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise UsageError("not a regular file", where=str(path))
        if os.name == "posix" and state.st_mode & 0o077:
            raise UsageError(
                f"others can read this private key (mode {stat.S_IMODE(state.st_mode):04o})",
                where=str(path),
                hint=f"chmod 600 {path}, and make a new key if others may have read it",
            )
        if os.name == "posix" and state.st_uid not in (os.geteuid(), 0):
            raise UsageError("this private key belongs to another user", where=str(path))
        return file.read(MAX_KEY_FILE_BYTES + 1)


def _parse_pem(data: bytes, passphrase: Passphrase, *, where: str) -> Ed25519PrivateKey:
    if len(data) > MAX_KEY_FILE_BYTES:
        raise MalformedInput("too large for a private key", where=where)
    encrypted = b"BEGIN ENCRYPTED PRIVATE KEY" in data
    secret: bytes | None = None
    if encrypted:
        if passphrase is None:
            raise UsageError(
                "this private key has a passphrase",
                where=where,
                hint="--passphrase, or --passphrase-env VARIABLE",
            )
        secret = passphrase if isinstance(passphrase, bytes) else passphrase()
    try:
        key = serialization.load_pem_private_key(data, secret)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's own message is dropped: it may quote what it read.
        if encrypted:
            raise UsageError("the passphrase is wrong, or the key file is damaged", where=where) from None
        raise MalformedInput("not a PKCS #8 private key in PEM", where=where) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise MalformedInput("the private key is not an Ed25519 key", where=where)
    return key


def passphrase_from_environment(variable: str, environ: Mapping[str, str] | None = None) -> bytes:
    """The passphrase in an environment variable. Raises UsageError where it is unset or empty."""
    value = (os.environ if environ is None else environ).get(variable, "")
    if not value:
        raise UsageError(f"the environment variable {variable} is not set, or empty")
    return os.fsencode(value)


def prompt_for_passphrase(*, twice: bool = False) -> bytes:
    """Ask for a passphrase on the terminal, unseen. Raises UsageError where the two do not agree."""
    try:
        first = getpass.getpass("passphrase: ")
        if twice and getpass.getpass("the same again: ") != first:
            raise UsageError("the two passphrases differ")
    except EOFError:
        raise UsageError("no passphrase was given", hint="--passphrase-env VARIABLE") from None
    if not first:
        raise UsageError("the passphrase is empty")
    return first.encode("utf-8")
