"""The tests that a policy carries: what must come of a text or a request, held against what does."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from verilabel.errors import VerilabelError
from verilabel.gateway.policy.document import ActionWord, Policy, PolicyTest

LONGEST_SHOWN = 200


class Outcome(msgspec.Struct, frozen=True):
    """What came of a test: the strongest action that was taken, the rules that were found, the text that came out."""

    action: ActionWord
    rules: tuple[str, ...] = ()
    text: str | None = None


Inspect = Callable[[PolicyTest], Outcome]
"""Carries out one test under the policy."""


class Tried(msgspec.Struct, frozen=True):
    """A test that was carried out. `problems` say in what it failed; none where it passed."""

    name: str
    problems: tuple[str, ...] = ()
    outcome: Outcome | None = None

    @property
    def passed(self) -> bool:
        """True if everything came as the test expects."""
        return not self.problems


def run_tests(policy: Policy, inspect: Inspect) -> tuple[Tried, ...]:
    """Carry out every test of a policy, in order. A test that cannot be carried out has failed."""
    return tuple(_run_test(test, inspect) for test in policy.tests)


def _run_test(test: PolicyTest, inspect: Inspect) -> Tried:
    try:
        outcome = inspect(test)
    except VerilabelError as error:
        return Tried(test.name, (f"could not be carried out: {error.message}",))
    problems = []
    if outcome.action != test.expect:
        problems.append(f"expected {test.expect}, came {outcome.action}")
    if absent := [rule for rule in test.rules if rule not in outcome.rules]:
        found = ", ".join(outcome.rules) or "none"
        problems.append(f"not found: {', '.join(absent)} (found: {found})")
    if test.text is not None and outcome.text != test.text:
        problems.append(f"expected the text {_shown(test.text)}, came {_shown(outcome.text)}")
    return Tried(test.name, tuple(problems), outcome)


def _shown(text: str | None) -> str:
    if text is None:
        return "none"
    return repr(text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "...")
