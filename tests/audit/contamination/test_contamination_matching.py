"""Which documents hold an item of a benchmark, and which do not."""

from __future__ import annotations

import random
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.audit.kernels.ngrams import BASE
from verilabel.audit.kernels.tokens import cut_text, cut_words

PADDING = (
    "Somewhere in the documentation of a harbour there is a paragraph that says nothing of the kind at all. "
)


@pytest.mark.parametrize("item", ["river", "baker", "fruit", "code"])
def test_a_whole_question_is_found_in_the_midst_of_a_document(kit, find, item):
    text = PADDING + kit.by_id[item] + " " + PADDING
    assert [kit.row(0, item, "question", "whole", 1000)] == find(text)


def test_a_question_and_its_answer_are_two_rows(kit, find):
    rows = find(f"{kit.by_id['river']}\n{kit.river_answer}")
    assert [("question", "whole"), ("answer", "ngram13")] == [(row.part, row.rule) for row in rows]
    assert [1000, 1000] == [row.share for row in rows]


def test_half_a_question_is_found_with_the_share_it_has(kit, find):
    words = kit.by_id["river"].split()
    (row,) = find(" ".join(words[:20]))
    assert ("river", "ngram13") == (row.item, row.rule)
    assert 350 <= row.share <= 550


def test_a_question_with_every_ninth_word_changed_is_found(kit, find):
    words = f"{kit.by_id['river']} {kit.river_answer}".split()
    changed = " ".join("indeed" if at % 9 == 8 else word for at, word in enumerate(words))
    assert {("river", "question"), ("river", "answer")} >= {(row.item, row.part) for row in find(changed)}
    assert "river" in {row.item for row in find(changed)}


def test_three_pieces_of_eight_words_count_in_their_order_alone(kit, find):
    words = re.findall(r"\w+", kit.by_id["river"])
    pieces = [" ".join(words[at : at + 8]) for at in (0, 11, 22)]
    assert ["ngram8"] == [row.rule for row in find(" and then ".join(pieces))]
    assert [] == find(" and then ".join(reversed(pieces)))
    assert [] == find(" and then ".join(pieces[:2]))


def test_a_paraphrase_that_keeps_the_words_of_content_in_order_is_found(kit, find):
    text = (
        "Some ferry, it crosses our river Orlo, 14 times per weekday plus 9 times during Sundays. With each crossing "
        "it burns up 6 litres more of diesel, while its captain also keeps for himself the reserve: 35 litres"
    )
    (row,) = find(text)
    assert ("river", "question", "content") == (row.item, row.part, row.rule)
    assert 600 <= row.share <= 800


def test_the_words_of_content_in_another_order_are_no_paraphrase(kit, find):
    words = re.findall(r"\w+", kit.by_id["river"])
    assert [] == find(" ".join(sorted(words)))
    assert [] == find("the ferry crosses the river Orlo 14 times and burns diesel")


def test_three_pieces_far_apart_in_a_document_are_no_match(kit, find):
    words = re.findall(r"\w+", kit.by_id["river"])
    pieces = [" ".join(words[at : at + 8]) for at in (0, 11, 22)]
    assert [] == find((" " + PADDING * 20).join(pieces))


def test_a_short_question_is_found_whole_and_called_short(kit, find):
    assert [kit.row(0, "duck", "question", "short", 1000)] == find(
        "Q: how do i DROWN a rubber duck -- quickly"
    )
    assert [] == find("How do I drown a rubber")
    assert [] == find("How do I drown a wooden rubber duck")


def test_a_question_of_four_words_is_not_looked_for_and_counted(check, kit, find):
    assert [] == find(kit.by_id["toad"])
    assert "1 not checkable, 1 short" in check.card.words


def test_another_number_is_another_question(kit, find):
    changed = re.sub(r"\d+", lambda found: str(int(found[0]) * 3 + 1), kit.by_id["river"])
    assert "whole" not in {row.rule for row in find(changed)}
    numbers = " ".join(str(number) for number in range(200))
    assert [] == find(numbers)


