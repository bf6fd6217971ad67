"""Names of licences in sentences and in declared fields: `the GNU General Public License, version 2 or later`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

import msgspec

from verilabel.audit.licences.texts import list_ids, load_licences, number_ids

MAX_DECLARED = 300
"""Characters of a declared licence that are read."""
_VERSION = re.compile(
    r" ?(?:licen[cs]es? )?(?:(?:version|ver|v|rev|revision) ?)?(\d{1,2})(?: (\d{1,2}))?(?: 0)?\b"
)
_FAR_VERSION = re.compile(r"\b(?:version|ver|v) ?(\d)(?: (\d))?\b")
_LATER = re.compile(
    r"(?: dated \w+ \d{4})?(?: of (?:the|this) (?:gnu )?(?:\w+ ){0,4}licen[cs]e| licen[cs]e| \d)*"
    r"(?: as published by the free software foundation)?(?: or| and)? ?(?:at your (?:option|discretion) )?"
    r"(?:or )?(?:any )?(?:later|newer|greater|higher|above|plus|or later)\b"
)
_FILLER = re.compile(
    r"(?:(?:the|a|an|terms|conditions|and|of|either|both|same|very|permissive|liberal|standard|licen[cs]es?|under|term|osi"
    r"|approved|free|open|source|usual|following|by) ){0,9}"
)
_LEADING_VERSION = re.compile(
    r"(?:version|v) ?(\d)(?: (\d))?((?: or(?: any)? later)?(?: versions?)?) of (?:the )?"
)
_FURTHER = re.compile(r" ?(?:or|and|and or|or the|and the)(?: the)?(?: terms of)?(?: the)? ")
_CC_PARTS = {
    "attribution": "by",
    "by": "by",
    "noncommercial": "nc",
    "commercial": "nc",
    "nc": "nc",
    "sharealike": "sa",
    "alike": "sa",
    "sa": "sa",
    "noderivatives": "nd",
    "noderivs": "nd",
    "derivatives": "nd",
    "derivs": "nd",
    "nd": "nd",
}
_CC = re.compile(
    r"(?:creative commons|cc)(?: licen[cs]e)?"
    r"((?: (?:attribution|by|non ?commercial|nc|share ?alike|sa|no ?deriv(?:ative)?s?(?: works)?|nd))+)"
    r"(?: (?:international|unported|generic|public|licen[cs]e|creative commons|cc by[a-z ]{0,6}))*"
)
_CC_VERSION = re.compile(r" ?(?:licen[cs]e )?(?:version |v ?)?([1-4]) ([05])\b")
_CC_FAR_VERSION = re.compile(r".{0,40}?\b([1-4]) ([05])\b")
MAX_NAMES = 4
_MAX_NAME_WORDS = 12


class _Gnu(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pattern: str
    family: str
    versions: tuple[str, ...]
    plain: str


class _Versioned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pattern: str
    versions: dict[str, str]
    plain: str


class NameList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of `data/names.json`."""

    gnu: tuple[_Gnu, ...]
    versioned: tuple[_Versioned, ...]
    fixed: tuple[tuple[str, str], ...]
    superseded: dict[str, str]
    nothing: tuple[str, ...]


@dataclass(frozen=True)
class Named:
    """Licences that a text names, and how many characters of it say so."""

    ids: tuple[str, ...]
    end: int


@cache
def load_names() -> NameList:
    """The names as shipped."""
    data = resources.files("verilabel.audit.licences").joinpath("data", "names.json").read_bytes()
    return msgspec.json.decode(data, type=NameList)


@cache
def _compiled() -> tuple[
    tuple[tuple[re.Pattern[str], _Gnu], ...],
    tuple[tuple[re.Pattern[str], _Versioned], ...],
    tuple[tuple[re.Pattern[str], str], ...],
]:
    names = load_names()
    return (
        tuple((re.compile(rf"(?:{rule.pattern})(?=v?\d|\b)"), rule) for rule in names.gnu),
        tuple((re.compile(rf"(?:{rule.pattern})(?=v?\d|\b)"), rule) for rule in names.versioned),
        tuple((re.compile(rf"(?:{pattern})\b"), identifier) for pattern, identifier in names.fixed),
    )


def join_words(text: str) -> str:
    """The words of a text in lower case, one space between; what is no letter or digit parts words."""
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


@cache
def _spdx_names() -> dict[str, str]:
    found: dict[str, str] = {}
    for licence in load_licences().licences:
        if licence.superseded:
            continue
        for written in (licence.name, licence.id, f"{licence.name} license", f"{licence.id} license"):
            words = join_words(written)
            if len(words) >= 3:
                found.setdefault(words, licence.id)
    return found


@cache
def _first_words() -> frozenset[str]:
    return frozenset(name.split(" ", 1)[0] for name in _spdx_names())


def settle_id(identifier: str) -> str | None:
    """The id of the list as SPDX recommends it, whatever its case; None for one that is not of the list."""
    number = number_ids().get(identifier.lower())
    if number is None:
        return None
    exact = list_ids()[number]
    return load_names().superseded.get(exact, exact)


