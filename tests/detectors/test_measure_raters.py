"""Detectors measured against several raters: reading ratings, agreement, and disagreement carried into the errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.cli import main
from verilabel.detectors.catalogue import open_detector
from verilabel.detectors.interface import Finding
from verilabel.detectors.measured_card import find_impossible_count
from verilabel.detectors.panel import PanelMeasurement, measure_against_raters
from verilabel.detectors.rated import RatedColumns, RatedItem, RatedSet, read_rated
from verilabel.errors import MalformedInput, UsageError
from verilabel.records.score import ErrorCounts, Scored, Unscored
from verilabel.statistics.exact import cp_lower

SHA = "sha256:" + "0" * 64
REFUSAL, ANSWER = "I'm sorry, but I can't help with that.", "Sure! Mix the flour with the water and bake it."


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def rated(*labels: str, adjudicated: str = "") -> RatedSet:
    """One item for each text such as `yn`: a rater's label a character, `.` for none; `adjudicated` likewise."""
    items = [
        RatedItem(
            f"q{i}",
            f"a{i}",
            {f"r{r}": label for r, label in enumerate(text) if label != "."},
            (adjudicated[i] if i < len(adjudicated) and adjudicated[i] != "." else None),
        )
        for i, text in enumerate(labels)
    ]
    return RatedSet(items, tuple(f"r{r}" for r in range(max(map(len, labels)))), "t", SHA)


def findings(text: str) -> list[Finding]:
    """`1` found, `0` not found, `?` unscored."""
    return [
        Unscored("s", str(i), 1, "d@1", "e", "why")
        if c == "?"
        else Scored("s", str(i), 1, "d@1", "e", c == "1")
        for i, c in enumerate(text)
    ]


def measured(labels: RatedSet, found: str) -> PanelMeasurement:
    return measure_against_raters(labels, findings(found), positive="y", unsure="u", min_items=1)


def four(counts: ErrorCounts) -> tuple[int, int, int, int]:
    return counts.true_positives, counts.positives, counts.true_negatives, counts.negatives


def test_disputed_answers_are_labelled_against_the_detector_in_the_worst_case_and_for_it_in_the_best() -> (
    None
):
    panel = measured(rated("yy", "yn", "ny", "nn", "yn"), "11000")
    assert (3, 3) == (panel.disputed, panel.ties)
    assert (1, 1, 1, 1) == four(panel.unanimous) == four(panel.adjudicated)
    assert (1, 3, 1, 2) == four(panel.worst)
    assert (2, 2, 3, 3) == four(panel.best)
    assert [(2, 3, 2, 2), (1, 2, 2, 3)] == [four(counts) for counts in panel.by_rater.values()]


def test_a_majority_decides_and_an_adjudication_decides_before_it() -> None:
    labels = ("yyn", "nny", "yny")
    assert (2, 2, 1, 1) == four(measured(rated(*labels), "101").adjudicated)
    panel = measured(rated(*labels, adjudicated="n.."), "101")
    assert (1, 1, 1, 2) == four(panel.adjudicated)
    agreed = measured(rated("yy", adjudicated="n"), "1")
    assert 1 == agreed.disputed, "an adjudication against everybody is a dispute"


def test_an_unscored_answer_is_wrong_under_every_truth_and_on_both_sides_where_disputed() -> None:
    panel = measured(rated("yy", "nn", "yn"), "???")
    assert (0, 2, 0, 2) == four(panel.worst)
    assert (0, 1, 0, 1) == four(panel.unanimous)
    assert "3 unscored" in panel.worst.method


def test_a_label_that_says_neither_makes_an_answer_disputed_and_counts_for_nobody() -> None:
    panel = measured(rated("yu", "nn"), "10")
    assert 1 == panel.disputed
    assert (1, 1, 1, 1) == four(panel.adjudicated)
    assert (0, 0, 1, 1) == four(panel.by_rater["r1"])


def test_agreement_is_told_of_labels_and_of_the_event() -> None:
    panel = measured(rated("yn", "zn", "yy", "nn"), "1100")
    assert panel.labels.percent == pytest.approx(0.5)
    assert panel.events.percent == pytest.approx(0.75)
    assert panel.labels.krippendorff_alpha is not None
    assert panel.labels.krippendorff_alpha < (panel.events.krippendorff_alpha or 0)


def test_raters_with_few_answers_are_set_aside_and_named() -> None:
    panel = measure_against_raters(rated("yy.", "nn.", "yyn"), findings("101"), positive="y", min_items=2)
    assert (("r2",), ["r0", "r1"]) == (panel.set_aside, list(panel.by_rater))


panels = st.integers(2, 4).flatmap(
    lambda raters: st.lists(
        st.tuples(st.text("yn", min_size=raters, max_size=raters), st.sampled_from("01?")),
        min_size=1,
        max_size=30,
    )
)


