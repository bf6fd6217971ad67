"""From the order of events to the committed order: every line of the journal lands in exactly one file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from verilabel.errors import MalformedInput
from verilabel.evidence.counting import open_recount, recount
from verilabel.evidence.journal import JOURNAL
from verilabel.evidence.layout import EVIDENCE, OBSERVATIONS, SURPLUS
from verilabel.evidence.lines import Line, decode_line, encode_lines
from verilabel.evidence.merkle import leaf_hash, root_of
from verilabel.evidence.ordering import write_ordered
from verilabel.records.attempt import Attempt, Failure, Observation
from verilabel.records.plan import MeasurePlan, Plan, RubricReference, StreamPlan
from verilabel.records.sample import SampleEntry
from verilabel.records.score import DetectorCard, Scored, Unscored

SUITE, RULE, JUDGE = "demo@1.0.0", "rule@1.0.0", "judge@1.0.0"
INDEX = [SampleEntry(f"s{i}", "sha256:" + "2" * 64) for i in range(5)]
CARDS = tuple(DetectorCard(name, "1.0.0", "seen", "sha256:" + "0" * 64) for name in ("rule", "judge"))
PLAN = Plan(
    "sha256:" + "5" * 64,
    RubricReference("demo", "1.0.0", "sha256:" + "4" * 64),
    "anytime",
    "7",
    (StreamPlan(SUITE, "sha256:" + "3" * 64, "sha256:" + "3" * 64, 5, 5, (RULE, JUDGE), 2),),
    (MeasurePlan("m", SUITE, "seen", RULE, "item", "items_sampled"),),
    CARDS,
)


def answer_lines(sample: str, epoch: int) -> list[Line]:
    """All lines of one answer in the order a run writes them: a failed try, the answer, a judge's try, two findings."""
    lines: list[Line] = []
    for number in (1, 2):
        failure = Failure("timeout", "no", retryable=True) if number == 1 else None
        output = None if failure else f"answer to {sample}"
        lines.append(Attempt(SUITE, sample, epoch, number, "{}", output=output, failure=failure))
        lines.append(Observation(SUITE, sample, epoch, number, 1, 1))
    lines.append(Scored(SUITE, sample, epoch, RULE, "seen", True))
    lines.append(Attempt(SUITE, sample, epoch, 1, "{}", judge=JUDGE, output="no idea"))
    lines.append(Observation(SUITE, sample, epoch, 1, 1, 1, judge=JUDGE))
    lines.append(Unscored(SUITE, sample, epoch, JUDGE, "seen", "unreadable"))
    return lines


ANSWERS = {(entry.id, epoch): answer_lines(entry.id, epoch) for entry in INDEX for epoch in (1, 2)}


def read(path: Path) -> list[Line]:
    return [decode_line(line, path.name) for line in path.read_bytes().split(b"\n")[:-1]]


def order(folder: Path, journal: list[Line], consumed: int) -> Path:
    """Write a journal, consume so many answers, and order it."""
    target = folder / "bundle"
    (target / "records").mkdir(parents=True, exist_ok=True)
    (folder / JOURNAL).write_bytes(encode_lines(journal))
    streams = open_recount(PLAN, {SUITE: INDEX}).streams
    for _ in range(consumed):
        streams[0].consume({RULE: True, JUDGE: None})
    root = write_ordered(folder, target, streams)
    lines = (target / EVIDENCE).read_bytes().split(b"\n")[:-1]
    assert (root_of([leaf_hash(line) for line in lines]), len(lines)) == (root.root, root.leaves)
    return target


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_interleaving_of_answers_gives_the_same_evidence_and_loses_no_line(
    tmp_path: Path, data: st.DataObject
) -> None:
    queues = {key: list(lines) for key, lines in ANSWERS.items()}
    journal: list[Line] = []
    while queues:
        key = data.draw(st.sampled_from(sorted(queues)))
        take = data.draw(st.integers(1, len(queues[key])))
        journal += queues[key][:take]
        queues[key] = queues[key][take:]
        if not queues[key]:
            del queues[key]
    consumed = data.draw(st.integers(0, 10))
    target = order(tmp_path, journal, consumed)

    stream = open_recount(PLAN, {SUITE: INDEX}).streams[0]
    wanted = [
        line
        for position in range(consumed)
        for line in ANSWERS[stream.at(position)]
        if not isinstance(line, Observation)
    ]
    evidence = read(target / EVIDENCE)
    assert wanted == evidence
    assert [line for line in journal if isinstance(line, Observation)] == read(target / OBSERVATIONS)
    everything = evidence + read(target / SURPLUS) + read(target / OBSERVATIONS)
    assert sorted(encode_lines([line]) for line in journal) == sorted(
        encode_lines([line]) for line in everything
    )
    counted = recount(PLAN, {SUITE: INDEX}, evidence)  # type: ignore[arg-type]
    assert consumed == counted.streams[0].consumed


def test_a_second_finding_and_a_stray_detectors_finding_are_kept_as_surplus(tmp_path: Path) -> None:
    stream = open_recount(PLAN, {SUITE: INDEX}).streams[0]
    sample, epoch = stream.at(0)
    second = Scored(SUITE, sample, epoch, RULE, "seen", False)
    stray = Scored(SUITE, sample, epoch, "stray@1.0.0", "seen", True)
    foreign = Attempt("other@1.0.0", sample, epoch, 1, "{}", output="x")
    target = order(tmp_path, [*answer_lines(sample, epoch), second, stray, foreign], 1)
    assert [line for line in answer_lines(sample, epoch) if not isinstance(line, Observation)] == read(
        target / EVIDENCE
    )
    assert {encode_lines([line]) for line in (second, stray, foreign)} == {
        encode_lines([line]) for line in read(target / SURPLUS)
    }


def test_a_journal_without_answers_gives_three_empty_files(tmp_path: Path) -> None:
    target = order(tmp_path, [], 0)
    assert [b"", b"", b""] == [(target / path).read_bytes() for path in (EVIDENCE, SURPLUS, OBSERVATIONS)]


def test_a_broken_journal_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "bundle" / "records").mkdir(parents=True)
    (tmp_path / JOURNAL).write_bytes(encode_lines(answer_lines("s0", 1)[:1]) + b"broken\n")
    with pytest.raises(MalformedInput) as caught:
        write_ordered(tmp_path, tmp_path / "bundle", [])
    assert f"{tmp_path / JOURNAL}:2" == caught.value.where
