"""Benchmarks to look for: items of a suite that the product knows, or of a file with one item a row.

1. a name of a suite, a folder or a suite file is loaded as everywhere else, without the network
2. any other file is read by its ending: .jsonl, .json, .csv, .tsv, .txt, .parquet, each also with .gz
3. of an item counts its question, its options, and its answer or solution in words
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from verilabel.errors import LimitExceeded, MalformedInput, UsageError
from verilabel.records.canonical import digest
from verilabel.records.sample import Sample
from verilabel.suites.format import DataFormat
from verilabel.suites.loading import load_suite
from verilabel.suites.readers import MAX_DATA_BYTES, Row, Table, read_table

MAX_ID_CHARACTERS = 200
QUESTIONS = (
    "question",
    "prompt",
    "problem",
    "text",
    "input",
    "instruction",
    "query",
    "goal",
    "forbidden_prompt",
    "behavior",
    "ctx",
)
"""Columns that hold the question; the first of these that the file has."""
OPTIONS = ("choices", "options", "endings")
ANSWERS = (
    "answer",
    "answers",
    "solution",
    "canonical_solution",
    "ground_truth",
    "target",
    "output",
    "response",
    "completion",
    "code",
    "test",
    "best_answer",
    "best answer",
    "correct_answers",
    "correct answers",
)
"""Columns that hold answers; all of these that the file has."""
IDS = ("id", "task_id", "question_id", "item_id", "uid", "idx")
_FORMS: dict[str, DataFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "lines",
    ".parquet": "parquet",
}


@dataclass(frozen=True, slots=True)
class Item:
    """What of one item is looked for."""

    id: str
    question: tuple[str, ...]
    """The question, then its options and earlier turns."""
    answer: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Items under one name and digest."""

    name: str
    """`id@version` of a suite, or a file's name."""
    sha256: str
    """`sha256:` of the suite file, which pins its data, or of the file."""
    items: tuple[Item, ...]


class BenchmarkEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an audit says of a benchmark that it looked for."""

    name: str
    sha256: str
    items: int
    unchecked: int
    """Items that are too short, or too much like others, to be told apart: they are never found."""
    short: int
    """Items of few words, which are found where all of their words stand in a row, as a common phrase might."""


def load_benchmarks(references: Sequence[str], mirror: str | None = None) -> list[Benchmark]:
    """Load the benchmarks of these names and paths, in the order given; `mirror` is a folder with suites' data.

    Raises UsageError for what is not there or stands twice, and for a mirror that is no folder; MalformedInput and
    SealError for what is not as it must be.
    """
    folder = None if mirror is None else Path(mirror)
    if folder is not None and not folder.is_dir():
        raise UsageError("the mirror is no folder", where=str(folder))
    found: dict[str, Benchmark] = {}
    for reference in references:
        benchmark = load_benchmark(reference, folder)
        if benchmark.name in found:
            raise UsageError(
                f"two benchmarks are called {benchmark.name!r}", hint="give each once, or rename"
            )
        found[benchmark.name] = benchmark
    return list(found.values())


def load_benchmark(reference: str, mirror: Path | None = None) -> Benchmark:
    """Load one benchmark; raises as `load_benchmarks`."""
    path = Path(reference).expanduser()
    form = _form_of(path)
    if form is not None:
        return _load_file(path, form)
    suite = load_suite(reference, mirror=mirror)
    return Benchmark(suite.name, suite.digest, tuple(_item_of_sample(sample) for sample in suite.samples))


def _form_of(path: Path) -> DataFormat | None:
    name = path.name.lower().removesuffix(".gz")
    return _FORMS.get(Path(name).suffix)


def _item_of_sample(sample: Sample) -> Item:
    lead = sample.prompt
    if sample.choices:
        at = lead.find(sample.choices[0])
        line = lead.rfind("\n", 0, max(at, 0))
        lead = lead[:line] if line > 0 else lead
    turns = [turn.content for turn in sample.messages if turn.content != sample.prompt]
    # the right option stands among the options: its letter is no text
    return Item(sample.id, (lead, *sample.choices, *turns), () if sample.choices else sample.target)


def _load_file(path: Path, form: DataFormat) -> Benchmark:
    try:
        size = path.stat().st_size
        if size > MAX_DATA_BYTES:
            raise LimitExceeded(f"{size} bytes of data, the limit is {MAX_DATA_BYTES}", where=str(path))
        data = path.read_bytes()
    except FileNotFoundError:
        raise UsageError("no such file", where=str(path)) from None
    except OSError as error:
        raise UsageError(f"the file cannot be read: {error.strerror}", where=str(path)) from error
    table = read_table(data, form, where=str(path))
    return Benchmark(path.name, digest(data), tuple(_items_of(table, str(path))))


def _items_of(table: Table, where: str) -> Iterator[Item]:
    folded = {column.strip().lower(): column for column in reversed(table.columns)}
    question = next((folded[name] for name in QUESTIONS if name in folded), None)
    if question is None:
        listed = ", ".join(map(repr, table.columns[:20]))
        raise MalformedInput(
            "no column holds the question",
            where=where,
            hint=f"one is called {', '.join(QUESTIONS)}; here are {listed}",
        )
    options = [folded[name] for name in OPTIONS if name in folded]
    answers = [folded[name] for name in ANSWERS if name in folded and folded[name] != question]
    identity = next((folded[name] for name in IDS if name in folded), None)
    places: dict[str, str] = {}
    for row in table.rows:
        item_id = _id_of(row, identity)
        if item_id in places:
            raise MalformedInput(
                f"id {item_id!r} stands twice",
                where=row.place,
                hint=f"it stands first at {places[item_id]}",
            )
        places[item_id] = row.place
        asked = _texts(row, question)
        if not asked or not asked[0].strip():
            raise MalformedInput(f"the question is empty (column {question!r})", where=row.place)
        chosen = tuple(text for column in options for text in _texts(row, column))
        yield Item(
            item_id, (*asked, *chosen), tuple(text for column in answers for text in _texts(row, column))
        )


def _id_of(row: Row, column: str | None) -> str:
    if column is None:
        return str(row.number)
    value = row.cells.get(column)
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise MalformedInput(f"the id is neither a text nor a number (column {column!r})", where=row.place)
    if len(str(value)) > MAX_ID_CHARACTERS:
        raise LimitExceeded(f"an id of over {MAX_ID_CHARACTERS} characters", where=row.place)
    return str(value)


def _texts(row: Row, column: str) -> tuple[str, ...]:
    """The texts of a cell: a text, a number, a list of them, or `{"text": [...]}`. An empty cell has none."""
    value = row.cells.get(column)
    if isinstance(value, Mapping) and isinstance(value.get("text"), list):
        value = value["text"]
    values: list[Any] = value if isinstance(value, list) else [] if value is None else [value]
    for one in values:
        if isinstance(one, bool) or not isinstance(one, str | int | float):
            raise MalformedInput(f"column {column!r} holds neither text nor a list of texts", where=row.place)
    return tuple(str(one) for one in values)
