"""What all pages share: one HTML file that needs nothing else, no script, no font, no request, whatever is on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import TypeVar

from verilabel.report.markup import Markup, element, escape, join

Shown = TypeVar("Shown")
Section = tuple[str, str, Callable[[Shown], Markup | None]]
"""Anchor, heading, and what fills it from what the page shows."""


@dataclass(frozen=True)
class Frame:
    """What stands around the body of a page."""

    title: str
    kind: str
    """What sort of page it is, in two or three words."""
    genuine: bool
    """Whether what the page renders was verified; a page that only repeats a claim looks different."""
    anchor: str
    """Of what the page is about."""
    skip: str
    """The link to it for those who do not see the page, such as `To the label`."""
    footer: Markup
    style: str = ""
    """Rules behind those that all pages share."""

    def fill(self, body: Markup) -> str:
        """The page. Whatever comes from outside is text in it, never markup, link or style."""
        data = files("verilabel.report") / "data"
        shared = (data / "page.css").read_text(encoding="utf-8")
        return Template((data / "page.html").read_text(encoding="utf-8")).substitute(
            title=escape(self.title),
            kind=escape(self.kind),
            state="holds" if self.genuine else "claimed",
            anchor=escape(self.anchor),
            skip=escape(self.skip),
            style=shared + self.style,
            body=body,
            footer=self.footer,
        )


def draw_sections(sections: Iterable[Section[Shown]], shown: Shown) -> Markup:
    """The sections that have something to show, under links to them."""
    drawn = [(anchor, heading, fill(shown)) for anchor, heading, fill in sections]
    filled = [(anchor, heading, content) for anchor, heading, content in drawn if content]
    links = (element("li", element("a", heading, href=f"#{anchor}")) for anchor, heading, _ in filled)
    navigation = element("nav", element("ul", *links), aria_label="Sections")
    parts = (
        element("section", element("h2", heading, id=f"{anchor}-heading"), content, id=anchor,
                aria_labelledby=f"{anchor}-heading")
        for anchor, heading, content in filled
    )  # fmt: skip
    return join((navigation, *parts), "\n")
