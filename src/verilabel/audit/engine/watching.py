"""What somebody who watches an audit is told."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from verilabel.audit.engine.interface import Advance, Mapped


@dataclass
class Watch:
    """How far an audit has come. Written by the driver, read by whoever draws it."""

    stage: str = "planning"
    detail: str = ""
    shards: int = 0
    shards_done: int = 0
    stored_bytes: int = 0
    """Of the corpus as it is stored."""
    stored_done: int = 0
    text_bytes: int = 0
    documents: int = 0
    findings: int = 0
    unread: int = 0
    text_reused: int = 0
    """Of the text: what an earlier run had read, which says nothing of how fast this one is."""
    stored_reused: int = 0
    started: float = field(default_factory=time.monotonic)
    stage_started: float = field(default_factory=time.monotonic)

    def enter(self, stage: str, detail: str = "", shards: int = 0) -> None:
        """Begin a stage."""
        self.stage, self.detail, self.shards, self.shards_done = stage, detail, shards, 0
        self.stage_started = time.monotonic()

    def advance(self, advance: Advance) -> None:
        """Count what a worker did."""
        self.text_bytes += advance.text_bytes
        self.documents += advance.documents
        self.findings += advance.findings

    def count_shard(self, stored: int, mapped: Mapped) -> None:
        """Count a shard that is done; one that was kept before counts with all it has, at once."""
        self.shards_done += 1
        self.stored_done += stored
        self.unread += mapped.unread
        if mapped.is_reused:
            self.stored_reused += stored
            self.text_reused += mapped.text_bytes
            self.advance(Advance(mapped.text_bytes, mapped.read, mapped.findings))

    @property
    def text_rate(self) -> float:
        """Bytes of text a second that were read in this stage."""
        return (self.text_bytes - self.text_reused) / max(time.monotonic() - self.stage_started, 1e-3)

    def remaining_s(self) -> float | None:
        """Seconds that this stage still takes, from what it took so far; None where nothing was read yet."""
        read = self.stored_done - self.stored_reused
        if read <= 0:
            return None
        spent = time.monotonic() - self.stage_started
        return spent * max(self.stored_bytes - self.stored_done, 0) / read
