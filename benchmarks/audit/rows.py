"""What is measured: each row a tool, a task and a corpus, with how it is run and how its findings are read."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.audit import ours
from benchmarks.audit.scoring import (
    LICENCES,
    Corpus,
    read_lines,
    score_copies,
    score_documents,
    score_licences,
    score_spans,
)
from benchmarks.settings import REPOSITORY

SCRIPTS = Path(__file__).with_name("rivals")
ENVIRONMENTS = {
    "datatrove": REPOSITORY / ".venv-audit-rivals",
    "presidio": REPOSITORY / ".venv-audit-rivals",
    "dolma": REPOSITORY / ".venv-audit-dolma",
    "scancode": REPOSITORY / ".venv-audit-scancode",
}
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
Score = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One measurement."""

    name: str
    tool: str
    task: str
    corpus: str
    command: Callable[[Corpus, Path], Sequence[str]]
    """From the corpus and an empty folder of its own."""
    score: Callable[[Corpus, Path], Score]
    """From the corpus and the folder after the run."""
    before: Callable[[Corpus, Path], Sequence[str]] | None = None
    """A command that is not measured, for laying out files."""
    after: Callable[[Corpus, Path], Sequence[str]] | None = None
    """Another, for telling what was found."""
    more: Mapping[str, str] = field(default_factory=dict)


# ---------------------------------------------------------------- ours


def own_row(
    task: str,
    corpus: str,
    score: Callable[[Corpus, Path], Score],
    checks: Sequence[str],
    options: Sequence[str] = (),
    **more: Any,
) -> Row:
    """A row of ours; `options` are more of the command's."""
    engine, workers = more.get("engine", "local"), more.get("workers", 1)
    with_items = "contamination" in checks or not checks

    def command(given: Corpus, out: Path) -> Sequence[str]:
        bench = given.folder / "items.jsonl" if with_items else None
        inputs = given.folder / "parquet"
        return ours.audit_command(
            inputs,
            out / "run.audit",
            checks=checks,
            bench=bench,
            more=options,
            workers=workers,
            engine=engine,
        )

    told = (
        ""
        if engine == "local" and workers == 1
        else f", {workers} worker{'s' * (workers > 1)}{', Ray' if engine == 'ray' else ''}"
    )
    name = f"ours-{task}-{corpus}-{engine}-{workers}"
    return Row(name, f"verilabel{told}", task, corpus, command, score)


def _own_spans(corpus: Corpus, out: Path) -> Score:
    audit = out / "run.audit"
    return _span_fields(corpus, ours.read_spans(corpus, audit), ours.looked_for(audit))


def _own_contamination(corpus: Corpus, out: Path) -> Score:
    return _document_fields(corpus, ours.read_contaminated(corpus, out / "run.audit"))


def _own_copies(corpus: Corpus, out: Path) -> Score:
    return _copy_fields(corpus, ours.read_clusters(corpus, out / "run.audit"))


def _own_exact(corpus: Corpus, out: Path) -> Score:
    clusters = ours.read_clusters(corpus, out / "run.audit", "duplicates_exact")
    return {"exact": score_copies(corpus, clusters).exact}


def _own_licences(corpus: Corpus, out: Path) -> Score:
    planted, right, wrong = score_licences(corpus, ours.read_licences(corpus, out / "run.audit"))
    return {"planted": planted, "right": right, "wrong": wrong}


def _own_root(corpus: Corpus, out: Path) -> Score:
    record = ours.audited(out / "run.audit")
    if not record["settings"]["canaries"]["per_format"]:
        raise ValueError("an audit without canaries is not what is measured")
    return {"documents": corpus.documents()}


# ---------------------------------------------------------------- others


