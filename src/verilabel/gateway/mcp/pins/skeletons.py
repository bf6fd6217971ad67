"""Names as they look: two names with one skeleton can be taken for each other.

`fold_name` is what people and models do not tell apart at all: compatibility forms (full-width, mathematical letters),
case, `-` and `_`. `skeleton_of` adds letters and digits that look alike, after the idea of Unicode UTS 39 (confusable
detection) over a table of our own: Cyrillic, Greek, Armenian, Cherokee and Latin letters that look like ASCII ones, 0
and o, 1, i, l and |, `rn` and m, `vv` and w.

Limits: the table covers look-alikes of ASCII in those scripts, not all of UTS 39's 6,000 entries; two names in one
script beside Latin are not compared by look; what looks alike in one font alone is not known. Names outside of ASCII
are kept from agents anyway (`examining`), so the table has to explain, not to hold the line.
"""

from __future__ import annotations

import unicodedata

_CYRILLIC = "аaвbсcеeѕsіiјjкkмmнhоoрpтtуyхxԁdԛqԝwѵvһhӏlпnгrзeьbԍgґrїiёeүyӧoӓa"
_GREEK = "αaβbγyεeηnιiκkνvοoρpτtυuχxωwσoζzμuϲcϳjϊiόoάaέeίiύuώw"
_ARMENIAN = "օoսuհhոnցgզqյjաwեeքpբpղnլlտuձdփu"
_CHEROKEE = "ꭰdꭱrꭲtꭺaꮃwꮇmꮋhꮐgꮓzꮞ4ꮪsꮩvꮮlꮲpꮶkꮯcᏼb"
_LATIN = "ıiȷjſsɑaɡgɩiƨsʋvʟlɴnʀrʏyꜱsɪiᴄcᴏoᴠvᴡwᴢzøoðdþpłlđdħhŧtƅbƽsɓbɗdɦhƙkƞnƥpƭtɨiʉuɛeɔcӕaæaœo"
_DIGITS = "0o1li l|l"
_DASHES = frozenset("-‐‑‒–—―−﹣－ー")


def _table(*rows: str) -> dict[int, str]:
    return {ord(row[at]): row[at + 1] for row in rows for at in range(0, len(row) - 1, 2)}


_ALIKE = _table(_CYRILLIC, _GREEK, _ARMENIAN, _CHEROKEE, _LATIN) | {
    ord("0"): "o",
    ord("1"): "l",
    ord("i"): "l",
    ord("|"): "l",
}


def fold_name(name: str) -> str:
    """A name without what nobody tells apart: compatibility forms, case, accents that were composed, dashes."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join("_" if char in _DASHES else char for char in folded if not _is_unseen(char))


def skeleton_of(name: str) -> str:
    """What a name looks like, in ASCII where the table knows its letters. Folding a skeleton again changes nothing."""
    decomposed = unicodedata.normalize("NFKD", fold_name(name))
    plain = "".join(char for char in decomposed if unicodedata.category(char) != "Mn")
    # twice: a Cyrillic i becomes i, which looks like l
    return plain.translate(_ALIKE).translate(_ALIKE).replace("rn", "m").replace("vv", "w")


def scripts_of(name: str) -> frozenset[str]:
    """The scripts of a name's letters, by the first word of each letter's Unicode name (`LATIN`, `CYRILLIC`)."""
    return frozenset(
        unicodedata.name(char, "UNNAMED").partition(" ")[0] for char in name if char.isalpha()
    ) - frozenset(("MODIFIER",))


def mixes_scripts(name: str) -> bool:
    """True if letters of a name come from different scripts; Japanese and Korean write several and are left alone."""
    scripts = {_FAMILIES.get(script, script) for script in scripts_of(name)}
    return len(scripts) > 1


_FAMILIES = dict.fromkeys(("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "KATAKANA-HIRAGANA"), "CJK")


def imitates_ascii(name: str) -> bool:
    """True if a name that is not ASCII looks like one that is."""
    return not name.isascii() and skeleton_of(name).isascii()


def _is_unseen(char: str) -> bool:
    return unicodedata.category(char) == "Cf" or "\ufe00" <= char <= "\ufe0f"
