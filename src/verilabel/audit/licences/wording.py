"""Which words of a licence's text are its own: not the holder's name, not a clause's number, not the title."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Batch, Bytes, Words
from verilabel.audit.kernels.tokens import cut_words

N = 6
"""Words that stand in a row are compared six at a time (spec/audit.md 2.5)."""
SHORT_WORDS = 600
"""Texts below it are templates whose authors put their own names in."""
_BLANKED = re.compile(
    rb"""<[^<>\n]{0,80}>            # <year>, <name of author>
    |\[[^\[\]\n]{0,60}\]            # [yyyy]
    |_{2,}
    |^[ \t]*\(?[0-9]{1,2}(?:\.[0-9]{1,2}){0,3}[.)](?=\s)   # 1.  2.1.
    |^[ \t]*\(?[A-Za-z][.)](?=\s)
    |^[ \t]*\(?[ivxIVX]{1,5}[.)](?=\s)
    |^.*\bcopyright\b[ \t]*(?:\(c\)|\xc2\xa9|[0-9]{2,4}|[<\[]|,|by\b).*$
    |^.*(?:\(c\)|\xc2\xa9)[ \t]*[0-9]{4}.*$
    |^[ \t]*all\ rights\ reserved\.?[ \t]*$""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_HOLDERS = re.compile(
    rb"\b(?:the\s+)?(?:(?:above\s+)?(?:listed\s+)?copyright\s+(?:holders?|owners?)|authors?|contributors?|regents|isc"
    rb"|university|licensors?|foundation|organi[sz]ation|company|corporation|project)\b",
    re.IGNORECASE,
)
_TITLE_WORDS = 12
_APPENDIX = re.compile(
    rb"END OF TERMS AND CONDITIONS|^[ \t]*How to (?:Apply|use) (?:These|this)", re.IGNORECASE | re.MULTILINE
)
_TYPOGRAPHIC: tuple[tuple[bytes, bytes], ...] = tuple(
    (mark.encode(), b" " * len(mark.encode()))
    for mark in "\u00a0\u2010\u2011\u2012\u2013\u2014\u2018\u2019\u201c\u201d\u2022\u00a9"
)
"""Marks that are no letters, each by spaces of its length, so that positions stay."""


def blank_typography(text: bytes) -> bytes:
    """The text with quotation marks, dashes, bullets and hard spaces beyond ASCII as spaces, at equal positions."""
    if text.isascii():
        return text
    for mark, spaces in _TYPOGRAPHIC:
        text = text.replace(mark, spaces)
    return text


def cut_bytes(text: bytes) -> Words:
    """The words of one text."""
    data = np.frombuffer(text, np.uint8)
    return cut_words(Batch(data, np.array([0, len(data)], np.int64), np.zeros(1, np.int64)))


def _mark(pattern: re.Pattern[bytes], text: bytes, blanked: npt.NDArray[np.bool_]) -> None:
    for match in pattern.finditer(text):
        blanked[match.start() : match.end()] = True


def _mark_title(text: bytes, name: str, blanked: npt.NDArray[np.bool_]) -> None:
    """The first line, where it is short and no sentence: most copies of short licences leave it out."""
    stripped = len(text) - len(text.lstrip())
    end = text.find(b"\n", stripped)
    line = text[stripped : end if end >= 0 else len(text)]
    words = line.split()
    titled = line.rstrip(b" :").lower() == name.lower().encode() or not line.rstrip().endswith(
        (b".", b",", b";")
    )
    if len(words) <= _TITLE_WORDS and titled and end >= 0:
        blanked[stripped : stripped + len(line)] = True


def mark_own_ngrams(text: bytes, name: str) -> tuple[Words, npt.NDArray[np.bool_]]:
    """The words of a licence's text, and for each run of N words whether all of them are the licence's own.

    `text` has its typography blanked. A run that spans a blank is not own: what stands in the blank differs by copy.
    """
    words = cut_bytes(text)
    blanked = np.zeros(len(text) + 1, np.bool_)
    _mark(_BLANKED, text, blanked)
    if len(words.hashes) < SHORT_WORDS:
        _mark(_HOLDERS, text, blanked)
        _mark_title(text, name, blanked)
    upto = np.concatenate((np.zeros(1, np.int64), np.cumsum(blanked[:-1])))
    count = len(words.hashes) - N + 1
    if count <= 0:
        return words, np.zeros(0, np.bool_)
    return words, upto[words.starts[:count]] == upto[words.ends[N - 1 :]]


def find_appendix(text: bytes) -> int:
    """Where a licence's advice on its use begins, which most copies leave out; the text's end where it has none."""
    match = _APPENDIX.search(text)
    return match.start() if match else len(text)


def fold_words(data: Bytes, words: Words, fold: Bytes) -> tuple[Bytes, npt.NDArray[np.int64]]:
    """The words in lower case, one space behind each, and where each begins."""
    lengths = (words.ends - words.starts).astype(np.int64) + 1
    behind = np.cumsum(lengths)
    places = behind - lengths
    source = np.arange(int(lengths.sum())) - np.repeat(places - words.starts, lengths)
    folded = fold[data[np.minimum(source, len(data) - 1)]]
    folded[behind - 1] = ord(" ")
    return folded, places
