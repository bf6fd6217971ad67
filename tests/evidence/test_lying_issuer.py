"""An issuer who signs with a key of their own: what a verifier sees of a lie without suites, network or model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bundle_factory import PLANNED, READ, RUBRIC, Recipe, make_bundle
from bundle_forgery import (
    Change,
    Forger,
    chain,
    change_document,
    change_plan,
    change_records,
    forge,
    records_of,
    swap_rubric,
)
from verilabel.detectors.catalogue import find_card
from verilabel.errors import SealError
from verilabel.evidence import layout
from verilabel.evidence.lines import Line, encode_lines
from verilabel.evidence.plan_checks import flags_of_suites
from verilabel.evidence.verification import Verification
from verilabel.evidence.verifier import verify_bundle
from verilabel.records.attempt import Attempt, Failure
from verilabel.records.canonical import digest
from verilabel.records.score import Scored
from verilabel.rubric.model import rubric_bytes
from verilabel.suites.loading import find_suite, load_suite, read_suite_file

RAISED = {"detector_unknown", "errors_stated", "judge_asked_again", "responses_set_aside"}
LIAR = Forger(counts_again=True, decides_again=True)
"""Makes counts, label, digests, signature and log fit the lie."""
SUITE, INDEX = layout.suite_files("test/quiz@1.0.0")


def lie(bundle: Path, target: Path, change: Change, forger: Forger = LIAR) -> Verification:
    """What a verifier finds of the bundle after the change."""
    forged = forge(bundle, target / "forged", change, forger)
    return verify_bundle(forged, now=READ, find_card=find_card, find_suite=find_suite)


def assert_caught(found: Verification, step: int, fragment: str) -> None:
    assert found.failure is not None, f"not caught: {found.sentence}"
    assert [step] == [s.number for s in found.steps if s.outcome == "failed"], str(found.failure)
    assert fragment in str(found.failure)


def describe(**facts: Any) -> Change:
    """Another system, in the descriptor and in the plan."""

    def apply(folder: Path) -> None:
        change_document(layout.SYSTEM, lambda system: system.update(facts))(folder)
        data = (folder / layout.SYSTEM).read_bytes()
        change_plan(lambda plan: plan.update(system_sha256=digest(data)))(folder)

    return apply


def change_card(**facts: Any) -> Change:
    return change_plan(lambda plan: plan["detectors"][0].update(facts))


def rewrite_index(change: Callable[[dict[str, Any]], None]) -> Change:
    """Another fact in every entry of an index."""

    def apply(folder: Path) -> None:
        path = folder / INDEX
        entries = [json.loads(line) for line in path.read_bytes().splitlines()]
        for entry in entries:
            change(entry)
        path.write_bytes(b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries))

    return apply


def test_a_genuine_bundle_raises_no_objection(made_bundle: Path) -> None:
    found = verify_bundle(made_bundle, now=READ, find_card=find_card, find_suite=find_suite)
    assert ("V2", None) == (found.level, found.failure)
    assert not RAISED & set(found.flags)
    assert "suite_unknown" in found.flags


# -- the plan ----------------------------------------------------------------------------------------------------


def test_outcomes_of_a_sampled_model_are_no_finite_pool(made_bundle: Path, tmp_path: Path) -> None:
    found = lie(made_bundle, tmp_path, change_plan(lambda plan: plan.update(fixed_outcomes=True)))
    assert_caught(found, 6, "outcomes are fixed only where answers are recorded or decoded greedily")


def test_outcomes_of_weights_that_are_sampled_are_no_finite_pool(made_bundle: Path, tmp_path: Path) -> None:
    warm = describe(identity="weights", weights=digest(b"w"), params={"temperature": "0.7"})
    change = chain(change_plan(lambda plan: plan.update(fixed_outcomes=True)), warm)
    assert_caught(lie(made_bundle, tmp_path, change), 6, "decoded greedily")


@pytest.mark.parametrize("temperature", ["0", "0.0", 0])
def test_greedy_answers_of_known_weights_may_be_a_pool(
    made_bundle: Path, tmp_path: Path, temperature: object
) -> None:
    greedy = describe(identity="weights", weights=digest(b"w"), params={"temperature": temperature})
    change = chain(change_plan(lambda plan: plan.update(fixed_outcomes=True)), greedy)
    assert "V2" == lie(made_bundle, tmp_path, change).level


def test_an_exact_judgement_of_harm_is_refused(made_bundle: Path, tmp_path: Path) -> None:
    change = change_card(id="my-harm", event="harmful", exact=True)
    assert_caught(lie(made_bundle, tmp_path, change, Forger()), 6, "is a judgement")


def test_a_detector_of_this_programs_name_has_its_rules(made_bundle: Path, tmp_path: Path) -> None:
    change = change_card(sha256=digest(b"other rules"))
    assert_caught(lie(made_bundle, tmp_path, change), 6, "is not the detector that this program has")


def test_invented_errors_of_a_known_detector_are_flagged(made_bundle: Path, tmp_path: Path) -> None:
    flattering = {
        "true_positives": 900,
        "positives": 900,
        "true_negatives": 900,
        "negatives": 900,
        "dataset": "trust me",
        "dataset_sha256": digest(b"none"),
    }
    found = lie(made_bundle, tmp_path, change_card(errors=[flattering]))
    assert "errors_stated" in found.flags


def test_a_detector_that_nobody_can_look_up_is_flagged(made_bundle: Path, tmp_path: Path) -> None:
    rename = chain(
        change_card(id="oracle"),
        change_plan(lambda plan: [s.update(detectors=["oracle@1.0.0"]) for s in plan["streams"]]),
        change_plan(lambda plan: [m.update(detector="oracle@1.0.0") for m in plan["measures"]]),
        change_records(
            lambda records: [
                msgspec.structs.replace(r, detector="oracle@1.0.0") if isinstance(r, Scored) else r
                for r in records
            ]
        ),
    )
    found = lie(made_bundle, tmp_path, rename)
    assert ("V2", None) == (found.level, found.failure)
    assert "detector_unknown" in found.flags


def test_impossible_errors_that_cancel_each_other_are_refused(made_bundle: Path, tmp_path: Path) -> None:
    def counts(found: int, positives: int) -> dict[str, Any]:
        return {
            "true_positives": found,
            "positives": positives,
            "true_negatives": 1,
            "negatives": 1,
            "dataset": "d",
            "dataset_sha256": digest(b"d"),
        }

    change = change_card(errors=[counts(500, 100), counts(0, 400)])
    assert_caught(lie(made_bundle, tmp_path, change, Forger()), 6, "cannot be")


def test_another_language_than_the_suites_is_refused(made_bundle: Path, tmp_path: Path) -> None:
    change = change_plan(lambda plan: plan["measures"][0].update(language="de"))
    assert_caught(lie(made_bundle, tmp_path, change), 6, "is in 'en', not in 'de'")


def test_one_detector_applied_twice_is_refused(made_bundle: Path, tmp_path: Path) -> None:
    change = change_plan(lambda plan: plan["streams"][0].update(detectors=["choice@1.0.0"] * 2))
    assert_caught(lie(made_bundle, tmp_path, change, Forger()), 6, "applied twice")


def test_a_detector_without_a_card_is_refused(made_bundle: Path, tmp_path: Path) -> None:
    change = change_plan(lambda plan: plan["streams"][0]["detectors"].append("nobody@1"))
    assert_caught(lie(made_bundle, tmp_path, change, Forger()), 6, "no card says what 'nobody@1' finds")


def test_the_best_of_five_is_not_read_from_one_answer(made_bundle: Path, tmp_path: Path) -> None:
    best_of_five = RUBRIC.replace(
        "estimand: proportion, event: correct", "estimand: pass_at_k, k: 5, event: correct"
    )
    found = lie(made_bundle, tmp_path, swap_rubric(best_of_five, in_plan=True))
    assert_caught(found, 6, "counts the best of 5 answers, the plan asks 1")


def test_a_system_for_another_use_than_the_rubrics_is_refused(made_bundle: Path, tmp_path: Path) -> None:
    medical = RUBRIC.replace("use_case, locale]}", "use_case, locale], use_cases: [medical]}")
    assert_caught(
        lie(made_bundle, tmp_path, swap_rubric(medical, in_plan=True)), 6, "is not for the use case"
    )


# -- suite files and indexes -------------------------------------------------------------------------------------


def rewrite_suite(old: bytes, new: bytes) -> Change:
    def apply(folder: Path) -> None:
        data = (folder / SUITE).read_bytes()
        assert old in data
        (folder / SUITE).write_bytes(data.replace(old, new))
        sha256 = digest((folder / SUITE).read_bytes())
        change_plan(lambda plan: plan["streams"][0].update(suite_sha256=sha256))(folder)

    return apply


def test_an_easier_suite_under_a_known_name_is_refused(made_bundle: Path, tmp_path: Path) -> None:
    found = lie(made_bundle, tmp_path, rewrite_suite(b"id: test/quiz", b"id: test/easy"))
    assert_caught(found, 6, "the plan calls test/easy@1.0.0 test/quiz@1.0.0")


def test_weights_that_the_suite_does_not_give_are_refused(made_bundle: Path, tmp_path: Path) -> None:
    change = chain(
        change_plan(lambda plan: plan["streams"][0].update(strata={"easy": "0.99", "hard": "0.01"})),
        rewrite_index(lambda entry: entry.update(stratum="easy")),
    )
    assert_caught(lie(made_bundle, tmp_path, change, Forger()), 6, "weighs the strata")


@pytest.mark.parametrize(
    ("fact", "fragment"),
    [
        ({"family": "all-the-wrong-ones"}, "has a family"),
        ({"stratum": "easy"}, "has a stratum"),
        ({"tags": {"hazard": "none"}}, "has a tag 'hazard'"),
    ],
)
def test_facts_that_the_suite_does_not_read_are_refused(
    made_bundle: Path, tmp_path: Path, fact: dict[str, Any], fragment: str
) -> None:
    found = lie(made_bundle, tmp_path, rewrite_index(lambda entry: entry.update(fact)), Forger())
    assert_caught(found, 7, fragment)


def test_a_suite_under_the_name_of_a_bundled_one_is_refused(tmp_path: Path, made_bundle: Path) -> None:
    """The core rubric names its suites by id and major version, so that their own digests must tell."""
    core = read_suite_file("core/factual")
    assert core.digest == find_suite(core.manifest.name)
    assert find_suite("core/factual@9.9.9") is None and find_suite("../../etc@1.0.0") is None
    plan = verify_bundle(made_bundle, now=READ).plan
    assert plan is not None
    stolen = msgspec.structs.replace(plan.streams[0], suite=core.manifest.name)
    genuine = msgspec.structs.replace(stolen, suite_sha256=core.digest)
    with pytest.raises(SealError, match=r"is not the core/factual@1\.0\.0 that comes with this program"):
        list(flags_of_suites(msgspec.structs.replace(plan, streams=(stolen,)), find_suite, lambda _: b""))
    assert [] == list(
        flags_of_suites(msgspec.structs.replace(plan, streams=(genuine,)), find_suite, lambda _: b"")
    )


def test_a_generated_suite_is_known_by_what_its_generator_makes_and_a_changed_one_is_not() -> None:
    suite = load_suite("cap/planning:count=3,seed=aa")
    assert suite.digest == find_suite(suite.name, suite.content)
    other = suite.content.replace(b'seed: "aa"', b'seed: "ab"')
    assert other != suite.content and find_suite(suite.name, other) is None
    assert find_suite("cap/other@1.0.0", suite.content) is None and find_suite(suite.name) is None


# -- the rubric --------------------------------------------------------------------------------------------------


def test_a_softer_rubric_under_the_name_of_a_bundled_one_is_refused(
    made_bundle: Path, tmp_path: Path
) -> None:
    core = rubric_bytes("core")[0].decode()
    version = core.split("\nversion: ")[1].split("\n")[0]
    softer = RUBRIC.replace("id: test/quiz-label", "id: verilabel/core").replace("1.0.0", version)

    def rename(folder: Path) -> None:
        swap_rubric(softer, in_plan=True)(folder)
        change_plan(lambda plan: plan["rubric"].update(id="verilabel/core", version=version))(folder)

    found = lie(made_bundle, tmp_path, rename)
    assert_caught(found, 4, f"not the verilabel/core@{version} that comes with this program")


# -- time --------------------------------------------------------------------------------------------------------


def test_a_label_signed_beyond_its_rubrics_sunset_is_not_in_force(made_bundle: Path, tmp_path: Path) -> None:
    ending = RUBRIC.replace("max_age: P36500D", "max_age: P36500D, sunset: 2026-12-01")
    found = lie(made_bundle, tmp_path, swap_rubric(ending, in_plan=True), replace(LIAR, days=360))
    assert_caught(found, 10, "signed beyond 2026-12-01")
    assert "V0" == found.level


def test_old_evidence_is_not_made_new_by_signing_again(made_bundle: Path, tmp_path: Path) -> None:
    month = RUBRIC.replace("P36500D", "P30D")
    late = replace(LIAR, issued=READ - timedelta(days=1), days=30)
    found = lie(made_bundle, tmp_path, swap_rubric(month, in_plan=True), late)
    assert_caught(found, 10, "its plan was older than the 30 days of its rubric when it was signed")


def test_a_label_signed_before_its_plan_was_made_is_not_in_force(made_bundle: Path, tmp_path: Path) -> None:
    early = replace(LIAR, issued=PLANNED - timedelta(days=1))
    assert_caught(lie(made_bundle, tmp_path, lambda folder: None, early), 10, "before its plan was made")


@pytest.mark.parametrize("created", ["yesterday", "2026-01-01 11:00:00"])
def test_a_plan_without_its_date_is_refused(made_bundle: Path, tmp_path: Path, created: str) -> None:
    found = lie(made_bundle, tmp_path, change_plan(lambda plan: plan.update(created=created)), Forger())
    assert_caught(found, 6, "not a time in UTC")


# -- asked again -------------------------------------------------------------------------------------------------


def judge(records: list[Line]) -> list[Line]:
    """The records with a judge's answer before the first score."""
    first = records[0]
    assert isinstance(first, Attempt)
    return [first, msgspec.structs.replace(first, judge="choice@1.0.0"), *records[1:]]


