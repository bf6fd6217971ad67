"""The check `toxicity`: whole words of the list, wherever a batch is cut, and nothing that only looks like one.

Terms are taken from the list by their place in it, so that no test spells one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.audit.interface import Batch, Findings
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.settings import AuditSettings
from verilabel.audit.toxicity.checking import ToxicityCheck, open_check
from verilabel.audit.toxicity.kernel import COMPANY_WORDS, MAX_FINDINGS, find_terms
from verilabel.audit.toxicity.lexicon import Category, Lexicon, Term, shipped_lexicon
from verilabel.audit.toxicity.opening import OPENING
from verilabel.audit.toxicity.storing import load_shipped
from verilabel.audit.toxicity.table import make_table
from verilabel.errors import MalformedInput

INVENTED = Lexicon(
    "1",
    "invented",
    "CC0-1.0",
    tuple(
        sorted(
            (
                Term("blorf", "en", "profanity"),
                Term("blorf you all", "en", "threat"),
                Term("greel", "en", "slur", "origin"),
                Term("i'll blorf", "en", "threat"),
                Term("mild", "en", "sexual", "", True),
                Term("née", "fr", "profanity"),
                Term("丑八", "zh", "profanity"),
            ),
            key=lambda term: term.text,
        )
    ),
)


@cache
def invented_check() -> ToxicityCheck:
    return ToxicityCheck(INVENTED)


@cache
def shipped_check() -> ToxicityCheck:
    return open_check()


def batch_of(texts: Sequence[str | bytes]) -> Batch:
    raw = [text.encode("utf-8", "replace") if isinstance(text, str) else text for text in texts]
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in raw])]).astype(np.int64)
    data = np.frombuffer(b"".join(raw), np.uint8)
    return Batch(data, offsets, np.arange(len(raw), dtype=np.int64))


def found_in(check: ToxicityCheck, texts: Sequence[str | bytes]) -> list[list[tuple[str, str]]]:
    """Of each text: kind and stretch of every finding."""
    batch = batch_of(texts)
    findings = check.examine(batch, cut_words(batch)).findings
    assert isinstance(findings, Findings)
    found: list[list[tuple[str, str]]] = [[] for _ in texts]
    for document, kind, start, end in zip(
        findings.document, findings.kind, findings.start, findings.end, strict=True
    ):
        assert batch.offsets[document] <= start < end <= batch.offsets[document + 1]
        found[document].append((check.card.kinds[kind].id, batch.data[start:end].tobytes().decode()))
    return found


def plain_words(category: Category) -> list[str]:
    """Single English words of the shipped list that need no company."""
    return [
        term.text
        for term in shipped_lexicon().terms
        if term.category == category and not term.company and term.text.isascii() and term.text.isalpha()
    ]


@pytest.mark.parametrize(
    "text",
    ["Blorf!", "a BLORF, b", "(blorf)", "“blorf”", "blorf…", "blorf’s", "x — blorf—", "blorf🙂", "*blorf*"],
)
def test_a_word_is_found_in_any_case_and_between_signs(text: str) -> None:
    assert ["toxic.profanity"] == [kind for kind, _ in found_in(invented_check(), [text])[0]]


@pytest.mark.parametrize(
    "text",
    [
        "xblorf",
        "blorfs",
        "bl orf",
        "blorf_",
        "_blorf",
        "blorf.example.org",
        "/usr/blorf",
        "a@blorf",
        "--blorf",
        "blorf(",
    ],
)
def test_a_part_of_a_name_a_path_or_an_option_is_not_found(text: str) -> None:
    assert [[]] == found_in(invented_check(), [text])


def test_the_longest_phrase_is_found_across_lines_and_not_across_a_full_stop() -> None:
    texts = [
        "blorf you\n  all",
        "blorf. You all",
        "blorf you " + " " * 20 + "all",
        "I’ll blorf",
        "I'll blorf",
    ]
    assert [
        [("toxic.threat", "blorf you\n  all")],
        [("toxic.profanity", "blorf")],
        [("toxic.profanity", "blorf")],
        [("toxic.threat", "I’ll blorf")],
        [("toxic.threat", "I'll blorf")],
    ] == found_in(invented_check(), texts)


def test_letters_beyond_ascii_are_found_in_any_case_composed_or_not() -> None:
    assert [1] * 4 == [len(found) for found in found_in(invented_check(), ["née", "NÉE", "Née", "ne\u0301e"])]


def test_characters_of_chinese_are_words() -> None:
    assert [("toxic.profanity", "丑八")] == found_in(invented_check(), ["很丑八怪"])[0]
    assert [[]] == found_in(invented_check(), ["很丑怪八"])


def test_a_word_with_an_innocent_sense_counts_only_in_company() -> None:
    near, far = "mild " + "word " * (COMPANY_WORDS - 1), "mild " + "word " * COMPANY_WORDS
    texts = [
        "mild",
        "mild mild mild",
        near + "blorf",
        far + "blorf",
        "blorf " + "word " * (COMPANY_WORDS - 1) + "mild",
    ]
    assert [0, 0, 2, 1, 2] == [len(found) for found in found_in(invented_check(), texts)]


def test_slurs_are_counted_by_whom_they_are_aimed_at() -> None:
    batch = batch_of(["none", "greel greel blorf", "", "greel"])
    examined = invented_check().examine(batch, cut_words(batch))
    assert [0, 3, 0, 1] == examined.columns["toxicity_words"].tolist()
    table = examined.tables["toxicity_groups"]
    assert [[1, 3], ["origin", "origin"], [2, 1]] == [
        list(table[name]) for name in ("document", "group", "count")
    ]


@pytest.mark.parametrize("category", ["slur", "profanity", "sexual", "threat", "minors"])
def test_words_of_the_shipped_list_are_found_as_what_they_are(category: Category) -> None:
    words = plain_words(category)[:200]
    found = found_in(shipped_check(), [f"He wrote {word} on it." for word in words])
    assert [f"toxic.{category}"] * len(words) == [kinds[0][0] for kinds in found]


def test_ordinary_sentences_have_no_findings() -> None:
    texts = [
        "Scunthorpe and Penistone are towns; the assassin passed the grass.",
        "Kill the process, then hang up: the master copy was executed and the child aborted.",
        "The analyst assessed the cockpit, and Dick van Dyke played on.",
        "Essex, Sussex and Middlesex; Arsenal against Lightwater; a shitake dish.",
        "She met the Jews of Prague, gay friends, black people and Muslims at the fair.",
        "def pass_class(assert_, basement): return assume(classic)",
    ]
    assert [[]] * len(texts) == found_in(shipped_check(), texts)


@given(
    st.lists(st.text("abblorf mild greel you all.-\n“’é丑八", max_size=60), min_size=1, max_size=8), st.data()
)
@settings(max_examples=60)
def test_findings_do_not_depend_on_how_documents_are_cut_into_batches(
    texts: list[str], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(texts)))
    together = found_in(invented_check(), texts)
    apart = found_in(invented_check(), texts[:cut] or [""])[: cut or 0] + found_in(
        invented_check(), texts[cut:] or [""]
    )
    assert together == apart[: len(texts)]


@given(st.lists(st.sampled_from(["blorf", "mild", "greel", "you", "all", "x", "“blorf”"]), max_size=120))
@settings(max_examples=60)
def test_company_and_order_are_as_the_rule_says(words: list[str]) -> None:
    found = [stretch for _, stretch in found_in(invented_check(), [" ".join(words)])[0]]
    plain = [i for i, word in enumerate(words) if word.strip("“”") in ("blorf", "greel")]
    ends = [i + 2 if words[i : i + 3] == ["blorf", "you", "all"] else i for i in plain]
    mild = [
        i
        for i, word in enumerate(words)
        if word == "mild"
        and (
            any(0 < start - i <= COMPANY_WORDS for start in plain)
            or any(0 < i - end <= COMPANY_WORDS for end in ends)
        )
    ]
    assert len(mild) == found.count("mild")
    assert len(plain) + len(mild) == len(found)


@pytest.mark.parametrize(
    "unit",
    [b"a", b"7", b"@", b"\n", " “".encode(), "丑".encode(), b"i'll ", "’".encode(), b"\x00", "🙂".encode()],
)
def test_hostile_documents_cost_no_more_than_a_look_a_word(unit: bytes) -> None:
    batch = batch_of([unit * (300_000 // len(unit)), b"", unit])
    words = cut_words(batch)
    hits = find_terms(batch, words, make_table(shipped_lexicon()))
    assert hits.candidates <= len(words.hashes)
    assert 0 == len(hits.document)


def test_findings_of_a_document_are_bounded_and_all_are_counted() -> None:
    batch = batch_of([b"blorf " * (MAX_FINDINGS + 5), b"blorf greel", b"mild " * 100_000])
    examined = invented_check().examine(batch, cut_words(batch))
    assert isinstance(examined.findings, Findings)
    assert [MAX_FINDINGS + 5, 2, 0] == examined.columns["toxicity_words"].tolist()
    assert [MAX_FINDINGS, 2] == np.bincount(examined.findings.document).tolist()


def test_findings_are_sorted_and_of_the_contracts_types() -> None:
    batch = batch_of(["mild blorf greel", "greel mild"] * 50)
    examined = invented_check().examine(batch, cut_words(batch))
    findings = examined.findings
    assert isinstance(findings, Findings)
    places = list(zip(findings.document.tolist(), findings.start.tolist(), strict=True))
    assert sorted(places) == places
    assert ["int32", "uint16", "int64", "int64"] == [
        str(each.dtype) for each in (findings.document, findings.kind, findings.start, findings.end)
    ]
    assert "uint32" == str(examined.columns["toxicity_words"].dtype)
    assert all(a <= b for a, b in pairwise(findings.start.tolist()))


def test_an_empty_batch_gives_nothing() -> None:
    batch = Batch(np.zeros(0, np.uint8), np.zeros(1, np.int64), np.zeros(0, np.int64))
    examined = shipped_check().examine(batch, cut_words(batch))
    assert (0, 0) == (
        len(examined.columns["toxicity_words"]),
        len(examined.findings.document if examined.findings else []),
    )


def test_the_card_changes_with_the_list(tmp_path: object) -> None:
    assert shipped_check().card.data_sha256 != invented_check().card.data_sha256
    assert open_check().card == shipped_check().card


def test_the_opening_gives_the_check_with_measured_errors(tmp_path) -> None:  # type: ignore[no-untyped-def]
    OPENING.prepare(AuditSettings(), tmp_path)
    card = OPENING.open(AuditSettings(), tmp_path).card
    assert ["toxic.slur", "toxic.profanity", "toxic.sexual", "toxic.threat", "toxic.minors"] == [
        k.id for k in card.kinds
    ]
    assert all(kind.errors for kind in card.kinds)
    assert card == open_check().card


def test_a_prepared_table_finds_what_the_list_finds(tmp_path) -> None:  # type: ignore[no-untyped-def]
    for _ in range(2):
        OPENING.prepare(AuditSettings(), tmp_path)
    prepared, made = load_shipped(tmp_path), make_table(shipped_lexicon())
    assert shipped_lexicon().sha256 == prepared.sha256
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(made, prepared.table, strict=True))


def test_a_table_that_was_not_prepared_is_told(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MalformedInput, match="cannot be read"):
        OPENING.open(AuditSettings(), tmp_path)
