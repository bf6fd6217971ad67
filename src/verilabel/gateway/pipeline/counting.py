"""What metrics are told of a request, and of what goes wrong around it."""

from __future__ import annotations

from verilabel.gateway.audit.record import AuditRecord
from verilabel.gateway.pipeline.exchange import Exchange
from verilabel.gateway.telemetry.names import AUDIT_ERRORS, LIMITED, LIMITS_LOST, NOT_ADMITTED, UPSTREAM_TRIES

NO_ROUTE = "none"


def count_begun(exchange: Exchange) -> None:
    """A request has found its route."""
    assert exchange.route is not None
    exchange.meter = exchange.services.metrics.meter(exchange.route.name, exchange.dialect.name)
    exchange.meter.begun()


def count_ended(exchange: Exchange, record: AuditRecord) -> None:
    """A request has ended, and this is its record."""
    metrics = exchange.services.metrics
    meter = exchange.meter
    if meter is None:  # it was refused before it had a route
        meter = metrics.meter(NO_ROUTE, exchange.dialect.name)
        meter.begun()
    elapsed = record.elapsed_us / 1e6
    asked = exchange.first_byte_ns > 0
    meter.ended(
        record.outcome,
        record.status,
        total_s=elapsed,
        overhead_s=max(0.0, elapsed - exchange.upstream_ns / 1e9) if asked and not record.streamed else None,
        first_byte_s=record.waited_us / 1e6 if asked else None,
        input_tokens=record.input_tokens or 0,
        output_tokens=record.output_tokens or 0,
        cost_microusd=record.cost_microusd or 0,
    )
    if record.findings:
        metrics.note_findings(record.findings)
    if record.code in ("label_not_admitted", "label_left"):
        metrics.add(NOT_ADMITTED, (record.route,))


def count_audit_lost(exchange: Exchange) -> None:
    """A record could not be written."""
    exchange.services.metrics.add(AUDIT_ERRORS)


def count_limited(exchange: Exchange, limit: str) -> None:
    """A limit refused a request."""
    exchange.services.metrics.add(LIMITED, (limit,))


def count_limits_lost(exchange: Exchange) -> None:
    """The limits' store could not be asked, and the request was refused."""
    exchange.services.metrics.add(LIMITS_LOST, ("block",))


def count_try(exchange: Exchange, upstream: str, result: str) -> None:
    """An upstream was asked; `result` is `answered` or a kind of failure."""
    exchange.services.metrics.add(UPSTREAM_TRIES, (upstream, result))
