"""Decisions on calls: what is stronger, what labels do, what shadow rules do not, and what never changes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tool_policies import MAIL, call_of, policy_of, said, session_of
from verilabel.gateway.mcp.policy.compiling import Compiled, compile_policy, strictest
from verilabel.gateway.mcp.policy.document import ToolPolicy
from verilabel.gateway.mcp.policy.interface import SessionView, Terms

RANK = {"allow": 0, "ask": 1, "deny": 2}
BOTH = ("private", "untrusted")


@pytest.fixture(scope="module")
def mail() -> Compiled:
    return policy_of(MAIL)


def test_the_approval_table_of_an_agent_that_may_be_taken_over(mail: Compiled) -> None:
    send = call_of("mail/send", to="ann@corp.example", body="hi")
    prompt = "Write to ann@corp.example"
    table = [
        (send, session_of(), "allow", "send"),
        (send, session_of("untrusted"), "allow", "send"),
        (send, session_of("private"), "allow", "send"),
        (send, session_of(*BOTH), "ask", "no-exfil"),
        (send, session_of(*BOTH, prompt=prompt), "allow", "send"),
        (send, session_of(*BOTH, trusted="Ann Lee <ann@corp.example>"), "allow", "send"),
        (call_of("mail/send", to="x@evil.example"), session_of(*BOTH, prompt=prompt), "ask", "no-exfil"),
        (call_of("mail/send", body="hi"), session_of(*BOTH, prompt=prompt), "ask", "no-exfil"),
        (call_of("mail/send", to="Ann <ann@corp.example>"), session_of(), "deny", "send"),
        (call_of("mail/send", to="ann@corp.example", body="x" * 21), session_of(), "deny", "send"),
        (call_of("mail/read_inbox"), session_of(*BOTH), "allow", "tool:mail/read_*"),
        (call_of("files/delete"), session_of(), "ask", "delete"),
        (call_of("x/shell_run"), session_of(), "deny", "shell"),
        (call_of("lab/run"), session_of(), "allow", "run"),
        (call_of("lab/run"), session_of("untrusted"), "deny", "no-code"),
        (call_of("mail/forget"), session_of(), "deny", "default"),
        (call_of("Mail/send", to="ann@corp.example"), session_of(), "deny", "default"),
    ]
    assert [(action, (rule,)) for _, _, action, rule in table] == [
        said(mail.decide(call, session)) for call, session, _, _ in table
    ]


def test_a_call_brings_its_labels_and_a_denied_one_none(mail: Compiled) -> None:
    read = mail.decide(call_of("mail/read_inbox"), session_of())
    assert (frozenset({"private"}), frozenset({"untrusted"})) == (read.before, read.after)
    denied = mail.decide(call_of("lab/run"), session_of("untrusted"))
    assert (frozenset(), frozenset(), "exec") == (denied.before, denied.after, denied.sink)


def test_an_asked_call_keeps_labels_and_says_who_decides(mail: Compiled) -> None:
    decision = mail.decide(call_of("files/delete"), session_of())
    assert Terms(approvers=("admin",), quorum=2, ttl_s=120) == decision.terms
    assert None is mail.decide(call_of("mail/read_inbox"), session_of()).terms


def test_all_rules_that_match_hold_together() -> None:
    policy = policy_of(
        """default: deny
tools:
  - {match: "m/*", action: allow, emits: [untrusted]}
  - {match: "m/send", action: ask, reads: [private], rate: {per_session: 2/min, per_principal: 9/h}}
  - {match: "m/send*", args: {to: {required: true}}}
"""
    )
    decision = policy.decide(call_of("m/send", to="x"), session_of())
    assert ("ask", ("tool:m/send",)) == said(decision)
    assert (frozenset({"private"}), frozenset({"untrusted"})) == (decision.before, decision.after)
    assert [("session", 2, 60.0), ("principal", 9, 3600.0)] == [r[1:] for r in decision.rates]
    assert ("deny", ("tool:m/send*",)) == said(policy.decide(call_of("m/send"), session_of()))


@pytest.mark.parametrize("default", ["allow", "ask", "deny"])
def test_the_default_speaks_where_no_rule_matches(default: str) -> None:
    policy = policy_of(f"default: {default}\ntools: [{{match: a/b}}]\n")
    assert (default, ("default",)) == said(policy.decide(call_of("a/c"), session_of()))
    assert ("allow", ("tool:a/b",)) == said(policy.decide(call_of("a/b"), session_of()))


def test_a_default_that_asks_has_plain_terms() -> None:
    assert Terms() == policy_of("default: ask\n").decide(call_of("a/b"), session_of()).terms


def test_shadow_rules_report_and_act_on_nothing() -> None:
    policy = policy_of(
        """default: deny
