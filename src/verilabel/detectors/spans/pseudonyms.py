"""Pseudonyms that can be turned back: values leave as `<EMAIL_1>` and come back as what they were."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from verilabel.detectors.spans.interface import Substitute
from verilabel.detectors.spans.rule import Match, Rule
from verilabel.detectors.spans.ruleset import RuleSet
from verilabel.detectors.spans.stream import StreamFilter

PLACEHOLDER = Rule(
    id="pseudonyms.placeholder", label="TEXT", pattern=r"<[A-Z][A-Z0-9_]{0,31}_[1-9][0-9]{0,5}>"
)
"""Finds what looks like a pseudonym. It must stand first in a set whose matches a vault replaces: so a text of the
client's that looks like one gets a pseudonym of its own, and comes back as the client wrote it."""


class Vault:
    """The values of one conversation, in memory alone. The same value under the same label is the same pseudonym.

    At most `max_values` values of together `max_chars` characters are kept; what comes beyond is replaced by
    `[label]`, for good. Long kinds, of which a stream keeps no text, are replaced for good as well.
    """

    def __init__(self, *, max_values: int = 10_000, max_chars: int = 2**20) -> None:
        self._max_values = max_values
        self._chars_left = max_chars
        self._values: dict[str, str] = {}
        self._placeholders: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"Vault({len(self._values)} values)"

    def __len__(self) -> int:
        return len(self._values)

    def substitute(
        self, rules: Sequence[Rule], *, reversible: int | None = None, otherwise: Substitute | None = None
    ) -> Substitute:
        """What replaces matches of these rules: pseudonyms for those of the bit mask `reversible` (None: all).

        Other rules are left to `otherwise` (by default `[label]`). Texts that look like pseudonyms always get one.
        """
        labels = [rule.label for rule in rules]
        looks_alike = {index for index, rule in enumerate(rules) if rule.id == PLACEHOLDER.id}

        def replace(match: Match) -> str | None:
            label = labels[match.rule]
            if match.rule in looks_alike or reversible is None or reversible >> match.rule & 1:
                placeholder = self._placeholder(label, match.text) if match.text else None
                return f"[{label}]" if placeholder is None else placeholder
            return f"[{label}]" if otherwise is None else otherwise(match)

        return replace

    def restore(self, text: str, *, json_source: bool = False) -> str:
        """A whole text with the values in place of their pseudonyms; unknown pseudonyms stay."""
        return _placeholders().redact(text, substitute=self._value, json_source=json_source).text

    def restoring(self, *, json_source: bool = False) -> StreamFilter:
        """A filter that restores a stream: for any parts the same as `restore` of the whole."""
        return _placeholders().filter(substitute=self._value, json_source=json_source)

    def forget(self) -> None:
        """Drop all values: pseudonyms that come later stay as they are."""
        self._values.clear()
        self._placeholders.clear()

    def _value(self, match: Match) -> str | None:
        return self._values.get(match.text)

    def _placeholder(self, label: str, value: str) -> str | None:
        known = self._placeholders.get((label, value))
        if known is not None:
            return known
        if len(self._values) >= self._max_values or len(value) > self._chars_left:
            return None
        name = _name_of(label)
        number = self._counts[name] = self._counts.get(name, 0) + 1
        placeholder = f"<{name}_{number}>"
        self._chars_left -= len(value)
        self._values[placeholder] = value
        self._placeholders[label, value] = placeholder
        return placeholder


def _name_of(label: str) -> str:
    name = "".join(char if char.isascii() and char.isalnum() else "_" for char in label.upper())[:32]
    return name if name[:1].isalpha() else "TEXT"


@functools.cache
def _placeholders() -> RuleSet:
    return RuleSet([PLACEHOLDER])
