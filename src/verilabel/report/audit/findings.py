"""The sections on what was found in all documents: by kind with bounds and errors, by source, examples, canaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from verilabel.audit.exporting.found import NOT_CLEAN, KindFound, say_confidence
from verilabel.audit.exporting.tallies import FAMILIES
from verilabel.audit.interface import Error
from verilabel.report.audit.drawing import draw_bound
from verilabel.report.audit.view import AuditReport
from verilabel.report.audit.wording import (
    CANARIES_LEAD,
    EXAMPLES_LEAD,
    FAMILY_LEADS,
    FAMILY_SAYS,
    FOUND_LEAD,
    SOURCES_LEAD,
    say_bytes,
    say_count,
    say_most,
    say_part,
    say_range,
)
from verilabel.report.markup import Markup, element, join, table
from verilabel.report.sections import say_lead
from verilabel.report.wording import say_number

KIND_HEADINGS = (
    "Kind", "Documents", "At most, of a million", "Found, and most", "Findings", "Planted, found", "Recall",
    "Precision",
)  # fmt: skip


def show_findings(report: AuditReport) -> Markup | None:
    """Every kind that was looked for in all documents, with its bound and its detector's errors."""
    if not report.kinds:
        return None
    sure = say_confidence(report.manifest.settings.confidence)
    lead = FOUND_LEAD.format(sure=sure, clean=NOT_CLEAN)
    families = [(name, list(kinds)) for name, kinds in groupby(report.kinds, key=lambda kind: kind.family)]
    known = {name: place for place, name in enumerate(FAMILIES)}
    families.sort(key=lambda pair: known.get(pair[0], len(known)))
    return join((say_lead(lead), _legend(), *(_family(*family) for family in families), _assumptions(report)))


def _legend() -> Markup:
    def key(says: str, picture: Markup) -> Markup:
        return element("li", picture, says)

    shown = (
        ("found, and the most that may be there", draw_bound(20, 70, 100, bounded=True, says="an example")),
        (
            "found, and no bound: recall is not known here",
            draw_bound(20, 100, 100, bounded=False, says="an example"),
        ),
    )
    return element("ul", *(key(says, picture) for says, picture in shown), class_="legend bounds-legend")


def _family(name: str, kinds: Sequence[KindFound]) -> Markup:
    top = max([max(kind.documents, kind.statement.upper if kind.bounded else 0) for kind in kinds], default=1)
    if not all(kind.bounded for kind in kinds):
        top = max(1, 2 * top)  # room for lines without an end
    heading = FAMILY_SAYS.get(name, name)
    grid = table(
        KIND_HEADINGS,
        [_kind(kind, top) for kind in kinds],
        caption=f"{heading}: found, bounds and errors",
        numeric=frozenset((1, 2, 4, 5, 6, 7)),
    )
    return element(
        "div",
        element("h3", heading, class_="block"),
        element("p", FAMILY_LEADS[name], class_="soft") if name in FAMILY_LEADS else None,
        grid,
        _measured(heading, kinds),
        class_="family",
    )


def _kind(kind: KindFound, top: int) -> tuple[Markup | str, ...]:
    says = (
        f"found in {kind.documents} documents, at most {kind.statement.upper}"
        if kind.bounded
        else f"found in {kind.documents} documents, no bound"
    )
    planted = f"{say_number(kind.recovered)} of {say_number(kind.planted)}" if kind.planted else "none"
    return (
        join((kind.kind, element("span", kind.words, class_="under"))),
        say_number(kind.documents),
        say_most(kind.statement),
        draw_bound(
            kind.documents,
            kind.statement.upper,
            top,
            lower=kind.statement.lower,
            bounded=kind.bounded,
            says=says,
        ),
        say_number(kind.findings),
        planted,
        say_range(kind.recall),
        say_range(kind.precision),
    )


def _measured(heading: str, kinds: Sequence[KindFound]) -> Markup | None:
    """Every measurement that recall and precision come from, folded away."""
    rows = [_measurement(kind.kind, error) for kind in kinds for error in kind.errors]
    if not rows:
        return element("p", "Recall and precision of these were not measured on other sets.", class_="soft")
    headings = ("Kind", "Measured on", "There", "Found", "Claimed", "Right")
    caption = f"{heading}: how the errors were measured"
    return element(
        "details",
        element("summary", f"How recall and precision were measured: {len(rows)} counts"),
        table(headings, rows, caption=caption, numeric=frozenset((2, 3, 4, 5))),
    )


def _measurement(kind: str, error: Error) -> tuple[str, ...]:
    counts = (error.planted, error.found, error.claimed, error.correct)
    return (kind, error.source, *map(say_number, counts))


