"""A local log as tiles: read from its database, written as files for any static host, read back from such files."""

from __future__ import annotations

from pathlib import Path

from verilabel.errors import SealError, UsageError
from verilabel.evidence.atomic import write_file
from verilabel.evidence.keys import PublicKey, load_public
from verilabel.evidence.log import LocalLog
from verilabel.evidence.merkle import root_at
from verilabel.evidence.note import MAX_NOTE_BYTES, parse_checkpoint_text, parse_note
from verilabel.transparency.tiles import (
    CHECKPOINT_PATH,
    KEY_PATH,
    MAX_BUNDLE_BYTES,
    TILE_HEIGHT,
    TileNodes,
    TilePath,
    bundles_of,
    encode_entries,
    tiles_of,
)


class LocalTiles:
    """The tiles of a log in a folder, made from what its database holds (`tiles.TileSource`)."""

    def __init__(self, log: LocalLog) -> None:
        self._log = log

    @property
    def name(self) -> str:
        """The log's folder."""
        return str(self._log.path)

    def checkpoint(self) -> bytes:
        """The last signed checkpoint."""
        return self._log.checkpoint_note()

    def tile(self, tile: TilePath) -> bytes:
        """The bytes of a tile. Raises SealError where the log is not that large."""
        start = tile.number * 256
        if tile.level == "entries":
            return encode_entries(self._log.entry_bytes(start, tile.width))
        return b"".join(self._log.hashes(tile.level * TILE_HEIGHT, start, tile.width))

    def exists(self, tile: TilePath) -> bool:
        """True if every hash or entry of the tile is complete at the log's present size."""
        level = 0 if tile.level == "entries" else tile.level
        return tile.number * 256 + tile.width <= self._log.size >> (TILE_HEIGHT * level)


class FolderTiles:
    """Tiles that lie as files in a folder, as `write_tiles` leaves them (`tiles.TileSource`)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        """The folder."""
        return str(self._folder)

    def checkpoint(self) -> bytes:
        """The checkpoint file. Raises UsageError where there is none."""
        path = self._folder / CHECKPOINT_PATH
        if not path.is_file():
            raise UsageError("there is no log here", where=self.name, hint="`verilabel log tiles` writes one")
        return _read(path, MAX_NOTE_BYTES)

    def key(self) -> PublicKey:
        """The key line that lies beside the tiles: for a first meeting only."""
        return load_public(self._folder / KEY_PATH)

    def tile(self, tile: TilePath) -> bytes:
        """The bytes of a tile, or of the full tile in its place. Raises SealError where there is neither."""
        for candidate in (tile, tile.full):
            path = self._folder / candidate.path
            if path.is_file():
                return _read(path, MAX_BUNDLE_BYTES)
        raise SealError("the log does not hold this tile", where=f"{self.name}: {tile.path}")


def _read(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        return file.read(limit + 1)


def write_tiles(log: LocalLog, folder: Path) -> int:
    """Write all tiles, entry bundles, the key and last the checkpoint of a log as files; return how many are new.

    A file that is there already must hold the same bytes: tiles never change. In order: 1 the folder is this log's
    or new, and no newer; 2 tiles and entries; 3 the tree of the tiles has the signed root; 4 the checkpoint.
    Raises SealError where another log's files, or other bytes, are in the folder.
    """
    source = LocalTiles(log)
    note = source.checkpoint()
    checkpoint = parse_checkpoint_text(parse_note(note).text)
    _check_folder(log, folder, checkpoint.size)  # step 1
    written = _write_once(folder / KEY_PATH, log.public_key.file_bytes())
    for tile in (*tiles_of(checkpoint.size), *bundles_of(checkpoint.size)):  # step 2
        written += _write_once(folder / tile.path, source.tile(tile))
    if root_at(TileNodes(FolderTiles(folder), checkpoint.size), checkpoint.size) != checkpoint.root:  # step 3
        raise SealError("the tiles do not have the root that was signed", where=str(folder))
    write_file(folder / CHECKPOINT_PATH, note, overwrite=True)  # step 4
    return written


def _check_folder(log: LocalLog, folder: Path, size: int) -> None:
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / KEY_PATH).is_file():
        raise UsageError("this folder holds something else than a log's tiles", where=str(folder))
    if (folder / CHECKPOINT_PATH).is_file():
        there = parse_checkpoint_text(parse_note(FolderTiles(folder).checkpoint()).text)
        if there.origin != log.origin or there.size > size:
            raise SealError(
                f"the folder holds {there.size} entries of {there.origin}; the log {log.origin} has {size}",
                where=str(folder),
                hint="has the log been put back to an older state? `verilabel log audit` compares the two",
            )
        if root_at(TileNodes(LocalTiles(log), size), there.size) != there.root:
            raise SealError(
                f"the log does not begin with the {there.size} entries that the folder shows",
                where=str(folder),
                hint="who has read the folder has another history; `verilabel log audit` names the entry",
            )


def _write_once(path: Path, data: bytes) -> int:
    if path.is_file():
        if _read(path, MAX_BUNDLE_BYTES) != data:
            raise SealError("a file that never changes is there with other bytes", where=str(path))
        return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, data)
    return 1
