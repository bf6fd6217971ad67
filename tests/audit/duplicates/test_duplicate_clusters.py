"""From signatures to clusters: the same clusters however the work is cut, and as often as it is done."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.audit.duplicates import parts as parted
from verilabel.audit.duplicates.clusters import Summary, columns_for
from verilabel.audit.duplicates.edges import Tally, read_edges, read_tally
from verilabel.audit.duplicates.joining import Joined, columns_of, join_edges, summary
from verilabel.audit.duplicates.kernels.linking import LEADERS
from verilabel.audit.duplicates.kernels.signatures import PERMUTATIONS, sign_documents
from verilabel.audit.duplicates.measured import measured_errors
from verilabel.audit.duplicates.parts import BANDS, map_bands, write_map_part
from verilabel.audit.duplicates.reducing import needed_agreement, partitions_for, reduce_partition
from verilabel.audit.interface import Batch
from verilabel.audit.kernels.digests import text_digests
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.settings import DuplicatesSettings
from verilabel.errors import LimitExceeded, MalformedInput, UsageError

SETTINGS = DuplicatesSettings()
Spill = dict[str, np.ndarray]  # type: ignore[type-arg]


def spill_of(texts: Sequence[str]) -> tuple[Spill, np.ndarray]:  # type: ignore[type-arg]
    encoded = [text.encode() for text in texts]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    batch = Batch(np.frombuffer(b"".join(encoded), np.uint8).copy(), offsets, np.arange(len(encoded)))
    signed = sign_documents(cut_words(batch))
    return {
        "signatures": signed.signatures,
        "shingles": signed.shingles,
        "words": signed.words,
    }, text_digests(batch)


def write_parts(folder: Path, texts: Sequence[str], cuts: Sequence[int]) -> tuple[list[Path], list[int]]:
    bounds = [0, *sorted(min(cut, len(texts)) for cut in cuts), len(texts)]
    paths = []
    for number, (start, end) in enumerate(pairwise(bounds)):
        spill, digests = spill_of(texts[start:end])
        paths.append(folder / f"part-{number}")
        write_map_part(spill, digests, paths[-1])
    return paths, bounds[:-1]


def find_clusters(
    folder: Path,
    texts: Sequence[str],
    *,
    cuts: Sequence[int] = (),
    of: int = 1,
    max_entries: int = 2**18,
    alarm: int = 1_000,
) -> tuple[list[int], list[int], Summary]:
    paths, first = write_parts(folder, texts, cuts)
    files = [folder / f"edges-{number}" for number in range(of)]
    for number in reversed(range(of)):
        reduce_partition(paths, first, number, of, files[number], SETTINGS, max_entries)
    joined = join_edges(files, len(texts), folder / "joined")
    columns = columns_of(joined, 0, len(texts))
    return (
        columns["duplicates_exact"].tolist(),
        columns["duplicates_near"].tolist(),
        summary(joined, alarm),
    )


def edited(text: str, seed: int, changes: int) -> str:
    words = text.split()
    chance = random.Random(seed)
    for _ in range(changes):
        words[chance.randrange(len(words))] = f"changed{chance.randrange(10**6)}"
    return " ".join(words)


def original(number: int, length: int = 300) -> str:
    return " ".join(f"d{number}w{place}" for place in range(length))


def brute_clusters(texts: Sequence[str]) -> list[int]:
    """All pairs: equal words, or a shared band and enough agreement."""
    spill, digests = spill_of(texts)
    needed = needed_agreement(0.6)
    roots = list(range(len(texts)))
    for i in range(len(texts)):
        for j in range(i):
            one, other = spill["signatures"][i], spill["signatures"][j]
            banded = (one == other).reshape(BANDS, -1).all(axis=1).any()
            shingled = spill["shingles"][i] and spill["shingles"][j]
            same = digests[i].tolist() == digests[j].tolist() or (
                spill["words"][i].any() and spill["words"][i].tolist() == spill["words"][j].tolist()
            )
            if same or (shingled and banded and (one == other).sum() >= needed):
                low, high = sorted((roots[i], roots[j]))
                roots = [low if root == high else root for root in roots]
    return roots


CORPORA = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 30), st.integers(0, 2)), min_size=1, max_size=24
).map(lambda drawn: [edited(original(number, 60), seed, changes) for number, changes, seed in drawn])


@given(CORPORA, st.lists(st.integers(0, 24), max_size=3), st.integers(1, 9))
@settings(max_examples=30)
def test_clusters_are_those_of_all_pairs_however_the_work_is_cut(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], cuts: list[int], of: int
) -> None:
    folder = tmp_path_factory.mktemp("clusters")
    exact, near, _ = find_clusters(folder, texts, cuts=cuts, of=of, max_entries=40)
    assert [texts.index(text) for text in texts] == exact
    assert brute_clusters(texts) == near


def test_crowded_bands_give_the_same_clusters_in_memory_and_in_pieces(tmp_path: Path) -> None:
    texts = [edited(original(number % 3, 400), number, number % 4) for number in range(240)]
    whole = find_clusters(tmp_path / "whole", texts)
    pieces = find_clusters(tmp_path / "pieces", texts, cuts=(10, 11, 90, 180), of=5, max_entries=1)
    assert whole == pieces
    assert 3 == len(set(whole[1]))


def test_ten_thousand_copies_are_linked_in_linear_work(tmp_path: Path) -> None:
    texts = [f"{original(0, 40)} {number}" for number in range(10_000)]
    _, near, counts = find_clusters(tmp_path, texts)
    assert [0] * 10_000 == near
    assert counts.compared <= BANDS * LEADERS * len(texts)
    assert counts.exact.clusters == 0


def test_what_a_crowded_band_leaves_uncompared_is_counted(tmp_path: Path) -> None:
    # one band of all documents is equal, the rest of their signatures has nothing in common
    count = 100
    chance = np.random.default_rng(3)
    signatures = chance.integers(0, 256, (count, PERMUTATIONS), np.uint8)
    signatures[:, :7] = 1
    spill = {
        "signatures": signatures,
        "shingles": np.ones(count, np.uint32),
        "words": chance.integers(1, 2**63, (count, 2), np.uint64),
    }
    write_map_part(spill, chance.integers(0, 256, (count, 32), np.uint8), tmp_path / "part")
    reduce_partition([tmp_path / "part"], [0], 0, 1, tmp_path / "edges", SETTINGS)
    tally = read_tally(tmp_path / "edges")
    assert Tally(0, 0, 0, tally.compared, tally.compared, count - LEADERS) == tally
    assert tally.compared == LEADERS * (LEADERS - 1) // 2 + (count - LEADERS) * LEADERS


def test_a_near_copy_is_in_the_cluster_and_no_exact_duplicate(tmp_path: Path) -> None:
    texts = [original(1), original(2), edited(original(1), 1, 2), original(1)]
    exact, near, counts = find_clusters(tmp_path, texts, alarm=2)
    assert ([0, 1, 2, 0], [0, 1, 0, 0]) == (exact, near)
    assert (1, 2, 1) == (counts.exact.clusters, counts.exact.documents, counts.exact.copies)
    assert (1, 3, 2) == (counts.near.clusters, counts.near.documents, counts.near.copies)
    assert [(0, 3)] == [(one.first, one.documents) for one in counts.alarming]


def test_short_documents_are_near_duplicates_where_their_words_are_the_same(tmp_path: Path) -> None:
    exact, near, _ = find_clusters(tmp_path, ["Yes.", "yes", "no", "...", "...", "---", "a b c d", "a b c e"])
    assert [0, 1, 2, 3, 3, 5, 6, 7] == exact
    assert [0, 0, 2, 3, 3, 5, 6, 7] == near


def test_the_columns_of_a_shard_are_its_part_of_those_of_the_corpus(tmp_path: Path) -> None:
    texts = [original(0), original(1), original(0), original(0)]
    find_clusters(tmp_path, texts, cuts=(2,))
    columns = columns_of(Joined(tmp_path / "joined", 4), 2, 4)
    assert [0, 0] == columns["duplicates_exact"].tolist()
    assert [3, 3] == columns["duplicates_near_size"].tolist()
    assert {column.name: column.type for column in columns_for(near=True)} == {
        name: f"u{values.dtype.itemsize}" for name, values in columns.items()
    }


def test_a_corpus_without_documents_has_no_clusters(tmp_path: Path) -> None:
    exact, near, counts = find_clusters(tmp_path, [])
    assert ([], [], 0) == (exact, near, counts.near.documents)
    reduce_partition([], [], 0, 1, tmp_path / "none", SETTINGS)
    assert Tally() == read_tally(tmp_path / "none")


def test_the_largest_clusters_come_first_and_ties_by_their_first_document(tmp_path: Path) -> None:
    texts = [original(number) for number in (5, 6, 7, 6, 7, 5, 7)]
    _, _, counts = find_clusters(tmp_path, texts)
    assert [(2, 3), (0, 2), (1, 2)] == [(one.first, one.documents) for one in counts.exact.largest]


def test_every_step_may_be_done_twice(tmp_path: Path) -> None:
    texts = [original(0), original(0), edited(original(0), 4, 3)]
    once = find_clusters(tmp_path, texts)
    again = find_clusters(tmp_path, texts)
    assert once == again
    assert {"part-0", "edges-0", "joined"} == {path.name for path in tmp_path.iterdir()}


def test_a_part_that_is_torn_is_refused_and_no_edges_are_left(tmp_path: Path) -> None:
    paths, first = write_parts(tmp_path, [original(0), original(0)], ())
    bands = paths[0] / "bands.npy"
    bands.write_bytes(bands.read_bytes()[:-8])
    with pytest.raises(MalformedInput, match="cannot be read"):
        reduce_partition(paths, first, 0, 1, tmp_path / "edges", SETTINGS)
    assert {"part-0"} == {path.name for path in tmp_path.iterdir()}


def test_a_part_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(MalformedInput, match="part-9"):
        reduce_partition([tmp_path / "part-9"], [0], 0, 1, tmp_path / "edges", SETTINGS)


@pytest.mark.parametrize("cut", [0, 10, 63, 70])
def test_a_file_of_edges_that_is_not_whole_is_refused(tmp_path: Path, cut: int) -> None:
    paths, first = write_parts(tmp_path, [original(0), original(0)], ())
    edges = tmp_path / "edges"
    reduce_partition(paths, first, 0, 1, edges, SETTINGS)
    edges.write_bytes(edges.read_bytes()[:cut])
    with pytest.raises(MalformedInput, match="not whole"):
        join_edges([edges], 2, tmp_path / "joined")
    assert not (tmp_path / "joined").exists()


def test_an_edge_to_a_document_beyond_the_corpus_is_refused(tmp_path: Path) -> None:
    paths, first = write_parts(tmp_path, [original(0), original(0)], ())
    reduce_partition(paths, first, 0, 1, tmp_path / "edges", SETTINGS)
    with pytest.raises(MalformedInput, match="not in the corpus"):
        join_edges([tmp_path / "edges"], 1, tmp_path / "joined")
    assert {"part-0", "edges"} == {path.name for path in tmp_path.iterdir()}


def test_clusters_of_another_corpus_are_refused(tmp_path: Path) -> None:
    find_clusters(tmp_path, [original(0), original(0)])
    with pytest.raises(MalformedInput, match="another corpus"):
        columns_of(Joined(tmp_path / "joined", 3), 0, 2)


def test_edges_name_the_earlier_document_first(tmp_path: Path) -> None:
    texts = [original(0), edited(original(0), 1, 2), original(0), edited(original(0), 2, 2)]
    paths, first = write_parts(tmp_path, texts, (1, 2))
    reduce_partition(paths, first, 0, 1, tmp_path / "edges", SETTINGS)
    pieces = list(read_edges(tmp_path / "edges"))
    assert [[0, 2]] == [edge for exact, edges in pieces if exact for edge in edges.tolist()]
    assert all(one < other for _, edges in pieces for one, other in edges.tolist())


def test_arrays_of_unequal_length_are_no_part(tmp_path: Path) -> None:
    spill, digests = spill_of([original(0), original(1)])
    with pytest.raises(MalformedInput, match="unequal"):
        write_map_part(spill, digests[:1], tmp_path / "part")


def test_a_part_has_room_for_a_row_in_each_entry(tmp_path: Path) -> None:
    assert parted.MAX_DOCUMENTS == 2**24
    count = parted.MAX_DOCUMENTS + 1
    spill = {
        "signatures": np.broadcast_to(np.uint8(0), (count, PERMUTATIONS)),
        "shingles": np.broadcast_to(np.uint32(0), (count,)),
        "words": np.broadcast_to(np.uint64(0), (count, 2)),
    }
    with pytest.raises(LimitExceeded, match="in one part"):
        write_map_part(spill, np.broadcast_to(np.uint8(0), (count, 32)), tmp_path / "part")


def test_a_range_of_keys_holds_what_all_hold_between_its_ends(tmp_path: Path) -> None:
    paths, _ = write_parts(tmp_path, [original(number, 30) for number in range(50)], ())
    whole = map_bands(paths[0], 0, 2**40)
    assert 50 * BANDS == len(whole)
    middle = 2**39
    halves = [map_bands(paths[0], 0, middle), map_bands(paths[0], middle, 2**40)]
    assert whole.tolist() == np.concatenate(halves).tolist() == sorted(whole.tolist())


@pytest.mark.parametrize(("partition", "of", "first"), [(1, 1, [0]), (-1, 1, [0]), (0, 1, [0, 5])])
def test_a_partition_that_there_is_not_is_refused(
    tmp_path: Path, partition: int, of: int, first: list[int]
) -> None:
    with pytest.raises(UsageError, match="no partition"):
        reduce_partition([tmp_path / "part"], first, partition, of, tmp_path / "edges", SETTINGS)


def test_small_corpora_have_one_partition_and_large_ones_a_bounded_number() -> None:
    assert [1, 1, 2, 4096] == [partitions_for(count) for count in (0, 250_000, 250_001, 10**12)]


def test_the_measured_errors_come_with_their_method() -> None:
    measured = measured_errors()
    assert measured.exact.found == measured.exact.planted > 0
    assert measured.near.found / measured.near.planted >= 0.99
    assert "measure_duplicates" in measured.method


def test_a_corpus_that_lies_in_the_order_of_its_digests_is_cut_evenly(tmp_path: Path) -> None:
    # every part holds another range of keys: cuts must not follow the first part again and again
    chance = np.random.default_rng(5)
    count, each = 1_200, 40
    digests = chance.integers(0, 256, (count, 32), np.uint8)
    digests = digests[np.lexsort(digests[:, ::-1].T)]
    digests[1::2] = digests[::2]
    paths = []
    for start in range(0, count, each):
        spill = {
            "signatures": np.zeros((each, PERMUTATIONS), np.uint8),
            "shingles": np.zeros(each, np.uint32),
            "words": np.zeros((each, 2), np.uint64),
        }
        paths.append(tmp_path / f"part-{start}")
        write_map_part(spill, digests[start : start + each], paths[-1])
    reduce_partition(paths, list(range(0, count, each)), 0, 1, tmp_path / "edges", SETTINGS, 60)
    assert Tally(exact=count // 2) == read_tally(tmp_path / "edges")
