"""The records that a run kept and did not count: none of them may be an attempt at an answer that is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from verilabel.evidence.container import Container
from verilabel.evidence.counting import StreamCounter
from verilabel.evidence.layout import SURPLUS
from verilabel.evidence.lines import decode_lines
from verilabel.evidence.reading import line_blocks
from verilabel.records.attempt import Attempt
from verilabel.records.withheld import SealedAttempt


@dataclass
class Surplus:
    """What a walk over the surplus found."""

    hidden: str | None = None
    """The place of the first attempt whose sample and epoch are counted."""
    commitments: list[str] = field(default_factory=list)
    """Commitments that stand for withheld attempts, in their order."""


def walk_surplus(container: Container, streams: Sequence[StreamCounter]) -> Surplus:
    """Look through the surplus for attempts at answers that are counted, and for commitments.

    Whoever may keep one of a question's answers beside the count may choose which one is counted.
    Raises MalformedInput for a line that is no record.
    """
    found = Surplus()
    if not container.sizes[SURPLUS]:
        return found
    places = {s.stream.suite: (s, {sample: i for i, sample in enumerate(s.order)}) for s in streams}
    number = 1
    for block in line_blocks(container, SURPLUS):
        for record in decode_lines(block, SURPLUS, number):
            if isinstance(record, SealedAttempt):
                found.commitments.append(record.commitment)
            if (
                isinstance(record, Attempt | SealedAttempt)
                and found.hidden is None
                and record.suite in places
            ):
                stream, position = places[record.suite]
                at = position.get(record.sample, stream.length) * stream.stream.epochs + record.epoch - 1
                if at < stream.consumed:
                    found.hidden = f"{SURPLUS}:{number}"
            number += 1
    return found
