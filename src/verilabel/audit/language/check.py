"""The check of languages and of quality: columns of facts, and no finding."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Batch, CheckCard, Column, Examined, Positions, Values, Words
from verilabel.audit.kernels.tokens import FOLD
from verilabel.audit.language.characters import expand_flags, read_table
from verilabel.audit.language.kernels import quality
from verilabel.audit.language.kernels.languages import (
    FIRST_BYTES,
    LEAST_SURE,
    PREFIX_BYTES,
    SHORTEST_BYTES,
    Told,
    survey_prefixes,
    tell_languages,
)
from verilabel.audit.language.model import Described, Opened

_WORDS = (
    f"The language of the first {FIRST_BYTES} bytes of each document by the model of py3langid (naive Bayes over byte "
    f"n-grams), or where that is less than {LEAST_SURE} percent sure of the first {PREFIX_BYTES:,}, and counts of what "
    "its text is made of; facts, and no judgement of its worth."
)
_LIMITS = (
    f"Of a document in several languages one is named; texts under {SHORTEST_BYTES} bytes are told none; source code, "
    "tables and lists of names are told some language with little sureness, and languages that the model does not know "
    f"another one; repetition is looked for in the first {quality.MOST_WORDS:,} words and lines."
)
_PERMILLE = "thousandths, rounded down: "
_QUALITY_COLUMNS = (
    Column(
        "quality_letters",
        "u2",
        _PERMILLE + "letters, and characters beyond ASCII, of all that are no white space",
    ),
    Column("quality_digits", "u2", _PERMILLE + "digits 0-9 of all characters that are no white space"),
    Column("quality_word_length", "u2", "100 times the mean number of characters of a word"),
    Column("quality_repeated_lines", "u2", _PERMILLE + "lines of words that repeat an earlier line"),
    Column(
        "quality_top_pair",
        "u2",
        _PERMILLE + "words in the most frequent pair of words, where one comes twice",
    ),
    Column("quality_repeated_ngrams", "u2", _PERMILLE + "sequences of ten words that repeat an earlier one"),
    Column("quality_line_ends", "u2", _PERMILLE + "lines of words that end like a sentence"),
    Column(
        "quality_flags",
        "u1",
        f"bits: {quality.VERY_SHORT} under {quality.SHORT_WORDS} words, {quality.NO_LETTERS} no letters, "
        f"{quality.REPEATED_LINES} over {quality.MOST_REPEATED_LINES / 10:g} % of lines repeated, "
        f"{quality.PLACEHOLDER} says lorem ipsum, {quality.MARKUP} over {quality.MOST_MARKUP / 10:g} % of bytes in "
        f"tags, {quality.REPLACED} over {quality.MOST_REPLACED / 10:g} % of characters are U+FFFD",
    ),
)
_NONE = "none"


class LanguageCheck:
    """Tells the language of every document of a batch, and measures its quality."""

    reads_words = True

    def __init__(self, opened: Opened) -> None:
        """A check over a model that is mapped into memory."""
        table = read_table()
        self._model = opened.model
        self._flags = expand_flags(table)
        self.languages = (_NONE, *sorted(set(opened.described.classes)))
        """What each value of `language_code` stands for."""
        codes = [self.languages.index(code) for code in opened.described.classes]
        self._codes = np.array([*codes, 0], np.uint8)  # the last for class -1
        self.card = CheckCard(
            name="language",
            version="1",
            data_sha256=_digest_parameters(opened.described, self._flags),
            words=_WORDS,
            limits=_LIMITS,
            columns=(
                Column("language_code", "u1", "language by ISO 639", tuple(self.languages)),
                Column(
                    "language_sure",
                    "u1",
                    "percent of the normalised probability of that language in the bytes looked at, rounded down",
                ),
                *_QUALITY_COLUMNS,
            ),
        )

    def examine(self, batch: Batch, words: Words) -> Examined:
        """One value of every column for each document."""
        told = self._tell(batch)
        facts = quality.measure_quality(batch, words)
        columns: dict[str, Values] = {
            "language_code": self._codes[told.best],
            "language_sure": told.percent,
        }
        columns |= {f"quality_{name}": values for name, values in facts._asdict().items()}
        return Examined(columns=columns)

    def _tell(self, batch: Batch) -> Told:
        starts, stops = batch.offsets[:-1].copy(), batch.offsets[1:].copy()
        told = self._tell_prefixes(batch, starts, stops, FIRST_BYTES)
        unsure = np.flatnonzero((told.percent < LEAST_SURE) & (stops - starts > FIRST_BYTES))
        if len(unsure):
            again = self._tell_prefixes(batch, starts[unsure], stops[unsure], PREFIX_BYTES)
            told.best[unsure], told.percent[unsure] = again
        return told

    def _tell_prefixes(self, batch: Batch, starts: Positions, stops: Positions, size: int) -> Told:
        ends = np.empty(len(starts), np.int64)
        doubtful = np.empty(len(starts), np.bool_)
        survey_prefixes(batch.data, starts, stops, size, self._flags, ends, doubtful)
        told = tell_languages(batch.data, starts, np.where(doubtful, starts, ends), self._model)
        places = np.flatnonzero(doubtful)
        if len(places):
            again = self._tell_anew([batch.data[starts[place] : ends[place]].tobytes() for place in places])
            told.best[places], told.percent[places] = again
        return told

    def _tell_anew(self, texts: Sequence[bytes]) -> Told:
        changed = [_normalise(text) for text in texts]
        offsets = np.zeros(len(changed) + 1, np.int64)
        np.cumsum([len(text) for text in changed], out=offsets[1:])
        data = np.frombuffer(b"".join(changed), np.uint8).copy()
        return tell_languages(data, offsets[:-1].copy(), offsets[1:].copy(), self._model)


def _normalise(text: bytes) -> bytes:
    """A text as py3langid looks at it: not all in capitals, and in normal form C."""
    read = text.decode("utf-8", "replace")
    return unicodedata.normalize("NFC", read.lower() if read.isupper() else read).encode("utf-8", "replace")


def read_languages(column: Column) -> tuple[str, ...]:
    """What each value of the column `language_code` stands for, from its card."""
    return column.values


def _digest_parameters(described: Described, flags: npt.NDArray[np.uint8]) -> str:
    parameters = {
        "characters": hashlib.sha256(flags.tobytes()).hexdigest(),
        "classes": list(described.classes),
        "columns": [column.words for column in _QUALITY_COLUMNS],
        "fold": hashlib.sha256(FOLD.tobytes()).hexdigest(),
        "model": described.sha256,
        "prefix": [FIRST_BYTES, LEAST_SURE, PREFIX_BYTES],
        "repetition": [quality.MOST_WORDS, quality.LONG_NGRAM, quality.MOST_PROBES],
        "shortest": SHORTEST_BYTES,
    }
    return "sha256:" + hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()