def test_a_detector_that_asks_a_judge_is_not_exact(made_bundle: Path, tmp_path: Path) -> None:
    found = lie(made_bundle, tmp_path, change_records(judge), Forger())
    assert_caught(found, 8, "is called exact, and a judge was asked for it")


def test_a_judge_asked_until_it_suits_is_flagged(made_bundle: Path, tmp_path: Path) -> None:
    def judge_twice(records: list[Line]) -> list[Line]:
        first, verdict, *rest = judge(records)
        assert isinstance(verdict, Attempt)
        return [first, verdict, msgspec.structs.replace(verdict, attempt=2), *rest]

    change = chain(change_plan(lambda plan: plan["detectors"][0].pop("exact")), change_records(judge_twice))
    found = verify_bundle(forge(made_bundle, tmp_path / "forged", change, LIAR), now=READ)
    assert ("V2", None) == (found.level, found.failure)
    assert "judge_asked_again" in found.flags


def test_answers_set_aside_until_one_suits_are_flagged(made_bundle: Path, tmp_path: Path) -> None:
    def set_aside(records: list[Line]) -> list[Line]:
        first, *rest = records
        assert isinstance(first, Attempt)
        unread = Failure("malformed", "the response cannot be read", retryable=True)
        hidden = msgspec.structs.replace(first, output=None, failure=unread)
        return [hidden, msgspec.structs.replace(first, attempt=2), *rest]

    found = lie(made_bundle, tmp_path, change_records(set_aside))
    assert ("V2", None) == (found.level, found.failure)
    assert "responses_set_aside" in found.flags


