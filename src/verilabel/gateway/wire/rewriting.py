"""Rewrites a stream of events so that each text in it leaves as its filter gives it out: what all dialects share.

Rules: whole events go out, in order. An event whose texts leave as they came goes out byte for byte. Deltas of one text
that came in one read are filtered together; if that changes them, they leave as one event. What a filter still holds
at the end of its text goes out in an event of the same kind before the event that says so. Where the form of the delta
events is known (`template`), only their text is read.

A text that is known to come in parts has one filter from its first part to its end. Every other string of an event is
filtered as a whole, by itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Any

from verilabel.detectors.spans.interface import SpanFilter
from verilabel.errors import LimitExceeded
from verilabel.gateway.verdicts import Field, Usage
from verilabel.gateway.wire.event_json import read_object, write_json
from verilabel.gateway.wire.interface import MalformedStream, OpenFilter, Passage, Slot
from verilabel.gateway.wire.sse import EVENT_LIMIT, Event, EventReader, read_event, write_event
from verilabel.gateway.wire.template import DeltaTemplate, learn_template
from verilabel.gateway.wire.texts import EVENT_TEXT_LIMIT, Path, TextWalk

PART_LIMIT = 4096
"""Texts in parts (choices, fields, tool calls, blocks) that one stream may have."""
HEAVY_BYTES = 1 << 16
HEAVY_PARTS = 256
KEY_LIMIT = 1024
"""Characters of the names that lead to a text in parts."""
FILTER_LIMIT = 1 << 16
TEMPLATE_LIMIT = 16
LEARNING_LIMIT = 48
"""Forms that are learned in a row; a stream whose every event has a form of its own is not learned further."""
LEARNING_PAUSE = 8
"""Events without learning after which learning was worth it."""
LEARNED_SIZE = 1 << 14
"""Bytes of the largest event that a form is learned from."""
RELEASED_LIMIT = 1 << 24
"""Characters that are kept of a stream whose events repeat whole texts."""

STREAMED_MEMBERS = frozenset(
    {
        "content",
        "text",
        "reasoning",
        "reasoning_content",
        "thinking",
        "refusal",
        "arguments",
        "partial_json",
        "input",
        "transcript",
        "delta",
        "code",
        "command",
        "stdout",
        "stderr",
        "output",
        "summary",
        "diff",
    }
)
"""Members that carry a text in parts, wherever they stand; other strings are whole."""


_DONE = Event(None, b"[DONE]", True)


class TextPart:
    """One text that comes in parts: `key` names it in its stream, `path` leads to it inside a delta."""

    __slots__ = (
        "choice",
        "field",
        "filter",
        "is_finished",
        "key",
        "number",
        "path",
        "released",
        "take_guarded",
    )

    def __init__(
        self, key: Hashable, field: Field, choice: int, path: Path, opened: SpanFilter | None, number: int
    ) -> None:
        self.key = key
        self.field = field
        self.choice = choice
        self.path = path
        self.filter = opened
        self.number = number
        self.is_finished = False
        self.released: list[str] = []
        self.take_guarded: Callable[[], str] | None = getattr(opened, "take_guarded", None)


class EventRewriter(ABC):
    """Implements `interface.StreamRewriter`, but for what a dialect's events mean."""

    keeps_released = False
    """True for a dialect whose events repeat whole texts at their end."""

    def __init__(
        self, open_filter: OpenFilter, *, keeps_passages: bool, event_limit: int = EVENT_LIMIT
    ) -> None:
        self.usage: Usage | None = None
        self.served_model: str | None = None
        self.fingerprint: str | None = None
        self.is_complete = False
        self.stopped = False
        self.events = 0
        self._open_filter = open_filter
        self._keeps_passages = keeps_passages
        self._reader = EventReader(limit=event_limit)
        self._parts: dict[Hashable, TextPart] = {}
        # those that have not ended, all and by group: what ends texts again and again must not look at all of them
        self._open_parts: dict[Hashable, TextPart] = {}
        self._groups: dict[Hashable, dict[Hashable, TextPart]] = {}
        self._looked_at: set[Hashable] = set()
        self._filters: list[tuple[Field, int, SpanFilter]] = []
        self._opened: dict[tuple[Field, int], int] = {}
        self._passages: list[Passage] = []
        self._templates: list[tuple[DeltaTemplate, TextPart]] = []
        self._template: DeltaTemplate | None = None
        self._part: TextPart | None = None
        self._run: list[str] = []
        self._run_events: list[bytes] = []
        self._learning_left = LEARNING_LIMIT
        self._learned_at = 0
        self._is_closed = False
        self._released_chars = 0

    # what a dialect says

    @abstractmethod
    def _rewrite_body(self, event: Event, raw: bytes, body: dict[str, Any], out: list[bytes]) -> bool:
        """Filter the texts of an event in place; True if it changed. What must go out before it is put to `out`."""

    @abstractmethod
    def _note(self, body: dict[str, Any]) -> None:
        """Take down what an event says of the stream: model, fingerprint, usage."""

    @abstractmethod
    def _group_of(self, key: Hashable) -> Hashable:
        """The group of texts that end together: a choice, a block, an item."""

    @abstractmethod
    def _delta_event(self, part: TextPart, text: str) -> bytes:
        """An event that carries the next part of a text, and nothing else."""

    # the stream

    @property
    def is_heavy(self) -> bool:
        """True where the next call may take more than some milliseconds: a large event, or many texts, may end."""
        return self._reader.held_bytes > HEAVY_BYTES or len(self._open_parts) > HEAVY_PARTS

    def feed(self, data: bytes) -> bytes:
        """Take what one socket read brought; give out what may be sent. Raises MalformedStream."""
        if self.stopped or self._is_closed:
            return b""
        events = self._reader.feed(data)
        if len(events) == 1 and self._template is not None:
            text = self._template.read(events[0])
            if text is not None:
                self.events += 1
                return self._release_event(text, events[0])
        out: list[bytes] = []
        self._rewrite_events(events, out)
        return b"".join(out)

    def finish(self) -> bytes:
        """The upstream has ended: give out what is held. Raises MalformedStream for a torn last event."""
        if self.stopped or self._is_closed:
            return b""
        out: list[bytes] = []
        rest = self._reader.finish()
        if rest.strip(b"\r\n"):
            # servers exist that leave out the empty line after the last event; half an event is no JSON
            self._rewrite_events([rest.rstrip(b"\r\n") + b"\n\n"], out)
        if not (self.stopped or self._is_closed):
            self._finish_parts(out)
        self._is_closed = True
        return b"".join(out)

    def take_passages(self) -> list[Passage]:
        """Released texts since the last call."""
        taken = self._passages
        if taken:
            self._passages = []
        return taken

    def filters(self) -> list[tuple[Field, int, SpanFilter]]:
        """The filters that were opened, with field and choice; of those of whole strings, the ones with matches."""
        return self._filters

    def _rewrite_events(self, events: list[bytes], out: list[bytes]) -> None:
        self.events += len(events)
        template = self._template
        run = self._run
        for raw in events:
            text = None if template is None else template.read(raw)
            if text is not None:
                run.append(text)
                self._run_events.append(raw)
                continue
            if run:
                self._end_run(out)
            if self.stopped or self._is_closed:
                return
            template = self._turn_to_template(raw)
            if template is None:
                self._rewrite(raw, out)
                template = self._template
                if self.stopped or self._is_closed:
                    return
        if run:
            self._end_run(out)

    def _turn_to_template(self, raw: bytes) -> DeltaTemplate | None:
        """Start a run with an event of another known form, if it has one."""
        for template, part in self._templates:
            if template is self._template:
                continue
            text = template.read(raw)
            if text is not None:
                self._template = template
                self._part = part
                self._run.append(text)
                self._run_events.append(raw)
                return template
        return None

    def _end_run(self, out: list[bytes]) -> None:
        run = self._run
        events = self._run_events
        text = run[0] if len(run) == 1 else "".join(run)
        out.append(self._release_event(text, events[0] if len(events) == 1 else b"".join(events)))
        run.clear()
        events.clear()

    def _release_event(self, text: str, raw: bytes) -> bytes:
        """What goes out for events of the present form, which bring this text."""
        assert self._part is not None and self._template is not None
        released = self._release(self._part, text)
        if released == text:
            return raw
        return self._template.write(released, raw) if released else b""

    def _rewrite(self, raw: bytes, out: list[bytes]) -> None:
        event = _DONE if raw == b"data: [DONE]\n\n" else read_event(raw)
        if event.data is None:
            # clients do not see it; what upstreams write into comments need not go further
            out.append(b":\n\n" if raw.strip(b"\r\n") else b"")
            return
        if event.data.startswith(b"[DONE]"):
            self._finish_parts(out)
            if not self.stopped:
                out.append(raw if event.is_plain and event.data == b"[DONE]" else write_event(b"[DONE]"))
                self.is_complete = True
                self._is_closed = True
            return
        if self.is_complete:
            return
        body = read_object(event.data)
        self._note(body)
        try:
            is_changed = self._rewrite_error(event, body, out)
            if is_changed is None:
                is_changed = self._rewrite_body(event, raw, body, out)
        except LimitExceeded as error:
            raise MalformedStream(f"an event of the upstream's stream has {error.message}") from None
        if self.stopped:
            return
        if is_changed or not event.is_plain:
            out.append(write_event(write_json(body), event.name))
        else:
            out.append(raw)

    def _rewrite_error(self, event: Event, body: dict[str, Any], out: list[bytes]) -> bool | None:
        if not body.get("error") and event.name != "error" and body.get("type") != "error":
            return None
        self._finish_parts(out)
        self._templates.clear()
        self._template = None
        walk = TextWalk(limit=EVENT_TEXT_LIMIT)
        walk.see_anything(body, "content", ())
        is_changed = self._filter_whole(walk.slots)
        self.is_complete = True
        return is_changed

    # texts

    def _find_part(
        self, key: Hashable, field: Field, choice: int, path: Path, *, is_plain: bool = False
    ) -> TextPart:
        part = self._parts.get(key)
        if part is None:
            if len(self._parts) >= PART_LIMIT:
                raise MalformedStream(f"the upstream's stream has more than {PART_LIMIT} texts")
            if len(repr(key)) > KEY_LIMIT:
                raise MalformedStream("the upstream's stream has a text under names that are too long")
            opened, number = self._open(field, choice, is_plain)
            part = self._parts[key] = TextPart(key, field, choice, path, opened, number)
            group = self._group_of(key)
            self._open_parts[key] = part
            self._groups.setdefault(group, {})[key] = part
            if opened is not None:
                self._looked_at.add(group)
            if opened is not None:
                self._keep_filter(field, choice, opened)
        return part

    def _keep_filter(self, field: Field, choice: int, opened: SpanFilter) -> None:
        if len(self._filters) >= FILTER_LIMIT:
            raise MalformedStream(f"more than {FILTER_LIMIT} texts of the upstream's stream were changed")
        self._filters.append((field, choice, opened))

    def _open(self, field: Field, choice: int, is_plain: bool) -> tuple[SpanFilter | None, int]:
        number = self._opened.get((field, choice), 0)
        self._opened[(field, choice)] = number + 1
        if is_plain:
            return self._open_filter(field, choice, is_plain=True), number
        return self._open_filter(field, choice), number

    def _release(self, part: TextPart, text: str) -> str:
        """Filter the next part of a text."""
        if part.is_finished and (part.filter is not None or self._keeps_passages):
            # what was given out at its end could be the half of a match
            raise MalformedStream("the upstream's stream goes on with a text that it had ended")
        if part.filter is not None:
            text = part.filter.feed(text)
            if part.filter.stopped_by is not None:
                self.stopped = True
        if text:
            self._note_release(part, text, is_last=False)
        return text

    def _finish(self, part: TextPart) -> str:
        """The rest of a text that has ended."""
        part.is_finished = True
        self._close_part(part)
        text = ""
        if part.filter is not None:
            text = part.filter.finish()
            if part.filter.stopped_by is not None:
                self.stopped = True
        self._note_release(part, text, is_last=True)
        return text

    def _note_release(self, part: TextPart, text: str, *, is_last: bool) -> None:
        if self._keeps_passages:
            guarded = text if part.take_guarded is None else part.take_guarded()
            self._passages.append(Passage(part.field, part.choice, guarded, is_last, part.number))
        if self.keeps_released and (part.filter is not None or self._keeps_passages):
            self._released_chars += len(text)
            if self._released_chars > RELEASED_LIMIT:
                raise MalformedStream(f"the upstream's stream has more than {RELEASED_LIMIT} characters")
            part.released.append(text)

    def _finish_parts(self, out: list[bytes], parts: list[TextPart] | None = None) -> None:
        """End texts (all, where none are named), with an event each for what is still held."""
        for part in list(self._open_parts.values()) if parts is None else parts:
            if part.is_finished or self.stopped:
                continue
            text = self._finish(part)
            if text:
                out.append(self._delta_event(part, text))

    def _close_part(self, part: TextPart) -> None:
        if self._open_parts.pop(part.key, None) is not None:
            group = self._group_of(part.key)
            members = self._groups[group]
            del members[part.key]
            if not members:
                del self._groups[group]

    def _filter_part(self, slot: Slot, part: TextPart, out: list[bytes], *, ends: bool = False) -> bool:
        """Filter a part that stands in an event, in place; with what its filter holds, if the text ends here.

        Where the filter stops, what stands before the match goes out alone.
        """
        text = slot.text
        released = self._release(part, text)
        if ends and not self.stopped:
            released += self._finish(part)
        if self.stopped:
            if released:
                out.append(self._delta_event(part, released))
            return True
        if released == text:
            return False
        slot.container[slot.key] = released
        return True

    def _filter_whole(self, slots: list[Slot]) -> bool:
        """Filter whole texts, each by itself, in place."""
        is_changed = False
        for slot in slots:
            if self.stopped:
                return True
            text = guarded = slot.text
            opened, number = self._open(slot.field, slot.choice, slot.is_plain)
            if opened is not None:
                released = opened.feed(text)
                if opened.stopped_by is None:
                    released += opened.finish()
                if opened.stopped_by is not None:
                    self.stopped = True
                if opened.matches:
                    self._keep_filter(slot.field, slot.choice, opened)
                take_guarded: Callable[[], str] | None = getattr(opened, "take_guarded", None)
                guarded = released if take_guarded is None else take_guarded()
                if released != text:
                    slot.container[slot.key] = released
                    is_changed = True
            if self._keeps_passages:
                self._passages.append(Passage(slot.field, slot.choice, guarded, True, number))
        return is_changed

    # forms

    def _learn(self, raw: bytes, body: dict[str, Any], slot: Slot, part: TextPart) -> None:
        """Learn the form of an event with one text, before that is filtered."""
        if self.events - self._learned_at > LEARNING_PAUSE:
            self._learning_left = LEARNING_LIMIT
        if self._learning_left <= 0 or len(raw) > LEARNED_SIZE:
            return
        self._learning_left -= 1
        self._learned_at = self.events
        template = learn_template(raw, body, slot.container, slot.key)
        if template is not None:
            if len(self._templates) >= TEMPLATE_LIMIT:
                del self._templates[0]
            self._templates.append((template, part))
            self._template = template
            self._part = part
