"""What somebody who watches an audit is told."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from verilabel.audit.engine.interface import Advance


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

    @property
    def text_rate(self) -> float:
        """Bytes of text a second, in this stage."""
        return self.text_bytes / max(time.monotonic() - self.stage_started, 1e-3)

    def remaining_s(self) -> float | None:
        """Seconds that this stage still takes, from what it took so far; None where nothing is done yet."""
        if not self.stored_done or not self.stored_bytes:
            return None
        spent = time.monotonic() - self.stage_started
        return spent * (self.stored_bytes - self.stored_done) / self.stored_done
