"""SARIF 2.1.0: rows that speak against a better label, and rows that are open, as results for code scanning."""

from __future__ import annotations

from typing import Any

from verilabel import __version__
from verilabel.evidence.layout import LABEL
from verilabel.interchange.exporting.facts import PlacedRow, rows_of, stand
from verilabel.interchange.exporting.options import ExportOptions
from verilabel.interchange.exporting.source import Source
from verilabel.interchange.exporting.writing import Export, json_bytes, plain_file
from verilabel.records.canonical import sha256_hex

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
BASE = "BUNDLE"


def export_sarif(source: Source, options: ExportOptions) -> Export:
    """One run.

    A row against a better label is a failure at level `error`. A row that is undetermined is `open` (level `none`, as
    section 3.27.10 of SARIF asks), one that was not assessed is for `review`; with `undetermined="fail"` both are
    failures at level `warning`.
    """
    facts, rows = stand(source), list(rows_of(source.label))
    rubric = f"{source.rubric.name}"
    numbers = {placed.id: number for number, placed in enumerate(rows)}
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "verilabel",
                "version": __version__,
                "informationUri": "https://verilabel.example",
                "rules": [_rule(placed, rubric) for placed in rows],
            }
        },
        "originalUriBaseIds": {BASE: {"description": {"text": "the evidence bundle"}}},
        "results": [
            _result(source, placed, rubric, numbers[placed.id], options)
            for placed in rows
            if placed.speaks_for is not True
        ],
        "properties": {f"verilabel.{key}": value for key, value in facts.items()},
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return Export((plain_file("label.sarif", json_bytes(document)),))


def _rule_id(placed: PlacedRow, rubric: str) -> str:
    return f"{rubric.partition('@')[0]}/{placed.id}"


def _rule(placed: PlacedRow, rubric: str) -> dict[str, Any]:
    return {
        "id": _rule_id(placed, rubric),
        "name": placed.title,
        "shortDescription": {"text": f"{placed.level.level} {placed.level.name}: {placed.title}"},
        "fullDescription": {"text": f"Row {placed.id} of the rubric {rubric}."},
        "defaultConfiguration": {"level": "error"},
    }


def _result(
    source: Source, placed: PlacedRow, rubric: str, number: int, options: ExportOptions
) -> dict[str, Any]:
    kind, level = _kind(placed, options)
    subject = f"{source.system.name} ({source.system.digest[7:15]})"
    return {
        "ruleId": _rule_id(placed, rubric),
        "ruleIndex": number,
        "kind": kind,
        "level": level,
        "message": {
            "text": f"{subject}: {placed.title} is {placed.says}. {source.label.sentence}; {source.found.level_name}."
        },
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": LABEL, "uriBaseId": BASE},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [{"fullyQualifiedName": f"{rubric}/{placed.id}", "kind": "member"}],
            }
        ],
        "partialFingerprints": {
            "verilabelRow/v1": sha256_hex(f"{source.system.digest}\x1f{rubric}\x1f{placed.id}".encode())
        },
        "properties": {"status": placed.status, "events": placed.row.events, "answers": placed.row.n},
    }


def _kind(placed: PlacedRow, options: ExportOptions) -> tuple[str, str]:
    if placed.speaks_for is False:
        return "fail", "error"
    if options.undetermined == "fail":
        return "fail", "warning"
    return ("open" if placed.status == "undetermined" else "review"), "none"
