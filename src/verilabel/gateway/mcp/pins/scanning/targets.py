"""What is scanned: configurations of clients, the gateway's own file, saved snapshots of what servers show.

Known are `mcpServers` (Claude Desktop and Code, Cursor, Windsurf, Cline, Gemini), `servers` and `mcp.servers` (VS
Code), `context_servers` (Zed), `mcp_servers` (Codex, TOML), projects inside Claude Code's file, and `mcp.yaml`. A
snapshot is JSON with the `tools` of a server: a result of tools/list, with or without its JSON-RPC message, a list of
tools, or several servers by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

import msgspec

from verilabel.errors import LimitExceeded, MalformedInput, UsageError
from verilabel.gateway.mcp.pins.interface import Offer
from verilabel.gateway.mcp.pins.plain_files import read_plain_file
from verilabel.gateway.mcp.pins.scanning.places import (
    MAX_BYTES,
    Path,
    Placed,
    read_placed_json,
    read_placed_toml,
    read_placed_yaml,
)
from verilabel.gateway.mcp.policy.document import McpGateway, ServerEntry
from verilabel.gateway.policy.forms import convert_document

SNAPSHOT_FORMAT = "verilabel/mcp-snapshot/v1"
MAX_SERVERS = 1_000
APPROVES_ALL = "enableAllProjectMcpServers"
"""A setting of Claude Code: whatever servers a project's file names are started without asking."""
_ADDRESS_FIELDS = ("url", "serverUrl", "httpUrl", "endpoint")
_APPROVAL_FIELDS = ("alwaysAllow", "autoApprove", "trust")


class ConfiguredServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server as a file says how it is reached. `path` is its place in the file; `approved` are the fields by which a
    client runs its tools without asking. `entry` is set where the file is the gateway's own."""

    name: str
    path: Path
    command: tuple[str, ...] = ()
    url: str | None = None
    env: dict[str, str] = {}
    headers: dict[str, str] = {}
    approved: tuple[str, ...] = ()
    entry: ServerEntry | None = None


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One file that was read. `gateway` is set for `mcp.yaml`; offers stand with their places in the file."""

    file: str
    placed: Placed
    servers: tuple[ConfiguredServer, ...] = ()
    offers: tuple[tuple[Offer, Path], ...] = ()
    gateway: McpGateway | None = None

    @property
    def folder(self) -> FilePath:
        """Where the file's own paths begin."""
        return FilePath(self.file).parent


def load_target(path: FilePath) -> Target:
    """Read a file to scan. Raises UsageError where there is none, MalformedInput for what is nothing of the kind."""
    try:
        data = read_plain_file(path, MAX_BYTES)
    except FileNotFoundError:
        raise UsageError("there is no such file", where=str(path)) from None
    except IsADirectoryError:
        raise UsageError("this is a folder", where=str(path), hint="name the files in it") from None
    return read_target(data, file=str(path))


def read_target(data: bytes, *, file: str) -> Target:
    """The same from a file's bytes."""
    if file.endswith((".yaml", ".yml")):
        return _read_gateway(data, file)
    read = read_placed_toml if file.endswith(".toml") else read_placed_json
    placed = read(data, where=file)
    offers = tuple(_find_offers(placed.value, FilePath(file).stem))
    servers = () if offers else tuple(_find_servers(placed.value, file))
    if not offers and not servers and not _is_empty_config(placed.value):
        raise MalformedInput(
            "neither a configuration of MCP servers nor a snapshot of tools",
            where=file,
            hint="JSON with mcpServers, servers, context_servers or tools, or an mcp.yaml",
        )
    if len(servers) > MAX_SERVERS:
        raise LimitExceeded(f"more than {MAX_SERVERS} servers", where=file)
    return Target(file=file, placed=placed, servers=servers, offers=offers)


