"""The verifier against forgers: each forgery is sealed again by another key and log, and fails at its own step."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bundle_factory import ATTACKER, HAZARD_RUBRIC, ISSUED, ISSUER, LOG, READ, RUBRIC, Recipe, make_bundle
from bundle_forgery import (
    Change,
    Forger,
    chain,
    change_document,
    change_plan,
    change_records,
    forge,
    swap_rubric,
)
from verilabel.errors import CheckFailed, ExitStatus, SealError, UsageError, VerilabelError
from verilabel.evidence import layout
from verilabel.evidence.lines import Line
from verilabel.evidence.trust import TrustPolicy, parse_trust, trust_keys
from verilabel.evidence.verification import Verification
from verilabel.evidence.verifier import STEPS, verify_bundle
from verilabel.records.attempt import Attempt, Failure, Observation
from verilabel.records.canonical import digest
from verilabel.records.score import Scored

TRUST = trust_keys(ISSUER.public, LOG.public)


def failed_step(found: Verification) -> int | None:
    """The number of the step that failed."""
    return next((step.number for step in found.steps if step.outcome == "failed"), None)


def assert_fails(path: Path, step: int, fragment: str, *, trust: TrustPolicy | None = None) -> VerilabelError:
    """The bundle fails at the step, with the fragment in its message; the steps after it are not reached."""
    found = verify_bundle(path, trust=trust, now=READ)
    assert found.failure is not None, found.sentence
    assert step == failed_step(found), str(found.failure)
    assert fragment in found.failure.message
    assert found.failure.message.startswith(f"step {step} ({STEPS[step - 1]}): ")
    assert ["not_reached"] * (11 - step) == [s.outcome for s in found.steps[step:]]
    assert ("V0" if step <= 7 else "V1") == found.level
    assert (ExitStatus.CHECK_FAILED == found.failure.status) is (step >= 8)
    return found.failure


# -- what holds ------------------------------------------------------------------------------------------------


def test_a_genuine_bundle_is_recomputed_and_names_its_signer(made_bundle: Path) -> None:
    found = verify_bundle(made_bundle, trust=TRUST, now=READ)
    assert found.failure is None
    assert [*["passed"] * 10, "skipped"] == [step.outcome for step in found.steps]
    assert ("V2", "lab.example", 60) == (found.level, found.signer, found.leaves)
    assert ("unwitnessed", "identity:simulated", "current") == found.flags
    assert found.sentence.startswith(
        "L2 Solid granted, cannot exclude up to L3 Strong; V2 recomputed; current until"
    )


def test_without_a_trust_policy_the_signer_is_flagged_as_vouched_for_by_nobody(made_bundle: Path) -> None:
    assert "signer_unpinned" in verify_bundle(made_bundle, now=READ).flags


def test_a_log_that_the_policy_does_not_name_is_flagged(made_bundle: Path) -> None:
    found = verify_bundle(made_bundle, trust=trust_keys(ISSUER.public), now=READ)
    assert (None, "V2") == (found.failure, found.level)
    assert "log_unpinned" in found.flags


def test_a_log_without_the_witnesses_that_the_policy_asks_for_fails(made_bundle: Path) -> None:
    trust = replace(TRUST, witness_quorum=1)
    assert_fails(made_bundle, 5, "0 known witnesses cosigned, 1 are asked for", trust=trust)


def test_a_key_that_the_policy_does_not_name_fails_with_what_to_do(made_bundle: Path) -> None:
    failure = assert_fails(
        made_bundle, 3, "not one the trust policy accepts", trust=trust_keys(ATTACKER.public)
    )
    assert isinstance(failure, SealError)
    assert (3, ExitStatus.SEAL) == (failure.step, failure.status)
    assert "trust policy" in (failure.hint or "")


@pytest.mark.parametrize(("field", "value"), [("rubrics", "test/other"), ("systems", "other-*")])
def test_a_key_that_counts_for_other_labels_alone_fails(made_bundle: Path, field: str, value: str) -> None:
    text = (
        "format: verilabel/trust/v1\naccept:\n  any:\n"
        f"    - {{key: {ISSUER.public.line!r}, name: Lab, roles: [labels], {field}: [{value!r}]}}\n"
    )
    assert_fails(made_bundle, 3, f"not for the {field[:-1]}", trust=parse_trust(text.encode()))


def test_an_anytime_bundle_that_stopped_early_verifies(tmp_path: Path) -> None:
    sealed = make_bundle(
        tmp_path, Recipe(design="anytime", sizes=(("quiz", 40), ("puzzles", 12)), accuracy="1")
    )
    answers = sum(stream.consumed for stream in sealed.recount.streams)
    found = verify_bundle(sealed.path, now=READ)
    assert (None, "V2") == (found.failure, found.level)
    assert 0 < answers <= 52


def test_repeated_questions_and_missing_answers_verify(tmp_path: Path) -> None:
    recipe = Recipe(epochs=2, errors="0.15", sizes=(("quiz", 12), ("puzzles", 6)))
    sealed = make_bundle(tmp_path, recipe)
    missing = {name: tally.missing for name, tally in sealed.recount.tallies().items()}
    assert 0 < sum(missing.values())
    assert {"quiz.right": 12, "puzzles.right": 6} == {n: t.n for n, t in sealed.recount.tallies().items()}
    found = verify_bundle(sealed.path, now=READ)
    assert (None, "V2") == (found.failure, found.level)


def test_there_must_be_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no bundle here"):
        verify_bundle(tmp_path / "nothing", now=READ)


def test_a_pipe_is_not_a_bundle_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="neither a folder nor a file"):
        verify_bundle(tmp_path / "pipe", now=READ)


# -- forged evidence: step 8 -----------------------------------------------------------------------------------


def _answer(records: list[Line], number: int) -> slice:
    """Where the attempt and the score of an answer stand."""
    return slice(2 * number, 2 * number + 2)


def remove_score(records: list[Line]) -> list[Line]:
    return records[:5] + records[6:]


def remove_answer(records: list[Line]) -> list[Line]:
    return records[:4] + records[6:]


def remove_last_answer(records: list[Line]) -> list[Line]:
    return records[:-2]


def swap_answers(records: list[Line]) -> list[Line]:
    return records[2:4] + records[0:2] + records[4:]


def swap_suites(records: list[Line]) -> list[Line]:
    return records[40:] + records[:40]


def repeat_answer(records: list[Line]) -> list[Line]:
    return records[:4] + records[2:]


def remove_attempt(records: list[Line]) -> list[Line]:
    return records[:2] + records[3:]


def ask_again(records: list[Line]) -> list[Line]:
    first = records[0]
    assert isinstance(first, Attempt)
    return [first, msgspec.structs.replace(first, attempt=2), *records[1:]]


def ask_again_after_final_no(records: list[Line]) -> list[Line]:
    first = records[0]
    assert isinstance(first, Attempt)
    refused = msgspec.structs.replace(
        first, output=None, failure=Failure("filtered", "by the provider's filter")
    )
    return [refused, msgspec.structs.replace(first, attempt=2), *records[1:]]


def score_of_another_suite(records: list[Line]) -> list[Line]:
    score = records[1]
    assert isinstance(score, Scored)
    return [records[0], msgspec.structs.replace(score, suite="test/puzzles@1.0.0"), *records[2:]]


def score_of_another_detector(records: list[Line]) -> list[Line]:
    score = records[1]
    assert isinstance(score, Scored)
    return [records[0], msgspec.structs.replace(score, detector="choice@0.0.1"), *records[2:]]


def answer_and_failure_at_once(records: list[Line]) -> list[Line]:
    first = records[0]
    assert isinstance(first, Attempt)
    return [msgspec.structs.replace(first, failure=Failure("filtered", "no")), *records[1:]]


def start_at_attempt_two(records: list[Line]) -> list[Line]:
    first = records[0]
    assert isinstance(first, Attempt)
    return [msgspec.structs.replace(first, attempt=2), *records[1:]]


def flip_wrong_scores(records: list[Line]) -> list[Line]:
    return [msgspec.structs.replace(r, value=True) if isinstance(r, Scored) else r for r in records]


FORGED_RECORDS: list[tuple[Callable[[list[Line]], list[Line]], str]] = [
    (remove_score, "has no score of choice@"),
    (remove_answer, "the committed order has sample"),
    (remove_last_answer, "the bundle's counts are not those of its evidence"),
    (swap_answers, "the committed order has sample"),
    (swap_suites, "stands where the plan's order has none"),
    (repeat_answer, "the committed order has sample"),
    (remove_attempt, "has a score and no attempt"),
    (ask_again, "was asked again after it was answered"),
    (ask_again_after_final_no, "was asked again after a final failure"),
    (score_of_another_suite, "has no score of choice@"),
    (score_of_another_detector, "has no score of choice@"),
    (answer_and_failure_at_once, "has either an output or a failure"),
    (start_at_attempt_two, "is out of order"),
    (flip_wrong_scores, "the bundle's counts are not those of its evidence"),
]


@pytest.mark.parametrize(
    ("change", "fragment"), FORGED_RECORDS, ids=lambda value: getattr(value, "__name__", "")
)
def test_forged_records_under_a_new_signature_and_log_do_not_follow_the_plan(
    made_bundle: Path, tmp_path: Path, change: Callable[[list[Line]], list[Line]], fragment: str
) -> None:
    forged = forge(made_bundle, tmp_path / "forged", change_records(change))
    failure = assert_fails(forged, 8, fragment)
    assert isinstance(failure, CheckFailed)
    assert_fails(forged, 3, "not one the trust policy accepts", trust=TRUST)


def test_a_fixed_plan_cut_short_fails_even_where_counts_and_label_are_made_to_fit(
    made_bundle: Path, tmp_path: Path
) -> None:
    forger = Forger(counts_again=True, decides_again=True)
    forged = forge(made_bundle, tmp_path / "forged", change_records(remove_last_answer), forger)
    assert_fails(forged, 8, "a fixed plan stopped test/puzzles@1.0.0 after 9 of 10 answers")


def test_all_evidence_removed_is_a_fixed_plan_cut_short(made_bundle: Path, tmp_path: Path) -> None:
    forger = Forger(counts_again=True, decides_again=True)
    forged = forge(made_bundle, tmp_path / "forged", change_records(lambda records: []), forger)
    assert_fails(forged, 8, "a fixed plan stopped test/quiz@1.0.0 after 0 of 20 answers")


def test_an_observation_among_the_evidence_fails_at_the_evidence(made_bundle: Path, tmp_path: Path) -> None:
    observation = Observation("test/quiz@1.0.0", "quiz-00", 1, 1, started_us=1, elapsed_us=1)
    forged = forge(made_bundle, tmp_path / "forged", change_records(lambda r: [observation, *r]))
    assert_fails(forged, 7, "an observation among the evidence")


@pytest.mark.parametrize("claim", [{"root": digest(b"another")}, {"leaves": 61}])
def test_a_signed_root_of_other_evidence_fails_at_the_evidence(
    made_bundle: Path, tmp_path: Path, claim: dict[str, Any]
) -> None:
    forged = forge(made_bundle, tmp_path / "forged", lambda folder: None, Forger(**claim))
    assert_fails(forged, 7, "the evidence does not hash to the signed Merkle root")


def test_a_forgery_that_fits_throughout_is_told_by_its_signer_alone(
    made_bundle: Path, tmp_path: Path
) -> None:
    """What V2 does not say: that the records are honest (label-semantics section 12)."""
    forger = Forger(counts_again=True, decides_again=True)
    forged = forge(made_bundle, tmp_path / "forged", change_records(flip_wrong_scores), forger)
    found = verify_bundle(forged, now=READ)
    assert (None, "V2") == (found.failure, found.level)
    assert "signer_unpinned" in found.flags
    assert_fails(forged, 3, "not one the trust policy accepts", trust=TRUST)


# -- forged results: steps 8 and 9 -----------------------------------------------------------------------------


def forge_count(document: dict[str, Any]) -> None:
    document["measures"]["quiz.right"]["events"] = 20


def forge_total(document: dict[str, Any]) -> None:
    document["totals"]["requests"] = 29


def raise_label(document: dict[str, Any]) -> None:
    document["granted"] = {"id": "L3", "name": "Strong"}


def hide_upper_half(document: dict[str, Any]) -> None:
    document["cannot_exclude_up_to"] = {"id": "L2", "name": "Solid"}


def soften_bound(document: dict[str, Any]) -> None:
    document["levels"][2]["rows"][0]["lower"] = "0.960000"


@pytest.mark.parametrize("change", [forge_count, forge_total])
def test_forged_counts_are_not_those_of_the_evidence(
    made_bundle: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    forged = forge(made_bundle, tmp_path / "forged", change_document(layout.MEASURES, change))
    failure = assert_fails(forged, 8, "the bundle's counts are not those of its evidence")
    assert layout.MEASURES == failure.where


@pytest.mark.parametrize("change", [raise_label, hide_upper_half, soften_bound])
def test_a_forged_label_does_not_follow_and_the_message_says_what_does(
    made_bundle: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    forged = forge(made_bundle, tmp_path / "forged", change_document(layout.LABEL, change))
    failure = assert_fails(forged, 9, "which gives: L2 Solid granted, cannot exclude up to L3 Strong")
    assert layout.LABEL == failure.where


def test_a_label_that_does_not_follow_and_has_expired_is_not_even_v1(
    made_bundle: Path, tmp_path: Path
) -> None:
    forger = Forger(issued=ISSUED, days=30)
    forged = forge(made_bundle, tmp_path / "forged", change_document(layout.LABEL, raise_label), forger)
    found = verify_bundle(forged, now=READ)
    assert (9, "V0") == (failed_step(found), found.level)
    assert "expired" in found.flags


# -- forged plans and rubrics: steps 4 to 8 --------------------------------------------------------------------

EASY_RUBRIC = RUBRIC.replace("0.95", "0.50")


def test_a_swapped_rubric_is_not_the_one_that_was_signed(made_bundle: Path, tmp_path: Path) -> None:
    forged = forge(made_bundle, tmp_path / "forged", swap_rubric(EASY_RUBRIC, in_plan=False))
    assert_fails(forged, 4, "the rubric is not the one that was signed")


def test_a_swapped_rubric_with_a_label_that_fits_is_not_the_plans(made_bundle: Path, tmp_path: Path) -> None:
    forger = Forger(decides_again=True)
    forged = forge(made_bundle, tmp_path / "forged", swap_rubric(EASY_RUBRIC, in_plan=False), forger)
    assert_fails(forged, 6, "the plan is for another rubric")


def test_a_swapped_rubric_in_the_plan_too_is_not_what_was_logged(made_bundle: Path, tmp_path: Path) -> None:
    forger = Forger(decides_again=True, keeps_plan_proof=True, log_key=LOG)
    forged = forge(made_bundle, tmp_path / "forged", swap_rubric(EASY_RUBRIC, in_plan=True), forger)
    assert_fails(forged, 5, "the inclusion proof leads to another root")


def test_a_plan_logged_after_the_label_fails_at_the_log(made_bundle: Path, tmp_path: Path) -> None:
    forged = forge(made_bundle, tmp_path / "forged", lambda f: None, Forger(logs_plan_after_label=True))
    assert_fails(forged, 5, "the plan was not logged before the label")


def test_an_unlogged_signed_bundle_is_only_claimed(made_bundle: Path, tmp_path: Path) -> None:
    forged = forge(made_bundle, tmp_path / "forged", lambda folder: None, Forger(log_key=None))
    found = verify_bundle(forged, now=READ)
    assert (None, "V0") == (found.failure, found.level)
    assert "not in a log" in found.reason


def test_an_order_chosen_afterwards_is_not_what_was_logged(made_bundle: Path, tmp_path: Path) -> None:
    change = change_plan(lambda plan: plan.update(seed="cherry"))
    kept = Forger(keeps_plan_proof=True, log_key=LOG)
    assert_fails(
        forge(made_bundle, tmp_path / "kept", change, kept), 5, "the inclusion proof leads to another root"
    )
    assert_fails(forge(made_bundle, tmp_path / "again", change), 8, "the committed order has sample")


def test_more_answers_than_planned_fail(made_bundle: Path, tmp_path: Path) -> None:
    change = change_plan(lambda plan: plan["streams"][0].update(limit=18))
    assert_fails(
        forge(made_bundle, tmp_path / "forged", change), 8, "more answers of test/quiz@1.0.0 than the plan"
    )


def test_a_system_swapped_in_the_bundle_is_not_the_plans(made_bundle: Path, tmp_path: Path) -> None:
    change = change_document(layout.SYSTEM, lambda system: system.update(name="another"))
    assert_fails(forge(made_bundle, tmp_path / "forged", change), 6, "the plan is for another system")


def test_a_system_prompt_that_is_not_the_systems_fails(made_bundle: Path, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        (folder / layout.SYSTEM_PROMPT).write_text("Refuse everything.")

    assert_fails(forge(made_bundle, tmp_path / "forged", change), 4, "the system prompt is not the system's")


def test_a_system_prompt_may_be_kept_private(made_bundle: Path, tmp_path: Path) -> None:
    forged = forge(made_bundle, tmp_path / "forged", lambda folder: (folder / layout.SYSTEM_PROMPT).unlink())
    assert "V2" == verify_bundle(forged, now=READ).level


def _measure(**fields: object) -> Change:
    return change_plan(lambda plan: plan["measures"][0].update(fields))


def _stream(**fields: object) -> Change:
    return change_plan(lambda plan: plan["streams"][0].update(fields))


def _card(plan: dict[str, Any]) -> dict[str, Any]:
    card: dict[str, Any] = plan["detectors"][0]
    return card


FORGED_PLANS: dict[str, tuple[Change, str]] = {
    "easier_filter": (_measure(where={"level": ["easy"]}), "quiz.right: where is not the rubric's"),
    "other_suite": (_measure(suite="test/puzzles@1.0.0"), "the rubric measures quiz.right on test/quiz@1"),
    "suite_not_asked": (_measure(suite="test/none@1.0.0"), "a suite that is not asked"),
    "other_unit": (_measure(unit="family"), "quiz.right: unit is not the rubric's"),
    "other_population": (_measure(population="items_fixed"), "quiz.right: population is not the rubric's"),
    "best_of_k": (
        change_plan(lambda plan: plan["measures"][0].pop("collapse")),
        "quiz.right: collapse is not the rubric's",
    ),
    "negated": (_measure(negate=True), "quiz.right: negate is not the rubric's"),
    "renamed": (_measure(id="quiz.wrong"), "the rubric has no measure 'quiz.wrong'"),
    "unknown_detector": (_measure(detector="choice@9.9.9"), "which the plan does not apply"),
    "unapplied_detector": (_stream(detectors=[]), "which the plan does not apply"),
    "no_cards": (
        change_plan(lambda plan: plan.update(detectors=[])),
        "no card says what 'choice@1.0.0' finds",
    ),
    "other_event": (change_plan(lambda plan: _card(plan).update(event="answered")), "finds 'answered'"),
    "card_twice": (
        change_plan(lambda plan: plan["detectors"].append(_card(plan))),
        "two detectors have one name",
    ),
    "measure_twice": (
        change_plan(lambda plan: plan["measures"].append(plan["measures"][0])),
        "a measure is planned twice",
    ),
    "suite_twice": (
        change_plan(lambda plan: plan["streams"].append(plan["streams"][0])),
        "a suite has two streams",
    ),
    "negative_limit": (_stream(limit=-1), "-1 of 20 samples cannot be asked"),
    "limit_beyond_suite": (_stream(limit=21), "21 of 20 samples cannot be asked"),
    "no_epochs": (_stream(epochs=0), "0 epochs cannot be asked"),
    "endless_epochs": (_stream(epochs=2**50), "epochs cannot be asked"),
    "other_suite_file": (_stream(suite_sha256=digest(b"x")), "is not the planned one"),
    "strata_without_number": (_stream(strata={"a": "half"}), "no positive decimal"),
    "strata_dividing_by_zero": (_stream(strata={"a": "1/0"}), "no positive decimal"),
    "strata_of_zero": (_stream(strata={"a": "0.000"}), "no positive decimal"),
    "strata_as_bomb": (_stream(strata={"a": "1e999999999"}), "no positive decimal"),
}


@pytest.mark.parametrize("name", FORGED_PLANS)
def test_a_plan_that_is_not_the_rubrics_fails_before_anything_is_counted(
    made_bundle: Path, tmp_path: Path, name: str
) -> None:
    change, fragment = FORGED_PLANS[name]
    failure = assert_fails(forge(made_bundle, tmp_path / "forged", change), 6, fragment)
    assert isinstance(failure, SealError)


def test_a_design_that_the_rubric_does_not_allow_fails_at_the_plan(made_bundle: Path, tmp_path: Path) -> None:
    strict = RUBRIC.replace("max_missing: 0.2}", "max_missing: 0.2, design: [anytime]}")
    assert_fails(
        forge(made_bundle, tmp_path / "forged", swap_rubric_everywhere(strict)), 6, "the fixed design"
    )


def swap_rubric_everywhere(content: str) -> Change:
    """Another rubric in the bundle, its plan and its label."""
    sha256 = digest(content.encode())
    label = change_document(layout.LABEL, lambda document: document["rubric"].update(sha256=sha256))
    return chain(swap_rubric(content, in_plan=True), label)


def test_a_rubric_that_pins_another_suite_fails_at_the_plan(made_bundle: Path, tmp_path: Path) -> None:
    pinned = RUBRIC.replace("{suite: test/quiz@1,", "{suite: test/quiz@1, suite_sha256: " + "ab" * 32 + ",")
    assert_fails(
        forge(made_bundle, tmp_path / "forged", swap_rubric_everywhere(pinned)), 6, "to another digest"
    )


def test_an_index_with_fewer_samples_than_planned_fails_at_the_evidence(
    made_bundle: Path, tmp_path: Path
) -> None:
    def change(folder: Path) -> None:
        path = folder / layout.suite_files("test/quiz@1.0.0")[1]
        path.write_bytes(path.read_bytes().partition(b"\n")[2])

    assert_fails(forge(made_bundle, tmp_path / "forged", change), 7, "does not have the planned samples")


def test_tags_changed_after_the_plan_was_logged_fail_at_the_plan(made_bundle: Path, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        path = folder / layout.suite_files("test/quiz@1.0.0")[1]
        path.write_bytes(path.read_bytes().replace(b'"}\n', b'","tags":{"kind":"hard"}}\n', 1))

    forged = forge(made_bundle, tmp_path / "forged", change, Forger(keeps_index_digests=True))
    assert_fails(forged, 6, "is not the planned one")


def test_a_stratum_without_a_weight_fails_at_the_evidence(made_bundle: Path, tmp_path: Path) -> None:
    suite, index = layout.suite_files("test/quiz@1.0.0")

    def change(folder: Path) -> None:
        path = folder / suite
        fields = b"fields: {stratum: part, "
        data = path.read_bytes().replace(b"fields: {", b"strata: {a: 0.5, b: 0.5}\n" + fields)
        path.write_bytes(data)
        entries = (folder / index).read_bytes()
        (folder / index).write_bytes(entries.replace(b'"}\n', b'","stratum":"z"}\n', 1))
        _stream(strata={"a": "0.5", "b": "0.5"}, suite_sha256=digest(data))(folder)

    forged = forge(made_bundle, tmp_path / "forged", change)
    assert_fails(forged, 7, "a stratum without a weight")


# -- validity: step 10 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "flag", "fragment"),
    [
        (ISSUED - timedelta(seconds=1), "not_yet_valid", "valid only from 01 January 2026"),
        (datetime(2130, 1, 1, tzinfo=UTC), "expired", "expired on 08 December 2125"),
    ],
)
def test_a_label_out_of_its_time_is_v0_and_says_when(
    made_bundle: Path, now: datetime, flag: str, fragment: str
) -> None:
    found = verify_bundle(made_bundle, now=now)
    assert (10, "V0") == (failed_step(found), found.level)
    assert isinstance(found.failure, CheckFailed)
    assert fragment in found.failure.message
    assert flag in found.flags


def test_a_label_ends_at_its_last_second(made_bundle: Path) -> None:
    until = ISSUED + timedelta(days=36500)
    assert verify_bundle(made_bundle, now=until - timedelta(seconds=1)).failure is None
    assert "expired" in verify_bundle(made_bundle, now=until).flags


def test_a_label_signed_for_longer_than_its_rubric_allows_is_v0(made_bundle: Path, tmp_path: Path) -> None:
    forged = forge(made_bundle, tmp_path / "forged", lambda folder: None, Forger(days=36501))
    found = verify_bundle(forged, now=READ)
    assert (10, "V0") == (failed_step(found), found.level)
    assert "longer than the 36500 days of its rubric" in str(found.failure)


def test_a_rubric_of_the_other_kind_gives_another_label(made_bundle: Path, tmp_path: Path) -> None:
    """The same answers under a hazard scale: the pair has other words, and the old label does not follow."""
    sealed = make_bundle(tmp_path, Recipe(rubric=HAZARD_RUBRIC))
    found = verify_bundle(sealed.path, now=READ)
    assert found.label is not None
    assert ("hazard", "V2") == (found.label.kind, found.level)
    assert "established" in found.sentence and "not ruled out" in found.sentence
