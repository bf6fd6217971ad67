"""The two kinds of policy behind `verilabel policy`: guard policies (LLM gateway) and tool policies (MCP gateway).

Which kind a file is says its key `verilabel:`; what has none is a guard policy.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from verilabel.errors import UsageError

if TYPE_CHECKING:
    from verilabel.gateway.mcp.policy.reading import ToolPolicyFile
    from verilabel.gateway.policy.difference import Change
    from verilabel.gateway.policy.packing import PackKind
    from verilabel.gateway.policy.reading import PolicyFile
    from verilabel.gateway.policy.remark import Remark
    from verilabel.gateway.policy.trying import Tried

    AnyPolicy = PolicyFile | ToolPolicyFile

KindName = Literal["guard", "tool"]


def pack_kinds() -> tuple[PackKind, ...]:
    """The kinds of packs there are."""
    from verilabel.gateway.mcp.policy.packs import TOOL_POLICY
    from verilabel.gateway.policy.packing import GUARD_POLICY

    return GUARD_POLICY, TOOL_POLICY


def bundled_policies() -> dict[str, tuple[KindName, bytes]]:
    """Kind and bytes of the policies that come with the program, by name."""
    from verilabel.gateway.mcp.policy.bundled import tool_policy_bytes, tool_policy_names
    from verilabel.gateway.policy.bundled import bundled_bytes, bundled_names

    guards: dict[str, tuple[KindName, bytes]] = {
        name: ("guard", bundled_bytes(name)) for name in bundled_names()
    }
    return guards | {name: ("tool", tool_policy_bytes(name)) for name in tool_policy_names()}


def policy_bytes(reference: str) -> tuple[bytes, str]:
    """The exact bytes of a bundled policy, of a file, or in a pack, and the name of the place. Raises UsageError."""
    from verilabel.gateway.policy.bundled import BUNDLED_PREFIX
    from verilabel.gateway.policy.packing import MAX_PACK_BYTES, read_pack
    from verilabel.gateway.policy.reading import read_bounded

    name = reference.removeprefix(BUNDLED_PREFIX)
    bundled = bundled_policies()
    if name in bundled:
        return bundled[name][1], name
    path = Path(reference)
    if not path.exists():
        raise UsageError(
            f"no policy {reference!r}, neither bundled nor a file", hint=f"bundled: {', '.join(bundled)}"
        )
    data = read_bounded(path, MAX_PACK_BYTES, "policy")
    if data.startswith(b"{") and data.rstrip().endswith(b"}") and b'"payloadType"' in data:
        data = read_pack(data, where=reference, kinds=pack_kinds()).data
    return data, reference


def kind_of(data: bytes) -> KindName:
    """Which kind of policy the bytes are, as far as can be told."""
    from verilabel.gateway.mcp.policy.reading import is_tool_policy

    return "tool" if is_tool_policy(data) else "guard"


def pack_kind_of(data: bytes) -> PackKind:
    """Which kind of pack a policy's bytes go into."""
    return pack_kinds()[1 if kind_of(data) == "tool" else 0]


def load_policy_of(reference: str, *, checks_guards: bool = True) -> AnyPolicy:
    """A policy of either kind, refused where it contradicts itself; of an `mcp.yaml`, the one that it names."""
    from verilabel.gateway.mcp.policy.reading import is_mcp_file, load_mcp_file, load_tool_policy
    from verilabel.gateway.policy.reading import load_policy

    data, where = policy_bytes(reference)
    if is_mcp_file(data):
        return load_mcp_file(Path(reference)).policy
    if kind_of(data) == "tool":
        return load_tool_policy(data, where)
    if not checks_guards:
        return load_policy(data, where)
    from verilabel.gateway.guards.checking import check_guard

    return load_policy(data, where, check_guard=check_guard)


def remarks_on(reference: str) -> tuple[str, str, list[Remark]]:
    """Name, digest and remarks of a policy, or of a gateway's file together with its policies."""
    from verilabel.gateway.mcp.policy.reading import is_mcp_file, load_mcp_file, read_tool_policy

    data, where = policy_bytes(reference)
    if is_mcp_file(data):
        mcp = load_mcp_file(Path(reference))
        return where, mcp.digest, list(mcp.remarks)
    if kind_of(data) == "tool":
        tool_policy = read_tool_policy(data, where)
        return tool_policy.name, tool_policy.digest, list(tool_policy.remarks)
    return _remarks_on_guards(data, where, Path(reference))


def _remarks_on_guards(data: bytes, where: str, path: Path) -> tuple[str, str, list[Remark]]:
    from verilabel.gateway.guards.checking import check_guard
    from verilabel.gateway.policy.reading import is_gateway, load_gateway, read_policy

    if is_gateway(data):
        loaded = load_gateway(path, check_guard=check_guard)
        return where, loaded.digest, list(loaded.remarks)
    read = read_policy(data, where, check_guard=check_guard)
    return read.name, read.digest, list(read.remarks)


def try_policy(read: AnyPolicy) -> tuple[Tried, ...]:
    """Run the tests that a policy carries. Raises UsageError where there are none."""
    from verilabel.gateway.mcp.policy.reading import ToolPolicyFile

    is_tool = isinstance(read, ToolPolicyFile)
    if not read.policy.tests:
        hint = "tests: [{trace: [mail/read], expect: allow}]" if is_tool else "tests: [{name, input, expect}]"
        raise UsageError("the policy has no tests", where=read.where, hint=hint)
    if isinstance(read, ToolPolicyFile):
        from verilabel.gateway.mcp.policy.trying import run_tool_tests

        return run_tool_tests(read.policy, read.digest)
    from verilabel.gateway.policy.trying import run_tests
    from verilabel.gateway.trying import Trial

    folder = Path() if read.path is None else read.path.parent
    with Trial(read.policy, read.where, folder) as inspect:
        return run_tests(read.policy, inspect)


def compare_policies_of(old: AnyPolicy, new: AnyPolicy) -> tuple[Change, ...]:
    """What changes from one policy to another of its kind. Raises UsageError for two kinds."""
    from verilabel.gateway.mcp.policy.reading import ToolPolicyFile

    if isinstance(old, ToolPolicyFile) and isinstance(new, ToolPolicyFile):
        from verilabel.gateway.mcp.policy.difference import compare_tool_policies

        return compare_tool_policies(old.policy, new.policy)
    if isinstance(old, ToolPolicyFile) or isinstance(new, ToolPolicyFile):
        raise UsageError(
            "one is a tool policy and the other a guard policy", where=f"{old.where}, {new.where}"
        )
    from verilabel.gateway.policy.difference import compare_policies

    return compare_policies(old.policy, new.policy)


def describe_policy(read: AnyPolicy) -> dict[str, Any]:
    """What `list` says of a policy."""
    from verilabel.gateway.mcp.policy.reading import ToolPolicyFile

    is_tool = isinstance(read, ToolPolicyFile)
    description = read.policy.summary if isinstance(read, ToolPolicyFile) else read.policy.description
    return {
        "name": read.policy.policy,
        "version": read.policy.version,
        "kind": "tool" if is_tool else "guard",
        "digest": read.digest,
        "description": description,
    }
