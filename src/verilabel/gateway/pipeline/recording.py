"""The end of a request: its audit record, its metrics, and what it really used."""

from __future__ import annotations

import time

from verilabel.gateway.audit.record import AuditRecord
from verilabel.gateway.limits.amounts import cost_microusd
from verilabel.gateway.pipeline.counting import count_ended
from verilabel.gateway.pipeline.exchange import Exchange
from verilabel.gateway.pipeline.spanning import end_span
from verilabel.gateway.verdicts import Field, Finding

MAX_NAME = 200
"""Characters of a name that an upstream gives itself."""
_BROKEN_OFF = frozenset({"cut", "abandoned", "failed"})
"""Ends of a stream before which the provider may not have counted all of it."""


def write_record(exchange: Exchange, event: str = "ended") -> None:
    """Append the request's audit record; the end of a request is written once. Raises AuditUnwritable."""
    if event == "ended":
        if exchange.is_recorded:
            return
        exchange.is_recorded = True
    target, route, plan, usage = exchange.target, exchange.route, exchange.plan, exchange.usage
    scanned: dict[str, int] = {}
    findings: tuple[Finding, ...] = ()
    if exchange.input is not None:
        _add_scanned(scanned, "input", exchange.input.scanned)
        findings = tuple(exchange.input.findings)
    if exchange.output is not None:
        _add_scanned(scanned, "output", exchange.output.scanned)
        findings += tuple(exchange.output.findings)
    record = AuditRecord(
        event=event,
        id=exchange.id,
        at_us=exchange.started_us,
        dialect=exchange.dialect.name,
        route="" if route is None else route.name,
        key=exchange.holder.id,
        user=exchange.holder.user,
        policy=plan.digest,
        upstream="" if target is None else target.upstream.id,
        model="" if target is None else (target.model or str(exchange.body.get("model", ""))[:200]),
        served_model=exchange.served_model and exchange.served_model[:MAX_NAME],
        fingerprint=exchange.fingerprint and exchange.fingerprint[:MAX_NAME],
        label=exchange.label,
        admission=exchange.admission,
        outcome=exchange.outcome if event == "ended" else "",
        status=exchange.status,
        code=exchange.code,
        streamed=exchange.wants_stream,
        tries=tuple(exchange.tries),
        request=exchange.raw_digest and f"sha256:{exchange.raw_digest}",
        reply=exchange.reply_digest and f"sha256:{exchange.reply_digest}",
        scanned=scanned,
        guards=plan.versions if scanned else {},
        findings=findings,
        approval=None if exchange.approval is None else exchange.approval.id,
        input_tokens=None if usage is None else usage.input_tokens,
        output_tokens=None if usage is None else usage.output_tokens,
        cost_microusd=_cost(exchange),
        waited_us=max(0, exchange.first_byte_ns - exchange.begun_ns) // 1000,
        elapsed_us=exchange.elapsed_us,
    )
    trail = exchange.services.trail
    if exchange.is_known:
        trail.append(record)
    else:
        trail.append_unkeyed(record)
    if event == "ended":
        count_ended(exchange, record)
        end_span(exchange, record)


def _add_scanned(scanned: dict[str, int], direction: str, counts: dict[Field, int]) -> None:
    for name, characters in counts.items():
        scanned[f"{direction}.{name}"] = characters


def _cost(exchange: Exchange) -> int | None:
    target, usage = exchange.target, exchange.usage
    if target is None or target.price is None or usage is None:
        return None
    return cost_microusd(usage, target.price)


async def settle(exchange: Exchange) -> None:
    """Put the limits right, once. A request that was never answered gives its tokens and cost back.

    Where the provider did not say what was used, or the stream ended before it said all, what was reserved stays
    taken: else whoever lets go of a stream just before its end would have it for nothing.
    """
    reservation, exchange.reservation = exchange.reservation, None
    if reservation is None:
        return
    usage = exchange.usage
    was_answered = exchange.first_byte_ns > 0 or exchange.outcome in ("answered", "cut", "abandoned")
    used = {"requests": 1, "tokens": 0, "cost": 0}
    if usage is not None:
        used |= {"tokens": usage.total, "cost": _cost(exchange) or 0}
    is_partial = usage is None or (exchange.wants_stream and exchange.outcome in _BROKEN_OFF)
    if was_answered and is_partial:
        for charge in reservation.charges:
            if charge.limit.quantity in ("tokens", "cost"):
                used[charge.limit.quantity] = max(used[charge.limit.quantity], charge.amount)
    await exchange.services.limiter.settle(reservation, used)  # type: ignore[arg-type]


def mark_first_byte(exchange: Exchange) -> None:
    """Note when the upstream's first byte came."""
    if not exchange.first_byte_ns:
        exchange.first_byte_ns = time.perf_counter_ns()
