"""What counts as the same system: parameters as decimals, prompts and tools by digest, guardrails by policy."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.gateway.admission.scope import (
    GUARDRAIL,
    comparable,
    digest_tool,
    find_request_difference,
    find_served_difference,
    find_target_difference,
)
from verilabel.records.canonical import digest, jcs
from verilabel.records.system import SystemDescriptor

TOOL = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}
POLICY = "sha256:" + "a" * 64


def system(**changes: Any) -> SystemDescriptor:
    """A descriptor with changes."""
    return SystemDescriptor(name="m", provider_model="m-1", identity="provider_asserted", **changes)


@given(st.text(min_size=1, max_size=200), st.text(max_size=200))
def test_a_prompt_is_the_label_s_exactly_where_its_bytes_are(label: str, used: str) -> None:
    labelled = system(system_prompt=digest(label.encode("utf-8", "surrogatepass")))
    said = find_request_difference("system_prompt", labelled, {"system": used})
    assert (label == used) == (said is None)


def test_no_prompt_and_the_empty_prompt_are_the_same() -> None:
    for labelled in (system(), system(system_prompt=digest(b""))):
        for used in ({}, {"system": ""}, {"system": None}):
            assert find_request_difference("system_prompt", labelled, used) is None
        assert find_request_difference("system_prompt", labelled, {"system": "x"}) is not None


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-1000, max_value=1000))
def test_a_number_is_the_same_however_it_is_written(number: Decimal) -> None:
    assert comparable(str(number)) == comparable(number) == comparable(float(number))
    assert comparable(str(number) + "0") == comparable(number)


@pytest.mark.parametrize(
    ("label", "used"),
    [
        (1, True),
        (True, "true"),
        ("0", None),
        ("NaN", float("nan")),
        ("high", "low"),
        ("1_0", 10),
        (1, 10**400),
        ("1", "١"),
        (5, [5]),
    ],
)
def test_values_that_are_not_the_same_differ(label: Any, used: Any) -> None:
    said = find_request_difference("params", system(params={"p": label}), {"params": {"p": used}})
    assert f"params: p (the label's is {label})" == said


def test_tools_are_the_same_names_with_the_same_definitions() -> None:
    labelled = system(tools={"search": digest(jcs(TOOL))})
    reordered = {"function": TOOL["function"], "type": "function"}
    changed = {**TOOL, "type": "custom"}
    for tools, expected in (
        ({"search": TOOL}, None),
        ({"search": reordered}, None),
        ({"search": changed}, "tools: search (another definition)"),
        ({}, "tools: search (not offered)"),
        ({"search": TOOL, "shell": TOOL}, "tools: 1 that the label was made without"),
    ):
        assert expected == find_request_difference("tools", labelled, {"tools": tools})


def test_a_definition_without_canonical_bytes_is_never_the_label_s() -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = {"a": deep}
    assert [None, None, None] == [
        digest_tool({"minimum": 0.5}),
        digest_tool({"a": {1, 2}}),
        digest_tool(deep),
    ][:3]


def test_many_definitions_are_not_all_remembered() -> None:
    digests = {digest_tool({"n": number}) for number in range(3000)}
    assert 3000 == len(digests)
    assert digest(jcs({"n": 1})) == digest_tool({"n": 1})


def test_guardrails_are_the_gateway_s_policy_and_nothing_else() -> None:
    for label, used, expected in (
        ({GUARDRAIL: POLICY}, POLICY, None),
        ({GUARDRAIL: POLICY}, {GUARDRAIL: POLICY}, None),
        ({}, None, None),
        ({}, {}, None),
        ({GUARDRAIL: POLICY}, None, "guardrails: the label was made under the policy sha256:aaaaaaaaaaaa"),
        (
            {GUARDRAIL: POLICY},
            "sha256:b",
            "guardrails: the label was made under the policy sha256:aaaaaaaaaaaa",
        ),
        (
            {GUARDRAIL: POLICY, "nemo": POLICY},
            POLICY,
            "guardrails: the label was made with nemo, which is not",
        ),
    ):
        said = find_request_difference("guardrails", system(guardrails=label), {"guardrails": used})
        assert said == expected or (expected is not None and str(said).startswith(expected))


def test_an_address_is_the_same_with_and_without_a_slash_at_the_end() -> None:
    labelled = system(base_url="https://api.example/v1")
    for address, is_same in (("https://api.example/v1/", True), ("https://api.example/v2", False)):
        assert is_same == (find_target_difference("base_url", labelled, model=None, base_url=address) is None)


def test_what_neither_side_says_about_what_was_served_is_no_difference() -> None:
    served = frozenset({("m-1-2026", "fp_1"), ("m-1-2026", "fp_2")})
    assert find_served_difference("provider_model", served, None, None) is None
    assert find_served_difference("fingerprint", frozenset({("m", "")}), "m", "fp_9") is None
    assert find_served_difference("fingerprint", served, "m-1-2026", "fp_2") is None
    said = find_served_difference("fingerprint", served, "m-1-2026", "fp_3")
    assert "fingerprint: the provider served another than the label's fp_1, fp_2" == said
