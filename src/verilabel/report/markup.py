"""HTML and SVG by construction: text is escaped unless its type says that it is markup already."""

from __future__ import annotations

import html
from collections.abc import Iterable

from verilabel.report.untrusted import show_unseen

VOID = frozenset(("br", "hr", "meta", "line", "rect", "circle", "path", "polyline", "polygon"))


class Markup(str):
    """Text that is markup. Only this module and files of the package make it, never data."""

    __slots__ = ()


Child = str | int | None
"""What an element holds: markup as it is, anything else escaped, None left out."""


def escape(value: str | int) -> Markup:
    """Text as markup: unseen characters made visible, then everything special to HTML escaped."""
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(show_unseen(str(value)), quote=True))


def join(children: Iterable[Child], separator: str = "") -> Markup:
    """Children one after the other, with a separator that is text."""
    return Markup(escape(separator).join(escape(child) for child in children if child is not None))


def element(name: str, *children: Child, **attributes: str | float | None) -> Markup:
    """An element; `class_` and `aria_label` are spelt `class` and `aria-label`, attributes of None are left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{written}>" if name in ("br", "hr", "meta") else f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def _plain(value: str | float) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value)


def table(
    headings: Iterable[str | Markup],
    rows: Iterable[Iterable[Child]],
    *,
    caption: str,
    numeric: frozenset[int] = frozenset(),
) -> Markup:
    """A table that scrolls inside its own box: caption for screen readers, first cell of a row is its heading."""
    head = element("tr", *(_heading(text, "col", i in numeric) for i, text in enumerate(headings)))
    body = []
    for cells in rows:
        first, *rest = cells
        data = (
            element("td", cell, class_="number" if i in numeric else None) for i, cell in enumerate(rest, 1)
        )
        body.append(element("tr", _heading(first or "", "row", 0 in numeric), *data))
    grid = element(
        "table",
        element("caption", caption, class_="unseen"),
        element("thead", head),
        element("tbody", *body),
    )
    return element("div", grid, class_="scroll", tabindex=0, role="region", aria_label=caption)


def _heading(text: str | int, scope: str, is_numeric: bool) -> Markup:
    return element("th", text, scope=scope, class_="number" if is_numeric else None)
