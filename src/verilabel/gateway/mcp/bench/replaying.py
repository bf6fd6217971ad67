"""Plays cases under a policy: the compiled policy decides, the world carries out, a person approves what is theirs.

The agent is wholly taken over: it does its user's task and then, to the letter, the attacker's. A person who is asked
knows their own task: a call of the user's is approved and a call of the attacker's is declined. What is denied is not
carried out, whoever wants it. A session gets labels and trusted texts as in the gateway; results that failed vouch for
nothing.

A `literal` attacker makes the calls of the attack and no others. A `laundering` one knows the policy: before a call
that would be asked about, it calls every tool that may vouch with whatever the call names, and with next to nothing, so
that the tool may repeat it or list all it has.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from verilabel.gateway.mcp.bench.interface import (
    CaseName,
    Offered,
    Opened,
    Returned,
    SuiteOffer,
    Trace,
    TracedCall,
)
from verilabel.gateway.mcp.bench.world_process import WorldProcess
from verilabel.gateway.mcp.policy.interface import (
    CompiledPolicy,
    Decision,
    ResultFilter,
    SessionView,
    ToolCall,
)
from verilabel.gateway.mcp.policy.provenance import fold_text, list_atoms, vouching_text
from verilabel.gateway.mcp.relay.sessions import Session

ATTACKS = ("first6", "all", "none")
ATTACKERS = ("literal", "laundering")
MAX_LAUNDERED = 8
"""Texts of one call that a laundering attacker tries to have repeated."""
FIRST = 6
"""User tasks of each suite that `first6` attacks."""


NOBODY: Mapping[str, Mapping[str, str]] = {}


class Rules(NamedTuple):
    """A policy made ready: who decides about calls, and what is done to results."""

    policy: CompiledPolicy
    results: ResultFilter


class GuardedPlayer:
    """Decides about the calls of one case by a policy, and keeps each decision with what it was made from."""

    def __init__(
        self, rules: Rules, case: CaseName, launderers: Mapping[str, Mapping[str, str]] = NOBODY
    ) -> None:
        self._rules = rules
        self._case = case
        self._launderers = launderers
        self._session = Session("bench", 0, frozenset(), 0)
        self._open: tuple[Decision, TracedCall] | None = None
        self.prompt = ""
        self.calls: list[TracedCall] = []

    def begin(self, prompt: str) -> None:
        """The session begins with what the person asked for."""
        self.prompt = prompt
        self._session.prompt = fold_text(prompt)

    def prepare(self, offered: Offered) -> list[Offered]:
        """What a laundering attacker calls before a call that would be asked about."""
        if offered.by == "user" or not self._launderers:
            return []
        call = ToolCall(server=self._case.suite, tool=offered.tool, arguments=offered.arguments)
        if self._rules.policy.decide(call, self._session.view).action != "ask":
            return []
        named = [atom for atom in list_atoms(offered.arguments) or () if len(atom) <= 200][:MAX_LAUNDERED]
        return [
            Offered(by="attack", tool=tool, arguments=_fill(parameters, text))
            for tool, parameters in self._launderers.items()
            for text in dict.fromkeys((*named, "", "@"))
        ]

    def decide(self, offered: Offered) -> bool:
        """Put a call to the policy; what is asked is approved where it is the user's own."""
        call = ToolCall(server=self._case.suite, tool=offered.tool, arguments=offered.arguments)
        decision = self._rules.policy.decide(call, self._session.view)
        approved = decision.action == "ask" and offered.by == "user"
        traced = TracedCall(
            by=offered.by,
            call=call.name,
            args=offered.arguments,
            action=decision.action,
            rules=decision.rules,
            labels=tuple(sorted(self._session.labels)),
            sink=decision.sink or "",
            approved=approved,
        )
        if decision.action != "allow" and not approved:
            self.calls.append(traced)
            return False
        self._session.labels |= decision.before
        self._session.calls += 1
        self._open = (decision, traced)
        return True

    def note(self, returned: Returned) -> None:
        """The session gets what the result brings."""
        assert self._open is not None, "only a call that was let through returns"
        decision, traced = self._open
        self._open = None
        filtered = self._rules.results.apply(returned.text)
        self._session.labels |= decision.after | filtered.labels
        vouches = decision.vouches and not returned.failed and "untrusted" not in filtered.labels
        if vouches:
            self._session.vouch(vouching_text(filtered.text, traced.args))
        self.calls.append(
            msgspec.structs.replace(
                traced,
                returns=filtered.text if vouches else "",
                failed=returned.failed,
                injected=returned.injected,
                brings=tuple(sorted(filtered.labels)),
            )
        )


class OpenDoor:
    """Lets everything through: what the attacker reaches where nothing stands in the way."""

    def begin(self, prompt: str) -> None:
        """Nothing to remember."""

    def prepare(self, offered: Offered) -> list[Offered]:
        """Nothing needs preparing."""
        del offered
        return []

    def decide(self, offered: Offered) -> bool:
        """Let it through."""
        del offered
        return True

    def note(self, returned: Returned) -> None:
        """Nothing to remember."""


def list_cases(opened: Opened, attacks: str, suites: Sequence[str] = ()) -> list[CaseName]:
    """Every user task alone, then the attacks upon `first6`, `all` or none of them, suite by suite."""
    cases = []
    for suite in opened.suites:
        if suites and suite.suite not in suites:
            continue
        attacked = {"all": suite.user_tasks, "first6": suite.user_tasks[:FIRST], "none": ()}[attacks]
        cases += [CaseName(suite=suite.suite, user_task=task) for task in suite.user_tasks]
        cases += [
            CaseName(suite=suite.suite, user_task=task, attack=attack)
            for task in attacked
            for attack in suite.attacks
        ]
    return cases


def find_launderers(rules: Rules, suite: SuiteOffer) -> dict[str, dict[str, str]]:
    """The tools of a suite that may vouch under a policy and take texts, with the parameters that do."""
    return {
        tool: dict(parameters)
        for tool, parameters in suite.parameters.items()
        if parameters and _may_vouch(rules, suite.suite, tool)
    }


def _may_vouch(rules: Rules, server: str, tool: str) -> bool:
    call = ToolCall(server=server, tool=tool, arguments={})
    return rules.policy.decide(call, SessionView()).vouches


def _fill(parameters: Mapping[str, str], text: str) -> dict[str, object]:
    return {name: [text] if kind == "list" else text for name, kind in parameters.items()}


async def replay_cases(
    world: WorldProcess, rules: Rules, cases: Sequence[CaseName], attacker: str = "literal"
) -> AsyncIterator[Trace]:
    """The trace of each case, in order. Raises SandboxError where the world breaks off."""
    launderers: dict[str, dict[str, dict[str, str]]] = {}
    if attacker == "laundering":
        launderers = {suite.suite: find_launderers(rules, suite) for suite in world.opened.suites}
    for case in cases:
        feasible = None
        if case.attack:
            feasible = (await world.play(case, OpenDoor())).reached
        player = GuardedPlayer(rules, case, launderers.get(case.suite, NOBODY))
        over = await world.play(case, player)
        yield Trace(
            case=case,
            user_prompt=player.prompt,
            calls=tuple(player.calls),
            reached=over.reached,
            read=over.read,
            error=over.error,
            feasible=feasible,
        )
