"""SPDX licence expressions (SPDX 2.3, annex D): which licences they name, and which of them counts as the first."""

from __future__ import annotations

import re
from dataclasses import dataclass

from verilabel.audit.licences.names import settle_id
from verilabel.audit.licences.texts import list_classes, number_ids

MAX_BYTES = 512
MAX_OPERANDS = 32
_TOKEN = re.compile(r"\s*(?:(\()|(\))|([A-Za-z0-9][A-Za-z0-9.\-:]*\+?))")


@dataclass(frozen=True)
class Expression:
    """What an expression says."""

    ids: tuple[str, ...]
    """Of the list, in the order of the text; others (`LicenseRef-...`) are left out."""
    top: str | None
    """Of a choice the first, of a conjunction the licence that asks the most. None where no id is of the list."""
    length: int
    """Characters of the text that are the expression."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.ids: list[str] = []
        self.operands = 0
        self.depth = 0

    def peek(self) -> re.Match[str] | None:
        return _TOKEN.match(self.text, self.at)

    def word(self) -> str:
        token = self.peek()
        return (token.group(3) or "").upper() if token else ""

    def choice(self) -> str | None:
        top = self.conjunction()
        while self.word() == "OR":
            self.at = self._end()
            other = self.conjunction()
            top = top or other
        return top

    def conjunction(self) -> str | None:
        top = self.operand()
        while self.word() == "AND":
            self.at = self._end()
            top = _stricter(top, self.operand())
        return top

    def operand(self) -> str | None:
        token = self.peek()
        self.operands += 1
        if token is None or self.operands > MAX_OPERANDS or token.group(2):
            raise ValueError("no licence here")
        self.at = token.end()
        if token.group(1):
            self.depth += 1
            if self.depth > MAX_OPERANDS:
                raise ValueError("too deep")
            top = self.choice()
            self.depth -= 1
            closing = self.peek()
            if closing is None or not closing.group(2):
                raise ValueError("no closing bracket")
            self.at = closing.end()
            return top
        return self._licence(token.group(3))

    def _licence(self, written: str) -> str | None:
        if written.upper() in ("AND", "OR", "WITH"):
            raise ValueError("an operator without a licence")
        identifier = settle_id(written)
        if identifier is None and written.endswith("+"):
            identifier = settle_id(written[:-1] + "-or-later") or settle_id(written[:-1])
        if self.word() == "WITH":
            self.at = self._end()
            exception = self.peek()
            if exception is None or not exception.group(3):
                raise ValueError("no exception after WITH")
            self.at = exception.end()
        if identifier is not None:
            self.ids.append(identifier)
        return identifier

    def _end(self) -> int:
        token = self.peek()
        assert token is not None
        return token.end()


def _stricter(one: str | None, other: str | None) -> str | None:
    if one is None or other is None:
        return one or other
    classes, numbers = list_classes(), number_ids()
    return other if classes[numbers[other.lower()]] > classes[numbers[one.lower()]] else one


def parse_expression(text: str) -> Expression | None:
    """The expression at the head of a text, as far as it goes; None where there is none.

    Exceptions (`WITH ...`) are read and not kept: they only widen what is granted.
    """
    reader = _Reader(text[:MAX_BYTES])
    try:
        top = reader.choice()
    except (ValueError, RecursionError):
        return None
    return Expression(tuple(dict.fromkeys(reader.ids)), top, reader.at)