tools:
  - {id: ok, match: a/b}
  - {id: never, match: a/b, action: deny, mode: shadow, sink: external, emits: [private], rate: {per_session: 1/h}}
  - {id: strict, match: a/b, args: {x: {required: true}}, mode: shadow}
  - {id: alone, match: a/c, mode: shadow}
flows:
  - {id: flow, when: {session_has: [untrusted]}, to: {match: a/b}, then: deny, mode: shadow}
  - {id: out, when: {session_has: [untrusted]}, to: {sink: external}, then: deny}
"""
    )
    decision = policy.decide(call_of("a/b"), session_of("untrusted"))
    assert ("allow", ("ok",)) == said(decision)
    assert {("never", "deny"), ("strict", "deny"), ("flow", "deny")} == {
        (reason.rule, reason.action) for reason in decision.reasons if reason.shadow
    }
    assert (frozenset(), None, ()) == (decision.after, decision.sink, decision.rates)
    assert ("deny", ("default",)) == said(policy.decide(call_of("a/c"), session_of()))


def test_a_server_that_is_not_trusted_labels_all_that_it_says() -> None:
    body = "default: deny\ntools: [{match: '*/book', trusted_source: true}]\n"
    policy = policy_of(body, trust={"own": "trusted", "other": "untrusted"})
    own, other, unknown = (
        policy.decide(call_of(f"{name}/book"), session_of()) for name in ("own", "other", "new")
    )
    assert (frozenset(), True) == (own.after, own.vouches)
    assert (frozenset({"untrusted"}), False) == (other.after, other.vouches)
    assert (frozenset({"untrusted"}), False) == (unknown.after, unknown.vouches)
    assert policy_of(body).decide(call_of("new/book"), session_of()).vouches


def test_a_tool_that_another_rule_calls_untrusted_vouches_for_nothing() -> None:
    policy = policy_of(
        "default: deny\ntools: [{match: a/book, trusted_source: true}, {match: 'a/*', emits: [untrusted]}]\n"
    )
    assert not policy.decide(call_of("a/book"), session_of()).vouches


def test_an_exemption_holds_where_every_item_is_listed() -> None:
    policy = policy_of(
        """default: deny
tools: [{match: m/send, sink: external}]
flows:
  - {id: f, when: {session_has: []}, to: {sink: external}, unless: {arg_in: {arg: to, one_of: [boss@corp.example, 7]}}}
"""
    )
    outcomes = {
        "boss": ("boss@corp.example", "allow"),
        "boss twice": (["boss@corp.example", 7], "allow"),
        "boss and another": (["boss@corp.example", "x@evil.example"], "ask"),
        "nobody": ([], "ask"),
        "null": (None, "ask"),
        "other case": ("BOSS@corp.example", "ask"),
        "nested": ([["boss@corp.example"]], "ask"),
        "truth": (True, "ask"),
    }
    assert {name: action for name, (_, action) in outcomes.items()} == {
        name: policy.decide(call_of("m/send", to=value), session_of()).action
        for name, (value, _) in outcomes.items()
    }


def test_an_argument_that_nobody_thought_of_is_asked_about_where_all_are_meant() -> None:
    policy = policy_of(
        """default: deny
tools: [{match: m/send, sink: external}]
flows:
  - {id: f, when: {session_has: []}, to: {sink: external}, unless: {args_from: {args: ["*"], but: [body]}}}
"""
    )
    session = session_of(prompt="Write to ann@corp.example")
    plain = {"to": "ann@corp.example", "body": "anything at all"}
    assert "allow" == policy.decide(call_of("m/send", **plain), session).action
    assert "ask" == policy.decide(call_of("m/send", **plain, hook="https://evil.example/"), session).action
    assert "ask" == policy.decide(call_of("m/send", body="alone"), session).action


def test_sources_of_provenance_are_those_named() -> None:
    policy = policy_of(
        """default: deny
tools: [{match: b/pay, sink: money}]
flows:
  - {id: f, when: {session_has: []}, to: {sink: money}, unless: {args_from: {args: [to], sources: [user_prompt]}}}
