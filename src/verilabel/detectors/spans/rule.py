"""A rule: a pattern that RE2 can run, what makes a match a real one, and what stands in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

Check = Callable[[str], bool]
"""True if the text that a pattern matched is a real one (a checksum holds). Pure; never raises."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. `pattern` has bounded repeats; a long kind has a `body` in addition.

    `id` is dotted, `pii.email`. What is found is the match of `pattern`, or of its group `secret` where it has one.
    `body` is a character class such as `[^-]`: a match goes on over every following character of the class, however
    many, and then over one match of `end` if it follows; so a key block of any length is one match, and a stream
    need not be held back for it. `check` says of the text of a match whether it is real (never of a long kind).
    `label` is what stands in its place by default, as `[label]`.
    A rule has `words` instead of a `pattern` where it finds whole words and phrases, the longest at a place; any number
    of them costs the same.
    """

    id: str
    label: str
    pattern: str = ""
    words: tuple[str, ...] = ()
    body: str | None = None
    end: str | None = None
    check: Check | None = None
    ignore_case: bool = False


class Match(NamedTuple):
    """A stretch of text that a rule found: `start` and `end` count characters of the whole text or stream.

    `text` is empty for a match whose end was not waited for (long kinds in a stream).
    """

    rule: int
    """Index of the rule in its set."""
    start: int
    end: int
    text: str
