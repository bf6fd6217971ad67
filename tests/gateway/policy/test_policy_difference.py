"""Comparing policies: what is looser is never called anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.gateway.policy.difference import compare_policies, is_loosened
from verilabel.gateway.policy.document import Policy
from verilabel.gateway.policy.reading import load_policy

HEAD = "policy: mine\nversion: '1'\n"


def guard(words: str) -> str:
    return HEAD + f"guards:\n  - {{id: g, use: pii{words}}}\n"


def rule(words: str) -> str:
    return HEAD + f"rules:\n  - {{id: r, when: request.stream{words}}}\n"


def row(words: str) -> str:
    return HEAD + f"admit:\n  - {{rubric: core{words}}}\n"


def limit(words: str) -> str:
    return HEAD + f"limits:\n  - {{id: l, {words}}}\n"


def read(text: str) -> Policy:
    return load_policy(text.encode(), "mine.yaml").policy


def kinds(old: str, new: str) -> list[tuple[str, str]]:
    return [(change.kind, change.where) for change in compare_policies(read(old), read(new))]


ORDERED = [
    (guard(", action: redact"), guard(", action: block"), "guards.g.action"),
    (guard(", mode: shadow"), guard(""), "guards.g.mode"),
    (guard(", on_error: allow"), guard(""), "guards.g.on_error"),
    (guard(", directions: [input]"), guard(""), "guards.g.directions"),
    (guard(", fields: [content]"), guard(""), "guards.g.fields"),
    (guard(", fields: [content]"), guard(", fields: [content, reasoning]"), "guards.g.fields"),
    (guard(", share: 0.5"), guard(""), "guards.g.share"),
    (guard(", when: request.stream"), guard(""), "guards.g.when"),
    (guard(", release: optimistic"), guard(""), "guards.g.release"),
    (guard(", rules: {pii.email: flag}"), guard(""), "guards.g.rules.pii.email"),
    (guard(", settings: {without: [a]}"), guard(""), "guards.g.settings.without"),
    (guard(", settings: {only: [a]}"), guard(", settings: {only: [a, b]}"), "guards.g.settings.only"),
    (guard(", settings: {only: [a]}"), guard(""), "guards.g.settings.only"),
    (HEAD, guard(""), "guards.g"),
    (rule(", action: hold"), rule(""), "rules.r.action"),
    (rule(", on_error: allow"), rule(""), "rules.r.on_error"),
    (HEAD, rule(""), "rules.r"),
    (row(""), row(", granted: L2"), "admit.*.granted"),
    (row(", verification: V1"), row(", verification: V2"), "admit.*.verification"),
    (row(""), row(", max_age_days: 30"), "admit.*.max_age_days"),
    (row(", max_age_days: 60"), row(", max_age_days: 30"), "admit.*.max_age_days"),
    (row(""), row(", scope: [params]"), "admit.*.scope"),
    (row(", flags_forbidden: []"), row(""), "admit.*.flags_forbidden"),
    (
        row(", waivers: [{requirement: rubric, reason: r, by: b, until: 2099-01-01}]"),
        row(""),
        "admit.*.waivers",
    ),
    (row(", otherwise: flag"), row(""), "admit.*.otherwise"),
    (HEAD, limit("requests: 5/s"), "limits.l"),
    (limit("requests: 10/s"), limit("requests: 5/s"), "limits.l.requests"),
    (limit("requests: 5/s"), limit("requests: 299/min"), "limits.l.requests"),
    (limit("cost_usd: 0.60/day"), limit("cost_usd: 0.5/day"), "limits.l.cost_usd"),
    (limit("requests: 5/s"), limit("requests: 5/s, burst: 2"), "limits.l.burst"),
    (limit("concurrency: 5"), limit("concurrency: 4"), "limits.l.concurrency"),
    (HEAD, HEAD + "approvals: {quorum: 2}\n", "approvals.quorum"),
    (HEAD, HEAD + "approvals: {roles: [admin]}\n", "approvals.roles"),
    (HEAD, HEAD + "images: block\n", "images"),
]


@pytest.mark.parametrize(("lax", "strict", "where"), ORDERED)
def test_one_way_is_tightened_and_the_way_back_is_loosened(lax: str, strict: str, where: str) -> None:
    assert [("tightened", where)] == kinds(lax, strict)
    assert [("loosened", where)] == kinds(strict, lax)
    assert not is_loosened(compare_policies(read(lax), read(strict)))


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        (guard(", when: request.stream"), guard(", when: '!request.stream'"), "guards.g.when"),
        (
            guard(", settings: {threshold: 0.5}"),
            guard(", settings: {threshold: 0.6}"),
            "guards.g.settings.threshold",
        ),
        (guard(""), guard("").replace("pii", "secrets"), "guards.g.use"),
        (rule(""), rule("").replace("request.stream", "'!request.stream'"), "rules.r.when"),
        (row(", granted: L2"), row(", granted: L3"), "admit.*.granted"),
        (limit("requests: 5/s"), limit("requests: 5/s, per: [user]"), "limits.l"),
        (limit("requests: 5/s"), limit("tokens: 5/s"), "limits.l"),
        (limit("requests: 60/min"), limit("requests: 1/s"), "limits.l.requests"),
    ],
)
def test_what_nobody_can_order_is_unclear_and_counts_as_loosened(old: str, new: str, where: str) -> None:
    assert [("unclear", where)] == kinds(old, new)
    assert is_loosened(compare_policies(read(old), read(new)))


def test_words_for_people_change_nothing_that_is_done() -> None:
    old, new = HEAD, HEAD.replace("'1'", "'2'") + "description: better\n"
    assert [("changed", "version"), ("changed", "description")] == kinds(old, new)
    assert not is_loosened(compare_policies(read(old), read(new)))


@given(st.lists(st.sampled_from(ORDERED), max_size=3), st.sampled_from(ORDERED))
def test_a_policy_does_not_differ_from_itself(_: object, sample: tuple[str, str, str]) -> None:
    for text in sample[:2]:
        assert () == compare_policies(read(text), read(text))
