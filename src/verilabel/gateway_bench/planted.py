"""Values that look like secrets and are none: made anew from a seed, with the check digits of real ones."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import string
import zlib

import msgspec

_LETTERS = string.ascii_lowercase
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


class Planted(msgspec.Struct, frozen=True, kw_only=True):
    """One secret: its column in the leak table, its value, and where in a reply it stands."""

    name: str
    value: str
    field: str
    """content, arguments or reasoning."""
    in_second_choice: bool = False


def plant(seed: int) -> tuple[Planted, ...]:
    """The secrets of the leak table, the same for the same seed."""
    draw = random.Random(seed)  # noqa: S311 - these values protect nothing
    email = make_email(draw, 36)
    return (
        Planted(name="e-mail", value=email, field="content"),
        Planted(name="SSN", value=make_ssn(draw), field="content"),
        Planted(name="card", value=make_card(draw), field="content"),
        Planted(name="GitHub key", value=make_github_key(draw), field="content"),
        Planted(name="JWT", value=make_jwt(draw), field="content"),
        Planted(name="PEM key", value=make_pem(draw), field="content"),
        Planted(name="2nd choice", value=make_email(draw, 36), field="content", in_second_choice=True),
        Planted(name="tool args", value=make_email(draw, 32), field="arguments"),
        Planted(name="reasoning", value=make_email(draw, 30), field="reasoning"),
    )


def make_email(draw: random.Random, length: int) -> str:
    """An address of the reserved domain example.com (RFC 2606)."""
    rest = length - len("@.example.com")
    local = rest // 2
    letters = [draw.choice(_LETTERS + string.digits) for _ in range(rest)]
    return f"{''.join(letters[:local])}@{''.join(letters[local:])}.example.com"


def make_ssn(draw: random.Random) -> str:
    """A number of the ranges that the Social Security Administration issues from."""
    area = draw.choice([n for n in range(1, 900) if n != 666])
    return f"{area:03}-{draw.randrange(1, 100):02}-{draw.randrange(1, 10000):04}"


def make_card(draw: random.Random) -> str:
    """Sixteen digits in groups, with a check digit that holds (ISO/IEC 7812-1, Luhn)."""
    digits = [4] + [draw.randrange(10) for _ in range(14)]
    total = sum(sum(divmod(2 * d, 10)) if i % 2 == 0 else d for i, d in enumerate(digits))
    text = "".join(map(str, [*digits, -total % 10]))
    return " ".join(text[i : i + 4] for i in range(0, 16, 4))


def make_github_key(draw: random.Random) -> str:
    """A token of GitHub's form: thirty characters and their CRC-32 in base 62."""
    body = "".join(draw.choice(_BASE62) for _ in range(30))
    check, left = "", zlib.crc32(body.encode())
    while left:
        left, digit = divmod(left, 62)
        check = _BASE62[digit] + check
    return f"ghp_{body}{check.rjust(6, '0')}"


def make_jwt(draw: random.Random) -> str:
    """A token of some 308 characters, signed by a key that nobody keeps (RFC 7519, HS256)."""
    claims = {"sub": draw.randbytes(8).hex(), "jti": draw.randbytes(55).hex(), "exp": 1999999999}
    parts = [_base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    signed = ".".join(parts)
    return f"{signed}.{_base64url(hmac.digest(draw.randbytes(32), signed.encode(), hashlib.sha256))}"


def make_pem(draw: random.Random) -> str:
    """What looks like an RSA key of 2048 bits: the beginning of its DER, then noise, in lines of 64."""
    der = bytes.fromhex("308204a30201000282010100") + draw.randbytes(1179)
    text = base64.b64encode(der).decode()
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *lines, "-----END RSA PRIVATE KEY-----"])


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def longest_run(secret: str, text: str) -> int:
    """The length of the longest stretch of a secret that occurs in a text.

    Any stretch of a secret that is longer contains shorter ones, so that the length is found by halving.
    """
    low, high = 0, min(len(secret), len(text))
    while low < high:
        middle = (low + high + 1) // 2
        stretches = {secret[i : i + middle] for i in range(len(secret) - middle + 1)}
        if any(stretch in text for stretch in stretches):
            low = middle
        else:
            high = middle - 1
    return low
