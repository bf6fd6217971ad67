"""Which answer is asked for next, and when a stream has said enough: pure, deterministic, without a clock.

Answers are *asked for* ahead of time by many connections, and *counted* in one canonical sequence: the open streams
take turns, each giving the next answer of its committed order. What is counted is therefore a function of the answers
alone. Neither quick answers nor a kill and a resume can change it, and a stop is a stopping time of that sequence,
which is what the anytime bounds need (statistics.md section 1.1).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from verilabel.evidence.counting import Recount, StreamCounter
from verilabel.records.tally import Tally

Findings = Mapping[str, bool | None]
"""Detector `id@version` to its finding; a detector that is not there gave none."""
OpenMeasures = Callable[[Mapping[str, Tally]], Collection[str]]
"""The measures that can still change the label, given the counts so far."""


class Work(NamedTuple):
    """One answer to get: a stream's index and a position in its committed order."""

    stream: int
    position: int


class Schedule:
    """Hands out work and counts answers in the canonical sequence.

    With `open_measures` (an anytime plan) a stream closes as soon as none of its measures can change the label; at
    most `window` answers are asked for beyond what has been counted. Without it (a fixed plan) every stream runs to
    its limit.
    """

    def __init__(self, recount: Recount, *, open_measures: OpenMeasures | None, window: int) -> None:
        self.recount = recount
        self._streams: list[StreamCounter] = recount.streams
        self._open_measures = open_measures
        self._window = window
        self._issued = [0] * len(self._streams)
        self._ready: dict[Work, Findings] = {}
        self._ask_turn = self._count_turn = 0
        self._tallies: dict[str, Tally] = recount.tallies()
        self._closed = [stream.length == 0 for stream in self._streams]
        self._close_decided()

    @property
    def done(self) -> bool:
        """True if nothing is left to count."""
        return all(self._closed)

    def is_open(self, stream: int) -> bool:
        """True if the stream's next answer can still change the label."""
        return not self._closed[stream]

    @property
    def counted(self) -> int:
        """Answers counted so far."""
        return sum(stream.consumed for stream in self._streams)

    def next_work(self) -> Work | None:
        """The next answer to ask for, or None while the window is full or nothing is left."""
        for offset in range(len(self._streams)):
            index = (self._ask_turn + offset) % len(self._streams)
            stream = self._streams[index]
            if self._closed[index] or self._issued[index] >= stream.length:
                continue
            if self._open_measures is not None and self._ahead() >= self._window:
                return None
            work = Work(index, self._issued[index])
            self._issued[index] += 1
            self._ask_turn = index + 1
            return work
        return None

    def _ahead(self) -> int:
        return sum(
            issued - stream.consumed
            for issued, stream, closed in zip(self._issued, self._streams, self._closed, strict=True)
            if not closed
        )

    def deliver(self, work: Work, findings: Findings) -> None:
        """Take one answer's findings and count all that the canonical sequence has reached."""
        if self._closed[work.stream]:
            return  # decided meanwhile: surplus, kept in the store and not counted
        self._ready[work] = findings
        while not self.done:
            index = self._next_open(self._count_turn)
            stream = self._streams[index]
            ready = self._ready.pop(Work(index, stream.consumed), None)
            if ready is None:
                return
            stream.consume(ready)
            self._count_turn = index + 1
            for measure in stream.measures:
                self._tallies[measure.measure.id] = measure.tally()
            if stream.consumed >= stream.length:
                self._closed[index] = True
            self._close_decided()

    def _next_open(self, start: int) -> int:
        size = len(self._streams)
        return next(i % size for i in range(start, start + size) if not self._closed[i % size])

    def _close_decided(self) -> None:
        if self._open_measures is None or self.done:
            return
        still_open = self._open_measures(self._tallies)
        for index, stream in enumerate(self._streams):
            if not self._closed[index] and not any(m.measure.id in still_open for m in stream.measures):
                self._closed[index] = True

    def tallies(self) -> dict[str, Tally]:
        """Measure id to its counts so far."""
        return dict(self._tallies)
