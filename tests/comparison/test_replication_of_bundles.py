"""Two parties' bundles compared: what is refused, what is found, and that it can be derived again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from bundle_factory import HAZARD_RUBRIC, ISSUER, READ, RUBRIC, Recipe, fixed_key
from party_factory import (
    REPLICATOR,
    comparison_of,
    make_party,
    model_that,
    open_at,
    replica_recipe,
    replication_of,
)
from verilabel.comparison.pairing import open_party, pair_measure
from verilabel.comparison.replication import (
    check_recomputed,
    compare_parties,
    judge_label,
    require_signable,
)
from verilabel.errors import CheckFailed, SealError, UsageError
from verilabel.evidence.others.attestation import Replication
from verilabel.evidence.verifier import verify_bundle

SIZES = (("quiz", 120), ("puzzles", 60))
FAMILY_RUBRIC = RUBRIC.replace(
    "event: correct, direction: higher_is_safer}\n  puzzles",
    "event: correct, direction: higher_is_safer, unit: family}\n  puzzles",
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_party(tmp_path_factory.mktemp("original"), Recipe(sizes=SIZES))


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same system, asked in another order; its model draws its answers anew."""
    return make_party(tmp_path_factory.mktemp("replica"), replica_recipe(sizes=SIZES), model_that(12))


