"""The index of benchmarks: the same for the same items, whole or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from verilabel.audit.contamination.opening import OPENING, measured_errors, read_entries, read_ids
from verilabel.audit.settings import AuditSettings, ContaminationSettings
from verilabel.errors import SealError, UsageError


def settings_of(*paths: Path) -> AuditSettings:
    return AuditSettings(contamination=ContaminationSettings(benchmarks=tuple(map(str, paths))))


@pytest.fixture
def prepared(tmp_path: Path, kit) -> tuple[AuditSettings, Path]:
    settings = settings_of(kit.write_items(tmp_path / "own.jsonl", kit.items))
    OPENING.prepare(settings, tmp_path / "index")
    return settings, tmp_path / "index"


def test_the_same_benchmarks_have_the_same_card_in_any_folder(prepared, tmp_path: Path):
    settings, folder = prepared
    OPENING.prepare(settings, tmp_path / "other")
    assert OPENING.open(settings, folder).card == OPENING.open(settings, tmp_path / "other").card


def test_preparing_again_writes_nothing_anew(prepared):
    settings, folder = prepared
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.npy")}
    OPENING.prepare(settings, folder)
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*.npy")}
    assert len(before) > 10


def test_a_changed_benchmark_changes_the_card(prepared, kit, tmp_path: Path):
    settings, folder = prepared
    before = OPENING.open(settings, folder).card
    kit.write_items(
        tmp_path / "own.jsonl", [*kit.items, {"id": "new", "question": "Is this one new or is it not?"}]
    )
    OPENING.prepare(settings, folder)
    after = OPENING.open(settings, folder).card
    assert before.data_sha256 != after.data_sha256
    assert "7 items" in after.words


def test_an_index_with_one_changed_byte_is_refused(prepared):
    settings, folder = prepared
    for path in sorted(folder.rglob("*.npy")) + sorted(folder.rglob("index.json")):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(SealError):
            OPENING.open(settings, folder)
        path.write_bytes(content)
    OPENING.open(settings, folder)


def test_what_was_not_prepared_cannot_be_opened(tmp_path: Path):
    with pytest.raises(UsageError, match="not prepared"):
        OPENING.open(settings_of(tmp_path / "x.jsonl"), tmp_path)


def test_a_benchmark_that_fails_leaves_nothing_behind(tmp_path: Path, kit):
    good = kit.write_items(tmp_path / "good.jsonl", kit.items)
    bad = kit.write_items(tmp_path / "bad.jsonl", [{"title": "no question"}])
    with pytest.raises(Exception, match="no column holds the question"):
        OPENING.prepare(settings_of(good, bad), tmp_path / "index")
    assert not list(tmp_path.glob("index/*"))


def test_no_benchmark_finds_nothing_and_says_so(tmp_path: Path, kit):
    OPENING.prepare(AuditSettings(), tmp_path)
    check = OPENING.open(AuditSettings(), tmp_path)
    examined = kit.examine(check, kit.by_id["river"], "")
    assert [] == kit.rows_of(examined)
    assert [0, 0] == examined.columns["contamination_items"].tolist()
    assert "no benchmark (none was named)" in check.card.words


def test_entries_and_ids_are_read_for_the_manifest(prepared):
    settings, folder = prepared
    (entry,) = read_entries(settings, folder)
    assert ("own.jsonl", 6, 1, 1) == (entry.name, entry.items, entry.unchecked, entry.short)
    assert {"own.jsonl": ("river", "baker", "duck", "toad", "fruit", "code")} == read_ids(settings, folder)


def test_the_card_has_one_column_a_value_and_errors_that_were_measured(prepared):
    settings, folder = prepared
    card = OPENING.open(settings, folder).card
    assert ["contamination_items", "contamination_words"] == [column.name for column in card.columns]
    assert measured_errors() == card.kinds[0].errors
    assert all(error.found <= error.planted and error.correct <= error.claimed for error in measured_errors())


def test_no_text_of_an_item_is_in_what_a_person_reads(prepared, kit):
    settings, folder = prepared
    check = OPENING.open(settings, folder)
    table = kit.examine(check, kit.by_id["river"]).tables["contamination"]
    said = check.card.words + check.card.limits + json.dumps([str(value) for value in table.values()])
    assert "ferry" not in said
