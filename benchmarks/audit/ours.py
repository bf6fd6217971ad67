"""Our command on a corpus: what it is called with, and what it found, read from the audit that it leaves."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmarks.audit.scoring import Corpus
from benchmarks.settings import program


def audit_command(
    inputs: Path,
    out: Path,
    *,
    checks: Sequence[str] = (),
    bench: Path | None = None,
    more: Sequence[str] = (),
    workers: int = 1,
    engine: str = "local",
) -> list[str]:
    """The command for some checks, or for all."""
    chosen = [word for name in checks for word in ("--check", name)]
    items = ["--bench", str(bench)] if bench else []
    ran = [
        "--workers",
        str(workers),
        "--engine",
        engine,
        "--unsigned",
        "--quiet",
        "--force",
        "--out",
        str(out),
    ]
    return [program(), "data", "audit", str(inputs), *chosen, *items, *more, *ran]


def audited(out: Path) -> dict[str, Any]:
    """The audit's own record."""
    found: dict[str, Any] = json.loads((out / "audit.json").read_text("utf-8"))
    return found


@lru_cache(maxsize=4)
def _ids(path: Path) -> list[str]:
    import pyarrow.parquet as pq

    found: list[str] = pq.read_table(path, columns=["id"])["id"].to_pylist()
    return found


def _shards(corpus: Corpus, out: Path) -> Iterator[tuple[Path, list[str]]]:
    """The folder of each shard's records, and the ids of its rows; the parts of our corpora are one shard each."""
    for number, line in enumerate((out / "shards.jsonl").read_text("utf-8").splitlines()):
        name = json.loads(line)["shard"]["name"]
        yield out / "shards" / f"{number:07d}", _ids(corpus.folder / "parquet" / Path(name).name)


def _rows(path: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    found: list[dict[str, Any]] = (
        pq.read_table(path, columns=list(columns)).to_pylist() if path.is_file() else []
    )
    return found


def read_spans(corpus: Corpus, out: Path) -> Iterator[dict[str, Any]]:
    """Findings of personal data and secrets, in bytes."""
    kinds = [kind["id"] for check in audited(out)["checks"] for kind in check["kinds"]]
    for folder, ids in _shards(corpus, out):
        for row in _rows(folder / "findings.parquet", ("row", "kind", "start", "length")):
            kind = kinds[row["kind"]]
            if kind.startswith(("pii.", "secret.")):
                yield {
                    "id": ids[row["row"]],
                    "kind": kind,
                    "start": row["start"],
                    "end": row["start"] + row["length"],
                }


def looked_for(out: Path) -> list[str]:
    """The kinds that the audit's checks look for."""
    return [kind["id"] for check in audited(out)["checks"] for kind in check["kinds"]]


def read_contaminated(corpus: Corpus, out: Path) -> set[str]:
    """Documents in which an item was matched."""
    flagged = set()
    for folder, ids in _shards(corpus, out):
        for row in _rows(folder / "records.parquet", ("row", "contamination_items")):
            if row["contamination_items"]:
                flagged.add(ids[row["row"]])
    return flagged


def read_licences(corpus: Corpus, out: Path) -> dict[str, set[str]]:
    """SPDX ids found in each document."""
    found: dict[str, set[str]] = defaultdict(set)
    for folder, ids in _shards(corpus, out):
        for row in _rows(folder / "table-licences.parquet", ("row", "licence")):
            found[ids[row["row"]]].add(row["licence"])
    return found


def read_clusters(corpus: Corpus, out: Path, column: str = "duplicates_near") -> dict[str, int]:
    """The cluster of each document that is not alone in one."""
    found = {}
    for folder, ids in _shards(corpus, out):
        for row in _rows(folder / "records.parquet", ("row", column, f"{column}_size")):
            if row[f"{column}_size"] > 1:
                found[ids[row["row"]]] = row[column]
    return found
