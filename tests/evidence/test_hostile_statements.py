"""Step 11 against those who sign to harm: stolen withdrawals, disguised second keys, silenced disputes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bundle_factory import ATTACKER_LOG, ISSUER, LOG, READ, Recipe, fixed_key
from party_factory import (
    REPLICATOR,
    SIGNED,
    STRANGER,
    WHO_COUNTS,
    comparison_of,
    dispute_of,
    make_party,
    model_that,
    policy,
    read_with,
    replica_recipe,
    replication_of,
    statement_of,
    withdrawal_of,
)
from verilabel.evidence.keys import KeyType
from verilabel.evidence.log import LocalLog
from verilabel.evidence.others.attaching import attach_statements
from verilabel.evidence.others.attestation import BundleReference, Replication
from verilabel.evidence.others.signed import Signed, entry_of, with_proof
from verilabel.evidence.trust import TrustPolicy, parse_trust
from verilabel.evidence.verifier import verify_bundle

TRUST = policy()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_party(tmp_path_factory.mktemp("original"))


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_party(tmp_path_factory.mktemp("replica"), replica_recipe(), model_that(11))


def claiming(original: Path, replica: Path, statement: str) -> Signed:
    """A stranger's replication that calls a statement of somebody else its own replica."""
    honest = replication_of(original, replica).attestation.predicate.replica  # type: ignore[union-attr]
    assert isinstance(honest, BundleReference)
    lying = msgspec.structs.replace(honest, statement_sha256=statement, keyid=STRANGER.keyid)
    return replication_of(original, replica, STRANGER, replica=lying)


# -- taking back what is another's -------------------------------------------------------------------------------


@pytest.mark.parametrize("trust", [None, TRUST])
def test_nobody_withdraws_a_label_by_calling_it_a_replica_of_his_own(
    original: Path, replica: Path, trust: TrustPolicy | None
) -> None:
    about = statement_of(original)
    statements = claiming(original, replica, about), withdrawal_of(about, STRANGER)
    found = read_with(original, *statements, trust=trust)
    assert (None, "V2", True) == (found.failure, found.level, "current" in found.flags)
    assert {"withdrawal": False, "replication": False} == {s.kind: s.counts for s in found.statements}


def test_nobody_withdraws_another_s_replica_by_calling_it_his_own(original: Path, replica: Path) -> None:
    about = statement_of(replica)
    statements = claiming(original, replica, about), withdrawal_of(about, STRANGER)
    found = read_with(original, replication_of(original, replica), *statements, trust=TRUST)
    assert ("V3", None) == (found.level, found.failure)


def test_a_withdrawn_replica_stays_withdrawn_whoever_else_calls_it_his_own(
    original: Path, replica: Path
) -> None:
    about = statement_of(replica)
    statements = replication_of(original, replica), withdrawal_of(about, REPLICATOR)
    found = read_with(original, *statements, claiming(original, replica, about), trust=TRUST)
    assert ("V2", None) == (found.level, found.failure)


def test_nobody_withdraws_a_dispute_by_calling_it_a_replica_of_his_own(original: Path, replica: Path) -> None:
    dispute = dispute_of(statement_of(original))
    about = dispute.attestation.digest
    statements = dispute, claiming(original, replica, about), withdrawal_of(about, STRANGER)
    assert "disputed" in read_with(original, *statements, trust=TRUST).flags


def test_a_withdrawal_of_a_claimed_replica_counts_for_that_claim_alone(original: Path, replica: Path) -> None:
    """Whoever takes back what he calls his own takes back nothing else, and the step does not fail."""
    about = statement_of(original)
    statements = claiming(original, replica, about), withdrawal_of(about, STRANGER)
    bundle = make_party(original.parent / "enclosing")
    assert about == statement_of(bundle)
    attach_statements(bundle, statements)
    found = verify_bundle(bundle, trust=TRUST, now=READ)
    assert ("V2", None) == (found.level, found.failure)


def test_a_withdrawal_stays_final_where_its_signer_calls_it_a_replica(original: Path, replica: Path) -> None:
    taken = withdrawal_of(statement_of(original), ISSUER)
    honest = replication_of(original, replica).attestation.predicate.replica  # type: ignore[union-attr]
    posing = msgspec.structs.replace(honest, statement_sha256=taken.attestation.digest, keyid=ISSUER.keyid)
    claim = replication_of(original, replica, ISSUER, replica=posing)
    back = withdrawal_of(taken.attestation.digest, ISSUER)
    assert "V0" == read_with(original, taken, claim, back, trust=TRUST).level


# -- second keys in disguise -------------------------------------------------------------------------------------


def trust_of(*rules: str) -> TrustPolicy:
    """A policy of the issuer, the log, and rules of the test's own."""
    own = [f"{{key: {key.public.line!r}, name: {n}, roles: [{r}]}}" for key, n, r in WHO_COUNTS[:2]]
    lines = "".join(f"    - {rule}\n" for rule in (*own, *rules))
    return parse_trust(f"format: verilabel/trust/v1\naccept:\n  any:\n{lines}".encode())


@pytest.mark.parametrize(
    "rule",
    [
        "unsafe_accept_any_key: true",
        "within: {roles: [replications], accept: {unsafe_accept_any_key: true}}",
        "all: [{unsafe_accept_any_key: true}, {unsafe_accept_any_key: true}]",
    ],
)
def test_a_policy_that_takes_any_key_names_no_replicator(original: Path, replica: Path, rule: str) -> None:
    found = read_with(original, replication_of(original, replica), trust=trust_of(rule))
    assert ("V2", None) == (found.level, found.failure)
    assert "takes any key" in found.statements[0].why


