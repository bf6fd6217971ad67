"""The corpus of the audit's benchmark: scrubbed, without near copies, planted with what its truth says."""

from __future__ import annotations

import json
from argparse import Namespace
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from benchmarks.audit.base_texts import Gathered, NearCopies, gather, read_base, write_base
from benchmarks.audit.corpus import make_corpus, plant_corpus, repeat_with_edits
from benchmarks.audit.sources import Piece, cut_documents, scrub

from verilabel.audit.canaries.items import Item

VOCABULARY = [
    f"{a}{b}{c}" for a in ("lo", "mi", "ta", "re") for b in ("ven", "dar", "sul", "pon") for c in "aeiou"
]


def text_of(seed: int, words: int = 150) -> bytes:
    source = Random(seed)
    return " ".join(source.choice(VOCABULARY) for _ in range(words)).encode()


@pytest.mark.parametrize(
    "value",
    [
        "jane.doe@mail.example.org",
        "+44 20 7946 0123",
        "(212) 555-0123",
        "4242 4242 4242 4242",
        "GB82WEST12345698765432",
        "8.8.4.4",
        "2a00:1450:4001::200e",
        "00:1b:44:11:3a:b7",
        "536-90-4399",
        "AB 12 34 56 C",
        "password = hunter2000",
        "ftp://user:secret9@host/",
    ],
)
def test_what_looks_like_somebodys_is_scrubbed(value: str) -> None:
    cleaned = scrub(f"some words {value} and more words".encode()).decode()
    assert value not in cleaned
    assert cleaned.startswith("some words ")
    assert cleaned.endswith(" and more words")


def test_plain_text_and_code_survive_scrubbing() -> None:
    plain = b"std::vector<int> a_very_long_identifier_of_nothing = f(3, 14); // see chapter 12"
    assert scrub(plain) == plain


ABOUT_LICENCES = [
    "This is free under the MIT License.",
    "It is in the public domain by now.",
    "Use it on the same terms as Perl itself.",
]


@pytest.mark.parametrize("told", ABOUT_LICENCES)
def test_paragraphs_about_licences_are_left_out(tmp_path: Path, told: str) -> None:
    path = tmp_path / "README.md"
    kept = [f"{text_of(at, 60).decode()}." for at in range(4)]
    path.write_text("\n\n".join([kept[0], told, *kept[1:]]))
    pieces = cut_documents(path, code=False)
    joined = b"\n\n".join(piece.text for piece in pieces).decode()
    assert told not in joined
    assert kept[0] in joined


def test_binary_files_give_no_documents(tmp_path: Path) -> None:
    path = tmp_path / "broken.txt"
    path.write_bytes(b"\xff\xfe" + b"words and words " * 100)
    assert cut_documents(path, code=False) == []


def test_near_copies_are_rejected_and_other_texts_are_not() -> None:
    near = NearCopies(1.0)
    one, other = text_of(1, 600), text_of(2, 600)
    changed = b"different start of it " + one
    admitted = near.admit([Piece(text, False, "") for text in (one, other, changed, one)])
    assert admitted == [True, True, False, False]
    assert near.admit([Piece(other, False, ""), Piece(text_of(3, 600), False, "")]) == [False, True]


def test_gathering_gives_the_same_documents_again(tmp_path: Path) -> None:
    for at in range(12):
        (tmp_path / f"page{at}.md").write_bytes(
            b"\n\n".join(text_of(100 * at + part, 90) for part in range(8))
        )
    one, other = (gather([tmp_path], 1, workers=1) for _ in range(2))
    assert one.texts == other.texts
    assert len(one.texts) >= 12
    write_base(one, tmp_path / "base.parquet")
    assert sorted(read_base(tmp_path / "base.parquet").texts) == sorted(one.texts)


def test_repetition_fills_up_and_says_so() -> None:
    gathered = Gathered([text_of(at) for at in range(20)], [False] * 20, ["x"] * 20)
    size = gathered.megabytes()
    repeat_with_edits(gathered, 4 * size)
    assert gathered.megabytes() >= 4 * size
    assert len(gathered.texts) == 20 + gathered.repeated


ITEMS = [Item(" ".join(f"question{a}word{b}" for b in range(30)), "the answer is short") for a in range(5)]


def test_the_truth_says_what_stands_in_the_documents() -> None:
    texts = [text_of(at) for at in range(1_600)]
    documents = list(plant_corpus(texts, ITEMS, 2))
    kinds = Counter()
    for document in documents:
        for told in document.truth:
            kinds[told["kind"]] += 1
            if told["kind"] == "pii.email":
                assert b"@" in document.text[told["start"] : told["end"]]
            if told["kind"] == "contamination.item" and told["format"] == "question":
                value = document.text[told["start"] : told["end"]].decode()
                assert value in [item.question for item in ITEMS]
    assert {"pii.email", "secret.jwt", "licence.text", "contamination.item", "duplicate"} <= set(kinds)
    assert len({document.id for document in documents}) == len(documents)
    by_id = {document.id: document for document in documents}
    for document in documents:
        for told in document.truth:
            if told["kind"] == "duplicate" and told["format"] == "exact":
                assert by_id[told["of"]].text == document.text


def test_all_forms_hold_the_same_documents(tmp_path: Path) -> None:
    import gzip

    import pyarrow.parquet as pq
    import zstandard

    texts = [text_of(at) for at in range(40)]
    write_base(Gathered(texts, [False] * 40, ["x"] * 40), tmp_path / "base.parquet")
    asked = Namespace(workers=1, plant=False, per_format=None, forms=["parquet", "jsonl", "gz", "zst"])
    made = make_corpus(tmp_path, 0.001, [], [], asked)
    assert made["documents"] == 40
    lines = b"".join(path.read_bytes() for path in sorted((tmp_path / "jsonl").iterdir()))
    gz = b"".join(gzip.decompress(path.read_bytes()) for path in sorted((tmp_path / "gz").iterdir()))
    zst = b"".join(
        zstandard.ZstdDecompressor().decompress(path.read_bytes())
        for path in sorted((tmp_path / "zst").iterdir())
    )
    assert lines == gz == zst
    told = [json.loads(line)["text"] for line in lines.splitlines()]
    rows = [
        text
        for path in sorted((tmp_path / "parquet").iterdir())
        for text in pq.read_table(path)["text"].to_pylist()
    ]
    assert told == rows
    assert sorted(told) == sorted(text.decode() for text in texts)
