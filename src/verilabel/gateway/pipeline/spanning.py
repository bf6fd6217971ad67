"""A request as a span: what tracing is told of it, names and numbers, never content."""

from __future__ import annotations

import time

from verilabel.gateway.audit.record import AuditRecord
from verilabel.gateway.pipeline.exchange import Exchange
from verilabel.gateway.telemetry.names import UPSTREAM_SPAN
from verilabel.gateway.telemetry.tracing import NoTracing


def begin_span(exchange: Exchange) -> None:
    """The request has found its route."""
    tracing = exchange.services.tracing
    assert exchange.route is not None
    given = exchange.headers.get(b"traceparent")
    if given is None and isinstance(tracing, NoTracing):
        return
    exchange.span = tracing.begin(
        None if given is None else given.decode("ascii", "replace"),
        route=exchange.route.name,
        dialect=exchange.dialect.name,
        request_id=exchange.id,
    )


def end_span(exchange: Exchange, record: AuditRecord) -> None:
    """The request has ended, and this is its record."""
    span = exchange.span
    if span is None:
        return
    span.note(
        {
            "verilabel.upstream": record.upstream or None,
            "verilabel.policy.digest": record.policy,
            "verilabel.label.digest": exchange.label_digest,
            "verilabel.key": record.key,
            "verilabel.code": record.code,
            "verilabel.findings": len(record.findings),
            "verilabel.streamed": record.streamed,
        }
    )
    target = exchange.target
    if target is not None and exchange.first_byte_ns:
        span.note_model(
            target.upstream.written.dialect,
            record.model,
            record.served_model,
            record.input_tokens,
            record.output_tokens,
        )
        now, monotonic = time.time_ns(), time.perf_counter_ns()
        answered = now - (monotonic - exchange.first_byte_ns)
        span.add_child(
            UPSTREAM_SPAN, answered - exchange.upstream_ns, answered, {"verilabel.upstream": record.upstream}
        )
    span.end(record.outcome, record.status)
