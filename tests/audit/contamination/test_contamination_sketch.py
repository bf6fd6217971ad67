"""Sketches of a corpus: what they find, how they are cut up, joined, and refused when changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.audit.contamination.items import load_benchmark
from verilabel.audit.contamination.kernels.winnowing import winnow
from verilabel.audit.contamination.queries import query_benchmark, query_file
from verilabel.audit.contamination.sketch import (
    Sketch,
    build_sketch,
    join_fingerprints,
    merge_sketches,
    parse_sketch,
    read_sketch,
    write_sketch,
)
from verilabel.audit.contamination.winnowing import winnow_documents
from verilabel.audit.kernels.tokens import cut_words
from verilabel.errors import MalformedInput, SealError, UsageError, VerilabelError

HASHES = st.lists(st.integers(0, 2**64 - 1), max_size=200)


def parse(content: bytes) -> Sketch:
    return parse_sketch(np.frombuffer(content, np.uint8).copy())


def hashes(values: list[int]) -> np.ndarray:
    return np.unique(np.array(values, np.uint64))


@given(HASHES, HASHES)
def test_a_sketch_holds_what_it_was_made_of_however_it_was_cut(first, second):
    one = build_sketch([hashes(first + second)], documents=2, words=9)
    assert one == build_sketch([hashes(second), hashes(first), hashes(first[:3])], documents=2, words=9)
    sketch = parse(one)
    assert sketch.holds(hashes(first + second)).all()
    assert (2, 9) == (sketch.documents, sketch.words)


def test_what_a_sketch_does_not_hold_is_taken_for_held_as_rarely_as_it_says():
    chance = np.random.default_rng(20261123)
    own = np.unique(chance.integers(0, 2**64, 5_000, dtype=np.uint64))
    sketch = parse(build_sketch([own], documents=1, words=1, error_bits=8))
    asked = chance.integers(0, 2**64, 400_000, dtype=np.uint64)
    expected = sketch.false_positive_rate * len(asked)
    assert abs(int(sketch.holds(asked).sum()) - expected) < 6 * expected**0.5
    assert 2**-9 <= sketch.false_positive_rate <= 2**-8
    usual = parse(build_sketch([own], documents=1, words=1))
    assert 2**-21 <= usual.false_positive_rate <= 2**-20


def test_a_key_takes_little_more_than_its_error(tmp_path: Path):
    own = np.unique(np.random.default_rng(1).integers(0, 2**64, 50_000, dtype=np.uint64))
    content = build_sketch([own], documents=1, words=1, error_bits=16)
    assert len(content) * 8 / len(own) < 16 + 3


def test_sketches_of_two_corpora_join(tmp_path: Path):
    chance = np.random.default_rng(2)
    left, right = (np.unique(chance.integers(0, 2**64, size, dtype=np.uint64)) for size in (300, 9_000))
    one, two = (
        parse(build_sketch([left], documents=1, words=5)),
        parse(build_sketch([right], documents=2, words=7)),
    )
    joined = parse(merge_sketches([one, two]))
    assert joined.holds(left).all() and joined.holds(right).all()
    assert (3, 12) == (joined.documents, joined.words)
    assert merge_sketches([one, two]) == merge_sketches([two, one])
    empty = parse(build_sketch([], documents=0, words=0))
    assert two.keys == parse(merge_sketches([empty, two])).keys


@given(st.lists(st.integers(0, 2**63), min_size=1, max_size=60), st.data())
def test_a_sketch_with_one_changed_bit_is_refused(values, data):
    content = bytearray(build_sketch([hashes(values)], documents=1, words=1))
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    content[bit // 8] ^= 1 << bit % 8
    with pytest.raises(VerilabelError):
        parse(bytes(content))


@given(st.binary(max_size=300), st.booleans())
def test_bytes_that_are_no_sketch_are_refused(content, begun):
    head = build_sketch([hashes([5, 2**60])], documents=1, words=1)[:60]
    with pytest.raises(MalformedInput):
        parse(head + content if begun and content else content)


def test_a_sealed_sketch_whose_numbers_do_not_decode_is_refused():
    import verilabel.audit.contamination.sketch as module

    content = build_sketch([hashes([5, 2**60, 2**63])], documents=1, words=1)
    head, payload = content[: module._HEAD.size], content[module._HEAD.size + 32 :]
    for forged in (b"\xff" * len(payload), b"\x00" * (len(payload) - 1) + b"\x80"):
        sealed = head + module._seal_of(head, np.frombuffer(forged, np.uint8)) + forged
        with pytest.raises(MalformedInput, match=r"decode|more bytes"):
            parse(sealed)


def test_a_sketch_file_is_not_overwritten_and_changed_ones_are_refused(tmp_path: Path):
    content = build_sketch([hashes([1, 2, 3])], documents=1, words=1)
    path = tmp_path / "sketch.bin"
    write_sketch(content, path)
    with pytest.raises(UsageError, match="there already"):
        write_sketch(content, path)
    assert 1 == read_sketch(path).documents
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 4]))
    with pytest.raises(SealError):
        read_sketch(path)
    path.write_bytes(content[:20])
    with pytest.raises(MalformedInput, match="too short"):
        read_sketch(path)
    with pytest.raises(UsageError, match="no such file"):
        read_sketch(tmp_path / "none.bin")


@given(st.lists(st.integers(0, 9), max_size=80), st.integers(1, 20))
def test_of_every_window_of_ngrams_one_is_kept(values, window):
    ngrams = np.array(values + [0] * 12, np.uint64)
    documents = np.array([0, len(values) + 12], np.int32)
    document, kept = np.empty(len(ngrams), np.int32), np.empty(len(ngrams), np.uint64)
    count = winnow(ngrams, documents, 13, window, document, kept)
    own = set(kept[:count].tolist())
    for first in range(max(1, len(values) - window + 1) if values else 0):
        assert min(values[first : first + window]) in own
    assert own <= set(values)


def test_fingerprints_do_not_depend_on_the_batch(kit, check):
    texts = [kit.by_id["river"], "", "too short", kit.river_answer * 3, kit.by_id["baker"]]
    whole = winnow_documents(cut_words(kit.make_batch(texts)))
    single = [winnow_documents(cut_words(kit.make_batch([text])))[1].tolist() for text in texts]
    assert [value for one in single for value in one] == whole[1].tolist()
    assert [number for number, one in enumerate(single) for _ in one] == whole[0].tolist()


@pytest.fixture
def sketched(tmp_path: Path, kit) -> Path:
    """A sketch of a corpus with one of the items, and the items' file."""
    check = kit.open_on(tmp_path / "index", sketch=True)
    text = "Before it there is some other text. " + kit.by_id["river"] + " And after it there is some more."
    table = kit.examine(check, text, "another document").tables["contamination_sketch"]
    part = join_fingerprints([table["fingerprint"]])
    write_sketch(build_sketch([part], documents=2, words=60), tmp_path / "sketch.bin")
    kit.write_items(tmp_path / "later.jsonl", kit.items)
    return tmp_path


def test_a_later_benchmark_is_looked_for_without_the_corpus(sketched: Path):
    (result,) = query_file(sketched / "sketch.bin", [str(sketched / "later.jsonl")])
    assert ["river"] == [match.item for match in result.matches]
    assert (6, 2, 2) == (result.items, result.documents, result.untestable)
    assert result.certain >= 2
    assert 0 < float(result.expected_false) < 0.001
    assert read_sketch(sketched / "sketch.bin").sha256 == result.sketch


def test_a_corpus_without_the_items_matches_none(kit, sketched: Path):
    sketch = parse(build_sketch([hashes(list(range(0, 2**63, 2**53)))], documents=1, words=1))
    assert () == query_benchmark(sketch, load_benchmark(str(sketched / "later.jsonl"))).matches


def test_a_sketch_is_only_made_when_asked_for(kit, check):
    assert "contamination_sketch" not in kit.examine(check, kit.by_id["river"]).tables
