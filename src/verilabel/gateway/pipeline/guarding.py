"""The policy on a request: its conditions, its guards on the way in, and what waits for people."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec

from verilabel.gateway.guards.interface import Conversation
from verilabel.gateway.pipeline.aside import run_aside
from verilabel.gateway.pipeline.exchange import Exchange
from verilabel.gateway.pipeline.gating import change_slots
from verilabel.gateway.pipeline.inspection import Inspection, slots_as_texts
from verilabel.gateway.pipeline.receiving import refuse
from verilabel.gateway.policy.conditions import ConditionError
from verilabel.gateway.policy.facts import Facts, read_label
from verilabel.gateway.verdicts import Action, Finding, Refused
from verilabel.gateway.wire.interface import Slot

MAX_SLOW_TEXTS = 2_000
"""Texts of one request that a guard is asked about which takes its time."""
_canonical = msgspec.json.Encoder(order="sorted").encode
_WORSE = {"flag": Action.FLAG, "hold": Action.HOLD, "block": Action.BLOCK}


async def guard_request(exchange: Exchange) -> None:
    """Apply conditions and guards to the request, in place. Raises Refused where it is blocked.

    Afterwards `exchange.input.worst` says whether it must be held.
    """
    plan = exchange.plan
    mask = _mask(exchange, plan.input) if plan.input.conditional else -1
    inspection = exchange.input = Inspection(plan.input, mask)
    if plan.rules:
        _apply_rules(exchange, inspection)
    if not plan.input.looks:
        _refuse_if_blocked(exchange, inspection)
        return
    find = exchange.dialect.input_slots
    slots = await run_aside(find, exchange.body) if exchange.is_large else find(exchange.body)
    if plan.input.enforced is not None and plan.input.enforced.is_reversible:
        _open_vault(exchange, inspection)
    await inspection.redact_slots(slots)
    if inspection.worst < Action.BLOCK and plan.input.passages:
        await _judge_slots(exchange, inspection, slots)
    _refuse_if_blocked(exchange, inspection)


def _refuse_if_blocked(exchange: Exchange, inspection: Inspection) -> None:
    if inspection.worst == Action.BLOCK:
        raise blocked(exchange, inspection)


def blocked(exchange: Exchange, inspection: Inspection) -> Refused:
    """The refusal of what a guard or rule blocks: it names who objected and where, never the text."""
    finding = inspection.decisive
    assert finding is not None
    message = _message_of(exchange, finding)
    side = "request" if inspection.chain.direction == "input" else "answer"
    if finding.error:
        said = f"the guard {finding.guard} could not look at the {side}, and the policy blocks what it cannot look at"
        return refuse(503, "policy", "guard_failed", message or said)
    said = f"the policy blocks this {side}: {finding.guard}, rule {finding.rule}, in {finding.field}"
    return refuse(403, "policy", "guard_blocked", message or said)


def _message_of(exchange: Exchange, finding: Finding) -> str | None:
    for opened in exchange.plan.guards:
        if opened.entry.id == finding.guard:
            return opened.entry.message
    for each in exchange.plan.rules:
        if each.rule.id == finding.guard:
            return each.rule.message
    return None


def facts(exchange: Exchange) -> Facts:
    """What conditions are asked of: the request, who asks, the label, the time."""
    assert exchange.route is not None
    return Facts(
        request={**exchange.describe(), "route": exchange.route.name},
        key=exchange.holder,
        now=datetime.now(UTC),
        label=read_label(exchange.label, exchange.label_digest),
    )


def _mask(exchange: Exchange, chain: Any) -> int:
    """The bits of the conditional guards that look at this request; one whose condition cannot be told looks."""
    mask = 0
    if exchange.draw is None:
        # of what the request says, not of its bytes: white space must not choose whether a guard looks
        exchange.draw = int(hashlib.sha256(_canonical(exchange.body)).hexdigest()[:8], 16) / 2**32
    draw = exchange.draw
    asked = facts(exchange)
    for i, opened in enumerate(chain.conditional):
        if draw >= opened.entry.share:
            continue
        try:
            looks = opened.condition is None or opened.condition.holds(asked)
        except ConditionError:
            looks = True
        if looks:
            mask |= 1 << i
    return mask


def output_mask(exchange: Exchange) -> int:
    """The bits of the conditional guards that look at this request's reply."""
    chain = exchange.plan.output
    return _mask(exchange, chain) if chain.conditional else -1


def _apply_rules(exchange: Exchange, inspection: Inspection) -> None:
    asked = facts(exchange)
    for each in exchange.plan.rules:
        failed = False
        try:
            holds = each.condition.holds(asked)
        except ConditionError:
            failed, holds = True, each.rule.on_error == "block"
        if not holds and not failed:
            continue
        action = Action.BLOCK if failed and holds else _WORSE[each.rule.action] if holds else Action.ALLOW
        finding = Finding(
            guard=each.rule.id,
            rule="error" if failed else "condition",
            action=action.word,
            field="content",
            direction="input",
            shadow=each.rule.mode == "shadow",
            error=failed,
        )
        inspection.note(finding, action)


def _open_vault(exchange: Exchange, inspection: Inspection) -> None:
    from verilabel.detectors.spans.pseudonyms import Vault

    plan = exchange.plan.input.enforced
    assert plan is not None
    vault = exchange.vault = Vault()
    inspection.substitute = plan.substitute_with(vault)


def conversation(exchange: Exchange) -> Conversation:
    """What guards may know of the request; made once."""
    if exchange.conversation is None:
        slots = exchange.dialect.input_slots(exchange.body)
        described = exchange.describe()
        exchange.conversation = Conversation(
            messages=tuple(
                (slot.role, slot.text) for slot in slots if slot.field in ("content", "tool_result")
            ),
            system=described.get("system", ""),
            schema=described.get("schema"),
            key=exchange.holder.id,
            digest=exchange.raw_digest or "",
        )
    made: Conversation = exchange.conversation
    return made


async def _judge_slots(exchange: Exchange, inspection: Inspection, slots: list[Slot]) -> None:
    """Passage guards on the request; what they redact is replaced in its slot. Raises Refused (400)."""
    texts = slots_as_texts(slots)
    if len(texts) > MAX_SLOW_TEXTS and inspection.count_slow(texts) > MAX_SLOW_TEXTS:
        message = f"more than {MAX_SLOW_TEXTS} texts: a guard looks at each of them, and takes its time"
        raise refuse(400, "invalid_request", "too_many_texts", message)
    about = await run_aside(conversation, exchange) if exchange.is_large else conversation(exchange)
    found = await inspection.judge(texts, about)
    if not found:
        return
    changed = change_slots(found, slots)
    if changed:
        exchange.conversation = None
