"""What audits say of the data that a system was trained on, as text: those that count, in the words of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from verilabel.cli.console import print_table

if TYPE_CHECKING:
    from verilabel.report.training import AuditView


def print_training(audits: Sequence[AuditView]) -> None:
    """Print each audit that counts: how much was read, the label's suites, bounds; then what audits leave open."""
    from verilabel.report.wording import TRAINING_LIMITS

    counting = [audit for audit in audits if audit.counts]
    if not counting:
        return
    print("\ntraining data")
    for audit in counting:
        _print_audit(audit)
    for limit in TRAINING_LIMITS:
        print(f"  note: {limit}")


def _print_audit(audit: AuditView) -> None:
    from verilabel.report.untrusted import show_unseen
    from verilabel.report.wording import AUDIT_COLUMNS, RELATION_SAYS, say_benchmark, say_bound, say_looked_at
    from verilabel.report.wording import say_read as say

    def plain(text: object) -> str:
        return show_unseen(str(text), one_line=True)

    print(
        f"  {RELATION_SAYS[audit.relation]}; signed by {plain(audit.signer)}, until {audit.valid_until[:10]}"
    )
    print(f"  {plain(say(audit))}")
    print(f"  root of the data set {audit.dataset_root}; checks: {plain(', '.join(audit.checks))}")
    if audit.benchmarks:
        rows = [
            (plain(b.benchmark), say_benchmark(b), b.items or "-", b.items_matched, b.documents)
            for b in audit.benchmarks
        ]
        print_table([heading.lower() for heading in AUDIT_COLUMNS["benchmarks"]], rows)
    if audit.bounds:
        bounds = [
            (
                plain(b.kind),
                b.found_documents,
                say_bound(b.bound_per_million),
                say_looked_at(b),
                plain(b.method),
            )
            for b in audit.bounds
        ]
        print_table([heading.lower() for heading in AUDIT_COLUMNS["bounds"]], bounds)
    for canary in audit.canaries:
        print(f"  planted {plain(canary.kind)}: {canary.found} of {canary.planted} found")
