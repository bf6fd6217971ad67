"""From what the stages left to the manifest: sums over shards, summaries, and statements with their bounds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from verilabel import __version__
from verilabel.audit.contamination.rules import SKETCH_TABLE
from verilabel.audit.contamination.rules import TABLE as CONTAMINATION_TABLE
from verilabel.audit.contamination.sketch import build_sketch, join_fingerprints
from verilabel.audit.contamination.storing import map_index
from verilabel.audit.contamination.summary import BenchmarkSummary, summarise
from verilabel.audit.duplicates.clusters import Summary as DuplicatesSummary
from verilabel.audit.duplicates.joining import Joined
from verilabel.audit.duplicates.joining import summary as summarise_duplicates
from verilabel.audit.engine.driving import Surveyed
from verilabel.audit.engine.examples import ExampleKeeper
from verilabel.audit.engine.finishing import JOINED, describe_file
from verilabel.audit.engine.job import INDEXES
from verilabel.audit.engine.keeping import SUMS, TABLES, flush_files, write_sums
from verilabel.audit.engine.mapping import EXAMPLES, MAP
from verilabel.audit.engine.work import OUT, WHOLE
from verilabel.audit.interface import Check
from verilabel.audit.proof.examples import Example
from verilabel.audit.proof.layout import (
    EXAMPLES as EXAMPLES_FILE,
)
from verilabel.audit.proof.layout import (
    EXAMPLES_A_KIND,
    FORMAT,
    SHARDS,
    SKETCH,
    TABLE,
    shard_file,
    table_file,
)
from verilabel.audit.proof.manifest import SAYS, AuditManifest, KindTotal, Root
from verilabel.audit.proof.records import columns_of
from verilabel.audit.proof.recounting import coverage_of
from verilabel.audit.proof.shards import ShardEntry, ShardLine, root_of_shards
from verilabel.audit.proof.stating import state_all
from verilabel.audit.provenance.cards import Declared, read_cards
from verilabel.evidence.statement import Tool, write_time
from verilabel.records.canonical import DIGEST_PREFIX


def assemble(surveyed: Surveyed, work: Path) -> AuditManifest:
    """Write what belongs to the whole corpus into the result's folder, and make its manifest."""
    out, settings = work / OUT, surveyed.job.settings
    lines = list(_write_shards(surveyed, out))
    paths = [SHARDS, _write_examples(surveyed, work, out), *_write_sums(surveyed, work, out)]
    if settings.contamination.sketch and "contamination" in settings.checks:
        paths.append(_write_sketch(surveyed, work, out))
    coverage, totals = coverage_of(lines), _totals_of(surveyed)
    return AuditManifest(
        format=FORMAT,
        says=SAYS,
        tool=Tool("verilabel", __version__),
        started=write_time(surveyed.started),
        ended=write_time(datetime.now(UTC).replace(microsecond=0)),
        engine=surveyed.engine,
        inputs=tuple(_plain_name(item) for item in surveyed.ordered.inputs),
        settings=_public(surveyed),
        checks=surveyed.job.cards,
        record=columns_of(surveyed.job.cards),
        coverage=coverage,
        totals=totals,
        choices=_choices_of(surveyed),
        duplicates=_duplicates_of(surveyed, work),
        contamination=_contamination_of(surveyed, work, out),
        declared=_declared_in(surveyed, work),
        canaries=surveyed.canaries,
        sample=surveyed.sample,
        statements=state_all(coverage, totals, surveyed.canaries, surveyed.sample, settings.confidence),
        secret_id=surveyed.job.secret_id,
        root=Root(DIGEST_PREFIX + root_of_shards(lines).hex(), len(lines)),
        files=tuple(describe_file(out, path) for path in sorted(paths)),
    )


