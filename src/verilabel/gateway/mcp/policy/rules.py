"""Tool rules and flow rules, compiled: each says alone what it thinks of a call, with its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from verilabel.gateway.mcp.policy.arguments import MAX_ITEMS, ArgumentCheck, scalar_key
from verilabel.gateway.mcp.policy.document import Action, ArgumentsFrom, FlowRule, FlowUnless, Sink, ToolRule
from verilabel.gateway.mcp.policy.interface import Rate, Reason, SessionView, Terms, ToolCall
from verilabel.gateway.mcp.policy.matching import parse_match
from verilabel.gateway.mcp.policy.measures import parse_rate, parse_ttl
from verilabel.gateway.mcp.policy.provenance import is_known

Exemption = Callable[[dict[str, Any], SessionView], bool]


class CompiledRule:
    """A tool rule. `terms` is set where it asks; `speak` looks at the arguments alone."""

    __slots__ = (
        "_checks",
        "_complaints",
        "_named",
        "action",
        "id",
        "is_conditional",
        "is_shadow",
        "pattern",
        "plain",
        "rates",
        "rule",
        "terms",
    )

    def __init__(self, rule: ToolRule, where: str) -> None:
        self.rule = rule
        self.id = name_rule(rule)
        self.action: Action = rule.action
        self.pattern = parse_match(rule.match, where=f"{where}.match")
        self.is_shadow = rule.mode == "shadow"
        self.rates = _compile_rates(rule, self.id, where)
        self.terms = _compile_terms(rule, where) if rule.action == "ask" else None
        checks = [
            ArgumentCheck(name, each, f"{where}.args.{name}") for name, each in sorted(rule.args.items())
        ]
        # a rule that denies anyway has nothing to ask of arguments
        self._checks = () if rule.action == "deny" else tuple(checks)
        self._named = frozenset(rule.args) if rule.only_args and rule.action != "deny" else None
        self.is_conditional = bool(self._checks) or self._named is not None
        self.plain = Reason(self.id, rule.action, _WHY[rule.action], self.is_shadow)

    def speak(self, arguments: dict[str, Any]) -> Reason:
        """What the rule says of a call with these arguments: its action, or deny where one is not as it must be."""
        if self._named is not None and not self._named.issuperset(arguments):
            return Reason(self.id, "deny", "an argument that the rule does not name", self.is_shadow)
        for check in self._checks:
            complaint = check.complain(arguments.get(check.name))
            if complaint is not None:
                return Reason(self.id, "deny", f"the argument {check.name} {complaint}", self.is_shadow)
        return self.plain


_WHY: dict[Action, str] = {
    "allow": "the rule allows it",
    "ask": "the rule wants it approved",
    "deny": "the rule forbids it",
}


class CompiledFlow:
    """A flow rule: labels that a session has, calls that they then concern, and what exempts one."""

    __slots__ = ("_exemptions", "_reason", "flow", "id", "is_shadow", "pattern", "terms", "when")

    def __init__(self, flow: FlowRule, where: str) -> None:
        self.flow = flow
        self.id = flow.id
        self.is_shadow = flow.mode == "shadow"
        self.when = frozenset(flow.when.session_has)
        self.pattern = (
            None if flow.to.match is None else parse_match(flow.to.match, where=f"{where}.to.match")
        )
        self.terms = _compile_terms(flow, where) if flow.then == "ask" else None
        self._exemptions = () if flow.unless is None else _compile_unless(flow.unless)
        held = ", ".join(sorted(self.when))
        self._reason = Reason(
            self.id, flow.then, f"the session is {held}" if held else "always so", self.is_shadow
        )

    @property
    def always_denies(self) -> bool:
        """True if it forbids every call that it concerns."""
        return self.flow.then == "deny" and not self.is_shadow and not self.when and not self._exemptions

    def concerns(self, server: str, tool: str, sinks: frozenset[Sink]) -> bool:
        """True if calls of this tool are what the flow is about. One that names neither sink nor tool is about all."""
        if self.pattern is not None and not self.pattern.matches(server, tool):
            return False
        return self.flow.to.sink is None or self.flow.to.sink in sinks

    def exempts(self, call: ToolCall, session: SessionView) -> bool:
        """True if there are exemptions, and all of them hold."""
        return bool(self._exemptions) and all(each(call.arguments, session) for each in self._exemptions)

    def speak(self, call: ToolCall, session: SessionView) -> Reason | None:
        """What the flow says of a call that it concerns; None where it has nothing to say."""
        if not self.when <= session.labels or self.exempts(call, session):
            return None
        return self._reason


def name_rule(rule: ToolRule) -> str:
    """The id of a tool rule: its own, or `tool:` and its match."""
    return rule.id or f"tool:{rule.match}"


def _compile_terms(rule: ToolRule | FlowRule, where: str) -> Terms:
    return Terms(
        approvers=tuple(sorted(set(rule.approvers))),
        quorum=rule.quorum,
        ttl_s=parse_ttl(rule.ttl, where=f"{where}.ttl"),
        strict=rule.strict,
        channel=rule.channel,
    )


def _compile_rates(rule: ToolRule, name: str, where: str) -> tuple[Rate, ...]:
    if rule.rate is None:
        return ()
    rates = []
    if rule.rate.per_session is not None:
        amount, window = parse_rate(rule.rate.per_session, where=f"{where}.rate.per_session")
        rates.append(Rate(name, "session", amount, window))
    if rule.rate.per_principal is not None:
        amount, window = parse_rate(rule.rate.per_principal, where=f"{where}.rate.per_principal")
        rates.append(Rate(name, "principal", amount, window))
    return tuple(rates)


def _compile_unless(unless: FlowUnless) -> tuple[Exemption, ...]:
    exemptions: list[Exemption] = []
    if unless.arg_in is not None:
        name = unless.arg_in.arg
        allowed = frozenset(key for value in unless.arg_in.one_of if (key := scalar_key(value)) is not None)
        exemptions.append(lambda arguments, _: _are_all_in(arguments.get(name), allowed))
    if unless.args_from is not None:
        source = unless.args_from
        exemptions.append(lambda arguments, session: _are_known(arguments, source, session))
    return tuple(exemptions)


def _are_all_in(value: Any, allowed: frozenset[tuple[str, Any]]) -> bool:
    items = value if type(value) is list else [value]
    if not items or len(items) > MAX_ITEMS:
        return False
    keys = [scalar_key(item) for item in items]
    return all(key is not None and key in allowed for key in keys)


def _are_known(arguments: dict[str, Any], source: ArgumentsFrom, session: SessionView) -> bool:
    """True if the named arguments that are there have atoms, and all of those are known.

    A call that has none of them is not exempt: what decides about its effect stands somewhere else.
    """
    if "*" in source.args:
        chosen = [value for name, value in arguments.items() if name not in source.but]
    else:
        chosen = [arguments[name] for name in source.args if name in arguments]
    texts = []
    if "user_prompt" in source.sources:
        texts.append(session.user_prompt)
    if "trusted_tools" in source.sources:
        texts.append(session.trusted_text)
    return is_known(chosen, texts)
