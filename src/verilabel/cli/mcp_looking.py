"""Looking at an MCP gateway from a shell: what its servers show, and which sessions carry which labels."""

from __future__ import annotations

import asyncio
import importlib.util
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verilabel.cli.console import plain, print_json, print_table
from verilabel.errors import ExitStatus, MissingExtra, UsageError

if TYPE_CHECKING:
    from verilabel.gateway.mcp.policy.reading import LoadedMcp
    from verilabel.gateway.mcp.relay.sessions import Sessions
    from verilabel.gateway.mcp.upstream.pool import View

PACKAGES = (
    "mcp",
    "httptools",
    "re2",
    "ahocorasick_rs",
    "jsonschema",
    "starlette",
    "uvicorn",
    "prometheus_client",
)
MAX_SESSIONS = 1_000_000
"""Sessions among which one that is to end is looked for."""


def require_agents() -> None:
    """Check that the packages of the extra `agents` are installed. Raises MissingExtra."""
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package, "agents")


def check_servers(path: Path, *, as_json: bool) -> ExitStatus:
    """Start every server once and say what agents would be shown. Ends with 1 where something is kept from them."""
    from verilabel.gateway.mcp.policy.reading import load_mcp_file

    loaded = load_mcp_file(path)
    view = asyncio.run(_view(loaded))
    if as_json:
        print_json(_document(view))
    else:
        _print_view(loaded, view)
    return ExitStatus.CHECK_FAILED if view.quarantined or view.absent else ExitStatus.OK


async def _view(loaded: LoadedMcp) -> View:
    from verilabel.gateway.mcp.running import check_mcp, open_all_pins
    from verilabel.gateway.mcp.upstream.pool import Catalogue

    check_mcp(loaded)
    catalogue = Catalogue(loaded.gateway.servers, open_all_pins(loaded, loaded.trust))
    try:
        return await catalogue.view()
    finally:
        await catalogue.close()


def _document(view: View) -> dict[str, Any]:
    return {
        "tools": {name: {"server": shown.server, "pin": shown.pin} for name, shown in view.tools.items()},
        "resources": sorted(view.resources),
        "prompts": sorted(view.prompts),
        "quarantined": [
            {"server": q.server, "kind": q.kind, "name": q.name, "change": q.change, "detail": q.detail}
            for q in view.quarantined
        ],
        "absent": dict(view.absent),
    }


def _print_view(loaded: LoadedMcp, view: View) -> None:
    print(f"policy {loaded.policy.policy.policy}@{loaded.policy.policy.version} {loaded.policy.digest}")
    rows = [(plain(name), shown.server, shown.pin[:19]) for name, shown in sorted(view.tools.items())]
    print_table(("tool", "server", "pinned as"), rows)
    for each in view.quarantined:
        print(f"quarantined: {each.kind} {plain(each.name)} of {each.server}: {each.change}: {each.detail}")
    for server, why in view.absent.items():
        print(f"absent: {server}: {plain(why)}")


async def _with_sessions(path: Path, ending: str | None) -> list[tuple[str, int, frozenset[str], int, int]]:
    from verilabel.gateway.mcp.policy.reading import load_mcp_file
    from verilabel.gateway.mcp.relay.sessions import Sessions
    from verilabel.registry.database import open_database

    loaded = load_mcp_file(path)
    place = loaded.gateway.database
    database = await open_database(place if "://" in place else str(loaded.folder / place))
    try:
        sessions: Sessions = Sessions(database)
        await sessions.open()
        if ending is not None:
            known = {name for name, *_ in await sessions.list(MAX_SESSIONS)}
            if ending not in known:
                raise UsageError(
                    "there is no such session, so it has no labels to take away",
                    where=f"--end-session {plain(ending)}",
                    hint="--sessions lists them",
                )
            await sessions.end(ending)
        return await sessions.list()
    finally:
        await database.close()


def list_sessions(path: Path, *, as_json: bool) -> ExitStatus:
    """List the sessions of a gateway over HTTP, those that changed last first."""
    found = asyncio.run(_with_sessions(path, None))
    if as_json:
        print_json(
            [
                {"id": name, "epoch": epoch, "labels": sorted(labels), "calls": calls, "changed_us": changed}
                for name, epoch, labels, calls, changed in found
            ]
        )
        return ExitStatus.OK
    rows = [
        (
            plain(name),
            str(epoch),
            " ".join(sorted(labels)) or "-",
            str(calls),
            datetime.fromtimestamp(changed / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        )
        for name, epoch, labels, calls, changed in found
    ]
    print_table(("session", "began", "labels", "calls", "changed"), rows)
    return ExitStatus.OK


def end_session(path: Path, identity: str) -> ExitStatus:
    """Begin a session anew: a person takes its labels away. A running gateway sees it with the next call.

    Raises UsageError where there is no such session.
    """
    asyncio.run(_with_sessions(path, identity))
    print(f"{plain(identity)} begins anew")
    return ExitStatus.OK
