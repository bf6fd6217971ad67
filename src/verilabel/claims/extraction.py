"""From documents to claims: every reader applied to what it reads, what is not read told with its reason."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from verilabel.claims.claim import Claim, Document, Extraction, Place, Unread
from verilabel.claims.completeness import state_fields
from verilabel.claims.markdown import Block, Card, read_card, sentences_of, strip_marks
from verilabel.claims.metadata import (
    is_every_eval_ever,
    load_decimal_json,
    read_eval_results,
    read_every_eval_ever,
    read_model_index,
)
from verilabel.claims.prose import MAX_SENTENCE, read_sentence
from verilabel.claims.tables import read_table
from verilabel.claims.words import same_name
from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.records.strict_yaml import load_strict_yaml

MAX_CLAIMS = 100_000
_MODEL_INDEX = re.compile(r"^model-index:.*\n(?:(?:[ \t#-].*)?\n)*", re.MULTILINE)
_TITLE_WORDS = re.compile(
    r"\b(?:model card(?: for)?|readme|system card|\(?preview\)?)\b[:\s-]*", re.IGNORECASE
)


def extract_claims(source: str, documents: Sequence[Document], *, subject: str = "") -> Extraction:
    """All claims of the documents of one source, in their order, with what each says of its making.

    `subject` names the model where the documents do not. Raises MalformedInput for a results file that is not of its
    form, LimitExceeded beyond 100,000 claims. A part of a card that cannot be read is told in `unread`.
    """
    about = subject or _subject_of(documents)
    claims: list[Claim] = []
    unread: list[Unread] = []
    for document in documents:
        _read_document(document, about, claims, unread)
        _check_count(claims, document)
    return Extraction(source, tuple(documents), tuple(mark_ambiguous(claims)), tuple(unread))


def _check_count(claims: Sequence[Claim], document: Document) -> None:
    if len(claims) > MAX_CLAIMS:
        raise LimitExceeded(f"more than {MAX_CLAIMS} claims", where=document.name)


def _read_document(document: Document, subject: str, claims: list[Claim], unread: list[Unread]) -> None:
    if document.kind == "card":
        _read_card(document, subject, claims, unread)
        return
    data = document.text.encode()
    if document.kind == "eval_results":
        content = load_strict_yaml(data, where=document.name)
        found = read_eval_results(content, source=document.name, subject=subject)
    else:
        content = load_decimal_json(data, where=document.name)
        if not is_every_eval_ever(content):
            raise MalformedInput("not a results file of Every Eval Ever", where=document.name)
        found = read_every_eval_ever(content, source=document.name)
    for item in found:
        if isinstance(item, Unread):
            unread.append(item)
        else:
            claims.append(state_fields(item, "", ""))


def _read_card(document: Document, subject: str, claims: list[Claim], unread: list[Unread]) -> None:
    card = read_card(document.text, where=document.name)
    front = _front_matter(card, document.name, unread)
    for item in read_model_index(front, source=document.name, line=card.front_line):
        if isinstance(item, Unread):
            unread.append(item)
        else:
            claims.append(state_fields(item, "", ""))
    reader = _CardReader(document.name, card, subject, unread)
    for block in card.blocks:
        claims += reader.read_block(block)
        _check_count(claims, document)
    code = sum(block.kind == "code" for block in card.blocks)
    if code:
        unread.append(Unread(Place(document.name), f"{code} blocks of code: not read for claims"))


class _CardReader:
    """Reads the blocks of one card in their order."""

    def __init__(self, name: str, card: Card, subject: str, unread: list[Unread]) -> None:
        self._name, self._card, self._subject, self._unread = name, card, subject, unread
        self._near = card.section_proses()
        shown = {block.section for block in card.blocks if block.kind == "code"}
        self._prompts_shown = {number for number in shown if "prompt" in self._near[number].casefold()}
        self._tables = 0

    def read_block(self, block: Block) -> list[Claim]:
        """The claims of a block, with what they and their section say of their making."""
        near, shown = self._near[block.section], block.section in self._prompts_shown
        if block.kind == "table":
            heads = " | ".join(block.rows[0].cells)
            return [
                state_fields(claim, f"{heads}\n{claim.text}", near, prompts_shown=shown)
                for claim in self._read_table(block)
            ]
        if block.kind == "prose":
            return [
                state_fields(claim, claim.text, near, prompts_shown=shown)
                for claim in self._read_prose(block)
            ]
        return []

    def _read_table(self, block: Block) -> list[Claim]:
        self._tables += 1
        titles = self._card.sections[block.section].titles
        found, problem = read_table(block, self._tables, titles, source=self._name, subject=self._subject)
        if problem:
            self._unread.append(Unread(Place(self._name, block.line, self._tables), problem))
        return found

    def _read_prose(self, block: Block) -> Iterator[Claim]:
        titles = self._card.sections[block.section].titles
        for sentence in sentences_of(block):
            if len(sentence.text) > MAX_SENTENCE:
                place = Place(self._name, sentence.line, column=sentence.column)
                reason = f"a sentence of {len(sentence.text)} characters beyond its first {MAX_SENTENCE}"
                self._unread.append(Unread(place, reason))
            yield from read_sentence(sentence, source=self._name, subject=self._subject, titles=titles)


def _front_matter(card: Card, name: str, unread: list[Unread]) -> Mapping[str, Any]:
    if not card.front:
        return {}
    try:
        front = load_strict_yaml(card.front.encode(), where=name)
    except MalformedInput as error:
        unread.append(Unread(Place(name, 1), f"the front matter cannot be read: {error.message}"))
        return _model_index_alone(card.front, name, unread)
    if not isinstance(front, dict):
        unread.append(Unread(Place(name, 1), "the front matter is no mapping"))
        return {}
    return front


def _model_index_alone(front: str, name: str, unread: list[Unread]) -> Mapping[str, Any]:
    """The `model-index` of a front matter whose other keys cannot be read (`language: no` is one of them)."""
    block = _MODEL_INDEX.search(front)
    if block is None:
        return {}
    try:
        index = load_strict_yaml(block[0].encode(), where=name)
    except MalformedInput as error:
        unread.append(Unread(Place(name, 1), f"the model-index is not counted: {error.message}"))
        return {}
    return index if isinstance(index, dict) else {}


def _subject_of(documents: Iterable[Document]) -> str:
    """The model that the documents are about: the hub's name, the model-index's, or the first heading's."""
    for document in documents:
        if document.repository:
            return document.repository
    for document in documents:
        if document.kind != "card":
            continue
        card = read_card(document.text, where=document.name)
        front = _front_matter(card, document.name, [])
        index = front.get("model-index")
        entries = index if isinstance(index, list) else [index]
        names = [entry.get("name") for entry in entries if isinstance(entry, dict)]
        named = next(
            (name for name in (front.get("model_name"), *names) if isinstance(name, str) and name), ""
        )
        if named:
            return named
        title = next((section.titles[-1] for section in card.sections if section.depth == 1), "")
        if title and "{" not in title:
            return _TITLE_WORDS.sub("", strip_marks(title)).strip(" :-") or title
    return ""


