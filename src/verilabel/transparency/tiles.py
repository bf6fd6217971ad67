"""Tiles of a log (C2SP tlog-tiles): their paths, their bytes, and proofs computed from them.

A tile is up to 256 consecutive hashes of one tree level: tile level L holds the nodes of tree level 8 L. The bytes of
a path never change once its tree was signed, so any static host or cache may serve them. Nothing in a tile is
believed by itself: proofs that are made from tiles are checked against signed roots by whoever uses them.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from verilabel.errors import MalformedInput, SealError
from verilabel.evidence.merkle import HASH_BYTES, node_hash

TILE_HEIGHT = 8
TILE_WIDTH = 256
MAX_TILE_LEVEL = 7
"""2^63 leaves need no higher tile level than this one."""
MAX_TILE_BYTES = TILE_WIDTH * HASH_BYTES
MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + 0xFFFF)
CHECKPOINT_PATH = "checkpoint"
KEY_PATH = "log.vkey"
"""Beside what tlog-tiles names: the log's public key line, for a client that meets the log for the first time."""
_KEPT_TILES = 512
_PATH = re.compile(
    r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class TilePath:
    """Which tile: a tile level or `entries`, its number in the level, and its width, 256 where it is full."""

    level: int | Literal["entries"]
    number: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """The path of C2SP tlog-tiles, without a leading slash."""
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{self.level}/{_spell(self.number)}{partial}"

    @property
    def full(self) -> TilePath:
        """The full tile in the same place, which a log may serve in place of a partial one."""
        return TilePath(self.level, self.number)


def _spell(number: int) -> str:
    groups = [f"{number % 1000:03}"]
    while number >= 1000:
        number //= 1000
        groups.append(f"x{number % 1000:03}")
    return "/".join(reversed(groups))


def parse_tile_path(path: str) -> TilePath:
    """Read a tile's path, in the one spelling that a tile has. Raises MalformedInput."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise MalformedInput("not the path of a tile", where=path[:100])
    level, groups, width = found.groups()
    number = int(groups.replace("x", "").replace("/", ""))
    tile = TilePath(
        "entries" if level == "entries" else int(level), number, TILE_WIDTH if width is None else int(width)
    )
    if tile.path != path or (width is not None and tile.width >= TILE_WIDTH):
        raise MalformedInput("not the path of a tile", where=path[:100])
    return tile


def tiles_of(size: int) -> Iterator[TilePath]:
    """Every hash tile of a tree of `size` leaves, level by level, the partial one of each level last."""
    level, hashes = 0, size
    while hashes:
        full, rest = divmod(hashes, TILE_WIDTH)
        for number in range(full):
            yield TilePath(level, number)
        if rest:
            yield TilePath(level, full, rest)
        level, hashes = level + 1, full


def bundles_of(size: int, start: int = 0) -> Iterator[TilePath]:
    """The entry bundles of a log of `size` entries that hold entry `start` or a later one."""
    for number in range(start // TILE_WIDTH, -(-size // TILE_WIDTH)):
        yield TilePath("entries", number, min(TILE_WIDTH, size - number * TILE_WIDTH))


def width_at(level: int, number: int, size: int) -> int:
    """How many hashes a tile has in a tree of `size` leaves; 0 where it does not exist yet."""
    return max(0, min(TILE_WIDTH, (size >> (TILE_HEIGHT * level)) - number * TILE_WIDTH))


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """An entry bundle: each entry after its length as a big-endian 16-bit number."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_entries(data: bytes, count: int, *, where: str) -> list[bytes]:
    """The first `count` entries of a bundle, which must hold them whole and, at `count`, nothing more than other whole
    entries. Raises SealError: a log that serves anything else does not serve its entries.
    """
    entries, place = [], 0
    while place < len(data):
        length = int.from_bytes(data[place : place + 2], "big")
        entry = data[place + 2 : place + 2 + length]
        if place + 2 > len(data) or len(entry) != length:
            raise SealError("the entry bundle breaks off inside an entry", where=where)
        entries.append(entry)
        place += 2 + length
    if not count <= len(entries) <= TILE_WIDTH:
        raise SealError(f"the entry bundle has {len(entries)} entries, not {count}", where=where)
    return entries[:count]


class TileSource(Protocol):
    """Where the files of a tiled log are read: a server, a folder of tiles, a local log."""

    @property
    def name(self) -> str:
        """What to call it in errors."""

    def checkpoint(self) -> bytes:
        """The log's current checkpoint, not verified."""

    def tile(self, tile: TilePath) -> bytes:
        """The bytes of a hash tile or entry bundle, not verified: at least of the width asked for.

        Raises SealError where the log does not serve it.
        """


class TileNodes:
    """Complete tree nodes (`merkle.Nodes`) of a tree of a given size, read from tiles as they are asked for."""

    def __init__(self, source: TileSource, size: int) -> None:
        self.size = size
        self._source = source
        self._kept: OrderedDict[TilePath, list[bytes]] = OrderedDict()

    def node(self, level: int, position: int) -> bytes:
        """The hash of a complete node. Raises SealError where the tile that holds it is not served."""
        tile_level, height = divmod(level, TILE_HEIGHT)
        number, offset = divmod(position << height, TILE_WIDTH)
        hashes = self._tile(tile_level, number)[offset : offset + (1 << height)]
        if len(hashes) != 1 << height:
            raise SealError(
                f"the node {level}/{position} is not in a tree of {self.size}", where=self._source.name
            )
        while len(hashes) > 1:
            pairs = iter(hashes)
            hashes = [node_hash(left, right) for left, right in zip(pairs, pairs, strict=True)]
        return hashes[0]

    def _tile(self, level: int, number: int) -> list[bytes]:
        width = width_at(level, number, self.size)
        if not width:
            raise SealError(f"no tile {level}/{number} in a tree of {self.size}", where=self._source.name)
        path = TilePath(level, number, width)
        if path in self._kept:
            self._kept.move_to_end(path)
            return self._kept[path]
        hashes = read_hashes(self._source, path)
        self._kept[path] = hashes
        if len(self._kept) > _KEPT_TILES:
            self._kept.popitem(last=False)
        return hashes


def read_hashes(source: TileSource, path: TilePath) -> list[bytes]:
    """The hashes of a tile, exactly as many as its width. Raises SealError where they are not served."""
    data = source.tile(path)
    where = f"{source.name}: {path.path}"
    if len(data) % HASH_BYTES or not path.width * HASH_BYTES <= len(data) <= MAX_TILE_BYTES:
        raise SealError(f"the tile has {len(data)} bytes, not {path.width * HASH_BYTES}", where=where)
    return [data[at : at + HASH_BYTES] for at in range(0, path.width * HASH_BYTES, HASH_BYTES)]


def read_entries(source: TileSource, path: TilePath) -> list[bytes]:
    """The entries of a bundle, exactly as many as its width. Raises SealError where they are not served."""
    return decode_entries(source.tile(path), path.width, where=f"{source.name}: {path.path}")
