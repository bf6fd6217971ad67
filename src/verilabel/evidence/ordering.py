"""From a run's journal, which is in the order of events, to the sealed files, which are in the committed order.

The counted answers go to `records/evidence.jsonl`: stream by stream, answer by answer, each as its attempts, then
for each detector the judge's attempts and the score. Everything else that was recorded goes to `surplus.jsonl`
(asked for and not counted), and clocks and headers to `observations.jsonl`. Nothing is dropped.

Only the places of the lines are kept in memory, not the lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from verilabel.evidence.counting import StreamCounter
from verilabel.evidence.journal import JOURNAL
from verilabel.evidence.layout import EVIDENCE, OBSERVATIONS, SURPLUS
from verilabel.evidence.lines import decode_line
from verilabel.evidence.merkle import Frontier, leaf_hash
from verilabel.records.attempt import Attempt, Observation

Key = tuple[str, str, int]


class _Place(NamedTuple):
    """Where a line of the journal lies, and what it is: a detector's name, or None for the system's own attempts."""

    offset: int
    size: int
    detector: str | None
    is_score: bool
    attempt: int


class Root(NamedTuple):
    """The Merkle root over the evidence lines."""

    root: bytes
    leaves: int


def write_ordered(store: Path, target: Path, streams: Sequence[StreamCounter]) -> Root:
    """Write the three records files of a bundle under `target`; return the root over the evidence lines."""
    journal = store / JOURNAL
    places, observations = _index_journal(journal)
    frontier = Frontier()
    with journal.open("rb") as source:
        with (target / EVIDENCE).open("wb") as out:
            for place in _counted(places, streams):
                line = _read(source, place.offset, place.size)
                frontier.add(leaf_hash(line))
                out.write(line + b"\n")
        with (target / SURPLUS).open("wb") as out:
            for key in sorted(places):
                for place in sorted(places[key]):
                    out.write(_read(source, place.offset, place.size) + b"\n")
        with (target / OBSERVATIONS).open("wb") as out:
            for offset, size in observations:
                out.write(_read(source, offset, size) + b"\n")
    return Root(frontier.root(), frontier.size)


def _index_journal(journal: Path) -> tuple[dict[Key, list[_Place]], list[tuple[int, int]]]:
    places: dict[Key, list[_Place]] = {}
    observations: list[tuple[int, int]] = []
    offset = 0
    with journal.open("rb") as file:
        for number, raw in enumerate(file, 1):
            record = decode_line(raw.rstrip(b"\n"), f"{journal}:{number}")
            size = len(raw) - 1
            if isinstance(record, Observation):
                observations.append((offset, size))
            else:
                key = (record.suite, record.sample, record.epoch)
                if isinstance(record, Attempt):
                    place = _Place(offset, size, record.judge, False, record.attempt)
                else:
                    place = _Place(offset, size, record.detector, True, 0)
                places.setdefault(key, []).append(place)
            offset += len(raw)
    return places, observations


def _counted(places: dict[Key, list[_Place]], streams: Sequence[StreamCounter]) -> Iterator[_Place]:
    """The lines of the counted answers in the committed order; they are taken out of `places`."""
    for stream in streams:
        for position in range(stream.consumed):
            sample, epoch = stream.at(position)
            key = (stream.stream.suite, sample, epoch)
            kept, rest = _arrange(places.pop(key, []), stream.stream.detectors)
            if rest:
                places[key] = rest
            yield from kept


def _arrange(lines: Sequence[_Place], detectors: Sequence[str]) -> tuple[list[_Place], list[_Place]]:
    attempts = sorted((p for p in lines if p.detector is None), key=lambda p: p.attempt)
    by_detector: Mapping[str, list[_Place]] = {
        name: [p for p in lines if p.detector == name] for name in detectors
    }
    kept = list(attempts)
    for name in detectors:
        kept += sorted((p for p in by_detector[name] if not p.is_score), key=lambda p: p.attempt)
        kept += [p for p in by_detector[name] if p.is_score][:1]
    chosen = set(kept)
    return kept, [p for p in lines if p not in chosen]


def _read(source: BinaryIO, offset: int, size: int) -> bytes:
    source.seek(offset)
    return source.read(size)
