"""Tiles: the examples of C2SP tlog-tiles, proofs computed from tiles, and files that never change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transparency.small_logs import LOG_KEY, OTHER_KEY, entry, make_log
from verilabel.errors import MalformedInput, SealError, UsageError
from verilabel.evidence.log import LocalLog
from verilabel.evidence.merkle import (
    Tree,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_at,
    verify_inclusion,
)
from verilabel.evidence.note import open_checkpoint
from verilabel.transparency.local_tiles import FolderTiles, LocalTiles, write_tiles
from verilabel.transparency.tiles import (
    TileNodes,
    TilePath,
    bundles_of,
    decode_entries,
    encode_entries,
    parse_tile_path,
    read_entries,
    tiles_of,
    width_at,
)


class TreeTiles:
    """The tiles of a tree in memory; a tile that the tree does not have is not served."""

    name = "memory"

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def checkpoint(self) -> bytes:
        """None of these tests asks for it."""
        raise AssertionError

    def tile(self, tile: TilePath) -> bytes:
        """The bytes of a hash tile."""
        assert tile.level != "entries"
        first = tile.number * 256
        return b"".join(self._tree.node(8 * tile.level, first + place) for place in range(tile.width))


def test_paths_are_those_of_the_specification() -> None:
    assert "tile/0/x001/x234/067" == TilePath(0, 1234067).path
    assert "tile/2/000.p/1" == TilePath(2, 0, 1).path
    assert "tile/entries/x001/000.p/255" == TilePath("entries", 1000, 255).path
    assert TilePath("entries", 1234067, 7) == parse_tile_path("tile/entries/x001/x234/067.p/7")


def test_a_tree_of_70000_has_the_tiles_of_the_specification() -> None:
    tiles = list(tiles_of(70_000))
    assert 273 == len([t for t in tiles if t.level == 0 and t.width == 256])
    assert [112] == [t.width for t in tiles if t.level == 0 and t.width != 256]
    assert [(0, 256), (1, 17)] == [(t.number, t.width) for t in tiles if t.level == 1]
    assert [(0, 1)] == [(t.number, t.width) for t in tiles if t.level == 2]
    assert [TilePath(0, 0), TilePath(1, 0, 1)] == list(tiles_of(256))
    assert [] == list(tiles_of(0))


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/1",
        "tile/00/001",
        "tile/64/001",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/01",
        "tile/0/../001",
        "tile/entries/001/",
        "tile/entries/00١",
        "/tile/0/001",
        "checkpoint",
    ],
)
def test_a_tile_has_one_spelling(path: str) -> None:
    with pytest.raises(MalformedInput):
        parse_tile_path(path)


@given(st.one_of(st.just("entries"), st.integers(0, 63)), st.integers(0, 10**12), st.integers(1, 256))
def test_every_path_is_read_back(level: object, number: int, width: int) -> None:
    tile = TilePath(level, number, width)  # type: ignore[arg-type]
    assert tile == parse_tile_path(tile.path)


@settings(max_examples=40)
@given(st.integers(1, 1500), st.data())
def test_proofs_from_tiles_are_those_of_the_tree(size: int, data: st.DataObject) -> None:
    tree = Tree([leaf_hash(b"%d" % number) for number in range(size)])
    nodes = TileNodes(TreeTiles(tree), size)
    assert tree.root() == root_at(nodes, size)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(nodes, index, size)
    verify_inclusion(leaf_hash(b"%d" % index), index, size, proof, tree.root())
    old = data.draw(st.integers(0, size))
    assert tree.consistency(old) == consistency_proof(nodes, old, size)


def test_a_tree_with_three_levels_of_tiles_proves_its_first_leaf() -> None:
    size = 66_000
    tree = Tree([leaf_hash(b"%d" % number) for number in range(size)])
    nodes = TileNodes(TreeTiles(tree), size)
    verify_inclusion(leaf_hash(b"0"), 0, size, inclusion_proof(nodes, 0, size), tree.root())
    assert {0: 256, 257: 208, 258: 0} == {number: width_at(0, number, size) for number in (0, 257, 258)}


def test_a_tile_of_another_size_is_refused() -> None:
    class Short(TreeTiles):
        def tile(self, tile: TilePath) -> bytes:
            return super().tile(tile)[:-1]

    nodes = TileNodes(Short(Tree([leaf_hash(b"%d" % n) for n in range(5)])), 5)
    with pytest.raises(SealError, match="159 bytes"):
        nodes.node(0, 0)
    with pytest.raises(SealError, match="not in a tree"):
        TileNodes(TreeTiles(Tree([leaf_hash(b"%d" % n) for n in range(5)])), 5).node(1, 2)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_an_entry_bundle_is_read_back(entries: list[bytes]) -> None:
    data = encode_entries(entries)
    assert entries == decode_entries(data, len(entries), where="bundle")
    if data:
        with pytest.raises(SealError):
            decode_entries(data[:-1], len(entries), where="bundle")
        with pytest.raises(SealError):
            decode_entries(data, len(entries) + 1, where="bundle")


@given(st.binary(max_size=60), st.integers(0, 5))
def test_an_arbitrary_bundle_is_read_or_refused(data: bytes, count: int) -> None:
    try:
        entries = decode_entries(data, count, where="bundle")
    except SealError:
        return
    assert data.startswith(encode_entries(entries))


# -- files


@pytest.fixture(scope="module")
def log_of_300(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_log(tmp_path_factory.mktemp("many") / "log", range(300))


def test_a_log_is_written_as_files_that_hold_all_of_it(log_of_300: Path, tmp_path: Path) -> None:
    with LocalLog.open(log_of_300) as log:
        assert 6 == write_tiles(log, tmp_path / "static")
        assert 0 == write_tiles(log, tmp_path / "static")
        proof = log.prove(299)
    source = FolderTiles(tmp_path / "static")
    checkpoint = open_checkpoint(source.checkpoint(), [LOG_KEY.public]).checkpoint
    assert 300 == checkpoint.size
    assert list(proof.path) == inclusion_proof(TileNodes(source, 300), 299, 300)
    stored = [data for path in bundles_of(300) for data in read_entries(source, path)]
    assert [entry(n).bytes() for n in range(300)] == stored
    assert (tmp_path / "static" / "tile" / "0" / "001.p" / "44").is_file()


def test_a_full_tile_serves_for_the_partial_one_in_its_place(log_of_300: Path, tmp_path: Path) -> None:
    with LocalLog.open(log_of_300) as log:
        write_tiles(log, tmp_path / "static")
        tree = Tree([entry(n).leaf for n in range(200)])
        assert tree.root() == root_at(TileNodes(FolderTiles(tmp_path / "static"), 200), 200)
        assert not LocalTiles(log).exists(TilePath(0, 1, 45))


def test_files_of_another_log_or_a_longer_one_are_not_written_over(log_of_300: Path, tmp_path: Path) -> None:
    make_log(tmp_path / "short", range(7))
    make_log(tmp_path / "other", range(7), OTHER_KEY)
    with LocalLog.open(log_of_300) as log:
        write_tiles(log, tmp_path / "static")
    before = (tmp_path / "static" / "checkpoint").read_bytes()
    for folder in ("short", "other"):
        with LocalLog.open(tmp_path / folder) as log, pytest.raises(SealError):
            write_tiles(log, tmp_path / "static")
    assert before == (tmp_path / "static" / "checkpoint").read_bytes()
    (tmp_path / "something").mkdir()
    (tmp_path / "something" / "file").write_text("mine")
    with LocalLog.open(log_of_300) as log, pytest.raises(UsageError, match="something else"):
        write_tiles(log, tmp_path / "something")


def test_a_changed_file_is_found_when_the_log_is_written_again(log_of_300: Path, tmp_path: Path) -> None:
    with LocalLog.open(log_of_300) as log:
        write_tiles(log, tmp_path / "static")
        path = tmp_path / "static" / "tile" / "entries" / "000"
        path.write_bytes(path.read_bytes().replace(b"plan", b"plam", 1))
        with pytest.raises(SealError, match="other bytes"):
            write_tiles(log, tmp_path / "static")
    shutil.rmtree(tmp_path / "static")
