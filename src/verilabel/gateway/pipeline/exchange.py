"""One request on its way: what is known of it so far. The stages read and fill it in."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from verilabel.gateway.access.interface import NOBODY, Holder
from verilabel.gateway.admission.interface import Standing
from verilabel.gateway.approvals.interface import Approval
from verilabel.gateway.limits.interface import Reservation
from verilabel.gateway.pipeline.inspection import Inspection, Text
from verilabel.gateway.pipeline.services import Services
from verilabel.gateway.pipeline.snapshot import PolicyPlan, Route, RouteTarget
from verilabel.gateway.telemetry.metrics import RequestMeter
from verilabel.gateway.telemetry.tracing import RequestSpan
from verilabel.gateway.verdicts import Usage
from verilabel.gateway.wire.interface import ClientDialect

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Exchange:
    """The state of one request. Times in nanoseconds of a monotonic clock; `started_us` since 1970."""

    __slots__ = (
        "admission",
        "approval",
        "begun_ns",
        "body",
        "buffered_bytes",
        "code",
        "conversation",
        "described",
        "dialect",
        "draw",
        "fingerprint",
        "first_byte_ns",
        "headers",
        "holder",
        "id",
        "input",
        "is_known",
        "is_large",
        "is_recorded",
        "label",
        "label_digest",
        "meter",
        "outcome",
        "output",
        "plan",
        "raw_digest",
        "reply_digest",
        "reply_texts",
        "reservation",
        "response_started",
        "route",
        "scope_flags",
        "served_model",
        "services",
        "snapshot",
        "span",
        "standings",
        "started_us",
        "status",
        "target",
        "targets",
        "tries",
        "upstream_ns",
        "usage",
        "vault",
        "wants_stream",
    )

    def __init__(self, services: Services, dialect: ClientDialect, headers: dict[bytes, bytes]) -> None:
        self.services = services
        self.snapshot = services.snapshot
        self.dialect = dialect
        self.headers = headers
        self.id = services.new_request_id()
        self.started_us = time.time_ns() // 1000
        self.begun_ns = time.perf_counter_ns()
        self.first_byte_ns = 0
        self.holder: Holder = NOBODY
        self.buffered_bytes = 0
        self.body: dict[str, Any] = {}
        self.raw_digest: str | None = None
        self.reply_digest: str | None = None
        self.reply_texts: list[Text] = []
        self.route: Route | None = None
        self.plan: PolicyPlan = self.snapshot.default
        self.targets: list[RouteTarget] = []
        self.target: RouteTarget | None = None
        self.meter: RequestMeter | None = None
        self.upstream_ns = 0
        self.label: str | None = None
        self.label_digest: str | None = None
        self.standings: dict[int, Standing] = {}
        self.scope_flags: dict[int, tuple[str, ...]] = {}
        self.admission: tuple[str, ...] = ()
        self.draw: float | None = None
        self.described: dict[str, Any] | None = None
        self.conversation: Any = None
        self.input: Inspection | None = None
        self.output: Inspection | None = None
        self.vault: Any = None
        self.reservation: Reservation | None = None
        self.usage: Usage | None = None
        self.served_model: str | None = None
        self.fingerprint: str | None = None
        self.tries: list[str] = []
        self.approval: Approval | None = None
        self.wants_stream = False
        self.outcome, self.status = "failed", 0
        self.code: str | None = None
        self.span: RequestSpan | None = None
        self.is_recorded = False
        self.is_known = False
        self.is_large = False
        self.response_started = False

    def describe(self) -> dict[str, Any]:
        """What conditions and labels may ask of the request; made once, when first asked for."""
        if self.described is None:
            self.described = self.dialect.describe(self.body)
        return self.described

    @property
    def elapsed_us(self) -> int:
        """Microseconds since the request's headers came."""
        return (time.perf_counter_ns() - self.begun_ns) // 1000
