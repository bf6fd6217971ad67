"""Reading tool policies and `mcp.yaml`: strict, every mistake with its place, policies known by their bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from verilabel.errors import MalformedInput, VerilabelError
from verilabel.evidence.keys import home_folder
from verilabel.evidence.trust import TrustPolicy, load_trust
from verilabel.gateway.mcp.policy.bundled import tool_policy_bytes, tool_policy_names
from verilabel.gateway.mcp.policy.checking import lint_tool_policy
from verilabel.gateway.mcp.policy.compiling import Compiled, compile_policy
from verilabel.gateway.mcp.policy.document import McpGateway, ToolPolicy, Trust
from verilabel.gateway.mcp.policy.file_checks import lint_mcp_file, lint_mcp_together
from verilabel.gateway.mcp.policy.packs import TOOL_POLICY
from verilabel.gateway.mcp.policy.trying import lint_tests
from verilabel.gateway.policy.bundled import BUNDLED_PREFIX
from verilabel.gateway.policy.forms import convert_document
from verilabel.gateway.policy.packing import PACK_PREFIX, find_pack
from verilabel.gateway.policy.reading import MAX_CONFIG_BYTES, MAX_POLICY_BYTES, read_bounded
from verilabel.gateway.policy.remark import Remark, refuse_mistakes
from verilabel.records.canonical import digest
from verilabel.records.strict_yaml import load_strict_yaml


@dataclass(frozen=True)
class ToolPolicyFile:
    """A tool policy as it was read: `data` are its exact bytes, `digest` theirs, `where` names the place."""

    policy: ToolPolicy
    digest: str
    data: bytes
    where: str
    remarks: tuple[Remark, ...] = ()
    path: Path | None = None
    """The file, where it is one that can change."""

    @property
    def name(self) -> str:
        """As people know it."""
        return f"{self.policy.policy}@{self.policy.version}"

    def compile(self, trust: Mapping[str, Trust] | None = None) -> Compiled:
        """The policy made ready (`compiling.compile_policy`)."""
        return compile_policy(self.policy, self.digest, trust)


@dataclass(frozen=True)
class LoadedMcp:
    """A gateway's file with its policy, read and checked together. `files` are those that were read."""

    gateway: McpGateway
    path: Path
    digest: str
    policy: ToolPolicyFile
    remarks: tuple[Remark, ...]
    files: tuple[Path, ...]
    trust: TrustPolicy | None = field(default=None, repr=False)

    @property
    def folder(self) -> Path:
        """Where relative paths of the file begin."""
        return self.path.parent

    @property
    def trusts(self) -> dict[str, Trust]:
        """How far each server is trusted."""
        return {name: entry.trust for name, entry in self.gateway.servers.items()}

    def compile(self) -> Compiled:
        """The policy made ready, knowing which servers are trusted."""
        return self.policy.compile(self.trusts)


def load_tool_policy(source: Path | bytes, where: str | None = None) -> ToolPolicyFile:
    """Read a tool policy and refuse what contradicts itself; its doubts are in `remarks`.

    `where` names it in errors (absent: the path). Raises MalformedInput with the file and the path of the first
    mistake, UsageError where there is no file, LimitExceeded beyond MAX_POLICY_BYTES, MissingExtra where a pattern
    needs google-re2.
    """
    place = where or (str(source) if isinstance(source, Path) else "policy")
    read = read_tool_policy(source, place)
    refuse_mistakes(read.remarks, place)
    return read


def read_tool_policy(source: Path | bytes, where: str) -> ToolPolicyFile:
    """Read a tool policy, its mistakes among its remarks: for `lint`. Raises as `load_tool_policy` for bad words."""
    path = source if isinstance(source, Path) else None
    data = source if isinstance(source, bytes) else read_bounded(source, MAX_POLICY_BYTES, "tool policy")
    document = load_strict_yaml(data, where=where, max_bytes=MAX_POLICY_BYTES)
    return _check(document, digest(data), data, where, path)


