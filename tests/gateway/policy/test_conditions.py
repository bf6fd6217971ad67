"""Conditions: what they may ask, what they refuse, and what a request can make of them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.gateway.policy.conditions import Condition, ConditionError
from verilabel.gateway.policy.expression import MAX_SOURCE
from verilabel.gateway.policy.facts import NO_LABEL, Facts, LabelFacts, read_label

PLACE = "policy.yaml: $.rules[0].when"


@dataclass
class Key:
    id: str = "k1"
    name: str = "team-a"
    role: str = "user"
    user: str = "u1"


def make_facts(*, label: LabelFacts = NO_LABEL, key: Key | None = None, **request: Any) -> Facts:
    given: dict[str, Any] = {
        "model": "gpt-4",
        "route": "gpt-*",
        "stream": False,
        "media": 0,
        "tools": ["search", "pay"],
        "turns": 3,
        "system": "Be brief.",
        "params": {"temperature": 0.7},
        "end_user": None,
    }
    # Monday
    now = datetime(2026, 11, 23, 17, 5, tzinfo=UTC)
    return Facts(request={**given, **request}, key=key or Key(), now=now, label=label)


def holds(source: str, **request: Any) -> bool:
    return Condition(source, PLACE).holds(make_facts(**request))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("request.model == 'gpt-4'", True),
        ("request.route.startsWith('claude')", False),
        ("request.turns > 2 && !request.stream", True),
        ("'pay' in request.tools", True),
        ("request.tools.exists(t, t.startsWith('pay'))", True),
        ("request.tools.all(t, t.size() == 6)", False),
        ("size(request.tools) == 2", True),
        ("request.tools.filter(t, t != 'pay') == ['search']", True),
        ("request.params.temperature <= 0.7", True),
        ("request.params['temperature'] > 1", False),
        ("has(request.params.top_k) && request.params.top_k > 5", False),
        ("request.end_user == null", True),
        ("key.role == 'user' && key.user == 'u1'", True),
        ("now.weekday == 1 && now.hour >= 17 && now.minute < 10", True),
        ("label.present", False),
        ("request.system.contains('brief') ? request.media == 0 : false", True),
        ("request.model.matches(r'^gpt-[0-9]$') // RE2", True),
    ],
)
def test_a_condition_reads_the_facts_of_a_request(source: str, expected: bool) -> None:
    assert expected == holds(source)


def test_a_condition_reads_the_label_in_the_header() -> None:
    label = read_label("verilabel/core@1 L2 cannot-exclude=L3 V2s sha256:1f")
    source = (
        "label.present && label.rubric == 'verilabel/core@1' && label.granted == 'L2' && "
        "label.cannot_exclude == 'L3' && label.verification == 'V2s' && label.digest == 'sha256:1f'"
    )
    assert Condition(source, PLACE).holds(make_facts(label=label))
    assert not Condition(source, PLACE).holds(make_facts())


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ("request.modle == 'x'", "request has no 'modle'", "did you mean 'model'?"),
        ("reqest.model == 'x'", "conditions know no 'reqest'", "did you mean 'request'?"),
        (
            "request.model.startWith('x')",
            "conditions have no function startWith()",
            "did you mean 'startsWith'?",
        ),
        ("request == 1", "'request' alone is nothing to compare", "request.model"),
        ("request.turns", "the condition gives neither true nor false", "compare"),
        ("request.turns >", "not a CEL condition", None),
        ("", "the condition is empty", "always holds"),
        ("request.turns * 1.5 > 2.0", "fails on every request", "double(request.turns)"),
        ("request.params.temperature * 2 > 1", "fails on every request", "write 1.0"),
        ("request.turns > 9007199254740993", "beyond 2^53", None),
        ("request.turns == 1u", "1u is not a number", None),
        ("{'a': 1}.a == 1", "'{' at character 1", None),
        ("b'a' == b'a'", "conditions know no 'b'", None),
        ("'''a''' == 'a'", "triple quotes", None),
        ("has(request.model)", "has() asks for parameters alone", None),
        ("request.model.matches(request.system)", "is a text in quotes", None),
        ("request.model.matches('(')", "no pattern that RE2 takes", None),
        ("request.model.matches('(?=a)')", "no pattern that RE2 takes", None),
        ("request.tools.exists(t, request.tools.all(u, u == t))", "inside another macro", None),
        ("request.tools.exists(t, request.system.contains(t))", "inside a macro", None),
        ("request.tools.exists(key, true)", "cannot name an element", None),
        ("request.tools.exists(request_model, true)", "cannot name an element", None),
        ("request.tools.exists(t, t == 'a') && t == 'a'", "conditions know no 't'", None),
        ("string(request.turns) == '1'", "conditions have no function string()", None),
        ("timestamp('2026-01-01T00:00:00Z') == null", "conditions have no function timestamp()", None),
        ("request.params.?model == 'x'", "a point without a name", None),
    ],
)
def test_a_condition_that_could_not_be_meant_is_refused_when_it_is_read(
    source: str, message: str, hint: str | None
) -> None:
    with pytest.raises(MalformedInput) as caught:
        Condition(source, PLACE)
    assert message in caught.value.message
    assert PLACE == caught.value.where
    assert hint is None or hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    "source",
    [
        "request.turns > 1 " + "|| request.turns > 1 " * 200,
        "(" * 13 + "true" + ")" * 13,
        " || ".join(["request.tools.exists(t, t == 'a')"] * 5),
        " || ".join(["request.system == 'a'"] * 9),
        "1" + " + 1" * 17 + " > 0",
        " || ".join(["request.model.matches('a')"] * 5),
        "request.model.matches('(\\\\pL{1,20} ){1,20}')",
    ],
    ids=["long", "nested", "macros", "system", "sums", "patterns", "program"],
)
def test_a_condition_beyond_its_bounds_is_refused(source: str) -> None:
    with pytest.raises(LimitExceeded):
        Condition(source, PLACE)


def test_the_longest_chains_that_are_allowed_do_not_end_a_process_with_a_small_stack() -> None:
    # the engine's parser recurses, and a source ten times as long ends the process
    program = f"""