def _write_shards(surveyed: Surveyed, out: Path) -> Iterator[ShardLine]:
    with (out / SHARDS).open("wb") as file:
        for shard, done, finished in zip(surveyed.shards, surveyed.mapped, surveyed.finished, strict=True):
            line = ShardLine(
                name=shard.name,
                sha256=done.sha256,
                stored_bytes=done.stored_bytes,
                rows=done.rows,
                read=done.read,
                unread=done.unread,
                unknown=done.unknown,
                repaired=done.repaired,
                text_bytes=done.text_bytes,
                unread_bytes=done.unread_bytes,
                root=finished.root,
            )
            file.write(ShardEntry(line, shard.form, shard.compression, finished.files).bytes())
            yield line


def _write_examples(surveyed: Surveyed, work: Path, out: Path) -> str:
    """The examples of the whole corpus; those of shards that are equal count once, in the first."""
    keeper, shard_of = ExampleKeeper(EXAMPLES_A_KIND), {}
    for index, done in enumerate(surveyed.mapped):
        if done.key in shard_of:
            continue
        shard_of[done.key] = index
        for example in msgspec.json.decode(
            (work / MAP / done.key / EXAMPLES).read_bytes(), type=list[Example]
        ):
            keeper.add(msgspec.structs.replace(example, shard=index))
    with (out / EXAMPLES_FILE).open("wb") as file:
        for example in keeper.examples():
            file.write(example.bytes())
    return EXAMPLES_FILE


def _write_sums(surveyed: Surveyed, work: Path, out: Path) -> Iterator[str]:
    """Tables that belong to no document: numbers added up over all shards."""
    import pyarrow.parquet as pq

    names = sorted(
        {path.stem for done in surveyed.mapped for path in (work / MAP / done.key / SUMS).iterdir()}
    )
    (out / "tables").mkdir(exist_ok=True)
    for name in names:
        totals: dict[tuple[str, ...], list[int]] = {}
        texts: list[str] = []
        numbers: list[str] = []
        for done in surveyed.mapped:
            path = work / MAP / done.key / SUMS / f"{name}.parquet"
            if not path.exists():
                continue
            table = pq.read_table(path)
            texts = texts or [field.name for field in table.schema if str(field.type) == "string"]
            numbers = numbers or [field for field in table.column_names if field not in texts]
            columns = [table.column(column).to_pylist() for column in (*texts, *numbers)]
            for row in zip(*columns, strict=True):
                total = totals.setdefault(tuple(row[: len(texts)]), [0] * len(numbers))
                for place, value in enumerate(row[len(texts) :]):
                    total[place] += value
        write_sums(out / table_file(name), texts, numbers, totals)
        yield table_file(name)


def _write_sketch(surveyed: Surveyed, work: Path, out: Path) -> str:
    import pyarrow.parquet as pq

    parts = []
    for done in surveyed.mapped:
        path = work / MAP / done.key / TABLES / f"{SKETCH_TABLE}.parquet"
        kept = path.with_suffix(".npy")
        if path.exists() and not kept.exists():
            with pq.ParquetFile(path) as file:
                batches = (
                    batch.column(0).to_numpy().astype(np.uint64)
                    for batch in file.iter_batches(columns=["fingerprint"])
                )
                whole = kept.with_name(f".{kept.name}")
                np.save(whole.with_suffix(".part.npy"), join_fingerprints(batches))
                whole.with_suffix(".part.npy").replace(kept)
        if path.exists():
            parts.append(np.load(kept, mmap_mode="r"))
    words = sum(finished.words for finished in surveyed.finished)
    sketch = build_sketch(parts, documents=sum(done.read for done in surveyed.mapped), words=words)
    (out / SKETCH).write_bytes(sketch)
    return SKETCH


def _totals_of(surveyed: Surveyed) -> tuple[KindTotal, ...]:
    kinds = [kind.id for card in surveyed.job.cards for kind in card.kinds]
    return tuple(
        KindTotal(
            kind,
            sum(finished.kinds[place][0] for finished in surveyed.finished),
            sum(finished.kinds[place][1] for finished in surveyed.finished),
        )
        for place, kind in enumerate(kinds)
    )


