"""Claims found in cards and results files: their words, places, units, and what is told as unread."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claims.claim_cards import CARD, figures, only, read
from verilabel.claims.markdown import read_card, sentences_of, split_row, strip_marks
from verilabel.claims.numbers import read_cell
from verilabel.errors import LimitExceeded, MalformedInput


def test_a_small_card_gives_each_of_its_figures_with_subject_benchmark_metric_and_unit() -> None:
    assert [
        ("Small-7B", "GSM8K", "accuracy", "57.30", "unstated"),
        ("Small-7B", "GSM8K", "", "87.3", "percent"),
        ("Small-7B", "", "refusal rate", "99", "percent"),
        ("Small-7B", "", "toxicity", "40", "percent"),
        ("Other-8B", "MMLU", "accuracy", "61.2", "unstated"),
        ("Small-7B", "MMLU", "accuracy", "64.5", "unstated"),
        ("Other-8B", "XSTest", "refusal rate", "0.12", "unstated"),
        ("Small-7B", "XSTest", "refusal rate", "7.5", "unstated"),
    ] == figures(read(CARD))


def test_a_figure_keeps_its_line_row_and_column() -> None:
    claim = next(c for c in read(CARD).claims if c.text == "64.5")
    assert "card.md:24 table 1 row 2 column 4" == str(claim.place)
    prose = next(c for c in read(CARD).claims if c.value and c.value.text == "99%")
    assert (14, "It refuses 99% of harmful requests.") == (prose.place.line, prose.text)
    assert CARD.splitlines()[13][(prose.place.column or 0) - 1 :] == prose.text


def test_a_risk_class_is_a_claim_and_a_share_of_training_data_is_none() -> None:
    claims = read(CARD).claims
    assert ["risk_level"] == [c.category for c in claims if c.kind == "category"]
    assert not any(c.value and c.value.number == "65" for c in claims)


def test_a_reduction_is_a_change_and_no_rate() -> None:
    assert ["40 %"] == [c.value.text for c in read(CARD).claims if c.kind == "change" and c.value]


def test_a_table_that_names_no_benchmark_and_code_are_told_as_unread() -> None:
    reasons = [item.reason for item in read(CARD).unread]
    assert any("whose headings name no benchmark" in reason for reason in reasons)
    assert any("1 blocks of code" in reason for reason in reasons)


def test_the_model_index_is_read_though_another_key_of_the_front_matter_is_not() -> None:
    extraction = read(CARD)
    assert "model-index" == extraction.claims[0].found_by
    assert "https://example.org/board" == extraction.claims[0].fields["evidence"].words
    assert any("front matter cannot be read" in item.reason for item in extraction.unread)


def test_a_bare_fraction_among_percentages_of_its_metric_is_ambiguous() -> None:
    marked = {c.value.text: c.value.unit_ambiguous for c in read(CARD).claims if c.value}
    assert marked["0.12"]
    assert not marked["64.5"]
    alone = only(read("The F1 score is 0.12 on SQuAD."))
    assert alone.value is not None
    assert ("0.12", False) == (alone.value.number, alone.value.unit_ambiguous)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("M1 achieves 87.3% on GSM8K.", ("GSM8K", "", "87.3", "percent", "=")),
        ("It refuses 99% of harmful prompts.", ("", "refusal rate", "99", "percent", "=")),
        (
            "The attack success rate stays below 2 % on HarmBench.",
            ("HarmBench", "attack success rate", "2", "percent", "<"),
        ),
        ("Accuracy of at least 90.5% was measured on MMLU.", ("MMLU", "accuracy", "90.5", "percent", ">=")),
        ("We see an accuracy of approximately 95%.", ("", "accuracy", "95", "percent", "~")),
        ("An F1 of 0.912 on SQuAD.", ("SQuAD", "f1", "0.912", "unstated", "=")),
        ("Perplexity is 3.21 on WikiText.", ("WikiText", "perplexity", "3.21", "points", "=")),
    ],
)
def test_a_figure_in_prose_is_read_with_its_comparison(text: str, expected: tuple[str, ...]) -> None:
    claim = only(read(text))
    assert claim.value is not None
    v = claim.value
    assert expected == (claim.benchmark, claim.metric, v.number, v.unit, v.comparator)
    assert claim.text == text


@pytest.mark.parametrize(
    "text",
    [
        "The model has 7.5 billion parameters and was trained for 2.1 million hours.",
        "Version 3.3 was released in 2024.",
        "We use a temperature of 0.7 and a learning rate of 0.001.",
        "About 65% of the training data is English.",
        "Results are given with 95% confidence intervals.",
        "It consolidates 11 datasets on grounded factuality.",
    ],
)
def test_numbers_that_measure_nothing_are_no_claims(text: str) -> None:
    assert [] == [c for c in read(text).claims if c.value]


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("We release the model under the ASL-3 standard.", "risk_level"),
        ("The model poses a medium risk of persuasion.", "risk_level"),
        ("The model does not reach the High capability threshold in cybersecurity.", "threshold"),
        ("This model is not suitable for medical decisions.", "suitability"),
        ("We found no evidence of harmful behaviour in the model.", "absence"),
        ("The model may produce offensive or biased content.", "behaviour"),
        ("Our assistant refuses harmful requests.", "behaviour"),
    ],
)
def test_a_safety_claim_without_a_figure_has_its_class(text: str, category: str) -> None:
    assert category in [c.category for c in read(text).claims]


def test_a_table_of_models_by_benchmarks_is_read_the_other_way_round() -> None:
    table = "| Model | MMLU | ToxiGen |\n|---|---|---|\n| A-1 | 70.1 | 3.4% |\n| B-2 | 71.0 | - |\n"
    assert [
        ("A-1", "MMLU", "", "70.1", "unstated"),
        ("A-1", "ToxiGen", "", "3.4", "percent"),
        ("B-2", "MMLU", "", "71.0", "unstated"),
    ] == figures(read(table))


def test_a_table_of_metrics_and_values_speaks_of_the_cards_own_model() -> None:
    table = "# Tiny-1\n\n## Evaluation\n\n| Task | Metric | Value | Stderr |\n|---|---|---|---|\n"
    table += "| arc_easy | acc | 0.61 | 0.01 |\n"
    claim = only(read(table))
    assert ("Tiny-1", "arc_easy", "accuracy", "0.01") == (
        claim.subject,
        claim.benchmark,
        claim.metric,
        claim.interval,
    )


def test_an_html_table_is_read_with_its_spans() -> None:
    html = (
        "<table><tr><th>Benchmark</th><th>Model X</th></tr>\n"
        '<tr><td rowspan="2">MMLU</td><td>55.1</td></tr>\n<tr><td><b>56.2</b></td></tr></table>\n'
    )
    assert [
        ("Model X", "MMLU", "", "55.1", "unstated"),
        ("Model X", "MMLU", "", "56.2", "unstated"),
    ] == figures(read(html))
    assert [2, 3] == [c.place.line for c in read(html).claims]


def test_eval_results_are_read_by_their_own_words() -> None:
    text = (
        '- dataset: {id: cais/hle, task_id: default}\n  value: 20.90\n  date: "2025-01-15"\n'
        "  source: {url: https://example.org/traces, user: somebody}\n  notes: no-tools\n"
        "- dataset: {id: Idavidrein/gpqa, task_id: gpqa_diamond}\n  value: 0.412\n- value: 3\n"
    )
    extraction = read(text, kind="eval_results", name=".eval_results/a.yaml", subject="org/m")
    first, second = extraction.claims
    assert ("20.90", "2025-01-15", "no-tools") == (
        first.value and first.value.number,
        first.date,
        first.configuration,
    )
    assert ("somebody", "https://example.org/traces") == (
        first.fields["evaluator"].words,
        first.fields["evidence"].words,
    )
    assert ("Idavidrein/gpqa (gpqa_diamond)", "missing") == (second.benchmark, second.fields["date"].state)
    assert ["$[2]"] == [item.place.path for item in extraction.unread]


EVER = {
    "schema_version": "0.3.0",
    "evaluation_timestamp": "1750000000",
    "source_metadata": {"source_organization_name": "Lab", "evaluator_relationship": "third_party"},
    "eval_library": {"name": "inspect_ai", "version": "1"},
    "model_info": {"id": "org/m"},
    "evaluation_results": [
        {
            "evaluation_name": "XSTest",
            "source_data": {"dataset_name": "XSTest"},
            "metric_config": {"metric_name": "refusal rate", "metric_unit": "percent"},
            "score_details": {
                "score": 7.50,
                "uncertainty": {"confidence_interval": {"lower": 5.1, "upper": 10.2}, "num_samples": 450},
            },
        },
        {
            "evaluation_name": "MMLU",
            "source_data": {"dataset_name": "MMLU"},
            "metric_config": {"metric_kind": "accuracy", "min_score": 0.0, "max_score": 1.0},
            "score_details": {"score": 0.71},
        },
    ],
}


def test_every_eval_ever_gives_units_that_it_states_and_counts_what_it_lacks() -> None:
    refusals, accuracy = read(json.dumps(EVER), kind="every_eval_ever", name="r.json").claims
    assert refusals.value is not None and accuracy.value is not None
    assert [("7.5", "percent"), ("0.71", "fraction")] == [
        (v.number, v.unit) for v in (refusals.value, accuracy.value)
    ]
    assert ("safety", "450", "5.1 .. 10.2", "2025-06-15") == (
        refusals.topic,
        refusals.n,
        refusals.interval,
        refusals.date,
    )
    assert {"prompts", "configuration", "threshold", "red_teaming", "evidence"} == {
        field for field, said in refusals.fields.items() if said.state == "missing"
    }
    assert "missing" == accuracy.fields["interval"].state


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (json.dumps({**EVER, "schema_version": "9.0"}), MalformedInput),
        ('{"results": []}', MalformedInput),
        ("{", MalformedInput),
        (json.dumps(EVER).replace("7.5", "NaN"), MalformedInput),
        (json.dumps(EVER).replace("7.5", "1e999"), LimitExceeded),
        ("[" * 100_000, MalformedInput),
    ],
)
def test_a_results_file_that_is_not_one_is_refused(text: str, error: type[MalformedInput]) -> None:
    with pytest.raises(error) as caught:
        read(text, kind="every_eval_ever", name="r.json")
    assert "r.json" in str(caught.value.where)


def test_a_card_without_claims_gives_none_and_no_error() -> None:
    assert () == read("# Nothing\n\nHello there.\n").claims
    assert () == read("").claims


# ---------------------------------------------------------------- the readers below


@pytest.mark.parametrize(
    ("cell", "number", "unit", "rest"),
    [
        ("87.3", "87.3", "unstated", ""),
        ("1,234.5", "1234.5", "unstated", ""),
        (".5", "0.5", "unstated", ""),
        ("< 1%", "1", "percent", ""),
        ("87.3 ± 0.4", "87.3", "unstated", "± 0.4"),
        ("70.10 (5-shot)", "70.10", "unstated", "(5-shot)"),
        ("−3.5", "-3.5", "unstated", ""),
    ],
)
def test_a_cells_figure_keeps_its_digits(cell: str, number: str, unit: str, rest: str) -> None:
    figure = read_cell(cell)
    assert figure is not None
    assert (number, unit, rest) == (figure.value.number, figure.value.unit, figure.rest)


@pytest.mark.parametrize(
    "cell", ["", "-", "21B", "39 M", "MoE", "4 Trillion", "3-shot", "2024-01-01", "%", "v1.2.3"]
)
def test_a_cell_that_is_no_figure_gives_none(cell: str) -> None:
    assert read_cell(cell) is None


def test_marks_are_taken_off_a_cell_and_its_words_stay() -> None:
    assert "Model A 1" == strip_marks("**[Model A](https://x.org/a_(b))** <br>1")
    assert ("a", "b|c", "d") == split_row(r"| a | `b|c` | d |")


def test_a_sentence_knows_the_place_of_its_first_character() -> None:
    card = read_card("One is\nhere. Two is here, e.g. there.\n", where="x")
    (block,) = card.blocks
    assert [("One is here.", 1, 1), ("Two is here, e.g. there.", 2, 7)] == [
        tuple(s) for s in sentences_of(block)
    ]


@given(st.text(max_size=400))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    for claim in read(text).claims:
        assert claim.place.line is None or 1 <= claim.place.line <= len(text.splitlines()) + 1


@given(
    st.lists(
        st.sampled_from(
            [
                "|",
                "-",
                "MMLU",
                "87.3",
                "\n",
                " ",
                "<table>",
                "<td>",
                "```",
                "# ",
                "---\n",
                "`",
                "[",
                "](",
                "<!--",
            ]
        ),
        max_size=60,
    )
)
def test_no_broken_markdown_makes_the_reader_fail(parts: list[str]) -> None:
    read("".join(parts))


def test_a_document_with_too_many_table_cells_is_refused() -> None:
    row = "|" + "1|" * 1000 + "\n"
    with pytest.raises(LimitExceeded):
        read(row + "|" + "-|" * 1000 + "\n" + row * 220)


@pytest.mark.parametrize(
    "part",
    [
        "<!--",
        "A. ",
        "accuracy 1% on MMLU ",
        "# a\nb\n",
        "[x](",
        "<table><tr><td rowspan=99 colspan=99>1",
        "|a|1|\n|-|-|\n",
        "---\n",
        "95% CI ",
        "red team by ",
        "`",
        "risk is low ",
    ],
)
def test_a_long_hostile_text_is_read_to_its_end(part: str) -> None:
    # each of these took minutes where some step looked back over all that had been read
    try:
        extraction = read(part * (60_000 // len(part)))
    except LimitExceeded as error:
        assert error.where == "card.md"
    else:
        assert len(extraction.claims) <= 60_000


def test_figures_inside_an_interval_are_the_claims_interval_and_no_claims() -> None:
    claim = only(read("We measured an accuracy of 90.0% (95% CI 68.3 to 98.8) on MMLU."))
    assert ("90.0", "95% CI 68.3 to 98.8") == (claim.value and claim.value.number, claim.interval)
    assert "stated" == claim.fields["interval"].state


def test_a_comment_is_no_claim_and_moves_no_line() -> None:
    claim = only(read("<!-- accuracy of 99%\non MMLU -->\n\nAn accuracy of 80% on MMLU.\n"))
    assert ("80", 4) == (claim.value and claim.value.number, claim.place.line)


def test_a_sentence_that_is_cut_is_told() -> None:
    extraction = read("An accuracy of 80% on MMLU, " + "and so on, " * 300 + "and 90% on MMLU.")
    assert ["80"] == [c.value.number for c in extraction.claims if c.value]
    assert any("beyond its first 2000" in item.reason for item in extraction.unread)


@pytest.mark.parametrize(
    ("text", "subjects"),
    [
        ("Own-1 refuses 0.4% of prompts, compared to 0.6% for Other-2.", ["Own-1", "Other-2"]),
        ("The refusal rate is 0.4%, compared to 0.6% before.", ["Own-1", ""]),
        ("Other-2 has an accuracy of 70% on MMLU.", ["Other-2"]),
        ("Own-1 beats Other-2 with an accuracy of 70% on MMLU.", [""]),
        ("It has an accuracy of more than 70% on GSM8K, better than Other-2.", ["Own-1"]),
        ("An accuracy of 70% was reached by Llama 3.1 on MMLU.", ["Llama 3.1"]),
    ],
)
def test_a_figure_of_another_model_is_not_taken_for_the_cards_own(text: str, subjects: list[str]) -> None:
    assert subjects == [c.subject for c in read(text, subject="Own-1").claims if c.value]


@pytest.mark.parametrize("text", ["Accuracy rose from 4.2% to 7.1%.", "The accuracy went 4.2% → 7.1%."])
def test_what_something_moved_from_is_no_longer_claimed_of_it(text: str) -> None:
    assert [("4.2", "change"), ("7.1", "number")] == [
        (c.value.number, c.kind) for c in read(text).claims if c.value
    ]


def test_a_heading_that_says_what_is_measured_is_no_model() -> None:
    table = "# Own-1\n\n## Safety\n\n| Category | Safe responses | n |\n|---|---|---|\n| Violence | 97.4% | 480 |\n"
    claim = only(read(table))
    assert ("Own-1", "Violence", "480", "safety") == (claim.subject, claim.benchmark, claim.n, claim.topic)
