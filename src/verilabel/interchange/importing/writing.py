"""What an import leaves behind: `import.json` (the report) and `records.jsonl`, whole or not at all.

Both are canonical JSON: numbers that are no integers are text, so that two programs write the same bytes.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from verilabel.errors import UsageError
from verilabel.evidence.atomic import flush_folder
from verilabel.interchange.importing.judging import Judgement
from verilabel.interchange.importing.recomputing import ALPHA, Bounds, MetricFinding
from verilabel.interchange.importing.run import ImportedRecord
from verilabel.records.canonical import jcs

FORMAT = "verilabel/import/v1"
REPORT, RECORDS = "import.json", "records.jsonl"
Document = dict[str, Any]


def report_document(judgement: Judgement) -> Document:
    """The report as a JSON document without floats."""
    run = judgement.run
    return {
        "format": FORMAT,
        "verdict": judgement.verdict,
        "observed": False,
        "reasons": list(judgement.reasons),
        "tool": run.tool,
        "tool_version": run.tool_version,
        "format_version": run.format_version,
        "task": run.task,
        "model": run.model,
        "dataset": run.dataset,
        "created": run.created,
        "params": dict(run.params),
        "files": [{"name": f.name, "sha256": f.sha256, "bytes": f.size} for f in run.files],
        "records": len(run.records),
        "samples": judgement.items,
        "errors": sum(record.error is not None for record in run.records),
        "held": judgement.held,
        "counts": [
            {"kind": c.kind, "count": c.count, "what": c.what, "group": c.group or ""} for c in run.counts
        ],
        "metrics": [_finding(finding) for finding in judgement.findings],
        "notes": list(run.notes),
    }


def _finding(finding: MetricFinding) -> Document:
    metric = finding.metric
    document: Document = {
        "name": metric.name,
        "group": metric.group or "",
        "detail": metric.detail,
        "score": metric.key,
        "claimed": metric.printed,
        "recomputed": finding.recomputed,
        "verdict": finding.verdict,
        "reason": finding.reason,
        "records": finding.records,
        "values": finding.values,
        "headline": metric.is_headline,
    }
    if finding.bounds is not None:
        document["bounds"] = _bounds(finding.bounds)
    return document


def _bounds(bounds: Bounds) -> Document:
    return {
        "unit": "item",
        "items": bounds.items,
        "events_every_time": bounds.events_every_time,
        "events_at_least_once": bounds.events_at_least_once,
        "missing": bounds.missing,
        "lower": str(bounds.lower),
        "upper": str(bounds.upper),
        "one_sided_alpha": str(ALPHA),
    }


def record_document(record: ImportedRecord) -> Document:
    """A record in one form for all tools, with the digest of its source bytes."""
    return {
        "id": record.id,
        "group": record.group,
        "epoch": record.epoch,
        "sha256": record.sha256,
        "messages": [{"role": role, "content": text} for role, text in record.messages],
        "output": record.output,
        "target": list(record.target),
        "finish": record.finish,
        "error": record.error,
        "model": record.model,
        "scores": {
            key: {"raw": score.raw, "number": _number(score.number), "reason": score.reason}
            for key, score in record.scores.items()
        },
        "usage": None if record.usage is None else {"input": record.usage[0], "output": record.usage[1]},
    }


def _number(number: Fraction | None) -> str | None:
    """A score as text: exactly, as an integer or as a fraction."""
    return None if number is None else str(number)


def write_import(
    judgement: Judgement,
    out: Path,
    *,
    force: bool = False,
    add: Callable[[Path], None] | None = None,
) -> None:
    """Write an import into the folder `out`. `add` writes further parts into it before it is moved into place.

    Raises UsageError where something is there already and `force` is false, or what is there is no import; OSError
    where the disk refuses. On any failure, that of `add` too, nothing stays behind.
    """
    if out.exists() and not force:
        raise UsageError(
            "there is something here already", where=str(out), hint="choose another --out, or --force"
        )
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / REPORT).is_file())):
        raise UsageError(
            "this is not an import and is not replaced", where=str(out), hint="choose another --out"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    work = out.with_name(f".{out.name}.{secrets.token_hex(6)}.tmp")
    work.mkdir()
    try:
        _write(work / REPORT, jcs(report_document(judgement)) + b"\n")
        lines = (jcs(record_document(record)) + b"\n" for record in judgement.run.records)
        _write(work / RECORDS, b"".join(lines))
        if add is not None:
            add(work)
        _move(work, out)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _move(work: Path, out: Path) -> None:
    displaced = None
    if out.exists():
        displaced = out.with_name(f".{out.name}.{secrets.token_hex(6)}.old")
        out.rename(displaced)
    try:
        work.rename(out)
    except OSError:
        if displaced is not None:
            displaced.rename(out)
        raise
    flush_folder(out.parent)
    if displaced is not None:
        shutil.rmtree(displaced)
