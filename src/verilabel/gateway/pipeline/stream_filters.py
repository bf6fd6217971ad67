"""The filters of one stream: what redacts, what only watches, what puts pseudonyms back."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from verilabel.detectors.spans.interface import SpanFilter
from verilabel.detectors.spans.rule import Match
from verilabel.gateway.pipeline.chain import SpanPlan
from verilabel.gateway.pipeline.inspection import Inspection
from verilabel.gateway.verdicts import Action, Field
from verilabel.gateway.wire.interface import MalformedStream

MAX_MATCHES = 1 << 17
MAX_TEXTS = 1 << 14
SWEEP_AT = 1024
"""Texts of one stream; an honest one has a few, and a filter is kept for each."""


class Restore(Protocol):
    """Opens a filter that puts pseudonyms back."""

    def __call__(self, *, json_source: bool = False) -> SpanFilter:
        """For one text; told whether it is JSON source."""
        ...


class Opened(NamedTuple):
    """A filter that was opened for one field of one choice, and the plan its matches belong to."""

    plan: SpanPlan
    filter: SpanFilter
    field: Field
    choice: int
    is_shadow: bool


class StreamFilters:
    """Opens the filters of one stream and gathers their findings when it has ended.

    `restore` opens a filter that puts a conversation's pseudonyms back, behind the guards.
    """

    def __init__(
        self, inspection: Inspection, restore: Restore | None, *, keeps_guarded: bool = False
    ) -> None:
        self._inspection = inspection
        self._restore = restore
        self._keeps_guarded = keeps_guarded
        self._opened: list[Opened] = []
        self._sweep_at = SWEEP_AT
        self._counts: dict[tuple[SpanPlan, int, Field, int, bool], int] = {}

    def open(self, field: Field, choice: int, *, is_plain: bool = False) -> SpanFilter | None:
        """The filter for one text of a field of a choice; None where nothing looks at it. Raises MalformedStream."""
        if len(self._opened) >= self._sweep_at:
            self._sweep()
        json_source = field == "tool_arguments" and not is_plain
        inspection = self._inspection
        chain = inspection.chain
        result: SpanFilter | None = None
        plan = chain.enforced
        if plan is not None and (mask := inspection.masks[field]) != 0:
            result = plan.spans.filter(
                substitute=inspection.substitute,
                active=mask,
                stops=plan.stops,
                json_source=json_source,
            )
            self._opened.append(Opened(plan, result, field, choice, False))
        plan = chain.shadow
        if plan is not None and (mask := inspection.shadow_masks[field]) != 0:
            watching = plan.spans.filter(active=mask, json_source=json_source)
            self._opened.append(Opened(plan, watching, field, choice, True))
            result = Watched(result, watching)
        if self._restore is not None:
            restoring = self._restore(json_source=json_source)
            result = Restored(result, restoring, keeps_guarded=self._keeps_guarded)
        return result

    def require_bounds(self) -> None:
        """Raises MalformedStream where more was found than a record should hold; to be called now and then."""
        if sum(len(each.filter.matches) for each in self._opened) > MAX_MATCHES:
            raise MalformedStream(f"more than {MAX_MATCHES} stretches of the upstream's stream were changed")

    def conclude(self) -> None:
        """Note the findings of all filters; to be called once, when the stream has ended."""
        for each in self._opened:
            self._count(each)
        inspection = self._inspection
        for (plan, rule, field, choice, is_shadow), count in self._counts.items():
            inspection.note_count(plan, rule, count, field, choice, shadow=is_shadow)

    def _sweep(self) -> None:
        """Let go of the filters of texts that have ended: a stream may have any number of them."""
        left = []
        for each in self._opened:
            if getattr(each.filter, "is_finished", False) and each.filter.stopped_by is None:
                self._count(each)
            else:
                left.append(each)
        if len(left) >= MAX_TEXTS or len(self._counts) >= MAX_TEXTS:
            raise MalformedStream(f"the upstream's stream has more than {MAX_TEXTS} texts")
        self._opened = left
        self._sweep_at = len(left) + SWEEP_AT

    def _count(self, each: Opened) -> None:
        counts = self._counts
        for match in each.filter.matches:
            key = (each.plan, match.rule, each.field, each.choice, each.is_shadow)
            counts[key] = counts.get(key, 0) + 1
        if not each.is_shadow:
            scanned = self._inspection.scanned
            scanned[each.field] = scanned.get(each.field, 0) + each.filter.fed_chars

    @property
    def stopping(self) -> Action:
        """What the match that stopped a filter asks for; ALLOW where none did."""
        for each in self._opened:
            match = each.filter.stopped_by
            if match is not None:
                return each.plan.actions[match.rule].action
        return Action.ALLOW


class Restored:
    """Guards, or none, and behind them what puts values back; matches and stops are the guards'."""

    __slots__ = ("_first", "_guarded", "_keeps_guarded", "_second")

    def __init__(self, first: SpanFilter | None, second: SpanFilter, *, keeps_guarded: bool) -> None:
        self._first = first
        self._second = second
        self._keeps_guarded = keeps_guarded
        self._guarded: list[str] = []

    @property
    def matches(self) -> list[Match]:
        """The guards' matches."""
        return [] if self._first is None else self._first.matches

    @property
    def stopped_by(self) -> Match | None:
        """The guards'."""
        return None if self._first is None else self._first.stopped_by

    @property
    def fed_chars(self) -> int:
        """Characters taken in."""
        return self._second.fed_chars if self._first is None else self._first.fed_chars

    @property
    def held_chars(self) -> int:
        """Held by both."""
        return self._second.held_chars + (0 if self._first is None else self._first.held_chars)

    def feed(self, text: str) -> str:
        """Through both."""
        out = text if self._first is None else self._first.feed(text)
        return self._restore(out) if out else ""

    def finish(self) -> str:
        """The rest of both."""
        out = "" if self._first is None else self._first.finish()
        return self._restore(out) + self._second.finish()

    def take_guarded(self) -> str:
        """What the guards have let out since the last call, before values were put back into it."""
        guarded = "".join(self._guarded)
        self._guarded.clear()
        return guarded

    def _restore(self, text: str) -> str:
        if self._keeps_guarded:
            self._guarded.append(text)
        return self._second.feed(text)