def test_a_replicator_who_is_named_counts_beside_a_rule_that_takes_any_key(
    original: Path, replica: Path
) -> None:
    named = f"{{key: {REPLICATOR.public.line!r}, name: Second, roles: [replications]}}"
    found = read_with(
        original,
        replication_of(original, replica),
        trust=trust_of("unsafe_accept_any_key: true", named),
    )
    assert ("V3", "Second") == (found.level, found.statements[0].signer)


@pytest.mark.parametrize("name", ["Lab", "lab", " LAB ", '"Lab "'])
def test_one_name_in_another_case_or_spacing_is_one_party(original: Path, replica: Path, name: str) -> None:
    rule = f"{{key: {REPLICATOR.public.line!r}, name: {name}, roles: [replications]}}"
    found = read_with(original, replication_of(original, replica), trust=trust_of(rule))
    assert "V2" == found.level
    assert "by one name" in found.statements[0].why


def test_a_name_that_is_shared_among_several_is_one_party_too(original: Path, replica: Path) -> None:
    def named(key: object, name: str) -> str:
        line = key.public.line  # type: ignore[attr-defined]
        return f"{{key: {line!r}, name: {name}, roles: [labels, replications, log]}}"

    rules = (
        f"all: [{{any: [{named(ISSUER, 'Lab')}, {named(REPLICATOR, 'Lab')}]}}, "
        f"{{any: [{named(ISSUER, 'First desk')}, {named(REPLICATOR, 'Second desk')}]}}]"
    )
    text = f"format: verilabel/trust/v1\naccept:\n  {rules}\n"
    found = read_with(original, replication_of(original, replica), trust=parse_trust(text.encode()))
    assert ("V2", None) == (found.level, found.failure)
    assert "by one name" in found.statements[0].why


# -- comparisons of something else -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"n_original": 1}, "are not those of the label's evidence"),
        ({"events_original": 0}, "are not those of the label's evidence"),
        ({"items": 0, "agreeing": 0, "identical": 0, "verdict": "underpowered"}, "nothing to compare of"),
        ({"n_replica": 0, "events_replica": 0, "verdict": "underpowered"}, "nothing to compare of"),
    ],
)
def test_a_comparison_that_is_not_of_the_label_s_own_answers_does_not_count(
    original: Path, replica: Path, changed: dict[str, object], said: str
) -> None:
    honest = comparison_of(original, replica)
    measures = (msgspec.structs.replace(honest.measures[0], **changed), *honest.measures[1:])
    lying = msgspec.structs.replace(honest, measures=measures, verdict="underpowered")
    found = read_with(original, replication_of(original, replica, comparison=lying), trust=TRUST)
    assert ("V2", None) == (found.level, found.failure)
    assert said in found.statements[0].why


def test_a_replica_that_did_not_ask_every_measure_replicates_no_label(tmp_path: Path) -> None:
    """Nothing granted is easily confirmed; that is no second look at what was measured."""
    weak = make_party(tmp_path / "a", model=model_that(7, accuracy=0.1))
    part = replica_recipe(sizes=Recipe().sizes[:1])
    signed = replication_of(weak, make_party(tmp_path / "b", part, model_that(11, accuracy=0.1)))
    assert isinstance(signed.attestation.predicate, Replication)
    assert "confirmed" == signed.attestation.predicate.comparison.label
    found = read_with(weak, signed, trust=TRUST)
    assert ("V2", None) == (found.level, found.failure)
    assert "nothing to compare of" in found.statements[0].why


def test_a_whole_is_no_better_than_the_measure_that_differs(original: Path, replica: Path) -> None:
    honest = comparison_of(original, replica)
    differing = msgspec.structs.replace(honest.measures[0], verdict="not_replicated")
    lying = msgspec.structs.replace(honest, measures=(differing, *honest.measures[1:]))
    found = read_with(original, replication_of(original, replica, comparison=lying), trust=TRUST)
    assert "V2" == found.level
    assert "the results differ: not replicated" == found.statements[0].why


# -- other people's proofs ---------------------------------------------------------------------------------------


def test_a_proof_of_a_log_that_does_not_count_does_not_hide_one_of_a_log_that_does(
    original: Path, tmp_path: Path
) -> None:
    dispute = dispute_of(statement_of(original))
    logged = []
    for key in (LOG, ATTACKER_LOG):
        with LocalLog.create(tmp_path / key.name, key, clock=lambda: SIGNED) as log:
            proof = log.append(entry_of(dispute.attestation))
            logged.append(with_proof(dispute, log.public_key, proof.bytes()))
    for order in (logged, logged[::-1]):
        assert [True] == [s.logged for s in read_with(original, *order, trust=TRUST).statements]


def test_a_rule_around_a_witness_rules_it_out(original: Path) -> None:
    witness = fixed_key("witness", "witness.example").public.of_type(KeyType.COSIGNATURE)
    rule = f"{{key: {witness.line!r}, name: Witness, roles: [witness]}}"
    assert (witness,) == trust_of(rule).keys("witness")
    assert () == trust_of(f"within: {{roles: [labels], accept: {rule}}}").keys("witness")
    found = verify_bundle(original, trust=trust_of(f"within: {{roles: [witness], accept: {rule}}}"), now=READ)
    assert "V2" == found.level
