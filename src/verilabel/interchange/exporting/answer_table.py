"""The answers as a table: CSV, or Parquet with the extra `parquet`; one row an answer, one column a finding."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from verilabel.errors import MissingExtra
from verilabel.interchange.exporting.answers import Answer
from verilabel.interchange.exporting.conversation import prompt_of, read_turns
from verilabel.interchange.exporting.facts import stand
from verilabel.interchange.exporting.options import ExportOptions
from verilabel.interchange.exporting.source import Source
from verilabel.interchange.exporting.wording import fit_cell
from verilabel.interchange.exporting.writing import Export, ExportFile
from verilabel.records.attempt import response_body
from verilabel.records.canonical import digest
from verilabel.records.label import PAIR_WORDS
from verilabel.records.score import Scored, Unscored

BLOCK_ROWS = 1000
NUMBERS = ("epoch", "attempts", "judge_attempts", "input_tokens", "output_tokens", "evidence_line")
Cell = str | int | None


def export_csv(source: Source, options: ExportOptions) -> Export:
    """RFC 4180 with a header. Cells that a spreadsheet would run as a formula begin with an apostrophe."""
    return Export((ExportFile("answers.csv", lambda: _csv_chunks(source, texts=bool(options.texts))),))


def export_parquet(source: Source, options: ExportOptions) -> Export:
    """The same table with types, and the label's facts in the file's metadata. Raises MissingExtra."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise MissingExtra("pyarrow", "parquet") from error
    return Export(
        (ExportFile("answers.parquet", lambda: _parquet_chunks(source, texts=bool(options.texts))),)
    )


def name_columns(source: Source, *, texts: bool) -> list[str]:
    """The table's columns, in order."""
    low, high = PAIR_WORDS[source.label.kind]
    return [
        *("suite", "sample", "epoch", "outcome", "failure", "withheld", "attempts", "judge_attempts"),
        *("served_model", "fingerprint", "finish", "input_tokens", "output_tokens"),
        *(f"{kind}:{name}" for name in _detectors(source) for kind in ("found", "unscored")),
        *("sample_sha256", "request_sha256", "response_sha256", "evidence_line", "evidence_leaf"),
        *(("prompt", "output") if texts else ()),
        *(f"detail:{name}" for name in _detectors(source) if texts),
        *("rubric", low, high, "verification", "statement_sha256"),
    ]


def _detectors(source: Source) -> list[str]:
    return list(dict.fromkeys(name for stream in source.plan.streams for name in stream.detectors))


def table_rows(source: Source, *, texts: bool) -> Iterator[dict[str, Cell]]:
    """One mapping an answer, in the committed order; a cell that has nothing to say is None."""
    low, high = PAIR_WORDS[source.label.kind]
    facts = stand(source)
    carried: dict[str, Cell] = {
        "rubric": facts["rubric"],
        low: source.label.lower,
        high: source.label.upper,
        "verification": facts["verification"],
        "statement_sha256": facts["statement_sha256"],
    }
    for answer in source.answers():
        yield {
            **_plain_cells(source, answer),
            **_finding_cells(answer, texts=texts),
            **(_text_cells(answer) if texts else {}),
            **carried,
        }


def _plain_cells(source: Source, answer: Answer) -> dict[str, Cell]:
    last, usage = answer.last, answer.last.usage
    body = None if answer.withheld else response_body(last)
    return {
        "suite": answer.suite,
        "sample": answer.sample,
        "epoch": answer.epoch,
        "outcome": answer.outcome,
        "failure": last.failure.kind if last.failure else None,
        "withheld": answer.commitment or None,
        "attempts": len(answer.attempts),
        "judge_attempts": answer.judge_attempts,
        "served_model": last.served_model,
        "fingerprint": last.fingerprint,
        "finish": last.finish,
        "input_tokens": usage.input_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
        "sample_sha256": source.indexes[answer.suite][answer.sample].sha256,
        "request_sha256": None if answer.withheld else digest(last.request.encode()),
        "response_sha256": None if body is None else digest(body),
        "evidence_line": answer.line,
        "evidence_leaf": answer.leaf,
    }


def _finding_cells(answer: Answer, *, texts: bool) -> dict[str, Cell]:
    cells: dict[str, Cell] = {}
    for finding in answer.findings:
        if isinstance(finding, Scored):
            cells[f"found:{finding.detector}"] = str(finding.value).lower()
            if texts:  # a detail may quote the answer
                cells[f"detail:{finding.detector}"] = finding.detail
        elif isinstance(finding, Unscored):
            cells[f"unscored:{finding.detector}"] = finding.reason if texts else "yes"
    return cells


def _text_cells(answer: Answer) -> dict[str, Cell]:
    if answer.withheld:
        return {}
    return {"prompt": prompt_of(read_turns(answer.last.request)), "output": answer.last.output}


def _csv_chunks(source: Source, *, texts: bool) -> Iterator[bytes]:
    names = name_columns(source, texts=texts)
    yield _csv_block([names])
    for block in _blocks(table_rows(source, texts=texts)):
        yield _csv_block([[_csv_cell(row.get(name)) for name in names] for row in block])


def _csv_block(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8")


def _csv_cell(value: Cell) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else fit_cell(value)


def _blocks(rows: Iterator[dict[str, Cell]]) -> Iterator[list[dict[str, Cell]]]:
    while block := list(islice(rows, BLOCK_ROWS)):
        yield block


class _Sink:
    """A file for a writer that only appends; what was written is taken away block by block."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> int:
        """Append."""
        self._parts.append(bytes(data))
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        """Bytes written so far."""
        return self._size

    def take(self) -> bytes:
        """What was written since the last time."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Nothing is to be closed: the last bytes are still to be taken."""

    def readable(self) -> bool:
        """Never."""
        return False

    def writable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Never."""
        return False


def _parquet_chunks(source: Source, *, texts: bool) -> Iterator[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = name_columns(source, texts=texts)
    facts = {f"verilabel.{key}": value for key, value in stand(source).items()}
    fields: list[Any] = [pa.field(name, _arrow_type(name)) for name in names]
    schema = pa.schema(fields, metadata=facts)
    sink = _Sink()
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="zstd") as writer:
        for block in _blocks(table_rows(source, texts=texts)):
            columns = [[_arrow_cell(name, row.get(name)) for row in block] for name in names]
            writer.write_table(pa.table(columns, schema=schema))
            yield sink.take()
    yield sink.take()


def _arrow_type(name: str) -> Any:
    import pyarrow as pa

    if name in NUMBERS:
        return pa.int64()
    return pa.bool_() if name.startswith("found:") else pa.string()


def _arrow_cell(name: str, value: Cell) -> Cell:
    return value == "true" if value is not None and name.startswith("found:") else value
