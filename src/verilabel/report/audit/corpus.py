"""The sections on what the corpus is: benchmarks in it, duplicates, licences, languages, years and sites."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from verilabel.audit.contamination.rules import RULES
from verilabel.audit.contamination.summary import BINS, BenchmarkSummary
from verilabel.audit.duplicates.clusters import Summary as DuplicatesSummary
from verilabel.audit.exporting.tallies import Benchmark, ClusterSizes, Item, Named
from verilabel.audit.provenance.card_files import Card
from verilabel.report.audit.drawing import draw_bar, draw_histogram
from verilabel.report.audit.view import AuditReport
from verilabel.report.audit.wording import (
    CLASS_NONE,
    CONTAMINATION_LEAD,
    DUPLICATES_LEAD,
    LANGUAGE_NAMES,
    LANGUAGES_LEAD,
    LICENCES_LEAD,
    ORIGIN_LEAD,
    RULE_SAYS,
    say_bytes,
    say_count,
    say_part,
)
from verilabel.report.markup import Markup, element, join, table
from verilabel.report.sections import say_lead
from verilabel.report.wording import say_number

MOST_BARS = 15
MOST_CARDS = 50
ITEMS_AT_ONCE = 12


def show_contamination(report: AuditReport) -> Markup | None:
    """Each benchmark: how many of its items stand in the data, by which rule, how much of them, and which."""
    summaries = report.manifest.contamination
    if not summaries:
        return None
    listed = {each.name: each for each in report.tallies.benchmarks}
    shown = (_benchmark(each, listed.get(each.name)) for each in summaries)
    return join((say_lead(CONTAMINATION_LEAD), *shown))


def _benchmark(summary: BenchmarkSummary, listed: Benchmark | None) -> Markup:
    can = summary.items - summary.unchecked
    says = (
        f"{say_number(summary.matched)} of {say_number(summary.items)} items stand in "
        f"{say_count(summary.documents, 'document', 'documents')}"
    )
    short = (
        f", {say_number(summary.documents_short)} of them with short questions alone, which may be common phrases"
        if summary.documents_short
        else ""
    )
    left = (
        f" {say_count(summary.unchecked, 'item', 'items')} cannot be found at all: too short, or too much like others."
        if summary.unchecked
        else ""
    )
    bins = [(f"{place * 10}–{place * 10 + 10}", count) for place, count in enumerate(summary.coverage[:BINS])]
    pictures = element(
        "div",
        element(
            "figure",
            element("figcaption", element("b", "Items by their strongest match")),
            _bars(
                [Named(RULE_SAYS[rule], summary.by_rule.get(rule, 0)) for rule in RULES],
                can,
                ("Match", "Items", "Of those that can be found"),
                f"{summary.name}: items by their strongest match",
            ),
        ),
        element(
            "figure",
            element("figcaption", element("b", "Items by how much of their words one document has, %")),
            draw_histogram(f"{summary.name}: how much of each item was found", bins, "items"),
        ),
        class_="pictures",
    )
    return element(
        "div",
        element("h3", summary.name, class_="block"),
        element("p", f"{says}{short}.{left}"),
        pictures if summary.matched else element("p", "No item was found.", class_="note"),
        _items(summary.name, listed) if listed is not None and listed.items else None,
        element("p", "Digest ", element("span", summary.sha256, class_="digest"), class_="soft"),
    )


def _items(benchmark: str, listed: Benchmark) -> Markup:
    def rows(items: Sequence[Item]) -> list[tuple[str, ...]]:
        return [
            (
                item.item,
                say_number(item.documents),
                RULE_SAYS.get(item.rule, item.rule),
                say_part(item.share, 1000),
            )
            for item in items
        ]

    headings = ("Item", "Documents", "Strongest match", "Of its words, at most in one document")
    numeric = frozenset((1, 3))
    first, rest = listed.items[:ITEMS_AT_ONCE], listed.items[ITEMS_AT_ONCE:]
    more = None
    if rest:
        left = f", and {say_number(listed.left_out)} that are not listed" if listed.left_out else ""
        more = element(
            "details",
            element("summary", f"{say_number(len(rest))} more items{left}"),
            table(headings, rows(rest), caption=f"More items of {benchmark}", numeric=numeric),
        )
    return join((table(headings, rows(first), caption=f"Items of {benchmark}", numeric=numeric), more))


def show_duplicates(report: AuditReport) -> Markup | None:
    """Clusters by size, the largest of them, and those beyond the size that is alarming."""
    found = report.manifest.duplicates
    if found is None:
        return None
    limit = report.manifest.settings.duplicates.alarm_documents
    rows = [
        (name, say_number(each.clusters), say_number(each.documents), say_number(each.copies),
         say_part(each.copies, found.documents), say_number(each.largest[0].documents) if each.largest else "–")
        for name, each in (("Equal texts", found.exact), ("Near duplicates, equal ones among them", found.near))
        if each is not None
    ]  # fmt: skip
    headings = ("Duplicates", "Clusters", "Documents in them", "Beyond the first", "Of all read", "Largest")
    alarms = (
        f"{say_count(found.alarms, 'cluster has', 'clusters have')} more than {say_number(limit)} documents: "
        "boilerplate as often as copies."
        if found.alarms
        else f"No cluster has more than {say_number(limit)} documents."
    )
    pictures = [
        element("figure", element("figcaption", element("b", caption)), _sizes(caption, sizes))
        for caption, sizes in (
            ("Clusters of equal texts, by size", report.tallies.exact_sizes),
            ("Clusters of near duplicates, by size", report.tallies.near_sizes),
        )
        if sizes
    ]
    return join(
        (
            say_lead(DUPLICATES_LEAD),
            table(headings, rows, caption="Duplicates", numeric=frozenset(range(1, 6))),
            element("p", alarms),
            element("div", *pictures, class_="pictures") if pictures else None,
            element("p", _say_comparing(found), class_="soft"),
            _show_memorisation(report),
        )
    )


def _say_comparing(found: DuplicatesSummary) -> str:
    if found.near is None:
        return "Near duplicates were not looked for."
    return (
        f"{say_number(found.compared)} pairs of signatures were compared, {say_number(found.rejected)} of them were "
        f"not alike enough; {say_number(found.unlinked)} comparisons in crowded groups were with the leaders alone."
    )


def _show_memorisation(report: AuditReport) -> Markup | None:
    """How many documents are of the kind that models were seen to repeat."""
    found = report.tallies.memorisation
    if found is None:
        return None
    rows = [
        (say_number(each.copies), say_number(each.exact), "–" if each.near is None else say_number(each.near))
        for each in found.repeated
    ]
    repetitive = (
        f"In {say_count(found.repetitive, 'document', 'documents')} more than half repeats itself. "
        if found.repetitive is not None
        else ""
    )
    return join(
        (
            element("h3", "What may be memorised"),
            table(
                ("In the corpus so often, or more", "Documents with equal texts", "Near duplicates"),
                rows,
                caption="Indicators of memorisation",
                numeric=frozenset(range(3)),
            ),
            element("p", repetitive + found.words, class_="soft"),
        )
    )


def _sizes(title: str, sizes: Sequence[ClusterSizes]) -> Markup:
    labels = [
        (f"{each.low}" if each.low == each.high else f"{each.low}–{each.high}", each.clusters)
        for each in sizes
    ]
    return draw_histogram(title, labels, "clusters")


def show_licences(report: AuditReport) -> Markup | None:
    """Classes and names of licences found, what sources declare, and the share of which nothing is known."""
    tallies = report.tallies
    read = report.manifest.coverage.read
    if not (tallies.licence_classes or tallies.declared or report.manifest.declared):
        return None
    parts: list[Markup | None] = [say_lead(LICENCES_LEAD)]
    if tallies.licence_classes:
        classes = [
            Named(CLASS_NONE if each.name == "none" else each.name, each.documents)
            for each in tallies.licence_classes
        ]
        parts += [
            element("h3", "By what they allow", class_="block"),
            _bars(
                classes, read, ("Class of the first licence", "Documents", "Of all read"), "Licences by class"
            ),
        ]
    if tallies.licences:
        parts += [
            element("h3", "By licence", class_="block"),
            element("p", "A document that names several counts for each.", class_="soft"),
            _bars(
                tallies.licences,
                None,
                ("Licence", "Documents", "Beside the most frequent"),
                "Licences by name",
            ),
        ]
    declared = element("p", "The sources declare no licence for any document.", class_="note")
    if tallies.declared:
        headings = ("Declared by the source", "Documents", "Of all read")
        declared = _bars(tallies.declared, read, headings, "Licences that the sources declare")
    if "provenance" in report.manifest.settings.checks:
        parts += [element("h3", "As declared", class_="block"), declared]
    return join((*parts, _cards(report)))


def _cards(report: AuditReport) -> Markup | None:
    """What cards beside the data say of licences and digests; they were written by others."""
    beside = report.manifest.declared
    if beside is None or not (beside.cards or beside.problems):
        return None
    rows = [
        (
            card.path,
            card.kind,
            "; ".join(claim.text or ", ".join(claim.ids) for claim in card.licences) or "nothing",
            _outcomes(card),
        )
        for card in beside.cards[:MOST_CARDS]
    ]
    headings = ("Card", "Kind", "Licence, in its words", "Digests that it names")
    left = len(beside.cards) - len(rows)
    problems = [f"{problem.path}: {problem.reason}" for problem in beside.problems[:MOST_CARDS]]
    return join(
        (
            element("h3", "What cards beside the data say", class_="block"),
            table(headings, rows, caption="Cards beside the data") if rows else None,
            element("p", f"{say_number(left)} more cards are not listed.", class_="soft") if left else None,
            element("ul", *(element("li", problem) for problem in problems)) if problems else None,
        )
    )


def _outcomes(card: Card) -> str:
    counts = Counter(str(claim.outcome) for claim in card.digests)
    return (
        "; ".join(f"{outcome.replace('_', ' ')} {count}" for outcome, count in sorted(counts.items()))
        or "none"
    )


def show_languages(report: AuditReport) -> Markup | None:
    """Documents by language."""
    languages = report.tallies.languages
    if not languages:
        return None
    named = [Named(_name_language(each.name), each.documents) for each in languages]
    headings = ("Language", "Documents", "Of all read")
    return join(
        (
            say_lead(LANGUAGES_LEAD),
            _bars(named, report.manifest.coverage.read, headings, "Documents by language"),
        )
    )


def _name_language(code: str) -> str:
    return f"{LANGUAGE_NAMES[code]} ({code})" if code in LANGUAGE_NAMES else code


def show_origin(report: AuditReport) -> Markup | None:
    """Years and sites, as the sources give them."""
    tallies = report.tallies
    if not (tallies.years or tallies.domains):
        return None
    read = report.manifest.coverage.read
    parts: list[Markup | None] = [say_lead(ORIGIN_LEAD)]
    if tallies.years:
        counts = [(each.name, each.documents) for each in tallies.years]
        parts += [
            element("h3", "Years", class_="block"),
            element(
                "div",
                element("figure", draw_histogram("Documents by year", counts, "documents")),
                class_="pictures wide",
            ),
            element(
                "p", f"{say_count(tallies.undated, 'document has', 'documents have')} no date.", class_="soft"
            ),
        ]
    if tallies.domains:
        domains = tallies.domains[:MOST_BARS]
        top = domains[0].bytes
        rows = [
            (each.name, say_number(each.documents), say_bytes(each.bytes),
             draw_bar(each.bytes, top, f"{each.name}: {say_bytes(each.bytes)}"))
            for each in domains
        ]  # fmt: skip
        left = len(tallies.domains) - len(domains)
        parts += [
            element("h3", "Domains, by how much text is from them", class_="block"),
            table(
                ("Domain", "Documents", "Text", "Beside the largest"),
                rows,
                caption="Domains",
                numeric=frozenset((1, 2)),
            ),
            element("p", f"{say_number(left)} smaller domains are not listed.", class_="soft")
            if left
            else None,
            element(
                "p",
                f"{say_count(tallies.without_host, 'document has', 'documents have')} no address, of "
                f"{say_number(read)}.",
                class_="soft",
            ),
        ]
    return join(parts)


def _bars(names: Sequence[Named], of: int | None, headings: tuple[str, str, str], caption: str) -> Markup:
    """Names with their counts as bars: a share of `of`, or beside the most frequent where `of` is None."""
    top = max((each.documents for each in names), default=0)
    scale = top if of is None else max(of, top)
    say_share: Callable[[Named], str] = lambda each: say_part(each.documents, scale)  # noqa: E731
    rows = [
        (
            each.name,
            say_number(each.documents),
            "" if of is None else say_share(each),
            draw_bar(each.documents, scale, f"{each.name}: {each.documents}"),
        )
        for each in names
    ]
    shown, rest = rows[:MOST_BARS], rows[MOST_BARS:]
    columns = (headings[0], headings[1], "" if of is None else "Share", headings[2])
    numeric = frozenset((1, 2))
    grid = table(columns, shown, caption=caption, numeric=numeric)
    if not rest:
        return grid
    more = table(columns, rest, caption=f"{caption}, the rest", numeric=numeric)
    return join((grid, element("details", element("summary", f"{say_number(len(rest))} more"), more)))
