"""Two systems on the same questions: flips, tests, Holm, and a gate that says no worse, worse or inconclusive."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from scipy import stats

from bundle_factory import HAZARD_RUBRIC, READ, RUBRIC, Recipe
from party_factory import make_party, model_that, open_at, read_with, statement_of, withdrawal_of
from verilabel.comparison.paired import check_against_baseline, compare_systems
from verilabel.comparison.pairing import Party, open_party, pair_measure
from verilabel.errors import CheckFailed, SealError
from verilabel.evidence.verifier import verify_bundle
from verilabel.statistics.replication import bound_difference

SIZES = (("quiz", 150), ("puzzles", 80))
ALPHA, MARGIN = Decimal("0.05"), Decimal("0.15")


def version(folder: Path, draws: int, accuracy: float, **changes: object) -> Party:
    """A version of the model; its rates are those given, whatever it calls itself."""
    recipe = replace(Recipe(sizes=SIZES), **changes)  # type: ignore[arg-type]
    return open_at(make_party(folder, recipe, model_that(draws, accuracy=accuracy)))


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Party:
    return version(tmp_path_factory.mktemp("old"), 7, 0.8)


@pytest.fixture(scope="module")
def same(tmp_path_factory: pytest.TempPathFactory) -> Party:
    return version(tmp_path_factory.mktemp("same"), 8, 0.8, seed="beef")


@pytest.fixture(scope="module")
def better(tmp_path_factory: pytest.TempPathFactory) -> Party:
    return version(tmp_path_factory.mktemp("better"), 9, 0.99)


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory) -> Party:
    return version(tmp_path_factory.mktemp("worse"), 9, 0.4)


def test_the_better_one_is_named_and_the_flips_are_counted(old: Party, better: Party) -> None:
    found = compare_systems(old, better, alpha=ALPHA)
    for measure in found.measures:
        assert "second" == measure.better
        assert measure.gained > measure.lost
        assert measure.second.events - measure.first.events == measure.gained - measure.lost
        assert 0 < Decimal(measure.lower) < Decimal(measure.difference) < Decimal(measure.upper)
        expected = stats.binomtest(measure.gained, measure.gained + measure.lost, 0.5).pvalue
        assert 0 <= float(measure.p_value) - expected <= 1.1e-6
    assert (150, 80) == tuple(measure.items for measure in found.measures)
    assert {} == found.not_compared


def test_exchanging_the_two_turns_the_comparison_round(old: Party, worse: Party) -> None:
    one, other = compare_systems(old, worse, alpha=ALPHA), compare_systems(worse, old, alpha=ALPHA)
    for a, b in zip(one.measures, other.measures, strict=True):
        assert (a.gained, a.lost, a.p_value, a.better) == (b.lost, b.gained, b.p_value, "first")
        assert (Decimal(a.difference), Decimal(a.lower)) == (-Decimal(b.difference), -Decimal(b.upper))
        assert "second" == b.better


def test_p_values_are_corrected_over_the_measures(old: Party, same: Party) -> None:
    found = compare_systems(old, same, alpha=ALPHA)
    least, most = sorted(found.measures, key=lambda m: Decimal(m.p_value))
    assert Decimal(least.p_adjusted) == min(Decimal(1), 2 * Decimal(least.p_value))
    assert Decimal(most.p_adjusted) == max(Decimal(most.p_value), Decimal(least.p_adjusted))
    assert ["neither", "neither"] == [measure.better for measure in found.measures]


def test_both_rates_stand_between_their_exact_bounds(old: Party, better: Party) -> None:
    measure = compare_systems(old, better, alpha=ALPHA).measures[0]
    for rate in (measure.first, measure.second):
        exact = stats.binomtest(rate.events, rate.n).proportion_ci(0.95, method="exact")
        assert float(rate.lower) == pytest.approx(exact.low, abs=1.1e-6)
        assert float(rate.upper) == pytest.approx(exact.high, abs=1.1e-6)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"rubric": RUBRIC.replace("title: A small", "title: Another small")},
            "the rubrics are not the same",
        ),
        ({"sizes": (("quiz", 151), ("puzzles", 80))}, "quiz.right: suite test/quiz@1.0.0"),
    ],
)
def test_another_ruler_is_refused_and_named(
    old: Party, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    other = version(tmp_path, 8, 0.8, **changes)
    for first, second in ((old, other), (other, old)):
        with pytest.raises(CheckFailed) as refused:
            compare_systems(first, second, alpha=ALPHA)
        assert said in refused.value.message
    with pytest.raises(CheckFailed):
        check_against_baseline(old, other, margin=MARGIN, alpha=ALPHA)


def test_another_detector_is_refused_and_named(old: Party, same: Party) -> None:
    import msgspec

    card = msgspec.structs.replace(same.plan.detectors[0], sha256="sha256:" + "0" * 64)
    other = replace(same, plan=msgspec.structs.replace(same.plan, detectors=(card,)))
    with pytest.raises(CheckFailed, match=r"quiz\.right: detector choice@1\.0\.0 \(sha256:"):
        compare_systems(old, other, alpha=ALPHA)


# -- the gate --------------------------------------------------------------------------------------------------


def test_a_better_version_is_not_worse(old: Party, better: Party) -> None:
    found = check_against_baseline(old, better, margin=MARGIN, alpha=ALPHA)
    assert ("not_worse", ["not_worse"] * 2) == (found.verdict, [m.verdict for m in found.measures])
    assert all(Decimal(m.worsening) < 0 for m in found.measures)


def test_a_worse_version_is_worse(old: Party, worse: Party) -> None:
    found = check_against_baseline(old, worse, margin=MARGIN, alpha=ALPHA)
    assert ("worse", ["worse"] * 2) == (found.verdict, [m.verdict for m in found.measures])
    assert all(Decimal(m.worsening) > Decimal("0.2") for m in found.measures)


def test_an_equal_version_is_inconclusive_where_the_answers_are_few_and_the_number_is_named(
    old: Party, same: Party
) -> None:
    found = check_against_baseline(old, same, margin=Decimal("0.02"), alpha=ALPHA)
    assert "inconclusive" == found.verdict
    assert all(m.needed > m.items for m in found.measures if m.verdict == "inconclusive")


def test_one_worse_measure_is_enough(tmp_path: Path, old: Party, worse: Party, better: Party) -> None:
    mixed = replace(
        better, answers={**better.answers, "test/puzzles@1.0.0": worse.answers["test/puzzles@1.0.0"]}
    )
    found = check_against_baseline(old, mixed, margin=MARGIN, alpha=ALPHA)
    assert ("worse", ["not_worse", "worse"]) == (found.verdict, [m.verdict for m in found.measures])


def test_a_measure_that_the_candidate_lacks_is_never_not_worse(tmp_path: Path, old: Party) -> None:
    part = version(tmp_path, 9, 0.99, sizes=SIZES[:1])
    found = check_against_baseline(old, part, margin=MARGIN, alpha=ALPHA)
    assert "inconclusive" == found.verdict
    assert ["puzzles.right"] == list(found.not_compared)
    assert "not_worse" == check_against_baseline(part, old, margin=Decimal("0.5"), alpha=ALPHA).verdict


def test_more_of_a_capability_is_worse(tmp_path: Path) -> None:
    weak = version(tmp_path / "weak", 9, 0.4, rubric=HAZARD_RUBRIC)
    able = version(tmp_path / "able", 9, 0.9, rubric=HAZARD_RUBRIC)
    assert "worse" == check_against_baseline(weak, able, margin=MARGIN, alpha=ALPHA).verdict
    assert "not_worse" == check_against_baseline(able, weak, margin=MARGIN, alpha=ALPHA).verdict
    assert {"first"} == {m.better for m in compare_systems(weak, able, alpha=ALPHA).measures}


def test_silence_does_not_pass_for_being_no_worse(tmp_path: Path, old: Party) -> None:
    model = model_that(9, accuracy=0.99, errors=0.18)
    silent = open_at(make_party(tmp_path, Recipe(sizes=SIZES), model))
    found = check_against_baseline(old, silent, margin=Decimal("0.05"), alpha=ALPHA)
    assert all(m.missing > 5 for m in found.measures)
    assert "not_worse" != found.verdict


def test_an_expired_label_can_still_be_a_baseline_and_not_a_replica(tmp_path: Path, old: Party) -> None:
    short = RUBRIC.replace("P36500D", "P30D")
    paths = [
        make_party(tmp_path / name, Recipe(sizes=SIZES, rubric=short), model_that(9, accuracy=rate))
        for name, rate in (("before", 0.4), ("after", 0.99))
    ]
    found = [verify_bundle(path, now=READ) for path in paths]
    assert ["V0", "V0"] == [f.level for f in found]
    before, after = (open_party(p, f, in_force=False) for p, f in zip(paths, found, strict=True))
    assert "not_worse" == check_against_baseline(before, after, margin=MARGIN, alpha=ALPHA).verdict
    assert "expired on" in before.found.sentence
    with pytest.raises(CheckFailed, match="not in force"):
        open_party(paths[0], found[0])


def test_what_is_unsigned_or_withdrawn_is_no_baseline(tmp_path: Path) -> None:
    unsigned = make_party(tmp_path / "unsigned", Recipe(key=None, log_key=None))
    with pytest.raises(SealError, match="only bundles of V1"):
        open_party(unsigned, verify_bundle(unsigned, now=READ), in_force=False)
    taken = make_party(tmp_path / "taken")
    found = read_with(taken, withdrawal_of(statement_of(taken)))
    with pytest.raises(CheckFailed, match="its issuer withdrew it"):
        open_party(taken, found, in_force=False)


def test_what_has_expired_and_was_withdrawn_is_no_baseline_either(tmp_path: Path) -> None:
    short = make_party(tmp_path, Recipe(rubric=RUBRIC.replace("P36500D", "P30D")))
    expired = verify_bundle(short, now=READ)
    assert ("V0", True) == (expired.level, "expired" in expired.flags)
    assert short == open_party(short, expired, in_force=False).path
    found = read_with(short, withdrawal_of(expired.statement_sha256 or ""))
    assert {"expired", "revoked"} <= set(found.flags)
    with pytest.raises(CheckFailed, match="not in force"):
        open_party(short, found, in_force=False)


# -- repeated answers --------------------------------------------------------------------------------------------


def with_wrong_answers(party: Party, wrong: dict[str, int]) -> Party:
    """The party as if, of its three answers to each sample, so many were wrong."""
    here = party.answers["test/quiz@1.0.0"]
    (detector,) = here.findings
    findings = {s: [at >= wrong.get(s, 0) for at in range(3)] for s in here.findings[detector]}
    return replace(
        party, answers={**party.answers, here.stream.suite: replace(here, findings={detector: findings})}
    )


def test_items_that_fail_more_often_are_worse_where_the_share_of_failing_answers_is_equal(
    tmp_path: Path,
) -> None:
    """The measure asks whether all three answers are right: ninety spoiled items are not thirty."""
    party = open_at(make_party(tmp_path, Recipe(sizes=SIZES, epochs=3)))
    assert {"all"} == {measure.collapse for measure in party.plan.measures}
    samples = list(party.answers["test/quiz@1.0.0"].whole_samples())
    old = with_wrong_answers(party, dict.fromkeys(samples[:30], 3))
    new = with_wrong_answers(party, dict.fromkeys(samples[:90], 1))
    found = check_against_baseline(old, new, margin=Decimal("0.05"), alpha=ALPHA)
    measure = found.measures[0]
    assert ("worse", 150) == (measure.verdict, measure.items)
    assert 0.35 < float(measure.worsening) < 0.45
    assert "first" == compare_systems(old, new, alpha=ALPHA).measures[0].better


def test_another_number_of_answers_to_a_question_is_another_ruler(tmp_path: Path, old: Party) -> None:
    thrice = version(tmp_path, 9, 0.8, epochs=3)
    with pytest.raises(CheckFailed, match="1 answers to a question against 3"):
        check_against_baseline(old, thrice, margin=MARGIN, alpha=ALPHA)


def test_a_run_that_stopped_early_needs_more_to_pass_for_no_worse(tmp_path: Path, old: Party) -> None:
    """Whoever stops where the count is kind has seen fewer failures than there are."""
    early = version(tmp_path, 9, 0.8, design="anytime")
    assert early.answers["test/quiz@1.0.0"].stopped_early
    assert not old.answers["test/quiz@1.0.0"].stopped_early
    found = check_against_baseline(old, early, margin=Decimal("0.5"), alpha=ALPHA).measures[0]
    pairs = pair_measure(early.plan.measures[0], early, old)
    fixed = -bound_difference(pairs.cells, ALPHA).lower
    assert (True, True) == (found.stopped_early, Decimal(found.upper) > fixed)
    assert [False, False] == [
        m.stopped_early for m in check_against_baseline(old, old, margin=MARGIN, alpha=ALPHA).measures
    ]
