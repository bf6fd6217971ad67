"""Facts about a text that anyone can count: letters, lines, repetition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.audit.interface import Batch
from verilabel.audit.kernels.tokens import cut_text, cut_words
from verilabel.audit.language.kernels.quality import (
    LONG_NGRAM,
    MARKUP,
    MOST_PROBES,
    MOST_WORDS,
    NO_LETTERS,
    PLACEHOLDER,
    REPEATED_LINES,
    REPLACED,
    VERY_SHORT,
    Quality,
    measure_quality,
    meet_key,
)
from verilabel.audit.language.measured import measured_errors

PLAIN = (
    "The lighthouse stands on a rock, and the keeper climbs it twice a day.\n"
    "In winter he brings coal up the stairs; in summer he paints the rail.\n"
    "Nobody has asked him how many steps there are.\n"
)


def measure(texts: Sequence[str]) -> Quality:
    encoded = [text.encode() for text in texts]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    batch = Batch(np.frombuffer(b"".join(encoded), np.uint8).copy(), offsets, np.arange(len(encoded)))
    return measure_quality(batch, cut_words(batch))


def one(text: str) -> dict[str, int]:
    return {name: int(values[0]) for name, values in measure([text])._asdict().items()}


def permille(part: int, whole: int) -> int:
    return 1000 * part // whole if whole else 0


def plain_facts(text: str) -> dict[str, int]:
    words = cut_text(text).hashes.tolist()
    visible = [sign for sign in text if sign not in " \t\n\r\v\f"]
    letters = sum(
        (sign.isascii() and sign.isalpha()) or (ord(sign) >= 128 and sign != "\ufffd") for sign in visible
    )
    digits = sum(sign.isascii() and sign.isdigit() for sign in visible)
    lines = [tuple(cut_text(line).hashes.tolist()) for line in text.split("\n")]
    lines = [line for line in lines if line]
    pairs = Counter(pairwise(words)).most_common(1)
    top = pairs[0][1] if pairs and pairs[0][1] > 1 else 0
    grams = [tuple(words[at : at + LONG_NGRAM]) for at in range(len(words) - LONG_NGRAM + 1)]
    return {
        "letters": permille(letters, len(visible)),
        "digits": permille(digits, len(visible)),
        "repeated_lines": permille(len(lines) - len(set(lines)), len(lines)),
        "top_pair": permille(min(2 * top, len(words)), len(words)),
        "repeated_ngrams": permille(len(grams) - len(set(grams)), len(grams)),
    }


TEXTS = st.text(alphabet="ab 1\n\t.<>/é字\ufffd", max_size=300)


@given(st.lists(TEXTS, min_size=1, max_size=6))
@settings(max_examples=60)
def test_counts_are_those_of_plain_python(texts: list[str]) -> None:
    facts = measure(texts)
    for place, text in enumerate(texts):
        for name, value in plain_facts(text).items():
            assert (name, value) == (name, int(getattr(facts, name)[place]))


@given(st.lists(TEXTS, max_size=8), st.integers(0, 8))
@settings(max_examples=40)
def test_how_documents_are_cut_into_batches_changes_no_fact(texts: list[str], cut: int) -> None:
    whole, pieces = measure(texts), [measure(texts[:cut]), measure(texts[cut:])]
    for name in Quality._fields:
        joined = np.concatenate([getattr(piece, name) for piece in pieces])
        assert getattr(whole, name).tolist() == joined.tolist()


@pytest.mark.parametrize("shift", range(9))
def test_where_a_batch_lies_in_memory_changes_no_fact(shift: int) -> None:
    texts = [PLAIN, "<p>one</p>\n" * 7 + "x", "", PLAIN * 2]
    encoded = [text.encode() for text in texts]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    memory = np.zeros(offsets[-1] + shift, np.uint8)
    memory[shift:] = np.frombuffer(b"".join(encoded), np.uint8)
    batch = Batch(memory[shift:], offsets, np.arange(len(encoded)))
    shifted, plain = measure_quality(batch, cut_words(batch)), measure(texts)
    for name in Quality._fields:
        assert getattr(plain, name).tolist() == getattr(shifted, name).tolist()


@given(st.lists(st.integers(0, 30), min_size=5, max_size=400))
@settings(max_examples=60)
def test_sequences_that_repeat_are_counted_as_plain_python_counts_them(numbers: list[int]) -> None:
    text = " ".join(f"w{number // 10}" if number > 9 else "a b c d e f g h i j k" for number in numbers)
    facts = one(text)
    for name, value in plain_facts(text).items():
        assert (name, value) == (name, facts[name])


def test_plain_prose_has_no_flag() -> None:
    facts = one(PLAIN)
    assert 0 == facts["flags"]
    assert 1000 == facts["line_ends"]
    assert facts["letters"] > 950


def test_repeated_lines_are_counted_and_flagged() -> None:
    facts = one("Share this page now\n" * 9 + "Something else entirely\n")
    assert 800 == facts["repeated_lines"]
    assert facts["flags"] & REPEATED_LINES


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("Only a few words.", VERY_SHORT),
        ("1 2 3 4 5 6 7 8 9 10 -- 11 12 13 14 15 16 17 18 19 20 21", NO_LETTERS),
        (PLAIN + "Lorem ipsum dolor sit amet", PLACEHOLDER),
        ("<div class='a'><span id='b'>x</span></div>" * 30, MARKUP),
        (PLAIN + "\ufffd" * 40, REPLACED),
    ],
)
def test_each_flag_is_raised_by_what_it_names(text: str, flag: int) -> None:
    assert one(text)["flags"] & flag


def test_comparisons_are_no_tags() -> None:
    assert not one("if a < b and c > d then " * 60)["flags"] & MARKUP


@pytest.mark.parametrize("end", [".", "!", "?", '"', ")", "。", "！", "।", "…", "»"])
def test_lines_that_end_like_a_sentence(end: str) -> None:
    assert 500 == one(f"一 first line{end}\nsecond line without an end")["line_ends"]


def test_a_line_after_the_last_newline_is_a_line() -> None:
    assert 500 == one("one line.\nand one more")["line_ends"]
    assert 1000 == one("one line.")["line_ends"]
    assert 1000 == one("one line.  \t\r\n")["line_ends"]


def test_word_length_counts_characters_not_bytes() -> None:
    assert 400 == one("four чети four чети")["word_length"]


def test_a_long_word_has_the_largest_length_there_is() -> None:
    assert 65_535 == one("a" * 10_000)["word_length"]


def test_repetition_beyond_the_first_words_is_not_looked_at() -> None:
    unlike = " ".join(f"w{number}" for number in range(MOST_WORDS))
    assert (0, 0) == (one(unlike)["top_pair"], one(unlike)["repeated_ngrams"])
    longer = one(unlike + " w1 w2" * 500)
    assert (0, 0) == (longer["top_pair"], longer["repeated_ngrams"])


@pytest.mark.parametrize(
    "text", ["", "\n" * 100_000, "<" * 100_000, "a\n" * 50_000, "字" * 50_000, "@" * 100_000]
)
def test_hostile_texts_have_shares_between_nothing_and_all(text: str) -> None:
    facts = one(text)
    for name in ("letters", "digits", "repeated_lines", "top_pair", "repeated_ngrams", "line_ends"):
        assert 0 <= facts[name] <= 1000


def test_keys_made_to_collide_are_forgotten_instead_of_looked_for_ever_longer() -> None:
    slots = np.zeros(1024, np.uint64)
    keys = [np.uint64(number << 20 | 5) for number in range(1, 1_000)]
    first = [int(meet_key(key, np.uint64(1023), slots)) for key in keys]
    again = [int(meet_key(key, np.uint64(1023), slots)) for key in keys]
    assert [1] * len(keys) == first
    assert [2] * MOST_PROBES + [1] * (len(keys) - MOST_PROBES) == again
    assert MOST_PROBES == np.count_nonzero(slots)


def test_the_measured_errors_come_with_their_method() -> None:
    measured = measured_errors()
    every, sure = measured.told
    assert every.correct / every.planted > 0.98
    assert sure.correct / sure.claimed > 0.99
    assert "measure_language" in measured.method
