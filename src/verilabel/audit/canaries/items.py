"""Formats of benchmarks' items as they get into texts: verbatim, wrapped anew, in part, with words exchanged."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from verilabel.audit.canaries.draws import Draws
from verilabel.audit.canaries.formats import BARE, Catalogue, Format

KIND = "contamination.item"
LONG = 26
"""Words of a question that can be halved, or lose every ninth word, and still be told from others."""
SHORT = 12
SHORTEST = 5
_EXCHANGES = {
    "the": "each", "and": "plus", "is": "was", "of": "from", "to": "into", "in": "within", "how": "so how",
    "many": "numerous", "has": "holds", "a": "one", "for": "toward", "he": "they", "she": "they", "are": "were",
}  # fmt: skip
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Item:
    """One item of a benchmark: what is asked, and the answer where it has one."""

    question: str
    answer: str = ""

    def whole(self) -> str:
        """Question and answer, as a page would show them."""
        return f"{self.question}\n{self.answer}" if self.answer else self.question

    def words(self) -> int:
        """In the question."""
        return len(_WORD.findall(self.question))


def formats_of(items: Sequence[Item]) -> list[Format]:
    """The formats in which items of such lengths can be planted; none for no items."""
    long = [item for item in items if item.words() >= LONG]
    short = [item for item in items if SHORTEST <= item.words() <= SHORT]
    catalogue = Catalogue()
    if long:
        changes: dict[str, Callable[[Draws, Item], str]] = {
            "verbatim": lambda _, item: item.whole(),
            "rewrapped": lambda _, item: _rewrap(item.whole()),
            "question": lambda _, item: item.question,
            "half": lambda _, item: _halve(item),
            "ninth_word": _exchange,
        }
        for name, change in changes.items():
            catalogue.add(KIND, name, _changed(change, long), is_block=True)
    if short:
        catalogue.add(
            KIND, "short", lambda d: d.pick(short).question, (*BARE, ("Q: ", ""), ("> ", "")), is_block=True
        )
    return catalogue.formats


def _changed(change: Callable[[Draws, Item], str], items: Sequence[Item]) -> Callable[[Draws], str]:
    return lambda draws: change(draws, draws.pick(items))


def _rewrap(text: str) -> str:
    """In capitals, eight words a line, punctuation set off."""
    words = text.upper().replace(".", " .").replace(",", " ;").split()
    return "\n".join(" ".join(words[at : at + 8]) for at in range(0, len(words), 8))


def _halve(item: Item) -> str:
    words = item.question.split()
    return " ".join(words[: max(LONG // 2 + 1, len(words) // 2)])


def _exchange(draws: Draws, item: Item) -> str:
    words = item.whole().split()
    for at in range(draws.below(4), len(words), 9):
        words[at] = _EXCHANGES.get(words[at].lower(), f"indeed {words[at]}")
    return " ".join(words)
