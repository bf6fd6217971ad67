"""Signatures of documents: MinHash of word 5-grams, as the papers define it, whatever a batch holds beside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.audit.duplicates.check import DuplicatesCheck
from verilabel.audit.duplicates.kernels.signatures import (
    ADDENDS,
    FACTORS,
    NGRAM,
    PERMUTATIONS,
    Signed,
    sign_documents,
)
from verilabel.audit.duplicates.opening import OPENING
from verilabel.audit.duplicates.reducing import needed_agreement
from verilabel.audit.interface import Batch
from verilabel.audit.kernels.digests import exact_keys, text_digests
from verilabel.audit.kernels.ngrams import BASE
from verilabel.audit.kernels.tokens import cut_text, cut_words
from verilabel.audit.settings import AuditSettings, DuplicatesSettings
from verilabel.errors import UsageError

TEXTS = st.lists(st.text(alphabet="ab cd,.\n字é", max_size=80), min_size=1, max_size=8)
HOSTILE = {
    "one letter": "a" * 200_000,
    "one word again and again": "a " * 100_000,
    "digits": "7" * 200_000,
    "signs": "@" * 200_000,
    "newlines": "\n" * 200_000,
    "Chinese": "字" * 70_000,
    "emoji": "\U0001f600" * 50_000,
    "empty": "",
}


def batch_of(texts: Sequence[str]) -> Batch:
    encoded = [text.encode() for text in texts]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    return Batch(np.frombuffer(b"".join(encoded), np.uint8).copy(), offsets, np.arange(len(encoded)))


def sign(texts: Sequence[str]) -> Signed:
    return sign_documents(cut_words(batch_of(texts)))


def spread(value: int) -> int:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value ^= value >> 33
        value = value * factor % 2**64
    return value ^ value >> 33


def plain_signature(text: str) -> list[int]:
    words = cut_text(text).hashes.tolist()
    shingles = set()
    for start in range(len(words) - NGRAM + 1):
        rolled = 0
        for word in words[start : start + NGRAM]:
            rolled = (rolled * int(BASE) + word) % 2**64
        shingles.add(spread(rolled) >> 32)
    if not shingles:
        return [0] * PERMUTATIONS
    lowest = []
    for factor, addend in zip(FACTORS.tolist(), ADDENDS.tolist(), strict=True):
        values = [(factor * shingle + addend) % 2**32 for shingle in shingles]
        lowest.append(min(value ^ value >> 15 for value in values) & 0xFF)
    return lowest


@given(TEXTS)
@settings(max_examples=40)
def test_the_kernel_gives_the_minima_that_plain_python_gives(texts: list[str]) -> None:
    signed = sign(texts)
    assert [plain_signature(text) for text in texts] == signed.signatures.tolist()


@given(TEXTS, st.integers(0, 8))
@settings(max_examples=40)
def test_how_documents_are_cut_into_batches_changes_nothing(texts: list[str], cut: int) -> None:
    whole = sign(texts)
    pieces = [sign(piece) for piece in (texts[:cut], texts[cut:]) if piece]
    for name in Signed._fields:
        joined = np.concatenate([getattr(piece, name) for piece in pieces])
        assert getattr(whole, name).tolist() == joined.tolist()


def test_case_and_punctuation_make_no_other_words() -> None:
    signed = sign(["It was a bright, cold day in April.", "it WAS a bright cold\nday -- in april"])
    assert signed.words[0].tolist() == signed.words[1].tolist()
    assert signed.signatures[0].tolist() == signed.signatures[1].tolist()


def test_another_order_of_words_is_another_sequence() -> None:
    signed = sign(["one two", "two one", "one two two", "one"])
    assert 4 == len({tuple(key) for key in signed.words.tolist()})


def test_a_document_without_words_has_no_key_and_one_of_four_words_no_shingle() -> None:
    signed = sign(["... !!", "one two three four", "one two three four five"])
    assert [0, 0] == signed.words[0].tolist()
    assert [0, 0, 1] == signed.shingles.tolist()


def test_agreement_estimates_the_true_similarity() -> None:
    base = [f"w{number}" for number in range(4_000)]
    for shared in (3_900, 3_000, 2_000, 800):
        other = base[:shared] + [f"x{number}" for number in range(4_000 - shared)]
        one, two = ({tuple(words[i : i + 5]) for i in range(3_996)} for words in (base, other))
        true = len(one & two) / len(one | two)
        signed = sign([" ".join(base), " ".join(other)])
        agreeing = float((signed.signatures[0] == signed.signatures[1]).mean())
        estimate = (agreeing - 1 / 256) / (1 - 1 / 256)
        assert abs(true - estimate) < 4 * (true * (1 - true) / PERMUTATIONS) ** 0.5 + 0.01


def test_unrelated_documents_agree_in_few_places() -> None:
    texts = [" ".join(f"{document}-{number}" for number in range(300)) for document in range(200)]
    signatures = sign(texts).signatures
    agreeing = (signatures[:-1] == signatures[1:]).sum(axis=1)
    assert agreeing.max() < 10


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_texts_are_examined_like_any_other(kind: str) -> None:
    batch = batch_of([HOSTILE[kind], "five words are enough here", HOSTILE[kind]])
    spill = DuplicatesCheck(DuplicatesSettings()).examine(batch, cut_words(batch)).spill
    assert spill["signatures"].shape == (3, PERMUTATIONS)
    assert spill["signatures"][0].tolist() == spill["signatures"][2].tolist()
    assert spill["shingles"][1] == 1


def test_digests_are_those_of_the_texts_alone() -> None:
    digests = text_digests(batch_of(["abc", "", "abc"]))
    assert "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" == digests[0].tobytes().hex()
    assert "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" == digests[1].tobytes().hex()
    assert [0xBA7816BF8F01CFEA, 0x414140DE5DAE2223] == exact_keys(digests)[2].tolist()


def test_a_batch_of_no_documents_has_no_digests() -> None:
    assert (0, 32) == text_digests(batch_of([])).shape
    assert (0, 2) == exact_keys(text_digests(batch_of([]))).shape


def test_the_card_binds_the_similarity_that_is_asked_for(tmp_path: object) -> None:
    strict = DuplicatesCheck(DuplicatesSettings(min_similarity=0.9)).card
    usual = DuplicatesCheck(DuplicatesSettings()).card
    assert strict.data_sha256 != usual.data_sha256
    assert usual == DuplicatesCheck(DuplicatesSettings()).card


def test_needed_places_allow_for_agreement_by_chance() -> None:
    assert (68, 112, 90) == (needed_agreement(0.6), needed_agreement(1.0), needed_agreement(0.8))


@pytest.mark.parametrize("similarity", [0.0, -1.0, 1.01, float("nan")])
def test_a_similarity_that_means_nothing_is_refused(similarity: float, tmp_path) -> None:  # type: ignore[no-untyped-def]
    wanted = AuditSettings(duplicates=DuplicatesSettings(min_similarity=similarity))
    with pytest.raises(UsageError, match="between 0 and 1"):
        OPENING.prepare(wanted, tmp_path)


def test_an_alarm_at_no_documents_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match="at least one"):
        OPENING.prepare(AuditSettings(duplicates=DuplicatesSettings(alarm_documents=0)), tmp_path)