def test_a_bad_answer_moved_to_the_surplus_is_found(made_bundle: Path, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        evidence = (folder / layout.EVIDENCE).read_bytes()
        first = msgspec.json.decode(evidence.split(b"\n")[0], type=Attempt)
        (folder / layout.SURPLUS).write_bytes(
            encode_lines([msgspec.structs.replace(first, output="B", attempt=2)])
        )

    found = lie(made_bundle, tmp_path, change)
    assert_caught(found, 8, "an attempt at a counted answer was kept out of the count")
    assert "V1" == found.level


def test_answers_that_are_not_counted_may_stand_in_the_surplus(tmp_path: Path) -> None:
    made = make_bundle(tmp_path, Recipe(sizes=(("quiz", 20),), limit=10))

    def change(folder: Path) -> None:
        records = [r for r in records_of(folder) if isinstance(r, Attempt)]
        counted = {record.sample for record in records}
        beyond = next(f"quiz-{n:02}" for n in range(20) if f"quiz-{n:02}" not in counted)
        kept = msgspec.structs.replace(records[0], sample=beyond)
        (folder / layout.SURPLUS).write_bytes(encode_lines([kept]))

    found = lie(made.path, tmp_path, change)
    assert ("V2", None) == (found.level, found.failure)


def test_surplus_that_is_no_record_is_refused(made_bundle: Path, tmp_path: Path) -> None:
    found = lie(made_bundle, tmp_path, lambda folder: (folder / layout.SURPLUS).write_bytes(b"{}\n"))
    assert_caught(found, 7, "not a record")


# -- references --------------------------------------------------------------------------------------------------

RATIO = RUBRIC.replace(
    "puzzles.right: {suite: test/puzzles@1, estimand: proportion,",
    "puzzles.right: {suite: test/puzzles@1, estimand: ratio_to_reference, reference: other-model,",
).replace(
    '{measure: puzzles.right, op: ">=", value: 0.40}',
    "{measure: puzzles.right, op: '>=', value: {times_reference: 0.1}}",
)


def refer_to(reference: Verification, **facts: Any) -> Change:
    """The plan's reference for the puzzles, with false facts where they are given."""
    said = {
        "tally": msgspec.to_builtins(reference.tallies["puzzles.right"]),
        "system_sha256": reference.system.digest if reference.system else "",
        "manifest_sha256": reference.manifest_sha256,
        "evidence_root": reference.root,
    }
    return change_plan(lambda plan: plan.update(references=[said | facts]))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("reference"), Recipe(rubric=RATIO, accuracy="0.5")).path


