"""Trust policies: who counts for what, and refusal of every file that could be read in two ways."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from verilabel.errors import MalformedInput, UsageError, VerilabelError
from verilabel.evidence.keys import KeyType, PrivateKey, PublicKey
from verilabel.evidence.trust import (
    ROLES,
    Accepted,
    AcceptKey,
    AllOf,
    AnyOf,
    Refused,
    Role,
    Scope,
    TrustPolicy,
    UnsafeAcceptAnyKey,
    WithinScope,
    load_trust,
    parse_trust,
    trust_keys,
    write_trust,
)


def public(seed: int, name: str = "k.example.org") -> PublicKey:
    return PrivateKey(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32), name).public


LAB, LOG, OTHER = public(1, "lab.example.org"), public(2, "log.example.org"), public(9)
WITNESS = public(3, "witness.example.net").of_type(KeyType.COSIGNATURE)

POLICY = f"""\
format: verilabel/trust/v1
witness_quorum: 1
accept:
  any:
    - key: {LAB.line}
      name: Example Lab
      roles: [labels]
      rubrics: [core, "vendor-*"]
    - key: {LOG.line}
      name: Example Log
      roles: [log]
    - key: {WITNESS.line}
      name: Example Witness
      roles: [witness]
"""


def parse(text: str) -> TrustPolicy:
    return parse_trust(text.encode())


def test_a_key_counts_in_its_role_and_scope_under_the_policys_name_for_it() -> None:
    policy = parse(POLICY)
    assert Accepted("Example Lab") == policy.accepts(LAB, role="labels", rubric="core")
    assert Accepted("Example Lab") == policy.accepts(LAB, role="labels", rubric="vendor-x")
    assert Accepted("Example Log") == policy.accepts(LOG, role="log")
    assert Accepted("Example Witness") == policy.accepts(WITNESS, role="witness")
    assert 1 == policy.witness_quorum


@pytest.mark.parametrize(
    ("key", "role", "rubric", "reason"),
    [
        (LAB, "labels", "Core", "Example Lab counts, but not for the rubric Core"),
        (LAB, "labels", None, "Example Lab counts, but not for the rubric None"),
        (LAB, "log", "core", "Example Lab counts, but not for the role log"),
        (LOG, "labels", "core", "Example Log counts, but not for the role labels"),
        (OTHER, "labels", "core", "not a key of this policy"),
    ],
)
def test_a_refusal_says_why(key: PublicKey, role: Role, rubric: str | None, reason: str) -> None:
    assert Refused(reason) == parse(POLICY).accepts(key, role=role, rubric=rubric)


def test_a_name_that_comes_with_a_key_proves_nothing() -> None:
    impostor = OTHER.named(LAB.name)
    assert not parse(POLICY).accepts(impostor, role="labels", rubric="core").accepted
    assert parse(POLICY).accepts(LAB.named("renamed"), role="labels", rubric="core").accepted


def test_the_keys_of_a_role_open_notes_of_that_role() -> None:
    policy = parse(POLICY)
    assert (LAB,) == policy.keys("labels")
    assert (LOG,) == policy.keys("log")
    assert (WITNESS,) == policy.keys("witness")


def test_a_witness_given_by_its_plain_key_is_known_as_a_cosigner() -> None:
    policy = parse(POLICY.replace(WITNESS.line, WITNESS.of_type(KeyType.ED25519).line))
    assert (WITNESS,) == policy.keys("witness")


def test_systems_limit_a_label_key() -> None:
    policy = parse(POLICY.replace('rubrics: [core, "vendor-*"]', 'systems: ["lab/*"]'))
    assert policy.accepts(LAB, role="labels", rubric="any", system="lab/one").accepted
    for system in ("other/one", None):
        assert not policy.accepts(LAB, role="labels", rubric="any", system=system).accepted


def test_within_narrows_and_never_widens() -> None:
    text = (
        "format: verilabel/trust/v1\naccept:\n  within:\n    rubrics: [core]\n    accept:\n"
        f"      key: {LAB.line}\n      name: Lab\n      roles: [labels]\n"
    )
    policy = parse(text)
    assert Accepted("Lab") == policy.accepts(LAB, role="labels", rubric="core")
    assert Refused("Lab counts, but not for the rubric x") == policy.accepts(LAB, role="labels", rubric="x")
    assert not policy.accepts(OTHER, role="labels", rubric="core").accepted


@pytest.mark.parametrize(
    "rule",
    [
        WithinScope(Scope(frozenset({"labels"})), AcceptKey(WITNESS, "w", Scope(frozenset({"witness"})))),
        AllOf(
            (
                AcceptKey(WITNESS, "w", Scope(frozenset({"witness"}))),
                AcceptKey(OTHER, "o", Scope(frozenset({"witness"}))),
            )
        ),
    ],
    ids=["within", "all"],
)
def test_a_witness_that_the_whole_policy_refuses_is_no_witness(rule: WithinScope | AllOf) -> None:
    assert () == TrustPolicy(rule).keys("witness")


def test_a_quorum_of_witnesses_that_the_policy_itself_refuses_is_refused() -> None:
    text = f"""\
