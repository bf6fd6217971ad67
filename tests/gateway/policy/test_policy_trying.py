"""The tests inside a policy: each passes or says why not."""

from __future__ import annotations

from verilabel.errors import ModelError
from verilabel.gateway.policy.document import PolicyTest
from verilabel.gateway.policy.reading import load_policy
from verilabel.gateway.policy.trying import Outcome, run_tests

POLICY = load_policy(
    b"""policy: mine
version: '1'
tests:
  - {name: passes, input: hello, expect: allow, text: hello}
  - {name: redacts, output: my secret word, expect: redact, rules: [words.secret], text: 'my [WORD] word'}
  - {name: breaks, input: boom, expect: block}
""",
    "mine.yaml",
).policy


def inspect(test: PolicyTest) -> Outcome:
    """A small policy of one word."""
    text = test.input if test.input is not None else test.output
    assert text is not None
    if text == "boom":
        raise ModelError("the guard model does not answer")
    if "secret" in text:
        return Outcome("redact", ("words.secret",), text.replace("secret", "[WORD]"))
    return Outcome("allow", (), text)


def test_a_test_passes_where_action_rules_and_text_are_as_expected() -> None:
    assert [True, True, False] == [tried.passed for tried in run_tests(POLICY, inspect)]


def test_a_test_that_cannot_be_carried_out_has_failed_with_the_reason() -> None:
    assert ("could not be carried out: the guard model does not answer",) == run_tests(POLICY, inspect)[
        2
    ].problems


def test_a_failed_test_says_what_came_instead() -> None:
    tried = run_tests(POLICY, lambda _: Outcome("flag", ("other",), "x" * 500))
    assert ("expected allow, came flag", f"expected the text 'hello', came {'x' * 200 + '...'!r}") == tried[
        0
    ].problems
    assert "not found: words.secret (found: other)" in tried[1].problems
