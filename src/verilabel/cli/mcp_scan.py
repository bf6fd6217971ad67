"""Scan configurations of MCP clients, the gateway's own file and saved snapshots of servers. Fully offline.

TARGET is a client's configuration (Claude Desktop and Code, Cursor, VS Code, Windsurf, Cline, Gemini, Zed, Codex), an
mcp.yaml or a snapshot: JSON with the tools that a server lists. Nothing is started and nothing is sent anywhere. With
--live NAME a server of a configuration is started in its sandbox box and asked what it shows; one that is reached by an
address needs --allow-network too.

examples:
  verilabel mcp scan ~/.config/agent/mcp.json
  verilabel mcp scan .mcp.json .vscode/mcp.json --sarif scan.sarif --fail-on medium
  verilabel mcp scan mcp.yaml --live mail --save mail.snapshot.json
  verilabel mcp scan mail.snapshot.json --json

exit statuses: 1 a finding at or above --fail-on (default high), 3 a file that is nothing of the kind, 5 a live
server that does not answer, 6 no box.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli.console import add_json_flag, plain, print_json, print_table
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.gateway.mcp.pins.interface import Offer
    from verilabel.gateway.mcp.pins.scanning.finding import Finding
    from verilabel.gateway.mcp.pins.scanning.targets import Target
    from verilabel.gateway.mcp.policy.document import ServerEntry

SUMMARY = "look for poisoned tools, secrets and unsafe commands in MCP configurations, offline"
THRESHOLDS = ("note", "low", "medium", "high", "never")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mcp scan`."""
    parser.add_argument("target", type=Path, nargs="+", metavar="TARGET", help="files to scan")
    parser.add_argument(
        "--fail-on",
        choices=THRESHOLDS,
        default="high",
        help="the severity that ends with status 1 (default high)",
    )
    parser.add_argument("--sarif", type=Path, metavar="FILE", help="also write the findings as SARIF 2.1.0")
    parser.add_argument(
        "--live",
        action="append",
        default=[],
        metavar="NAME",
        help="start this server in its box and ask what it shows (repeatable)",
    )
    parser.add_argument("--allow-network", action="store_true", help="also ask servers that have an address")
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="write what live servers show as a snapshot"
    )
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    add_json_flag(parser)


def run(args: argparse.Namespace) -> ExitStatus:
    """Scan, print, and say by the status whether anything is too bad."""
    from verilabel.evidence.atomic import write_file
    from verilabel.gateway.mcp.pins.scanning.finding import reaches
    from verilabel.gateway.mcp.pins.scanning.sarif import write_sarif
    from verilabel.gateway.mcp.pins.scanning.scanning import scan
    from verilabel.gateway.mcp.pins.scanning.targets import load_target, write_snapshot

    _require_free(args)
    targets = [load_target(path) for path in args.target]
    live = _ask_live(args, targets)
    findings = scan(targets, live)
    if args.save is not None:
        offers = {offer.server: offer for each in live.values() for offer in each}
        write_file(args.save, write_snapshot(offers), overwrite=args.force)
    if args.sarif is not None:
        write_file(args.sarif, write_sarif(findings), overwrite=args.force)
    _print(args, targets, live, findings)
    too_bad = args.fail_on != "never" and any(reaches(each.severity, args.fail_on) for each in findings)
    return ExitStatus.CHECK_FAILED if too_bad else ExitStatus.OK


def _require_free(args: argparse.Namespace) -> None:
    if args.save is not None and not args.live:
        raise UsageError("there is nothing to save without a live server", where="--save", hint="--live NAME")
    for path in (args.save, args.sarif):
        if path is not None and path.exists() and not args.force:
            raise UsageError("there is such a file already", where=str(path), hint="--force")


def _ask_live(args: argparse.Namespace, targets: list[Target]) -> dict[str, list[Offer]]:
    from verilabel.cli.mcp_asking import ask_servers

    wanted = dict.fromkeys(args.live)
    asked: dict[str, list[Offer]] = {}
    for target in targets:
        entries: dict[str, ServerEntry] = {}
        for server in target.servers:
            if server.name in wanted:
                del wanted[server.name]
                entries[server.name] = server.entry or _entry_of(server)
        if entries:
            asked[target.file] = list(ask_servers(entries, allow_network=args.allow_network).values())
    if wanted:
        raise UsageError(f"no configuration has a server {next(iter(wanted))!r}", where="--live")
    return asked


def _entry_of(server: object) -> ServerEntry:
    from verilabel.gateway.mcp.pins.scanning.targets import ConfiguredServer
    from verilabel.gateway.mcp.policy.document import ServerEntry

    assert isinstance(server, ConfiguredServer), "targets hold configured servers"
    if server.headers:
        raise UsageError(
            f"the server {server.name!r} wants headers, which a client's file gives by value",
            where="--live",
            hint="write an mcp.yaml with `headers_from`, and scan that",
        )
    return ServerEntry(command=server.command, url=server.url, env=server.env)


def _print(
    args: argparse.Namespace, targets: list[Target], live: dict[str, list[Offer]], findings: list[Finding]
) -> None:
    import msgspec

    servers = sum(len(target.servers) for target in targets)
    offers = [offer for target in targets for offer, _ in target.offers]
    shown = sum(len(offer.tools) for each in (offers, *live.values()) for offer in each)
    if args.json:
        print_json(
            {
                "targets": [target.file for target in targets],
                "servers": servers,
                "tools": shown,
                "findings": msgspec.to_builtins(findings),
            }
        )
        return
    if findings:
        print_table(
            ["severity", "rule", "place", "what"],
            [
                [
                    each.severity,
                    each.rule,
                    plain(f"{each.target}:{each.line}" if each.line else each.target),
                    plain(f"{each.server}: {each.message}" if each.server else each.message),
                ]
                for each in findings
            ],
        )
    print(f"{len(findings)} findings in {len(targets)} files ({servers} servers, {shown} tools)")
