"""The plan: everything that is decided before the first request. Its digest is logged first."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable
from operator import itemgetter
from typing import Literal, Protocol

import msgspec

from verilabel.records.canonical import digest, jcs
from verilabel.records.score import DetectorCard
from verilabel.records.tally import Population, Tally, Unit

Design = Literal["fixed", "anytime"]


class RubricReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rubric, by the digest of its exact bytes."""

    id: str
    version: str
    sha256: str


class StreamPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One suite's samples in their committed order; every answer is scored by each of `detectors`."""

    suite: str
    """`id@version`."""
    suite_sha256: str
    index_sha256: str
    """Digest of the suite's index: ids, families, strata and tags are fixed before the first request."""
    samples: int
    """Samples in the suite."""
    limit: int
    """Samples to ask: exactly this many (fixed), at most this many (anytime)."""
    detectors: tuple[str, ...]
    """`id@version` of each detector applied to every answer."""
    epochs: int = 1
    strata: dict[str, str] = {}
    """Stratum to weight (a decimal string), where the suite has strata."""


class MeasurePlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How one measure of the rubric is counted."""

    id: str
    suite: str
    event: str
    """The event that is counted, as the detector names it."""
    detector: str
    unit: Unit
    population: Population
    where: dict[str, tuple[str, ...]] = {}
    """Tag to the values that are counted; every tag must match."""
    collapse: Literal["any", "all"] = "any"
    """How repeated epochs become one item: the event in any of them, or in all (label-semantics section 4)."""
    negate: bool = False
    """True where the rubric counts the event's absence."""
    samples: int = 0
    """Samples of the suite that match `where`: the size of the finite pool."""
    language: str = "en"
    """The suite's language: only errors that the detector was measured with in this language count."""


class PlannedReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The reference system's counts of one measure (label-semantics section 7), and the bundle they are from."""

    tally: Tally
    system_sha256: str
    manifest_sha256: str
    evidence_root: str


class ImportedFrom(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where imported answers come from. They were not observed: this plan was made after they were given."""

    tool: str
    tool_version: str
    files: dict[str, str]
    """File name to the digest of its bytes."""
    task: str = ""
    created: str = ""
    """When the tool says that it ran; nobody checked it."""


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Limits on what a run may spend; None is no limit. Money is a decimal string in US dollars."""

    requests: int | None = None
    tokens: int | None = None
    usd: str | None = None


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The whole plan. `seed` fixes the order of the samples (`ordered_ids`)."""

    system_sha256: str
    rubric: RubricReference
    design: Design
    seed: str
    streams: tuple[StreamPlan, ...]
    measures: tuple[MeasurePlan, ...]
    detectors: tuple[DetectorCard, ...]
    format: Literal["verilabel/plan/v1"] = "verilabel/plan/v1"
    order: Literal["sha256-sort/v1"] = "sha256-sort/v1"
    fixed_outcomes: bool = False
    """True where asking again must give the same answer (recorded answers, greedy decoding): a finite pool."""
    max_attempts: int = 5
    """Attempts for one answer before it counts as missing."""
    budget: Budget = Budget()
    references: tuple[PlannedReference, ...] = ()
    """Counts of the reference system, for thresholds relative to it."""
    created: str = ""
    """UTC time of planning, RFC 3339, whole seconds."""
    imported: ImportedFrom | None = None
    """Set where another tool asked the questions (imported, not observed)."""

    def document(self) -> dict[str, object]:
        """The plan as a JSON document (what is hashed, logged and stored)."""
        document: dict[str, object] = msgspec.to_builtins(self)
        return {"format": self.format, "order": self.order, **document}

    def bytes(self) -> bytes:
        """The canonical bytes of the plan."""
        return jcs(self.document())

    @property
    def digest(self) -> str:
        """The digest that is logged before the first request."""
        return digest(self.bytes())

    def reference_tallies(self) -> dict[str, Tally]:
        """Measure id to the reference system's counts."""
        return {reference.tally.measure: reference.tally for reference in self.references}

    def detector(self, name: str) -> DetectorCard:
        """The card of the detector `id@version`. Raises KeyError where the plan has none."""
        for card in self.detectors:
            if card.name == name:
                return card
        raise KeyError(name)


class HasUnit(Protocol):
    """What ordering needs of a sample."""

    @property
    def id(self) -> str: ...
    @property
    def stratum(self) -> str: ...
    @property
    def unit(self) -> str: ...


def ordered_ids(
    seed: str, suite: str, samples: Iterable[HasUnit], strata: dict[str, str] | None = None
) -> list[str]:
    """The committed order of a suite's samples (order `sha256-sort/v1`), computable in any language.

    Families are sorted by SHA-256(seed, suite, stratum, family) and stay together, samples inside one by
    SHA-256(seed, suite, family, id); fields are joined by U+001F. With strata of weight w, the next family is
    taken from the stratum that is furthest behind its share (permuted blocks, statistics.md section 1.3);
    ties go to the stratum named first in code-point order.
    """
    families: dict[tuple[str, str], list[str]] = {}
    for sample in samples:
        families.setdefault((sample.stratum if strata else "", sample.unit), []).append(sample.id)
    by_stratum: dict[str, list[tuple[bytes, list[str]]]] = {}
    for (stratum, family), ids in families.items():
        if len(ids) > 1:
            ids.sort(key=lambda i: _key(seed, suite, family, i))
        by_stratum.setdefault(stratum, []).append((_key(seed, suite, stratum, family), ids))
    for queue in by_stratum.values():
        queue.sort(key=itemgetter(0), reverse=True)
    if len(by_stratum) == 1:
        (queue,) = by_stratum.values()
        return [sample_id for _, ids in reversed(queue) for sample_id in ids]
    return _interleave(by_stratum, strata or {})


def _interleave(by_stratum: dict[str, list[tuple[bytes, list[str]]]], strata: dict[str, str]) -> list[str]:
    from fractions import Fraction

    weight = {name: Fraction(strata[name]) for name in by_stratum}
    waiting = [(1 / weight[name], name) for name in by_stratum]
    heapq.heapify(waiting)
    taken = dict.fromkeys(by_stratum, 0)
    result: list[str] = []
    while True:
        _, stratum = waiting[0]
        _, ids = by_stratum[stratum].pop()
        taken[stratum] += len(ids)
        result.extend(ids)
        if not by_stratum[stratum]:  # beyond a stratum that ran dry the mixture would be another one
            return result
        heapq.heapreplace(waiting, ((taken[stratum] + 1) / weight[stratum], stratum))


def _key(seed: str, suite: str, group: str, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\x1f{suite}\x1f{group}\x1f{name}".encode()).digest()
