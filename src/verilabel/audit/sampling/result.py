"""What came of a sample: counts a detector, positions of documents, and never a word of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from verilabel.audit.sampling.choosing import DOMAIN, Drawn
from verilabel.audit.sampling.passages import LIMITS
from verilabel.errors import MalformedInput
from verilabel.records.canonical import jcs
from verilabel.records.score import DetectorCard, ErrorCounts
from verilabel.records.system import Scalar


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """A document of the sample, by the place of its shard in the audit's list and its row."""

    shard: int
    row: int


class Unanswered(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A document of which a detector said nothing. It is no measurement, and counts as neither yes nor no."""

    document: int
    """Index into the sample's documents."""
    reason: str


class SampledKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many documents of the sample something is true of, as one detector says."""

    id: str
    """`sampled.EVENT`, `hazard.any`, or `hazard.` and an abbreviation of AILuminate's."""
    positives: int
    where: tuple[int, ...]
    """Indexes into the sample's documents, rising."""
    errors: tuple[ErrorCounts, ...] = ()
    """What is known of the detector's errors on this kind; empty: nothing."""


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one detector or judge made of the sample."""

    reference: str
    card: DetectorCard
    """Its `sha256` covers rules and weights, or the exact questions, settings and model."""
    card_sha256: str
    model: str
    """The judge's model; empty for a detector that decides alone."""
    params: dict[str, Scalar]
    asked: int
    answered: int
    unanswered: tuple[Unanswered, ...]
    kinds: tuple[SampledKind, ...]


class SampleResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sample of a corpus and what was found in it."""

    rule: str
    """Names how documents are ranked (`choosing`)."""
    population: int
    """Documents that could be read, of which the sample is drawn."""
    wanted: int
    documents: tuple[Place, ...]
    """Sorted; fewer than wanted only where there are no more."""
    cut: int
    """Documents of which only a passage was looked at."""
    characters: int
    looked_at: int
    """Characters of the documents, and of what was looked at of them."""
    measured: tuple[Measured, ...]
    limits: str = LIMITS


RULE = DOMAIN.decode()


def result_bytes(result: SampleResult) -> bytes:
    """The canonical bytes (RFC 8785) of a result."""
    return jcs(msgspec.to_builtins(result))


def check_result(result: SampleResult, drawn: Sequence[Drawn]) -> None:
    """See that a result is of the sample that was drawn, and that its counts agree.

    Raises MalformedInput where it is another sample, or a count is not the number of what it counts.
    """
    if result.rule != RULE:
        raise MalformedInput(f"no sample by the rule {RULE!r}", where="$.rule")
    if [(place.shard, place.row) for place in result.documents] != [tuple(each) for each in drawn]:
        raise MalformedInput("these are not the documents that the ranks choose", where="$.documents")
    if len(result.documents) != min(result.wanted, result.population):
        raise MalformedInput("the sample is not as large as it must be", where="$.documents")
    for index, measured in enumerate(result.measured):
        _check_measured(measured, len(result.documents), f"$.measured[{index}]")


def _check_measured(measured: Measured, documents: int, where: str) -> None:
    silent = [each.document for each in measured.unanswered]
    if measured.card.digest != measured.card_sha256:
        raise MalformedInput("this is not the digest of the card", where=f"{where}.card_sha256")
    if measured.asked != documents or measured.answered != documents - len(silent):
        raise MalformedInput("asked and answered do not agree with the documents", where=where)
    if silent != sorted(set(silent)) or not all(0 <= index < documents for index in silent):
        raise MalformedInput("documents without an answer are not in order", where=f"{where}.unanswered")
    for place, kind in enumerate(measured.kinds):
        ordered = list(kind.where) == sorted(set(kind.where) - set(silent))
        if (
            not ordered
            or len(kind.where) != kind.positives
            or not all(0 <= i < documents for i in kind.where)
        ):
            raise MalformedInput("positives are not what is counted", where=f"{where}.kinds[{place}]")
