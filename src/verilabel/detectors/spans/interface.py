"""What a set of span rules gives its users; `ruleset.RuleSet` is the one implementation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from verilabel.detectors.spans.rule import Match, Rule

Substitute = Callable[[Match], str | None]
"""What stands in place of a match; None leaves the match as it is (it was only to be seen)."""


class Redaction(NamedTuple):
    """A text with its matches replaced, and the matches."""

    text: str
    matches: list[Match]


class SpanFilter(Protocol):
    """Redacts a stream: for any chunking, the parts given out, joined, equal `SpanSet.redact` of the whole text.

    `matches` grows as matches become certain, positions counted over the whole stream. `stopped_by` is the first
    match whose rule is in `stops` (nothing from its start on was or will be given out), or None.
    """

    @property
    def matches(self) -> list[Match]:
        """The matches so far."""
        ...

    @property
    def stopped_by(self) -> Match | None:
        """The match that stopped it."""
        ...

    @property
    def fed_chars(self) -> int:
        """Characters taken in so far."""
        ...

    @property
    def held_chars(self) -> int:
        """Characters held back at the moment."""
        ...

    def feed(self, text: str) -> str:
        """Take the next part of the stream; give out what is certain."""
        ...

    def finish(self) -> str:
        """The stream has ended: give out the rest."""
        ...


class SpanSet(Protocol):
    """Rules compiled together. At one place the first rule in order that matches there and is real is taken;
    then the search goes on behind it: whole and streamed text alike."""

    rules: Sequence[Rule]

    def find(self, text: str, *, active: int | None = None, json_source: bool = False) -> list[Match]:
        """The matches in a text, in order, without overlaps. `active` is a bit mask of rules (None: all).

        With `json_source` the text is JSON source (arguments of a tool call); so below.
        """
        ...

    def redact(
        self,
        text: str,
        *,
        substitute: Substitute | None = None,
        active: int | None = None,
        json_source: bool = False,
    ) -> Redaction:
        """The text with each match replaced (by `[label]` where no `substitute` is given)."""
        ...

    def filter(
        self,
        *,
        substitute: Substitute | None = None,
        active: int | None = None,
        stops: frozenset[int] = frozenset(),
        json_source: bool = False,
    ) -> SpanFilter:
        """A filter for one stream of text. `json_source`: the text is JSON, its harmless escapes are read first."""
        ...
