"""Calls that a person must allow: bound to exactly one action by digest, asked once, used once.

1. an approval of exactly this call is used up, where there is one;
2. otherwise the call is held, durably, before anybody is asked;
3. where the policy leaves it to the client's own person, and the client can ask, they are asked in band: the answer is
   a vote in the same queue, and whatever was sealed for the way there is worth nothing without that row;
4. everybody else decides by the queue (`verilabel approvals`, the page, a webhook); the agent calls again with the same
   arguments. Any other byte is another question.
"""

from __future__ import annotations

import asyncio
from typing import Any

import mcp_types as types
import msgspec
from mcp.server.context import ServerRequestContext
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from verilabel.errors import VerilabelError
from verilabel.gateway.access.interface import Holder
from verilabel.gateway.approvals.deciding import VoteRefused
from verilabel.gateway.approvals.interface import Approval, HeldAction
from verilabel.gateway.mcp.policy.interface import Decision, Terms, ToolCall
from verilabel.gateway.mcp.relay.services import CLIENT_ROLE, Boundary, Principal, Services
from verilabel.gateway.mcp.relay.sessions import Session
from verilabel.gateway.mcp.relay.summaries import summary_of
from verilabel.gateway.mcp.strict_json import write_canonically
from verilabel.records.canonical import digest

QUESTION = "approval"
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"approve": {"type": "boolean", "title": "Allow this call once"}},
    "required": ["approve"],
}


class Allowed:
    """The call may go on; `approval` is what was used up."""

    def __init__(self, approval: Approval) -> None:
        self.approval = approval


class Asked:
    """The client's person is asked in band: `result` goes back to the client."""

    def __init__(self, approval: Approval, result: types.InputRequiredResult) -> None:
        self.approval = approval
        self.result = result


class Waits:
    """Nobody allowed it yet, or somebody did not: `message` is for the agent."""

    def __init__(self, approval: Approval | None, message: str, code: str) -> None:
        self.approval = approval
        self.message = message
        self.code = code


def subject_of(
    boundary: Boundary, principal: Principal, session: Session, call: ToolCall, decision: Decision
) -> str:
    """The digest that an approval is bound to: call, pinned definition, who asks, in which session, by which policy.

    Which rules ask, and on which terms, belongs to it: a session that got labels since may be asked more strictly, and
    what was allowed before then says nothing.
    """
    document = {
        "type": "verilabel/held-call/v2",
        "server": call.server,
        "tool": call.tool,
        "arguments": call.arguments,
        "pin": call.pin,
        "key": principal.holder.id,
        "user": principal.holder.user,
        "session": session.name,
        "policy": boundary.policy.digest,
        "rules": list(decision.rules),
        "terms": msgspec.to_builtins(decision.terms),
    }
    return digest(write_canonically(document))


async def ask_for(
    services: Services,
    boundary: Boundary,
    principal: Principal,
    session: Session,
    call: ToolCall,
    decision: Decision,
    context: ServerRequestContext[Any, Any],
    params: types.CallToolRequestParams,
) -> Allowed | Asked | Waits:
    """Find, hold or ask for an approval of one call. Raises DatabaseLost, LimitExceeded: then the call is denied."""
    terms = decision.terms or Terms()
    subject = subject_of(boundary, principal, session, call, decision)
    used = await services.queue.consume(subject)  # 1
    if used is not None:
        return Allowed(used)
    in_band = terms.channel == "client" and not terms.strict and terms.quorum == 1
    held = await services.queue.hold(  # 2
        _action(services, boundary, principal, session, call, decision, terms, subject, in_band=in_band),
        webhook=services.config.approvals.webhook,
    )
    if held.state in ("denied", "expired"):
        return Waits(held, f"a person denied this call ({held.id})", "approval_denied")
    if in_band:  # 3
        answer = await _ask_client(services, principal, held, context, params)
        if answer is not None:
            return answer if not isinstance(answer, Approval) else await _use(services, subject, answer)
    return await _wait(services, subject, held, decision)  # 4


