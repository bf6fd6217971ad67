"""What others signed about a label, for people: the verifier's findings with the statements' own words.

The verifier says whether a statement counts; nothing is judged again here. Every word of a statement is its signer's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from verilabel.evidence.container import Container
from verilabel.evidence.layout import STATEMENTS
from verilabel.evidence.others.attestation import (
    Dispute,
    Finding,
    MeasureComparison,
    Predicate,
    Replication,
    Withdrawal,
)
from verilabel.evidence.others.audit import DataAudit
from verilabel.evidence.others.given import read_given
from verilabel.evidence.others.signed import Signed, parse_signed
from verilabel.evidence.reading import read_document
from verilabel.evidence.verification import StatementFinding, Verification
from verilabel.report.training import AuditView, view_audits
from verilabel.report.view import ComparedMeasure, StatementView
from verilabel.report.wording import (
    AUDIT_FACT_SAYS,
    CONFIRMATION_SAYS,
    FINDING_SAYS,
    GROUND_SAYS,
    MARGIN_SAYS,
    RELATION_SAYS,
    SIGNER_SAYS,
    STATEMENT_FACT_SAYS,
    VERDICT_SAYS,
    WITHDRAWAL_SAYS,
    say_list,
)

MAX_MEASURES = 50
"""Measures of one replication that are listed."""
MAX_LISTED = 20
"""Rows or pieces of evidence of one statement that are listed by name."""
_ANYONE = "anyone (unsafe): "
"""How a trust policy that takes any key calls a holder."""
_ORDER = ("withdrawal", "dispute", "replication", "audit", "finding")
Facts = Iterator[tuple[str, str]]


def count_enclosed(container: Container) -> int:
    """How many statements of others lie in the bundle."""
    return sum(path.startswith(STATEMENTS) for path in container.sizes)


def view_statements(
    container: Container, verification: Verification, beside: Sequence[Signed] = ()
) -> tuple[StatementView, ...]:
    """The verifier's findings with the statements' words: what counts first, withdrawals before disputes.

    Empty where the verifier judged none. `beside` are statements that it was given and that the bundle does not hold.
    Raises MalformedInput or SealError where a file has changed since it was verified.
    """
    findings = verification.statements
    if not findings:
        return ()
    signed = _read_signed(container, findings, beside)
    names = _names_of(findings, verification)
    views = [_view(finding, signed[finding.digest], names, verification) for finding in findings]
    return tuple(sorted(views, key=lambda view: (not view.counts, _ORDER.index(view.kind), view.issued)))


def list_audits(
    container: Container, verification: Verification, beside: Sequence[Signed] = ()
) -> tuple[AuditView, ...]:
    """The audits of training data among the statements; as `view_statements`."""
    plan, label = verification.plan, verification.label
    if plan is None or label is None or not any(found.kind == "audit" for found in verification.statements):
        return ()
    signed = _read_signed(container, verification.statements, beside)
    audits = view_audits(verification.statements, signed, plan, label)
    names = _names_of(verification.statements, verification)
    keys = {found.digest: found.keyid for found in verification.statements}
    return tuple(msgspec.structs.replace(a, signer=names.get(keys[a.digest], a.signer)) for a in audits)


def _read_signed(
    container: Container, findings: Iterable[StatementFinding], beside: Sequence[Signed]
) -> dict[str, Signed]:
    """Statements in the bundle and beside it, by digest; audits given to the label where the verifier judged them."""
    paths = (path for path in container.sizes if path.startswith(STATEMENTS))
    enclosed = (parse_signed(read_document(container, path), where=path) for path in paths)
    signed = {item.attestation.digest: item for item in (*enclosed, *beside)}
    if all(found.digest in signed for found in findings):
        return signed
    return signed | {item.attestation.digest: item for item in read_given(container).audits}


def _names_of(findings: Iterable[StatementFinding], verification: Verification) -> dict[str, str]:
    """Key to what the trust policy calls its holder, as far as the findings tell."""
    names = {f.keyid: f.signer for f in findings if _is_named(f.signer, f.keyid)}
    if verification.keyid and verification.signer and _is_named(verification.signer, verification.keyid):
        names[verification.keyid] = verification.signer
    return names


def _is_named(signer: str, keyid: str) -> bool:
    # the verifier writes the key's own name with the first digits of its id where no policy names it
    return not (signer.endswith(f"({keyid[:19]})") or signer.startswith(_ANYONE))


def _whose(found: StatementFinding, names: dict[str, str], label_key: str | None) -> str:
    """Whose name the signer's is: a key of `SIGNER_SAYS`."""
    if found.keyid == label_key:
        return "own"
    if found.keyid in names:
        return "named"
    return "anyone" if found.signer.startswith(_ANYONE) else "unnamed"


