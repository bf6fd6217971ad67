"""Rules on arguments: types, sizes, lists, numbers, patterns, and values that nobody expected."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tool_policies import call_of, policy_of, session_of
from verilabel.gateway.mcp.policy.arguments import is_text_within, scalar_key
from verilabel.gateway.mcp.policy.compiling import Compiled

ABSENT = object()
JSON: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text("\ud800\udfff\x00a", max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def with_rule(rule: str) -> Compiled:
    return policy_of(f"default: deny\ntools:\n  - {{id: r, match: a/b, args: {{x: {rule}}}}}\n")


def allows(rule: str, value: object) -> bool:
    arguments = {} if value is ABSENT else {"x": value}
    return with_rule(rule).decide(call_of("a/b", **arguments), session_of()).action == "allow"


@pytest.mark.parametrize(
    ("rule", "value", "allowed"),
    [
        ("{type: string}", "x", True),
        ("{type: string}", ["x", "y"], True),
        ("{type: string}", 1, False),
        ("{type: string}", {"x": 1}, False),
        ("{type: string}", ["x", 1], False),
        ("{type: string}", [["x"]], False),
        ("{type: string}", "\ud800", False),
        ("{type: integer}", 5, True),
        ("{type: integer}", 5.0, False),
        ("{type: integer}", True, False),
        ("{type: integer}", "5", False),
        ("{type: number, min: 0, max: 1.5}", 1.5, True),
        ("{type: number, min: 0, max: 1.5}", 1.6, False),
        ("{type: number, min: 0, max: 1.5}", -1, False),
        ("{type: number, min: 0, max: 1.5}", float("nan"), False),
        ("{type: number}", float("inf"), False),
        ("{max: 3}", "2", False),
        ("{type: boolean}", True, True),
        ("{type: boolean}", 1, False),
        ("{type: list, max_items: 2}", ["a", {"b": 1}], True),
        ("{type: list, max_items: 2}", ["a", "b", "c"], False),
        ("{type: list}", "a", False),
        ("{type: object}", {"a": []}, True),
        ("{type: object}", [], False),
        ("{max_items: 1}", "a", True),
        ("{max_items: 1}", ["a", "b"], False),
        ("{pattern: 'a+'}", "aaa", True),
        ("{pattern: 'a+'}", "aab", False),
        ("{pattern: 'a+'}", "aa\n", False),
        ("{pattern: 'a|b'}", "ab", False),
        ("{pattern: 'a+'}", 7, False),
        ("{pattern: '.*'}", "\ud800", False),
        ("{one_of: [1, low, true]}", 1, True),
        ("{one_of: [1, low, true]}", 1.0, True),
        ("{one_of: [1, low, true]}", "1", False),
        ("{one_of: [1, low]}", True, False),
        ("{one_of: [0.1]}", 0.1, True),
        ("{one_of: [low]}", ["low", "low"], True),
        ("{one_of: [low]}", ["low", "high"], False),
        ("{one_of: [low]}", {"low": 1}, False),
        ("{max_bytes: 4}", "éé", True),
        ("{max_bytes: 4}", "ééa", False),
        ("{max_bytes: 4}", ["ab", "cde"], False),
        ("{max_bytes: 4}", {"abc": "de"}, False),
        ("{max_bytes: 4}", 999, True),
        ("{max_bytes: 4}", 10**30, False),
        ("{required: true}", ABSENT, False),
        ("{required: true}", None, False),
        ("{required: true}", "", True),
        ("{type: integer}", ABSENT, True),
        ("{type: integer}", None, True),
    ],
)
def test_a_rule_allows_exactly_what_it_says(rule: str, value: object, allowed: bool) -> None:
    assert allowed == allows(rule, value)


def test_an_argument_that_is_not_named_is_refused_where_only_named_ones_may_be() -> None:
    policy = policy_of(
        "default: deny\ntools:\n  - {id: r, match: a/b, only_args: true, args: {x: {type: string}}}\n"
    )
    assert "allow" == policy.decide(call_of("a/b", x="1"), session_of()).action
    assert "allow" == policy.decide(call_of("a/b"), session_of()).action
    decision = policy.decide(call_of("a/b", x="1", webhook="https://evil.example/"), session_of())
    assert ("deny", ("r",)) == (decision.action, decision.rules)
    assert "webhook" not in str(decision.reasons)


def test_a_reason_names_the_argument_and_repeats_no_value() -> None:
    decision = with_rule("{type: email}").decide(call_of("a/b", x="sk-secret"), session_of())
    assert ["the argument x is no plain e-mail address"] == [reason.why for reason in decision.reasons]


def test_a_list_of_a_million_is_refused_unread() -> None:
    assert not allows("{type: list}", ["x"] * 1_000_000)
    assert not allows("{max_bytes: 10000000}", [[] for _ in range(200_000)])


def test_a_very_deep_value_is_measured_without_recursion() -> None:
    deep: Any = "x"
    for _ in range(50_000):
        deep = [deep]
    assert is_text_within(deep, 10)


@given(JSON, st.integers(0, 50))
def test_measuring_text_never_fails(value: Any, limit: int) -> None:
    assert is_text_within(value, limit) in (True, False)


@given(JSON, JSON)
def test_equal_scalars_have_equal_keys(first: Any, second: Any) -> None:
    one, other = scalar_key(first), scalar_key(second)
    if one is not None and other is not None:
        same_kind = isinstance(first, str) == isinstance(second, str)
        same_kind = same_kind and isinstance(first, bool) == isinstance(second, bool)
        assert (one == other) == (same_kind and first == second) or isinstance(first, float | int)


RULES = [
    f"{{type: {kind}}}"
    for kind in ("string", "email", "url", "domain", "path", "integer", "number", "boolean", "list", "object")
]
RULES += [
    "{pattern: 'a.*'}",
    "{one_of: [1, a]}",
    "{domains: [a.b]}",
    "{within: [/a]}",
    "{min: 1, max: 2, max_bytes: 9}",
]
COMPILED = [with_rule(rule) for rule in RULES]


@given(JSON, st.sampled_from(COMPILED))
def test_no_json_makes_a_decision_fail(value: Any, policy: Compiled) -> None:
    decision = policy.decide(call_of("a/b", x=value), session_of())
    assert decision.action in ("allow", "deny")
    assert decision == policy.decide(call_of("a/b", x=value), session_of())
