"""Tool policies as packs: the payload type under which they are signed, so that no guard policy passes for one."""

from __future__ import annotations

from verilabel.gateway.mcp.policy.document import ToolPolicy
from verilabel.gateway.policy.forms import convert_document
from verilabel.gateway.policy.packing import MAX_PACKED_POLICY, PackKind
from verilabel.records.strict_yaml import load_strict_yaml


def _read_name(data: bytes, where: str) -> tuple[str, str]:
    document = load_strict_yaml(data, where=where, max_bytes=MAX_PACKED_POLICY)
    policy = convert_document(document, ToolPolicy, where)
    return policy.policy, policy.version


TOOL_POLICY = PackKind("application/vnd.verilabel.mcp-policy+yaml", _read_name)
"""Packs that hold a tool policy."""
