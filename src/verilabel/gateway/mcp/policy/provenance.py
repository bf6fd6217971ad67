"""Argument provenance: whether what a call names was named before, by the person or by a tool that is trusted.

A value is taken apart into atoms: its texts and numbers, however deep they stand. An atom is known where it stands
whole in a source: not as a part of a longer word, number, address or URL. `alice@corp.example` does not vouch for
`lice@corp.example`, nor `corp.example` for `corp.example.evil.example`.

Limits. This is containment, not understanding: whoever can make a *trusted* tool repeat a text can make it known, so
only tools whose results nobody else writes may be `trusted_source`; what a call itself named, its result does not vouch
for (`vouching_text`). A short atom (`5`) is soon known by accident. What
the person named for one purpose is known for every other.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from math import isfinite
from typing import Any

MAX_ATOMS = 1000
MAX_ATOM_CHARS = 100_000
MAX_VOUCHING_CHARS = 256 * 1024
"""Of trusted text that a session remembers; older text vouches no more, which only leads to more questions."""
MAX_PLACES = 1000
"""Places of one atom in one source that are looked at."""
MAX_PLACES_TOGETHER = 100_000
"""Places of all atoms of a value: with many atoms fewer are looked at for each."""
MAX_RUN = 32
"""Characters of punctuation beside a place that are looked at; with more of them nothing stands there."""
LONGEST_NUMBER = 20
"""Characters of a number that may be written in several ways; a longer one is a name."""
SHORT_ATOM = 3
"""A shorter atom must stand between spaces, or between a space and the end of a sentence."""

_JOINING = frozenset(".-_@+/\\")
_JOINING_IN_ADDRESSES = frozenset(".-_@+/\\?#&=%:~")
_CLOSING = frozenset(".,;:!?)]}>\"'")
_OPENING = frozenset("([{<\"'")


def fold_text(text: str) -> str:
    """Text as sources and atoms are compared: NFKC, case folded, each run of white space one space (UAX 15, TR 31)."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(text.casefold().split())


def list_atoms(value: Any) -> list[str] | None:
    """The folded atoms of a value, or None where it holds too much to be looked at.

    Texts and the keys of objects, each whole, and numbers as they print; truth values, null and empty texts say
    nothing and are none.
    """
    atoms: list[str] = []
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if type(item) is dict:
            waiting.extend(item)
            waiting.extend(item.values())
        elif type(item) is list:
            waiting.extend(item)
        elif (atom := _atom_of(item)) is not None:
            atoms.append(atom)
        if len(waiting) + len(atoms) > MAX_ATOMS or (atoms and len(atoms[-1]) > MAX_ATOM_CHARS):
            return None
    return atoms


def _atom_of(item: Any) -> str | None:
    if type(item) is str:
        # a text that is far too long is not worth folding: it is refused by its length
        return (fold_text(item) or None) if len(item) <= MAX_ATOM_CHARS else item
    if type(item) is int:
        return str(item) if item.bit_length() <= 128 else "\x00"
    if type(item) is float:
        return repr(item) if isfinite(item) else "\x00"
    return str(item) if type(item) is Decimal else None


def vouching_text(text: str, arguments: Mapping[str, Any]) -> str:
    """What a trusted result may vouch for, folded: all of it but what its own call named.

    A tool that repeats its arguments would otherwise vouch for whatever it was asked about, and an agent would launder
    an address by looking it up first. What cannot be taken out within bounds vouches for nothing.
    """
    atoms = list_atoms(list(arguments.values()))
    if atoms is None:
        return ""
    folded = fold_text(text)
    ways = {way for atom in atoms for way in _ways_to_write(atom)}
    places = _share_of(len(ways))
    for written in sorted(ways, key=len, reverse=True):
        folded = _take_out(folded, written, places)
    return folded


def _take_out(source: str, atom: str, places: int) -> str:
    """A source without an atom where it stands whole; a mark stays in its place, so that nothing grows together.

    Nothing of the source is left where the atom stands at more places than are looked at.
    """
    if source.count(atom) > places or _overlaps_itself(atom):
        return "" if atom in source else source
    parts = []
    begin = 0
    for place in _whole_places(source, atom, places):
        if place >= begin:
            parts += [source[begin:place], "_"]
            begin = place + len(atom)
    return "".join([*parts, source[begin:]])


def _overlaps_itself(atom: str) -> bool:
    """True for a run of one character of punctuation: it has a place at each of its characters."""
    return len(atom) > 1 and not _is_word(atom[0]) and atom.count(atom[0]) == len(atom)