@given(panels, st.sampled_from([0.005, 0.025, 0.2]))
def test_the_worst_case_bounds_no_rater_above_what_that_rater_gives(
    rows: list[tuple[str, str]], alpha: float
) -> None:
    panel = measured(rated(*(labels for labels, _ in rows)), "".join(found for _, found in rows))
    truths = (
        [*panel.by_rater.values(), panel.adjudicated] if not panel.ties else list(panel.by_rater.values())
    )
    for counts in truths:
        assert (
            _bound(panel.worst.true_positives, panel.worst.positives, alpha)
            <= _bound(counts.true_positives, counts.positives, alpha)
            or not counts.positives
        )
        assert (
            _bound(panel.worst.true_negatives, panel.worst.negatives, alpha)
            <= _bound(counts.true_negatives, counts.negatives, alpha)
            or not counts.negatives
        )
        assert panel.sensitivity.lower <= panel.sensitivity.upper


@given(panels)
def test_every_count_is_possible_and_the_hardest_rater_is_the_lowest_bound_of_all(
    rows: list[tuple[str, str]],
) -> None:
    panel = measured(rated(*(labels for labels, _ in rows)), "".join(found for _, found in rows))
    for counts in (
        panel.adjudicated,
        panel.unanimous,
        panel.worst,
        panel.best,
        panel.hardest,
        *panel.by_rater.values(),
    ):
        assert find_impossible_count(counts) is None
    lowest = min(_bound(c.true_positives, c.positives, 0.005) for c in panel.by_rater.values())
    assert lowest == _bound(panel.hardest.true_positives, panel.hardest.positives, 0.005)


def _bound(events: int, n: int, alpha: float) -> float:
    return cp_lower(events, n, alpha) if n else 0.0


# ---------------------------------------------------------------- reading

WIDE = "asked,said,one,two,final\nq1,x,yes,yes,yes\nq2,y,yes,no,no\nq3,z,,no,\n"
LONG = (
    "id,asked,said,who,label\n1,q1,x,one,yes\n1,q1,x,two,yes\n2,q2,y,one,yes\n2,q2,y,two,no\n3,q3,z,two,no\n"
)


def test_columns_of_raters_and_rows_of_ratings_are_read_alike(tmp_path: Path) -> None:
    wide = read_rated(
        write(tmp_path / "w.csv", WIDE), RatedColumns("said", "asked", ("one", "two")), positive=["yes"]
    )
    for item in (None, "id"):
        columns = RatedColumns("said", "asked", rater="who", label="label", item=item)
        long = read_rated(write(tmp_path / "l.csv", LONG), columns, positive=["yes"])
        assert wide.items == long.items
        assert ("one", "two") == long.raters
    assert {"two": "no"} == wide.items[2].labels


def test_an_empty_adjudication_is_none(tmp_path: Path) -> None:
    columns = RatedColumns("said", raters=("one", "two"), adjudicated="final")
    read = read_rated(write(tmp_path / "w.csv", WIDE), columns, positive=["yes"])
    assert ["yes", "no", None] == [item.adjudicated for item in read.items]


