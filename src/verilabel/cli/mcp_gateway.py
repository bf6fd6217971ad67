"""Run the MCP gateway: agents connect to it instead of to their servers, and change nothing else.

FILE names the servers, how they are started (in a sandbox, unless it says otherwise) and the policy; `verilabel mcp
init` writes one, `verilabel mcp pin` locks what the servers show. Over stdio the gateway is one command of a client's
configuration; over HTTP (`listen: {transport: http}`, or --port) many agents share it, each with a key of its own
(`verilabel gateway keys create --config FILE`). What is held for people is decided by `verilabel approvals --config
FILE`, or on the page of the HTTP gateway. Every call leaves lines in a hash-chained trail: `verilabel gateway
verify-log FOLDER`.

examples:
  verilabel mcp gateway --policy mcp.yaml
  verilabel mcp gateway --policy mcp.yaml --prompt @task.txt
  verilabel mcp gateway --policy mcp.yaml --port 8790
  verilabel mcp gateway --policy mcp.yaml --check
  verilabel mcp gateway --policy mcp.yaml --sessions
  verilabel mcp gateway --policy mcp.yaml --end-session key:k_0123
"""

from __future__ import annotations

import argparse
from pathlib import Path

from verilabel.cli.console import add_json_flag
from verilabel.errors import ExitStatus

SUMMARY = "run the gateway between agents and MCP servers"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--policy", type=Path, required=True, metavar="FILE", help="the gateway's file: servers and policy"
    )
    parser.add_argument(
        "--port", type=int, metavar="N", help="serve over HTTP on this port; 0 takes a free one"
    )
    parser.add_argument(
        "--prompt",
        default="",
        metavar="TEXT|@FILE",
        help="over stdio: what the person asked for; it vouches for arguments (provenance rules)",
    )
    acts = parser.add_mutually_exclusive_group()
    acts.add_argument(
        "--check", action="store_true", help="start every server once, say what would be shown and kept away"
    )
    acts.add_argument("--sessions", action="store_true", help="list sessions with their labels")
    acts.add_argument("--end-session", metavar="ID", help="begin a session anew, without labels")
    add_json_flag(parser)


def run(args: argparse.Namespace) -> ExitStatus:
    """Run it, or look at it."""
    from verilabel.cli.mcp_looking import check_servers, end_session, list_sessions, require_agents

    require_agents()
    if args.check:
        return check_servers(args.policy, as_json=args.json)
    if args.sessions:
        return list_sessions(args.policy, as_json=args.json)
    if args.end_session:
        return end_session(args.policy, args.end_session)
    from verilabel.gateway.mcp.running import run_gateway

    run_gateway(args.policy, prompt=_text_or_file(args.prompt), port=args.port)
    return ExitStatus.OK


def _text_or_file(value: str) -> str:
    return Path(value[1:]).read_text(encoding="utf-8") if value.startswith("@") else value