def _assumptions(report: AuditReport) -> Markup | None:
    said = dict.fromkeys(line for each in report.manifest.statements for line in each.assumptions)
    if not said:
        return None
    return element(
        "div",
        element("h3", "What the bounds assume", class_="block"),
        element("ul", *(element("li", line) for line in said)),
    )


# -- by source -------------------------------------------------------------------------------------


def show_sources(report: AuditReport) -> Markup | None:
    """In how many documents of each shard and host something was found."""
    tallies = report.tallies
    families = [family for family in FAMILIES if family in tallies.found]
    if not families:
        return None
    names = [FAMILY_SAYS[family] for family in families]
    shards = [
        (join((part.name, element("span", say_bytes(part.text_bytes), class_="under"))), say_number(part.read),
         say_number(part.unread) + ("+" if part.unknown else ""), *_shares(part.found, families, part.read))
        for part in tallies.shards
    ]  # fmt: skip
    parts = [
        say_lead(SOURCES_LEAD),
        element("h3", "Shards", class_="block"),
        _source_table(("Shard", "Read", "Unread", *names), shards, "Documents with findings, by shard"),
        _left_out(tallies.shards_left_out, "shards in which less was found"),
    ]
    if tallies.hosts:
        hosts = [
            (join((site.host, element("span", site.kind, class_="under") if site.kind else None)),
             say_number(site.documents), *_shares(site.found, families, site.documents))
            for site in tallies.hosts
        ]  # fmt: skip
        parts += [
            element("h3", "Hosts", class_="block"),
            _source_table(("Host", "Documents", *names), hosts, "Documents with findings, by host"),
            _left_out(tallies.hosts_left_out, "hosts with fewer documents"),
        ]
    return join(parts)


def _source_table(headings: Sequence[str], rows: Sequence[Sequence[Markup | str]], caption: str) -> Markup:
    grid = table(headings, rows, caption=caption, numeric=frozenset(range(1, len(headings))))
    return element("div", grid, class_="sources")


def _shares(found: Mapping[str, int], families: Sequence[str], of: int) -> list[Markup]:
    return [
        join(
            (
                say_number(found.get(name, 0)),
                element("span", say_part(found.get(name, 0), of), class_="under"),
            )
        )
        for name in families
    ]


def _left_out(count: int, what: str) -> Markup | None:
    return element("p", f"{say_number(count)} {what} are not listed.", class_="soft") if count else None


# -- examples and canaries -------------------------------------------------------------------------


def show_examples(report: AuditReport) -> Markup | None:
    """Masked findings, folded away: untrusted text."""
    if not report.examples:
        return None
    kinds = [kind for kind in report.kinds if kind.kind in report.examples]
    rows = [
        (
            example.kind,
            element("code", example.masked, class_="masked"),
            say_count(example.length, "byte", "bytes"),
            f"shard {example.shard}, document {example.row}, byte {example.start}",
        )
        for kind in kinds
        for example in report.examples[kind.kind]
    ]
    kept = sum(report.examples_kept.values())
    grid = table(
        ("Kind", "Masked", "Length", "Where"), rows, caption="Masked examples", numeric=frozenset((2,))
    )
    return join(
        (
            say_lead(EXAMPLES_LEAD),
            element(
                "details",
                element(
                    "summary",
                    f"{say_number(len(rows))} of {say_count(kept, 'example', 'examples')} that the audit keeps",
                ),
                grid,
            ),
        )
    )


def show_canaries(report: AuditReport) -> Markup | None:
    """How many planted values of each kind and form were found, the worst forms first."""
    canaries = report.manifest.canaries
    if not canaries:
        return None
    ranked = sorted(
        canaries, key=lambda one: (one.found / one.planted if one.planted else 1.0, one.kind, one.format)
    )
    missed = [one for one in ranked if one.found < one.planted]
    planted, found = (sum(getattr(one, name) for one in canaries) for name in ("planted", "found"))
    rows = [
        (one.kind, one.format.replace("_", " "), say_number(one.planted), say_number(one.found),
         say_part(one.found, one.planted))
        for one in ranked
    ]  # fmt: skip
    headings = ("Kind", "Form", "Planted", "Found", "Share")
    numeric = frozenset((2, 3, 4))
    worst = table(
        headings, rows[: max(len(missed[:12]), 1)], caption="The forms that were missed most", numeric=numeric
    )
    return join(
        (
            say_lead(CANARIES_LEAD),
            element(
                "p",
                f"{say_number(found)} of {say_number(planted)} planted values were found, in {len(canaries)} forms; "
                f"of {len(missed)} forms some were missed.",
            ),
            element("h3", "The worst forms", class_="block"),
            worst,
            element(
                "details",
                element("summary", f"All {len(rows)} forms"),
                table(headings, rows, caption="All planted forms", numeric=numeric),
            ),
        )
    )