def _view(
    found: StatementFinding, signed: Signed, names: dict[str, str], verification: Verification
) -> StatementView:
    predicate, about = signed.attestation.predicate, signed.attestation.about
    measures = predicate.comparison.measures if isinstance(predicate, Replication) else ()
    verdict, text, facts = _read_words(predicate, about, of_label=about == verification.statement_sha256)
    return StatementView(
        kind=found.kind,
        digest=found.digest,
        about=about,
        signer=names.get(found.keyid, found.signer),
        signer_says=SIGNER_SAYS[_whose(found, names, verification.keyid)],
        keyid=found.keyid,
        issued=found.issued,
        counts=found.counts,
        says=found.says,
        verdict=verdict,
        why=found.why,
        logged=found.logged,
        text=text,
        facts=tuple(facts),
        measures=tuple(_compared(measure) for measure in measures[:MAX_MEASURES]),
        measures_left_out=len(measures[MAX_MEASURES:]),
    )


def _read_words(predicate: Predicate, about: str, *, of_label: bool) -> tuple[str, str, Facts]:
    """What a statement says in a few words, its signer's text, and what else stands in it."""
    match predicate:
        case Replication(comparison=comparison):
            verdict = f"{VERDICT_SAYS[comparison.verdict]}; {CONFIRMATION_SAYS[comparison.label]}"
            return verdict, predicate.independence, _facts_of_replication(predicate)
        case Dispute():
            verdict = say_list([GROUND_SAYS[ground] for ground in predicate.grounds])
            return verdict, predicate.text, _facts_of_dispute(predicate)
        case Withdrawal():
            kind = "statement" if not of_label else "replaced" if predicate.superseded_by else "label"
            facts = _facts_of_withdrawal(predicate, None if of_label else about)
            return WITHDRAWAL_SAYS[kind], predicate.reason, facts
        case Finding():
            facts = iter(((STATEMENT_FACT_SAYS["valid_until"], predicate.valid_until),))
            says = FINDING_SAYS.format(name=predicate.name, role=predicate.role)
            return says, predicate.text, facts
        case DataAudit():
            return RELATION_SAYS[predicate.relation], predicate.text, _facts_of_audit(predicate)


def _facts_of_replication(found: Replication) -> Facts:
    comparison = found.comparison
    yield STATEMENT_FACT_SAYS["replica_label"], found.replica.label
    yield STATEMENT_FACT_SAYS["replica_statement"], found.replica.statement_sha256
    yield STATEMENT_FACT_SAYS["margin"], MARGIN_SAYS.format(margin=comparison.margin, alpha=comparison.alpha)
    if comparison.differing:
        yield STATEMENT_FACT_SAYS["differing"], _some(comparison.differing)


def _facts_of_dispute(dispute: Dispute) -> Facts:
    yield STATEMENT_FACT_SAYS["rows"], _some(dispute.rows) if dispute.rows else "all"
    if dispute.evidence:
        yield (
            STATEMENT_FACT_SAYS["evidence"],
            _some([f"{item.name} ({item.sha256})" for item in dispute.evidence]),
        )


def _facts_of_withdrawal(withdrawal: Withdrawal, about: str | None) -> Facts:
    if about is not None:
        yield STATEMENT_FACT_SAYS["about"], about
    if withdrawal.superseded_by is not None:
        yield STATEMENT_FACT_SAYS["superseded_by"], withdrawal.superseded_by


def _facts_of_audit(audit: DataAudit) -> Facts:
    yield STATEMENT_FACT_SAYS["valid_until"], audit.valid_until
    yield AUDIT_FACT_SAYS["dataset_root"], audit.audit.dataset_root


def _some(items: Sequence[str]) -> str:
    more = f" and {len(items) - MAX_LISTED} more" if len(items) > MAX_LISTED else ""
    return ", ".join(items[:MAX_LISTED]) + more


def _compared(measure: MeasureComparison) -> ComparedMeasure:
    return ComparedMeasure(
        measure.measure,
        VERDICT_SAYS[measure.verdict],
        measure.items,
        measure.events_original,
        measure.n_original,
        measure.events_replica,
        measure.n_replica,
        measure.lower,
        measure.upper,
    )
