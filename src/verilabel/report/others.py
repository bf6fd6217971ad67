"""The section on what others signed about the label: every word in it is its signer's, and none is markup."""

from __future__ import annotations

from verilabel.report.markup import Markup, element, join, table
from verilabel.report.sections import MAX_TEXT_CHARS, say_lead
from verilabel.report.untrusted import shorten
from verilabel.report.view import ComparedMeasure, ReportView, StatementView
from verilabel.report.wording import (
    COMPARED_HEADINGS,
    COUNTS_SAYS,
    LOGGED_SAYS,
    NOT_JUDGED_SAYS,
    STATEMENT_SAYS,
    STATEMENT_TEXT_SAYS,
    STATEMENTS_SAY,
    say_number,
)


def show_statements(view: ReportView) -> Markup | None:
    """Each statement with its verdict, its signer, and whether it counts; what counts comes first."""
    if view.statements_not_judged:
        return element("p", NOT_JUDGED_SAYS.format(count=view.statements_not_judged))
    if not view.statements:
        return None
    return join((say_lead(STATEMENTS_SAY), *(_statement(statement) for statement in view.statements)))


def _statement(statement: StatementView) -> Markup:
    logged = LOGGED_SAYS["yes" if statement.logged else "no"]
    return element(
        "article",
        element("h3", f"{STATEMENT_SAYS[statement.kind]}: {statement.verdict}"),
        element("p", _say_counts(statement)),
        element(
            "p",
            "Signed by ",
            element("b", statement.signer),
            f", {statement.signer_says}; {statement.issued[:10]}, {logged}.",
        ),
        _words(statement),
        _measures(statement),
        element("dl", *(_pair(*fact) for fact in statement.facts), class_="pairs")
        if statement.facts
        else None,
        element("p", f"{statement.digest} signed with {statement.keyid}", class_="digest soft"),
        class_=f"statement {'counted' if statement.counts else 'uncounted'}",
    )


def _say_counts(statement: StatementView) -> Markup:
    if statement.counts:
        return element("span", f"✓ {COUNTS_SAYS['yes']}", class_="state counts")
    said = element("span", f"– {COUNTS_SAYS['no']}", class_="state not_assessed")
    return join((said, f": {statement.why}"))


def _words(statement: StatementView) -> Markup | None:
    """The signer's own text; folded away where it does not count, because anybody can have written it."""
    if not statement.text:
        return None
    text = element("blockquote", shorten(statement.text, MAX_TEXT_CHARS), class_="text")
    if statement.counts:
        return join((element("p", f"{STATEMENT_TEXT_SAYS[statement.kind]}:", class_="soft"), text))
    return element("details", element("summary", STATEMENT_TEXT_SAYS[statement.kind]), text)


def _measures(statement: StatementView) -> Markup | None:
    if not statement.measures:
        return None
    grid = table(
        COMPARED_HEADINGS,
        (_compared(measure) for measure in statement.measures),
        caption="What the replication found of each measure",
        numeric=frozenset(range(2, 6)),
    )
    more = f"{say_number(statement.measures_left_out)} further measures are not listed."
    return join((grid, element("p", more) if statement.measures_left_out else None))


def _compared(measure: ComparedMeasure) -> tuple[str, ...]:
    bounds = f"{measure.lower} .. {measure.upper}" if measure.lower else "–"
    return (
        measure.measure,
        measure.verdict,
        say_number(measure.items),
        f"{say_number(measure.events_original)} of {say_number(measure.n_original)}",
        f"{say_number(measure.events_replica)} of {say_number(measure.n_replica)}",
        bounds,
    )


def _pair(term: str, value: str) -> Markup:
    return element("div", element("dt", term), element("dd", value), class_="pair-row")
