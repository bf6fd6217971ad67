"""Reading answers that people labelled, and counting a detector's errors on them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.detectors.catalogue import bundled_detectors, open_detector
from verilabel.detectors.exact import ExactDetector
from verilabel.detectors.interface import decides_alone
from verilabel.detectors.labelled import LabelledRow, read_labelled
from verilabel.detectors.measure import count_errors, measure, shipped_measurements
from verilabel.detectors.measured_card import find_impossible_count
from verilabel.detectors.refusal import RefusalDetector
from verilabel.errors import MalformedInput, UsageError
from verilabel.records.sample import Message, Sample
from verilabel.records.score import Scored

REFUSAL, ANSWER = "I'm sorry, but I can't help with that.", "Sure! Mix the flour with the water and bake it."
COLUMNS = {"output_column": "said", "label_column": "label"}


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", '\ufeffasked,said,label\nq1,"one, two",yes\nq2,three,no\n'),
        (
            "a.jsonl",
            '{"asked":"q1","said":"one, two","label":"yes"}\n\n{"asked":"q2","said":"three","label":"no"}\n',
        ),
        (
            "a.json",
            '[{"asked":"q1","said":"one, two","label":"yes"},{"asked":"q2","said":"three","label":"no"}]',
        ),
        (
            "b.json",
            '{"v":1,"rows":[{"asked":"q1","said":"one, two","label":"yes"},'
            '{"asked":"q2","said":"three","label":"no"}]}',
        ),
    ],
)
def test_the_same_rows_are_read_from_every_format(tmp_path: Path, name: str, text: str) -> None:
    labelled = read_labelled(write(tmp_path / name, text), positive=["yes"], prompt_column="asked", **COLUMNS)
    assert [LabelledRow("q1", "one, two", True), LabelledRow("q2", "three", False)] == labelled.rows


def test_numbers_and_booleans_are_labels_too(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl", '{"said":"x","label":1}\n{"said":"y","label":0}\n{"said":null,"label":true}'
    )
    assert [True, False, True] == [
        r.event for r in read_labelled(path, positive=["1", "true"], **COLUMNS).rows
    ]


def test_a_missing_column_names_those_that_exist_and_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "prompt,completion,label\nq,a,1\n")
    with pytest.raises(UsageError) as caught:
        read_labelled(path, output_column="completions", label_column="label", positive=["1"])
    assert "prompt, completion, label" in str(caught.value)
    assert "did you mean 'completion'?" in str(caught.value)


@pytest.mark.parametrize("positive", [["maybe"], ["yes", "maybe"], []])
def test_a_positive_label_that_no_row_has_names_those_that_exist(tmp_path: Path, positive: list[str]) -> None:
    path = write(tmp_path / "a.csv", "said,label\na,yes\nb,no\nc,no\n")
    with pytest.raises(UsageError, match=r"no \(2\), yes \(1\)"):
        read_labelled(path, positive=positive, **COLUMNS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.csv", b"said,label\n"),
        ("a.csv", b"said,label\nx,yes,more\n"),
        ("a.csv", b"said,label\nx\n"),
        ("a.csv", b"said,label\nx,\n"),
        ("a.csv", b'said,label\n"x,yes\n'),
        ("a.csv", b"said,label\n\xff,yes\n"),
        ("a.jsonl", b'{"said":"x","label":"yes"}\n{"said"'),
        ("a.jsonl", b'["x"]'),
        ("a.json", b'{"a":[{"x":1}],"b":[{"x":1}]}'),
        ("a.json", b"3"),
        ("a.json", b"[" * 100_000),
    ],
)
def test_a_file_that_is_not_what_it_must_be_is_refused_with_its_place(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MalformedInput) as caught:
        read_labelled(tmp_path / name, positive=["yes"], **COLUMNS)
    assert name in str(caught.value.where)


def test_errors_are_counted_against_people() -> None:
    rows = [
        LabelledRow("q", REFUSAL, True),
        LabelledRow("q", ANSWER, True),
        LabelledRow("q", ANSWER, False),
        LabelledRow("q", REFUSAL, False),
        LabelledRow("q", REFUSAL, True),
    ]
    counts = measure(RefusalDetector(), rows, dataset="five", dataset_sha256="sha256:" + "0" * 64)
    assert (2, 3, 1, 2) == (
        counts.true_positives,
        counts.positives,
        counts.true_negatives,
        counts.negatives,
    )


def test_unscored_answers_count_as_wrong_and_are_reported() -> None:
    rows = [LabelledRow("q", "", True), LabelledRow("q", " ", False), LabelledRow("q", REFUSAL, True)]
    counts = measure(RefusalDetector(), rows, dataset="three", dataset_sha256="sha256:" + "0" * 64)
    assert (1, 2, 0, 1) == (
        counts.true_positives,
        counts.positives,
        counts.true_negatives,
        counts.negatives,
    )
    assert "2 unscored" in counts.method


@given(st.lists(st.tuples(st.booleans(), st.booleans())))
def test_counts_agree_with_a_plain_recount(pairs: list[tuple[bool, bool]]) -> None:
    rows = [LabelledRow("", "", label) for label, _ in pairs]
    findings = [Scored("s", "i", 1, "d@1", "e", found) for _, found in pairs]
    counts = count_errors(rows, findings, dataset="d", dataset_sha256="sha256:" + "0" * 64)
    assert pairs.count((True, True)) == counts.true_positives
    assert pairs.count((False, False)) == counts.true_negatives
    assert len(pairs) == counts.positives + counts.negatives
    assert find_impossible_count(counts) is None


def test_every_bundled_detector_opens_by_its_id_and_has_a_possible_card() -> None:
    for detector in bundled_detectors():
        opened = open_detector(detector.card.id)
        assert opened.card == detector.card
        assert decides_alone(opened)
        assert detector.card.exact != bool(detector.card.errors)
        assert not any(map(find_impossible_count, detector.card.errors))


def test_the_card_quotes_the_first_shipped_table() -> None:
    for name in ("refusal", "harmful"):
        table = next(t for t in shipped_measurements().tables if t.detector == name)
        assert open_detector(name).card.errors == table.counts


def test_a_measured_card_gives_errors_to_exactly_the_detector_it_measured(tmp_path: Path) -> None:
    card = json.loads(json.dumps({"id": "judge:m", "version": "1.0.0", "event": "harmful"}))
    card["sha256"] = open_detector("judge:m").card.sha256
    counted = {"true_positives": 9, "positives": 10, "true_negatives": 5, "negatives": 5, "dataset": "d"}
    card["errors"] = [{**counted, "dataset_sha256": "sha256:" + "a" * 64}]
    path = write(tmp_path / "card.json", json.dumps(card))
    assert 9 == open_detector("judge:m", card=path).card.errors[0].true_positives
    for other in ("judge:other", "llama-guard:m", "refusal"):
        with pytest.raises(UsageError, match="this card measures"):
            open_detector(other, card=path)
    card["errors"][0]["true_positives"] = 11
    with pytest.raises(MalformedInput, match="11 true positives of 10"):
        open_detector("judge:m", card=write(path, json.dumps(card)))
    with pytest.raises(MalformedInput, match="not a detector card"):
        open_detector("judge:m", card=write(path, "{}"))


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("refusals", "refusal"),
        ("judge", "needs a model"),
        ("regex", "needs a pattern"),
        ("nothing-like-it", "regex:PATTERN"),
        ("jugde:openai/x", "judge"),
    ],
)
def test_an_unknown_detector_is_refused_with_what_there_is(reference: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_detector(reference)
    assert hint in str(caught.value)


def test_settings_reach_the_detector() -> None:
    regex, number = open_detector("regex:ab+c"), open_detector("number:0.5")
    assert decides_alone(regex)
    assert decides_alone(number)
    sample = Sample("s", (Message("user", "?"),), target=("3",))
    assert [True, True] == [
        f.value
        for f in (regex.detect("s", sample, 1, "xabbc"), number.detect("s", sample, 1, "3.5"))
        if isinstance(f, Scored)
    ]
    assert not isinstance(regex, ExactDetector)
