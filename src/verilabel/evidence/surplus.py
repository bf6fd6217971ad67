"""The records that a run kept and did not count: none of them may be an attempt at an answer that is counted."""

from __future__ import annotations

from collections.abc import Sequence

from verilabel.evidence.container import Container
from verilabel.evidence.counting import StreamCounter
from verilabel.evidence.layout import SURPLUS
from verilabel.evidence.lines import decode_lines
from verilabel.evidence.reading import line_blocks
from verilabel.records.attempt import Attempt


def find_hidden_attempt(container: Container, streams: Sequence[StreamCounter]) -> str | None:
    """The place of the first surplus attempt whose sample and epoch are counted; None where there is none.

    Whoever may keep one of a question's answers beside the count may choose which one is counted.
    Raises MalformedInput for a line that is no record.
    """
    if not container.sizes[SURPLUS]:
        return None
    places = {s.stream.suite: (s, {sample: i for i, sample in enumerate(s.order)}) for s in streams}
    number = 1
    for block in line_blocks(container, SURPLUS):
        for record in decode_lines(block, SURPLUS, number):
            if isinstance(record, Attempt) and record.suite in places:
                stream, position = places[record.suite]
                at = position.get(record.sample, stream.length) * stream.stream.epochs + record.epoch - 1
                if at < stream.consumed:
                    return f"{SURPLUS}:{number}"
            number += 1
    return None
