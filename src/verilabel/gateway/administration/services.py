"""What administration works with: keys, the queue and the desk of a gateway, and what the gateway says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from verilabel.gateway.access.ring import CachedKeyRing
from verilabel.gateway.access.store import KeyStore
from verilabel.gateway.approvals.deciding import Desk
from verilabel.gateway.audit.record import AuditRecord


@dataclass(frozen=True)
class Administration:
    """The services behind the administration's routes.

    `state` gives what the gateway shows of its health, labels and limits; `record` takes administrative events for the
    audit trail. `hosts` are further names under which it may be asked, such as a reverse proxy's; without them it
    answers only under a name of this machine (`localhost`, `127.0.0.1`), unless `any_host` says that it listens
    elsewhere.
    """

    ring: CachedKeyRing
    keys: KeyStore
    desk: Desk
    state: Callable[[], dict[str, Any]] = dict
    record: Callable[[AuditRecord], None] | None = None
    hosts: tuple[str, ...] = ()
    any_host: bool = False
