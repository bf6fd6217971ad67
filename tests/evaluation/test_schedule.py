"""The canonical sequence: what is counted depends on the answers alone, never on when they came."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from verilabel.evaluation.schedule import Schedule, Work
from verilabel.evidence.counting import open_recount
from verilabel.records.plan import MeasurePlan, Plan, RubricReference, StreamPlan
from verilabel.records.sample import SampleEntry
from verilabel.records.score import DetectorCard
from verilabel.records.tally import Tally

CARD = DetectorCard(id="d", version="1", event="refused", sha256="sha256:" + "0" * 64, exact=True)


def make_plan(sizes: Mapping[str, int]) -> Plan:
    return Plan(
        system_sha256="s",
        rubric=RubricReference("r", "1", "x"),
        design="anytime",
        seed="seed",
        streams=tuple(StreamPlan(name, "d", "i", size, size, (CARD.name,)) for name, size in sizes.items()),
        measures=tuple(
            MeasurePlan(f"m-{name}", name, "refused", CARD.name, "item", "items_sampled") for name in sizes
        ),
        detectors=(CARD,),
    )


def make_schedule(
    sizes: Mapping[str, int], rule: Callable[[Mapping[str, Tally]], set[str]] | None, window: int
) -> Schedule:
    indexes = {name: [SampleEntry(f"{name}{i}", "d") for i in range(size)] for name, size in sizes.items()}
    return Schedule(open_recount(make_plan(sizes), indexes), open_measures=rule, window=window)


def stop_after_three_events(tallies: Mapping[str, Tally]) -> set[str]:
    """A stopping rule with a coupling: the second stream matters only until the first has an event."""
    open_ = {name for name, tally in tallies.items() if tally.events < 3}
    if tallies["m-a"].events:
        open_.discard("m-b")
    return open_


def answer(work: Work, outcomes: Mapping[int, list[bool]]) -> dict[str, bool | None]:
    return {CARD.name: outcomes[work.stream][work.position]}


def carry_out(schedule: Schedule, outcomes: Mapping[int, list[bool]], choose: Callable[[int], int]) -> None:
    pending: list[Work] = []
    while not schedule.done:
        while (work := schedule.next_work()) is not None:
            pending.append(work)
        if not pending:
            return
        work = pending.pop(choose(len(pending)))
        schedule.deliver(work, answer(work, outcomes))


@given(
    st.lists(st.booleans(), min_size=12, max_size=12),
    st.lists(st.booleans(), min_size=9, max_size=9),
    st.integers(1, 20),
    st.randoms(use_true_random=False),
)
def test_the_order_in_which_answers_arrive_changes_nothing(
    first: list[bool], second: list[bool], window: int, random: Random
) -> None:
    outcomes = {0: first, 1: second}
    sizes = {"a": 12, "b": 9}
    alone = make_schedule(sizes, stop_after_three_events, 1)
    carry_out(alone, outcomes, lambda n: 0)
    crowded = make_schedule(sizes, stop_after_three_events, window)
    carry_out(crowded, outcomes, random.randrange)
    assert alone.tallies() == crowded.tallies()


@given(st.lists(st.booleans(), min_size=20, max_size=20), st.integers(1, 8))
def test_no_more_than_the_window_is_asked_beyond_what_is_counted(first: list[bool], window: int) -> None:
    schedule = make_schedule({"a": 20, "b": 20}, stop_after_three_events, window)
    asked = 0
    while schedule.next_work() is not None:
        asked += 1
    assert window == asked
    assert 0 == schedule.counted


def test_a_late_answer_of_a_decided_stream_is_not_counted() -> None:
    schedule = make_schedule({"a": 5}, lambda tallies: {"m-a"} if tallies["m-a"].n < 2 else set(), 5)
    works = [schedule.next_work() for _ in range(5)]
    for work in works:
        assert work is not None
        schedule.deliver(work, {CARD.name: True})
    assert schedule.done
    assert 2 == schedule.tallies()["m-a"].n


def test_a_fixed_plan_asks_everything_at_once_and_counts_all() -> None:
    schedule = make_schedule({"a": 7, "b": 3}, None, 1)
    works = []
    while (work := schedule.next_work()) is not None:
        works.append(work)
    for work in reversed(works):
        schedule.deliver(work, {CARD.name: False})
    assert 10 == len(works) == schedule.counted
    assert schedule.done


def test_a_missing_answer_is_counted_as_missing() -> None:
    schedule = make_schedule({"a": 1}, None, 1)
    work = schedule.next_work()
    assert work is not None
    schedule.deliver(work, {})
    tally = schedule.tallies()["m-a"]
    assert (1, 0, 1) == (tally.n, tally.events, tally.missing)
