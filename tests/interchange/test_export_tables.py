"""The table of answers: it agrees with the evidence line by line, hides texts, and has no formulas in it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle_factory import READ, Recipe, make_bundle
from sealed_bundles import make_sealed
from verilabel.errors import SealError
from verilabel.interchange.exporting.answer_table import export_csv, export_parquet
from verilabel.interchange.exporting.answers import group_answers
from verilabel.interchange.exporting.conversation import prompt_of, read_turns
from verilabel.interchange.exporting.options import ExportOptions
from verilabel.interchange.exporting.source import open_source
from verilabel.interchange.exporting.wording import FORMULA_STARTS, fit_cell, fit_xml, plain_line
from verilabel.records.attempt import Attempt
from verilabel.records.score import Scored

DEFAULT = ExportOptions()

TEXTS = ExportOptions(texts=True)


@pytest.fixture(scope="module")
def gappy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with answers that are missing after two attempts."""
    return make_bundle(
        tmp_path_factory.mktemp("gappy"), Recipe(errors="0.3", attempts=2, connections=30)
    ).path


def read_csv(bundle: Path, options: ExportOptions = DEFAULT) -> list[dict[str, str]]:
    with open_source(bundle, trust=None, now=READ) as source:
        text = export_csv(source, options).files[0].data().decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def evidence(bundle: Path) -> list[str]:
    return (bundle / "records" / "evidence.jsonl").read_text().splitlines()


def test_each_answer_is_one_row_that_leads_to_its_line_and_leaf(gappy: Path) -> None:
    lines, rows = evidence(gappy), read_csv(gappy)
    assert 30 == len(rows)
    for row in rows:
        line = lines[int(row["evidence_line"]) - 1]
        record = json.loads(line)
        assert (record["suite"], record["sample"]) == (row["suite"], row["sample"])
        assert hashlib.sha256(b"\x00" + line.encode()).hexdigest() == row["evidence_leaf"]
        assert "sha256:" + hashlib.sha256(record["request"].encode()).hexdigest() == row["request_sha256"]


def test_counting_the_rows_gives_the_labels_counts(gappy: Path) -> None:
    rows = read_csv(gappy)
    measures = json.loads((gappy / "results" / "measures.json").read_text())["measures"]
    for measure, suite in (("quiz.right", "test/quiz@1.0.0"), ("puzzles.right", "test/puzzles@1.0.0")):
        mine = [row for row in rows if row["suite"] == suite]
        assert measures[measure]["n"] == len(mine)
        assert measures[measure]["events"] == len([r for r in mine if r["found:choice@1.0.0"] == "true"])
        assert measures[measure].get("missing", 0) == len([r for r in mine if r["outcome"] == "missing"])
    missing = [row for row in rows if row["outcome"] == "missing"]
    assert missing and {"server_error"} == {row["failure"] for row in missing}
    assert {"2"} == {row["attempts"] for row in missing}
    assert {""} == {row["found:choice@1.0.0"] for row in missing}


def test_texts_stand_in_the_table_only_where_they_are_asked_for(gappy: Path) -> None:
    without, with_texts = read_csv(gappy), read_csv(gappy, TEXTS)
    assert not {"prompt", "output", "detail:choice@1.0.0"} & without[0].keys()
    assert "What is" not in str(without) and "picked" not in str(without)
    answered = [row for row in with_texts if row["outcome"] == "answered"]
    assert all(row["prompt"].startswith("What is") and row["output"] for row in answered)
    assert all(row["detail:choice@1.0.0"].startswith("picked") for row in answered)


