"""The path of one call: decided, recorded, allowed, forwarded, filtered, recorded, shown.

 1. find the tool among what this principal may be shown; what is quarantined is not there
 2. check the session's own bounds: calls, and calls at once
 3. decide by the policy (pure), with the labels as they stand
 4. charge the rates of the rules that spoke
 5. record the decision, before anything has an effect; what cannot be recorded is not done
 6. where a person must allow it: find, hold or ask (`asking`)
 7. give the session the labels of the call itself, durably
 8. forward what was decided, re-written from what was read
 9. filter the result, give the session its labels, durably, and record
10. only then show it

Whatever fails on the way is a refusal with a reason, recorded; an error of a server carries the labels of its tool.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext

from verilabel.errors import VerilabelError
from verilabel.gateway.limits.interface import Charge, Exceeded, Limit, Reservation
from verilabel.gateway.mcp.policy.interface import Decision, Rate, ToolCall
from verilabel.gateway.mcp.policy.provenance import fold_text, keep_end, vouching_text
from verilabel.gateway.mcp.relay.asking import Allowed, Asked, Waits, ask_for
from verilabel.gateway.mcp.relay.record import content_of, keyed_digest, write_record
from verilabel.gateway.mcp.relay.results import Shaped, is_large, shape_call_result
from verilabel.gateway.mcp.relay.services import Boundary, Principal, Services
from verilabel.gateway.mcp.relay.sessions import MAX_PROMPT_CHARS, Session
from verilabel.gateway.mcp.strict_json import check_shape, write_canonically
from verilabel.gateway.mcp.upstream.connection import ServerLost, ServerSaidNo, Upstream
from verilabel.gateway.mcp.upstream.pool import Catalogue, Shown, View

PROMPT_META = "verilabel/userPrompt"
"""The key of `_meta` under which a trusted host says what its person asked for."""


VERDICT_META = "verilabel/verdict"
RULES_META = "verilabel/rules"


class Refusal(Exception):
    """A call that is not done: `message` is for the agent, `code` for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass
class Work:
    """One call on its way, and what became of it so far."""

    services: Services
    boundary: Boundary
    principal: Principal
    call: ToolCall
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    began_ns: int = field(default_factory=time.perf_counter_ns)
    session: Session | None = None
    decision: Decision | None = None
    approval: str | None = None
    containment: str = ""
    gained: frozenset[str] = frozenset()
    shaped: Shaped = field(default_factory=Shaped)
    reply: str | None = None
    shown: Shown | None = None
    """What it is a call of, as its server showed it when it was decided."""
    upstream: Upstream | None = None

    def record(
        self, event: str, outcome: str, code: str | None = None, content: dict[str, str] | None = None
    ) -> None:
        """Write a line of the trail. Raises AuditUnwritable."""
        self.services.telemetry.note_outcome(self.id, outcome, code)
        write_record(
            self.services,
            self.principal,
            event=event,
            call_id=self.id,
            call=self.call,
            policy=self.boundary.policy.digest,
            session=self.session,
            decision=self.decision,
            outcome=outcome,
            gained=self.gained,
            containment=self.containment,
            filtered=self.shaped.findings,
            approval=self.approval,
            code=code,
            reply=self.reply,
            elapsed_us=(time.perf_counter_ns() - self.began_ns) // 1000,
            content=content,
            shown_chars=sum(map(len, self.shaped.texts)) if outcome in ("answered", "failed") else None,
        )

    def decide(self, session: Session) -> Decision:
        """Decide the call by the policy, in a span of its own."""
        policy, services = self.boundary.policy, self.services
        decision = self.decision = policy.decide(self.call, session.view)
        services.telemetry.note_decision(
            action=decision.action,
            policy=policy.digest,
            rules=decision.rules,
            session=session.name,
            digest_arguments=lambda: keyed_digest(services.secret, write_canonically(self.call.arguments)),
        )
        return decision


def error_result(message: str) -> dict[str, Any]:
    """A refusal as agents get it: an error of the tool, so that the model sees the reason."""
    return {"content": [{"type": "text", "text": f"Not done: {message}"}], "isError": True}


def tell_verdict(
    work: Work, result: dict[str, Any] | types.InputRequiredResult
) -> dict[str, Any] | types.InputRequiredResult:
    """A result with what the policy said of its call, for hosts that keep it; agents need not look."""
    if not isinstance(result, dict):
        return result
    action = "deny" if work.decision is None else work.decision.action
    rules = [] if work.decision is None else list(work.decision.rules)
    return {**result, "_meta": {VERDICT_META: action, RULES_META: rules}}


async def call_tool(
    services: Services,
    principal: Principal,
    context: ServerRequestContext[Any, Any],
    params: types.CallToolRequestParams,
) -> dict[str, Any] | types.InputRequiredResult:
    """The whole path of `tools/call`. Never raises but for cancellation: what fails is refused."""
    work = Work(
        services, services.boundary, principal, ToolCall(server="", tool=params.name[:256], arguments={})
    )
    try:
        try:
            return tell_verdict(work, await _carry_out(work, context, params))
        except Refusal as refusal:
            work.record("ended", "refused", refusal.code)
            return tell_verdict(work, error_result(refusal.message))
    except VerilabelError as error:
        # the trail or the database is lost: nothing was shown, and nothing more can be recorded
        return error_result(f"the gateway cannot go on ({error.code})")


