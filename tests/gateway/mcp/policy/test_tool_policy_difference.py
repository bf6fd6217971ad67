"""What `diff` says of two tool policies, and that what it calls no loosening lets nothing more through."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tool_policies import HEAD, MAIL, call_of, session_of
from verilabel.gateway.mcp.policy.compiling import compile_policy
from verilabel.gateway.mcp.policy.difference import compare_tool_policies
from verilabel.gateway.mcp.policy.document import ToolPolicy
from verilabel.gateway.mcp.policy.reading import load_tool_policy
from verilabel.gateway.policy.difference import is_loosened

OLD = MAIL + "limits: {calls_per_session: 10}\n"


def changes(new: str, old: str = OLD) -> dict[str, str]:
    read = [load_tool_policy((HEAD + body).encode(), "p").policy for body in (old, new)]
    return {change.where: change.kind for change in compare_tool_policies(*read)}


def replaced(old: str, new: str) -> dict[str, str]:
    assert old in OLD
    return changes(OLD.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "where", "kind"),
    [
        ("default: deny", "default: ask", "default", "loosened"),
        ("max_items: 5", "max_items: 6", "tools.send.args.to.max_items", "loosened"),
        ("max_bytes: 20", "max_bytes: 10", "tools.send.args.body.max_bytes", "tightened"),
        ("{type: email, max_items: 5}", "{type: email}", "tools.send.args.to.max_items", "loosened"),
        ("{type: email, max_items: 5}", "{max_items: 5}", "tools.send.args.to.type", "loosened"),
        ("{type: email, max_items: 5}", "{type: url, max_items: 5}", "tools.send.args.to.type", "unclear"),
        ("type: email", "type: email, domains: [a.b]", "tools.send.args.to.domains", "tightened"),
        (", body: {max_bytes: 20}", "", "tools.send.args.body", "loosened"),
        ("sink: external, args", "args", "tools.send.sink", "loosened"),
        ("sink: exec}", "sink: write}", "tools.run.sink", "unclear"),
        ("emits: [untrusted]", "emits: []", "tools.tool:mail/read_*.emits", "loosened"),
        ("action: ask", "action: allow", "tools.delete.action", "loosened"),
        ("quorum: 2", "quorum: 1", "tools.delete.quorum", "loosened"),
        ("ttl: 2m", "ttl: 1m", "tools.delete.ttl", "tightened"),
        ("approvers: [admin]", "approvers: [admin, approver]", "tools.delete.approvers", "loosened"),
        ("approvers: [admin], ", "", "tools.delete.approvers", "loosened"),
        ("quorum: 2", "quorum: 2, strict: false", "tools.delete.strict", "loosened"),
        ("trusted_source: true", "trusted_source: false", "tools.book.trusted_source", "tightened"),
        ('"*/shell*"', '"*/*shell*"', "tools.shell.match", "tightened"),
        ('"*/shell*"', '"lab/shell*"', "tools.shell.match", "loosened"),
        ("match: lab/run", "match: 'lab/*'", "tools.run.match", "unclear"),
        ("match: mail/address_book", "match: 'book/*'", "tools.book.match", "unclear"),
        ('  - {id: shell, match: "*/shell*", action: deny}\n', "", "tools.shell", "loosened"),
        ("[private, untrusted]}\n", "[untrusted]}\n", "flows.no-exfil.when.session_has", "tightened"),
        ("args: [to]", "args: [to, cc]", "flows.no-exfil.unless.args_from.args", "unclear"),
        (
            "args: [to]",
            "args: [to], sources: [user_prompt]",
            "flows.no-exfil.unless.args_from.sources",
            "tightened",
        ),
        ("    unless: {args_from: {args: [to]}}\n", "", "flows.no-exfil.unless", "tightened"),
        ("sink: exec}, then: deny", "sink: exec}, then: ask", "flows.no-code.then", "loosened"),
        ("sink: exec}, then", "match: lab/run}, then", "flows.no-code.to.sink", "tightened"),
        ("calls_per_session: 10", "calls_per_session: 9", "limits.calls_per_session", "tightened"),
        ("limits:", "results: {scan: [secrets]}\nlimits:", "results.scan", "loosened"),
        ("limits:", "results: {on_injection: withhold}\nlimits:", "results.on_injection", "tightened"),
        ("limits:", "summary: x\nlimits:", "summary", "changed"),
        ("limits:", "tests: [{trace: [a/b], expect: deny}]\nlimits:", "tests", "changed"),
    ],
)
def test_a_change_is_told_for_what_it_is(old: str, new: str, where: str, kind: str) -> None:
    found = replaced(old, new)
    assert kind == found[where], found


def test_the_same_policy_has_no_changes() -> None:
    assert {} == changes(OLD)


def test_a_new_tool_under_a_denying_default_is_looser_and_its_removal_stricter() -> None:
    new = OLD.replace("tools:\n", "tools:\n  - {id: weather, match: web/weather}\n")
    assert {"tools.weather": "loosened"} == changes(new)
    assert {"tools.weather": "tightened"} == changes(OLD, new)


def test_a_rate_is_compared_where_windows_allow() -> None:
    def of(rate: str) -> str:
        return OLD.replace("sink: exec}\n", f"sink: exec, rate: {{per_session: {rate}}}}}\n", 1)

    where = "tools.run.rate.per_session"
    assert "tightened" == changes(of("5/min"))[where]
    assert "loosened" == changes(of("6/min"), of("5/min"))[where]
    assert "tightened" == changes(of("5/h"), of("5/min"))[where]
    assert "unclear" == changes(of("60/min"), of("2/s"))[where]


# -- soundness ---------------------------------------------------------------------------------------------

RANK = {"allow": 0, "ask": 1, "deny": 2}
BASE: dict[str, Any] = {
    "verilabel": "mcp-policy/v1",
    "policy": "p",
    "version": "1",
    "default": "deny",
    "tools": [
        {"id": "send", "match": "m/send", "sink": "external", "args": {"to": {"one_of": ["ann", "bob"]}}},
        {"id": "all", "match": "m/*", "emits": ["untrusted"]},
        {"id": "run", "match": "*/run", "action": "ask", "sink": "exec"},
        {"id": "no", "match": "f/*", "action": "deny"},
    ],
    "flows": [
        {
            "id": "flow",
            "when": {"session_has": ["untrusted"]},
            "to": {"sink": "external"},
            "unless": {"args_from": {"args": ["to"]}},
        },
    ],
}
RULE_EDITS: dict[str, list[Any]] = {
    "match": ["m/send", "m/*", "*/*", "f/*", "*/run", "f/send"],
    "action": ["allow", "ask", "deny"],
    "sink": [None, "external", "exec"],
    "args": [
        {},
        {"to": {"one_of": ["ann"]}},
        {"to": {"required": True}},
        {"to": {"type": "string", "max_items": 1}},
        {"to": {"max_bytes": 2}, "body": {"required": True}},
    ],
    "only_args": [True, False],
    "reads": [[], ["private"]],
    "emits": [[], ["untrusted"]],
    "trusted_source": [True, False],
    "mode": ["enforce", "shadow"],
}
FLOW_EDITS: dict[str, list[Any]] = {
    "when": [{"session_has": []}, {"session_has": ["untrusted"]}, {"session_has": ["untrusted", "private"]}],
    "to": [{"sink": "external"}, {"sink": "exec"}, {"match": "m/*"}, {"match": "m/send", "sink": "external"}],
    "then": ["ask", "deny"],
    "unless": [
        None,
        {"args_from": {"args": ["to"]}},
        {"args_from": {"args": ["to", "body"]}},
        {"args_from": {"args": ["*"], "but": ["body"]}},
        {"arg_in": {"arg": "to", "one_of": ["ann"]}},
        {"arg_in": {"arg": "to", "one_of": ["ann", "bob"]}, "args_from": {"args": ["to"]}},
    ],
    "mode": ["enforce", "shadow"],
}
CALLS = [
    call_of(name, **arguments)
    for name in ("m/send", "m/read", "m/run", "f/send", "f/run", "x/y")
    for arguments in (
        {},
        {"to": "ann"},
        {"to": "bob", "body": "hi"},
        {"to": ["ann", "bob"]},
        {"body": "ann"},
        {"to": 7},
    )
]
SESSIONS = [
    session_of(*labels, prompt=prompt)
    for labels in ((), ("untrusted",), ("private", "untrusted"))
    for prompt in ("", "ann", "ann hi")
]
rule_edit = st.sampled_from([(word, value) for word, values in RULE_EDITS.items() for value in values])
flow_edit = st.sampled_from([(word, value) for word, values in FLOW_EDITS.items() for value in values])


def edit(draw: st.DrawFn, document: dict[str, Any], name: str) -> None:
    """Change one thing in a policy."""
    kind = draw(st.sampled_from(("rule", "flow", "default", "remove", "drop", "add")))
    if kind == "rule":
        word, value = draw(rule_edit)
        draw(st.sampled_from(document["tools"]))[word] = value
    elif kind == "flow" and document["flows"]:
        word, value = draw(flow_edit)
        draw(st.sampled_from(document["flows"]))[word] = value
    elif kind == "default":
        document["default"] = draw(st.sampled_from(("allow", "ask", "deny")))
    elif kind == "remove" and len(document["tools"]) > 1:
        document["tools"].pop(draw(st.integers(0, len(document["tools"]) - 1)))
    elif kind == "drop":
        document["flows"] = []
    elif kind == "add":
        edits = dict(draw(st.lists(rule_edit, max_size=3)))
        document["tools"].append({"match": "m/send", **edits, "id": name})


@st.composite
def edited_pairs(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A policy, and the same with one or two things changed, in either order."""
    old = copy.deepcopy(BASE)
    for number in range(draw(st.integers(0, 3))):
        edit(draw, old, f"new{number}")
    new = copy.deepcopy(old)
    for number in range(draw(st.integers(1, 2))):
        edit(draw, new, f"newer{number}")
    return (old, new) if draw(st.booleans()) else (new, old)


@settings(max_examples=150)
@given(edited_pairs())
def test_what_is_called_no_loosening_lets_no_call_through_that_was_stopped(
    pair: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    before, after = (msgspec.convert(each, ToolPolicy) for each in pair)
    if is_loosened(compare_tool_policies(before, after)):
        return
    first, second = compile_policy(before, ""), compile_policy(after, "")
    for call in CALLS:
        for session in SESSIONS:
            was, now = first.decide(call, session), second.decide(call, session)
            assert RANK[now.action] >= RANK[was.action], (call, session, pair)
            if now.action != "deny":
                assert now.before >= was.before and now.after >= was.after and now.vouches <= was.vouches
