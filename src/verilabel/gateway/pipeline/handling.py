"""One request from its headers to its last byte: the stages in their order, and what follows where one refuses."""

from __future__ import annotations

import asyncio
import base64
import sys
from typing import Any

from verilabel.errors import VerilabelError
from verilabel.gateway.audit.trail import AuditUnwritable
from verilabel.gateway.pipeline.admitting import admit, admit_again, choose_standing
from verilabel.gateway.pipeline.answering import begin_stream, end_stream, send_refusal, send_whole
from verilabel.gateway.pipeline.asking import ask
from verilabel.gateway.pipeline.counting import count_audit_lost
from verilabel.gateway.pipeline.disconnecting import Watch
from verilabel.gateway.pipeline.exchange import Exchange, Receive, Send
from verilabel.gateway.pipeline.guarding import guard_request
from verilabel.gateway.pipeline.holding import (
    HeldReply,
    hold_request,
    pending,
    redeem,
    wait_for_decision,
    wait_mode,
)
from verilabel.gateway.pipeline.limiting import reserve
from verilabel.gateway.pipeline.receiving import (
    ClientGone,
    authenticate,
    check_headers,
    read_request,
    refuse,
    understand,
)
from verilabel.gateway.pipeline.recording import settle, write_record
from verilabel.gateway.pipeline.services import Services
from verilabel.gateway.pipeline.shadowing import watch_in_shadow
from verilabel.gateway.pipeline.streaming import keep_alive, send_stream
from verilabel.gateway.pipeline.whole_replies import send_reply
from verilabel.gateway.verdicts import Action, Refusal, Refused
from verilabel.gateway.wire.interface import ClientDialect
from verilabel.registry.interface import DatabaseConflict, DatabaseLost

_STORE_LOST = Refusal(
    status=503,
    kind="overloaded",
    code="store_lost",
    message="what must be held for people cannot be kept at present",
    retry_after_s=5.0,
)
_INTERNAL = Refusal(
    status=500, kind="internal", code="internal_error", message="the gateway met a mistake of its own"
)


async def serve(
    services: Services, dialect: ClientDialect, headers: dict[bytes, bytes], receive: Receive, send: Send
) -> None:
    """Answer one request. Whatever happens, it is recorded, and what it reserved is put right."""
    exchange = Exchange(services, dialect, headers)
    snapshot = exchange.snapshot
    snapshot.users += 1
    watch = Watch(receive)
    try:
        await _answer(exchange, receive, send, watch)
    except Refused as refused:
        if exchange.outcome == "failed":
            exchange.outcome = _outcome_of(refused.refusal)
        await send_refusal(exchange, send, refused.refusal)
    except ClientGone:
        _abandon(exchange)
    except asyncio.CancelledError:
        _abandon(exchange)
        if not watch.is_gone:
            raise
    except AuditUnwritable:
        # nothing is answered that is not recorded
        count_audit_lost(exchange)
        exchange.outcome = "failed"
        await send_refusal(exchange, send, refuse(503, "overloaded", "audit_lost", _SAID_AUDIT).refusal)
    except (DatabaseLost, DatabaseConflict):
        exchange.outcome = "refused"
        await send_refusal(exchange, send, _STORE_LOST)
    except Exception as error:  # a mistake of ours: the client learns that there was one, the operator which
        _report(exchange, error)
        exchange.outcome = "failed"
        await send_refusal(exchange, send, _INTERNAL)
    finally:
        watch.end()
        try:
            await settle(exchange)
        finally:
            services.buffered_bytes -= exchange.buffered_bytes
            snapshot.users -= 1


_SAID_AUDIT = "the audit trail cannot be written, and nothing is answered without it"


async def _answer(exchange: Exchange, receive: Receive, send: Send, watch: Watch) -> None:
    authenticate(exchange)
    check_headers(exchange)
    data = await read_request(exchange, receive)
    watch.begin()
    await understand(exchange, data)
    admit(exchange)
    choose_standing(exchange, exchange.targets[0])
    await reserve(exchange, len(data))
    await guard_request(exchange)
    inspection = exchange.input
    assert inspection is not None
    if (held := await redeem(exchange)) is not None:
        await _deliver(exchange, send, held)
        return
    if inspection.worst == Action.HOLD:
        await _wait_for_people(exchange, send)
    answer = await ask(exchange)
    exchange.target = answer.target
    choose_standing(exchange, answer.target)
    if answer.reply is not None:
        await send_stream(exchange, answer, send)
    else:
        await send_reply(exchange, answer, send)
    if exchange.plan.input.has_slow_shadow or exchange.plan.output.has_slow_shadow:
        watch_in_shadow(exchange)


async def _wait_for_people(exchange: Exchange, send: Send) -> None:
    """Hold the request. Returns where it is approved; else raises Refused."""
    assert exchange.input is not None
    approval = await hold_request(exchange, exchange.input)
    if approval is None:
        return
    exchange.outcome = "held"
    if wait_mode(exchange) != "hold":
        raise pending(exchange, approval)
    if exchange.wants_stream:
        await begin_stream(exchange, send)
        await wait_for_decision(exchange, approval, lambda: keep_alive(exchange, send))
    else:
        await wait_for_decision(exchange, approval, None)
    exchange.outcome = "failed"
    admit_again(exchange)


async def _deliver(exchange: Exchange, send: Send, held: HeldReply) -> None:
    """Send a reply that people approved."""
    body = base64.b64decode(held.body)
    exchange.outcome = "answered"
    if held.streamed:
        await begin_stream(exchange, send)
        await end_stream(exchange, send, body)
    else:
        await send_whole(exchange, send, body)


def _outcome_of(refusal: Refusal) -> str:
    return "failed" if refusal.kind in ("upstream", "internal") else "refused"


def _abandon(exchange: Exchange) -> None:
    exchange.outcome = "abandoned"
    try:
        write_record(exchange)
    except AuditUnwritable:
        count_audit_lost(exchange)


def _report(exchange: Exchange, error: Exception) -> None:
    """A mistake, for the operator: where it happened, never what the request held."""
    place: Any = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f" at {place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
    said = f": {error.message}" if isinstance(error, VerilabelError) else ""
    print(f"gateway: {exchange.id}: {type(error).__name__}{where}{said}", file=sys.stderr, flush=True)
