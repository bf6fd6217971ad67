"""Requests and replies that wait for people: bound to exactly one action by digest, used once."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Iterable
from typing import Literal

import msgspec

from verilabel.errors import LimitExceeded
from verilabel.gateway.approvals.interface import Approval, HeldAction
from verilabel.gateway.pipeline.exchange import Exchange
from verilabel.gateway.pipeline.inspection import Inspection
from verilabel.gateway.pipeline.receiving import authenticate, refuse
from verilabel.gateway.pipeline.showing import show_reply, show_request
from verilabel.gateway.verdicts import Refused

WAIT_HEADER = b"x-verilabel-wait"
APPROVAL_HEADER = b"x-verilabel-approval"
KEEP_ALIVE_S = 10.0
_canonical = msgspec.json.Encoder(order="sorted").encode


class HeldReply(msgspec.Struct, frozen=True):
    """A reply that waits: the bytes the client is to get."""

    streamed: bool
    body: str
    """Base64."""


def request_subject(exchange: Exchange) -> str:
    """The digest that an approval of this request is bound to: request, requester, route and policy."""
    document = {
        "type": "verilabel/held-request/v1",
        "dialect": exchange.dialect.name,
        "route": "" if exchange.route is None else exchange.route.name,
        "key": exchange.holder.id,
        "user": exchange.holder.user,
        "policy": exchange.plan.digest,
        "request": exchange.body,
    }
    data = _canonical(document)
    if exchange.vault is not None:
        # what stands behind the pseudonyms comes back with the reply: another value is another action
        data += b"\n" + exchange.vault.restore(data.decode(), json_source=True).encode()
    return "sha256:" + hashlib.sha256(data).hexdigest()


def reply_subject(request: str, payload: bytes) -> str:
    """The digest that an approval of a reply is bound to: the request's, and the reply."""
    document = {
        "type": "verilabel/held-reply/v1",
        "request": request,
        "reply": hashlib.sha256(payload).hexdigest(),
    }
    return "sha256:" + hashlib.sha256(_canonical(document)).hexdigest()


async def redeem(exchange: Exchange) -> HeldReply | None:
    """The approved reply that the request's approval header names, used up; None where it names none.

    Raises Refused where the approval is not of this request, this key and this policy, or is not approved.
    """
    named = exchange.headers.get(APPROVAL_HEADER)
    if named is None:
        return None
    approval = await exchange.services.queue.find(named[:200].decode("ascii", "replace"))
    if approval is None or approval.action.key != exchange.holder.id:
        raise refuse(404, "approval", "approval_unknown", "there is no such approval for this key")
    if approval.action.kind == "request":
        return None  # its approval is used where the request is held again
    exchange.approval = approval
    if approval.state != "approved":
        raise _not_approved(approval)
    payload = await exchange.services.queue.read_payload(approval.id)
    if reply_subject(request_subject(exchange), payload) != approval.action.subject:
        raise refuse(403, "approval", "approval_of_another", "the approval is of another request or policy")
    used = await exchange.services.queue.consume(approval.action.subject)
    if used is None:
        raise refuse(403, "approval", "approval_used", "the approval was used already")
    return msgspec.json.decode(used.action.payload, type=HeldReply)


async def hold_request(exchange: Exchange, inspection: Inspection) -> Approval | None:
    """Hold a request: None where an approval of it could be used, else the approval that is waited for.

    Raises Refused where it was denied.
    """
    subject = request_subject(exchange)
    used = await exchange.services.queue.consume(subject)
    if used is not None:
        exchange.approval = used
        return None
    action = _action(exchange, inspection, "request", subject, show_request(exchange), b"")
    approval = await _hold(exchange, action)
    exchange.approval = approval
    if approval.state in ("denied", "expired"):
        raise _not_approved(approval)
    return approval