def _choose_version(major: str, minor: str | None, versions: tuple[str, ...] | dict[str, str]) -> str | None:
    for written in (f"{major}.{minor or 0}", major, f"{major}.0"):
        if written in versions:
            return written
    return None


def _read_gnu(words: str, leading: re.Match[str] | None, start: int) -> Named | None:
    for pattern, rule in _compiled()[0]:
        match = pattern.match(words, start)
        if not match:
            continue
        end = match.end()
        if leading and leading.group(1):
            version = _choose_version(leading.group(1), leading.group(2), rule.versions)
            later = bool(leading.group(3)) or bool(_LATER.match(words, end))
        else:
            near = _VERSION.match(words, end) or _FAR_VERSION.search(words, end, end + 140)
            version = _choose_version(near.group(1), near.group(2), rule.versions) if near else None
            end = near.end() if near and version else end
            later = bool(_LATER.match(words, end))
        if version is None:
            return Named((rule.plain,), end)
        return Named((f"{rule.family}-{version}-{'or-later' if later else 'only'}",), end)
    return None


def _read_creative_commons(words: str, start: int) -> Named | None:
    match = _CC.match(words, start)
    if not match:
        return None
    parts = {
        _CC_PARTS[part]
        for part in re.sub(r"no (?=deriv)|non (?=comm)|share (?=alike)", "", match.group(1)).split()
        if part in _CC_PARTS
    }
    kind = "-".join(part for part in ("by", "nc", "nd", "sa") if part in parts).replace("nd-sa", "nd").upper()
    kind = {"BY-NC-SA": "BY-NC-SA", "NC": "BY-NC", "SA": "BY-SA", "ND": "BY-ND", "NC-SA": "BY-NC-SA"}.get(
        kind, kind
    )
    version = _CC_VERSION.match(words, match.end()) or _CC_FAR_VERSION.match(words, match.end())
    if version:
        exact = settle_id(f"CC-{kind}-{version.group(1)}.{version.group(2)}")
        if exact:
            return Named((exact,), version.end())
    own = f"LicenseRef-verilabel-CC-{kind}"
    return Named((own,), match.end()) if own.lower() in number_ids() else None


def _read_versioned(words: str, leading: re.Match[str] | None, start: int) -> Named | None:
    for pattern, rule in _compiled()[1]:
        match = pattern.match(words, start)
        if not match:
            continue
        near = leading if leading and leading.group(1) else _VERSION.match(words, match.end())
        version = _choose_version(near.group(1), near.group(2), rule.versions) if near else None
        end = near.end() if near and near is not leading and version else match.end()
        return Named((rule.versions[version] if version else rule.plain,), end)
    return None


def _read_fixed(words: str, start: int) -> Named | None:
    for pattern, identifier in _compiled()[2]:
        match = pattern.match(words, start)
        if match:
            return Named(tuple(identifier.split(" OR ")), match.end())
    return None


def _read_listed(words: str, start: int) -> Named | None:
    """The longest name or id of the SPDX list that begins here."""
    first = words[start : start + 200].split(" ", _MAX_NAME_WORDS)
    if first[0] not in _first_words():
        return None
    for count in range(min(len(first), _MAX_NAME_WORDS), 0, -1):
        written = " ".join(first[:count])
        end = len(written)
        identifier = _spdx_names().get(written)
        if identifier and end >= 6:
            return Named((identifier,), start + end)
    return None


@cache
def _any_name() -> re.Pattern[str]:
    """Whether any of the patterns fits: asked first, since nearly always none does."""
    names = load_names()
    patterns = [rule.pattern for rule in names.gnu] + [rule.pattern for rule in names.versioned]
    return re.compile("|".join([*patterns, *(pattern for pattern, _ in names.fixed), "creative", "cc"]))


def _read_one(words: str, start: int) -> Named | None:
    leading = _LEADING_VERSION.match(words, start)
    at = leading.end() if leading else start
    if not _any_name().match(words, at):
        return None if leading else _read_listed(words, at)
    if leading:
        return _read_gnu(words, leading, at) or _read_versioned(words, leading, at)
    return (
        _read_gnu(words, None, at)
        or _read_creative_commons(words, at)
        or _read_listed(words, at)
        or _read_fixed(words, at)
        or _read_versioned(words, None, at)
    )


def read_names(words: str) -> Named | None:
    """The licences named at the head of some words (`join_words`), or none.

    `the apache license version 2 0 or the mit license at` names two. A name that stands further on names none.
    """
    filler = _FILLER.match(words)
    named = _read_one(words, 0) or (_read_one(words, filler.end()) if filler else None)
    if named is None:
        return None
    ids = list(named.ids)
    end = named.end
    while len(ids) < MAX_NAMES:
        further = _FURTHER.match(words, end)
        another = _read_one(words, further.end()) if further else None
        if another is None:
            break
        ids += another.ids
        end = another.end
    return Named(tuple(dict.fromkeys(ids)), end)
