"""What can be read by address: the label of each bundle as a document, and the text of each bundled rubric."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote, unquote

from verilabel.errors import UsageError
from verilabel.gateway.mcp.server.catalogues import find_bundled, read_rubrics
from verilabel.gateway.mcp.server.labels import summarise_label
from verilabel.gateway.mcp.server.library import Library
from verilabel.rubric.model import rubric_bytes

LABELS = "verilabel://labels/"
RUBRICS = "verilabel://rubrics/"
JSON = "application/json"
YAML = "application/yaml"
MAX_ADDRESS = 2000

TEMPLATES: tuple[dict[str, Any], ...] = (
    {
        "uriTemplate": LABELS + "{bundle}",
        "name": "label",
        "title": "Label of a bundle",
        "description": "The label of a bundle, after verification.",
        "mimeType": JSON,
    },
    {
        "uriTemplate": RUBRICS + "{rubric}",
        "name": "rubric",
        "title": "Text of a rubric",
        "description": "The exact text of a rubric that comes with the program.",
        "mimeType": YAML,
    },
)


async def list_resources(library: Library) -> list[dict[str, Any]]:
    """Every label and every rubric, in the protocol's own words."""
    labels = [
        {"uri": LABELS + quote(name, safe=""), "name": name, "title": f"Label of {name}", "mimeType": JSON}
        for name in await library.list_names()
    ]
    rubrics = [
        {
            "uri": RUBRICS + quote(rubric.name, safe=""),
            "name": rubric.name,
            "title": rubric.title,
            "mimeType": YAML,
        }
        for rubric in await asyncio.to_thread(read_rubrics)
    ]
    return labels + rubrics


async def read_resource(library: Library, address: str) -> tuple[str, str]:
    """The text at an address, and its type. Raises UsageError where there is none, and what verification found."""
    if len(address) > MAX_ADDRESS:
        raise UsageError("the address is too long", where="uri")
    if address.startswith(LABELS):
        return await _read_label(library, unquote(address.removeprefix(LABELS))), JSON
    if address.startswith(RUBRICS):
        return await asyncio.to_thread(_read_rubric, unquote(address.removeprefix(RUBRICS))), YAML
    raise UsageError(
        "there is nothing at this address", where="uri", hint=f"{LABELS}BUNDLE or {RUBRICS}RUBRIC"
    )


async def _read_label(library: Library, name: str) -> str:
    examined = await library.examine(name)
    if not examined.follows:
        assert examined.problem is not None, "a bundle without a label has a problem"
        raise examined.problem
    return json.dumps(summarise_label(examined, library.now), indent=2, ensure_ascii=True)


def _read_rubric(name: str) -> str:
    # the name is looked up in the list first: rubric_bytes alone would open a file of that name
    data, _ = rubric_bytes(find_bundled(name).name)
    return data.decode("utf-8")
