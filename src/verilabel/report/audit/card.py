"""The head of an audit's page: what was read, how it stands, what was found at a glance, and what a root proves."""

from __future__ import annotations

from verilabel.report.audit.drawing import draw_coverage
from verilabel.report.audit.view import AuditReport
from verilabel.report.audit.wording import (
    FAMILY_SAYS,
    say_bytes,
    say_count,
    say_part,
    say_read_share,
)
from verilabel.report.markup import Markup, element
from verilabel.report.wording import say_number


def draw_audit_card(report: AuditReport) -> Markup:
    """The card."""
    manifest = report.manifest
    inputs = ", ".join(manifest.inputs[:6]) + (", …" if len(manifest.inputs) > 6 else "")
    return element(
        "section",
        element("h1", report.name, id="audit"),
        element(
            "p",
            f"Training data: {inputs or 'no inputs'}; audited {manifest.started[:10]} by {manifest.tool.name} "
            f"{manifest.tool.version}",
            class_="subject",
        ),
        _alert(report),
        element("ul", *_badges(report), class_="badges", aria_label="How it stands"),
        _coverage(report),
        element("dl", *_figures(report), class_="facts figures"),
        element("p", manifest.says, class_="sentence"),
        class_="card",
        aria_labelledby="audit",
    )


def _alert(report: AuditReport) -> Markup | None:
    failure = report.standing.failure
    if failure is None:
        return None
    step = getattr(failure, "step", None)
    where = f" ({failure.where})" if failure.where else ""
    return element(
        "div",
        element(
            "p",
            element("strong", "This audit does not hold together. "),
            f"Step {step}: {failure.message}{where}." if step else f"{failure.message}{where}.",
        ),
        element("p", "What follows is what it claims, not what was found."),
        class_="alert",
        role="alert",
    )


def _badges(report: AuditReport) -> list[Markup]:
    standing, coverage = report.standing, report.manifest.coverage
    badges = [
        _badge(
            "✓",
            "Holds together",
            "counts, roots and bounds were derived again from its own files",
            "level-badge",
        )
        if standing.holds
        else _badge("✕", "Does not hold", "see above", "tone-against"),
        _signed(report),
    ]
    if coverage.unread or coverage.unknown:
        more = f", and more at {say_count(coverage.unknown, 'place', 'places')}" if coverage.unknown else ""
        says = f"{say_count(coverage.unread, 'document', 'documents')} could not be read{more}"
        badges.append(_badge("!", "Not all was read", says, "tone-open"))
    if report.manifest.duplicates is not None and report.manifest.duplicates.alarms:
        alarms = report.manifest.duplicates.alarms
        says = f"{say_count(alarms, 'cluster', 'clusters')} of duplicates beyond the size that is set as alarming"
        badges.append(_badge("!", "Large clusters", says, "tone-open"))
    return badges


def _signed(report: AuditReport) -> Markup:
    standing = report.standing
    if not standing.is_signed:
        return _badge("–", "Not signed", "nobody stands for it", "tone-note")
    if standing.signer is None:
        return _badge("–", "Signature not checked", "the audit does not hold", "tone-note")
    said = {
        None: "no trust policy was asked whose key this is",
        True: "whom the trust policy names for audits",
        False: "whom the trust policy does not name for audits",
    }[standing.is_trusted]
    tone = "tone-open" if standing.is_trusted is False else "level-badge"
    return _badge("✓", f"Signed by {standing.signer.name or standing.signer.keyid}", said, tone)


def _badge(sign: str, word: str, says: str, tone: str) -> Markup:
    return element(
        "li",
        element("b", element("span", sign, aria_hidden="true"), f" {word}"),
        element("span", says),
        class_=f"badge {tone}",
    )


def _coverage(report: AuditReport) -> Markup:
    coverage = report.manifest.coverage
    parts = [("read", coverage.read)]
    parts += [(reason.reason, reason.documents) for reason in report.tallies.unread]
    told = sum(reason.documents for reason in report.tallies.unread)
    if coverage.unread > told:
        parts.append(("for reasons that are not told", coverage.unread - told))
    says = f"{say_number(coverage.read)} of {say_number(coverage.rows)} documents were read"
    reasons = [
        element("li", f"{name}: {say_count(count, 'document', 'documents')}")
        for name, count in parts[1:]
        if count
    ]
    if coverage.unknown:
        reasons.append(
            element(
                "li", f"at {say_count(coverage.unknown, 'place', 'places')} nobody can know how many more"
            )
        )
    repaired = (
        f" {say_count(coverage.repaired, 'document was', 'documents were')} repaired: bytes that are no UTF-8 became "
        "U+FFFD."
        if coverage.repaired
        else ""
    )
    return element(
        "div",
        element(
            "p",
            element("b", say_read_share(coverage), class_="share"),
            f" read: {says}; {say_bytes(coverage.text_bytes)} of text in "
            f"{say_count(coverage.shards, 'shard', 'shards')}.{repaired}",
        ),
        draw_coverage(parts, coverage.unknown, says),
        element("p", "Not read, and not counted as clean:", class_="soft") if reasons else None,
        element("ul", *reasons, class_="reasons") if reasons else None,
        class_="coverage",
    )


def _figures(report: AuditReport) -> list[Markup]:
    manifest, tallies = report.manifest, report.tallies
    read = manifest.coverage.read
    figures = [
        _figure(FAMILY_SAYS[family], count, _say_family(count, read))
        for family, count in tallies.found.items()
        if family in ("pii", "secret", "toxic")
    ]
    if manifest.contamination:
        matched, items = (
            sum(getattr(each, name) for each in manifest.contamination) for name in ("matched", "items")
        )
        figures.append(_figure("Benchmark items", matched, f"found, of {say_number(items)} looked for"))
    if manifest.duplicates is not None:
        term, found = "Near duplicates", manifest.duplicates.near
        if found is None:
            term, found = "Equal texts", manifest.duplicates.exact
        says = f"documents repeat another, {say_part(found.copies, read)}"
        figures.append(_figure(term, found.copies, says))
    classes = {each.name: each.documents for each in tallies.licence_classes}
    if classes:
        none = classes.get("none", 0)
        figures.append(_figure("No licence found", none, f"documents, {say_part(none, read)}; terms unknown"))
    if tallies.languages:
        first = tallies.languages[0]
        count = len(tallies.languages)
        figures.append(
            _figure("Languages", count, f"most in {first.name}: {say_part(first.documents, read)}")
        )
    return figures


def _say_family(count: int, read: int) -> str:
    found = (
        f"documents, {say_part(count, read)}" if count else "found, which does not say that there are none"
    )
    return f"{found}; bounds by kind below"


def _figure(term: str, count: int, says: str) -> Markup:
    return element("div", element("dt", term), element("dd", say_number(count), element("span", says)))
