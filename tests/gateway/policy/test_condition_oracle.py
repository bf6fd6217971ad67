"""Conditions against another implementation of CEL, cel-python, on random conditions that both can read."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from verilabel.errors import MalformedInput
from verilabel.gateway.policy.conditions import Condition, ConditionError
from verilabel.gateway.policy.facts import Facts

celpy = pytest.importorskip("celpy", reason="cel-python is the oracle of this test")

TEXTS = ["", "a", "gpt-4", "é🙂x", "\u0663", "GPT", "search"]
NUMBERS = [0, 1, 2, 3, 7, 40]
DOUBLES = [0.0, 0.5, 0.7, 1.0, 2.0, 7.25]
PATTERNS = ["^gpt", r"\\d", r"\\w+", "a|b", "(?i)gpt", r"[^a-z]", r"^.$", r"\\bgpt\\b", r"\\s", "é"]
_recursion_limit = sys.getrecursionlimit()
_environment = celpy.Environment()
sys.setrecursionlimit(_recursion_limit)  # the oracle raises it for the whole process


class _Key:
    id = name = "k"
    role = "user"
    user = "u"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


literals = st.sampled_from(TEXTS).map(_quoted)
texts = st.sampled_from(["request.model", "request.system", "request.end_user", "key.role"]) | literals
leaf_numbers = st.sampled_from(["request.turns", "request.media", "now.hour"]) | st.sampled_from(NUMBERS).map(
    str
)
sizes = (texts | st.just("request.tools")).map(lambda text: f"size({text})") | texts.map(
    lambda text: f"{text}.size()"
)
numbers = st.recursive(
    leaf_numbers | sizes,
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "%"]), inner).map(
        lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
    ),
    max_leaves=4,
)
doubles = st.sampled_from(["request.params.temperature", "double(request.turns)"]) | st.sampled_from(
    DOUBLES
).map(str)
orders = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])


def _compared(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(values, orders, values).map(" ".join)


atoms = st.one_of(
    _compared(numbers),
    _compared(doubles),
    _compared(texts),
    st.tuples(texts, st.sampled_from(["contains", "startsWith", "endsWith"]), texts).map(
        lambda parts: f"{parts[0]}.{parts[1]}({parts[2]})"
    ),
    st.tuples(texts, st.sampled_from(PATTERNS)).map(lambda parts: f"{parts[0]}.matches('{parts[1]}')"),
    texts.map(lambda text: f"{text} in request.tools"),
    st.tuples(st.sampled_from(["all", "exists", "exists_one"]), literals | st.just("request.model")).map(
        lambda parts: f"request.tools.{parts[0]}(t, t == {parts[1]})"
    ),
    literals.map(lambda text: f"size(request.tools.filter(t, t.contains({text}))) > 1"),
    st.sampled_from(["request.stream", "has(request.params.temperature)", "has(request.params.top_k)"]),
)
conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        inner.map(lambda each: f"!({each})"),
        st.tuples(inner, inner, inner).map(lambda p: f"({p[0]} ? {p[1]} : {p[2]})"),
    ),
    max_leaves=4,
)
requests = st.fixed_dictionaries(
    {
        "model": st.sampled_from(TEXTS),
        "system": st.sampled_from(TEXTS),
        "end_user": st.sampled_from(TEXTS),
        "stream": st.booleans(),
        "media": st.sampled_from(NUMBERS),
        "turns": st.sampled_from(NUMBERS),
        "tools": st.lists(st.sampled_from(TEXTS), max_size=4),
        "params": st.sampled_from(DOUBLES).map(lambda value: {"temperature": value}),
    }
)


def _ask_oracle(source: str, request: dict[str, Any]) -> bool | None:
    document = {"request": request, "key": {"role": "user"}, "now": {"hour": 9}}
    program = _environment.program(_environment.compile(source))
    try:
        return bool(program.evaluate(celpy.json_to_cel(document)))
    except celpy.CELEvalError:
        return None


@settings(max_examples=300)
@given(source=conditions, request=requests)
def test_conditions_hold_where_cel_says_so(source: str, request: dict[str, Any]) -> None:
    now = datetime(2026, 1, 1, 9, tzinfo=UTC)
    facts = Facts(request=request, key=_Key(), now=now)
    try:
        held: bool | None = Condition(source, "x").holds(facts)
    except MalformedInput:
        reject()  # fails on every request, as a division by 0 does: refused when it is read
    except ConditionError:
        held = None
    assert _ask_oracle(source, request) == held
