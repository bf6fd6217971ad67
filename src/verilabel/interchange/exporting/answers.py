"""One answer at a time from the evidence: its attempts, its findings, and where it lies in the Merkle tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from verilabel.errors import SealError
from verilabel.evidence.container import Container
from verilabel.evidence.layout import EVIDENCE
from verilabel.evidence.lines import EvidenceLine, encode_line
from verilabel.evidence.merkle import leaf_hash
from verilabel.evidence.reading import evidence_lines
from verilabel.records.attempt import Attempt
from verilabel.records.score import Scored, Unscored
from verilabel.records.withheld import SealedAttempt

Outcome = Literal["answered", "missing"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One planned answer: the attempts to get it, in order, and what each detector said of it."""

    suite: str
    sample: str
    epoch: int
    attempts: tuple[Attempt, ...]
    """Attempts to ask the system, at least one; judges' exchanges are left out.

    Where the bundle withholds them they are as they are counted, with empty texts.
    """
    judge_attempts: int
    findings: tuple[Scored | Unscored, ...]
    line: int
    """Line of the evidence on which the counted attempt stands, the first being 1."""
    leaf: str
    """That line's Merkle leaf as hexadecimal digits."""
    commitment: str = ""
    """What stands in the place of the counted attempt's texts, where the bundle withholds them."""

    @property
    def withheld(self) -> bool:
        """True where the bundle holds a commitment in the place of the exchange."""
        return bool(self.commitment)

    @property
    def last(self) -> Attempt:
        """The attempt that counts."""
        return self.attempts[-1]

    @property
    def outcome(self) -> Outcome:
        """Whether there is an answer, shown or withheld."""
        return "answered" if self.last.output is not None else "missing"

    @property
    def reason(self) -> str:
        """Why the answer is missing, first the failure's one word; empty where it is not missing."""
        failure = self.last.failure
        if failure is None:
            return ""
        return f"{failure.kind}: {failure.message}" if failure.message else failure.kind

    def finding(self, detector: str) -> Scored | Unscored | None:
        """What one detector (`id@version`) said; None where it was not asked."""
        return next((finding for finding in self.findings if finding.detector == detector), None)

    def value(self, detector: str) -> bool | None:
        """A detector's finding; None where it found nothing out."""
        finding = self.finding(detector)
        return finding.value if isinstance(finding, Scored) else None


def read_answers(container: Container) -> Iterator[Answer]:
    """The counted answers of a bundle in their committed order."""
    return group_answers(evidence_lines(container))


def group_answers(lines: Iterable[EvidenceLine]) -> Iterator[Answer]:
    """Evidence lines gathered answer by answer. Raises SealError for findings without an exchange before them."""
    numbered = enumerate(lines, 1)
    for (suite, sample, epoch), group in groupby(
        numbered, key=lambda pair: (pair[1].suite, pair[1].sample, pair[1].epoch)
    ):
        yield _gather(suite, sample, epoch, group)


def _gather(suite: str, sample: str, epoch: int, group: Iterable[tuple[int, EvidenceLine]]) -> Answer:
    attempts: list[tuple[int, Attempt | SealedAttempt]] = []
    findings: list[Scored | Unscored] = []
    first = judged = 0
    for number, record in group:
        first = first or number
        if isinstance(record, Scored | Unscored):
            findings.append(record)
        elif record.judge is not None:
            judged += 1
        else:
            attempts.append((number, record))
    if not attempts:
        raise SealError(f"sample {sample!r} has a score and no attempt", where=f"{EVIDENCE}:{first}")
    line, last = attempts[-1]
    return Answer(
        suite=suite,
        sample=sample,
        epoch=epoch,
        attempts=tuple(a.as_counted() if isinstance(a, SealedAttempt) else a for _, a in attempts),
        judge_attempts=judged,
        findings=tuple(findings),
        line=line,
        leaf=leaf_hash(encode_line(last)).hex(),
        commitment=last.commitment if isinstance(last, SealedAttempt) else "",
    )