def test_parquet_holds_the_same_rows_with_types_and_the_facts_beside_them(gappy: Path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    with open_source(gappy, trust=None, now=READ) as source:
        data = export_parquet(source, TEXTS).files[0].data()
        assert data == export_parquet(source, TEXTS).files[0].data()
    table = pq.read_table(io.BytesIO(data))
    rows, expected = table.to_pylist(), read_csv(gappy, TEXTS)
    assert len(expected) == len(rows)
    for row, told in zip(rows, expected, strict=True):
        shown = {
            key: "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            for key, value in row.items()
        }
        assert told == shown
    metadata = table.schema.metadata
    assert b"V2 recomputed" == metadata[b"verilabel.verification"]
    assert b"cannot exclude" in metadata[b"verilabel.label"]


def test_parquet_of_many_rows_is_written_in_groups(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    bundle = make_bundle(tmp_path, Recipe(sizes=(("quiz", 1200), ("puzzles", 10)))).path
    with open_source(bundle, trust=None, now=READ) as source:
        chunks = list(export_parquet(source, ExportOptions()).files[0].chunks())
    file = pq.ParquetFile(io.BytesIO(b"".join(chunks)))
    assert (2, 1210) == (file.num_row_groups, file.metadata.num_rows)
    assert len(chunks) >= 3


def test_a_withheld_exchange_is_a_row_with_its_findings_and_no_texts(tmp_path: Path) -> None:
    made = make_sealed(tmp_path, Recipe(errors="0.3", attempts=2, connections=30))
    rows, opened = read_csv(made.sealed, TEXTS), read_csv(made.open, TEXTS)
    lines = evidence(made.sealed)
    same = ("suite", "sample", "outcome", "failure", "attempts", "found:choice@1.0.0", "served_model")
    assert [[row[key] for key in same] for row in opened] == [[row[key] for key in same] for row in rows]
    assert 20 == len([row for row in rows if row["withheld"]])
    for row in rows:
        line = lines[int(row["evidence_line"]) - 1]
        assert hashlib.sha256(b"\x00" + line.encode()).hexdigest() == row["evidence_leaf"]
        if row["withheld"]:
            assert json.loads(line)["commitment"] == row["withheld"]
            assert {""} == {row[key] for key in ("prompt", "output", "request_sha256", "response_sha256")}
    assert {"V2s recomputed, records sealed"} == {row["verification"] for row in rows}


# -- answers from lines ----------------------------------------------------------------------------


SCORE = Scored("s@1.0.0", "a", 1, "choice@1.0.0", "correct", True)


def test_a_score_without_an_exchange_is_refused() -> None:
    with pytest.raises(SealError, match="no attempt"):
        list(group_answers([SCORE]))


def test_a_judges_exchange_is_counted_and_not_taken_for_the_answer() -> None:
    asked = Attempt("s@1.0.0", "a", 1, 1, request="{}", output="yes")
    judged = Attempt("s@1.0.0", "a", 1, 1, request="{}", output="verdict", judge="judge@1.0.0")
    (answer,) = group_answers([asked, judged, SCORE])
    assert ("yes", 1, 1) == (answer.last.output, len(answer.attempts), answer.judge_attempts)


# -- requests of every dialect ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {
            "model": "m",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi?"}],
        },
        {"system": "Be brief.", "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi?"}]}]},
        {"instructions": "Be brief.", "input": "Hi?"},
        {"input": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi?"}]},
        {
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [{"role": "user", "parts": [{"text": "Hi?"}]}],
        },
    ],
)
def test_requests_of_all_dialects_give_the_same_turns(body: dict[str, object]) -> None:
    assert (("system", "Be brief."), ("user", "Hi?")) == read_turns(json.dumps(body))


@given(st.text() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps))
def test_a_request_of_no_known_form_is_one_turn_as_it_stands(body: str) -> None:
    turns = read_turns(body)
    assert body == prompt_of(turns) and 1 == len(turns)


@given(
    st.dictionaries(
        st.sampled_from(("system", "messages", "input", "contents", "instructions", "systemInstruction")),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(("role", "content", "parts", "text")), inner, max_size=3)
            ),
            max_leaves=8,
        ),
    )
)
def test_reading_turns_never_fails_and_roles_are_the_known_ones(body: dict[str, object]) -> None:
    turns = read_turns(json.dumps(body))
    assert turns and {turn.role for turn in turns} <= {"system", "user", "assistant"}


# -- cells and characters --------------------------------------------------------------------------


@given(st.text())
def test_no_cell_begins_like_a_formula_and_none_loses_text(text: str) -> None:
    cell = fit_cell(text)
    assert not cell.startswith(FORMULA_STARTS)
    assert cell.endswith(text) and len(cell) - len(text) in (0, 1)


@pytest.mark.parametrize("text", ["=1+1", "\n=1+1", "\uff1d1+1", "@A1", "\t=1"])
def test_every_beginning_that_some_spreadsheet_runs_is_text(text: str) -> None:
    assert f"'{text}" == fit_cell(text)


@given(st.text())
def test_text_for_xml_can_be_parsed_back(text: str) -> None:
    from xml.etree import ElementTree

    element = ElementTree.Element("a", {"b": fit_xml(text)})
    data = ElementTree.tostring(element, encoding="utf-8")
    assert ElementTree.fromstring(data).attrib["b"] == fit_xml(text)


@given(st.text())
def test_a_plain_line_has_no_control_or_bidi_characters(text: str) -> None:
    line = plain_line(text)
    assert "\n" not in line and "\u202e" not in line and "\x1b" not in line
