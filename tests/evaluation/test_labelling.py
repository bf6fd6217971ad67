"""The path of a label over a store: what continues, what is counted, and what must be complete before it is decided."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bundle_factory import RUBRIC, FixedClockModel, Recipe, begin_store, gold_answers, run_recipe
from verilabel.detectors.catalogue import open_detector
from verilabel.detectors.interface import Detector, decides_alone
from verilabel.errors import MalformedInput, Undetermined, UsageError
from verilabel.evaluation.describing import SystemChoice, describe_system
from verilabel.evaluation.labelling import (
    begin_run,
    count_answers,
    open_measures_of,
    read_plan,
    require_complete,
    score_answers,
)
from verilabel.evaluation.planning import PlanOptions
from verilabel.evidence.journal import JOURNAL, Store
from verilabel.evidence.layout import PLAN, PLAN_PROOF
from verilabel.evidence.layout import RUBRIC as RUBRIC_PATH
from verilabel.records.plan import Budget
from verilabel.records.score import Scored, Unscored
from verilabel.suites.loading import Suite

SMALL = Recipe(sizes=(("quiz", 8), ("puzzles", 4)), log_key=None, key=None)


@pytest.fixture
def ran(tmp_path: Path) -> Iterator[tuple[Store, dict[str, Suite]]]:
    """An open store with a whole run, and its suites."""
    store, suites, log = begin_store(tmp_path, SMALL)
    with store:
        asyncio.run(run_recipe(SMALL, store, suites, log))
        yield store, {suite.name: suite for suite in suites}


def keep_records(store: Store, kinds: tuple[type, ...], *, first: int | None = None) -> None:
    """Rewrite a store's journal with only these kinds of records, or its first ones."""
    kept = [record for record in store.records() if not isinstance(record, kinds)][:first]
    folder = store.folder
    store.__exit__(None, None, None)
    (folder / JOURNAL).write_bytes(b"")
    store.__enter__()
    store.append(kept)


def quiz_detector() -> dict[str, Detector]:
    detector = open_detector("choice")
    assert decides_alone(detector)
    return {detector.card.name: detector}


def begin(store: Store, suites: dict[str, Suite], **changes: object):  # type: ignore[no-untyped-def]
    given: dict[str, object] = {
        "seed": "00ff",
        "now": datetime(2026, 1, 1, 11, tzinfo=UTC),
        "max_attempts": 1,
    }
    options = PlanOptions(design="fixed", **{**given, **changes})  # type: ignore[arg-type]
    prompt = "Answer with one letter."
    model = FixedClockModel({"accuracy": "0.9", "seed": "7"}, answers=gold_answers(list(suites.values())))
    choice = SystemChoice(model="simulated:", name="quiz-model", system_prompt=prompt)
    return begin_run(
        store,
        system=describe_system(choice, model),
        system_prompt=prompt,
        rubric=RUBRIC.encode(),
        suites=list(suites.values()),
        options=options,
        log=None,
    )


# -- beginning and continuing ----------------------------------------------------------------------------------


def test_a_store_that_was_begun_goes_on_under_its_own_seed_date_and_budget(
    ran: tuple[Store, dict[str, Suite]],
) -> None:
    store, suites = ran
    kept = read_plan(store)
    begun = begin(
        store, suites, seed="another", now=datetime(2030, 1, 1, tzinfo=UTC), budget=Budget(requests=5)
    )
    assert kept == begun.planned.plan


@pytest.mark.parametrize(
    ("change", "what"), [({"limit": 3}, PLAN), ({"epochs": 2}, PLAN), ({"max_attempts": 9}, PLAN)]
)
def test_a_store_is_not_continued_under_another_plan(
    ran: tuple[Store, dict[str, Suite]], change: dict[str, object], what: str
) -> None:
    store, suites = ran
    with pytest.raises(UsageError, match=f"begun with another {what}"):
        begin(store, suites, **change)


def test_a_plan_is_logged_once_however_often_its_run_is_continued(tmp_path: Path) -> None:
    recipe = replace(SMALL, log_key=Recipe().log_key)
    store, suites, log = begin_store(tmp_path, recipe)
    assert log is not None
    with store, log:
        asyncio.run(run_recipe(recipe, store, suites, log))
        proof = store.document(PLAN_PROOF)
        asyncio.run(run_recipe(recipe, store, suites, log))
        assert (1, proof) == (log.size, store.document(PLAN_PROOF))


def test_a_plan_that_is_damaged_on_disk_is_malformed_and_named(
    ran: tuple[Store, dict[str, Suite]],
) -> None:
    store, _ = ran
    path = store.folder / PLAN
    path.write_bytes(path.read_bytes().replace(b'"fixed"', b'"fixxd"'))
    with pytest.raises(MalformedInput, match="fixxd") as refused:
        read_plan(store)
    assert str(path) == refused.value.where


