"""Offers of MCP servers for tests: what a sound server shows, and the same with one thing changed."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from verilabel.gateway.mcp.pins.interface import Offer

SERVER = Path(__file__).resolve().parent / "servers" / "mcp_server.py"
PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
"""An interpreter that every user may run."""
HIDDEN_ORDER = "SERVER TEXT THAT NO AGENT MAY SEE"


def make_tool(name: str, description: str = "Does what its name says.", **fields: Any) -> dict[str, Any]:
    """A tool as a server sends it."""
    schema = {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}
    return {"name": name, "description": description, "inputSchema": schema} | fields


def make_offer(*tools: dict[str, Any], server: str = "mail", **fields: Any) -> Offer:
    """A sound server with three tools, a resource, a template and a prompt, or with the tools given."""
    sound = Offer(
        server=server,
        command=("mail-mcp", "--read-only"),
        identity={"serverInfo": {"name": "mail", "version": "1.2.0"}, "protocolVersion": "2025-11-25"},
        instructions="Read the inbox first.",
        tools=tools
        or (
            make_tool("read_inbox", annotations={"readOnlyHint": True}),
            make_tool("send_mail", outputSchema={"type": "object"}),
            make_tool("search", **{"x-vendor": {"rate": 0.5}}),
        ),
        resources=(
            {"uri": "mail://inbox", "name": "inbox", "size": 10},
            {"uriTemplate": "mail://inbox/{id}", "name": "one mail"},
        ),
        prompts=({"name": "summarise", "description": "Summarise the inbox."},),
    )
    return msgspec.structs.replace(sound, **fields)


def with_tools(offer: Offer, *tools: dict[str, Any]) -> Offer:
    """An offer with other tools."""
    return msgspec.structs.replace(offer, tools=tools)


def without(content: dict[str, Any], *fields: str) -> dict[str, Any]:
    """An object without some of its fields."""
    return {key: value for key, value in content.items() if key not in fields}


@contextmanager
def server_folder() -> Iterator[Path]:
    """A folder with a scripted server in it, which whoever runs the server can read and write.

    As root, the server runs as nobody, like every program that the sandbox starts.
    """
    folder = Path(tempfile.mkdtemp(prefix="verilabel-pins-"))
    try:
        folder.chmod(0o777)
        shutil.copy(SERVER, folder / "server.py")
        with pytest.MonkeyPatch.context() as patch:
            if os.geteuid() == 0:
                patch.setenv("VERILABEL_SANDBOX_UID", "65534")
            yield folder
    finally:
        shutil.rmtree(folder)


def script_server(folder: Path, *tools: dict[str, Any], **script: Any) -> str:
    """Say what the server of a folder shows from now on; its command, as YAML."""
    script = {"info": {"name": "mail", "version": "1"}, "tools": tools} | script
    (folder / "script.json").write_text(json.dumps(script))
    return json.dumps([PYTHON, "-S", str(folder / "server.py"), str(folder / "script.json")])
