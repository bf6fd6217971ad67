"""The views that an audit is asked through: which there are, and what their columns say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from verilabel.audit.proof.layout import FINDINGS, RECORDS, TABLE, UNREAD
from verilabel.audit.proof.manifest import AuditManifest
from verilabel.audit.proof.shards import ShardEntry

_SHARD = "CAST(regexp_extract(filename, '([0-9]+)/[^/]+$', 1) AS BIGINT) AS shard"
_ALL = "* EXCLUDE (filename)"
_NAMED = {
    "language_code": "language",
    "licences_id": "licence",
    "licences_class": "licence_class",
    "provenance_kind": "site",
}
"""Columns that hold the names of columns of numbers."""
_WORDS = {
    "shard": "number of the shard, from 0",
    "row": "place of the document in its shard",
    "commitment": "to the text: SHA-256(salt || SHA-256(text))",
    "kind": "kind of the finding",
    "check": "check that found it",
    "start": "first byte in the document",
    "length": "bytes",
    "mark": "keyed digest of what stands there: equal for equal values",
    "reason": "why it was not read",
    "count": "documents; 0 where nobody can know",
    "bytes": "stored bytes that were not read",
}


@dataclass(frozen=True)
class View:
    """A view, and what its columns say where that is known."""

    name: str
    sql: str
    """What it selects."""
    words: dict[str, str]


def views_of(root: Path, manifest: AuditManifest, entries: Sequence[ShardEntry]) -> Iterator[View]:
    """The views over the Parquet files of an audit's folder; the table `shards` is made beside them."""
    paths: dict[str, list[Path]] = {}
    for entry in entries:
        for file in entry.files:
            paths.setdefault(Path(file.path).stem, []).append(root / file.path)
    yield View(RECORDS, _records(manifest, paths[RECORDS]), _record_words(manifest))
    yield View(FINDINGS, _findings(manifest, paths[FINDINGS]), _WORDS)
    yield View(UNREAD, _select([_SHARD, _ALL], paths[UNREAD]), _WORDS)
    for stem in sorted(paths):
        if stem.startswith(TABLE):
            sql = _select([_SHARD, _ALL], paths[stem])
            yield View(stem.removeprefix(TABLE), sql, _WORDS)
    taken = {stem.removeprefix(TABLE) for stem in paths}
    for file in manifest.files:
        if file.path.startswith("tables/"):
            name = Path(file.path).stem
            sql = _select([_ALL], [root / file.path])
            yield View(f"{name}_in_all" if name in taken else name, sql, {})


def _select(columns: Sequence[str], paths: Sequence[Path]) -> str:
    files = ", ".join(quote(str(path)) for path in paths)
    return " ".join(["SELECT", ", ".join(columns), f"FROM read_parquet([{files}], filename = true)"])


def _records(manifest: AuditManifest, paths: Sequence[Path]) -> str:
    named = [f'{_pick(values, column)} AS "{name}"' for name, column, values in _choices(manifest)]
    return _select([_SHARD, _ALL, *named], paths)


def _findings(manifest: AuditManifest, paths: Sequence[Path]) -> str:
    kinds = [(kind.id, card.name) for card in manifest.checks for kind in card.kinds]
    name = _pick([kind for kind, _ in kinds], "kind")
    check = _pick([check for _, check in kinds], "kind")
    named = [f"{name} AS kind", f'{check} AS "check"']
    return _select([_SHARD, '"row"', *named, '"start"', '"length"', "lower(hex(mark)) AS mark"], paths)


def _record_words(manifest: AuditManifest) -> dict[str, str]:
    words = _WORDS | {column.name: column.words for column in manifest.record}
    return words | {name: f"name of {column}" for name, column, _ in _choices(manifest)}


def _choices(manifest: AuditManifest) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Columns of numbers that have names: the name's column, the number's, and the names."""
    taken = {column.name for column in manifest.record}
    for column in manifest.record:
        name = _NAMED.get(column.name, f"{column.name}_name")
        if column.values and name not in taken:
            yield name, column.name, column.values


def _pick(names: Sequence[str], column: str) -> str:
    """SQL for the name with a number; nothing for an empty name, or a number beyond all."""
    listed = ", ".join(quote(name) for name in names)
    return f"nullif(([{listed}]::VARCHAR[])[CAST(\"{column}\" AS BIGINT) + 1], '')"


def quote(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"
