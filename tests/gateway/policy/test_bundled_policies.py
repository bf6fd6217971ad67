"""The bundled policies under the real guards: what their own tests expect is what the guards find."""

from __future__ import annotations

from pathlib import Path

import pytest

from verilabel.detectors.spans.ruleset import RuleSet
from verilabel.gateway.guards.catalogue import Resources, check_settings, open_guard
from verilabel.gateway.guards.interface import Conversation, Guard, SpanGuard
from verilabel.gateway.policy.bundled import bundled_bytes, bundled_names
from verilabel.gateway.policy.document import PolicyTest
from verilabel.gateway.policy.reading import load_policy
from verilabel.gateway.policy.trying import Outcome, run_tests
from verilabel.gateway.verdicts import Action, Direction


def find_rules(guard: Guard, text: str, direction: Direction) -> list[str]:
    if isinstance(guard, SpanGuard):
        rules = RuleSet(guard.rules)
        return [rules.rules[match.rule].id for match in rules.find(text)]
    judgement = guard.judge_now(text, "content", direction, Conversation())
    return [judgement.rule] if judgement.found else []


@pytest.mark.parametrize("name", bundled_names())
def test_what_a_bundled_policy_expects_is_what_its_guards_find(name: str) -> None:
    policy = load_policy(bundled_bytes(name), name, check_guard=check_settings).policy
    opened = [(entry, open_guard(entry, Resources(folder=Path()))) for entry in policy.guards]

    def inspect(test: PolicyTest) -> Outcome:
        direction: Direction = "output" if test.input is None else "input"
        text = str(test.output if test.input is None else test.input)
        found = [
            (entry, rule)
            for entry, guard in opened
            if direction in entry.on
            for rule in find_rules(guard, text, direction)
        ]
        actions = [
            Action[entry.rules.get(rule, entry.action).upper()]
            for entry, rule in found
            if entry.mode == "enforce"
        ]
        worst = max(actions, default=Action.ALLOW)
        return Outcome(worst.word, tuple(rule for _, rule in found), text)  # type: ignore[arg-type]

    assert [] == [(tried.name, tried.problems) for tried in run_tests(policy, inspect) if not tried.passed]
