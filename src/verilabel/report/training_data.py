"""The section on what the system was trained on, as far as somebody audited it: figures are their signer's."""

from __future__ import annotations

from verilabel.report.markup import Markup, element, join, table
from verilabel.report.sections import say_lead
from verilabel.report.training import AuditView, BenchmarkView, BoundView
from verilabel.report.view import ReportView
from verilabel.report.wording import (
    AUDIT_COLUMNS,
    AUDIT_FACT_SAYS,
    COUNTS_SAYS,
    RELATION_SAYS,
    STATEMENT_SAYS,
    TRAINING_LIMITS,
    TRAINING_SAYS,
    say_benchmark,
    say_bound,
    say_looked_at,
    say_number,
    say_read,
)


def show_training_data(view: ReportView) -> Markup | None:
    """Every audit that was signed about the system, and what audits leave open; None where there is none."""
    if not view.audits:
        return None
    limits = element("ul", *(element("li", limit) for limit in TRAINING_LIMITS), class_="limits")
    return join((say_lead(TRAINING_SAYS), *(_audit(audit) for audit in view.audits), limits))


def _audit(audit: AuditView) -> Markup:
    counts = COUNTS_SAYS["yes" if audit.counts else "no"]
    said = f"✓ {counts}" if audit.counts else f"– {counts}"
    state = element("span", said, class_="state counts" if audit.counts else "state not_assessed")
    body = (_facts(audit), _benchmarks(audit), _bounds(audit), _canaries(audit))
    return element(
        "article",
        element("h3", f"{STATEMENT_SAYS['audit']}: {RELATION_SAYS[audit.relation]}"),
        element("p", join((state, f": {audit.why}")) if audit.why else state),
        *(
            body
            if audit.counts
            else (element("details", element("summary", AUDIT_FACT_SAYS["figures"]), *body),)
        ),
        class_=f"statement {'counted' if audit.counts else 'uncounted'}",
    )


def _facts(audit: AuditView) -> Markup:
    facts = (
        ("read", say_read(audit)),
        ("audited", f"{audit.started[:10]} – {audit.ended[:10]}"),
        ("signer", audit.signer),
        ("valid_until", audit.valid_until[:10]),
        ("checks", ", ".join(audit.checks)),
        ("confidence", audit.confidence),
        ("dataset_root", audit.dataset_root),
        ("manifest", audit.manifest_sha256),
    )
    pairs = (
        element("div", element("dt", AUDIT_FACT_SAYS[name]), element("dd", value), class_="pair-row")
        for name, value in facts
    )
    return element("dl", *pairs, class_="pairs")


def _benchmarks(audit: AuditView) -> Markup | None:
    if not audit.benchmarks:
        return None
    rows = [_benchmark(benchmark) for benchmark in audit.benchmarks]
    heading = AUDIT_FACT_SAYS["benchmarks"]
    grid = table(AUDIT_COLUMNS["benchmarks"], rows, caption=heading, numeric=frozenset((2, 3, 4)))
    return join((element("h4", heading), grid, _left_out(audit.benchmarks_left_out)))


def _benchmark(benchmark: BenchmarkView) -> tuple[str, ...]:
    counts = (benchmark.items, benchmark.items_matched, benchmark.documents)
    figures = (say_number(count) if benchmark.items else "–" for count in counts)
    return (benchmark.benchmark, say_benchmark(benchmark), *figures)


def _bounds(audit: AuditView) -> Markup | None:
    if not audit.bounds:
        return None
    heading = AUDIT_FACT_SAYS["bounds"]
    rows = [_bound(bound) for bound in audit.bounds]
    grid = table(AUDIT_COLUMNS["bounds"], rows, caption=heading, numeric=frozenset((1, 2)))
    return join((element("h4", heading), grid, _left_out(audit.bounds_left_out)))


def _bound(bound: BoundView) -> tuple[str, ...]:
    found = say_number(bound.found_documents)
    return (bound.kind, found, say_bound(bound.bound_per_million), say_looked_at(bound), bound.method)


def _canaries(audit: AuditView) -> Markup | None:
    if not audit.canaries:
        return None
    heading = AUDIT_FACT_SAYS["canaries"]
    rows = ((canary.kind, say_number(canary.found), say_number(canary.planted)) for canary in audit.canaries)
    grid = table(AUDIT_COLUMNS["canaries"], rows, caption=heading, numeric=frozenset((1, 2)))
    return join((element("h4", heading), grid))


def _left_out(count: int) -> Markup | None:
    return element("p", f"{say_number(count)} more are not listed.") if count else None
