"""Approvals and keys as the administration's answers show them."""

from __future__ import annotations

from typing import Any

from verilabel.gateway.access.interface import Holder
from verilabel.gateway.access.store import KeyRecord
from verilabel.gateway.approvals.deciding import objection_to
from verilabel.gateway.approvals.interface import Approval


def view_approval(approval: Approval, reader: Holder, *, envelopes: bool = False) -> dict[str, Any]:
    """An approval for somebody who may decide or audit; `objection` is why the reader may not vote, or null.

    `envelopes` adds the signed decisions. A held reply is in no view.
    """
    action = approval.action
    objection = objection_to(approval, reader)
    votes: list[dict[str, Any]] = [
        {
            "by": vote.by,
            "verdict": vote.verdict,
            "reason": vote.reason,
            "at_us": vote.at_us,
            "signed": bool(vote.envelope),
        }
        | ({"envelope": vote.envelope} if envelopes else {})
        for vote in approval.votes
    ]
    return {
        "id": approval.id,
        "state": approval.state,
        "kind": action.kind,
        "requester": action.requester,
        "key": action.key,
        "route": action.route,
        "policy": action.policy,
        "subject": action.subject,
        "reason": list(action.reason),
        "summary": action.summary,
        "quorum": action.quorum,
        "roles": list(action.roles),
        "created_us": approval.created_us,
        "expires_us": approval.expires_us,
        "votes": votes,
        "objection": None if objection is None else {"code": objection.why, "message": objection.message},
    }


def view_state(approval: Approval) -> dict[str, Any]:
    """An approval for whoever asked for the action: how it stands, and nothing of who decides."""
    return {
        "id": approval.id,
        "state": approval.state,
        "created_us": approval.created_us,
        "expires_us": approval.expires_us,
    }


def view_key(record: KeyRecord) -> dict[str, Any]:
    """A key without its secret."""
    holder = record.holder
    return {
        "id": holder.id,
        "name": holder.name,
        "role": holder.role,
        "user": holder.user,
        "models": list(holder.models),
        "policy": holder.policy,
        "limits": list(holder.limits),
        "created_us": record.created_us,
        "created_by": record.created_by,
        "expires_us": holder.expires_us,
        "disabled": record.disabled,
        "revoked_us": record.revoked_us,
        "replaced_by": record.replaced_by,
    }
