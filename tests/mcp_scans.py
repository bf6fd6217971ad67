"""Scans of made-up files, of which no finding may repeat a credential or a text of a server."""

from __future__ import annotations

import json
from typing import Any

from mcp_offers import HIDDEN_ORDER
from verilabel.gateway.mcp.pins.scanning.finding import Finding
from verilabel.gateway.mcp.pins.scanning.scanning import scan
from verilabel.gateway.mcp.pins.scanning.targets import read_target

TOKEN = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
SECRET_KEY = "q8Zr5LmW2xVt9KpB4nHs7Yd3"


def scan_json(document: Any, file: str = "mcp.json") -> list[Finding]:
    found = scan([read_target(json.dumps(document, indent=1).encode(), file=file)])
    said = json.dumps([str(each) for each in found])
    assert HIDDEN_ORDER not in said
    assert TOKEN not in said
    assert SECRET_KEY not in said
    return found


def rules_of(found: list[Finding]) -> set[str]:
    return {each.rule for each in found}