async def _use(services: Services, subject: str, approval: Approval) -> Allowed | Waits:
    used = await services.queue.consume(subject)
    if used is None:
        return Waits(approval, "the approval was used already", "approval_used")
    return Allowed(used)


async def _wait(services: Services, subject: str, held: Approval, decision: Decision) -> Allowed | Waits:
    terms = services.config.approvals
    if terms.wait == "hold" and held.state == "pending":
        held = await services.queue.wait(held.id, float(terms.hold_s))
    if held.state == "approved":
        return await _use(services, subject, held)
    if held.state == "pending":
        rules = ", ".join(decision.rules)
        return Waits(
            held,
            f"held for a person by {rules}: approval {held.id}. Once it is approved, call again with exactly the same "
            "arguments; until then do something else or say that you wait",
            "approval_pending",
        )
    return Waits(held, f"nobody allowed this call: it was {held.state} ({held.id})", f"approval_{held.state}")


def _action(
    services: Services,
    boundary: Boundary,
    principal: Principal,
    session: Session,
    call: ToolCall,
    decision: Decision,
    terms: Terms,
    subject: str,
    *,
    in_band: bool,
) -> HeldAction:
    roles = terms.approvers or services.config.approvals.roles
    return HeldAction(
        subject=subject,
        kind="tool_call",
        requester=principal.holder.user,
        key=principal.holder.id,
        route=call.name,
        policy=boundary.policy.digest,
        reason=decision.rules,
        summary=summary_of(session, call),
        quorum=max(terms.quorum, services.config.approvals.quorum if not in_band else 1),
        roles=(*roles, CLIENT_ROLE) if in_band else tuple(roles),
        expires_s=terms.ttl_s,
    )


async def _ask_client(
    services: Services,
    principal: Principal,
    held: Approval,
    context: ServerRequestContext[Any, Any],
    params: types.CallToolRequestParams,
) -> Approval | Asked | Waits | None:
    """Ask the client's person; None where this client cannot ask anybody."""
    question = f"{held.action.summary}\nrule: {', '.join(held.action.reason)}"
    if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
        response = (params.input_responses or {}).get(QUESTION)
        if params.request_state != held.id or response is None:
            if not _can_elicit(context):
                return None
            return Asked(held, _question(question, held.id))
        return await _vote(services, principal, held, accepted=_accepts(response))
    try:
        answer = await context.session.elicit_form(question, _SCHEMA, related_request_id=context.request_id)
    except asyncio.CancelledError:
        raise
    except Exception:  # a client that cannot ask says so in many ways: the queue is there for all of them
        return None
    return await _vote(services, principal, held, accepted=_accepts(answer))


def _accepts(answer: object) -> bool:
    if not isinstance(answer, types.ElicitResult) or answer.action != "accept":
        return False
    return (answer.content or {}).get("approve") is True


def _can_elicit(context: ServerRequestContext[Any, Any]) -> bool:
    capability = types.ClientCapabilities(elicitation=types.ElicitationCapability())
    return bool(context.session.check_client_capability(capability))


def _question(text: str, approval: str) -> types.InputRequiredResult:
    form = types.ElicitRequestFormParams(message=text, requested_schema=_SCHEMA)
    return types.InputRequiredResult(
        input_requests={QUESTION: types.ElicitRequest(params=form)}, request_state=approval
    )


async def _vote(
    services: Services, principal: Principal, held: Approval, *, accepted: bool
) -> Approval | Waits:
    person = Holder(
        id=f"client:{principal.holder.id}",
        name="the client's person",
        role=CLIENT_ROLE,  # type: ignore[arg-type]
        user=f"{principal.holder.user} (asked in band)",
    )
    try:
        decided = await services.desk.decide(
            held.id,
            by=person,
            verdict="approve" if accepted else "deny",
            reason="asked in band by the client",
        )
    except VoteRefused as error:
        return Waits(held, f"the answer does not count: {error.message}", "approval_refused")
    except VerilabelError:
        return Waits(held, "the answer could not be kept", "approval_lost")
    if decided.state != "approved":
        return Waits(decided, "the person who was asked did not allow this call", "approval_denied")
    return decided