def _choices_of(surveyed: Surveyed) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for column in columns_of(surveyed.job.cards):
        if not column.values:
            continue
        counts = [0] * len(column.values)
        for finished in surveyed.finished:
            for value, count in finished.choices[column.name].items():
                counts[value] += count
        found[column.name] = {name: count for name, count in zip(column.values, counts, strict=True) if count}
    return found


def _declared_in(surveyed: Surveyed, work: Path) -> Declared | None:
    """What cards say of the data, where folders of this machine were audited."""
    folders = [path for path in map(Path, surveyed.ordered.inputs) if path.is_dir()]
    if "provenance" not in surveyed.job.settings.checks or not folders:
        return None
    has_licences = "licences" in surveyed.job.settings.checks
    indexes = work / INDEXES / "licences"

    def open_licences() -> Check:
        from verilabel.audit.licences.opening import OPENING

        return OPENING.open(surveyed.job.settings, indexes)

    declared = read_cards(folders, licences=open_licences if has_licences else None)
    return declared if declared.cards or declared.problems else None


def _duplicates_of(surveyed: Surveyed, work: Path) -> DuplicatesSummary | None:
    settings = surveyed.job.settings
    if "duplicates" not in settings.checks:
        return None
    documents = sum(done.read for done in surveyed.mapped)
    joined = Joined(work / JOINED, documents, settings.duplicates.near)
    return summarise_duplicates(joined, settings.duplicates.alarm_documents)


def _contamination_of(surveyed: Surveyed, work: Path, out: Path) -> tuple[BenchmarkSummary, ...]:
    settings = surveyed.job.settings
    if "contamination" not in settings.checks:
        return ()
    _, index = map_index(settings.contamination, work / INDEXES / "contamination")
    tables = read_tables(out, len(surveyed.mapped), CONTAMINATION_TABLE)
    return summarise(tables, index.entries)


def read_tables(folder: Path, shards: int, name: str) -> Iterator[dict[str, list[Any]]]:
    """A table of every shard, in order, as columns; empty where a shard has none."""
    import pyarrow.parquet as pq

    for index in range(shards):
        path = folder / shard_file(index, TABLE + name)
        yield pq.read_table(path).to_pydict() if path.exists() else _NO_ROWS


_NO_ROWS: dict[str, list[Any]] = {name: [] for name in ("row", "benchmark", "item", "rule", "share")}


def _public(surveyed: Surveyed) -> Any:
    """The settings, without folders of the machine."""
    settings = surveyed.job.settings
    asked = settings.contamination
    public = msgspec.structs.replace(
        asked,
        benchmarks=tuple(_plain_name(name) if Path(name).exists() else name for name in asked.benchmarks),
        mirror=None if asked.mirror is None else _plain_name(asked.mirror),
    )
    return msgspec.structs.replace(settings, contamination=public)


def _plain_name(item: str) -> str:
    """An input as it may be told: a URL without what follows its path, a path's last part."""
    if "://" in item or item.startswith("hub:"):
        scheme, _, rest = item.partition("://")
        rest = (
            rest.split("?")[0].split("#")[0].rsplit("@", 1)[-1] if scheme != "hf" and "://" in item else rest
        )
        return f"{scheme}://{rest}" if "://" in item else item
    return Path(os.path.abspath(item)).name or item  # noqa: PTH100  `..` is told by the name of what it is


def move_into_place(work: Path, out: Path, *, force: bool) -> None:
    """Put the finished folder where it belongs; what was there goes only then."""
    flush_files(work / OUT)
    (work / WHOLE).touch()
    if force and out.exists():
        old = work / "replaced"
        shutil.rmtree(old, ignore_errors=True)
        out.rename(old)
    (work / OUT).rename(out)
