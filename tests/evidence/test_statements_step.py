"""Step 11 against liars: whose replications, disputes and withdrawals count, and what each changes."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from bundle_factory import ATTACKER, ISSUER, LOG, READ, Recipe, fixed_key
from party_factory import (
    CRITIC,
    REPLICATOR,
    SIGNED,
    STRANGER,
    WHO_COUNTS,
    another_digest,
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
from verilabel.errors import CheckFailed, LimitExceeded, MalformedInput, SealError
from verilabel.evidence import layout
from verilabel.evidence.keys import KeyType
from verilabel.evidence.log import LocalLog
from verilabel.evidence.others.attaching import attach_statements
from verilabel.evidence.others.signed import Signed, entry_of, with_proof
from verilabel.evidence.trust import parse_trust
from verilabel.evidence.verification import Verification
from verilabel.evidence.verifier import verify_bundle

TRUST = policy()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_party(tmp_path_factory.mktemp("original"))


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another party's bundle of the same system, in another order, whose model answers by another seed."""
    return make_party(tmp_path_factory.mktemp("replica"), replica_recipe(), model_that(11))


def why(found: Verification) -> str:
    """Why the one statement does not count."""
    (statement,) = found.statements
    assert not statement.counts
    return statement.why


# -- replications ----------------------------------------------------------------------------------------------


def test_a_replication_by_a_trusted_other_party_lifts_the_label_to_v3(original: Path, replica: Path) -> None:
    found = read_with(original, replication_of(original, replica), trust=TRUST)
    assert (None, "V3 replicated") == (found.failure, found.level_name)
    (statement,) = found.statements
    assert (True, "Second lab", "replicated; label confirmed") == (
        statement.counts,
        statement.signer,
        statement.says,
    )
    assert "V4" in found.reason


def test_without_a_policy_nobody_vouches_for_the_replicator(original: Path, replica: Path) -> None:
    found = read_with(original, replication_of(original, replica))
    assert "V2" == found.level
    assert "no trust policy says whose key that is" == why(found)
    assert "no trust policy says whose key that is" in found.reason


def test_an_untrusted_key_replicates_nothing(original: Path, tmp_path: Path) -> None:
    strange = make_party(tmp_path, replica_recipe(key=STRANGER), model_that(11))
    found = read_with(original, replication_of(original, strange, STRANGER), trust=TRUST)
    assert "V2" == found.level
    assert "not a key of this policy" in why(found)


def test_a_key_trusted_for_labels_alone_replicates_nothing(original: Path, replica: Path) -> None:
    trust = policy((ISSUER, "Lab", "labels"), (REPLICATOR, "Second lab", "labels"))
    found = read_with(original, replication_of(original, replica), trust=trust)
    assert "V2" == found.level
    assert "not for the role replications" in why(found)


def test_the_issuer_s_own_key_under_another_name_replicates_nothing(original: Path, tmp_path: Path) -> None:
    posing = ISSUER.named("independent.example")
    twin = make_party(tmp_path, replica_recipe(key=posing), model_that(11))
    trust = policy(*WHO_COUNTS, (posing, "Independent", "replications"))
    found = read_with(original, replication_of(original, twin, posing), trust=trust)
    assert "V2" == found.level
    assert "the label's own issuer signed it" == why(found)


def test_one_party_with_two_keys_is_not_two_parties(original: Path, replica: Path) -> None:
    trust = policy((ISSUER, "Lab", "labels"), (REPLICATOR, "Lab", "replications"))
    found = read_with(original, replication_of(original, replica), trust=trust)
    assert "V2" == found.level
    assert "by one name" in why(found)


def test_a_replication_of_another_label_does_not_count(original: Path, replica: Path, tmp_path: Path) -> None:
    other = make_party(tmp_path, Recipe(seed="0102"))
    found = read_with(original, replication_of(other, replica), trust=TRUST)
    assert ("V2", None) == (found.level, found.failure)
    assert "it is about another label" == why(found)


