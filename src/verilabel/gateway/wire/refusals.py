"""How refusals look to the clients of each API, whole and in the middle of a stream."""

from __future__ import annotations

from typing import Any

import msgspec

from verilabel.gateway.verdicts import Refusal, RefusalKind

_OPENAI_TYPE: dict[RefusalKind, str] = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "too_large": "invalid_request_error",
    "rate_limit": "rate_limit_error",
    "policy": "policy_error",
    "approval": "approval_required",
    "upstream": "upstream_error",
    "overloaded": "overloaded_error",
    "internal": "server_error",
}
_ANTHROPIC_TYPE: dict[RefusalKind, str] = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "too_large": "request_too_large",
    "rate_limit": "rate_limit_error",
    "policy": "permission_error",
    "approval": "permission_error",
    "upstream": "api_error",
    "overloaded": "overloaded_error",
    "internal": "api_error",
}
_encode = msgspec.json.encode


def openai_error(refusal: Refusal, request_id: str) -> dict[str, Any]:
    """A refusal as OpenAI's clients know errors, and a member `verilabel` beside it."""
    return {
        "error": {
            "message": refusal.message,
            "type": _OPENAI_TYPE[refusal.kind],
            "param": refusal.where,
            "code": refusal.code,
        },
        "verilabel": _details(refusal, request_id),
    }


def anthropic_error(refusal: Refusal, request_id: str) -> dict[str, Any]:
    """A refusal as Anthropic's clients know errors: its `type` is one of theirs, the code is under `verilabel`."""
    error = {"type": _ANTHROPIC_TYPE[refusal.kind], "message": refusal.message}
    details = {"code": refusal.code, "where": refusal.where, **_details(refusal, request_id)}
    return {"type": "error", "error": error, "request_id": request_id, "verilabel": details}


def openai_body(refusal: Refusal, request_id: str) -> bytes:
    """The body of a refusing response."""
    return _encode(openai_error(refusal, request_id))


def openai_events(refusal: Refusal, request_id: str) -> bytes:
    """What ends a stream of choices: the error, on which OpenAI's SDKs raise APIError, and the end."""
    return b"data: " + openai_body(refusal, request_id) + b"\n\ndata: [DONE]\n\n"


def responses_events(refusal: Refusal, request_id: str) -> bytes:
    """What ends a stream of Responses: an `error` event with its own members, and `error` for SDKs that look there."""
    error = openai_error(refusal, request_id)
    event = {
        "type": "error",
        "code": refusal.code,
        "message": refusal.message,
        "param": refusal.where,
        "sequence_number": 0,
        **error,
    }
    return b"event: error\ndata: " + _encode(event) + b"\n\n"


def anthropic_body(refusal: Refusal, request_id: str) -> bytes:
    """The body of a refusing response."""
    return _encode(anthropic_error(refusal, request_id))


def anthropic_events(refusal: Refusal, request_id: str) -> bytes:
    """What ends a stream of Messages."""
    return b"event: error\ndata: " + anthropic_body(refusal, request_id) + b"\n\n"


def _details(refusal: Refusal, request_id: str) -> dict[str, Any]:
    details: dict[str, Any] = {"request_id": request_id}
    if refusal.approval is not None:
        details["approval"] = refusal.approval
    if refusal.retry_after_s is not None:
        details["retry_after_s"] = refusal.retry_after_s
    return details
