"""Sending: response heads, whole replies, refusals. Nothing goes out before its audit record is written."""

from __future__ import annotations

import hashlib

from verilabel.gateway.audit.trail import AuditUnwritable
from verilabel.gateway.pipeline.counting import count_audit_lost
from verilabel.gateway.pipeline.exchange import Exchange, Send
from verilabel.gateway.pipeline.limiting import headers as limit_headers
from verilabel.gateway.pipeline.recording import write_record
from verilabel.gateway.verdicts import Refusal

_JSON = (b"content-type", b"application/json")
_STREAM = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
_AUDIT_LOST = Refusal(
    status=503,
    kind="overloaded",
    code="audit_lost",
    message="the audit trail cannot be written, and nothing is answered without it",
)


def common_headers(exchange: Exchange) -> list[tuple[bytes, bytes]]:
    """The headers that every answer has."""
    name = b"request-id" if exchange.dialect.name == "messages" else b"x-request-id"
    headers = [
        (name, exchange.id.encode()),
        exchange.plan.header,
    ]
    if exchange.label is not None and exchange.snapshot.config.label_header:
        headers.append((b"x-verilabel-label", exchange.label.encode("ascii", "replace")))
    if exchange.reservation is not None:
        headers += limit_headers(exchange)
    return headers


async def send_whole(exchange: Exchange, send: Send, body: bytes, *, status: int = 200) -> None:
    """Record, then send a whole JSON body. Raises AuditUnwritable where the record cannot be written."""
    exchange.status = status
    exchange.reply_digest = hashlib.sha256(body).hexdigest()
    write_record(exchange)
    await _send_body(exchange, send, status, body, [])


async def begin_stream(exchange: Exchange, send: Send) -> None:
    """Record that a stream begins, then send its head. Raises AuditUnwritable."""
    if exchange.response_started:
        return
    exchange.status = 200
    write_record(exchange, "begun")
    exchange.response_started = True
    headers = [*_STREAM, *common_headers(exchange)]
    if exchange.approval is not None:  # who waits on the open connection can say what for
        headers.append((b"x-verilabel-approval", exchange.approval.id.encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def end_stream(exchange: Exchange, send: Send, last: bytes) -> None:
    """Record the end of a stream, then send what is left of it. Raises AuditUnwritable."""
    write_record(exchange)
    await send({"type": "http.response.body", "body": last})


async def send_refusal(exchange: Exchange, send: Send, refusal: Refusal) -> None:
    """Tell the client why there is no (further) answer, after recording it.

    Where the record cannot be written, the client is told that instead.
    """
    exchange.code = refusal.code
    try:
        if exchange.response_started:
            write_record(exchange)
        else:
            exchange.status = refusal.status
            write_record(exchange)
    except AuditUnwritable:
        count_audit_lost(exchange)
        refusal = _AUDIT_LOST
    if exchange.response_started:
        event = exchange.dialect.refusal_event(refusal, exchange.id)
        await send({"type": "http.response.body", "body": event})
        return
    headers = [(name.encode(), value.encode("ascii", "replace")) for name, value in refusal.headers]
    if refusal.retry_after_s is not None and not any(name == b"retry-after" for name, _ in headers):
        headers.append((b"retry-after", str(max(1, -int(-refusal.retry_after_s // 1))).encode()))
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    body = exchange.dialect.refusal_body(refusal, exchange.id)
    await _send_body(exchange, send, refusal.status, body, headers)


async def _send_body(
    exchange: Exchange, send: Send, status: int, body: bytes, more: list[tuple[bytes, bytes]]
) -> None:
    exchange.response_started = True
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                _JSON,
                (b"content-length", str(len(body)).encode()),
                *common_headers(exchange),
                *more,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