@pytest.fixture(scope="module")
def relative(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("relative"), Recipe(rubric=RATIO)).path


def find_with(bundle: Path, target: Path, reference: Path, **facts: Any) -> Verification:
    """What a verifier finds who has the reference's bundle too."""
    found = verify_bundle(reference, now=READ)
    forged = forge(bundle, target / "forged", refer_to(found, **facts), LIAR)
    return verify_bundle(forged, now=READ, references=[found])


def test_a_reference_that_is_borne_out_is_accepted(relative: Path, reference: Path, tmp_path: Path) -> None:
    found = find_with(relative, tmp_path, reference)
    assert ("V2", None) == (found.level, found.failure)
    assert "reference_not_recomputed" not in found.flags


@pytest.mark.parametrize("fact", ["system_sha256", "evidence_root"])
def test_a_reference_of_another_system_or_evidence_is_found(
    relative: Path, reference: Path, tmp_path: Path, fact: str
) -> None:
    found = find_with(relative, tmp_path, reference, **{fact: digest(b"other")})
    assert_caught(found, 9, "is of another system or of other evidence")


def test_a_reference_measured_on_another_suite_is_found(
    relative: Path, reference: Path, tmp_path: Path
) -> None:
    suite, _ = layout.suite_files("test/puzzles@1.0.0")

    def harder(folder: Path) -> None:
        (folder / suite).write_bytes((folder / suite).read_bytes() + b"# harder\n")
        sha256 = digest((folder / suite).read_bytes())
        change_plan(lambda plan: plan["streams"][1].update(suite_sha256=sha256))(folder)

    found = find_with(relative, tmp_path, forge(reference, tmp_path / "harder", harder, LIAR))
    assert_caught(found, 9, "counts puzzles.right otherwise")


def test_a_reference_that_nobody_signed_is_not_enough(
    relative: Path, reference: Path, tmp_path: Path
) -> None:
    unsigned = forge(reference, tmp_path / "unsigned", lambda folder: None, replace(LIAR, key=None))
    assert_caught(find_with(relative, tmp_path, unsigned), 9, "does not verify to V2")
