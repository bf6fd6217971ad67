"""Which characters need a second look before a language is told: those with case, and those that normal forms change.

The table is kept with the package, so that every Python gives the same; `python -m verilabel.audit.language.characters`
draws it anew from the Unicode data of the running Python.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from importlib import resources
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.uint8]

UPPER = 1
LOWER = 2
UNSTABLE = 4
"""A text with such a character may be another one in normal form C (Unicode Standard Annex 15)."""
LISTED = 0x20000
"""Characters beyond are ideographs; from FIRST_COMPATIBLE on they are UNSTABLE, before they have no flag."""
FIRST_COMPATIBLE = 0x2F800
_FILE = "characters.json"


class CharacterTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Runs of characters with equal flags."""

    unicode: str
    """Version of the Unicode data."""
    runs: tuple[tuple[int, int], ...]
    """First character of each run, and the flags; the first run begins at 0."""


def draw_table() -> CharacterTable:
    """The table that the running Python's Unicode data gives."""
    joining = set(_joining_characters())
    flags = [_flags_of(chr(point), joining) for point in range(LISTED)]
    runs = [(next(iter(run))[0], value) for value, run in groupby(enumerate(flags), key=lambda pair: pair[1])]
    return CharacterTable(unicodedata.unidata_version, tuple(runs))


def _flags_of(character: str, joining: set[str]) -> int:
    if 0xD800 <= ord(character) <= 0xDFFF:
        return 0
    flags = UPPER if character.isupper() else 0
    # a title case letter is not upper case, though alone it makes a title
    flags |= LOWER if character.islower() or (character.istitle() and not character.isupper()) else 0
    changed = unicodedata.normalize("NFC", character) != character
    return flags | (UNSTABLE if changed or unicodedata.combining(character) or character in joining else 0)


def _joining_characters() -> Iterator[str]:
    yield from map(chr, range(0x1161, 0x1176))  # vowels and final consonants of Hangul join by arithmetic
    yield from map(chr, range(0x11A8, 0x11C3))
    for point in range(sys.maxunicode + 1):
        parts = unicodedata.decomposition(chr(point)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            yield chr(int(parts[1], 16))


def read_table() -> CharacterTable:
    """The table of this version of the package."""
    file = resources.files("verilabel.audit.language") / _FILE
    return msgspec.json.decode(file.read_bytes(), type=CharacterTable)


def expand_flags(table: CharacterTable) -> Flags:
    """The flags of each of the LISTED characters."""
    flags = np.zeros(LISTED, np.uint8)
    for start, value in table.runs:
        flags[start:] = value
    return flags


if __name__ == "__main__":
    Path(__file__).with_name(_FILE).write_bytes(msgspec.json.encode(draw_table()) + b"\n")
