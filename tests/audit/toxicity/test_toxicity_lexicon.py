"""The word list: whole, in order, made again from its sources, hidden from the accidental reader."""

from __future__ import annotations

import zlib
from importlib import resources
from pathlib import Path

import msgspec
import pytest

from verilabel.audit.toxicity.checking import measured_errors, open_check
from verilabel.audit.toxicity.lexicon import (
    LEXICON_FILE,
    MAX_LEXICON_BYTES,
    Lexicon,
    Term,
    decode_lexicon,
    lexicon_bytes,
    shipped_lexicon,
)
from verilabel.audit.toxicity.making import make_lexicon
from verilabel.audit.toxicity.measuring import Labelled, count_errors, measure, read_clean
from verilabel.audit.toxicity.table import make_table
from verilabel.errors import LimitExceeded, MalformedInput, UsageError

DATA = resources.files("verilabel.audit.toxicity").joinpath("data")


def packed(lexicon: Lexicon) -> bytes:
    return zlib.compress(lexicon_bytes(lexicon))


def test_no_word_of_the_list_stands_readable_in_its_files() -> None:
    words = [t.text.encode() for t in shipped_lexicon().terms if t.category == "slur" and len(t.text) > 5]
    for name in (LEXICON_FILE, "additions.json", "annotations.json", "errors.json"):
        content = DATA.joinpath(name).read_bytes().lower()
        assert [] == [index for index, word in enumerate(words) if word in content]


def test_the_shipped_list_is_what_its_sources_make(shared_data: Path) -> None:
    assert make_lexicon(shared_data / "lexicons") == shipped_lexicon()


def test_a_missing_source_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="en"):
        make_lexicon(tmp_path)


def test_an_annotation_beyond_the_end_of_its_list_is_refused(tmp_path: Path) -> None:
    for language in ("en", "de", "fr", "es", "zh"):
        (tmp_path / language).write_text("word\n")
    with pytest.raises(MalformedInput, match="no line"):
        make_lexicon(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, zlib.compress(b"[1]"), zlib.compress(b"\xff{")])
def test_a_file_that_is_no_list_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedInput):
        decode_lexicon(content, where="list")


def test_a_list_that_unpacks_without_end_is_refused() -> None:
    with pytest.raises(LimitExceeded):
        decode_lexicon(zlib.compress(b" " * (MAX_LEXICON_BYTES + 1)), where="list")


def test_a_list_out_of_order_is_refused() -> None:
    lexicon = Lexicon("1", "s", "l", (Term("b", "en", "slur"), Term("a", "en", "slur")))
    with pytest.raises(MalformedInput, match="sorted"):
        decode_lexicon(packed(lexicon), where="list")
    ordered = msgspec.structs.replace(lexicon, terms=lexicon.terms[::-1])
    assert ordered == decode_lexicon(packed(ordered), where="list")


@pytest.mark.parametrize("text", ["...", " ".join(["w"] * 17)])
def test_a_term_without_words_or_of_too_many_is_refused(text: str) -> None:
    with pytest.raises(MalformedInput, match="1 to 16 words"):
        make_table(Lexicon("1", "s", "l", (Term(text, "en", "slur"),)))


def test_the_shipped_errors_are_those_that_are_measured(shared_data: Path) -> None:
    measured = measure(open_check(), shared_data, [], 0)
    for kind, errors in measured_errors().items():
        # the last is of texts of the machine that they were measured on
        assert list(measured[kind][:-1]) == list(errors[:-1])


def test_errors_count_found_and_wrongly_found() -> None:
    word = next(t.text for t in shipped_lexicon().terms if t.category == "slur" and not t.company)
    rows = [
        Labelled(word, True),
        Labelled("kind words", True),
        Labelled(word, False),
        Labelled("others", False),
    ]
    counted = count_errors(open_check(), "toxic.slur", rows, "made")
    assert (2, 1, 2, 1) == (counted.planted, counted.found, counted.claimed, counted.correct)


def test_ordinary_texts_are_read_once_and_within_the_bound(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x" * 9_000 + "y" * 1_000)
    (tmp_path / "b.txt").write_text("x" * 4_000)
    (tmp_path / "c.txt").write_bytes(b"\xff\xfe")
    (tmp_path / "d.bin").write_text("left out")
    assert [4_000, 2_000] == [len(text) for text in read_clean([tmp_path], 10**6)]
    assert 1 == len(list(read_clean([tmp_path], 10)))
