"""Claims in tables: which cells are figures, and which headings name their benchmark, metric, model and setting."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from verilabel.claims.claim import Claim, Place, Topic, Value
from verilabel.claims.markdown import Block
from verilabel.claims.numbers import read_cell, unit_of_metric
from verilabel.claims.words import (
    is_benchmark,
    is_specification,
    known_words,
    name_metric,
    same_name,
    topic_of,
)

Role = Literal["label", "value", "setting", "metric", "n", "interval", "date", "specification", "nothing"]
"""What a column holds."""
RESULT_TITLES = re.compile(
    r"\b(eval\w*|results?|benchmarks?|metrics?|scores?|accuracy|red[- ]?team\w*|leaderboard)\b", re.IGNORECASE
)
"""Headings of sections whose tables are results, whatever their columns are called."""
PERCENT_TITLES = re.compile(r"\b(performance|safety|robustness|bias|capabilit\w+|risks?)\b", re.IGNORECASE)
"""Headings of sections whose tables are results where they hold percentages."""
_MODEL_HEADS = frozenset(("model", "models", "system", "variant", "name", "modelname", "llm", "checkpoint"))
_BENCHMARK_HEADS = frozenset(
    (
        "benchmark",
        "benchmarks",
        "task",
        "tasks",
        "dataset",
        "datasets",
        "eval",
        "evaluation",
        "test",
        "suite",
        "category",
    )
)
_RESULT_HEADS = frozenset(("benchmark", "benchmarks", "eval", "evaluation", "evals"))
_VALUE_HEADS = frozenset(
    ("value", "score", "scores", "result", "results", "rate", "performance", "metricvalue")
)
_SETTING_HEADS = frozenset(
    (
        "shots",
        "shot",
        "nshot",
        "nshots",
        "numfewshot",
        "setting",
        "settings",
        "config",
        "filter",
        "temperature",
        "split",
        "version",
    )
)
_MEASURED = re.compile(
    r"\b(?:rates?|ratio|responses?|share|percent(?:age)?|scores?|accuracy|violations?|refusals?|errors?)$|%$",
    re.IGNORECASE,
)
_N_HEADS = frozenset(("n", "samples", "items", "questions", "prompts", "examples", "nsamples", "size"))
_INTERVAL_HEADS = frozenset(
    ("ci", "95ci", "interval", "stderr", "standarderror", "std", "confidenceinterval", "sd", "se")
)
_DATE_HEADS = frozenset(("date", "evaluated", "measuredon", "dateofevaluation"))
_SHOTS = re.compile(
    r"\b(?:zero|one|two|three|four|five|\d+)[- ]shots?\b|\bCoT\b|\bchain[- ]of[- ]thought\b", re.IGNORECASE
)
_BRACKETS = re.compile(r"\(([^()]*)\)|\[([^\[\]]*)\]")


class Column(NamedTuple):
    """One column: its heading and what it holds."""

    head: str
    role: Role


class _Names(NamedTuple):
    """What headings and labels say of one figure."""

    subject: str
    benchmark: str
    metric: str
    setting: str


def read_table(
    block: Block, number: int, titles: Sequence[str], *, source: str, subject: str
) -> tuple[list[Claim], str | None]:
    """The claims of a table, and why it was not read where it holds figures that no rule understands.

    `number` is the table's in its document, `titles` the headings it stands under, `subject` the
    model that the document is about.
    """
    head, body = block.rows[0].cells, block.rows[1:]
    columns = read_columns(head, [row.cells for row in body])
    figures = sum(1 for row in body for cell in row.cells if _is_figure(cell))
    if not figures:
        return [], None
    if not _shows_results(columns, [row.cells for row in body], titles):
        return [], f"a table with {figures} figures, whose headings name no benchmark and no metric"
    labels_are_models = _labels_are_models(columns, [row.cells for row in body])
    claims = []
    for row_number, row in enumerate(body, 1):
        label = _label_of(columns, row.cells)
        if _is_specification_row(columns, row.cells):
            continue
        for column_number, (column, cell) in enumerate(zip(columns, row.cells, strict=False), 1):
            figure = read_cell(cell) if column.role == "value" else None
            if figure is None:
                continue
            names = _names_of(column.head, label, labels_are_models=labels_are_models)
            claim = _claim(figure.value, names, columns, row.cells, titles, subject)
            place = Place(source, row.line, number, row_number, column_number)
            interval = claim.interval or (figure.rest if "±" in figure.rest or "+/-" in figure.rest else "")
            claims.append(msgspec.structs.replace(claim, place=place, interval=interval))
    return claims, None


def read_columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Column]:
    """What each column holds, by its heading and by how many of its cells are figures."""
    columns = []
    for index, text in enumerate(head):
        cells = [row[index] for row in rows if index < len(row) and row[index]]
        figures = sum(map(_is_figure, cells))
        columns.append(Column(text, _role_of(text, bool(cells) and 2 * figures >= len(cells))))
    if not any(column.role == "label" for column in columns):
        columns[:1] = [Column(column.head, "label") for column in columns[:1]]
    return columns


def _role_of(head: str, mostly_figures: bool) -> Role:
    name = same_name(_BRACKETS.sub("", head))
    by_name: tuple[tuple[frozenset[str], Role], ...] = (
        (_SETTING_HEADS, "setting"),
        (_N_HEADS, "n"),
        (_INTERVAL_HEADS, "interval"),
        (_DATE_HEADS, "date"),
    )
    for names, role in by_name:
        if name in names:
            return role
    if name in ("metric", "metrics", "measure") and not mostly_figures:
        return "metric"
    if is_specification(head):
        return "specification" if mostly_figures else "label"
    if name in _MODEL_HEADS | _BENCHMARK_HEADS:
        return "label"
    if mostly_figures:
        return "value" if head.strip() else "nothing"
    return "label"


def _is_figure(cell: str) -> bool:
    return read_cell(cell) is not None


def _shows_results(columns: Sequence[Column], rows: Sequence[Sequence[str]], titles: Sequence[str]) -> bool:
    """True if headings or labels name a benchmark or metric, or the section is one of results."""
    if not any(column.role == "value" for column in columns):
        return False
    heads = [column.head for column in columns if column.role in ("value", "metric", "label")]
    labels = [_label_of(columns, row) for row in rows if not _is_specification_row(columns, row)]
    named = [*heads, *labels]
    if any(is_benchmark(text) or _names_metric(text) for text in named) or _says_results(columns, rows):
        return True
    if any(RESULT_TITLES.search(title) for title in titles):
        return bool(labels)
    percents = any("%" in cell and _is_figure(cell) for row in rows for cell in row)
    return percents and any(PERCENT_TITLES.search(title) for title in titles)


def _says_results(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> bool:
    """True if a column is headed as one of benchmarks, or a column of metrics names one."""
    if any(same_name(_BRACKETS.sub("", column.head)) in _RESULT_HEADS for column in columns):
        return True
    return any(
        _names_metric(cell)
        for row in rows
        for column, cell in zip(columns, row, strict=False)
        if column.role == "metric"
    )


def _names_metric(text: str) -> bool:
    return bool(name_metric(text)) and not is_specification(text)


def _labels_are_models(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> bool:
    """True if a row is a model and a column a benchmark; False if it is the other way round."""
    names = {same_name(column.head) for column in columns if column.role == "label"}
    if names & _MODEL_HEADS:
        return True
    if any(same_name(_BRACKETS.sub("", column.head)) in _BENCHMARK_HEADS for column in columns):
        return False
    heads = sum(
        is_benchmark(column.head) or _names_metric(column.head)
        for column in columns
        if column.role == "value"
    )
    labels = sum(is_benchmark(_label_of(columns, row)) for row in rows)
    return heads > 0 and labels == 0 and not any(_is_value_head(column.head) for column in columns)


def _is_value_head(head: str) -> bool:
    """True if a heading says what is measured (`Value`, `Safe responses`, `Error rate (%)`) and not of which model."""
    bare = _BRACKETS.sub("", head).strip()
    return same_name(bare) in _VALUE_HEADS or _MEASURED.search(bare) is not None


def _label_of(columns: Sequence[Column], cells: Sequence[str]) -> str:
    """The most particular label of a row: the last of its label cells that is not empty."""
    labels = [cell for column, cell in zip(columns, cells, strict=False) if column.role == "label" and cell]
    return labels[-1] if labels else ""


def _is_specification_row(columns: Sequence[Column], cells: Sequence[str]) -> bool:
    label = _label_of(columns, cells)
    return not label or is_specification(label)


def _names_of(head: str, label: str, *, labels_are_models: bool) -> _Names:
    """Tell model, benchmark, metric and setting of a figure apart."""
    benchmark_text, model_text = (head, label) if labels_are_models else (label, head)
    bare = " ".join(_BRACKETS.sub(" ", benchmark_text).split())
    remarks = [first or second for first, second in _BRACKETS.findall(benchmark_text)]
    metric = next((name for name in map(name_metric, remarks) if name), "")
    if not metric:
        metric = name_metric(bare) if not is_benchmark(bare) else name_metric(_without_benchmark(bare))
    if not labels_are_models and (_is_value_head(head) or (_names_metric(head) and not is_benchmark(head))):
        metric, model_text = name_metric(head) if not metric or metric == "score" else metric, ""
    setting = "; ".join(match[0] for match in _SHOTS.finditer(benchmark_text))
    if bare and same_name(bare) in map(same_name, _metric_ways(metric)):
        bare = ""
    return _Names(model_text, bare, metric, setting)


def _metric_ways(metric: str) -> tuple[str, ...]:
    return known_words().metrics.get(metric, ())


def _without_benchmark(text: str) -> str:
    from verilabel.claims.words import find_benchmarks

    for spot in reversed(find_benchmarks(text)):
        text = text[: spot.start] + " " + text[spot.end :]
    return text


def _claim(
    value: Value,
    names: _Names,
    columns: Sequence[Column],
    cells: Sequence[str],
    titles: Sequence[str],
    subject: str,
) -> Claim:
    beside: dict[Role, list[str]] = {}
    for column, cell in zip(columns, cells, strict=False):
        if cell and cell not in ("-", "—", "–"):
            beside.setdefault(column.role, []).append(cell)
    metric = next((name for name in map(name_metric, beside.get("metric", [])) if name), names.metric)
    settings = [names.setting] if names.setting else []
    settings += [
        f"{column.head}: {cell}" if not _SHOTS.search(cell) else cell
        for column, cell in zip(columns, cells, strict=False)
        if column.role == "setting" and cell and cell not in ("-", "—", "–")
    ]
    value = msgspec.structs.replace(value, unit=unit_of_metric(metric, value.unit))
    benchmark = names.benchmark or next((title for title in reversed(titles) if is_benchmark(title)), "")
    return Claim(
        kind="number",
        topic=_topic(benchmark, metric, titles),
        text=value.text,
        place=Place(""),
        found_by="table",
        subject=names.subject or subject,
        benchmark=benchmark,
        metric=metric,
        value=value,
        n=" ".join(beside.get("n", [])),
        interval=" ".join(beside.get("interval", [])),
        date=" ".join(beside.get("date", [])),
        configuration="; ".join(settings),
    )


def _topic(benchmark: str, metric: str, titles: Sequence[str]) -> Topic:
    if metric in known_words().safety_metrics:
        return "safety"
    return topic_of(benchmark) if is_benchmark(benchmark) else topic_of(benchmark, *titles[-1:])
