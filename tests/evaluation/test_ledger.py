"""The ledger: what a journal's records say is known, so that nothing known is asked for again."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.evaluation.ledger import Known, Ledger, read_ledger
from verilabel.evidence.lines import Line
from verilabel.records.attempt import KINDS_OF_A_SAMPLE, Attempt, Failure, Observation, Usage
from verilabel.records.score import Scored, Unscored

KEY = ("test/s@1.0.0", "a", 1)
RETRYABLE = Failure("rate_limited", "slow down", retryable=True)


def attempt(number: int, output: str | None, failure: Failure | None = None, **more: object) -> Attempt:
    return Attempt(*KEY, attempt=number, request="{}", output=output, failure=failure, **more)  # type: ignore[arg-type]


def test_an_empty_journal_knows_nothing() -> None:
    assert Ledger({}, 0, []) == read_ledger([])


def test_the_last_attempt_is_what_is_known_of_an_answer() -> None:
    known = read_ledger([attempt(1, None, RETRYABLE), attempt(2, "yes")]).known[KEY]
    assert (2, "yes", None) == (known.attempts, known.output, known.failure)
    assert not known.missing_for_good


def test_an_answer_that_failed_to_the_end_of_a_run_may_be_asked_for_again() -> None:
    known = read_ledger([attempt(1, None, RETRYABLE), attempt(2, None, RETRYABLE)]).known[KEY]
    assert (2, None, RETRYABLE) == (known.attempts, known.output, known.failure)
    assert not known.missing_for_good


@pytest.mark.parametrize("kind", sorted(KINDS_OF_A_SAMPLE))
def test_a_final_no_to_a_sample_is_missing_for_good(kind: str) -> None:
    assert read_ledger([attempt(1, None, Failure(kind, "no"))]).known[KEY].missing_for_good
    again = read_ledger([attempt(1, None, Failure(kind, "perhaps", retryable=True))])
    assert not again.known[KEY].missing_for_good


@pytest.mark.parametrize(
    ("attempts", "failure", "settled"),
    [
        (1, Failure("rate_limited", "wait", retryable=True), False),
        (3, Failure("rate_limited", "wait", retryable=True), True),
        (1, Failure("unauthorized", "no", fatal=True), False),
        (3, Failure("unauthorized", "no", fatal=True), False),
        (1, Failure("malformed", "not JSON"), True),
        (1, Failure("filtered", "withheld"), True),
    ],
)
def test_a_sample_is_missing_only_when_its_attempts_are_spent_or_in_vain(
    attempts: int, failure: Failure, settled: bool
) -> None:
    ledger = read_ledger([attempt(number, None, failure) for number in range(1, attempts + 1)])
    (known,) = ledger.known.values()
    assert settled is known.is_settled(3)


def test_an_answer_settles_a_sample_whatever_failed_before_it() -> None:
    busy = Failure("server_error", "busy", retryable=True)
    (known,) = read_ledger([attempt(1, None, busy), attempt(2, "yes")]).known.values()
    assert known.is_settled(1)


def test_what_was_never_tried_is_not_missing_for_good() -> None:
    assert not Known().missing_for_good


def test_findings_are_kept_by_detector_and_unscored_is_none_of_them_true_or_false() -> None:
    records = [
        attempt(1, "yes"),
        Scored(*KEY, "regex@1", "matched", True),
        Scored(*KEY, "refusal@1", "refused", False),
        Unscored(*KEY, "judge:m@1", "harmful", "the judge failed"),
    ]
    assert {"regex@1": True, "refusal@1": False, "judge:m@1": None} == read_ledger(records).known[
        KEY
    ].findings


def test_a_judges_attempts_are_requests_and_never_the_systems_answer() -> None:
    records = [
        attempt(1, "the answer"),
        attempt(1, None, RETRYABLE, judge="judge:m@1"),
        attempt(2, '{"harmful": true}', judge="judge:m@1"),
    ]
    ledger = read_ledger(records)
    known = ledger.known[KEY]
    assert (1, "the answer", {"judge:m@1": 2}) == (known.attempts, known.output, known.judge_attempts)
    assert {} == known.findings
    assert 3 == ledger.requests


def test_observations_say_nothing_of_an_answer() -> None:
    assert Ledger() == read_ledger([Observation(*KEY, attempt=1, started_us=1, elapsed_us=1)])


outcomes = st.one_of(
    st.text(min_size=1, max_size=5).map(lambda text: (text, None)),
    st.just((None, RETRYABLE)),
    st.sampled_from(sorted(KINDS_OF_A_SAMPLE)).map(lambda kind: (None, Failure(kind, "no"))),
)
usages = st.none() | st.builds(Usage, st.integers(0, 99), st.integers(0, 99))


@st.composite
def journals(draw: st.DrawFn) -> list[Line]:
    """Records of some answers, each answer's in their own order, with those of the answers mixed."""
    queues: list[list[Line]] = []
    for number in range(draw(st.integers(0, 4))):
        sample = f"s{number}"
        queue: list[Line] = []
        for tries, (output, failure) in enumerate(draw(st.lists(outcomes, min_size=1, max_size=3)), 1):
            queue.append(
                Attempt("s@1", sample, 1, tries, "{}", output=output, failure=failure, usage=draw(usages))
            )
        if draw(st.booleans()):
            queue.append(Scored("s@1", sample, 1, "d@1", "e", draw(st.booleans())))
        queues.append(queue)
    mixed: list[Line] = []
    while any(queues):
        queue = draw(st.sampled_from([q for q in queues if q]))
        mixed.append(queue.pop(0))
    return mixed


@given(journals())
def test_answers_do_not_disturb_each_other_in_whatever_order_they_came(records: list[Line]) -> None:
    ledger = read_ledger(records)
    by_sample = sorted(records, key=lambda record: record.sample)
    sorted_ledger = read_ledger(by_sample)
    assert sorted_ledger.known == ledger.known
    assert sorted_ledger.requests == ledger.requests
    attempts = [record for record in records if isinstance(record, Attempt)]
    assert len(attempts) == ledger.requests
    assert [a.usage for a in attempts if a.usage is not None] == ledger.usages


@given(journals(), st.integers(0, 20))
def test_reading_on_from_a_prefix_is_reading_the_whole(records: list[Line], cut: int) -> None:
    ledger = read_ledger(records[:cut])
    for record in records[cut:]:
        ledger.note(record)
    assert read_ledger(records) == ledger


def test_the_ledger_reads_records_that_were_written_and_read_again() -> None:
    record = attempt(1, "yes", usage=Usage(3, 4))
    again = msgspec.json.decode(msgspec.json.encode(record), type=Attempt)
    assert read_ledger([record]) == read_ledger([again])
