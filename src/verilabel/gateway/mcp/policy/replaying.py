"""A decision that a gateway recorded, made again from its audit trail: the same policy must give the same answer.

A line of the trail holds what the decision knew: policy, labels, calls and, where the gateway keeps content, arguments
and what the person had asked for. What trusted tools had returned stands in earlier lines of the same session. Where no
content was kept, a decision is made again only if it looks at no argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from verilabel.errors import MalformedInput, Undetermined, UsageError
from verilabel.gateway.audit.lines import RecordLine
from verilabel.gateway.audit.record import ToolRecord
from verilabel.gateway.mcp.policy.compiling import Compiled
from verilabel.gateway.mcp.policy.interface import Decision, SessionView, ToolCall
from verilabel.gateway.mcp.policy.provenance import MAX_VOUCHING_CHARS, keep_end, vouching_text

_NOT_TEXT = frozenset({"_meta", "data", "blob", "type", "annotations", "size"})


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded, and what comes of it now. `policy` is the digest of the policy that was in force then."""

    id: str
    at_us: int
    policy: str
    recorded_action: str
    recorded_rules: tuple[str, ...]
    call: ToolCall
    session: SessionView
    decision: Decision
    under_same_policy: bool
    decides_same: bool


def replay_decision(records: Iterable[RecordLine], call_id: str, compiled: Compiled) -> Replayed:
    """Find the call of an id among the records of a trail, in their order, and decide it again.

    Raises UsageError where there is no such decision, Undetermined where the trail does not hold what it needs,
    MalformedInput where a kept text is not what a gateway writes.
    """
    trusted: dict[str, str] = {}
    named: dict[str, str | None] = {}
    for record in records:
        tool = record.tool
        if tool is None:
            continue
        if record.id == call_id and tool.action:
            return _decide_again(record, tool, trusted.get(tool.session), compiled)
        if record.event == "begun" and tool.vouches:
            named[record.id] = (record.content or {}).get("arguments")
        if record.event == "ended" and record.outcome == "answered" and _vouched(tool):
            known = trusted.get(tool.session, "")
            arguments = _read_arguments(named.pop(record.id, None), record.id)
            said = _texts_of(record)
            if said is None or arguments is None:
                trusted[tool.session] = _UNKNOWN
            elif known != _UNKNOWN:
                vouching = (vouching_text(text, arguments) for text in said)
                trusted[tool.session] = keep_end("\n".join((known, *vouching)), MAX_VOUCHING_CHARS)
    raise UsageError("the trail has no decision of this id", where=call_id[:80], hint="verilabel gateway log")


def _vouched(tool: ToolRecord) -> bool:
    """True if a call's result came to vouch: of a trusted tool, and nothing in it looked like instructions."""
    return tool.vouches and "untrusted" not in tool.gained


_UNKNOWN = "\x00"
"""Stands for trusted text that was not kept; no folded text is equal to it."""


def _decide_again(record: RecordLine, tool: ToolRecord, trusted: str | None, compiled: Compiled) -> Replayed:
    content = record.content or {}
    arguments = _read_arguments(content.get("arguments"), record.id)
    plan = compiled.plan(tool.server, tool.tool)
    asks_provenance = plan is not None and any(flow.flow.unless is not None for flow in plan.flows)
    asks_arguments = asks_provenance or (plan is not None and bool(plan.conditional))
    if arguments is None and asks_arguments:
        raise Undetermined(
            "the trail keeps no arguments, and the decision looks at them",
            where=record.id,
            hint="keep_content: true in the gateway's file keeps them from now on",
        )
    if trusted == _UNKNOWN and asks_provenance:
        raise Undetermined("results that vouched for arguments were not kept", where=record.id)
    call = ToolCall(server=tool.server, tool=tool.tool, arguments=arguments or {}, pin=tool.pin)
    session = SessionView(
        labels=frozenset(tool.labels),
        user_prompt=content.get("prompt", ""),
        trusted_text=trusted or "",
        calls=tool.calls,
    )
    decision = compiled.decide(call, session)
    return Replayed(
        id=record.id,
        at_us=record.at_us,
        policy=record.policy,
        recorded_action=tool.action,
        recorded_rules=tool.rules,
        call=call,
        session=session,
        decision=decision,
        under_same_policy=record.policy == compiled.digest,
        decides_same=(decision.action, decision.rules) == (tool.action, tool.rules),
    )


def _read_arguments(kept: str | None, where: str) -> dict[str, Any] | None:
    if kept is None:
        return None
    read = _read_json(kept, where)
    if not isinstance(read, dict):
        raise MalformedInput("the arguments of the record are no object", where=where)
    return read


def _read_json(kept: str, where: str) -> Any:
    try:
        return msgspec.json.decode(kept)
    except (msgspec.DecodeError, RecursionError):
        raise MalformedInput("the record's content is no JSON", where=where) from None


def _texts_of(record: RecordLine) -> list[str] | None:
    """The texts of a kept result, as the agent was shown them; None where it was not kept."""
    kept = (record.content or {}).get("result")
    return None if kept is None else list(_walk_texts(_read_json(kept, record.id)))


def _walk_texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, list):
            waiting.extend(reversed(item))
        elif isinstance(item, dict):
            waiting.extend(item[key] for key in reversed(item) if key not in _NOT_TEXT)
