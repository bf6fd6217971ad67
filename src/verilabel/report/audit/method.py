"""The sections on how it was done: samples and judges, limits of every check, proofs and how to verify them."""

from __future__ import annotations

from verilabel.audit.exporting.found import SampledFound, say_confidence
from verilabel.audit.sampling.result import Measured
from verilabel.records.score import ErrorCounts
from verilabel.report.audit.drawing import draw_bound
from verilabel.report.audit.view import AuditReport
from verilabel.report.audit.wording import (
    LIMITS_LEAD,
    PROOF_LEAD,
    SAMPLE_LEAD,
    say_count,
    say_most,
)
from verilabel.report.markup import Markup, element, join, table
from verilabel.report.sections import say_lead
from verilabel.report.wording import say_number, say_percent
from verilabel.statistics.exact import clopper_pearson


def show_sample(report: AuditReport) -> Markup | None:
    """What was asked of a sample, what it cost, and what is known of who answered."""
    sample = report.manifest.sample
    if sample is None:
        return None
    lead = SAMPLE_LEAD.format(
        drawn=say_count(len(sample.documents), "document", "documents"),
        population=say_number(sample.population),
        looked_at=say_number(sample.looked_at),
        characters=say_number(sample.characters),
    )
    sure = say_confidence(report.manifest.settings.confidence)
    return join(
        (
            say_lead(lead),
            element("p", sample.limits, class_="soft"),
            *(_measured(each, report.sampled, sure) for each in sample.measured),
        )
    )


def _measured(measured: Measured, sampled: tuple[SampledFound, ...], sure: str) -> Markup:
    model = f" by {measured.model}" if measured.model else ""
    silent = len(measured.unanswered)
    cost = (
        f"{say_count(measured.asked, 'document was', 'documents were')} put to it{model}, "
        f"{say_number(measured.answered)} answered"
        + (f"; of {say_number(silent)} it said nothing, and they count as neither" if silent else "")
        + "."
    )
    found = [each for each in sampled if each.measured is measured or each.measured == measured]
    rows = [
        (
            each.kind.id,
            f"{say_number(each.kind.positives)} of {say_number(measured.asked)}",
            _draw(each),
            f"{say_number(each.statement.lower_per_million)} to {say_most(each.statement)}",
        )
        for each in found
    ]
    headings = ("Kind", "Flagged", "Found, and bounds", f"Of a million, {sure} sure")
    return element(
        "div",
        element("h3", f"{measured.reference} finds “{measured.card.event}”", class_="block"),
        element("p", cost),
        table(headings, rows, caption=f"What {measured.reference} found", numeric=frozenset((1, 3))),
        *(_errors(each) for each in found),
        element("p", "Digest ", element("span", measured.card_sha256, class_="digest"), class_="soft"),
    )


def _draw(found: SampledFound) -> Markup:
    statement = found.statement
    scale = statement.read / statement.drawn if statement.drawn else 0
    centre = round(found.kind.positives * scale)
    says = f"between {statement.lower} and {statement.upper} of {statement.read} documents"
    return draw_bound(
        centre,
        statement.upper,
        max(statement.upper, centre),
        lower=statement.lower,
        bounded=statement.upper < statement.read,
        says=says,
    )


def _errors(found: SampledFound) -> Markup:
    errors = found.kind.errors
    if not errors:
        return element(
            "p",
            f"The errors of {found.measured.reference} on {found.kind.id} were not measured: the bounds are about "
            "what it says, not about what is there.",
            class_="note",
        )
    headings = ("Measured on", "Events found", "Sensitivity, 95 %", "Others cleared", "Specificity, 95 %")
    grid = table(
        headings,
        [_error(each) for each in errors],
        caption=f"Errors of {found.measured.reference} on {found.kind.id}",
        numeric=frozenset(range(1, 5)),
    )
    note = (
        "Measured in several places, which differ: the bounds above are about what it flags, and are not corrected "
        "by these."
        if len(errors) > 1
        else "The bounds above are corrected by these."
    )
    return join(
        (element("h4", f"Errors on {found.kind.id}", class_="block"), grid, element("p", note, class_="soft"))
    )


def _error(error: ErrorCounts) -> tuple[Markup | str, ...]:
    name = join((error.dataset, element("span", error.method, class_="under")))
    return (
        name,
        f"{say_number(error.true_positives)} of {say_number(error.positives)}",
        _interval(error.true_positives, error.positives),
        f"{say_number(error.true_negatives)} of {say_number(error.negatives)}",
        _interval(error.true_negatives, error.negatives),
    )


def _interval(part: int, whole: int) -> str:
    if not whole:
        return "–"
    low, high = clopper_pearson(part, whole)
    return f"{say_percent(low)} to {say_percent(high)}"


def show_limits(report: AuditReport) -> Markup:
    """What each check looks for, what it does not find, and its digest; and what was not run at all."""
    checks = (
        element(
            "div",
            element("h3", f"{card.name} {card.version}", class_="block"),
            element("p", card.words),
            element("p", element("b", "Not found: "), card.limits),
            element("p", element("span", card.data_sha256, class_="digest"), class_="soft"),
        )
        for card in report.manifest.checks
    )
    return join((say_lead(LIMITS_LEAD), _left_out(report), *checks))


def _left_out(report: AuditReport) -> Markup | None:
    from verilabel.audit.settings import CHECKS

    out = [name for name in CHECKS if name not in report.manifest.settings.checks]
    notes = [f"Not looked for in this audit: {', '.join(out)}."] if out else []
    if "contamination" not in out and not report.manifest.contamination:
        notes.append("No benchmark was named, so none was looked for.")
    if not report.manifest.canaries:
        notes.append(
            "No values were planted, so that recall in this corpus is not known and counts have no bounds."
        )
    if report.manifest.sample is None:
        notes.append("No sample was drawn: judges and costly detectors were not asked.")
    return element("div", *(element("p", note, class_="note") for note in notes)) if notes else None


def show_proof(report: AuditReport) -> Markup:
    """Root, digests, signer, and the commands that check them."""
    manifest, standing = report.manifest, report.standing
    signer = "nobody"
    if standing.signer is not None:
        signer = f"{standing.signer.name} ({standing.signer.keyid})"
    elif standing.is_signed:
        signer = "a signature is there and was not checked"
    facts = (
        ("Root of the data set", manifest.root.sha256),
        ("Over", f"{say_count(manifest.root.shards, 'shard', 'shards')}, {manifest.root.algorithm}"),
        ("Digest of the audit", manifest.digest),
        ("Signed by", signer),
        ("Audited", f"{manifest.started} to {manifest.ended}"),
        ("Tool", f"{manifest.tool.name} {manifest.tool.version}, {manifest.engine}"),
        ("Checks", ", ".join(f"{card.name} {card.version}" for card in manifest.checks)),
        ("Names its secret", manifest.secret_id),
    )
    pairs = (
        element(
            "div",
            element("dt", term),
            element("dd", element("span", value, class_="digest") if value.startswith("sha256:") else value),
            class_="pair-row",
        )
        for term, value in facts
    )
    commands = (
        "verilabel data verify run.audit --trust trust.yaml\n"
        "verilabel data verify run.audit --spot-check 300 --corpus corpus/\n"
        'verilabel data query run.audit "SELECT count(*) FROM records WHERE pii_email > 0"'
    )
    return join(
        (
            say_lead(PROOF_LEAD),
            element("dl", *pairs, class_="pairs"),
            element("h3", "Verify it yourself", class_="block"),
            element("pre", commands),
            element("p", manifest.says, class_="sentence"),
        )
    )