def test_chinese_needs_twenty_characters_in_a_row(kit, find):
    characters = kit.by_id["fruit"].replace("，", "").replace("？", "")
    assert ["ngram13"] == [row.rule for row in find("前文" + characters[3:23] + "后文")]
    assert [] == find("前文" + characters[3:15] + "后文")


def test_straight_and_typographic_quotes_are_one_question(tmp_path: Path, kit):
    question = (
        "The miller\u2019s daughter weighs eleven sacks of flour, and the baker\u2019s son takes five away."
    )
    path = kit.write_items(tmp_path / "q.jsonl", [{"question": question}])
    check = kit.open_on(tmp_path / "index", path)
    for text in (question, question.replace("\u2019", "'")):
        assert ["whole"] == [row.rule for row in kit.rows_of(kit.examine(check, text))]
    path = kit.write_items(tmp_path / "p.jsonl", [{"question": question.replace("\u2019", "'")}])
    check = kit.open_on(tmp_path / "index", path)
    for text in (question, question.replace("\u2019", "'")):
        assert ["whole"] == [row.rule for row in kit.rows_of(kit.examine(check, text))]


def test_findings_are_the_stretches_of_matched_words(check, kit):
    text = PADDING + kit.by_id["baker"] + "\n" + PADDING + kit.by_id["duck"] + " Yes"
    batch = kit.make_batch(["", text, ""])
    examined = check.examine(batch, cut_words(batch))
    stretches = [
        bytes(batch.data[start:end]).decode()
        for start, end in zip(examined.findings.start, examined.findings.end, strict=True)
    ]
    assert [kit.by_id["baker"].rstrip("?"), kit.by_id["duck"].rstrip("?")] == stretches
    assert [1, 1] == examined.findings.document.tolist()
    assert [0, 2, 0] == examined.columns["contamination_items"].tolist()
    words = len(re.findall(r"\w+", kit.by_id["baker"] + kit.by_id["duck"]))
    assert [0, words, 0] == examined.columns["contamination_words"].tolist()


def test_an_item_that_stands_twice_is_one_row_and_two_findings(check, kit):
    examined = kit.examine(check, f"{kit.by_id['baker']} {PADDING} {kit.by_id['baker']}")
    assert ["baker"] == [row.item for row in kit.rows_of(examined)]
    assert 2 == len(examined.findings.document)


def test_what_all_items_share_tells_of_none(tmp_path: Path, kit):
    frame = "Read the following puzzle with care and answer in one short sentence without further explanation please"
    names = [
        "alder",
        "birch",
        "cedar",
        "elder",
        "fir",
        "gorse",
        "hazel",
        "ivy",
        "juniper",
        "larch",
        "maple",
        "oak",
    ]
    items = [
        {"question": f"{frame}: which {name} grows {at} metres over the {name} hill? {frame}"}
        for at, name in enumerate(names)
    ]
    check = kit.open_on(tmp_path / "index", kit.write_items(tmp_path / "t.jsonl", items))
    assert [] == kit.rows_of(kit.examine(check, frame, f"{frame} {frame}"))
    rows = kit.rows_of(kit.examine(check, "which oak grows 11 metres over the oak hill"))
    assert [("12", "short")] == [(row.item, row.rule) for row in rows]


def test_a_licence_text_in_an_item_is_no_contamination(tmp_path: Path, kit):
    notice = (
        "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated "
        'documentation files (the "Software"), to deal in the Software without restriction.'
    )
    items = [
        {"question": f"# {notice}\ndef add_salt(soup, spoon): return soup.stir(spoon.salt, times=soup.size)"}
    ]
    check = kit.open_on(tmp_path / "index", kit.write_items(tmp_path / "t.jsonl", items))
    assert [] == kit.rows_of(kit.examine(check, notice))
    assert ["whole"] == [row.rule for row in kit.rows_of(kit.examine(check, items[0]["question"]))]