class Watched:
    """A filter, or none, and another that only watches what goes in."""

    __slots__ = ("_inner", "_watching")

    def __init__(self, inner: SpanFilter | None, watching: SpanFilter) -> None:
        self._inner = inner
        self._watching = watching

    @property
    def matches(self) -> list[Match]:
        """The inner filter's matches."""
        return [] if self._inner is None else self._inner.matches

    @property
    def stopped_by(self) -> Match | None:
        """The inner filter's."""
        return None if self._inner is None else self._inner.stopped_by

    @property
    def fed_chars(self) -> int:
        """Characters taken in."""
        return self._watching.fed_chars

    @property
    def held_chars(self) -> int:
        """Held by the inner filter."""
        return 0 if self._inner is None else self._inner.held_chars

    def feed(self, text: str) -> str:
        """To both; the inner one's answer counts."""
        self._watching.feed(text)
        return text if self._inner is None else self._inner.feed(text)

    def finish(self) -> str:
        """Both end."""
        self._watching.finish()
        return "" if self._inner is None else self._inner.finish()


class FixedText:
    """Takes a stream of text and gives out another text at its end: the second pass of guards that change texts."""

    __slots__ = ("_text", "fed_chars", "held_chars", "matches", "stopped_by")

    def __init__(self, text: str) -> None:
        self._text = text
        self.fed_chars = 0
        self.held_chars = 0
        self.matches: list[Match] = []
        self.stopped_by: Match | None = None

    def feed(self, text: str) -> str:
        """Nothing goes out before the end."""
        self.fed_chars += len(text)
        return ""

    def finish(self) -> str:
        """The text."""
        return self._text
