"""Text from a bundle made fit for other formats: Markdown, XML, cells of a spreadsheet."""

from __future__ import annotations

import re
import unicodedata

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-!|<>&~$@]|:(?=//)|(?<=www)\.)", re.IGNORECASE)
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_LINES = re.compile(r"[\r\n\t\v\f\x85\u2028\u2029]+")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_JOINERS = frozenset("\u200c\u200d")
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Some spreadsheets take the full-width forms for the plain ones."""


def plain_line(text: str) -> str:
    """Text on one line, with every control, bidi and unassigned character written as `[U+202E]`."""
    line = _LINES.sub(" ", text)
    if line.isprintable():
        return line
    return "".join(_seen(character) for character in line)


def _seen(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in _UNSEEN:
        return character
    return f"[U+{ord(character):04X}]"


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it stands: no markup, link, mention, HTML, table cell or new line begins in it."""
    return _MARKDOWN.sub(lambda found: _ENTITIES.get(found[0], "\\" + found[0]), plain_line(text))


def fit_xml(text: str) -> str:
    """Text without the characters that XML 1.0 cannot hold, each written as `[U+0000]`."""
    return _NOT_XML.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def fit_cell(text: str) -> str:
    """Text that a spreadsheet does not take for a formula: what begins like one gets an apostrophe before it."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
