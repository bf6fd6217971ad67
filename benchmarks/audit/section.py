"""The section of the results about the audit of training data: corpora made, rows measured once, tables written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.audit.measuring import run_tree
from benchmarks.audit.rows import (
    ENVIRONMENTS,
    Row,
    cut_corpus,
    documents_for_licences,
    documents_of_first_part,
    own_rows,
    rival_rows,
)
from benchmarks.audit.scoring import Corpus
from benchmarks.settings import REPOSITORY, CommandFailed
from benchmarks.tables import Cell, Section, Table

TITLE = "Training data audit"
SIZES = ("30", "300", "3000")
QUICK = ("6",)
METHOD = (
    "Real text that Debian and PyPI packages ship (documentation, manual pages, docstrings, sources), cut into "
    "documents, near copies rejected, scrubbed, then planted with values of personal data, secrets, licences, "
    "benchmark items and copies whose truth is known, and with look-alikes (`python -m benchmarks.audit.corpus`). "
    "Each command runs once, as a whole process from start to exit, with one worker unless said; megabytes are "
    "those of the corpus' text (10^6 bytes), CPU seconds and the peak of proportional memory those of the whole "
    "tree of processes. Ours reads Parquet, and its time includes canaries (values of each format, planted and "
    "examined), records, commitments and the Merkle tree; others read JSON lines. A value is found where findings "
    "cover half of it, whatever kind they give; a tool's *own kinds* are those that it says to look for; a "
    "finding is right where it meets any planted value of personal data or a secret. The same hand wrote the "
    "values here and the canaries: recall is that of these formats, and sets made by others stand in the "
    "detectors' cards. *Unseen formats* are in no canary and were written after the detectors. Slow tools are "
    "measured on fewer documents, as their rows say: compare rows of one size, for start and canaries weigh more in "
    "ours the smaller a corpus is."
)


def measure_all(
    folder: Path, *, quick: bool, rivals: bool, only: Sequence[str] = (), fresh: bool = False
) -> Section:
    """Measure what was not measured yet in the folder, and make the section of all that is there."""
    sizes = QUICK if quick else SIZES
    rows = own_rows(sizes)
    notes = []
    if rivals:
        there = rival_rows(sizes)
        rows += [row for row in there if ENVIRONMENTS[row.tool].is_dir()]
        missing = sorted({row.tool for row in there if not ENVIRONMENTS[row.tool].is_dir()})
        if missing:
            notes.append(
                f"not measured, since not installed (`make bench-audit-rivals`): {', '.join(missing)}"
            )
    else:
        notes.append("other tools were not asked for: `make bench-audit-rivals`, then --peers")
    results = []
    for row in rows:
        if only and not any(word in row.name for word in only):
            continue
        try:
            results.append((row, _measure_row(row, folder, quick=quick, fresh=fresh)))
        except CommandFailed as failure:
            print(f"{row.name}: failed: {failure}", file=sys.stderr, flush=True)
            notes.append(f"{row.name} failed: {str(failure).splitlines()[0]}")
    notes += _notes_on_corpora(folder, [row.corpus for row, _ in results])
    return Section(TITLE, METHOD, tuple(_tables(results)), tuple(notes))


def _corpus(folder: Path, name: str, *, quick: bool) -> Corpus:
    """The corpus of a name, made where it is not there yet."""
    path = folder / "corpora" / name
    if not (path / "corpus.json").is_file():
        size, _, part = name.partition("-")
        if part:
            whole = _corpus(folder, size, quick=quick)
            cut_corpus(
                whole,
                path,
                documents_of_first_part(whole) if part == "part" else documents_for_licences(whole),
            )
        else:
            forms = ["parquet", "jsonl", "gz"] if float(size) < 1_000 else ["parquet", "gz"]
            few = ["--per-format", "2"] if quick else []
            _reuse_base(folder / "corpora", path, float(size))
            words = ["--mb", size, "--out", str(path), "--plant", "--environments", *few, "--forms", *forms]
            subprocess.run(
                [sys.executable, "-m", "benchmarks.audit.corpus", *words], cwd=REPOSITORY, check=True
            )
    return Corpus(path)


def _reuse_base(corpora: Path, path: Path, megabytes: float) -> None:
    """A machine has a few hundred megabytes of distinct text: the largest corpus repeats, with edits, what is there."""
    smaller = corpora / SIZES[1] / "base.parquet"
    if megabytes >= 1_000 and smaller.is_file() and not (path / "base.parquet").is_file():
        path.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(smaller, path / "base.parquet")


def _notes_on_corpora(folder: Path, names: Sequence[str]) -> list[str]:
    notes = []
    for name in dict.fromkeys(names):
        path = folder / "corpora" / name / "corpus.json"
        if path.is_file() and (about := json.loads(path.read_text("utf-8"))).get("roots"):
            repeated, mb = about["repeated_with_edits"], about["text_bytes"] / 1e6
            told = f"corpus {name}: {about['documents']:,} documents, {mb:.1f} MB of text"
            more = (
                f"; {repeated:,} documents repeat others with every fourth word exchanged" if repeated else ""
            )
            notes.append(told + more)
    return notes


def _measure_row(row: Row, folder: Path, *, quick: bool, fresh: bool) -> dict[str, Any]:
    """One row, from what was kept of it or by running it; nothing is kept of a run that failed."""
    kept = folder / "measured" / f"{row.name}.json"
    if kept.is_file() and not fresh:
        found: dict[str, Any] = json.loads(kept.read_text("utf-8"))
        return found
    corpus = _corpus(folder, row.corpus, quick=quick)
    work = folder / "work" / row.name
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    if row.before is not None:
        _call(row.before(corpus, work), work)
    tree = run_tree(row.command(corpus, work), work / "process", row.more)
    if row.after is not None:
        _call(row.after(corpus, work), work)
    measured = {
        **tree.fields(),
        "mb": corpus.megabytes(),
        "documents": corpus.documents(),
        **row.score(corpus, work),
    }
    kept.parent.mkdir(parents=True, exist_ok=True)
    torn = kept.with_suffix(".tmp")
    torn.write_text(json.dumps(measured, indent=1) + "\n")
    torn.replace(kept)
    shutil.rmtree(work)
    speed = corpus.megabytes() / tree.cpu_s
    print(
        f"{row.name}: {tree.wall_s:.1f} s, {tree.cpu_s:.1f} CPU s, {speed:.2f} MB/CPU-s, {tree.peak_mb:.0f} MB",
        flush=True,
    )
    return measured


def _call(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandFailed(f"exit status {done.returncode}: {' '.join(command)}\n{done.stderr[-600:]}")


# ---------------------------------------------------------------- tables

_SPEED = ("tool", "text MB", "MB/s", "MB/CPU-s", "peak MB")
_TASKS = {"minhash": "duplicates", "exact": "duplicates"}
_TITLES = {
    "pii": "Personal data and secrets",
    "duplicates": "Duplicates",
    "contamination": "Benchmark contamination",
    "licences": "Licences",
    "all": "All checks together",
}


def _tables(results: Sequence[tuple[Row, dict[str, Any]]]) -> list[Table]:
    columns = {
        "pii": (
            *_SPEED,
            "recall, own kinds",
            "recall, all kinds",
            "own kinds, unseen formats",
            "precision",
            "wrong: look-alikes",
            "wrong: elsewhere",
        ),
        "duplicates": (*_SPEED, "exact copies", "J >= .8", "J .7 to .8", "J .6 to .7", "mixed clusters"),
        "contamination": (*_SPEED, *_FORMATS, "wrong of 10,000 documents"),
        "licences": (*_SPEED, "named rightly", "wrong documents"),
        "all": _SPEED,
    }
    details = {
        "pii": _pii_cells,
        "duplicates": _copy_cells,
        "contamination": _contamination_cells,
        "licences": _licence_cells,
        "all": lambda _: (),
    }
    tables = []
    for task, title in _TITLES.items():
        rows = [
            (*_speed_cells(row, found), *details[task](found))
            for row, found in results
            if _TASKS.get(row.task, row.task) == task
        ]
        if rows:
            tables.append(Table(title, columns[task], tuple(rows)))
    return tables


def _speed_cells(row: Row, found: dict[str, Any]) -> tuple[Cell, ...]:
    tool = f"{row.tool} ({row.task})" if row.task in _TASKS else row.tool
    mb = found["mb"]
    return tool, round(mb, 1), mb / found["wall_s"], mb / found["cpu_s"], found["peak_mb"]


def _share(pair: Sequence[int] | None) -> Cell:
    """`found / planted` as a share of three places, and the numbers."""
    if not pair or not pair[0]:
        return None
    planted, found = pair
    return f"{found / planted:.3f} ({found}/{planted})"


def _pii_cells(found: dict[str, Any]) -> tuple[Cell, ...]:
    precise = _share([found["claimed"], found["correct"]])
    lures = sum(found["look_alikes"].values())
    return (
        _share(found["own"]),
        _share(found["all"]),
        _share(found["unseen"]),
        precise,
        lures,
        found["elsewhere"],
    )


def _copy_cells(found: dict[str, Any]) -> tuple[Cell, ...]:
    near = found.get("by_similarity", {})
    above = [near[name] for name in (">= 0.95", ">= 0.9", ">= 0.8") if name in near]
    together = [sum(pair[at] for pair in above) for at in (0, 1)] if above else None
    rest = (_share(near.get(">= 0.7")), _share(near.get(">= 0.6")), found.get("mixed"))
    return (_share(found["exact"]), _share(together), *rest)


_FORMATS = ("verbatim", "rewrapped", "question", "half", "ninth_word", "short")


def _contamination_cells(found: dict[str, Any]) -> tuple[Cell, ...]:
    shares = tuple(_share(found["by_format"].get(name)) for name in _FORMATS)
    return (*shares, 10_000 * found["wrong"] / found["documents"])


def _licence_cells(found: dict[str, Any]) -> tuple[Cell, ...]:
    return _share([found["planted"], found["right"]]), found["wrong"]
