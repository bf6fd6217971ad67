"""What `mcp.yaml` must be beyond its words, and how it and its policy fit together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from verilabel.errors import MalformedInput, VerilabelError
from verilabel.gateway.mcp.policy.document import McpGateway, ServerEntry, ToolPolicy
from verilabel.gateway.mcp.policy.matching import matches_glob, parse_match
from verilabel.gateway.policy.remark import Remark, doubt, mistake
from verilabel.models.endpoint import check_base_url, is_loopback

MAX_SERVERS = 200
_NAME_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.")
_VARIABLE_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_OWN_HEADERS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "accept", "content-type"}
)


def lint_mcp_file(gateway: McpGateway) -> tuple[Remark, ...]:
    """Everything that is wrong or doubtful in a gateway's file alone, in the order of the file."""
    return tuple(
        chain(
            _check_names(gateway),
            *(_check_server(entry, f"$.servers.{name}") for name, entry in gateway.servers.items()),
            _check_prefixes(gateway),
            _check_listening(gateway),
            _check_keeping(gateway),
        )
    )


def lint_mcp_together(gateway: McpGateway, policy: ToolPolicy) -> tuple[Remark, ...]:
    """What is doubtful in a file and its policy together."""
    return tuple(chain(_check_rules(gateway, policy), _check_servers(gateway, policy)))


def _check_names(gateway: McpGateway) -> Iterator[Remark]:
    if not gateway.servers:
        yield mistake("$.servers", "there is no server")
    if len(gateway.servers) > MAX_SERVERS:
        yield mistake("$.servers", f"at most {MAX_SERVERS} servers")
    for name in gateway.servers:
        if not 1 <= len(name) <= 64 or not _NAME_CHARS.issuperset(name):
            yield mistake(
                "$.servers", f"{name[:40]!r} is no name of a server", "1 to 64 letters, digits, _ - and ."
            )


def _check_server(entry: ServerEntry, where: str) -> Iterator[Remark]:
    if bool(entry.command) == (entry.url is not None):
        yield mistake(where, "a server has exactly one of command and url")
    if entry.timeout_s <= 0:
        yield mistake(f"{where}.timeout_s", "more than 0 seconds")
    if entry.pins is None:
        yield doubt(
            f"{where}.pins", "its tools are not pinned: a changed one is not noticed", "verilabel mcp pin"
        )
    yield from _check_command(entry, where) if entry.command else _check_url(entry, where)
    for name in (*entry.env, *entry.secrets):
        if not name or not _VARIABLE_CHARS.issuperset(name) or name[0].isdigit():
            yield mistake(f"{where}.env", f"{name[:40]!r} is no name of a variable")
    for name in entry.secrets:
        if name in entry.env:
            yield mistake(f"{where}.secrets", f"{name!r} is given by value as well")


def _check_command(entry: ServerEntry, where: str) -> Iterator[Remark]:
    if not entry.command[0].strip():
        yield mistake(f"{where}.command", "an empty command")
    if any("\0" in part for part in entry.command):
        yield mistake(f"{where}.command", "a null character in a command")
    if entry.headers_from:
        yield mistake(f"{where}.headers_from", "headers go with url")
    if entry.sandbox.provider == "process" and entry.sandbox.min_containment != "C0":
        yield mistake(
            f"{where}.sandbox",
            f"process contains nothing (C0), and {entry.sandbox.min_containment} is asked for: it would not start",
            "min_containment: C0 runs it without containment",
        )
    elif entry.sandbox.provider == "process":
        yield doubt(f"{where}.sandbox", "it runs without containment, with the rights of the gateway")
    elif entry.sandbox.min_containment == "C0":
        yield doubt(f"{where}.sandbox", "it may run without containment, with the rights of the gateway")


def _check_url(entry: ServerEntry, where: str) -> Iterator[Remark]:
    if entry.url is not None:
        try:
            check_base_url(entry.url, has_key=True, allow_insecure=False)
        except VerilabelError as error:
            yield mistake(f"{where}.url", error.message, error.hint)
    for name in ("env", "secrets"):
        if getattr(entry, name):
            yield mistake(f"{where}.{name}", f"{name} goes with command", "headers_from goes with url")
    for header in entry.headers_from:
        if not header or not _NAME_CHARS.issuperset(header) or header.lower() in _OWN_HEADERS:
            yield mistake(f"{where}.headers_from", f"{header[:40]!r} is no header to be set")


def _check_prefixes(gateway: McpGateway) -> Iterator[Remark]:
    """An agent's name of a tool must lead to one server, whatever the tools are called."""
    prefixes = [
        (name, f"{name}__" if entry.prefix is None else entry.prefix)
        for name, entry in gateway.servers.items()
    ]
    for name, prefix in prefixes:
        if prefix and not _NAME_CHARS.issuperset(prefix):
            yield mistake(f"$.servers.{name}.prefix", "a prefix has letters, digits, _ - and .")
        for other, longer in prefixes:
            if other != name and longer.startswith(prefix):
                yield mistake(
                    f"$.servers.{name}.prefix", f"the names of {other!r} begin with {prefix!r} as well"
                )


def _check_listening(gateway: McpGateway) -> Iterator[Remark]:
    listen = gateway.listen
    if listen.transport == "http" and listen.auth == "none" and not is_loopback(listen.host):
        yield mistake(
            "$.listen.auth",
            f"none, and host {listen.host!r} is not loopback: anybody could use it",
            "auth: keys, or host: 127.0.0.1",
        )
    if not 0 <= listen.port <= 65535:
        yield mistake("$.listen.port", f"{listen.port} is no port")
    if any("*" in host for host in listen.allowed_hosts):
        yield mistake("$.listen.allowed_hosts", "hosts are written out", "a wildcard lets other pages in")


def _check_keeping(gateway: McpGateway) -> Iterator[Remark]:
    if gateway.audit.content and not gateway.keep_content:
        yield doubt("$.audit.content", "keep_content says whether content is kept", "keep_content: true")
    if gateway.user_prompt == "client" and gateway.listen.transport == "http":
        yield doubt(
            "$.user_prompt", "whoever has a key may say what a person asked for, which vouches for arguments"
        )


def _check_rules(gateway: McpGateway, policy: ToolPolicy) -> Iterator[Remark]:
    for index, rule in enumerate(policy.tools):
        pattern = parse_match(rule.match)
        if not any(matches_glob(pattern.server, name) for name in gateway.servers):
            yield doubt(f"$.policy.tools[{index}]", f"no server here is meant by {rule.match!r}")
    if gateway.trust is None and isinstance(gateway.policy, str) and gateway.policy.startswith("pack:"):
        yield doubt("$.trust", "the pack is pinned, and nobody asks who signed it")


def _check_servers(gateway: McpGateway, policy: ToolPolicy) -> Iterator[Remark]:
    if policy.default != "deny":
        return
    patterns = []
    for rule in policy.tools:
        try:
            patterns.append(parse_match(rule.match))
        except MalformedInput:
            continue
    for name, entry in gateway.servers.items():
        if not any(matches_glob(pattern.server, name) for pattern in patterns):
            yield doubt(f"$.servers.{name}", "no rule names a tool of it, so that none can be called")
        elif entry.trust == "trusted" and entry.pins is None:
            yield doubt(f"$.servers.{name}.trust", "it is trusted, and what it shows is not pinned")
