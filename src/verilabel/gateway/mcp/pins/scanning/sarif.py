"""SARIF 2.1.0 of a scan: for code scanning, and for editors that show findings at their lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from verilabel import __version__
from verilabel.gateway.mcp.pins.scanning.finding import RULES, Finding, Severity
from verilabel.records.canonical import sha256_hex

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: dict[Severity, str] = {"high": "error", "medium": "warning", "low": "note", "note": "note"}
_SCORES: dict[Severity, str] = {"high": "8.0", "medium": "5.0", "low": "3.0", "note": "0.0"}
"""`security-severity`, by which code scanning sorts; ours, not CVSS scores of anything."""


def write_sarif(findings: Sequence[Finding]) -> bytes:
    """One run with every rule and every finding."""
    rules = list(RULES)
    document = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "verilabel",
                        "version": __version__,
                        "informationUri": "https://verilabel.example",
                        "rules": [_rule(rule_id) for rule_id in rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, rules.index(finding.rule)) for finding in findings],
            }
        ],
    }
    return json.dumps(document, indent=2).encode() + b"\n"


def _rule(rule_id: str) -> dict[str, Any]:
    rule = RULES[rule_id]
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.id.replace("/", "-").split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": f"{rule.title}."},
        "help": {"text": rule.help},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"security-severity": _SCORES[rule.severity], "tags": ["security", "mcp"]},
    }


def _result(finding: Finding, index: int) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(finding.target)},
            "region": {"startLine": finding.line or 1},
        }
    }
    if finding.server:
        name = f"{finding.server}/{finding.subject}" if finding.subject else finding.server
        location["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "member"}]
    mark = "\x1f".join((finding.rule, finding.server, finding.subject))
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.message}. {RULES[finding.rule].help}"},
        "locations": [location],
        "partialFingerprints": {"verilabelMcpScan/v1": sha256_hex(mark.encode())},
    }


def _uri(target: str) -> str:
    path = Path(target)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
