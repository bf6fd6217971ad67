"""Names as they look: two names with one skeleton can be taken for each other.

`fold_name` is what people and models do not tell apart at all: compatibility forms (full-width, mathematical letters),
case, `-` and `_`. `skeleton_of` adds letters and digits that look alike, after the idea of Unicode UTS 39 (confusable
detection) over a table of our own: Cyrillic, Greek, Armenian, Cherokee and Latin letters that look like ASCII ones, 0
and o, 1, i, l and |; `rn` and m, `vv` and w.

Limits: the table covers look-alikes of ASCII in those scripts, not all of UTS 39's 6,000 entries; two names in one
script beside Latin are not compared by look; what looks alike in one font alone is not known. Names outside of ASCII
are kept from agents anyway (`examining`), so the table has to explain, not to hold the line.
"""

from __future__ import annotations

import unicodedata

_LOOKS = """
cyrillic: аa вb сc еe ѕs іi јj кk мm нh оo рp тt уy хx ԁd ԛq ԝw ѵv һh ӏl пn гr ьb ԍg үy ґr ҽe ӕa
greek: αa βb γy εe ηn ιi κk νv οo ρp τt υu χx ωw σo μu ϲc ϳj ϐb ϵe
armenian: օo սu հh ոn ցg զq յj աw եe քp բp ղn լl ձd փu
cherokee: ꭰd ꭱr ꭲt ꭺa ꮃw ꮇm ꮋh ꮐg ꮓz ꮞ4 ꮪs ꮩv ꮮl ꮲp ꮶk ꮯc ꭻj ꭼe
latin: ıi ȷj ɑa ɡg ɩi ƨs ʋv ʟl ɴn ʀr ʏy ꜱs ɪi ᴀa ʙb ᴄc ᴅd ᴇe ɢg ʜh ᴊj ᴋk ᴍm ᴏo ᴘp ᴛt ᴜu ᴠv ᴡw ᴢz
latin: øo ðd þp łl đd ħh ŧt ɓb ɗd ɦh ƙk ƞn ƥp ƭt ɨi ʉu ɛe ɔc æa œo ꞌi ǀl ⅼl
"""
_DASHES = frozenset("-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d")


def _read_looks() -> dict[int, str]:
    pairs = [pair for line in _LOOKS.split("\n") for pair in line.partition(": ")[2].split()]
    # casefolding makes capitals of small Cherokee letters: the table has to stand in the form names are folded to
    return {ord(pair[0].casefold()): pair[1] for pair in pairs}


_LOOKALIKES = _read_looks()
_ALIKE = _LOOKALIKES | {ord("0"): "o", ord("1"): "l", ord("i"): "l", ord("|"): "l"}


def fold_name(name: str) -> str:
    """A name without what nobody tells apart: compatibility forms, case, unseen characters, kinds of dashes."""
    if name.isascii():
        return name.lower().replace("-", "_")
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join("_" if char in _DASHES else char for char in folded if not _is_unseen(char))


def skeleton_of(name: str) -> str:
    """What a name looks like, in ASCII where the table knows its letters."""
    folded = fold_name(name)
    if folded.isascii():
        return folded.translate(_ALIKE).replace("rn", "m").replace("vv", "w")
    decomposed = unicodedata.normalize("NFKD", folded)
    plain = "".join(char for char in decomposed if unicodedata.category(char) != "Mn")
    # twice: a Cyrillic i becomes i, which looks like l
    return plain.translate(_ALIKE).translate(_ALIKE).replace("rn", "m").replace("vv", "w")


def read_as_ascii(text: str) -> str:
    """A text as it is read by one who takes look-alikes of ASCII letters for them; other letters and digits stay."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", text).casefold().translate(_LOOKALIKES)


def scripts_of(name: str) -> frozenset[str]:
    """The scripts of a name's letters in their plain forms: first words of Unicode names (`LATIN`, `CYRILLIC`)."""
    return frozenset(
        unicodedata.name(char, "UNNAMED").partition(" ")[0]
        for char in unicodedata.normalize("NFKC", name)
        if char.isalpha()
    ) - frozenset(("MODIFIER",))


def mixes_scripts(name: str) -> bool:
    """True if letters of a name come from different scripts; what Chinese, Japanese and Korean write together, Latin
    too, is one (UTS 39, highly restrictive)."""
    scripts = {_FAMILIES.get(script, script) for script in scripts_of(name)}
    return len(scripts - {"LATIN"} if "CJK" in scripts else scripts) > 1


_FAMILIES = dict.fromkeys(("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "KATAKANA-HIRAGANA"), "CJK")


def imitates_ascii(name: str) -> bool:
    """True if a name that is not ASCII looks like one that is, by more than letters that languages write (é, ø, ł)."""
    if name.isascii():
        return False
    plain = (char for char in unicodedata.normalize("NFD", name) if unicodedata.category(char) != "Mn")
    is_strange = any(not char.isascii() and not "\u00c0" <= char <= "\u017f" for char in plain)
    return is_strange and skeleton_of(name).isascii()


def _is_unseen(char: str) -> bool:
    return unicodedata.category(char) == "Cf" or "\ufe00" <= char <= "\ufe0f"
