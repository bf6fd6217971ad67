"""What audits say of the data that a system was trained on, for people: how much was read, bounds, the label's suites.

Whether an audit counts is the verifier's finding, and its figures are its signer's; nothing is computed again here. The
suites on which the label's rows decide stand first, also those that nobody looked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from verilabel.evidence.others.audit import BenchmarkMatches, DataAudit
from verilabel.evidence.others.audited import counted_suites, matches_of
from verilabel.evidence.others.signed import Signed
from verilabel.evidence.verification import StatementFinding
from verilabel.records.label import Label
from verilabel.records.plan import Plan, StreamPlan

MAX_ROWS = 100
"""Kinds of findings, and benchmarks, that are listed of one audit."""


class BoundView(msgspec.Struct, frozen=True):
    """How often a kind of finding occurs, at most."""

    kind: str
    found_documents: int
    looked_at: int
    """Documents that were read, or those of the sample."""
    basis: str
    bound_per_million: str
    method: str


class BenchmarkView(msgspec.Struct, frozen=True):
    """What was found of one benchmark. `samples` is set for a suite that the label counts."""

    benchmark: str
    items: int
    """0 where it was not looked for."""
    items_matched: int
    documents: int
    unchecked: int = 0
    """Items that cannot be told from chance."""
    samples: int | None = None


class CanaryView(msgspec.Struct, frozen=True):
    """Planted values of a kind, and how many of them were found."""

    kind: str
    planted: int
    found: int


class AuditView(msgspec.Struct, frozen=True, kw_only=True):
    """One audit of a data set that the system was trained on, as its signer declares."""

    digest: str
    signer: str
    counts: bool
    why: str
    relation: str
    dataset_root: str
    manifest_sha256: str
    shards: int
    documents: int
    documents_read: int
    documents_unread: int
    unknown: int
    """Places where nobody can know how many documents were not read."""
    bytes_text: int
    confidence: str
    started: str
    ended: str
    valid_until: str
    checks: tuple[str, ...]
    """Name and version of each."""
    bounds: tuple[BoundView, ...]
    bounds_left_out: int
    benchmarks: tuple[BenchmarkView, ...]
    benchmarks_left_out: int
    canaries: tuple[CanaryView, ...]


def view_audits(
    findings: Iterable[StatementFinding], signed: Mapping[str, Signed], plan: Plan, label: Label
) -> tuple[AuditView, ...]:
    """The audits among a verifier's findings, those that count first."""
    suites = counted_suites(plan, label)
    views = []
    for found in findings:
        predicate = signed[found.digest].attestation.predicate if found.digest in signed else None
        if isinstance(predicate, DataAudit):
            views.append(_view(found, predicate, suites))
    return tuple(sorted(views, key=lambda view: not view.counts))


def _view(found: StatementFinding, audit: DataAudit, suites: Iterable[StreamPlan]) -> AuditView:
    read = audit.audit
    own = [(stream, matches_of(stream, audit)) for stream in suites]
    of_suites = [_of_suite(stream, matches) for stream, matches in own]
    taken = [matches for _, matches in own if matches is not None]
    others = [_of_other(matches) for matches in audit.contamination if matches not in taken]
    bounds = [
        BoundView(
            statement.kind,
            statement.found_documents,
            statement.sample or read.documents_read,
            statement.basis,
            statement.bound_per_million,
            statement.method,
        )
        for statement in audit.statements
    ]
    benchmarks = (*of_suites, *others)
    return AuditView(
        digest=found.digest,
        signer=found.signer,
        counts=found.counts,
        why=found.why,
        relation=audit.relation,
        dataset_root=read.dataset_root,
        manifest_sha256=read.manifest_sha256,
        shards=read.shards,
        documents=read.documents,
        documents_read=read.documents_read,
        documents_unread=read.documents_unread,
        unknown=read.unknown,
        bytes_text=read.bytes_text,
        confidence=read.confidence,
        started=read.started,
        ended=read.ended,
        valid_until=audit.valid_until,
        checks=tuple(f"{check.name} {check.version}" for check in audit.checks[:MAX_ROWS]),
        bounds=tuple(bounds[:MAX_ROWS]),
        bounds_left_out=len(bounds[MAX_ROWS:]),
        benchmarks=benchmarks[:MAX_ROWS],
        benchmarks_left_out=len(benchmarks[MAX_ROWS:]),
        canaries=tuple(CanaryView(c.kind, c.planted, c.found) for c in audit.canaries[:MAX_ROWS]),
    )


def _of_suite(stream: StreamPlan, matches: BenchmarkMatches | None) -> BenchmarkView:
    if matches is None:
        return BenchmarkView(stream.suite, 0, 0, 0, samples=stream.samples)
    return msgspec.structs.replace(_of_other(matches), samples=stream.samples)


def _of_other(matches: BenchmarkMatches) -> BenchmarkView:
    counts = (matches.items, matches.items_matched, matches.documents, matches.unchecked)
    return BenchmarkView(matches.benchmark, *counts)
