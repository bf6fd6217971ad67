"""A reply that came whole: translated, guarded, sent."""

from __future__ import annotations

from typing import Any

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.gateway.pipeline.answering import send_whole
from verilabel.gateway.pipeline.aside import LARGE_BYTES, run_aside
from verilabel.gateway.pipeline.asking import Answer
from verilabel.gateway.pipeline.decoding import encode
from verilabel.gateway.pipeline.exchange import Exchange, Send
from verilabel.gateway.pipeline.gating import change_slots
from verilabel.gateway.pipeline.guarding import blocked, conversation, output_mask
from verilabel.gateway.pipeline.holding import hold_reply, pending, wait_for_decision, wait_mode
from verilabel.gateway.pipeline.inspection import Inspection, slots_as_texts
from verilabel.gateway.pipeline.receiving import refuse
from verilabel.gateway.pipeline.scoping import observe
from verilabel.gateway.verdicts import Action, Refused
from verilabel.gateway.wire.interface import Slot


async def send_reply(exchange: Exchange, answer: Answer, send: Send) -> None:
    """Guard a whole reply and send it. Raises Refused, AuditUnwritable."""
    is_large = answer.size > LARGE_BYTES
    reply = await run_aside(_read, exchange, answer) if is_large else _read(exchange, answer)
    dialect = exchange.dialect
    exchange.usage = dialect.usage(reply)
    exchange.served_model, exchange.fingerprint = dialect.served(reply)
    observe(exchange)
    chain = exchange.plan.output
    inspection = exchange.output = Inspection(chain, output_mask(exchange))
    slots: list[Slot] = []
    if chain.looks or exchange.vault is not None:
        slots = await run_aside(_find_texts, exchange, reply) if is_large else _find_texts(exchange, reply)
    changed = await inspection.redact_slots(slots)
    if chain.passages and inspection.worst < Action.BLOCK:
        changed |= await _judge(exchange, inspection, slots)
    if changed:
        dialect.drop_echoes(reply)
    if chain.has_slow_shadow:
        exchange.reply_texts = slots_as_texts(slots)
    if inspection.worst == Action.BLOCK:
        exchange.outcome = "refused"
        raise blocked(exchange, inspection)
    if exchange.vault is not None:
        for slot in slots:
            text = slot.text
            json_source = slot.field == "tool_arguments" and not slot.is_plain
            if (restored := exchange.vault.restore(text, json_source=json_source)) != text:
                slot.container[slot.key] = restored
    # what is sent is what was guarded, even where the upstream's own bytes could be read in another way
    body = encode(reply)
    if inspection.worst == Action.HOLD:
        await _hold(exchange, inspection, slots, body)
    exchange.outcome = "answered"
    await send_whole(exchange, send, body)


def _read(exchange: Exchange, answer: Answer) -> dict[str, Any]:
    if answer.translation is None:
        return answer.document
    try:
        return answer.translation.reply(answer.document, model=str(exchange.body["model"]))
    except MalformedInput as error:
        raise _malformed(f"the upstream's answer cannot be read: {error.message}") from None


def _malformed(message: str) -> Refused:
    return refuse(502, "upstream", "upstream_malformed", message)


def _find_texts(exchange: Exchange, reply: dict[str, Any]) -> list[Slot]:
    try:
        return exchange.dialect.output_slots(reply)
    except LimitExceeded as error:
        raise _malformed(f"the upstream's answer has {error.message}") from None


async def _judge(exchange: Exchange, inspection: Inspection, slots: list[Slot]) -> bool:
    """Passage guards on the reply; what they change is replaced in its slot. True if a text changed."""
    found = await inspection.judge(slots_as_texts(slots), conversation(exchange))
    return change_slots(found, slots)


async def _hold(exchange: Exchange, inspection: Inspection, slots: list[Slot], body: bytes) -> None:
    """Hold the reply for people. Returns where it was approved while the client waited; else raises Refused."""
    texts = [(slot.field, slot.text) for slot in slots]
    approval = await hold_reply(exchange, inspection, body, texts)
    if wait_mode(exchange) != "hold":
        exchange.outcome = "held"
        raise pending(exchange, approval)
    exchange.outcome = "held"
    await wait_for_decision(exchange, approval, None)