async def _carry_out(
    work: Work, context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
) -> dict[str, Any] | types.InputRequiredResult:
    services, principal = work.services, work.principal
    arguments = dict(params.arguments or {})
    try:
        check_shape(arguments, where="arguments")
    except VerilabelError as error:
        raise Refusal("arguments", error.message) from None
    session = work.session = await services.sessions.of(principal.identity)
    note_prompt(services, session, context)
    catalogue = await _catalogue(work)
    shown = await _find(work, catalogue, params.name)  # 1
    work.call = ToolCall(server=shown.server, tool=shown.name, arguments=arguments, pin=shown.pin)
    services.telemetry.name_request(work.call.name)
    upstream = catalogue.upstream(shown.server)
    work.containment = "" if upstream.containment is None else upstream.containment.level
    check_bounds(work.boundary, session)  # 2
    session.in_flight += 1
    try:
        return await _decide_and_forward(work, session, catalogue, context, params)
    finally:
        session.in_flight -= 1


async def _decide_and_forward(
    work: Work,
    session: Session,
    catalogue: Catalogue,
    context: ServerRequestContext[Any, Any],
    params: types.CallToolRequestParams,
) -> dict[str, Any] | types.InputRequiredResult:
    services = work.services
    decision = work.decide(session)  # 3
    charged = None if decision.action == "deny" else await charge_rates(work, session, decision.rates)  # 4
    try:
        return await _forward_decided(work, session, decision, catalogue, context, params)
    finally:
        if charged is not None:
            await services.limiter.settle(charged, {"requests": 1})


async def _forward_decided(
    work: Work,
    session: Session,
    decision: Decision,
    catalogue: Catalogue,
    context: ServerRequestContext[Any, Any],
    params: types.CallToolRequestParams,
) -> dict[str, Any] | types.InputRequiredResult:
    services = work.services
    content = content_of(work.call, session)
    find = partial(_shown_as, name=params.name)
    if decision.action == "deny":
        work.record("ended", "refused", "policy", content)
        return error_result(f"denied by {', '.join(decision.rules)}{_because(decision)}")
    if decision.action == "ask":  # 6
        asked = await _ask(work, session, decision, context, params, content)
        if asked is not None:
            return asked
    work.upstream = await confirm(work, catalogue, find)
    work.record("begun", "allowed", None, content)  # 5
    async with noting_abandonment(work, session, decision):
        await services.sessions.count(session)
        work.gained = decision.before
        await services.sessions.add(session, decision.before)  # 7
        try:
            raw = await _forward(work, work.upstream)  # 8
        except (ServerLost, ServerSaidNo) as error:
            raw = _failed(error)
        return await finish(work, session, decision, raw)


@asynccontextmanager
async def noting_abandonment(work: Work, session: Session, decision: Decision) -> AsyncIterator[None]:
    """Where the client gives up what was begun, the session gets the labels all the same, and the trail an end.

    The server may have acted, and what it did may be noticed in other ways than by its answer.
    """
    try:
        yield
    except asyncio.CancelledError:
        work.gained |= decision.before | decision.after
        with anyio.CancelScope(shield=True), suppress(VerilabelError):
            await work.services.sessions.add(session, work.gained)
        with suppress(VerilabelError):
            work.record("ended", "abandoned", "cancelled")
        raise


async def confirm(work: Work, catalogue: Catalogue, find: Callable[[View], Shown | None]) -> Upstream:
    """The connection to forward to, if what was decided is still what its server shows; otherwise a Refusal.

    Between the decision and here people may have been asked for minutes: a server that was started anew meanwhile, or
    said that it changed, is looked at again before it gets a call that was decided about its predecessor.
    """
    view = await catalogue.view()
    now = find(view)
    if now is None or now != work.shown:
        raise Refusal("changed", "what the server shows changed meanwhile; look at the list and call again")
    return catalogue.upstream(now.server)


async def finish(work: Work, session: Session, decision: Decision, raw: dict[str, Any]) -> dict[str, Any]:
    """Steps 9 and 10 of a call that came back."""
    services, boundary = work.services, work.boundary
    shape = partial(shape_call_result, raw, boundary.filter, boundary.rules.results.max_bytes)
    result, work.shaped = await asyncio.to_thread(shape) if is_large(raw) else shape()  # 9
    after = decision.after | work.shaped.labels
    work.gained |= after
    await services.sessions.add(session, after)
    if decision.vouches and "untrusted" not in after and not result.get("isError"):
        await vouch(work, session)
    shown = write_canonically(result)
    work.reply = keyed_digest(services.secret, shown)
    work.record(
        "ended",
        "failed" if result.get("isError") else "answered",
        None,
        {"result": shown.decode("utf-8")},
    )
    return result  # 10


