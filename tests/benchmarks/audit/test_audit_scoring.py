"""Scoring what was found against what was planted, and measuring the processes that found it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.audit.__main__ import put_section
from benchmarks.audit.measuring import run_tree
from benchmarks.audit.rows import cut_corpus, own_rows, rival_rows
from benchmarks.audit.scoring import Corpus, score_copies, score_documents, score_licences, score_spans
from benchmarks.audit.unseen import PREFIX, UNSEEN
from benchmarks.settings import CommandFailed

from verilabel.audit.canaries.planting import list_formats, plantable_kinds

TRUTH = [
    {"id": "a", "kind": "pii.email", "format": "plain", "start": 10, "end": 20},
    {"id": "a", "kind": "pii.phone", "format": "us", "start": 30, "end": 40},
    {"id": "b", "kind": "negative.version", "format": "version", "start": 0, "end": 7},
    {"id": "b", "kind": "contamination.item", "format": "half", "start": 10, "end": 20},
    {"id": "c", "kind": "contamination.item", "format": "verbatim", "start": 10, "end": 20},
    {"id": "d", "kind": "licence.text", "format": "MIT", "start": 0, "end": 5},
    {"id": "d", "kind": "licence.header", "format": "GPL-3.0-or-later", "start": 8, "end": 9},
    {"id": "e", "kind": "licence.text", "format": "full:GPL-3", "start": 0, "end": 9},
    {"id": "x1", "kind": "duplicate", "format": "exact", "of": "a", "jaccard": 1.0},
    {"id": "x2", "kind": "duplicate", "format": "replaced_020", "of": "b", "jaccard": 0.85},
    {"id": "x3", "kind": "duplicate", "format": "replaced_120", "of": "c", "jaccard": 0.45},
]


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    ids = ["a", "b", "c", "d", "e", "f", "x1", "x2", "x3"]
    rows = [{"id": one, "text": ("ä" if one == "f" else "-") * 50, "source": "s"} for one in ids]
    (tmp_path / "truth.jsonl").write_text("".join(json.dumps(row) + "\n" for row in TRUTH))
    for folder in ("parquet", "jsonl"):
        (tmp_path / folder).mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "parquet" / "part-000.parquet")
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "jsonl" / "part-000.jsonl").write_text(lines, "utf-8")
    (tmp_path / "items.jsonl").write_text("")
    (tmp_path / "corpus.json").write_text(json.dumps({"documents": 9, "text_bytes": 500}))
    return Corpus(tmp_path)


def test_spans_count_as_found_where_half_of_a_value_is_covered(corpus: Corpus) -> None:
    found = [
        {"id": "a", "kind": "pii.email", "start": 10, "end": 15},
        {"id": "a", "kind": "pii.phone", "start": 36, "end": 45},
        {"id": "b", "kind": "pii.ipv4", "start": 0, "end": 7},
        {"id": "f", "kind": "pii.ipv4", "characters": [0, 7]},
    ]
    told = score_spans(corpus, found, ["pii.email"])
    assert (told.planted_own, told.found_own) == (1, 1)
    assert (told.planted_all, told.found_all) == (2, 1)
    assert (told.claimed, told.correct, told.elsewhere) == (4, 2, 1)
    assert told.look_alikes == {"version": 1}


def test_formats_that_are_in_no_canary_are_counted_apart(corpus: Corpus) -> None:
    unseen = [
        {"id": "f", "kind": "pii.email", "format": "unseen_deep", "start": 0, "end": 8},
        {"id": "f", "kind": "pii.card", "format": "unseen_json", "start": 10, "end": 18},
    ]
    with (corpus.folder / "truth.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in unseen)
    told = score_spans(corpus, [{"id": "f", "kind": "pii.email", "start": 0, "end": 8}], ["pii.email"])
    assert told.unseen == (1, 1)
    assert (told.planted_all, told.claimed, told.correct) == (2, 1, 1)


def test_no_unseen_format_is_a_canary() -> None:
    known = {(form.kind, form.name) for form in list_formats(plantable_kinds())}
    names = {(form.kind, form.name) for form in UNSEEN.formats}
    assert not names & known
    assert all(name.startswith(PREFIX) for _, name in names)
    assert {kind for kind, _ in names} <= set(plantable_kinds())


def test_documents_are_scored_by_format_and_wrong_ones_are_counted(corpus: Corpus) -> None:
    told = score_documents(corpus, {"c", "f", "a"}, "contamination.item")
    assert told.by_format == {"half": (1, 0), "verbatim": (1, 1)}
    assert told.wrong == 2


def test_licences_are_right_by_their_family_and_wrong_where_none_is(corpus: Corpus) -> None:
    ids = {"d": {"MIT", "GPL-3.0-only"}, "e": {"GPL-3.0-or-later"}, "f": {"ISC"}}
    assert score_licences(corpus, ids) == (3, 3, 1)
    assert score_licences(corpus, {"d": {"BSD-3-Clause"}}, among={"d"}) == (2, 0, 0)


def test_copies_are_found_where_they_share_a_cluster_with_their_original(corpus: Corpus) -> None:
    told = score_copies(corpus, {"a": 1, "x1": 1, "b": 2, "x2": 3, "c": 4, "f": 4})
    assert told.exact == (1, 1)
    assert told.by_similarity == {">= 0.8": (1, 0)}
    assert told.mixed == 1


def test_a_part_of_a_corpus_holds_its_documents_and_their_truth(corpus: Corpus, tmp_path: Path) -> None:
    part = tmp_path / "part"
    cut_corpus(corpus, part, {"a", "f"})
    cut = Corpus(part)
    assert set(cut.truth) == {"a"}
    assert cut.documents() == 2
    assert cut.megabytes() == 150 / 1e6
    assert set(cut.texts({"a", "f", "b"})) == {"a", "f"}


def test_a_tree_of_processes_is_measured_with_its_children(tmp_path: Path) -> None:
    child = "sum(range(4_000_000)); data = bytearray(60_000_000); import time; time.sleep(1.2)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    tree = run_tree([sys.executable, "-c", parent], tmp_path)
    assert tree.wall_s >= 1.2
    assert tree.cpu_s > 0
    assert tree.peak_mb > 60


def test_a_command_that_fails_gives_no_figures(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="exit status 3"):
        run_tree([sys.executable, "-c", "print('why'); raise SystemExit(3)"], tmp_path)


@pytest.mark.parametrize("corpora", [("30", "300", "3000"), ("6",)])
def test_rows_have_names_of_their_own(corpora: tuple[str, ...]) -> None:
    names = [row.name for row in own_rows(corpora) + rival_rows(corpora)]
    assert len(set(names)) == len(names)


def test_a_section_takes_the_place_of_its_former_self() -> None:
    section = "## Training data audit\n\nnew"
    page = "# Results\n\n## Other\n\nkept\n\n## Training data audit\n\nold\n\n## Last\n\nkept too\n"
    assert put_section(page, section) == (
        "# Results\n\n## Other\n\nkept\n\n## Training data audit\n\nnew\n\n## Last\n\nkept too\n"
    )
    assert put_section("# Results\n", section) == "# Results\n\n## Training data audit\n\nnew\n"