def rival_row(
    tool: str, task: str, corpus: str, score: Callable[[Corpus, Path], Score], *, lays_out: bool = False
) -> Row:
    """A row of another tool, run by its script in its own environment."""
    python = ENVIRONMENTS[tool] / "bin" / "python"
    script = SCRIPTS / f"with_{tool}.py"

    def calling(mode: str) -> Callable[[Corpus, Path], Sequence[str]]:
        def command(given: Corpus, out: Path) -> Sequence[str]:
            where = [str(given.folder), str(out / "work"), str(given.folder / "items.jsonl")]
            return [str(python), str(script), mode, task, *where]

        return command

    before = calling("prepare") if lays_out else None
    return Row(
        f"{tool}-{task}-{corpus}", tool, task, corpus, calling("run"), score, before, calling("tell"), OFFLINE
    )


def _told(out: Path) -> list[dict[str, Any]]:
    return list(read_lines(out / "work" / "found.jsonl"))


def _spans_of(kinds: Sequence[str]) -> Callable[[Corpus, Path], Score]:
    return lambda corpus, out: _span_fields(corpus, _told(out), kinds)


def _rival_contamination(corpus: Corpus, out: Path) -> Score:
    return _document_fields(corpus, {row["id"] for row in _told(out)})


def _rival_copies(corpus: Corpus, out: Path) -> Score:
    return _copy_fields(corpus, {row["id"]: row["cluster"] for row in _told(out)})


def _rival_exact(corpus: Corpus, out: Path) -> Score:
    """A Bloom filter flags the later of two equal documents, whichever that is."""
    flagged = {row["id"] for row in _told(out)}
    pairs = [
        (document, row["of"])
        for document, rows in corpus.truth.items()
        for row in rows
        if row["kind"] == "duplicate" and row["format"] == "exact"
    ]
    return {"exact": [len(pairs), sum(bool({*pair} & flagged) for pair in pairs)]}


def _rival_licences(corpus: Corpus, out: Path) -> Score:
    import re

    ids: dict[str, set[str]] = {}
    for row in _told(out):
        ids.setdefault(row["id"], set()).update(re.split(r" (?:AND|OR|WITH) |[() ]+", row["licence"] or ""))
    looked = {path.stem for path in (out / "work" / "files").iterdir()}
    planted, right, wrong = score_licences(corpus, ids, looked)
    return {"planted": planted, "right": right, "wrong": wrong}


# ---------------------------------------------------------------- fields


def _span_fields(corpus: Corpus, found: Any, kinds: Sequence[str]) -> Score:
    told = score_spans(corpus, found, kinds)
    return {
        "own": [told.planted_own, told.found_own],
        "all": [told.planted_all, told.found_all],
        "claimed": told.claimed,
        "correct": told.correct,
        "by_kind": told.by_kind,
        "unseen": told.unseen,
        "look_alikes": told.look_alikes,
        "elsewhere": told.elsewhere,
    }


def _document_fields(corpus: Corpus, flagged: set[str]) -> Score:
    told = score_documents(corpus, flagged, "contamination.item")
    return {"by_format": told.by_format, "wrong": told.wrong}


def _copy_fields(corpus: Corpus, clusters: Mapping[str, Any]) -> Score:
    told = score_copies(corpus, clusters)
    return {"exact": told.exact, "by_similarity": told.by_similarity, "mixed": told.mixed}


# ---------------------------------------------------------------- all of them

DATATROVE_KINDS = ("pii.email", "pii.ipv4")
DOLMA_KINDS = ("pii.email", "pii.phone", "pii.ipv4")
PRESIDIO_KINDS = (
    "pii.email",
    "pii.phone",
    "pii.card",
    "pii.iban",
    "pii.ssn",
    "pii.nino",
    "pii.ipv4",
    "pii.ipv6",
    "pii.mac",
    "pii.crypto_wallet",
)