format: verilabel/trust/v1
witness_quorum: 1
accept:
  within:
    roles: [labels]
    accept: {{key: "{WITNESS.line}", name: W, roles: [witness]}}
"""
    with pytest.raises(MalformedInput, match="1 witnesses are asked for, 0 are named"):
        parse_trust(text.encode())


def test_all_needs_every_rule() -> None:
    rule = f"{{key: {LAB.line}, name: A, roles: [labels]}}"
    other = f"{{key: {LAB.line}, name: B, roles: [labels], rubrics: [core]}}"
    policy = parse(f"format: verilabel/trust/v1\naccept:\n  all:\n    - {rule}\n    - {other}\n")
    assert Accepted("A, B") == policy.accepts(LAB, role="labels", rubric="core")
    assert not policy.accepts(LAB, role="labels", rubric="x").accepted


def test_accepting_anyone_is_said_out_loud() -> None:
    policy = parse("format: verilabel/trust/v1\naccept: {unsafe_accept_any_key: true}\n")
    assert policy.accepts_any_key
    assert Accepted("anyone (unsafe): k.example.org") == policy.accepts(OTHER, role="labels", rubric="x")
    assert not parse(POLICY).accepts_any_key


def test_rules_without_content_accept_nobody() -> None:
    for rule in (AnyOf(()), AllOf(())):
        assert not TrustPolicy(rule).accepts(LAB, role="labels").accepted


def test_a_policy_from_keys_is_the_file_that_is_exported_for_them() -> None:
    policy = trust_keys(LAB, LOG)
    assert policy == parse_trust(write_trust(LAB, LOG))
    assert policy.accepts(LAB, role="labels").accepted and policy.accepts(LOG, role="log").accepted
    assert not policy.accepts(LAB, role="witness").accepted
    awkward = public(4, 'a"b\\c#:\u00e9')
    assert (awkward,) == parse_trust(write_trust(awkward)).keys("labels")


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("verilabel/trust/v1", "verilabel/trust/v2", "$.format"),
        ("witness_quorum: 1", "witness_quorum: -1", "$.witness_quorum"),
        ("witness_quorum: 1", "witness_quorum: true", "$.witness_quorum"),
        ("witness_quorum: 1", "witness_quorum: 2", "$.witness_quorum"),
        ("witness_quorum: 1", "quorum: 1", "$"),
        ("roles: [log]", "roles: [logs]", "$.accept.any[1].roles"),
        ("roles: [log]", "roles: [log, log]", "$.accept.any[1].roles"),
        ("roles: [log]", "roles: []", "$.accept.any[1].roles"),
        ("roles: [log]", "roles: log", "$.accept.any[1].roles"),
        ("roles: [log]", "role: log", "$.accept.any[1]"),
        ("roles: [log]", "roles: [log]\n      rubrics: [core]", "$.accept.any[1]"),
        ("roles: [witness]", "roles: [witness, log]", "$.accept.any[2].roles"),
        ("name: Example Log", "name: ''", "$.accept.any[1].name"),
        ("name: Example Log", "name: 7", "$.accept.any[1].name"),
        (LOG.line, LOG.line[:-1], "$.accept.any[1].key"),
        (LOG.line, "example.org", "$.accept.any[1].key"),
        ("rubrics: [core,", "rubrics: [7,", "$.accept.any[0].rubrics"),
        ("  any:", "  some:", "$.accept"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(old: str, new: str, where: str) -> None:
    assert old in POLICY
    with pytest.raises(MalformedInput) as caught:
        parse(POLICY.replace(old, new, 1))
    assert f"trust.yaml: {where}" == caught.value.where


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "format: verilabel/trust/v1\n",
        "format: verilabel/trust/v1\naccept: {}\n",
        "format: verilabel/trust/v1\naccept: {any: []}\n",
        "format: verilabel/trust/v1\naccept: {any: [], all: []}\n",
        "format: verilabel/trust/v1\naccept: {unsafe_accept_any_key: false}\n",
        "format: verilabel/trust/v1\naccept: {within: {rubrics: [core]}}\n",
        POLICY.replace("format:", "format: x\nformat:"),
        POLICY.replace("any:", "any: &a"),
        POLICY.replace("roles: [log]", "roles: !!set {log}"),
        POLICY + "---\n" + POLICY,
    ],
)
def test_a_file_that_could_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(MalformedInput):
        parse(text)


def test_a_log_cannot_be_its_own_witness() -> None:
    text = POLICY.replace(WITNESS.line, LOG.of_type(KeyType.COSIGNATURE).line)
    with pytest.raises(MalformedInput, match="own witness"):
        parse(text)


def test_a_deep_policy_is_refused_and_not_followed() -> None:
    deep = "{within: {accept: " * 60 + "{unsafe_accept_any_key: true}" + "}}" * 60
    with pytest.raises(MalformedInput):
        parse(f"format: verilabel/trust/v1\naccept: {deep}\n")


def test_a_policy_file_is_loaded_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "trust.yaml"
    with pytest.raises(UsageError, match="no such trust policy"):
        load_trust(path)
    path.write_text(POLICY)
    assert parse(POLICY) == load_trust(path)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_by_the_tree(data: bytes) -> None:
    for candidate in (data, POLICY.encode()[:120] + data):
        with pytest.raises(VerilabelError):
            parse_trust(candidate)


rules = st.recursive(
    st.sampled_from([LAB, LOG, OTHER]).flatmap(
        lambda key: st.builds(
            AcceptKey,
            st.just(key),
            st.just(key.name),
            st.builds(Scope, st.frozensets(st.sampled_from(ROLES))),
        )
    ),
    lambda inner: st.one_of(
        st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple)),
        st.builds(AllOf, st.lists(inner, max_size=3).map(tuple)),
        st.builds(WithinScope, st.builds(Scope, st.frozensets(st.sampled_from(ROLES))), inner),
    ),
    max_leaves=6,
)


@given(rules, st.sampled_from([LAB, LOG, OTHER, public(5)]), st.sampled_from(ROLES))
def test_no_combination_of_rules_accepts_a_key_that_it_does_not_name(
    rule: AnyOf | AllOf | AcceptKey, key: PublicKey, role: Role
) -> None:
    policy = TrustPolicy(rule)
    if policy.accepts(key, role=role).accepted:
        assert key.raw in {named.raw for named in policy.keys(role)}
    assert not policy.accepts(public(5), role=role).accepted
    assert not TrustPolicy(AllOf((rule, UnsafeAcceptAnyKey()))).accepts(public(5), role=role).accepted