@pytest.mark.parametrize("field", ["evidence_root", "manifest_sha256", "keyid"])
def test_a_replication_that_names_other_evidence_does_not_count(
    original: Path, replica: Path, field: str
) -> None:
    honest = replication_of(original, replica).attestation.predicate.original  # type: ignore[union-attr]
    lying = msgspec.structs.replace(honest, **{field: another_digest()})
    found = read_with(original, replication_of(original, replica, original=lying), trust=TRUST)
    assert "V2" == found.level
    assert "it names other evidence than the label's" == why(found)


def test_a_replication_must_speak_of_a_bundle_that_its_signer_signed(original: Path, tmp_path: Path) -> None:
    foreign = make_party(tmp_path, replica_recipe(key=STRANGER), model_that(11))
    found = read_with(original, replication_of(original, foreign, REPLICATOR), trust=TRUST)
    assert "V2" == found.level
    assert "it speaks of a bundle that its signer did not sign" == why(found)


def test_the_label_s_own_records_signed_again_replicate_nothing(original: Path, tmp_path: Path) -> None:
    copied = make_party(tmp_path, replica_recipe(seed=Recipe().seed))
    found = read_with(original, replication_of(original, copied), trust=TRUST)
    assert "V2" == found.level
    assert "its records are the label's own, byte for byte" in why(found)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"differing": ("params",)}, "the systems differ in params"),
        ({"verdict": "not_replicated"}, "the results differ: not replicated"),
        ({"label": "contradicted"}, "its own label leaves the granted level contradicted"),
        ({"label": "undetermined"}, "its own label leaves the granted level undetermined"),
        ({"measures": ()}, "it compares other measures than the label's"),
        ({"scope": ("params",)}, "it compares another scope than the rubric's"),
    ],
)
def test_a_replication_that_does_not_bear_the_label_out_does_not_count(
    original: Path, replica: Path, changes: dict[str, object], reason: str
) -> None:
    comparison = msgspec.structs.replace(comparison_of(original, replica), **changes)
    found = read_with(original, replication_of(original, replica, comparison=comparison), trust=TRUST)
    assert ("V2", None) == (found.level, found.failure)
    assert reason == why(found)


def test_an_underpowered_comparison_counts_where_the_replica_s_own_label_confirms(
    original: Path, replica: Path
) -> None:
    signed = replication_of(original, replica, margin="0.02")
    found = read_with(original, signed, trust=TRUST)
    assert ("V3", "underpowered; label confirmed") == (found.level, found.statements[0].says)


def test_replications_from_before_the_label_and_from_the_future_do_not_count(
    original: Path, replica: Path
) -> None:
    early = replication_of(original, replica, issued=SIGNED - timedelta(days=60))
    assert "it is older than the label" == why(read_with(original, early, trust=TRUST))
    late = replication_of(original, replica, issued=READ + timedelta(days=1))
    assert "it is dated in the future" == why(read_with(original, late, trust=TRUST))


def test_a_withdrawn_replication_does_not_count(original: Path, replica: Path) -> None:
    signed = replication_of(original, replica)
    taken = withdrawal_of(signed.attestation.digest, REPLICATOR)
    found = read_with(original, signed, taken, trust=TRUST)
    assert ("V2", None) == (found.level, found.failure)
    assert {"replication": False, "withdrawal": True} == {s.kind: s.counts for s in found.statements}
    foreign = withdrawal_of(signed.attestation.digest, STRANGER)
    assert "V3" == read_with(original, signed, foreign, trust=TRUST).level


def test_a_replication_whose_replica_was_withdrawn_does_not_count(
    original: Path, replica: Path, tmp_path: Path
) -> None:
    signed = replication_of(original, replica)
    taken = withdrawal_of(statement_of(replica), REPLICATOR)
    found = read_with(original, signed, taken, trust=TRUST)
    assert ("V2", None) == (found.level, found.failure)
    assert "its signer withdrew the label of the replica" in found.reason
    assert {"replication": False, "withdrawal": True} == {s.kind: s.counts for s in found.statements}
    foreign = withdrawal_of(statement_of(replica), STRANGER)
    assert "V3" == read_with(original, signed, foreign, trust=TRUST).level
    enclosing = shutil.copytree(original, tmp_path / "copy")
    attach_statements(enclosing, [signed])
    attach_statements(enclosing, [taken])
    found = verify_bundle(enclosing, trust=TRUST, now=READ)
    assert ("V2", None) == (found.level, found.failure)


