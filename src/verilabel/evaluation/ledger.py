"""What a store already knows: the resume mechanism. An answer that is kept is never asked for again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from verilabel.evidence.lines import Line
from verilabel.records.attempt import Attempt, Failure, Observation, Usage
from verilabel.records.score import Scored

Key = tuple[str, str, int]
"""Suite, sample and epoch."""


@dataclass(slots=True)
class Known:
    """What is kept of one answer."""

    attempts: int = 0
    judge_attempts: dict[str, int] = field(default_factory=dict)
    output: str | None = None
    failure: Failure | None = None
    findings: dict[str, bool | None] = field(default_factory=dict)

    @property
    def missing_for_good(self) -> bool:
        """True if the provider gave a final no for this sample: it is not asked again."""
        return self.output is None and self.failure is not None and self.failure.is_final

    def is_settled(self, max_attempts: int) -> bool:
        """True if it is answered, or missing because its attempts are spent or would be in vain.

        A run that was stopped between two attempts, or by a refused key, has not settled the sample it was at.
        """
        if self.output is not None or self.failure is None:
            return self.output is not None
        if self.failure.fatal:
            return False
        return not self.failure.retryable or self.attempts >= max_attempts


@dataclass
class Ledger:
    """All answers a store keeps, and what they cost."""

    known: dict[Key, Known] = field(default_factory=dict)
    requests: int = 0
    usages: list[Usage] = field(default_factory=list)

    def note(self, record: Line) -> None:
        """Add one record of the journal."""
        if isinstance(record, Observation):
            return
        entry = self.known.setdefault((record.suite, record.sample, record.epoch), Known())
        if not isinstance(record, Attempt):
            entry.findings[record.detector] = record.value if isinstance(record, Scored) else None
            return
        self.requests += 1
        if record.usage is not None:
            self.usages.append(record.usage)
        if record.judge is not None:
            entry.judge_attempts[record.judge] = record.attempt
            return
        entry.attempts = record.attempt
        entry.output, entry.failure = record.output, record.failure


def read_ledger(records: Iterable[Line]) -> Ledger:
    """The ledger of a journal."""
    ledger = Ledger()
    for record in records:
        ledger.note(record)
    return ledger