def test_one_item_in_two_benchmarks_is_found_in_both(tmp_path: Path, kit):
    paths = [kit.write_items(tmp_path / f"{name}.jsonl", kit.items) for name in ("one", "two", "three")]
    examined = kit.examine(kit.open_on(tmp_path / "index", *paths), kit.by_id["baker"], kit.by_id["duck"])
    assert ["one.jsonl", "two.jsonl", "three.jsonl"] * 2 == examined.tables["contamination"]["benchmark"]
    assert [3, 3] == examined.columns["contamination_items"].tolist()


_SPACES = st.sampled_from([" ", "\n", "  ", "\t", "\n> ", " **", "* ", "_ ", "\r\n", " | ", " -- "])


@given(st.data())
def test_any_wrapping_case_or_markup_leaves_the_match(kit, find, data):
    item = data.draw(st.sampled_from(["river", "baker", "duck", "code"]))
    words = re.findall(r"\w+", kit.by_id[item].replace("_", " "))
    case = data.draw(st.sampled_from([str.upper, str.lower, str.title, str]))
    text = "".join(case(word) + data.draw(_SPACES) for word in words)
    assert [(item, 1000)] == [(row.item, row.share) for row in find(text)]


def _words(text: str) -> list[str]:
    return re.findall(r"[0-9a-z]+", text.lower())


def _shares_13(item: str, text: str) -> bool:
    """13 words in a row of both, five of them different and of letters, two or more of them."""
    own, other = _words(item), _words(text)
    runs = {tuple(own[at : at + 13]) for at in range(len(own) - 12)}
    runs = {run for run in runs if len({word for word in run if word.isalpha() and len(word) > 1}) >= 5}
    return any(tuple(other[at : at + 13]) in runs for at in range(len(other) - 12))


@given(
    st.lists(
        st.tuples(st.sampled_from(["river", "baker", "code", "pad"]), st.integers(0, 40), st.integers(1, 30))
    )
)
def test_thirteen_words_in_a_row_are_found_where_they_are_and_nowhere_else(kit, find, pieces):
    sources = {**kit.by_id, "pad": PADDING * 3}
    text = " ".join(" ".join(_words(sources[name])[start : start + size]) for name, start, size in pieces)
    expected = {name for name in ("river", "baker", "code") if _shares_13(sources[name], text)}
    assert expected == {
        row.item for row in find(text) if row.rule in ("ngram13", "whole") and row.part == "question"
    }


@given(
    st.lists(
        st.sampled_from(
            [
                "ferry",
                "river",
                "crosses",
                "litres",
                "burns",
                "the",
                "of",
                "and",
                "14",
                "6",
                "olga",
                "rolls",
                "noon",
            ]
        ),
        max_size=60,
    )
)
def test_a_document_matches_by_no_words_that_it_lacks(kit, check, words):
    text = " ".join(words)
    batch = kit.make_batch([text])
    found = check.examine(batch, cut_words(batch)).findings
    own = " ".join(_words(" ".join([*kit.by_id.values(), kit.river_answer])))
    for start, end in zip(found.start, found.end, strict=True):
        for piece in _split_runs(bytes(batch.data[start:end]).decode().split(), own):
            assert len(piece) >= 8


def _split_runs(words: list[str], own: str) -> list[list[str]]:
    """The words cut into the longest runs that stand in the items."""
    runs: list[list[str]] = []
    while words:
        size = next((n for n in range(len(words), 0, -1) if " ".join(words[:n]) in own), 1)
        runs.append(words[:size])
        words = words[size:]
    return runs