async def hold_reply(
    exchange: Exchange, inspection: Inspection, body: bytes, texts: Iterable[tuple[str, str]]
) -> Approval:
    """Hold a reply, with the bytes the client is to get once it is approved; `texts` are its texts by field."""
    held = HeldReply(exchange.wants_stream, base64.b64encode(body).decode("ascii"))
    payload = msgspec.json.encode(held)
    subject = reply_subject(request_subject(exchange), payload)
    kind: Literal["reply", "tool_call"] = (
        "tool_call"
        if inspection.decisive is not None and inspection.decisive.field == "tool_arguments"
        else "reply"
    )
    summary = show_reply(exchange, texts, body)
    action = _action(exchange, inspection, kind, subject, summary, payload)
    approval = await _hold(exchange, action)
    exchange.approval = approval
    return approval


def wait_mode(exchange: Exchange) -> str:
    """How this client waits: as its header says, else as the policy does."""
    asked = exchange.headers.get(WAIT_HEADER, b"").decode("ascii", "replace")
    return asked if asked in ("fail", "poll", "hold") else exchange.plan.policy.approvals.wait


def pending(exchange: Exchange, approval: Approval) -> Refused:
    """What a client that does not wait is told."""
    poll = wait_mode(exchange) == "poll"
    again = (
        "once it is approved, send the same request again"
        if approval.action.kind == "request"
        else f"once it is approved, send the same request again with `x-verilabel-approval: {approval.id}`"
    )
    return refuse(
        202 if poll else 403,
        "approval",
        "approval_pending",
        f"held for approval as {approval.id}; {again}",
        approval=approval.id,
        headers=(
            ("location", f"/verilabel/api/approvals/{approval.id}"),
            ("x-verilabel-approval", approval.id),
        ),
    )


async def wait_for_decision(exchange: Exchange, approval: Approval, keep_alive: object) -> Approval:
    """Wait for people, at most as long as the policy says; `keep_alive` is called every ten seconds.

    Raises Refused where it was denied, expired, nobody decided, or the key is no longer in force.
    """
    left = float(exchange.plan.policy.approvals.hold_s)
    while approval.state == "pending" and left > 0:
        step = min(KEEP_ALIVE_S, left)
        approval = await exchange.services.queue.wait(approval.id, step)
        left -= step
        if callable(keep_alive) and approval.state == "pending":
            sending = keep_alive()
            if asyncio.iscoroutine(sending):
                await sending
    exchange.approval = approval
    if approval.state == "pending":
        raise pending(exchange, approval)
    authenticate(exchange)  # the key may have ended while people thought about it
    if approval.state != "approved" or await exchange.services.queue.consume(approval.action.subject) is None:
        raise _not_approved(approval)
    return approval


async def _hold(exchange: Exchange, action: HeldAction) -> Approval:
    webhook = exchange.plan.policy.approvals.webhook
    try:
        return await exchange.services.queue.hold(action, webhook=webhook)
    except LimitExceeded as error:
        raise refuse(503, "overloaded", "approvals_full", error.message) from None


def _not_approved(approval: Approval) -> Refused:
    if approval.state == "pending":
        return refuse(
            403, "approval", "approval_pending", f"{approval.id} is not decided yet", approval=approval.id
        )
    words = {"denied": "was denied", "expired": "expired, which is a denial", "consumed": "was used already"}
    return refuse(
        403,
        "approval",
        f"approval_{approval.state}",
        f"the approval {approval.id} {words.get(approval.state, 'does not hold')}",
        approval=approval.id,
    )


def _action(
    exchange: Exchange,
    inspection: Inspection,
    kind: Literal["request", "reply", "tool_call"],
    subject: str,
    summary: str,
    payload: bytes,
) -> HeldAction:
    terms = exchange.plan.policy.approvals
    return HeldAction(
        subject=subject,
        kind=kind,
        requester=exchange.holder.user or exchange.holder.id,
        key=exchange.holder.id,
        route="" if exchange.route is None else exchange.route.name,
        policy=exchange.plan.digest,
        reason=tuple(
            f"{each.guard}/{each.rule} in {each.field}"
            for each in inspection.findings
            if each.action == "hold" and not each.shadow
        ),
        summary=summary,
        payload=payload,
        quorum=terms.quorum,
        roles=terms.roles,
        expires_s=terms.expires_s,
    )
