"""An upstream as the pipeline holds it: its client, its health, and what it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from verilabel.gateway.policy.document import Upstream
from verilabel.gateway.upstream.health import Health
from verilabel.gateway.upstream.interface import UpstreamClient


@dataclass(frozen=True)
class UpstreamHandle:
    """One upstream. Two snapshots share it where its words in the configuration are the same."""

    written: Upstream
    client: UpstreamClient
    health: Health = field(default_factory=Health)

    @property
    def id(self) -> str:
        """Its name in the configuration."""
        return self.written.id