async def vouch(work: Work, session: Session) -> None:
    """Let the session remember what a trusted result said."""
    texts = work.shaped.texts
    vouching = partial(_vouching_texts, texts, work.call.arguments)
    session.vouch(await asyncio.to_thread(vouching) if is_large(texts) else vouching())


def _vouching_texts(texts: list[str], arguments: Mapping[str, Any]) -> str:
    """What the texts of a result vouch for; an atom never stands across two of them."""
    return "\n".join(vouching_text(text, arguments) for text in texts)


async def _forward(work: Work, upstream: Upstream) -> dict[str, Any]:
    call = work.call
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": call.tool,
        "verilabel.server": call.server,
        "verilabel.containment": work.containment or "unknown",
    }
    with work.services.telemetry.span(f"execute_tool {call.tool}", attributes):
        raw = await upstream.ask("tools/call", {"name": call.tool, "arguments": call.arguments})
    if raw.get("resultType") == "input_required":
        raise ServerLost("the server asks for input, which is not passed on", where=call.server)
    return raw


def _failed(error: ServerLost | ServerSaidNo) -> dict[str, Any]:
    # a server's own words about its error may be an attack too: they go through the filter like any result
    said = error.message if isinstance(error, ServerSaidNo) else f"the server gave no result: {error.message}"
    return {"content": [{"type": "text", "text": said}], "isError": True}


async def _ask(
    work: Work,
    session: Session,
    decision: Decision,
    context: ServerRequestContext[Any, Any],
    params: types.CallToolRequestParams,
    content: dict[str, str],
) -> dict[str, Any] | types.InputRequiredResult | None:
    with work.services.telemetry.span("verilabel.approval", {"verilabel.rules": decision.rules}) as span:
        answer = await ask_for(
            work.services, work.boundary, work.principal, session, work.call, decision, context, params
        )
        work.approval = None if answer.approval is None else answer.approval.id
        if work.approval is not None:
            span.set_attribute("verilabel.approval", work.approval)
    if isinstance(answer, Allowed):
        return None
    if isinstance(answer, Asked):
        work.record("ended", "held", "approval_asked", content)
        return answer.result
    assert isinstance(answer, Waits)
    work.record("ended", "held" if answer.code == "approval_pending" else "refused", answer.code, content)
    return error_result(answer.message)


async def _catalogue(work: Work) -> Catalogue:
    try:
        return await work.services.pool.of(work.principal.identity)
    except ServerLost as error:
        raise Refusal("servers", error.message) from None


async def _find(work: Work, catalogue: Catalogue, name: str) -> Shown:
    shown = work.shown = _shown_as(await catalogue.view(), name)
    if shown is None or not work.boundary.policy.shows(shown.server, shown.name):
        raise Refusal("unknown_tool", "there is no such tool here")
    return shown


def _shown_as(view: View, name: str) -> Shown | None:
    return view.tools.get(name)


def check_bounds(boundary: Boundary, session: Session) -> None:
    """Check a session's own bounds: calls, and calls at once. Raises Refusal."""
    limits = boundary.rules.limits
    if session.calls >= limits.calls_per_session:
        raise Refusal("session_calls", f"the session has used its {limits.calls_per_session} calls")
    if session.in_flight >= limits.parallel:
        raise Refusal(
            "session_parallel", f"{limits.parallel} calls are at work already; wait for one of them"
        )


async def charge_rates(work: Work, session: Session, rates: tuple[Rate, ...]) -> Reservation | None:
    """Charge a call to the rates of the rules that spoke; to be settled. Raises Refusal where it is too often."""
    if not rates:
        return None
    charges = [
        Charge(
            Limit(
                id=rate.rule,
                quantity="requests",
                amount=rate.amount,
                window_s=rate.window_s,
                burst=rate.amount,
            ),
            f"{rate.rule}\n{session.name if rate.per == 'session' else work.principal.holder.user}",
            1,
        )
        for rate in rates
    ]
    reserved = await work.services.limiter.reserve(charges)
    if isinstance(reserved, Exceeded):
        wait = reserved.retry_after_s
        later = "" if wait is None else f"; again in {wait:.0f} s"
        raise Refusal("rate", f"too often: {reserved.charge.limit.id}{later}")
    return reserved


def _because(decision: Decision) -> str:
    said = [
        f" ({reason.why})" for reason in decision.reasons if reason.action == "deny" and not reason.shadow
    ]
    return said[0] if said and said[0] != " ()" else ""


def note_prompt(services: Services, session: Session, context: ServerRequestContext[Any, Any]) -> None:
    """Take what the host says its person asked for, where the gateway's file trusts its hosts with that."""
    if services.config.user_prompt != "client":
        return
    meta: Mapping[str, Any] = context.meta or {}
    said = meta.get(PROMPT_META)
    if isinstance(said, str) and said:
        folded = fold_text(said[:MAX_PROMPT_CHARS])
        if folded not in session.prompt:
            session.prompt = keep_end(f"{session.prompt}\n{folded}", MAX_PROMPT_CHARS)