@pytest.mark.parametrize(
    ("text", "columns", "error", "message"),
    [
        (WIDE, RatedColumns("said", raters=("one", "tow")), UsageError, "did you mean 'two'"),
        (WIDE, RatedColumns("said", raters=("one",)), (UsageError, MalformedInput), "label"),
        (WIDE, RatedColumns("said"), UsageError, "raters are either columns"),
        (
            WIDE,
            RatedColumns("said", raters=("one", "two"), rater="who", label="x"),
            UsageError,
            "either columns",
        ),
        (
            WIDE.replace("q3,z,,no", "q3,z,,"),
            RatedColumns("said", raters=("one", "two")),
            MalformedInput,
            "no rater",
        ),
        (
            LONG + "3,q3,z,two,yes\n",
            RatedColumns("said", "asked", rater="who", label="label"),
            MalformedInput,
            "twice",
        ),
        (
            LONG + "3,q3,z,,yes\n",
            RatedColumns("said", "asked", rater="who", label="label"),
            MalformedInput,
            "without",
        ),
        (
            LONG + "3,q3,other,one,yes\n",
            RatedColumns("said", "asked", rater="who", label="label", item="id"),
            MalformedInput,
            "what another row does not",
        ),
        (
            WIDE.replace("yes", "ja"),
            RatedColumns("said", raters=("one", "two")),
            UsageError,
            "no row is labelled",
        ),
    ],
)
def test_ratings_that_do_not_make_sense_are_refused(
    tmp_path: Path, text: str, columns: RatedColumns, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        read_rated(write(tmp_path / "a.csv", text), columns, positive=["yes"])


# ---------------------------------------------------------------- the command


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    rows = [
        ("q", REFUSAL, "r", "r"),
        ("q", ANSWER, "a", "a"),
        ("q", REFUSAL, "r", "a"),
        ("q", ANSWER, "a", "r"),
    ]
    lines = [json.dumps(dict(zip(("prompt", "said", "one", "two"), row, strict=True))) for row in rows * 5]
    return write(tmp_path / "answers.jsonl", "\n".join(lines) + "\n")


def measuring(path: Path, *more: str) -> list[str]:
    options = ["--prompt-column", "prompt", "--output-column", "said", "--positive", "r"]
    return ["detectors", "measure", "refusal", "--human", str(path), *options, *more]


def test_the_command_prints_agreement_and_errors_under_every_truth(
    answers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == main(measuring(answers, "--rater-columns", "one,two", "--min-items", "5"))
    out = capsys.readouterr().out
    assert "20 answers, 2 raters; 10 disputed, 10 ties left out" in out
    assert "Cohen's kappa" in out and "rater two" in out
    assert main(measuring(answers, "--rater-columns", "one,two", "--json")) == 0
    document = json.loads(capsys.readouterr().out)
    assert [5, 10] == [document["worst"][name] for name in ("true_positives", "positives")]
    assert ["one", "two"] == document["set_aside"]
    assert document["judge_uncertified"]


def test_a_card_carries_the_worst_case_unless_told_otherwise(answers: Path, tmp_path: Path) -> None:
    out = tmp_path / "card.json"
    expected = {"worst": (5, 10), "rater": (5, 10), "adjudicated": (5, 5)}
    for choice, (found, positives) in expected.items():
        options = [
            "--rater-columns",
            "one,two",
            "--min-items",
            "5",
            "--card",
            choice,
            "--out",
            str(out),
            "--force",
        ]
        assert 0 == main(measuring(answers, *options))
        (errors,) = open_detector("refusal", card=out).card.errors
        assert (found, positives) == (errors.true_positives, errors.positives), choice
        assert "2 raters" in errors.method


def test_a_rater_column_without_a_label_column_is_a_usage_error(
    answers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == main(measuring(answers, "--rater-column", "one"))
    assert 2 == main(measuring(answers))
    assert "--rater-columns" in capsys.readouterr().err


def test_the_two_annotators_of_xstest_agree_as_its_agreement_column_says(shared_data: Path) -> None:
    folder = shared_data / "xstest" / "model_completions"
    columns = RatedColumns(
        "completion", "prompt", ("annotation_1", "annotation_2"), adjudicated="final_label"
    )
    expected = {"gpt4": 443, "llama2orig": 434, "mistralinstruct": 439}
    for model, agreeing in expected.items():
        read = read_rated(folder / f"xstest_v2_completions_{model}.csv", columns, positive=["2_full_refusal"])
        panel = measure_against_raters(read, findings("0" * 450), positive=["2_full_refusal"])
        assert panel.labels.percent == pytest.approx(agreeing / 450)


def test_a_hundred_and_twenty_three_raters_of_dices_are_measured(shared_data: Path) -> None:
    document = json.loads((shared_data / "dices" / "dices_350_crowdsourced.json").read_bytes())
    items = []
    for number, instance in enumerate(document["instances"]):
        scores = instance["annotations"]["safety"]["individual_human_scores"]
        items.append(RatedItem(str(number), "", {f"r{r:03}": str(s) for r, s in enumerate(scores)}))
    panel = measure_against_raters(
        RatedSet(items, tuple(items[0].labels), "dices", SHA),
        findings("0" * 350),
        positive=["No"],
        unsure=["Unsure"],
    )
    assert (350, 123, 350) == (panel.items, panel.raters, panel.disputed)
    assert panel.labels.krippendorff_alpha == pytest.approx(0.161, abs=0.001)
    assert panel.labels.fleiss_kappa == pytest.approx(panel.labels.krippendorff_alpha, abs=1e-4)
    assert 0 == panel.worst.true_positives == panel.worst.true_negatives


def test_the_table_of_published_ratings_is_what_the_program_counts(
    shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "judges.md").read_text()
    for model in ("gpt4", "llama2orig", "mistralinstruct"):
        path = shared_data / "xstest" / "model_completions" / f"xstest_v2_completions_{model}.csv"
        columns = ["--rater-columns", "annotation_1,annotation_2", "--adjudicated-column", "final_label"]
        reading = ["--prompt-column", "prompt", "--output-column", "completion", "--json"]
        labels = ["--positive", "2_full_refusal,3_partial_refusal"]
        assert 0 == main(
            ["detectors", "measure", "refusal", "--human", str(path), *columns, *reading, *labels]
        )
        found = json.loads(capsys.readouterr().out)
        shown = [
            f"{c['true_positives']}/{c['positives']}, {c['true_negatives']}/{c['negatives']}"
            for c in (found["adjudicated"], found["worst"])
        ]
        agreement = f"{found['labels']['percent']:.3f} | {found['events']['krippendorff_alpha']:.3f}"
        assert f"| {model} | {agreement} | {found['disputed']} | {shown[0]} | {shown[1]} |" in page
