"""Resources and prompts: texts of servers on other roads than tools, under the same policy, labels and records.

Reading a resource is decided as a call of `SERVER/resources/read` with the argument `uri`, getting a prompt as one of
`SERVER/prompts/get` with `name` and `arguments`. Nobody is asked in band for them: what must be asked waits in the
queue like a call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import mcp_types as types
import msgspec
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from verilabel.errors import VerilabelError
from verilabel.gateway.mcp.policy.interface import Decision, ToolCall
from verilabel.gateway.mcp.relay.asking import Allowed, ask_for
from verilabel.gateway.mcp.relay.calling import (
    Refusal,
    Work,
    charge_rates,
    check_bounds,
    confirm,
    note_prompt,
    noting_abandonment,
    vouch,
)
from verilabel.gateway.mcp.relay.record import content_of, keyed_digest
from verilabel.gateway.mcp.relay.results import is_large, shape_contents
from verilabel.gateway.mcp.relay.services import Principal, Services
from verilabel.gateway.mcp.relay.sessions import Session
from verilabel.gateway.mcp.strict_json import write_canonically
from verilabel.gateway.mcp.upstream.connection import ServerLost, ServerSaidNo, Upstream
from verilabel.gateway.mcp.upstream.pool import Catalogue, Shown, View

READ = "resources/read"
GET = "prompts/get"
REFUSED = -32000
"""The JSON-RPC error of a refusal: these requests have no result that could say so."""


async def read_resource(
    services: Services, principal: Principal, context: ServerRequestContext[Any, Any], uri: str
) -> dict[str, Any]:
    """`resources/read`. Raises MCPError for a refusal, with its reason."""
    return await _carry(services, principal, context, READ, {"uri": uri}, "contents")


async def get_prompt(
    services: Services,
    principal: Principal,
    context: ServerRequestContext[Any, Any],
    name: str,
    arguments: Mapping[str, str],
) -> dict[str, Any]:
    """`prompts/get`. Raises MCPError for a refusal, with its reason."""
    given = {"name": name, "arguments": dict(arguments)}
    return await _carry(services, principal, context, GET, given, "messages")


async def _carry(
    services: Services,
    principal: Principal,
    context: ServerRequestContext[Any, Any],
    method: str,
    arguments: dict[str, Any],
    key: str,
) -> dict[str, Any]:
    work = Work(services, services.boundary, principal, ToolCall(server="", tool=method, arguments=arguments))
    try:
        try:
            return await _carry_out(work, context, method, key)
        except Refusal as refusal:
            work.record("ended", "refused", refusal.code)
            raise MCPError(code=REFUSED, message=f"Not done: {refusal.message}") from None
        except ServerLost as error:
            work.record("ended", "refused", "servers")
            raise MCPError(code=REFUSED, message=f"Not done: {error.message}") from None
    except VerilabelError as error:
        raise MCPError(code=REFUSED, message=f"Not done: the gateway cannot go on ({error.code})") from None


async def _carry_out(
    work: Work, context: ServerRequestContext[Any, Any], method: str, key: str
) -> dict[str, Any]:
    services = work.services
    session = work.session = await services.sessions.of(work.principal.identity)
    note_prompt(services, session, context)
    catalogue = await services.pool.of(work.principal.identity)
    given = work.call.arguments
    find = partial(_find, method=method, arguments=given)
    shown = work.shown = find(await catalogue.view())
    if shown is None or not work.boundary.policy.shows(shown.server, method):
        raise Refusal("unknown", "there is no such thing here")
    arguments = {**given, "name": shown.name} if method == GET else given
    work.call = ToolCall(server=shown.server, tool=method, arguments=arguments)
    services.telemetry.name_request(work.call.name)
    upstream = catalogue.upstream(shown.server)
    work.containment = "" if upstream.containment is None else upstream.containment.level
    check_bounds(work.boundary, session)
    session.in_flight += 1
    try:
        return await _decide_and_fetch(work, session, catalogue, context, find, key)
    finally:
        session.in_flight -= 1


async def _decide_and_fetch(
    work: Work,
    session: Session,
    catalogue: Catalogue,
    context: ServerRequestContext[Any, Any],
    find: Callable[[View], Shown | None],
    key: str,
) -> dict[str, Any]:
    services = work.services
    decision = work.decide(session)
    content = content_of(work.call, session)
    charged = None if decision.action == "deny" else await charge_rates(work, session, decision.rates)
    try:
        if decision.action != "allow":
            await _require_approval(work, context, decision, content)
        upstream = await confirm(work, catalogue, find)
        work.record("begun", "allowed", None, content)
        async with noting_abandonment(work, session, decision):
            await services.sessions.count(session)
            work.gained = decision.before
            await services.sessions.add(session, decision.before)
            return await _fetch(work, session, upstream, decision, key)
    finally:
        if charged is not None:
            await services.limiter.settle(charged, {"requests": 1})


async def _fetch(
    work: Work, session: Session, upstream: Upstream, decision: Decision, key: str
) -> dict[str, Any]:
    services = work.services
    try:
        raw = await upstream.ask(work.call.tool, work.call.arguments)
    except (ServerLost, ServerSaidNo):
        work.gained |= decision.after
        await services.sessions.add(session, decision.after)  # that it failed may be a message too
        raise Refusal("server", "the server gave nothing") from None
    shape = partial(shape_contents, raw, key, work.boundary.filter, work.boundary.rules.results.max_bytes)
    result, work.shaped = await asyncio.to_thread(shape) if is_large(raw) else shape()
    after = decision.after | work.shaped.labels
    work.gained |= after
    await services.sessions.add(session, after)
    if decision.vouches and "untrusted" not in after:
        await vouch(work, session)
    shown = write_canonically(result)
    work.reply = keyed_digest(services.secret, shown)
    work.record("ended", "answered", None, {"result": shown.decode("utf-8")})
    return result


async def _require_approval(
    work: Work, context: ServerRequestContext[Any, Any], decision: Decision, content: dict[str, str]
) -> None:
    if decision.action == "deny":
        raise Refusal("policy", f"denied by {', '.join(decision.rules)}")
    assert work.session is not None, "it was found before"
    params = types.CallToolRequestParams(name=work.call.tool)
    queued = decision
    if decision.terms is not None and decision.terms.channel == "client":
        terms = msgspec.structs.replace(decision.terms, channel="queue")
        queued = msgspec.structs.replace(decision, terms=terms)
    answer = await ask_for(
        work.services, work.boundary, work.principal, work.session, work.call, queued, context, params
    )
    work.approval = None if answer.approval is None else answer.approval.id
    if not isinstance(answer, Allowed):
        message = getattr(answer, "message", "it waits for a person")
        code = getattr(answer, "code", "approval_pending")
        work.record("ended", "held" if code == "approval_pending" else "refused", code, content)
        raise MCPError(code=REFUSED, message=f"Not done: {message}")


def _find(view: View, *, method: str, arguments: Mapping[str, Any]) -> Shown | None:
    if method == READ:
        return find_resource(view, str(arguments["uri"]))
    return view.prompts.get(str(arguments["name"]))


def find_resource(view: View, uri: str) -> Shown | None:
    """The resource of a URI, listed or of a template by its fixed beginning, if one server alone claims it."""
    listed = view.resources.get(uri)
    claiming = [listed] if listed is not None and "uri" in listed.raw else []
    claiming += [
        shown
        for template, shown in view.resources.items()
        if "uriTemplate" in shown.raw and _is_of_template(template, uri)
    ]
    return claiming[0] if len({shown.server for shown in claiming}) == 1 else None


def _is_of_template(template: str, uri: str) -> bool:
    fixed, brace, _ = template.partition("{")
    scheme, colon, _ = fixed.partition("://")
    return bool(brace and colon and scheme) and len(fixed) > len(scheme) + 3 and uri.startswith(fixed)