@pytest.fixture(scope="module")
def drifted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It calls itself the same system and answers far worse."""
    model = model_that(12, accuracy=0.35)
    return make_party(tmp_path_factory.mktemp("drifted"), replica_recipe(sizes=SIZES), model)


# -- what is found ---------------------------------------------------------------------------------------------


def test_equal_systems_are_replicated_within_a_margin_and_open_within_a_smaller_one(
    original: Path, replica: Path
) -> None:
    wide, narrow = comparison_of(original, replica, "0.2"), comparison_of(original, replica, "0.02")
    assert ("replicated", "confirmed") == (wide.verdict, wide.label)
    assert ["quiz.right", "puzzles.right"] == [m.measure for m in wide.measures]
    assert ("underpowered", "confirmed") == (narrow.verdict, narrow.label)
    for measure in narrow.measures:
        assert measure.needed > measure.items


def test_a_system_that_answers_otherwise_is_not_replicated_and_contradicts_the_label(
    original: Path, drifted: Path
) -> None:
    found = comparison_of(original, drifted, "0.05")
    assert ("not_replicated", "contradicted") == (found.verdict, found.label)
    for measure in found.measures:
        assert ("not_replicated", 0) == (measure.verdict, measure.needed)
        assert float(measure.lower) > 0.2  # original less replica
        assert float(measure.p_value) < 0.001


def test_the_counts_are_those_of_the_answers(original: Path, replica: Path) -> None:
    a, b = open_at(original), open_at(replica)
    for measure in comparison_of(original, replica).measures:
        plan = next(m for m in a.plan.measures if m.id == measure.measure)
        ours = a.answers[plan.suite].findings[plan.detector]
        theirs = b.answers[plan.suite].findings[plan.detector]
        assert ours.keys() == theirs.keys()
        assert measure.items == len(ours)
        assert measure.agreeing == sum(ours[s] == theirs[s] for s in ours)
        assert measure.events_original == sum(found == [True] for found in ours.values())
        outputs = a.answers[plan.suite].outputs, b.answers[plan.suite].outputs
        assert measure.identical == sum(outputs[0][s] == outputs[1][s] for s in ours)
        assert 0 < measure.identical < measure.items
        assert measure.identical <= measure.agreeing


def test_only_samples_that_both_asked_are_paired(original: Path, tmp_path: Path) -> None:
    part = make_party(tmp_path, replica_recipe(sizes=SIZES, limit=40), model_that(12))
    found = comparison_of(original, part, "0.3")
    assert [40, 40] == [m.items for m in found.measures]
    assert [(120, 40), (60, 40)] == [(m.n_original, m.n_replica) for m in found.measures]


def test_repeated_questions_are_compared_by_their_shares(original: Path, tmp_path: Path) -> None:
    thrice = make_party(tmp_path, replica_recipe(sizes=SIZES, epochs=3), model_that(12))
    a, b = open_at(original), open_at(thrice)
    pairs = pair_measure(a.plan.measures[0], a, b)
    assert {(1, 3)} == {(cell.a_trials, cell.b_trials) for cell in pairs.cells}
    assert (120, 0) == (pairs.units, pairs.identical)
    assert "replicated" == comparison_of(original, thrice, "0.2").measures[0].verdict


def test_missing_answers_stay_in_the_pairs_and_count_against_both_verdicts(
    original: Path, tmp_path: Path
) -> None:
    recipe = replica_recipe(sizes=SIZES)
    silent = make_party(tmp_path / "silent", recipe, model_that(12, errors=0.1))
    found, whole = (
        comparison_of(original, silent, "0.2"),
        make_party(tmp_path / "whole", recipe, model_that(12)),
    )
    for measure, other in zip(found.measures, comparison_of(original, whole, "0.2").measures, strict=True):
        assert 0 < measure.missing < 30
        assert measure.items == other.items
        assert float(measure.upper) - float(measure.lower) > float(other.upper) - float(other.lower) + 0.05


def test_a_measure_that_the_replica_lacks_is_never_replicated(original: Path, tmp_path: Path) -> None:
    part = make_party(tmp_path, replica_recipe(sizes=SIZES[:1]), model_that(12))
    found = comparison_of(original, part, "0.2")
    assert "underpowered" == found.verdict
    assert ("underpowered", 0, 0, "") == (
        found.measures[1].verdict,
        found.measures[1].items,
        found.measures[1].n_replica,
        found.measures[1].p_value,
    )
    assert "undetermined" == found.label


# -- what is refused -------------------------------------------------------------------------------------------


def test_another_scope_is_refused_with_its_keys(original: Path, tmp_path: Path) -> None:
    other = make_party(tmp_path, replica_recipe(sizes=SIZES, accuracy="0.8", system={"locale": "de-DE"}))
    with pytest.raises(CheckFailed, match="another scope: the systems differ in provider_model, locale"):
        comparison_of(original, other)
    looked = compare_parties(open_at(original), open_at(other), margin="0.9", across_scope=True)
    assert ("provider_model", "locale") == looked.differing
    with pytest.raises(CheckFailed, match="never signed"):
        require_signable(open_at(original), open_at(other), looked, REPLICATOR.keyid)


def test_another_rubric_is_refused(original: Path, tmp_path: Path) -> None:
    rubric = RUBRIC.replace("value: 0.30", "value: 0.31")
    other = make_party(tmp_path, replica_recipe(sizes=SIZES, rubric=rubric))
    with pytest.raises(CheckFailed, match="labels of other rubrics are not compared"):
        comparison_of(original, other)


def test_another_suite_of_the_same_name_is_refused(original: Path, tmp_path: Path) -> None:
    other = make_party(tmp_path, replica_recipe(sizes=(("quiz", 121), ("puzzles", 60))))
    with pytest.raises(CheckFailed, match=r"quiz\.right: suite test/quiz@1\.0\.0 \(sha256:"):
        comparison_of(original, other)


def test_a_bundle_that_does_not_verify_is_not_compared(original: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(original, tmp_path / "copy")
    path = copy / "records/evidence.jsonl"
    path.write_bytes(path.read_bytes().replace(b"declared", b"invented", 1))
    with pytest.raises(SealError):
        open_at(copy)


def test_an_unsigned_bundle_is_not_compared(tmp_path: Path) -> None:
    unsigned = make_party(tmp_path, Recipe(key=None, log_key=None))
    with pytest.raises(SealError, match="only bundles of V1 and above are compared"):
        open_at(unsigned)


def test_a_bundle_that_is_exchanged_after_its_verification_is_seen(original: Path, replica: Path) -> None:
    found = verify_bundle(original, now=READ)
    with pytest.raises(SealError, match="changed while it was read"):
        open_party(replica, found)


@pytest.mark.parametrize(
    ("margin", "alpha"), [("0", "0.05"), ("1", "0.05"), ("nan", "0.05"), ("0.02", "0.2"), ("2%", "0.05")]
)
def test_margins_and_levels_that_cannot_be_are_refused(
    original: Path, replica: Path, margin: str, alpha: str
) -> None:
    with pytest.raises(UsageError, match="is not a decimal above 0"):
        compare_parties(open_at(original), open_at(replica), margin=margin, alpha=alpha)


# -- who may sign ----------------------------------------------------------------------------------------------


def test_only_the_replica_s_own_key_signs(original: Path, replica: Path) -> None:
    parties = open_at(original), open_at(replica)
    comparison = compare_parties(*parties)
    require_signable(*parties, comparison, REPLICATOR.keyid)
    with pytest.raises(UsageError, match="this key signed the original"):
        require_signable(*parties, comparison, ISSUER.keyid)
    with pytest.raises(UsageError, match="did not sign the replica"):
        require_signable(*parties, comparison, fixed_key("third").keyid)


def test_records_that_are_the_original_s_are_not_signed(original: Path, tmp_path: Path) -> None:
    copied = make_party(tmp_path, replica_recipe(sizes=SIZES, seed=Recipe().seed))
    parties = open_at(original), open_at(copied)
    with pytest.raises(CheckFailed, match="byte for byte"):
        require_signable(*parties, compare_parties(*parties), REPLICATOR.keyid)


def test_recorded_answers_are_no_replication(original: Path, replica: Path) -> None:
    a, b = open_at(original), open_at(replica)
    recorded = replace(b, system=msgspec.structs.replace(b.system, identity="recorded"))
    with pytest.raises(CheckFailed, match="no model was asked"):
        require_signable(a, recorded, compare_parties(a, b), REPLICATOR.keyid)


# -- recomputing -----------------------------------------------------------------------------------------------


def test_a_signed_replication_is_derived_again_from_both_bundles(original: Path, replica: Path) -> None:
    signed = replication_of(original, replica, margin="0.2").attestation.predicate
    assert isinstance(signed, Replication)
    check_recomputed(signed, open_at(original), open_at(replica))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("verdict", "underpowered", "verdict replicated"),
        ("label", "undetermined", "label confirmed"),
        ("margin", "0.3", "quiz.right"),
        ("measures", (), "quiz.right, which is not among the signed measures"),
    ],
)
def test_a_comparison_that_does_not_follow_is_named(
    original: Path, replica: Path, field: str, value: object, said: str
) -> None:
    honest = comparison_of(original, replica, "0.2")
    if field == "margin":
        measure = msgspec.structs.replace(honest.measures[0], agreeing=honest.measures[0].agreeing - 1)
        lying = msgspec.structs.replace(honest, measures=(measure, *honest.measures[1:]))
        said = f"quiz.right: agreeing {honest.measures[0].agreeing}"
    else:
        lying = msgspec.structs.replace(honest, **{field: value})
    signed = replication_of(original, replica, margin="0.2", comparison=lying).attestation.predicate
    assert isinstance(signed, Replication)
    with pytest.raises(CheckFailed, match="does not follow") as refused:
        check_recomputed(signed, open_at(original), open_at(replica))
    assert said in refused.value.message


def test_another_replica_than_the_one_that_was_signed_is_named(
    original: Path, replica: Path, drifted: Path
) -> None:
    signed = replication_of(original, replica).attestation.predicate
    assert isinstance(signed, Replication)
    with pytest.raises(CheckFailed, match="names another bundle as the replica"):
        check_recomputed(signed, open_at(original), open_at(drifted))


# -- labels on scales ------------------------------------------------------------------------------------------


def test_the_label_of_a_hazard_scale_is_confirmed_by_what_it_rules_out(tmp_path: Path) -> None:
    hazard = Recipe(rubric=HAZARD_RUBRIC, sizes=SIZES)
    a = open_at(make_party(tmp_path / "a", hazard))
    b = open_at(make_party(tmp_path / "b", replace(hazard, seed="b", key=REPLICATOR), model_that(12)))
    able = open_at(
        make_party(tmp_path / "c", replace(hazard, seed="c", key=REPLICATOR), model_that(12, accuracy=1.0))
    )
    assert ("C2", "C2") == (a.label.lower, a.label.upper)
    assert "confirmed" == judge_label(a.label, b.label)
    assert "C3" == able.label.upper
    assert judge_label(a.label, able.label) in ("undetermined", "contradicted")
    assert judge_label(able.label, a.label) == "confirmed"


def test_a_weaker_label_leaves_a_stronger_one_undetermined(original: Path, tmp_path: Path) -> None:
    few = make_party(tmp_path, replica_recipe(sizes=SIZES, limit=6), model_that(12))
    a, b = open_at(original), open_at(few)
    assert a.label.lower == "L2"
    assert b.label.lower in ("U", "L1")
    assert "undetermined" == judge_label(a.label, b.label)
    assert "confirmed" == judge_label(b.label, a.label)


def test_families_are_compared_as_one_unit_each(tmp_path: Path) -> None:
    a = open_at(make_party(tmp_path / "a", Recipe(rubric=FAMILY_RUBRIC, sizes=SIZES)))
    b = open_at(make_party(tmp_path / "b", replica_recipe(rubric=FAMILY_RUBRIC, sizes=SIZES), model_that(12)))
    measure = a.plan.measures[0]
    pairs = pair_measure(measure, a, b)
    assert (True, 120) == (pairs.clustered, pairs.units)  # without families, every sample is one of its own
    for party in (a, b):
        answers = party.answers[measure.suite]
        by_tens = {i: msgspec.structs.replace(e, family=i[:-1]) for i, e in answers.index.items()}
        answers.index = by_tens
    pairs = pair_measure(measure, a, b)
    sizes = Counter(i[:-1] for i in a.answers[measure.suite].index)
    assert (True, len(sizes)) == (pairs.clustered, pairs.units)
    trials = Counter(cell.a_trials for cell in pairs.cells.elements())
    assert Counter(sizes.values()) == trials
    assert a.found.tallies["quiz.right"].events == sum(cell.a_events for cell in pairs.cells.elements())


def test_a_replica_of_recorded_answers_is_not_passed_for_one_that_was_asked(
    original: Path, replica: Path
) -> None:
    """`replicate` does not sign it; a signer who did so by other means is caught by whoever has the replica."""
    signed = replication_of(original, replica).attestation.predicate
    assert isinstance(signed, Replication)
    a, b = open_at(original), open_at(replica)
    tape = replace(b, system=msgspec.structs.replace(b.system, identity="recorded"))
    with pytest.raises(CheckFailed, match="no model was asked"):
        check_recomputed(signed, a, tape)