import sys, threading
from verilabel.gateway.policy.conditions import Condition
from verilabel.errors import VerilabelError

def read():
    n = {MAX_SOURCE}
    sources = [
        "request.params" + ".a" * ((n - 20) // 2) + " == 1",
        "request.tools" + "[0]" * ((n - 20) // 3) + " == 'a'",
        "!" * (n - 4) + "true",
        "-" * (n - 10) + "1 == 1",
        "1" + "-1" * ((n - 10) // 2) + " < 0",
        "true" + " || true" * ((n - 4) // 8),
        "true ? " * 130 + "true" + " : true" * 130,
    ]
    for source in sources:
        assert len(source) <= n
        try:
            Condition(source, "x")
        except VerilabelError:
            pass
    print("alive")

threading.stack_size(1024 * 1024)
thread = threading.Thread(target=read)
thread.start()
thread.join()
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (0, "alive\n") == (ended.returncode, ended.stdout)


def test_size_counts_characters_and_not_bytes() -> None:
    assert holds("size(request.system) == 3 && request.system.size() == 3", system="é🙂x")


def test_patterns_are_re2_whose_classes_are_ascii() -> None:
    # an Arabic-Indic digit and a letter with an accent: \d and \w of CEL's RE2 match neither
    assert not holds(r"request.model.matches('\\d')", model="\u0663")
    assert not holds(r"request.model.matches(r'\w')", model="é")
    assert holds(r"request.model.matches(r'\pL')", model="é")


@given(
    turns=st.integers(0, 2**53),
    number=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
)
def test_whole_numbers_and_doubles_compare_as_numbers(turns: int, number: float) -> None:
    facts = {"turns": turns, "params": {"x": number}}
    assert (turns < number) == holds("request.turns < request.params.x", **facts)
    assert (turns >= number) == holds("request.turns >= request.params.x", **facts)
    assert (turns == number) == holds("request.turns == request.params.x", **facts)
    assert (turns == number) == holds("request.params.x in [request.turns]", **facts)


@pytest.mark.parametrize("written", [7, 7.0])
def test_a_client_cannot_change_a_condition_by_writing_1_as_1_point_0(written: float) -> None:
    assert holds("request.params.n / 2.0 == 3.5 && request.params.n == 7", params={"n": written})
    with pytest.raises(MalformedInput):
        Condition("request.params.n / 2 == 3", PLACE)


@pytest.mark.parametrize(
    ("source", "request_facts"),
    [
        ("request.params.temperature > 1.0", {"params": {}}),
        ("request.params.temperature > 1.0", {"params": {"temperature": "hot"}}),
        ("request.params.temperature > 1.0", {"params": {"temperature": None}}),
        ("request.params.temperature > 1.0", {"params": {"temperature": 2**53 + 1}}),
        ("request.params.temperature > 1.0", {"params": {"temperature": float("inf")}}),
        ("request.params.temperature > 1.0", {"params": {"temperature": object()}}),
        ("request.params == request.params", {"params": {str(i): i for i in range(300)}}),
        ("request.system.contains('x')", {"system": "y" * (2**20 + 1)}),
        ("request.system.matches('x')", {"system": "x" * 65_537}),
        ("request.model == 'x'", {"model": "\ud800"}),
        ("'x' in request.tools", {"tools": ["y"] * 513}),
        ("'x' in request.tools", {"tools": [3]}),
        ("request.turns > 1", {"turns": 1.0}),
        ("request.stream", {"stream": 1}),
        ("request.end_user.startsWith('a')", {}),
        ("request.tools[5] == 'a'", {}),
        ("1 / request.media > 0", {}),
    ],
)
def test_what_cannot_be_decided_is_an_error_and_neither_true_nor_false(
    source: str, request_facts: dict[str, Any]
) -> None:
    condition = Condition(source, PLACE)
    with pytest.raises(ConditionError) as caught:
        condition.holds(make_facts(**request_facts))
    assert str(caught.value).endswith(PLACE)


def test_an_error_says_nothing_of_the_request() -> None:
    condition = Condition("request.params.temperature > 1.0", PLACE)
    with pytest.raises(ConditionError) as caught:
        condition.holds(make_facts(params={"temperature": "secret-value"}))
    assert "secret" not in repr(caught.value) + str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("source", "request_facts"),
    [
        ("size(request.params.n) > 1", {"params": {"n": 5}}),
        ("request.end_user.matches('a')", {"end_user": None}),
        ("request.system.matches('a')", {"system": "a" * 70_000}),
        ("request.tools[0] == 'a'", {"tools": []}),
    ],
)
def test_no_request_makes_the_engine_log_anything(
    source: str, request_facts: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    condition = Condition(source, PLACE)
    caplog.clear()
    with caplog.at_level(0), pytest.raises(ConditionError):
        condition.holds(make_facts(**request_facts))
    assert [] == caplog.records


def test_facts_that_no_condition_asks_for_are_not_looked_at() -> None:
    assert holds("request.turns == 3", system=object(), tools=[object()], params=None)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    params=st.dictionaries(st.sampled_from(["temperature", "n"]), ANY_JSON),
    system=ANY_JSON,
    end_user=ANY_JSON,
)
def test_no_request_makes_a_condition_fail_otherwise(params: Any, system: Any, end_user: Any) -> None:
    conditions = (
        "request.params.temperature > 1.0 || request.params.n == 'a'",
        "request.params == request.params && size(request.params) > 1",
        "request.system.contains('a') || size(request.system) > 3",
        "request.end_user != null && request.end_user.matches('^a')",
    )
    for source in conditions:
        try:
            assert Condition(source, PLACE).holds(
                make_facts(params=params, system=system, end_user=end_user)
            ) in (True, False)
        except ConditionError as error:
            assert str(error).endswith(PLACE)


@given(st.text(st.sampled_from("request.model()=!&|<>?:[]'\"\\/+-*%,. 019aueth\n{}@#$\x00é"), max_size=60))
def test_no_source_makes_reading_fail_otherwise(source: str) -> None:
    try:
        Condition(source, PLACE)
    except MalformedInput as error:
        assert error.where == PLACE