# -- disputes --------------------------------------------------------------------------------------------------


def test_without_a_policy_anybody_s_dispute_raises_the_flag(original: Path) -> None:
    found = read_with(original, dispute_of(statement_of(original), STRANGER))
    assert (None, "V2") == (found.failure, found.level)
    assert "disputed" in found.flags
    assert "; disputed; for system" in found.sentence


def test_with_a_policy_only_those_it_names_dispute(original: Path) -> None:
    about = statement_of(original)
    found = read_with(original, dispute_of(about, STRANGER), trust=TRUST)
    assert "disputed" not in found.flags
    assert "not a key of this policy" in why(found)
    assert "disputed" in read_with(original, dispute_of(about, CRITIC), trust=TRUST).flags


def test_a_disputed_replicated_label_is_both(original: Path, replica: Path) -> None:
    statements = replication_of(original, replica), dispute_of(statement_of(original))
    found = read_with(original, *statements, trust=TRUST)
    assert ("V3", True) == (found.level, "disputed" in found.flags)


def test_a_dispute_that_its_signer_withdrew_raises_no_flag(original: Path) -> None:
    dispute = dispute_of(statement_of(original))
    by_signer = withdrawal_of(dispute.attestation.digest, CRITIC)
    assert "disputed" not in read_with(original, dispute, by_signer, trust=TRUST).flags
    for other in (ISSUER, STRANGER):
        foreign = withdrawal_of(dispute.attestation.digest, other)
        found = read_with(original, dispute, foreign, trust=TRUST)
        assert "disputed" in found.flags
        assert [False] == [s.counts for s in found.statements if s.kind == "withdrawal"]


def test_a_withdrawal_of_the_future_takes_nothing_back_yet(original: Path) -> None:
    dispute = dispute_of(statement_of(original))
    late = withdrawal_of(dispute.attestation.digest, CRITIC, issued=READ + timedelta(days=1))
    assert "disputed" in read_with(original, dispute, late, trust=TRUST).flags


def test_a_dispute_of_another_label_does_not_count(original: Path) -> None:
    found = read_with(original, dispute_of(another_digest()))
    assert "disputed" not in found.flags
    assert "it is about another label" == why(found)


# -- withdrawals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("successor", "flag"), [(None, "revoked"), (another_digest(), "superseded")])
def test_a_label_that_its_issuer_withdrew_is_not_in_force(
    original: Path, successor: str | None, flag: str
) -> None:
    taken = withdrawal_of(statement_of(original), ISSUER, successor=successor)
    for trust in (None, TRUST):
        found = read_with(original, taken, trust=trust)
        assert "V0" == found.level
        assert isinstance(found.failure, CheckFailed)
        assert "step 11 (statements): the label is not in force: its issuer withdrew it: mistaken" in str(
            found.failure
        )
        assert flag in found.flags


@pytest.mark.parametrize("key", [ATTACKER, REPLICATOR, CRITIC])
def test_nobody_else_withdraws_a_label(original: Path, key: object) -> None:
    taken = withdrawal_of(statement_of(original), key)  # type: ignore[arg-type]
    found = read_with(original, taken, trust=TRUST)
    assert (None, "V2") == (found.failure, found.level)
    assert "it is not signed with the key of the label" == why(found)


def test_a_withdrawal_cannot_be_withdrawn(original: Path) -> None:
    taken = withdrawal_of(statement_of(original), ISSUER)
    back = withdrawal_of(taken.attestation.digest, ISSUER)
    assert "V0" == read_with(original, taken, back, trust=TRUST).level


# -- what lies in the bundle -----------------------------------------------------------------------------------