def own_rows(corpora: Sequence[str]) -> list[Row]:
    """Ours: each check alone on the corpora of 30 and 300 MB, some and all together on that of 3 GB; the engines."""
    scores = {
        "pii": _own_spans,
        "contamination": _own_contamination,
        "duplicates": _own_copies,
        "licences": _own_licences,
    }
    alone = ("--duplicates", "exact")
    rows = []
    for corpus in corpora[:2]:
        rows += [own_row(task, corpus, score, (task,)) for task, score in scores.items()]
        rows += [own_row("exact", corpus, _own_exact, ("duplicates",), alone)]
    for corpus in corpora[2:]:
        rows += [own_row("contamination", corpus, _own_contamination, ("contamination",))]
        rows += [own_row("exact", corpus, _own_exact, ("duplicates",), alone)]
    rows += [own_row("all", corpus, _own_root, ()) for corpus in corpora]
    rows += [own_row("all", corpora[-1], _own_root, (), workers=2)]
    rows += [own_row("all", corpora[-1], _own_root, (), workers=count, engine="ray") for count in (1, 2)]
    return rows


def rival_rows(corpora: Sequence[str]) -> list[Row]:
    """The others: on corpora that ours is measured on, or on a part where the smallest takes hours."""
    small, large = corpora[0], corpora[:2][-1]
    slow, fast = dict.fromkeys((small, large)), corpora[1:] or corpora
    return [
        rival_row("datatrove", "pii", large, _spans_of(DATATROVE_KINDS)),
        rival_row("dolma", "pii", large, _spans_of(DOLMA_KINDS), lays_out=True),
        rival_row("presidio", "pii", f"{small}-part", _spans_of(PRESIDIO_KINDS)),
        *(rival_row("datatrove", "minhash", corpus, _rival_copies) for corpus in slow),
        *(rival_row("dolma", "exact", corpus, _rival_exact, lays_out=True) for corpus in fast),
        *(rival_row("datatrove", "contamination", corpus, _rival_contamination) for corpus in slow),
        *(
            rival_row("dolma", "contamination", corpus, _rival_contamination, lays_out=True)
            for corpus in fast
        ),
        rival_row("scancode", "licences", f"{small}-some", _rival_licences, lays_out=True),
    ]


# ---------------------------------------------------------------- parts of corpora


def cut_corpus(whole: Corpus, folder: Path, ids: set[str]) -> None:
    """A corpus of some documents of another, with their truth."""
    (folder / "jsonl").mkdir(parents=True, exist_ok=True)
    size = 0
    with (folder / "jsonl" / "part-000.jsonl").open("w", encoding="utf-8") as file:
        for path in sorted((whole.folder / "jsonl").glob("*.jsonl")):
            for row in read_lines(path):
                if row["id"] in ids:
                    size += len(row["text"].encode())
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
    with (folder / "truth.jsonl").open("w", encoding="utf-8") as file:
        for one in sorted(ids & set(whole.truth)):
            file.writelines(json.dumps(row) + "\n" for row in whole.truth[one])
    (folder / "items.jsonl").write_bytes((whole.folder / "items.jsonl").read_bytes())
    (folder / "parquet").mkdir(exist_ok=True)
    _parquet_of(folder)
    (folder / "corpus.json").write_text(json.dumps({"documents": len(ids), "text_bytes": size}) + "\n")


def _parquet_of(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = list(read_lines(folder / "jsonl" / "part-000.jsonl"))
    pq.write_table(pa.Table.from_pylist(rows), folder / "parquet" / "part-000.parquet")


def documents_of_first_part(whole: Corpus) -> set[str]:
    """For a tool that is slow: a quarter of the small corpus."""
    return {row["id"] for row in read_lines(whole.folder / "jsonl" / "part-000.jsonl")}


def documents_for_licences(whole: Corpus, count: int = 90) -> set[str]:
    """For a tool that is very slow: documents of less than 8 kB, two thirds with a planted licence."""
    short = {
        row["id"]
        for path in sorted((whole.folder / "jsonl").glob("*.jsonl"))
        for row in read_lines(path)
        if len(row["text"]) < 8_000
    }
    holding = sorted(one for one in short if any(row["kind"] in LICENCES for row in whole.truth.get(one, ())))
    others = sorted(short - set(whole.truth))
    source = random.Random(3)
    return {
        *source.sample(holding, min(len(holding), 2 * count // 3)),
        *source.sample(others, min(len(others), count // 3)),
    }
