"""What the pipeline works with: the snapshot that holds now, and the stores and trails that outlive snapshots."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from itertools import count

from verilabel.gateway.access.interface import KeyRing
from verilabel.gateway.approvals.interface import ApprovalQueue
from verilabel.gateway.audit.trail import AuditTrail
from verilabel.gateway.limits.interface import Limiter
from verilabel.gateway.pipeline.snapshot import Snapshot
from verilabel.gateway.telemetry.exposition import Exposition
from verilabel.gateway.telemetry.metrics import Metrics
from verilabel.gateway.telemetry.tracing import Tracing


@dataclass
class Services:
    """`ring` None: `auth: none`, on loopback. `is_leaving` is True while the server ends."""

    snapshot: Snapshot
    ring: KeyRing | None
    limiter: Limiter
    queue: ApprovalQueue
    trail: AuditTrail
    metrics: Metrics
    exposition: Exposition
    tracing: Tracing
    is_leaving: bool = False
    buffered_bytes: int = 0
    """Bytes of all request bodies that are on their way."""
    _prefix: str = field(default_factory=lambda: secrets.token_hex(5))
    _count: count[int] = field(default_factory=count)

    def new_request_id(self) -> str:
        """A name for one request: unique over workers and restarts."""
        return f"req_{self._prefix}{next(self._count):x}"
