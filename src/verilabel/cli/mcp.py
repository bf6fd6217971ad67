"""An MCP gateway: agents call tools through it, and a policy, pins and people decide what they may do.

Each verb has its own --help.

examples:
  verilabel mcp init --from ~/.cursor/mcp.json
  verilabel mcp gateway --policy mcp.yaml
  verilabel mcp pin mcp.yaml
  verilabel mcp scan ~/.config/agent/mcp.json
  verilabel mcp explain --policy mcp.yaml --call mail/send --args '{"to": "x@example.org"}' --labels untrusted
  verilabel mcp bench --suite agentdojo --policy provenance
  verilabel mcp serve --bundles bundles
"""

from __future__ import annotations

import argparse
import importlib
from types import ModuleType

from verilabel.errors import ExitStatus

SUMMARY = "an MCP gateway: tool policies, pins, approvals; scan, explain, bench; our own MCP server"
VERBS = {
    "init": "mcp_init",
    "gateway": "mcp_gateway",
    "pin": "mcp_pin",
    "scan": "mcp_scan",
    "explain": "mcp_explain",
    "bench": "mcp_bench",
    "serve": "mcp_serve",
}
"""Each has a file of its own."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `verilabel mcp`."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="|".join(VERBS))
    for name, module_name in VERBS.items():
        module = _module(module_name)
        verb = verbs.add_parser(
            name,
            help=module.SUMMARY,
            description=(module.__doc__ or "").strip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.configure(verb)


def run(args: argparse.Namespace) -> ExitStatus:
    """Carry out one verb."""
    status: ExitStatus = _module(VERBS[args.verb]).run(args)
    return status


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"verilabel.cli.{name}")
