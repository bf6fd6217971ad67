"""Trust policies for what others sign, and for Sigstore identities: named exactly, and never satisfied by a key."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from verilabel.errors import MalformedInput
from verilabel.evidence.keys import PrivateKey
from verilabel.evidence.trust import Accepted, Refused, Role, SigstoreIdentity, TrustPolicy, parse_trust

LAB = PrivateKey(Ed25519PrivateKey.from_private_bytes(b"a" * 32), "lab.example.org").public
SOMEONE = SigstoreIdentity("someone@example.com", "https://accounts.example.com")

POLICY = f"""\
format: verilabel/trust/v1
accept:
  any:
    - key: {LAB.line}
      name: Example Lab
      roles: [replications, attestations]
      rubrics: ["verilabel/*"]
      systems: ["example/*"]
    - sigstore: {{identity: someone@example.com, issuer: "https://accounts.example.com"}}
      name: Someone
      roles: [labels, disputes]
      rubrics: [core]
"""


def parse(text: str) -> TrustPolicy:
    return parse_trust(text.encode())


@pytest.mark.parametrize("role", ["replications", "attestations"])
def test_who_replicates_or_attests_may_be_limited_to_rubrics_and_systems(role: Role) -> None:
    policy = parse(POLICY)
    inside = policy.accepts(LAB, role=role, rubric="verilabel/core", system="example/one")
    assert Accepted("Example Lab") == inside
    for rubric, system in (("core", "example/one"), ("verilabel/core", "one"), (None, "example/one")):
        assert not policy.accepts(LAB, role=role, rubric=rubric, system=system).accepted
    refused = policy.accepts(LAB, role="disputes", rubric="verilabel/core", system="example/one")
    assert Refused("Example Lab counts, but not for the role disputes") == refused


def test_an_identity_counts_in_its_role_and_scope() -> None:
    policy = parse(POLICY)
    assert Accepted("Someone") == policy.accepts_identity(SOMEONE, role="labels", rubric="core")
    assert Accepted("Someone") == policy.accepts_identity(SOMEONE, role="disputes", rubric="core")
    for role, rubric in (("labels", "other"), ("replications", "core"), ("log", None)):
        assert not policy.accepts_identity(SOMEONE, role=role, rubric=rubric).accepted  # type: ignore[arg-type]
    assert (SOMEONE,) == policy.identities("labels")
    assert () == policy.identities("replications")


@pytest.mark.parametrize(
    "other",
    [
        SigstoreIdentity("someone@example.com", "https://accounts.example.org"),
        SigstoreIdentity("Someone@example.com", "https://accounts.example.com"),
        SigstoreIdentity("someone@example.com ", "https://accounts.example.com"),
    ],
)
def test_an_identity_is_compared_exactly_with_its_issuer(other: SigstoreIdentity) -> None:
    refused = parse(POLICY).accepts_identity(other, role="labels", rubric="core")
    assert Refused("not an identity of this policy") == refused


def test_a_key_by_an_identity_s_name_is_not_that_identity() -> None:
    impostor = LAB.named(SOMEONE.identity)
    assert not parse(POLICY).accepts(impostor, role="labels", rubric="core").accepted
    assert () == parse(POLICY).keys("labels")


def test_identities_stand_under_the_other_rules() -> None:
    rule = '{sigstore: {identity: a, issuer: "https://i.example.com"}, name: A, roles: [labels]}'
    text = f"format: verilabel/trust/v1\naccept: {{within: {{rubrics: [core], accept: {rule}}}}}\n"
    identity = SigstoreIdentity("a", "https://i.example.com")
    assert parse(text).accepts_identity(identity, role="labels", rubric="core").accepted
    assert not parse(text).accepts_identity(identity, role="labels", rubric="x").accepted
    anyone = parse("format: verilabel/trust/v1\naccept: {unsafe_accept_any_key: true}\n")
    assert Accepted("anyone (unsafe): a") == anyone.accepts_identity(identity, role="labels")


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("issuer: ", "provider: ", "$.accept.any[1].sigstore"),
        ("https://accounts", "http://accounts", "$.accept.any[1].sigstore.issuer"),
        ("identity: someone@example.com", "identity: ''", "$.accept.any[1].sigstore.identity"),
        ("identity: someone@example.com", "identity: 7", "$.accept.any[1].sigstore.identity"),
        ("[labels, disputes]", "[labels, log]", "$.accept.any[1].roles"),
        ("[labels, disputes]", "[witness]", "$.accept.any[1]"),
        ("name: Someone\n", "nickname: Someone\n", "$.accept.any[1]"),
        ("[replications, attestations]", "[log, replications, replications]", "$.accept.any[0].roles"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(old: str, new: str, where: str) -> None:
    assert old in POLICY
    with pytest.raises(MalformedInput) as caught:
        parse(POLICY.replace(old, new, 1))
    assert f"trust.yaml: {where}" == caught.value.where
