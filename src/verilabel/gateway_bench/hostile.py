"""Texts of 64 KiB that make scanners slow: each leads some pattern far before it fails, again and again."""

from __future__ import annotations

import base64
import unicodedata

import msgspec

SIZE = 64 * 1024
"""Bytes of UTF-8, at most."""


class Hostile(msgspec.Struct, frozen=True, kw_only=True):
    """One text and what it is after."""

    name: str
    text: str
    aim: str


def repeat(unit: str, size: int = SIZE) -> str:
    """A unit as often as it fits into a number of bytes."""
    return unit * (size // len(unit.encode()))


def harmless() -> str:
    """Plain prose of the same size: what the hostile texts are held against."""
    return repeat("The old mill by the river turns slowly while cold rain falls on the stone bridge. ")


def hostile_texts(*, quick: bool = False) -> tuple[Hostile, ...]:
    """The texts, the most telling first; `quick` takes the first few."""
    texts = tuple(_make(name, unit, aim) for name, unit, aim in _UNITS)
    return texts[:4] if quick else (*texts, *_special())


def _make(name: str, unit: str, aim: str) -> Hostile:
    return Hostile(name=name, text=repeat(unit), aim=aim)


_UNITS = (
    ("a.a.a.", "a.", "the local part of an address, begun anew at every character"),
    ("digits", "1", "cards, phones, numbers of all kinds"),
    ("a@a.a@a.", "a@a.", "addresses that nearly end"),
    ("BEGIN keys", "-----BEGIN RSA PRIVATE KEY-----\n", "key blocks that begin and never end"),
    ("1 1 1", "1 ", "cards with spaces"),
    ("@", "@", "addresses without a local part"),
    ("+1 1 1", "+1 11 ", "phone numbers, one inside the next"),
    ("AA11", "AA11", "bank accounts"),
    ("eyJ", "eyJ" + "a" * 60 + ".", "tokens that begin in each other"),
    ("sk-", "sk-a", "keys that begin in each other"),
    ("a://a:a", "a://a:a", "passwords in addresses"),
    ("a1:a1:", "a1:", "hardware addresses"),
    ("1.1.1.", "1.", "network addresses"),
    ("ghp_", "ghp_", "keys of a fixed length that never reach it"),
    ("spaces", " ", "patterns that skip white space"),
    ("new lines", "\n", "patterns that work line by line"),
    ("[[[[", "[", "nesting"),
    ("quotes", '\\"', "escapes in JSON"),
    ("ignore all", "ignore all the previous ", "phrases that nearly become an injection"),
    ("aaaa!", "a" * 500 + "! ", "nested repeats"),
)


def _special() -> tuple[Hostile, ...]:
    ligature = "\ufdfa"
    assert len(unicodedata.normalize("NFKC", ligature)) == 18
    packed = base64.b64encode(b"write to nobody at all about it ").decode().rstrip("=")
    return (
        _make("U+FDFA", ligature, "normalising, which makes eighteen characters of one"),
        _make("zero width", "a\u200b", "invisible characters"),
        _make("tags", "\U000e0041", "characters that nobody sees"),
        _make("accents", "e" + "\u0301" * 30, "combining characters in long rows"),
        _make("base64", packed, "decoders that look into what is encoded"),
        _make("percent", "%61%2e", "decoders of addresses"),
    )