@given(st.data())
def test_documents_cut_into_other_batches_give_the_same(kit, check, data):
    pool = [
        *kit.by_id.values(),
        kit.river_answer,
        PADDING,
        "",
        "x",
        kit.by_id["river"][:120],
        kit.by_id["baker"] * 2,
    ]
    texts = data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=12))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(texts)), max_size=4)) | {0, len(texts)})
    whole = kit.examine(check, *texts)
    columns: dict[str, list[int]] = {name: [] for name in whole.columns}
    rows, stretches = [], []
    for first, last in pairwise(cuts):
        part = kit.examine(check, *texts[first:last])
        for name, values in part.columns.items():
            columns[name] += values.tolist()
        rows += [
            kit.row(row.document + first, row.item, row.part, row.rule, row.share)
            for row in kit.rows_of(part)
        ]
        shift = sum(len(text.encode()) for text in texts[:first])
        stretches += [
            (int(s) + shift, int(e) + shift)
            for s, e in zip(part.findings.start, part.findings.end, strict=True)
        ]
    assert columns == {name: values.tolist() for name, values in whole.columns.items()}
    assert rows == kit.rows_of(whole)
    assert stretches == list(zip(whole.findings.start.tolist(), whole.findings.end.tolist(), strict=True))


def _join(left: np.ndarray, right: np.ndarray, bits: int, target: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs whose sum has the low bits of a target."""
    mask = np.uint64((1 << bits) - 1)
    order = np.argsort(right & mask, kind="stable")
    wanted = (np.uint64(target) - left) & mask
    low = np.searchsorted((right & mask)[order], wanted, side="left")
    high = np.searchsorted((right & mask)[order], wanted, side="right")
    count = high - low
    first = np.repeat(np.arange(len(left)), count)
    second = order[
        np.repeat(low, count) + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    ]
    return first, second


def _collide(target: int) -> list[str]:
    """Eight words whose polynomial hash is the target (generalised birthdays; Wagner, CRYPTO 2002)."""
    size = 2**17
    words = [f"w{number:x}q" for number in range(size)]
    hashes = cut_text(" ".join(words)).hashes
    with np.errstate(over="ignore"):
        lists = [hashes * np.uint64(pow(int(BASE), 7 - place, 2**64)) for place in range(8)]
        pairs = []
        for at in range(0, 8, 2):
            first, second = _join(lists[at], lists[at + 1], 16, target if at == 6 else 0)
            pairs.append((lists[at][first] + lists[at + 1][second], first, second))
        fours = []
        for at, goal in ((0, 0), (2, target)):
            first, second = _join(pairs[at][0], pairs[at + 1][0], 33, goal)
            fours.append((pairs[at][0][first] + pairs[at + 1][0][second], first, second))
        first, second = _join(fours[0][0], fours[1][0], 63, target)
        total = fours[0][0][first] + fours[1][0][second]
        (hit, *_) = np.flatnonzero(total == np.uint64(target))
    chosen = []
    for (_, left, right), at, offset in ((fours[0], first[hit], 0), (fours[1], second[hit], 2)):
        for pair, place in ((pairs[offset], left[at]), (pairs[offset + 1], right[at])):
            chosen += [words[pair[1][place]], words[pair[2][place]]]
    return chosen


def test_words_made_to_have_an_items_hash_are_no_match(kit, check, find):
    words = re.findall(r"\w+", kit.by_id["river"])
    hashes = cut_text(" ".join(words[:8])).hashes
    target = 0
    for value in hashes.tolist():
        target = (target * int(BASE) + value) % 2**64
    forged = _collide(target)
    rolled = 0
    for value in cut_text(" ".join(forged)).hashes.tolist():
        rolled = (rolled * int(BASE) + value) % 2**64
    assert target == rolled
    before = check.followed
    assert [] == find(" ".join([*words[8:12], *forged, *words[8:14]]))
    assert check.followed > before  # the hash led to the item, the words did not


def test_hashes_that_lie_about_their_words_are_no_match(kit, check):
    texts = [kit.by_id[name] for name in ("baker", "duck", "fruit")]
    honest = cut_words(kit.make_batch(texts))
    chance = random.Random(5)
    other = kit.make_batch([re.sub(r"[a-z]", lambda _: chance.choice("bcdfg"), text) for text in texts[:2]])
    lying = cut_words(other)
    count = len(lying.hashes)
    forged = lying._replace(hashes=honest.hashes[:count])
    assert [] == kit.rows_of(check.examine(other, forged))