# -- counting --------------------------------------------------------------------------------------------------


def test_a_kept_run_is_counted_as_it_ran(ran: tuple[Store, dict[str, Suite]]) -> None:
    store, _ = ran
    tallies = count_answers(store).tallies()
    findings = [r for r in store.records() if isinstance(r, Scored)]
    assert {"quiz.right": 8, "puzzles.right": 4} == {name: tally.n for name, tally in tallies.items()}
    assert sum(f.value for f in findings) == sum(tally.events for tally in tallies.values())


def test_counting_stops_where_an_answer_is_not_there_yet(ran: tuple[Store, dict[str, Suite]]) -> None:
    store, _ = ran
    keep_records(store, (), first=3 * 4)  # attempt, observation and score of four answers
    counted = count_answers(store)
    assert 4 == sum(stream.consumed for stream in counted.streams)


def test_an_answer_without_its_score_is_not_counted(ran: tuple[Store, dict[str, Suite]]) -> None:
    store, _ = ran
    keep_records(store, (Scored, Unscored))
    assert 0 == sum(stream.consumed for stream in count_answers(store).streams)


@pytest.mark.parametrize("errors", ["0.4", "1"])
def test_answers_that_failed_stay_in_the_count_as_missing(tmp_path: Path, errors: str) -> None:
    recipe = replace(SMALL, errors=errors)
    store, suites, log = begin_store(tmp_path, recipe)
    with store:
        asyncio.run(run_recipe(recipe, store, suites, log))
        tallies = count_answers(store).tallies()
    assert (8, 4) == (tallies["quiz.right"].n, tallies["puzzles.right"].n)
    missing = sum(tally.missing for tally in tallies.values())
    assert 12 == missing if errors == "1" else 0 < missing < 12


# -- completeness ----------------------------------------------------------------------------------------------


def test_a_fixed_plan_that_was_cut_short_is_not_decided(ran: tuple[Store, dict[str, Suite]]) -> None:
    store, _ = ran
    require_complete(read_plan(store), count_answers(store))
    keep_records(store, (), first=3 * 9)
    with pytest.raises(Undetermined, match=r"asks \d answers of test/(quiz|puzzles)@1\.0\.0, \d are there"):
        require_complete(read_plan(store), count_answers(store))


def test_an_anytime_plan_needs_one_answer_and_no_more(tmp_path: Path) -> None:
    recipe = replace(SMALL, design="anytime")
    store, suites, log = begin_store(tmp_path, recipe)
    with store:
        asyncio.run(run_recipe(recipe, store, suites, log))
        keep_records(store, (), first=3)
        require_complete(read_plan(store), count_answers(store))
        keep_records(store, (), first=0)
        with pytest.raises(Undetermined, match="no answer has been counted"):
            require_complete(read_plan(store), count_answers(store))


def test_only_an_anytime_plan_has_measures_that_close(ran: tuple[Store, dict[str, Suite]]) -> None:
    store, _ = ran
    plan, rubric = read_plan(store), store.document(RUBRIC_PATH)
    assert None is open_measures_of(rubric, plan)
    import msgspec

    watch = open_measures_of(rubric, msgspec.structs.replace(plan, design="anytime"))
    assert watch is not None
    counted = count_answers(store)
    assert set(watch(counted.tallies())) <= {"quiz.right", "puzzles.right"}


# -- scoring alone ---------------------------------------------------------------------------------------------


def test_lost_scores_are_made_again_and_are_the_same(ran: tuple[Store, dict[str, Suite]]) -> None:
    store, suites = ran
    before = count_answers(store).tallies()
    keep_records(store, (Scored, Unscored))
    assert 12 == score_answers(store, quiz_detector(), suites)
    assert before == count_answers(store).tallies()
    assert 0 == score_answers(store, quiz_detector(), suites)


def test_scoring_without_a_detector_that_is_needed_scores_nothing_at_all(
    ran: tuple[Store, dict[str, Suite]],
) -> None:
    store, suites = ran
    keep_records(store, (Scored, Unscored))
    before = list(store.records())
    with pytest.raises(UsageError, match="answers lack the score of choice@"):
        score_answers(store, {}, suites)
    assert before == list(store.records())


def test_a_store_with_every_score_needs_no_detector(ran: tuple[Store, dict[str, Suite]]) -> None:
    store, suites = ran
    assert 0 == score_answers(store, {}, suites)


def test_a_failed_answer_is_never_scored(tmp_path: Path) -> None:
    recipe = replace(SMALL, errors="1")
    store, suites, log = begin_store(tmp_path, recipe)
    with store:
        asyncio.run(run_recipe(recipe, store, suites, log))
        assert 0 == score_answers(store, {}, {suite.name: suite for suite in suites})
