"""Write a gateway's file to begin with: from a client's configuration, or with an example server.

The servers of CONFIG (Claude, Cursor, VS Code, Zed, Codex and others) are put behind the gateway, each in a sandbox.
Variables that a client's configuration holds by value are named, never copied: set them in the gateway's environment.
Commands that fetch a package when they start cannot do that without a network: install the package, and name its file.

examples:
  verilabel mcp init
  verilabel mcp init --from ~/.cursor/mcp.json --policy cautious --out mcp.yaml
  verilabel mcp gateway --policy mcp.yaml --check
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli.console import add_json_flag, plain, print_json
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.gateway.mcp.pins.scanning.targets import ConfiguredServer

SUMMARY = "write a gateway's file to begin with, from a client's configuration"
FETCHING = ("npx", "uvx", "pipx", "bunx", "docker", "podman")
EXAMPLE = """\
verilabel: mcp/v1
# cautious and provenance come with the program (verilabel policy list); a path names a policy of your own
policy: {policy}
servers:
  files:
    # mkdir npm data && npm install --prefix npm @modelcontextprotocol/server-filesystem
    command: [/usr/bin/node, /srv/npm/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js, /data]
    sandbox:
      min_containment: C2
      mounts:
        - {{source: {npm}, target: /srv/npm}}
        - {{source: {data}, target: /data}}
    # pins: files.lock          # verilabel mcp pin mcp.yaml
listen: {{transport: stdio}}      # or {{transport: http, port: 8790}}, with keys
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--from", dest="source", type=Path, metavar="CONFIG", help="a client's configuration")
    parser.add_argument(
        "--policy", default="cautious", metavar="NAME|FILE", help="the tool policy (default cautious)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("mcp.yaml"), metavar="FILE", help="where it goes (default mcp.yaml)"
    )
    parser.add_argument("--force", action="store_true", help="replace what is there")
    add_json_flag(parser)


def run(args: argparse.Namespace) -> ExitStatus:
    """Write the file."""
    from verilabel.cli.mcp_looking import require_agents
    from verilabel.evidence.atomic import write_file

    require_agents()
    if args.out.exists() and not args.force:
        raise UsageError("there is a file already", where=str(args.out), hint="--force replaces it")
    if args.source is None:
        beside = args.out.resolve().parent
        places = {name: json.dumps(str(beside / name)) for name in ("npm", "data")}
        text, remarks = EXAMPLE.format(policy=json.dumps(args.policy), **places), list[str]()
    else:
        text, remarks = _from_client(args.source, args.policy)
    write_file(args.out, text.encode("utf-8"), overwrite=args.force)
    if args.json:
        print_json({"file": str(args.out), "remarks": remarks})
        return ExitStatus.OK
    for remark in remarks:
        print(remark, file=sys.stderr)
    print(f"{args.out}: look at it, then verilabel mcp gateway --policy {args.out} --check")
    return ExitStatus.OK


def _from_client(source: Path, policy: str) -> tuple[str, list[str]]:
    from verilabel.gateway.mcp.pins.scanning.targets import load_target

    servers = load_target(source).servers
    if not servers:
        raise UsageError("no MCP server is configured there", where=str(source))
    remarks: list[str] = []
    lines = ["verilabel: mcp/v1", f"policy: {json.dumps(policy)}", "servers:"]
    for server in servers:
        lines += _server_lines(server, remarks)
    lines.append("listen: {transport: stdio}")
    return "\n".join(lines) + "\n", remarks


def _server_lines(server: ConfiguredServer, remarks: list[str]) -> list[str]:
    name = re.sub(r"[^a-z0-9_-]+", "-", server.name.lower())[:64].strip("-") or "server"
    lines = [f"  {name}:"]
    if server.url is not None:
        lines.append(f"    url: {json.dumps(server.url)}")
        named = {header: _variable(name, header) for header in server.headers}
        if named:
            lines.append(f"    headers_from: {json.dumps(named)}")
            remarks.append(f"{plain(name)}: set {', '.join(named.values())} to the values of its headers")
        return lines
    lines.append(f"    command: {json.dumps(list(server.command))}")
    if server.env:
        lines.append(f"    secrets: {json.dumps(sorted(server.env))}")
        remarks.append(f"{plain(name)}: set {', '.join(sorted(server.env))} in the gateway's environment")
    if server.command and Path(server.command[0]).name in FETCHING:
        remarks.append(
            f"{plain(name)}: {Path(server.command[0]).name} fetches what it runs, and a box has no network: install "
            "the package, name its file, and mount its folder"
        )
    return lines


def _variable(server: str, header: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", f"{server}_{header}".upper()).strip("_")
