"""Texts made to cost time or memory, or to hide something: bounded work, no error, nothing overlooked."""

from __future__ import annotations

import random

import pytest

from verilabel.audit.contamination.rules import MAX_PER_DOCUMENT
from verilabel.audit.kernels.tokens import cut_words

MEBIBYTE = 2**20


@pytest.mark.parametrize(
    "unit", ["a", "7", "@", "\n", " ", "的", "é", "a ", "0 ", "的 1 ", "\x00", "a b c d e f g h "]
)
def test_a_document_of_one_thing_leads_nowhere(kit, check, unit):
    before = check.followed
    examined = kit.examine(check, unit * (MEBIBYTE // len(unit.encode())))
    assert [] == kit.rows_of(examined)
    assert before == check.followed


def test_work_grows_no_faster_than_the_text(kit, check):
    anchor = " ".join(kit.by_id["river"].split()[:9])
    spent = []
    for times in (500, 1_000, 2_000):
        before = check.followed
        kit.examine(check, f"{anchor} x " * times)
        spent.append(check.followed - before)
    assert spent[0] > 0
    assert spent[1] <= 2 * spent[0] and spent[2] <= 2 * spent[1]


def test_an_anchor_in_many_items_is_followed_at_a_bounded_number_of_places(tmp_path, kit):
    shared = "the keeper of the old lighthouse counts passing ships"
    items = [{"question": f"{shared} named {number} and {'x' * (number + 2)} more"} for number in range(300)]
    check = kit.open_on(tmp_path / "index", kit.write_items(tmp_path / "t.jsonl", items))
    examined = kit.examine(check, f"{shared} and " * 1_000)
    assert [] == kit.rows_of(examined)
    assert check.followed <= 1_000 * 40


def test_a_flood_of_one_item_does_not_hide_another(kit, check):
    piece = " ".join(kit.by_id["river"].split()[:11])
    text = f"{piece} x " * 20_000 + kit.by_id["baker"] + f" {piece} y" * 20_000
    rows = {row.item: row.rule for row in kit.rows_of(kit.examine(check, text))}
    assert "whole" == rows["baker"]


def test_findings_of_a_document_are_bounded_and_its_words_are_all_counted(kit, check):
    times = MAX_PER_DOCUMENT + 10
    examined = kit.examine(check, "how do i drown a rubber duck and " * times, kit.by_id["baker"])
    assert MAX_PER_DOCUMENT == (examined.findings.document == 0).sum()
    assert 1 == (examined.findings.document == 1).sum()
    assert 7 * times == int(examined.columns["contamination_words"][0])
    assert ["duck", "baker"] == [row.item for row in kit.rows_of(examined)]


def test_a_document_that_is_the_benchmark_has_every_item(tmp_path, kit):
    chance = random.Random(3)
    letters = "bcdfghklmnprstvz"
    words = ["".join(chance.choices(letters, k=5)) for _ in range(4_000)]
    items = [{"question": " ".join(chance.choices(words, k=chance.randint(5, 60)))} for _ in range(3_000)]
    check = kit.open_on(tmp_path / "index", kit.write_items(tmp_path / "t.jsonl", items))
    examined = kit.examine(check, "\n".join(item["question"] for item in items))
    assert [3_000] == examined.columns["contamination_items"].tolist()
    assert 3_000 == len({row.item for row in kit.rows_of(examined)})


def test_state_of_one_batch_does_not_reach_the_next(kit, check):
    texts = [kit.by_id["river"][:150], kit.by_id["river"], kit.by_id["baker"] * 3, kit.river_answer]
    alone = [kit.rows_of(kit.examine(check, text)) for text in texts]
    for _ in range(2):
        assert alone == [kit.rows_of(kit.examine(check, text)) for text in texts]


def test_random_bytes_of_text_raise_nothing(kit, check):
    chance = random.Random(9)
    alphabet = "ab 1的é\u00a0\u2019\n\U0001f600."
    for _ in range(30):
        batch = kit.make_batch(
            ["".join(chance.choices(alphabet, k=chance.randint(0, 300))) for _ in range(20)]
        )
        assert 20 == len(check.examine(batch, cut_words(batch)).columns["contamination_items"])
