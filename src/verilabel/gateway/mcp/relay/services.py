"""What every call of the MCP gateway works with, and who calls."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from verilabel.gateway.access.interface import Holder
from verilabel.gateway.approvals.deciding import Desk
from verilabel.gateway.approvals.interface import ApprovalQueue
from verilabel.gateway.audit.trail import AuditTrail
from verilabel.gateway.limits.interface import Limiter
from verilabel.gateway.mcp.policy.document import McpGateway, ToolPolicy
from verilabel.gateway.mcp.policy.interface import CompiledPolicy, ResultFilter
from verilabel.gateway.mcp.relay.sessions import Sessions
from verilabel.gateway.mcp.relay.telemetry import Telemetry
from verilabel.gateway.mcp.upstream.pool import Pool

CLIENT_ROLE = "client"
"""The role of the client's own person, who may decide where the policy says `channel: client`."""


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls: the holder of a key, or whoever started the process. `identity` names the session."""

    holder: Holder
    identity: str


@dataclass(frozen=True)
class Boundary:
    """The tool policy in force: as it was written, and compiled. A call keeps the one that it began with."""

    rules: ToolPolicy
    policy: CompiledPolicy
    filter: ResultFilter


@dataclass
class Services:
    """What was opened once. `boundary` is replaced as a whole where the policy changes."""

    config: McpGateway
    boundary: Boundary
    pool: Pool
    sessions: Sessions
    queue: ApprovalQueue
    desk: Desk
    limiter: Limiter
    trail: AuditTrail
    telemetry: Telemetry
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    """Keys the digests of arguments in records, for one run."""
    clock_us: Callable[[], int] = lambda: time.time_ns() // 1000
