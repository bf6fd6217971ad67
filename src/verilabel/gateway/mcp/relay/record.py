"""One call as the audit trail keeps it: written before it is forwarded, and again before its result is shown.

Line one (`begun`) holds the decision with all that made it; line two (`ended`) what came of it. A decision can be made
again from line one: the policy by its digest, the session's labels and calls and, where content is kept, arguments.
What vouches for arguments is the text of earlier results of the same session, which stand in earlier lines.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from verilabel.gateway.audit.record import AuditRecord, ToolRecord
from verilabel.gateway.mcp.policy.interface import Decision, ToolCall
from verilabel.gateway.mcp.relay.services import Principal, Services
from verilabel.gateway.mcp.relay.sessions import Session
from verilabel.gateway.mcp.relay.telemetry import current_trace
from verilabel.gateway.mcp.strict_json import write_canonically

DIALECT = "mcp"


def keyed_digest(secret: bytes, data: bytes) -> str:
    """A digest that nobody can check a guess against who has not the run's secret."""
    return "hmac-sha256:" + hmac.new(secret, data, hashlib.sha256).hexdigest()


def write_record(
    services: Services,
    principal: Principal,
    *,
    event: str,
    call_id: str,
    call: ToolCall,
    policy: str,
    session: Session | None,
    decision: Decision | None,
    outcome: str,
    gained: frozenset[str] = frozenset(),
    containment: str = "",
    filtered: Mapping[str, int] | None = None,
    approval: str | None = None,
    code: str | None = None,
    reply: str | None = None,
    elapsed_us: int = 0,
    content: dict[str, str] | None = None,
    shown_chars: int | None = None,
) -> None:
    """Write one line. Raises AuditUnwritable: then nothing may be forwarded or shown.

    `shown_chars` counts the characters of a result that the filters let through; None where there is no result.
    """
    holder = principal.holder
    arguments = write_canonically(call.arguments)
    scanned = {} if decision is None else {"input.tool_arguments": len(arguments)}
    if shown_chars is not None:
        scanned["output.tool_result"] = shown_chars
    trace, span = current_trace()
    tool = ToolRecord(
        server=call.server,
        tool=call.tool,
        session="" if session is None else session.name,
        action="" if decision is None else decision.action,
        rules=() if decision is None else decision.rules,
        shadow=() if decision is None else tuple(r.rule for r in decision.reasons if r.shadow),
        labels=() if session is None else tuple(sorted(session.labels)),
        gained=tuple(sorted(gained)),
        calls=0 if session is None else session.calls,
        pin=call.pin,
        arguments=keyed_digest(services.secret, arguments),
        vouches=decision is not None and decision.vouches,
        containment=containment,
        filtered=dict(filtered or {}),
    )
    services.trail.append(
        AuditRecord(
            event=event,
            id=call_id,
            at_us=services.clock_us(),
            dialect=DIALECT,
            route=call.name,
            key=holder.id,
            user=holder.user,
            policy=policy,
            outcome=outcome,
            code=code,
            reply=reply,
            approval=approval,
            scanned=scanned,
            elapsed_us=elapsed_us,
            content=content if services.config.keep_content else None,
            tool=tool,
            trace=trace,
            span=span,
        )
    )


def content_of(call: ToolCall, session: Session) -> dict[str, str]:
    """What is kept of a call where content is kept."""
    return {"arguments": write_canonically(call.arguments).decode("utf-8"), "prompt": session.prompt}


def call_of_record(record: Mapping[str, Any]) -> tuple[str, str, str]:
    """Server, tool and canonical arguments (empty where no content was kept) of a line of the trail."""
    tool = record.get("tool") or {}
    content = record.get("content") or {}
    return str(tool.get("server", "")), str(tool.get("tool", "")), str(content.get("arguments", ""))