def _check(document: Any, identity: str, data: bytes, where: str, path: Path | None) -> ToolPolicyFile:
    policy = convert_document(document, ToolPolicy, where)
    remarks = (*lint_tool_policy(policy), *lint_tests(policy))
    return ToolPolicyFile(policy, identity, data, where, remarks, path)


def is_tool_policy(data: bytes) -> bool:
    """True if the bytes are a tool policy rather than a guard policy, as far as can be told."""
    return _kind_of(data).startswith("mcp-policy/")


def is_mcp_file(data: bytes) -> bool:
    """True if the bytes are a gateway's `mcp.yaml`, as far as can be told."""
    return _kind_of(data).startswith("mcp/")


def _kind_of(data: bytes) -> str:
    try:
        document = load_strict_yaml(data, where="file")
    except VerilabelError:
        return ""
    kind = document.get("verilabel") if isinstance(document, dict) else None
    return kind if isinstance(kind, str) else ""


def load_mcp_file(path: Path, *, home: Path | None = None) -> LoadedMcp:
    """Read `mcp.yaml`, its trust policy and its tool policy, and refuse what does not fit together.

    The policy stands in the file itself, or is a bundled name, `pack:NAME@sha256:...` (looked up under `home`, never
    fetched; where a trust policy is named, it must accept the pack's signature), or a path beside the file. Raises
    MalformedInput with the file and the path of the first mistake, UsageError where a file is missing, SealError for a
    pack that is not what its digest says or that nobody trusted signed.
    """
    where = str(path)
    data = read_bounded(path, MAX_CONFIG_BYTES, "configuration of an MCP gateway")
    if is_tool_policy(data):
        raise MalformedInput(
            "this is a tool policy, which names no servers",
            where=where,
            hint=f"name it in the gateway's file: `policy: {path.name}`; `verilabel mcp init` writes one",
        )
    gateway = convert_document(
        load_strict_yaml(data, where=where, max_bytes=MAX_CONFIG_BYTES), McpGateway, where
    )
    remarks = lint_mcp_file(gateway)
    refuse_mistakes(remarks, where)
    files = [path]
    trust = None
    if gateway.trust is not None:
        files.append(path.parent / gateway.trust)
        trust = load_trust(path.parent / gateway.trust)
    policy = _load_policy_of(gateway, path, home or home_folder(), trust)
    if policy.path is not None:
        files.append(policy.path)
    remarks = (*remarks, *lint_mcp_together(gateway, policy.policy))
    refuse_mistakes(remarks, where)
    remarks = (*remarks, *(remark.within(policy.where) for remark in policy.remarks))
    return LoadedMcp(gateway, path, digest(data), policy, remarks, tuple(files), trust)


def _load_policy_of(gateway: McpGateway, path: Path, home: Path, trust: TrustPolicy | None) -> ToolPolicyFile:
    given = gateway.policy
    place = f"{path}: $.policy"
    if isinstance(given, dict):
        data = _write_plainly(given).encode()
        read = _check(given, digest(data), data, place, None)
        refuse_mistakes(read.remarks, place)
        return read
    if given.startswith(PACK_PREFIX):
        data = find_pack(given, home=home, trust=trust, where=place, kind=TOOL_POLICY)
        return load_tool_policy(data, given)
    name = given.removeprefix(BUNDLED_PREFIX)
    if given.startswith(BUNDLED_PREFIX) or name in tool_policy_names():
        return load_tool_policy(tool_policy_bytes(name, where=place), f"{BUNDLED_PREFIX}{name}")
    return load_tool_policy(path.parent / given)


def _write_plainly(value: Any) -> str:
    """JSON with sorted keys and decimals as they were written: what identifies a policy inside another file."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_write_plainly(value[k])}" for k in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_write_plainly(item) for item in value) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)