def mark_ambiguous(claims: Sequence[Claim]) -> list[Claim]:
    """Mark the bare figures up to 1 of a metric whose other claims are percentages, and the other way round.

    0.87 beside 85.1 and 90.2 may be 0.87 % or 87 %: the unit is ambiguous, and nothing here decides it.
    """
    percent: dict[tuple[str, str], bool] = defaultdict(bool)
    for claim in claims:
        value = claim.value
        if value is not None and claim.kind == "number" and _is_percentage(claim):
            percent[_group(claim)] = True
    marked = []
    for claim in claims:
        value = claim.value
        if (
            value is not None
            and value.unit == "unstated"
            and _is_small(value.number)
            and percent[_group(claim)]
        ):
            ambiguous = msgspec.structs.replace(value, unit_ambiguous=True)
            marked.append(msgspec.structs.replace(claim, value=ambiguous))
        else:
            marked.append(claim)
    return marked


def _group(claim: Claim) -> tuple[str, str]:
    metric = "" if claim.metric == "score" else claim.metric
    return (claim.place.source, metric or same_name(claim.benchmark))


def _is_small(number: str) -> bool:
    return float(number) <= 1 and float(number) != 0


def _is_percentage(claim: Claim) -> bool:
    assert claim.value is not None, "callers pass claims with a figure"
    return claim.value.unit == "percent" or (claim.value.unit == "unstated" and float(claim.value.number) > 1)
