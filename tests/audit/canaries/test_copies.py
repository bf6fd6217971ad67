"""Copies of documents with the similarity that is left, as the truth for finding duplicates."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.audit.canaries.copies import EXACT, RATES, copy_documents, similarity

TEXTS = [" ".join(f"w{(7 * at + place * place) % 900}" for place in range(200)).encode() for at in range(60)]


def test_every_edit_has_as_many_copies_each_of_another_text() -> None:
    copies = copy_documents([text + str(at).encode() for at, text in enumerate(TEXTS * 12)], b"s", 5)
    counts = Counter(copy.format for copy in copies)
    assert set(counts.values()) == {5}
    assert len(counts) == 1 + 4 * len(RATES)
    assert len({copy.original for copy in copies}) == len(copies)


def test_fewer_texts_give_fewer_copies_and_exact_ones_come_first() -> None:
    copies = copy_documents(TEXTS[:3], b"s", 5)
    assert [(EXACT, 1.0)] * 3 == [(copy.format, copy.jaccard) for copy in copies]
    assert all(TEXTS[copy.original] == copy.text for copy in copies)


def test_the_similarity_told_is_the_true_one_and_falls_with_the_rate() -> None:
    copies = copy_documents([text + str(at).encode() for at, text in enumerate(TEXTS * 12)], b"s", 15)
    replaced = {rate: [] for rate in RATES}  # type: dict[float, list[float]]
    for copy in copies:
        name, _, rate = copy.format.partition("_")
        if name == "replaced":
            replaced[int(rate) / 1000].append(copy.jaccard)
    means = [sum(values) / len(values) for values in replaced.values()]
    assert means == sorted(means, reverse=True)
    assert means[0] > 0.95
    assert means[-1] < 0.6


def test_similarity_is_that_of_sets_of_word_five_grams() -> None:
    assert similarity(b"a b c d e f", b"A, b; c d e f!") == 1
    assert similarity(b"a b c d e f", b"a b c d e g") == 1 / 3
    assert similarity(b"a b c d e f", b"z y x w v u") == 0
    assert similarity(b"too short", b"to compare") == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=80), min_size=1, max_size=40), st.binary(max_size=4))
def test_copies_of_any_text_are_text(texts: list[str], seed: bytes) -> None:
    encoded = [text.encode("utf-8", "ignore") for text in texts]
    for copy in copy_documents(encoded, seed, 1):
        copy.text.decode("utf-8")
        assert 0 <= copy.jaccard <= 1
