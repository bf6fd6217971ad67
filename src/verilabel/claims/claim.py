"""A claim: what a document says of a model, in its own words, with its place; and what it leaves unsaid."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["number", "change", "category", "comparison"]
"""A figure; a difference of two figures; a class such as `low risk`; a rank such as `outperforms`."""
Topic = Literal["safety", "capability"]
Unit = Literal["percent", "fraction", "points", "none", "unstated"]
"""What the document says the figure is. `unstated` is kept as it is: a bare 0.87 is never made 87 %.

`points` is a figure on a scale of its own (an Elo, a perplexity), `none` a claim without a figure.
"""
Comparator = Literal["=", "<", "<=", ">", ">=", "~"]
State = Literal["stated", "in_part", "missing"]
Field = Literal[
    "prompts",
    "configuration",
    "metric",
    "n",
    "interval",
    "threshold",
    "method",
    "red_teaming",
    "date",
    "evaluator",
    "evidence",
]
"""What acting on a claim needs; `FIELD_SAYS` has the words."""

FIELD_SAYS: dict[Field, str] = {
    "prompts": "the exact prompts",
    "configuration": "the configuration: parameters, system prompt, shots",
    "metric": "the metric",
    "n": "how many answers or items it rests on",
    "interval": "an interval",
    "threshold": "the threshold that was applied",
    "method": "how it was measured and scored",
    "red_teaming": "how the red-teaming was done",
    "date": "when it was measured",
    "evaluator": "who measured it",
    "evidence": "a link to the evidence",
}
SAFETY_ONLY: frozenset[Field] = frozenset(("threshold", "red_teaming"))
"""Asked of safety claims alone."""


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a claim stands: a file, then a line (from 1), a table's row and column, or a path in its data."""

    source: str
    line: int | None = None
    table: int | None = None
    """Number of the table in the file, from 1."""
    row: int | None = None
    """Row of the table below its heading, from 1."""
    column: int | None = None
    """Column of the table, from 1; in prose the character of the line."""
    path: str | None = None

    def __str__(self) -> str:
        parts = [self.source if self.line is None else f"{self.source}:{self.line}"]
        if self.path:
            parts.append(self.path)
        if self.table is not None:
            parts.append(f"table {self.table} row {self.row} column {self.column}")
        return " ".join(parts)


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """One field of a claim: whether the document states it, in which words, and what of it is missing."""

    state: State
    words: str = ""
    """The words that state it, as they stand."""
    near: bool = False
    """True where they stand in the claim's section, not in the claim itself."""
    missing: tuple[str, ...] = ()
    """Parts that are not there, where it is stated in part."""


class Value(msgspec.Struct, frozen=True, omit_defaults=True):
    """A figure as printed. `number` is the decimal string without sign of unit, its digits untouched."""

    text: str
    number: str
    unit: Unit
    comparator: Comparator = "="
    unit_ambiguous: bool = False
    """True where other claims of the same metric are in another unit, so that this bare figure may be either."""


class Claim(msgspec.Struct, frozen=True, omit_defaults=True):
    """One stated claim. Empty text means: the document does not say."""

    kind: Kind
    topic: Topic
    text: str
    """The words of the document: a table's cell, a sentence, an entry of its data."""
    place: Place
    found_by: str
    """The rule that found it (`table`, `model-index`, `prose`, ...) or `model:ADDRESS`."""
    subject: str = ""
    """The model it speaks of, as the document names it."""
    benchmark: str = ""
    metric: str = ""
    value: Value | None = None
    category: str = ""
    """For kind `category`: risk_level, threshold, suitability, absence or behaviour."""
    n: str = ""
    interval: str = ""
    date: str = ""
    configuration: str = ""
    """Shots and settings, as they stand."""
    fields: dict[Field, Said] = {}
    """What is there and what is missing of everything that acting on the claim needs."""


class Unread(msgspec.Struct, frozen=True):
    """A part of a document that was not read for claims, and why."""

    place: Place
    reason: str


class Document(msgspec.Struct, frozen=True):
    """One text to read claims from: where it is from, what kind it is, and its exact bytes' digest."""

    name: str
    kind: Literal["card", "eval_results", "every_eval_ever"]
    text: str
    sha256: str
    repository: str = ""
    """`org/name` of a model on the Hugging Face hub, where it is one's card."""


class Extraction(msgspec.Struct, frozen=True):
    """All that was found in the documents of one source."""

    source: str
    documents: tuple[Document, ...]
    claims: tuple[Claim, ...]
    unread: tuple[Unread, ...] = ()
    dropped: dict[str, int] = {}
    """Why claims that a model proposed were dropped, and how many."""
