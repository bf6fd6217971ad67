"""Why a call is decided as it is: every rule that looked, what it said, and what would have changed the answer."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from verilabel.gateway.mcp.policy.compiling import DEFAULT_RULE, Compiled, compile_policy
from verilabel.gateway.mcp.policy.document import Action, FlowRule, ToolRule
from verilabel.gateway.mcp.policy.interface import Decision, SessionView, ToolCall
from verilabel.gateway.mcp.policy.provenance import list_atoms
from verilabel.gateway.mcp.policy.rules import CompiledFlow, name_rule


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that concerns the tool. `says` is None where it has nothing to say of this call."""

    rule: str
    where: str
    """Its place in the policy, such as `$.flows[0]`; empty for what the engine itself says."""
    says: Action | None
    why: str
    shadow: bool = False


class Otherwise(msgspec.Struct, frozen=True, kw_only=True):
    """Something that would have been decided differently, and how."""

    condition: str
    action: Action
    rules: tuple[str, ...]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A decision with all that led to it. No value of an argument stands in it."""

    policy: str
    digest: str
    call: str
    labels: tuple[str, ...]
    decision: Decision
    looks: tuple[Look, ...]
    silent: int
    """Rules that do not concern the tool."""
    otherwise: tuple[Otherwise, ...]


def explain_call(compiled: Compiled, call: ToolCall, session: SessionView) -> Explanation:
    """Decide a call, and say why. Pure."""
    decision = compiled.decide(call, session)
    looks = tuple(_looks(compiled, call, session, decision))
    concerned = sum(1 for look in looks if look.where)
    return Explanation(
        policy=compiled.name,
        digest=compiled.digest,
        call=call.name,
        labels=tuple(sorted(session.labels)),
        decision=decision,
        looks=looks,
        silent=len(compiled.rules) + len(compiled.flows) - concerned,
        otherwise=tuple(_otherwise(compiled, call, session, decision)),
    )


def _looks(compiled: Compiled, call: ToolCall, session: SessionView, decision: Decision) -> Iterator[Look]:
    plan = compiled.plan(call.server, call.tool)
    said = {reason.rule: reason for reason in decision.reasons}
    for index, rule in enumerate(compiled.rules if plan is not None else ()):
        if plan is not None and rule in plan.rules:
            reason = rule.speak(call.arguments)
            yield Look(
                rule=rule.id,
                where=f"$.tools[{index}]",
                says=reason.action,
                why=reason.why,
                shadow=rule.is_shadow,
            )
            said.pop(rule.id, None)
    for index, flow in enumerate(compiled.flows if plan is not None else ()):
        if plan is not None and flow in plan.flows:
            yield _look_at_flow(flow, f"$.flows[{index}]", call, session)
            said.pop(flow.id, None)
    for reason in said.values():
        yield Look(rule=reason.rule, where="", says=reason.action, why=reason.why, shadow=reason.shadow)


def _look_at_flow(flow: CompiledFlow, where: str, call: ToolCall, session: SessionView) -> Look:
    reason = flow.speak(call, session)
    if reason is not None:
        why = reason.why + ("; its exemption does not hold" if flow.flow.unless is not None else "")
        return Look(rule=flow.id, where=where, says=reason.action, why=why, shadow=flow.is_shadow)
    absent = sorted(flow.when - session.labels)
    why = f"the session is not {', '.join(absent)}" if absent else "the call is exempt"
    return Look(rule=flow.id, where=where, says=None, why=why, shadow=flow.is_shadow)


def _otherwise(
    compiled: Compiled, call: ToolCall, session: SessionView, decision: Decision
) -> Iterator[Otherwise]:
    for condition, other in _other_sessions(compiled, call, session):
        yield from _changed(condition, compiled.decide(call, other), decision)
    for rule in decision.rules:
        thinner = _without(compiled, rule)
        if thinner is not None:
            yield from _changed(f"without the rule {rule}", thinner.decide(call, session), decision)
    for name in sorted(call.arguments)[:100]:
        fewer = {key: value for key, value in call.arguments.items() if key != name}
        other_call = msgspec.structs.replace(call, arguments=fewer)
        if _is_named(compiled, name):
            yield from _changed(
                f"without the argument {name}", compiled.decide(other_call, session), decision
            )


def _other_sessions(
    compiled: Compiled, call: ToolCall, session: SessionView
) -> Iterator[tuple[str, SessionView]]:
    for label in sorted(session.labels):
        yield (
            f"if the session were not {label}",
            msgspec.structs.replace(session, labels=session.labels - {label}),
        )
    if len(session.labels) > 1:
        yield "if the session had no label", msgspec.structs.replace(session, labels=frozenset())
    for label in compiled.policy.labels:
        if label not in session.labels:
            yield (
                f"if the session were {label}",
                msgspec.structs.replace(session, labels=session.labels | {label}),
            )
    atoms = list_atoms(call.arguments)
    if atoms:
        named = " ".join((session.user_prompt, *atoms))
        yield "if the person had named the arguments", msgspec.structs.replace(session, user_prompt=named)
    if session.calls >= compiled.policy.limits.calls_per_session:
        yield "if the session had calls left", msgspec.structs.replace(session, calls=0)


def _is_named(compiled: Compiled, name: str) -> bool:
    """True if the policy itself names the argument: others are the agent's words, and are not repeated."""
    if any(name in rule.rule.args for rule in compiled.rules):
        return True
    unless = [flow.flow.unless for flow in compiled.flows if flow.flow.unless is not None]
    if any(each.arg_in is not None and each.arg_in.arg == name for each in unless):
        return True
    return any(each.args_from is not None and name in each.args_from.args for each in unless)


def _without(compiled: Compiled, name: str) -> Compiled | None:
    """The policy without one rule; None where the name is not of a rule that is written."""
    policy = compiled.policy
    if name == DEFAULT_RULE:
        return None
    tools: tuple[ToolRule, ...] = tuple(rule for rule in policy.tools if name_rule(rule) != name)
    flows: tuple[FlowRule, ...] = tuple(flow for flow in policy.flows if flow.id != name)
    if len(tools) + len(flows) == len(policy.tools) + len(policy.flows):
        return None
    return compile_policy(msgspec.structs.replace(policy, tools=tools, flows=flows), compiled.digest)


def _changed(condition: str, other: Decision, decision: Decision) -> Iterator[Otherwise]:
    if other.action != decision.action:
        yield Otherwise(condition=condition, action=other.action, rules=other.rules)
