"""A draft of the EU's public summary as one HTML file, in the look of the other pages."""

from __future__ import annotations

from collections.abc import Sequence

from verilabel.audit.exporting.eu_summary import DRAFT, OPEN, TITLE, Block, Grid, Heading, Question, Text
from verilabel.report.audit.page import audit_frame
from verilabel.report.markup import Markup, element, join, table


def render_summary_page(blocks: Sequence[Block], footer: str) -> str:
    """The page's HTML; what is open is marked, and every page that is printed says that it is a draft."""
    sections: list[list[Markup]] = [[]]
    for block in blocks:
        if isinstance(block, Heading) and block.level == 2:
            sections.append([])
        sections[-1].append(_draw(block))
    head = element("section", *sections[0], class_="card", aria_labelledby="audit")
    rest = (element("section", *parts) for parts in sections[1:])
    return audit_frame(
        title=f"Draft: {TITLE}",
        kind="draft, to be completed by the provider",
        genuine=True,
        skip="To the draft",
        footer=footer,
    ).fill(join((head, *rest), "\n"))


def _draw(block: Block) -> Markup:
    if isinstance(block, Heading):
        return element(
            f"h{block.level}", block.text, id="audit" if block.level == 1 else None,
            class_="block" if block.level > 2 else None,
        )  # fmt: skip
    if isinstance(block, Question):
        answer = element("strong", OPEN, class_="open-answer") if block.answer is None else block.answer
        found = [
            element("li", element("span", "From the audit: ", class_="soft"), text) for text in block.found
        ]
        return element(
            "div",
            element(
                "p",
                element("b", block.asked if block.asked.endswith("?") else f"{block.asked}:"),
                " ",
                answer,
            ),
            element("ul", *found, class_="from-audit") if found else None,
            class_="question",
        )
    if isinstance(block, Grid):
        numeric = frozenset(range(1, len(block.headings))) if len(block.headings) > 2 else frozenset[int]()
        return table(block.headings, block.rows, caption=block.headings[0], numeric=numeric)
    return _paragraph(block)


def _paragraph(block: Text) -> Markup:
    if block.text == DRAFT:
        return element("div", element("p", element("strong", block.text)), class_="alert", role="note")
    return element("p", block.text)