@pytest.fixture
def bundle(original: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    return shutil.copytree(original, tmp_path / "copy")


def put(bundle: Path, signed: Signed, name: str | None = None) -> Path:
    """Put a statement into a bundle without asking."""
    target = bundle / layout.STATEMENTS / (name or signed.file_name)
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(signed.data)
    return target


def test_statements_in_the_bundle_count_as_those_beside_it(bundle: Path, replica: Path) -> None:
    attach_statements(bundle, [replication_of(bundle, replica), dispute_of(statement_of(bundle))])
    found = verify_bundle(bundle, trust=TRUST, now=READ)
    assert ("V3", None) == (found.level, found.failure)
    assert "2 genuine, 2 count" == found.steps[10].detail
    assert "disputed" in found.flags


def test_a_statement_about_another_label_does_not_belong_into_the_bundle(bundle: Path) -> None:
    put(bundle, dispute_of(another_digest()))
    failure = verify_bundle(bundle, now=READ).failure
    assert isinstance(failure, SealError)
    assert "step 11 (statements): a statement about another label" in failure.message


def test_a_statement_under_another_name_is_refused(bundle: Path) -> None:
    put(bundle, dispute_of(statement_of(bundle)), "0000000000000000.json")
    failure = verify_bundle(bundle, now=READ).failure
    assert isinstance(failure, MalformedInput)
    assert "a statement lies under its own name" in failure.message


def test_what_is_no_statement_is_refused(bundle: Path) -> None:
    (bundle / layout.STATEMENTS).mkdir()
    (bundle / layout.STATEMENTS / "note.json").write_text("{}")
    assert isinstance(verify_bundle(bundle, now=READ).failure, MalformedInput)
    (bundle / layout.STATEMENTS / "note.json").rename(bundle / layout.STATEMENTS / "note.txt")
    failure = verify_bundle(bundle, now=READ).failure
    assert failure is not None
    assert "step 2 (manifest)" in failure.message


def test_sixty_four_statements_are_read_and_sixty_five_are_refused(bundle: Path) -> None:
    about = statement_of(bundle)
    for number in range(64):
        put(bundle, dispute_of(about, STRANGER, text=f"objection {number}"))
    found = verify_bundle(bundle, trust=TRUST, now=READ)
    assert (None, 64) == (found.failure, len(found.statements))
    put(bundle, dispute_of(about, STRANGER, text="one more"))
    failure = verify_bundle(bundle, trust=TRUST, now=READ).failure
    assert isinstance(failure, LimitExceeded)


def test_statements_in_an_unsigned_bundle_are_refused(tmp_path: Path) -> None:
    unsigned = make_party(tmp_path, Recipe(key=None, log_key=None))
    put(unsigned, dispute_of(another_digest()))
    failure = verify_bundle(unsigned, now=READ).failure
    assert failure is not None
    assert "statements about a label that nobody signed" in failure.message


# -- logged statements -----------------------------------------------------------------------------------------


def test_a_logged_statement_says_so_where_its_log_counts(original: Path, tmp_path: Path) -> None:
    dispute = dispute_of(statement_of(original))
    with LocalLog.create(tmp_path / "log", LOG, clock=lambda: SIGNED) as log:
        logged = with_proof(dispute, log.public_key, log.append(entry_of(dispute.attestation)).bytes())
    assert [True] == [s.logged for s in read_with(original, logged, trust=TRUST).statements]
    strangers = policy(*(rule for rule in WHO_COUNTS if rule[2] != "log"))
    assert [False] == [s.logged for s in read_with(original, logged, trust=strangers).statements]
    assert [False] == [s.logged for s in read_with(original, dispute, trust=TRUST).statements]


def test_a_statement_s_log_without_the_policy_s_witnesses_does_not_break_the_label(tmp_path: Path) -> None:
    unlogged = make_party(tmp_path / "party", Recipe(log_key=None))
    dispute = dispute_of(statement_of(unlogged))
    with LocalLog.create(tmp_path / "log", LOG, clock=lambda: SIGNED) as log:
        logged = with_proof(dispute, log.public_key, log.append(entry_of(dispute.attestation)).bytes())
    witness = fixed_key("witness", "witness.example").public.of_type(KeyType.COSIGNATURE)
    rules = "".join(f"    - {{key: {k.public.line!r}, name: {n}, roles: [{r}]}}\n" for k, n, r in WHO_COUNTS)
    rules += f"    - {{key: {witness.line!r}, name: Witness, roles: [witness]}}\n"
    text = f"format: verilabel/trust/v1\nwitness_quorum: 1\naccept:\n  any:\n{rules}"
    found = read_with(unlogged, logged, trust=parse_trust(text.encode()))
    assert found.failure is None
    assert "disputed" in found.flags
    assert [False] == [statement.logged for statement in found.statements]
