"""A gateway in this process before real servers in others: scripted servers, policies as mappings, real clients."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from mcp import Client

import servers.mcp_server
from verilabel.gateway.access.interface import Holder
from verilabel.gateway.mcp.policy.reading import load_mcp_file
from verilabel.gateway.mcp.relay.services import Principal
from verilabel.gateway.mcp.relay.serving import make_server
from verilabel.gateway.mcp.running import Gateway

SERVER = Path(servers.mcp_server.__file__)
PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
"""An interpreter that every user may run."""
ANYTHING = {"type": "object"}
READ = {"match": "mail/read", "reads": ["private"], "emits": ["untrusted"]}
SEND = {"match": "mail/send", "sink": "external"}
FLOW = {"id": "no-exfil", "when": {"session_has": ["private", "untrusted"]}, "to": {"sink": "external"}}


def tool(name: str, **more: Any) -> dict[str, Any]:
    """A raw tool object."""
    return {"name": name, "description": f"{name} things", "inputSchema": ANYTHING, **more}


def text_of(result: Any) -> str:
    """The text of a call's result."""
    return "".join(block.text for block in result.content)


@dataclass
class World:
    """A folder with a gateway's file and scripted servers."""

    folder: Path
    scripts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def script(self, name: str, **changes: Any) -> None:
        """Write, or change, what a server does."""
        current = self.scripts.setdefault(name, {"tools": [], "calls": {}})
        current.update(changes)
        new = self.folder / f"{name}.new"
        new.write_text(json.dumps(current), encoding="utf-8")
        new.replace(self.folder / f"{name}.json")

    def forwarded(self, name: str = "mail") -> list[dict[str, Any]]:
        """The tool calls that reached a server, as it read them."""
        path = self.folder / f"{name}.log"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        messages = [json.loads(line) for line in lines]
        return [m["params"] for m in messages if m.get("method") == "tools/call"]

    def write(self, *, policy: dict[str, Any] | None = None, **config: Any) -> Path:
        """Write the gateway's file: all scripted servers, and a policy that denies what it does not name."""
        servers_ = {
            name: {
                "command": [PYTHON, "-S", str(self.folder / "server.py"), str(self.folder / f"{name}.json")],
                "sandbox": {"provider": "process", "min_containment": "C0"},
            }
            for name in self.scripts
        }
        for name, entry in config.pop("servers", {}).items():
            servers_[name].update(entry)
        rules = {
            "verilabel": "mcp-policy/v1",
            "policy": "test",
            "version": "1.0.0",
            "default": "deny",
            "tools": [READ, SEND],
            **(policy or {}),
        }
        path = self.folder / "mcp.yaml"
        document = {"verilabel": "mcp/v1", "policy": rules, "servers": servers_, **config}
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        return path

    def trail(self) -> list[dict[str, Any]]:
        """The records of calls in the audit trail."""
        lines = [
            json.loads(line)
            for path in sorted((self.folder / "audit").glob("*.jsonl"))
            for line in path.read_text(encoding="utf-8").splitlines()
        ]
        return [line for line in lines if line.get("dialect") == "mcp"]


def make_world(folder: Path) -> World:
    """One server called `mail` with three tools."""
    made = World(folder)
    shutil.copy(SERVER, folder / "server.py")
    made.script(
        "mail",
        tools=[tool("read"), tool("send"), tool("other")],
        calls={"read": {"returns": "a letter"}, "send": {"returns": "sent to {to}"}},
    )
    return made


def principal(name: str = "agent") -> Principal:
    """Who calls."""
    return Principal(holder=Holder(id=f"k-{name}", name=name, user=name), identity=f"key:k-{name}")


Connect = Callable[..., Any]
ACCEPT = {"action": "accept", "content": {"approve": True}}


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[tuple[Gateway, Connect]]:
    """A gateway of a file, and a function that connects a client of the protocol's own library to it."""
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(Gateway(load_mcp_file(path)))

        async def connect(name: str = "agent", *, mode: str = "auto", **options: Any) -> Client:
            server = make_server(gateway.services, lambda _: principal(name))
            return await stack.enter_async_context(Client(server, mode=mode, cache=None, **options))

        yield gateway, connect