def _share_of(atoms: int) -> int:
    return max(1, min(MAX_PLACES, MAX_PLACES_TOGETHER // max(1, atoms)))


def keep_end(text: str, limit: int) -> str:
    """The end of a text that is too long, from a space on: half a word is another word."""
    if len(text) <= limit:
        return text
    end = text[-limit:]
    spaces = [place for place in (end.find(" "), end.find("\n")) if place >= 0]
    return end[min(spaces) :] if spaces else ""


def is_known(value: Any, sources: Sequence[str]) -> bool:
    """True if a value has atoms and each stands whole in a source. Sources are folded texts."""
    atoms = list_atoms(value)
    if not atoms:
        return False
    places = _share_of(len(atoms))
    return all(any(knows_atom(source, atom, places) for source in sources) for atom in atoms)


def knows_atom(source: str, atom: str, places: int = MAX_PLACES) -> bool:
    """True if a folded source names a folded atom: as it is, or in another way of writing the same URL or number.

    Only the first `places` places where it stands are looked at.
    """
    return any(_stands_whole(source, written, places) for written in _ways_to_write(atom))


def _ways_to_write(atom: str) -> Iterator[str]:
    yield atom
    if _is_address(atom):
        scheme, separator, rest = atom.partition("://")
        if separator and rest.endswith("/") and rest.count("/") == 1:
            yield atom[:-1]
        if separator and scheme in ("http", "https"):
            # people write addresses without their scheme
            yield rest
            yield rest.removesuffix("/") if rest.count("/") == 1 else rest
    elif _is_number(atom):
        yield from _ways_to_write_number(atom)


def _is_number(atom: str) -> bool:
    return (
        atom.isascii()
        and len(atom) <= LONGEST_NUMBER
        and atom.removeprefix("-").replace(".", "", 1).isdigit()
    )


def _ways_to_write_number(atom: str) -> Iterator[str]:
    number = Decimal(atom)
    if number == number.to_integral_value():
        yield f"{number:.0f}"
        yield f"{number:,.0f}"
        yield f"{number:,.2f}"
    yield f"{number:.2f}" if number == round(number, 2) else atom


def _is_address(atom: str) -> bool:
    return "://" in atom or "@" in atom or "/" in atom


def _stands_whole(source: str, atom: str, places: int) -> bool:
    return any(True for _ in _whole_places(source, atom, places))


def _whole_places(source: str, atom: str, places: int) -> Iterator[int]:
    """Where an atom stands whole in a source, among the first so many places where it stands at all."""
    stands = _stands_alone if len(atom) < SHORT_ATOM else _is_unjoined
    joining = _JOINING_IN_ADDRESSES if _is_address(atom) else _JOINING
    place = source.find(atom)
    for _ in range(places):
        if place < 0:
            return
        if stands(source, place, place + len(atom), joining):
            yield place
        place = source.find(atom, place + 1)


def _stands_alone(source: str, start: int, end: int, joining: frozenset[str]) -> bool:
    """Between spaces, quotes or brackets, with at most closing punctuation behind it."""
    del joining
    for _ in range(MAX_RUN):
        if start == 0 or source[start - 1] not in _OPENING:
            break
        start -= 1
    for _ in range(MAX_RUN):
        if end == len(source) or source[end] not in _CLOSING:
            break
        end += 1
    return (start == 0 or source[start - 1].isspace()) and (end == len(source) or source[end].isspace())


def _is_unjoined(source: str, start: int, end: int, joining: frozenset[str]) -> bool:
    """Not a part of something longer: no letter or digit beside it, also none behind a character that joins."""
    first, last = source[start], source[end - 1]
    if start > 0 and _is_word(source[start - 1]) and (_is_word(first) or first in joining):
        return False
    if end < len(source) and _is_word(source[end]) and (_is_word(last) or last in joining):
        return False
    return not _joins_left(source, start, joining) and not _joins_right(source, end, joining)


def _joins_left(source: str, start: int, joining: frozenset[str]) -> bool:
    place = start - 1
    if place < 0 or (source[place] not in joining and source[place] != "'"):
        return False
    if source[place] == ":" and source[max(0, place - 6) : start] == "mailto:":
        return False
    return source[place] in "/@\\" or (place > 0 and _is_word(source[place - 1]))


def _joins_right(source: str, end: int, joining: frozenset[str]) -> bool:
    if end >= len(source) or source[end] not in joining:
        return False
    if source[end] in "/@\\":
        return not (source[end] == "/" and (end + 1 == len(source) or source[end + 1].isspace()))
    place = end
    while place < len(source) and source[place] in joining and source[place] != "/":
        place += 1
        if place - end > MAX_RUN:
            return True
    return place < len(source) and (_is_word(source[place]) or source[place] in "/@\\")


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"
