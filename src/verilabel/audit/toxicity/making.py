"""Make the word list: `python -m verilabel.audit.toxicity.making --lists FOLDER --out FILE`.

FOLDER holds the lists `en`, `de`, `fr`, `es` and `zh` of LDNOOBW (CC-BY-4.0, Shutterstock). Which of their lines are
taken, and as what, is in `data/annotations.json`, by line number; our own terms are in `data/additions.json`, in ROT13.
"""

from __future__ import annotations

import argparse
import codecs
import itertools
import sys
import zlib
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from verilabel.audit.toxicity.lexicon import Lexicon, Term, lexicon_bytes
from verilabel.detectors.training.writing import write_whole
from verilabel.errors import MalformedInput, UsageError, VerilabelError
from verilabel.records.canonical import digest

VERSION = "1"
SOURCE = (
    "LDNOOBW, List of Dirty, Naughty, Obscene and Otherwise Bad Words (Shutterstock, CC-BY-4.0), commit "
    "5faf2ba42d7b1c0977169ec3611df25a3c08eb13, categorised, with terms of our own"
)
LICENCE = "CC-BY-4.0"
OWN_LANGUAGE = "und"
"""ISO 639-2 for what is not said: our own terms are English for the most part."""


class OfLanguage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lines of one list, by category (`profanity`, `slur.origin`, ...), and those with an innocent sense."""

    categories: dict[str, tuple[int, ...]]
    company: tuple[int, ...]


class Annotations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is taken of the lists."""

    note: str
    languages: dict[str, OfLanguage]
    inflections: dict[str, dict[str, tuple[str, ...]]]
    """By language and line: endings that make further terms of the same category."""


class Pattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Phrases of one category: one of each part, in all ways."""

    category: str
    parts: tuple[tuple[str, ...], ...]


class Additions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Terms of our own; every text but the categories is in ROT13."""

    note: str
    words: dict[str, tuple[str, ...]]
    company: dict[str, tuple[str, ...]]
    patterns: tuple[Pattern, ...]


def make_lexicon(lists: Path) -> Lexicon:
    """The word list, a pure function of the lists and of the two files beside it.

    Raises UsageError where a list is missing, MalformedInput where an annotation names a line it does not have.
    """
    annotations = msgspec.json.decode(_read_data("annotations.json"), type=Annotations)
    terms: dict[str, Term] = {}
    for language, taken in annotations.languages.items():
        path = lists / language
        if not path.is_file():
            raise UsageError("a word list is missing", where=str(path), hint="--lists names their folder")
        lines = path.read_text("utf-8").splitlines()
        endings = annotations.inflections.get(language, {})
        for term in _take_lines(language, lines, taken, endings, where=str(path)):
            terms.setdefault(term.text, term)
    for term in _own_terms(msgspec.json.decode(_read_data("additions.json"), type=Additions)):
        terms[term.text] = term
    return Lexicon(VERSION, SOURCE, LICENCE, tuple(terms[text] for text in sorted(terms)))


def _take_lines(
    language: str, lines: list[str], taken: OfLanguage, endings: dict[str, tuple[str, ...]], *, where: str
) -> list[Term]:
    found = []
    for category, numbers in taken.categories.items():
        for number in numbers:
            if not 1 <= number <= len(lines):
                raise MalformedInput(f"no line {number}", where=where)
            text = lines[number - 1].strip().lower()
            for ending in ("", *endings.get(str(number), ())):
                found.append(_term(text + ending, language, category, company=number in taken.company))
    return found


def _own_terms(additions: Additions) -> list[Term]:
    found = []
    for category, words in additions.words.items():
        company = frozenset(additions.company.get(category, ()))
        found += [_term(_rot13(word), OWN_LANGUAGE, category, company=word in company) for word in words]
    for pattern in additions.patterns:
        for chosen in itertools.product(*pattern.parts):
            phrase = " ".join(map(_rot13, chosen))
            found.append(_term(phrase, OWN_LANGUAGE, pattern.category, company=False))
    return found


def _term(text: str, language: str, category: str, *, company: bool) -> Term:
    name, _, group = category.partition(".")
    built: Any = [text, language, name, group, company]
    return msgspec.convert(built, type=Term)


def _rot13(text: str) -> str:
    return codecs.encode(text, "rot13")


def _read_data(name: str) -> bytes:
    return resources.files("verilabel.audit.toxicity").joinpath("data", name).read_bytes()


def main() -> None:
    """Make the list and write it in one piece."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lists", type=Path, required=True, help="folder of the source lists")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    arguments = parser.parse_args()
    try:
        lexicon = make_lexicon(arguments.lists)
    except VerilabelError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(int(error.status)) from error
    content = lexicon_bytes(lexicon)
    write_whole(arguments.out, zlib.compress(content, 9))
    print(f"{arguments.out}: {len(lexicon.terms):,} terms, {digest(content)}")


if __name__ == "__main__":
    main()
