"""A set of rules: finds and redacts in whole texts, and makes the filters of streams."""

from __future__ import annotations

from collections.abc import Sequence

from verilabel.detectors.spans.interface import Redaction, Substitute
from verilabel.detectors.spans.programs import Programs
from verilabel.detectors.spans.rule import Match, Rule
from verilabel.detectors.spans.stream import StreamFilter
from verilabel.detectors.spans.unicode_text import join_surrogates
from verilabel.errors import MalformedInput


class RuleSet:
    """Rules compiled together (`interface.SpanSet`). What a match is:

    1. Places are looked at from left to right. At a place the rules are asked in their order; a rule matches there if
       it is active, its pattern matches from that place on (as RE2 says: the first alternative that leads to a match,
       repeats as far as they go, `\\b` with the character before) and its check says yes to what was found.
       The first rule that matches is taken; if none does, the next place is looked at.
    2. Found is the match of the pattern, or of its group `secret` where that took part. Of a rule with words it is
       the longest word that begins there and stands alone.
    3. A long kind goes on over all characters of its body and then over one match of `end`, if it follows.
    4. The search goes on at the end of what was found. The text before and behind a group `secret` stays.

    Halves of characters (surrogates) are joined first, lone ones become U+FFFD. Streams give the same as whole texts.
    With `json_source` the text is JSON source: rules see the characters its escapes mean, positions count those, and
    what comes out is JSON of the same meaning but for what was replaced (`json_text`).

    Raises MalformedInput or LimitExceeded for rules that cannot be run, MissingExtra without google-re2.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        _require_unique(rules)
        self.rules: Sequence[Rule] = tuple(rules)
        self._labels = [rule.label for rule in self.rules]
        self._programs = Programs(self.rules)
        self._warm_up()

    def _warm_up(self) -> None:
        """Have RE2 make the programs now that it would make at the first match, in some 50 ms for large sets."""
        stream = self.filter()
        stream.feed(_SAMPLE)
        stream.finish()

    def find(self, text: str, *, active: int | None = None, json_source: bool = False) -> list[Match]:
        """The matches in a text, in order, without overlaps. `active` is a bit mask of rules (None: all)."""
        if not json_source and not self.may_match(text):
            return []
        return self.redact(text, active=active, json_source=json_source).matches

    def may_match(self, text: str) -> bool:
        """False if surely no rule matches, active or not: one pass of one automaton."""
        programs = self._programs
        try:
            data = text.encode()
        except UnicodeEncodeError:
            data = join_surrogates(text).encode()
        if programs.union(programs.anywhere, data, 0, len(data))[0][0] >= 0:
            return True
        return programs.has_words and bool(programs.words.find(data.decode(), ""))

    def redact(
        self,
        text: str,
        *,
        substitute: Substitute | None = None,
        active: int | None = None,
        json_source: bool = False,
    ) -> Redaction:
        """The text with each match replaced (by `[label]` where no `substitute` is given).

        Linear in the text's length. A `substitute` is given long kinds as a stream would give them: without text, and
        with the end of their pattern's match.
        """
        text = text if text.isascii() else join_surrogates(text)
        if not json_source and not self.may_match(text):
            return Redaction(text, [])
        stream = StreamFilter(self._programs, self._labels, substitute, active, json_source=json_source)
        redacted = stream.redact_whole(text)
        if json_source:
            return Redaction(redacted, stream.matches)
        return Redaction(
            redacted, [m if m.text else m._replace(text=text[m.start : m.end]) for m in stream.matches]
        )

    def filter(
        self,
        *,
        substitute: Substitute | None = None,
        active: int | None = None,
        stops: frozenset[int] = frozenset(),
        json_source: bool = False,
    ) -> StreamFilter:
        """A filter for one stream of text."""
        return StreamFilter(self._programs, self._labels, substitute, active, stops, json_source=json_source)


_SAMPLE = "write to a.b@example.com, 4111 1111 1111 1111, 10.0.0.1, +1 415 555 0132, ignore all previous instructions"


def _require_unique(rules: Sequence[Rule]) -> None:
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            raise MalformedInput(f"the rule {rule.id} is there twice")
        if not rule.pattern and not rule.words:
            raise MalformedInput("a rule with neither a pattern nor words", where=f"rule {rule.id}")
        seen.add(rule.id)
