"""A tool policy made ready: `compile_policy(policy, digest) -> Compiled`, whose `decide` is the one decision there is.

How a call is decided:
1. Every tool rule that matches speaks. One whose arguments are not as it says denies.
2. Every flow rule speaks whose sink or match concerns the tool, whose labels the session all has *before* the call,
   and of whose exemptions one does not hold.
3. deny > ask > allow over all that spoke. Where no tool rule matched, `default` speaks in its place.
4. Rules in shadow mode say what they would have said. They act on nothing: neither sinks nor labels nor rates.
5. An asked call is asked under the strictest terms: the greatest quorum, the shortest time, strict and in the queue if
   one says so, approved by those whom every rule that names approvers names. Where nobody is left, it is denied.
6. Labels: `before` are all `reads`, `after` all `emits`, and `untrusted` where the server is. A denied call has none.
   `sink` is the first that a rule names, for records; flows look at all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from verilabel.errors import MalformedInput
from verilabel.gateway.mcp.policy.document import Action, Sink, ToolPolicy, Trust
from verilabel.gateway.mcp.policy.interface import Decision, Rate, Reason, SessionView, Terms, ToolCall
from verilabel.gateway.mcp.policy.matching import MAX_NAME
from verilabel.gateway.mcp.policy.rules import CompiledFlow, CompiledRule

UNTRUSTED = "untrusted"
DEFAULT_RULE = "default"
CALLS_RULE = "limits.calls_per_session"
APPROVERS_RULE = "approvers"
MAX_PLANS = 4096
"""Tools whose rules are kept ready; the oldest makes room."""

_NOTHING: frozenset[str] = frozenset()
_TOO_LONG = Decision(action="deny", reasons=(Reason("name", "deny", "the tool's name is too long"),))


class Carried(NamedTuple):
    """What a call of one tool brings along if it is let through."""

    before: frozenset[str]
    after: frozenset[str]
    vouches: bool
    sink: Sink | None
    rates: tuple[Rate, ...]


class Plan(NamedTuple):
    """What is known of every call of one tool. `settled` reasons hold whatever its arguments are, `conditional` rules
    look at them; `calm` is the decision where no argument and no flow has anything to say against it."""

    rules: tuple[CompiledRule, ...]
    flows: tuple[CompiledFlow, ...]
    settled: tuple[Reason, ...]
    conditional: tuple[CompiledRule, ...]
    carried: Carried
    calm: Decision
    is_shown: bool


class Compiled:
    """The policy as a pure function (`interface.CompiledPolicy`); what it keeps between calls follows from it alone."""

    def __init__(self, policy: ToolPolicy, digest: str, trust: Mapping[str, Trust] | None) -> None:
        self.policy = policy
        self.digest = digest
        self.name = f"{policy.policy}@{policy.version}"
        self.rules = tuple(CompiledRule(rule, f"$.tools[{i}]") for i, rule in enumerate(policy.tools))
        self.flows = tuple(CompiledFlow(flow, f"$.flows[{i}]") for i, flow in enumerate(policy.flows))
        self._trust = trust
        self._calls = policy.limits.calls_per_session
        speakers: tuple[CompiledRule | CompiledFlow, ...] = (*self.rules, *self.flows)
        self._terms = {
            each.id: each.terms for each in speakers if each.terms is not None and not each.is_shadow
        }
        self._plans: dict[tuple[str, str], Plan] = {}

    def decide(self, call: ToolCall, session: SessionView) -> Decision:
        """What is to happen to a call. Pure; raises nothing, whatever the arguments are."""
        plan = self._plans.get((call.server, call.tool)) or self._plan(call.server, call.tool)
        if plan is None:
            return _TOO_LONG
        spoken: list[Reason] = []
        for rule in plan.conditional:
            reason = rule.speak(call.arguments)
            if reason is not rule.plain:
                spoken.append(reason)
        is_calm = not spoken and session.calls < self._calls
        for flow in plan.flows:
            if flow.when <= session.labels and (said := flow.speak(call, session)) is not None:
                spoken.append(said)
                is_calm = False
        if is_calm:
            return plan.calm
        objecting = {each.rule for each in spoken}
        content = [rule.plain for rule in plan.conditional if rule.id not in objecting]
        if session.calls >= self._calls:
            spoken.append(Reason(CALLS_RULE, "deny", f"{self._calls} calls in one session"))
        return self._conclude(plan.carried, (*plan.settled, *content, *spoken))

    def plan(self, server: str, tool: str) -> Plan | None:
        """The rules that concern a tool; None for a name that is too long."""
        return self._plans.get((server, tool)) or self._plan(server, tool)

    def shows(self, server: str, tool: str) -> bool:
        """True if a tool may be listed: some call of it could be allowed or asked."""
        plan = self.plan(server, tool)
        return plan is not None and plan.is_shown

    def _plan(self, server: str, tool: str) -> Plan | None:
        if len(server) > MAX_NAME or len(tool) > MAX_NAME:
            return None
        plan = self._make_plan(server, tool)
        if len(self._plans) >= MAX_PLANS:
            del self._plans[next(iter(self._plans))]
        self._plans[(server, tool)] = plan
        return plan

    def _make_plan(self, server: str, tool: str) -> Plan:
        rules = tuple(rule for rule in self.rules if rule.pattern.matches(server, tool))
        enforced = [rule for rule in rules if not rule.is_shadow]
        sinks = frozenset(rule.rule.sink for rule in enforced if rule.rule.sink is not None)
        flows = tuple(flow for flow in self.flows if flow.concerns(server, tool, sinks))
        settled = tuple(rule.plain for rule in rules if not rule.is_conditional)
        if not enforced:
            settled = (Reason(DEFAULT_RULE, self.policy.default, "no rule matches"), *settled)
        conditional = tuple(rule for rule in rules if rule.is_conditional)
        carried = self._carry(enforced, server)
        calm = self._conclude(carried, (*settled, *(rule.plain for rule in conditional)))
        is_shown = calm.action != "deny" and not any(flow.always_denies for flow in flows)
        return Plan(rules, flows, settled, conditional, carried, calm, is_shown)

    def _carry(self, enforced: Sequence[CompiledRule], server: str) -> Carried:
        before: frozenset[str] = _NOTHING.union(*(rule.rule.reads for rule in enforced))
        after: frozenset[str] = _NOTHING.union(*(rule.rule.emits for rule in enforced))
        if self._trust is not None and self._trust.get(server, UNTRUSTED) != "trusted":
            after |= {UNTRUSTED}
        return Carried(
            before=before,
            after=after,
            vouches=UNTRUSTED not in after and any(rule.rule.trusted_source for rule in enforced),
            sink=next((rule.rule.sink for rule in enforced if rule.rule.sink is not None), None),
            rates=tuple(rate for rule in enforced for rate in rule.rates),
        )

    def _conclude(self, carried: Carried, reasons: tuple[Reason, ...]) -> Decision:
        action = strongest(reasons)
        terms = None
        if action == "ask":
            asking = [self._terms[r.rule] for r in reasons if r.action == "ask" and r.rule in self._terms]
            terms = strictest(asking)
            if terms is None:
                action = "deny"
                nobody = "the rules that ask name no approver in common"
                reasons = (*reasons, Reason(APPROVERS_RULE, "deny", nobody))
        if action == "deny":
            return Decision(action="deny", reasons=reasons, sink=carried.sink)
        return Decision(
            action=action,
            reasons=reasons,
            before=carried.before,
            after=carried.after,
            vouches=carried.vouches,
            sink=carried.sink,
            terms=terms,
            rates=carried.rates,
        )


def compile_policy(policy: ToolPolicy, digest: str, trust: Mapping[str, Trust] | None = None) -> Compiled:
    """Make a policy ready. `digest` is `sha256:` over its exact bytes.

    `trust` is what the gateway's file says of its servers; then each that is not `trusted`, also one that it does not
    name, emits `untrusted`. Absent, the policy's own labels are all there is: for tests and replays without servers.
    Raises MalformedInput with the place inside the policy, MissingExtra where a pattern needs google-re2.
    """
    compiled = Compiled(policy, digest, trust)
    seen: set[str] = set()
    for name in (*(rule.id for rule in compiled.rules), *(flow.id for flow in compiled.flows)):
        if name in seen:
            raise MalformedInput(f"two rules are called {name[:80]!r}", hint="give one of them an `id`")
        seen.add(name)
    return compiled


def strongest(reasons: Iterable[Reason]) -> Action:
    """deny > ask > allow over the reasons that act; deny where there is none."""
    actions = {each.action for each in reasons if not each.shadow}
    if "deny" in actions or not actions:
        return "deny"
    return "ask" if "ask" in actions else "allow"


def strictest(given: Iterable[Terms]) -> Terms | None:
    """The terms under which all are content: plain ones where none are given, None where nobody may decide.

    Approvers are those whom all name that name some; a rule without approvers is content with any.
    """
    terms = tuple(given)
    if not terms:
        return Terms()
    named = [frozenset(each.approvers) for each in terms if each.approvers]
    approvers = frozenset.intersection(*named) if named else frozenset()
    if named and not approvers:
        return None
    return Terms(
        approvers=tuple(sorted(approvers)),
        quorum=max(each.quorum for each in terms),
        ttl_s=min(each.ttl_s for each in terms),
        strict=any(each.strict for each in terms),
        channel="queue" if any(each.channel == "queue" for each in terms) else "client",
    )