def write_snapshot(offers: Mapping[str, Offer]) -> bytes:
    """The file of a snapshot, to be scanned or pinned later and elsewhere."""
    document = {
        "format": SNAPSHOT_FORMAT,
        "servers": {
            name: {
                field: value
                for field, value in msgspec.to_builtins(offer).items()
                if field not in ("server", "command")
            }
            for name, offer in offers.items()
        },
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def find_offer(target: Target, name: str, command: tuple[str, ...]) -> Offer:
    """The offer of one server of a snapshot, reached by `command`. Raises UsageError where it is not there."""
    found = [offer for offer, _ in target.offers if offer.server == name]
    if not found:
        raise UsageError(f"the snapshot has no server {name!r}", where=target.file)
    return msgspec.structs.replace(found[0], command=command)


def _read_gateway(data: bytes, file: str) -> Target:
    placed = read_placed_yaml(data, where=file)
    gateway = convert_document(placed.value, McpGateway, file)
    servers = tuple(
        ConfiguredServer(
            name=name,
            path=("servers", name),
            command=entry.command,
            url=entry.url,
            env=entry.env,
            entry=entry,
        )
        for name, entry in gateway.servers.items()
    )
    return Target(file=file, placed=placed, servers=servers, gateway=gateway)


# -- configurations of clients ---------------------------------------------------------------------------------


def _find_servers(document: Any, file: str) -> Iterator[ConfiguredServer]:
    for path, table in _server_tables(document):
        for name, entry in table.items():
            if not isinstance(entry, dict):
                raise MalformedInput(
                    "a server is not an object", where=f"{file}: {_write_path((*path, name))}"
                )
            yield _read_server(name, entry, (*path, name), file)


def _server_tables(document: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every table of servers in a client's file, with its place."""
    for path in (
        ("mcp_servers",),
        ("mcpServers",),
        ("servers",),
        ("mcp", "servers"),
        ("context_servers",),
        ("mcp", "mcpServers"),
    ):
        table = _at(document, path)
        if isinstance(table, dict):
            yield path, table
    projects = _at(document, ("projects",))
    for name, project in projects.items() if isinstance(projects, dict) else ():
        table = _at(project, ("mcpServers",))
        if isinstance(table, dict):
            yield ("projects", name, "mcpServers"), table


def _at(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _is_empty_config(document: Any) -> bool:
    if isinstance(document, dict) and APPROVES_ALL in document:
        return True
    return any(not table for _, table in _server_tables(document))


def _read_server(name: str, entry: dict[str, Any], path: Path, file: str) -> ConfiguredServer:
    where = f"{file}: {_write_path(path)}"
    inner = entry.get("command")
    fields = entry | inner if isinstance(inner, dict) else entry
    program = fields.get("command", fields.get("path") if isinstance(inner, dict) else None)
    if isinstance(program, dict):
        program = program.get("path")
    words = _strings(program if isinstance(program, list) else [program or ""], f"{where}.command")
    arguments = _strings(fields.get("args") or [], f"{where}.args")
    addresses = [fields[field] for field in _ADDRESS_FIELDS if isinstance(fields.get(field), str)]
    return ConfiguredServer(
        name=name,
        path=path,
        command=(*words, *arguments) if words != ("",) else (),
        url=addresses[0] if addresses else None,
        env=_table(fields.get("env"), f"{where}.env"),
        headers=_table(fields.get("headers"), f"{where}.headers"),
        approved=tuple(field for field in _APPROVAL_FIELDS if _approves(entry.get(field))),
    )


def _approves(value: Any) -> bool:
    return value is True or (isinstance(value, list) and bool(value))


def _strings(values: Any, where: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise MalformedInput("a list of texts is expected", where=where)
    return tuple(values)


def _table(value: Any, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedInput("names and texts are expected", where=where)
    # clients write numbers and booleans here too, and pass them on as text
    return {key: each if isinstance(each, str) else str(each) for key, each in value.items()}


def _write_path(path: Path) -> str:
    return "$" + "".join(f"[{key}]" if isinstance(key, int) else f".{key[:80]}" for key in path)


# -- snapshots -------------------------------------------------------------------------------------------------


def _find_offers(document: Any, name: str) -> Iterator[tuple[Offer, Path]]:
    if isinstance(document, list) and document and all(isinstance(each, dict) for each in document):
        document, path = {"tools": document}, ()
        yield _read_offer(document, name), path
        return
    result = document.get("result") if isinstance(document, dict) else None
    if isinstance(result, dict) and isinstance(result.get("tools"), list):
        yield _read_offer(result, name), ("result",)
    elif isinstance(document, dict) and isinstance(document.get("tools"), list):
        yield _read_offer(document, name), ()
    else:
        servers = _at(document, ("servers",))
        for each, shown in servers.items() if isinstance(servers, dict) else ():
            if isinstance(shown, dict) and isinstance(shown.get("tools"), list):
                yield _read_offer(shown, each), ("servers", each)


def _read_offer(shown: Mapping[str, Any], name: str) -> Offer:
    info = {field: shown[field] for field in ("serverInfo", "protocolVersion") if field in shown}
    identity = shown.get("identity", info)
    instructions = shown.get("instructions")
    return Offer(
        server=name,
        command=(),
        identity=identity if isinstance(identity, dict) else {},
        instructions=instructions if isinstance(instructions, str) else None,
        tools=tuple(shown["tools"]),
        resources=_lists(shown, "resources") + _lists(shown, "resourceTemplates"),
        prompts=_lists(shown, "prompts"),
    )


def _lists(shown: Mapping[str, Any], field: str) -> tuple[Any, ...]:
    value = shown.get(field)
    return tuple(value) if isinstance(value, list) else ()
