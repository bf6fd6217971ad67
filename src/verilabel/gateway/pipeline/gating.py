"""Passage guards on a stream: windows that are held back until they are judged, or judged while they go out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from verilabel.gateway.guards.interface import Conversation, Judgement
from verilabel.gateway.pipeline.chain import PassageEntry
from verilabel.gateway.pipeline.inspection import Inspection, Text, apply_judgements
from verilabel.gateway.verdicts import Action, Field
from verilabel.gateway.wire.interface import MalformedStream, Passage, Slot

MAX_PLACES = 1 << 16
"""Texts of a stream that wait to be judged."""
Place = tuple[Field, int, int]
"""Field, choice, and the how many-th text of them in the stream."""


@dataclass
class _Growing:
    judged: str = ""
    """The last window that was judged: guards read across the border."""
    new: list[str] = field(default_factory=list)
    new_chars: int = 0
    whole: list[str] = field(default_factory=list)
    has_ended: bool = False


class Gate:
    """Holds the events of a stream back until the passage guards have judged the texts in them.

    `is_whole`: everything waits for the end, since a guard reads or changes whole texts, or holds for approval.
    Otherwise windows of `window_chars` wait (gated) or go out and are judged as soon as they are full (optimistic).
    `stopped` is True once a guard's verdict ends the stream.
    """

    def __init__(self, inspection: Inspection, about: Conversation) -> None:
        chain = inspection.chain
        self._inspection = inspection
        self._about = about
        self.is_whole = chain.needs_whole
        self._is_gated = chain.is_gated
        self._window = chain.window_chars
        self._texts: dict[Place, _Growing] = {}
        self._waiting: list[bytes] = []
        self.waiting_bytes = 0
        self._new_chars = 0
        self.stopped = False
        self.changed: dict[Place, str] = {}

    async def take(self, data: bytes, passages: list[Passage]) -> bytes:
        """Events and the texts in them; the events that may go out now."""
        for passage in passages:
            self._add(passage)
        if self.is_whole:
            self._keep(data)
            return b""
        if self._is_gated:
            self._keep(data)
            if self._new_chars >= self._window:
                await self._judge_windows()
            return b"" if self._new_chars or self.stopped else self._release()
        if self._new_chars >= self._window:
            await self._judge_windows()
        return b"" if self.stopped else data

    async def finish(self, data: bytes, passages: list[Passage]) -> bytes:
        """The stream's last events; all that may go out. `changed` then holds texts that guards replaced."""
        for passage in passages:
            self._add(passage)
        self._keep(data)
        if self.is_whole:
            await self._judge_whole()
        elif self._new_chars:
            await self._judge_windows()
        return b"" if self.stopped else self._release()

    def texts(self) -> list[tuple[str, str]]:
        """The whole texts, where the gate keeps them, each with its field's name."""
        return [(place[0], "".join(growing.whole)) for place, growing in self._texts.items()]

    def _add(self, passage: Passage) -> None:
        place = (passage.field, passage.choice, passage.number)
        growing = self._texts.get(place)
        if growing is None:
            if len(self._texts) >= MAX_PLACES:
                raise MalformedStream(f"the upstream's stream has more than {MAX_PLACES} texts")
            growing = self._texts[place] = _Growing()
        growing.has_ended = passage.is_last
        if passage.text:
            growing.new.append(passage.text)
            growing.new_chars += len(passage.text)
            self._new_chars += len(passage.text)
            if self.is_whole:
                growing.whole.append(passage.text)

    def _keep(self, data: bytes) -> None:
        if data:
            self._waiting.append(data)
            self.waiting_bytes += len(data)

    def _release(self) -> bytes:
        data = b"".join(self._waiting)
        self._waiting.clear()
        self.waiting_bytes = 0
        return data

    async def _judge_windows(self) -> None:
        texts = []
        for (place_field, choice, _), growing in self._texts.items():
            if not growing.new_chars:
                continue
            new = "".join(growing.new)
            texts.append(Text(growing.judged + new, place_field, choice))
            growing.judged = (growing.judged + new)[-self._window :]
            growing.new.clear()
            growing.new_chars = 0
        self._new_chars = 0
        # a stream may have any number of texts, one after the other
        self._texts = {place: growing for place, growing in self._texts.items() if not growing.has_ended}
        await self._inspection.judge(texts, self._about)
        self.stopped = self._inspection.worst >= Action.HOLD

    async def _judge_whole(self) -> None:
        places = {place: "".join(growing.whole) for place, growing in self._texts.items()}
        texts = [Text(text, place[0], place[1]) for place, text in places.items()]
        found = await self._inspection.judge(texts, self._about)
        self.stopped = self._inspection.worst >= Action.BLOCK
        if not self.stopped:
            for place, text in places.items():
                new = change_text(found, Text(text, place[0], place[1]))
                if new is not None:
                    self.changed[place] = new


def change_slots(found: list[tuple[PassageEntry, Text, Judgement]], slots: Sequence[Slot]) -> bool:
    """Put what guards changed in its slots. True if a text changed."""
    by_text: dict[Text, list[tuple[PassageEntry, Text, Judgement]]] = {}
    for each in found:
        by_text.setdefault(each[1], []).append(each)
    changed = False
    for slot in slots:
        text = Text(slot.text, slot.field, slot.choice)
        if text in by_text and (new := change_text(by_text[text], text)) is not None:
            slot.container[slot.key] = new
            changed = True
    return changed


def change_text(found: list[tuple[PassageEntry, Text, Judgement]], text: Text) -> str | None:
    """The text as all redacting and replacing guards that found something in it want it; None where none did."""
    changes = [
        (each, judgement, action)
        for each, judged, judgement in found
        if judged == text and (action := each.action_for(judgement.rule)) in (Action.REDACT, Action.REPLACE)
    ]
    return apply_judgements(text.text, changes) if changes else None
