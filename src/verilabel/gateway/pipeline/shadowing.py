"""Slow guards in shadow mode: they look after the answer has gone out, and their findings are a record of their own."""

from __future__ import annotations

import asyncio

from verilabel.gateway.audit.record import AuditRecord
from verilabel.gateway.audit.trail import AuditUnwritable
from verilabel.gateway.pipeline.counting import count_audit_lost
from verilabel.gateway.pipeline.exchange import Exchange
from verilabel.gateway.pipeline.guarding import conversation
from verilabel.gateway.pipeline.inspection import Inspection, Text, slots_as_texts
from verilabel.gateway.telemetry.names import FAIL_OPEN

MAX_RUNNING = 256
"""Requests that are looked at in shadow at once; beyond it they are counted, not looked at."""
_running: set[asyncio.Task[None]] = set()


def watch_in_shadow(exchange: Exchange) -> None:
    """Start the slow shadow guards on the request's texts, and on the reply's where they were kept."""
    if len(_running) >= MAX_RUNNING:
        exchange.services.metrics.add(FAIL_OPEN, ("shadow",))
        return
    texts = slots_as_texts(exchange.dialect.input_slots(exchange.body))
    task = asyncio.get_running_loop().create_task(_watch(exchange, texts, exchange.reply_texts))
    _running.add(task)
    task.add_done_callback(_running.discard)


async def _watch(exchange: Exchange, asked: list[Text], answered: list[Text]) -> None:
    about = conversation(exchange)
    findings = []
    for looked, texts in ((exchange.input, asked), (exchange.output, answered)):
        if looked is None:
            continue
        inspection = Inspection(looked.chain, looked.mask)
        await inspection.judge(texts, about, shadow=True)
        findings += inspection.findings
    record = AuditRecord(
        event="shadow",
        id=exchange.id,
        at_us=exchange.started_us,
        key=exchange.holder.id,
        policy=exchange.plan.digest,
        findings=tuple(findings),
    )
    try:
        exchange.services.trail.append(record)
    except AuditUnwritable:
        count_audit_lost(exchange)
    exchange.services.metrics.note_findings(findings)
