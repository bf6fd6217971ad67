"""A window over a stream of bytes: it holds what is not read yet, grows while a line needs it, and no further."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from verilabel.audit.interface import Bytes


class Window:
    """Bytes of a stream in one array; `data[at:size]` is what is there and not read."""

    def __init__(self, blocks: Iterator[Bytes]) -> None:
        self._blocks = blocks
        self.data: Bytes = np.empty(0, np.uint8)
        self.at = 0
        self.size = 0
        self.last = False
        """Whether nothing comes behind what is there."""

    def extend(self) -> None:
        """Take one more block from the stream, or find its end."""
        block = next(self._blocks, None)
        if block is None:
            self.last = True
            return
        if self.at >= self.size:
            self.data, self.at, self.size = block, 0, len(block)
            return
        held = self.size - self.at
        needed = held + len(block)
        if needed > len(self.data) or self.at < held:
            # twice what is needed, so that a long line is copied a few times and not once a block
            grown = np.empty(needed if needed < 2 * len(block) else 2 * needed, np.uint8)
            grown[:held] = self.data[self.at : self.size]
            self.data = grown
        else:
            self.data[:held] = self.data[self.at : self.size]
        self.data[held:needed] = block
        self.at, self.size = 0, needed