"""
    )
    assert "ask" == policy.decide(call_of("b/pay", to="ann"), session_of(trusted="ann")).action
    assert "allow" == policy.decide(call_of("b/pay", to="ann"), session_of(prompt="ann")).action


def test_the_calls_of_a_session_are_bounded() -> None:
    policy = policy_of("default: allow\nlimits: {calls_per_session: 3}\n")
    assert "allow" == policy.decide(call_of("a/b"), session_of(calls=2)).action
    assert ("deny", ("limits.calls_per_session",)) == said(policy.decide(call_of("a/b"), session_of(calls=3)))


def test_an_asked_call_is_asked_under_the_strictest_terms() -> None:
    terms = [
        Terms(approvers=("a", "b"), quorum=1, ttl_s=300, strict=False, channel="client"),
        Terms(approvers=("b", "c"), quorum=2, ttl_s=60, strict=True, channel="client"),
        Terms(ttl_s=900, strict=False, channel="client"),
    ]
    assert Terms(approvers=("b",), quorum=2, ttl_s=60, strict=True, channel="client") == strictest(terms)
    assert "queue" == strictest([*terms, Terms()]).channel  # type: ignore[union-attr]
    assert None is strictest([*terms, Terms(approvers=("d",))])


def test_rules_that_name_no_approver_in_common_deny() -> None:
    policy = policy_of(
        "default: deny\ntools:\n"
        "  - {id: one, match: a/b, action: ask, approvers: [approver]}\n"
        "  - {id: two, match: a/b, action: ask, approvers: [admin]}\n"
    )
    assert ("deny", ("approvers",)) == said(policy.decide(call_of("a/b"), session_of()))
    assert not policy.shows("a", "b")


def test_only_what_some_call_could_do_is_shown(mail: Compiled) -> None:
    shown = {
        "mail/send": True,
        "files/delete": True,
        "x/shell_run": False,
        "mail/forget": False,
        "lab/run": True,
    }
    assert shown == {name: mail.shows(*name.split("/")) for name in shown}
    policy = policy_of(
        "default: allow\nflows: [{id: f, when: {session_has: []}, to: {match: a/b}, then: deny}]\n"
        "tools: [{match: c/d, args: {x: {required: true}}}]\n"
    )
    assert (False, True, True) == (policy.shows("a", "b"), policy.shows("a", "c"), policy.shows("c", "d"))


def test_a_name_beyond_all_measure_is_denied() -> None:
    policy = policy_of("default: allow\n")
    assert ("deny", ("name",)) == said(policy.decide(call_of("a/" + "b" * 10_000), session_of()))
    assert not policy.shows("a" * 10_000, "b")


def test_ten_thousand_tools_are_decided_in_bounded_memory() -> None:
    policy = policy_of("default: deny\ntools: [{match: 'a/*'}]\n")
    for number in range(10_000):
        assert "allow" == policy.decide(call_of(f"a/t{number}"), session_of()).action
    assert len(policy._plans) <= 4096


# -- properties --------------------------------------------------------------------------------------------

LABELS = ("private", "untrusted", "confidential")
NAMES = ("m/send", "m/read", "f/send")
MATCHES = ("*/*", "m/*", "*/send", "m/send", "m/re?d", "f/*")
some_labels: Any = st.lists(st.sampled_from(LABELS), unique=True, max_size=2)
arguments: Any = st.dictionaries(
    st.sampled_from(("to", "body", "other")),
    st.sampled_from(("ann", "bob", 7, ["ann", "bob"], None)),
    max_size=3,
)
sessions: Any = st.builds(
    lambda labels, prompt, calls: session_of(*labels, prompt=prompt, calls=calls),
    st.lists(st.sampled_from(LABELS), unique=True),
    st.sampled_from(("", "ann", "ann bob 7")),
    st.integers(0, 3),
)
calls: Any = st.builds(lambda name, given: call_of(name, **given), st.sampled_from(NAMES), arguments)
tool_rules: Any = st.fixed_dictionaries(
    {"match": st.sampled_from(MATCHES), "action": st.sampled_from(("allow", "ask", "deny"))},
    optional={
        "reads": some_labels,
        "emits": some_labels,
        "sink": st.sampled_from(("external", "exec")),
        "args": st.sampled_from(({"to": {"required": True}}, {"to": {"one_of": ["ann", "bob"]}})),
        "only_args": st.booleans(),
        "trusted_source": st.booleans(),
        "mode": st.sampled_from(("enforce", "shadow")),
        "approvers": st.lists(st.sampled_from(("x", "y")), unique=True),
    },
)
flow_rules: Any = st.fixed_dictionaries(
    {
        "when": some_labels.map(lambda labels: {"session_has": labels}),
        "to": st.sampled_from(
            ({"sink": "external"}, {"sink": "exec"}, {"match": "*/send"}, {"sink": "exec", "match": "m/*"})
        ),
        "then": st.sampled_from(("ask", "deny")),
    },
    optional={
        "unless": st.sampled_from(
            (
                {"args_from": {"args": ["to"]}},
                {"args_from": {"args": ["*"], "but": ["body"]}},
                {"arg_in": {"arg": "to", "one_of": ["ann"]}},
            )
        ),
        "mode": st.sampled_from(("enforce", "shadow")),
    },
)


def compiled(default: str, tools: list[dict[str, Any]], flows: list[dict[str, Any]]) -> Compiled:
    document = {
        "verilabel": "mcp-policy/v1",
        "policy": "p",
        "version": "1",
        "default": default,
        "tools": [{**rule, "id": f"t{i}"} for i, rule in enumerate(tools)],
        "flows": [{**flow, "id": f"f{i}"} for i, flow in enumerate(flows)],
        "limits": {"calls_per_session": 3},
    }
    return compile_policy(msgspec.convert(document, ToolPolicy), "")


policies: Any = st.tuples(
    st.sampled_from(("allow", "ask", "deny")),
    st.lists(tool_rules, max_size=4),
    st.lists(flow_rules, max_size=3),
)


@given(policies, flow_rules, calls, sessions)
def test_another_flow_never_weakens_a_decision(
    policy: Any, flow: Any, call: Any, session: SessionView
) -> None:
    default, tools, flows = policy
    before = compiled(default, tools, flows).decide(call, session)
    after = compiled(default, tools, [*flows, flow]).decide(call, session)
    assert RANK[after.action] >= RANK[before.action]


@given(policies, tool_rules, calls, sessions)
def test_another_tool_rule_weakens_nothing_but_the_default(
    policy: Any, rule: Any, call: Any, session: SessionView
) -> None:
    default, tools, flows = policy
    before = compiled(default, tools, flows).decide(call, session)
    after = compiled(default, [*tools, rule], flows).decide(call, session)
    by_default = any(reason.rule == "default" for reason in before.reasons)
    assert RANK[after.action] >= RANK[before.action] or by_default
    if after.action != "deny" and before.action != "deny":
        assert after.before >= before.before and after.after >= before.after


@given(policies, calls, sessions, st.lists(st.sampled_from(LABELS)))
def test_more_labels_never_weaken_a_decision(
    policy: Any, call: Any, session: SessionView, more: list[str]
) -> None:
    ready = compiled(*policy)
    tainted = msgspec.structs.replace(session, labels=session.labels | frozenset(more))
    assert RANK[ready.decide(call, tainted).action] >= RANK[ready.decide(call, session).action]


@given(policies, calls, sessions)
def test_a_decision_is_made_of_its_reasons_and_always_the_same(
    policy: Any, call: Any, session: SessionView
) -> None:
    ready = compiled(*policy)
    first = ready.decide(call, session)
    acting = [reason.action for reason in first.reasons if not reason.shadow]
    assert max(acting, key=RANK.__getitem__) == first.action
    assert first == ready.decide(call, session) == compiled(*policy).decide(call, session)
    assert first.rules
    assert (first.terms is not None) == (first.action == "ask")


@given(policies, calls, sessions)
def test_a_tool_that_is_hidden_is_denied(policy: Any, call: Any, session: SessionView) -> None:
    ready = compiled(*policy)
    if not ready.shows(call.server, call.tool):
        assert "deny" == ready.decide(call, session).action


@given(policies, st.lists(st.tuples(calls, st.booleans()), max_size=8))
def test_labels_of_a_session_only_grow(policy: Any, trace: list[tuple[Any, bool]]) -> None:
    ready, session = compiled(*policy), session_of()
    for call, approved in trace:
        decision = ready.decide(call, session)
        if decision.action == "allow" or (decision.action == "ask" and approved):
            grown = session.labels | decision.before | decision.after
            assert grown >= session.labels
            session = msgspec.structs.replace(session, labels=grown)
