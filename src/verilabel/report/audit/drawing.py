"""Pictures of an audit as inline SVG: coverage, counts with their bounds, bars and histograms. Colours come from the
style sheet; each picture says in words what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt

from verilabel.report.markup import Markup, element

COVERAGE_WIDTH = 920
COVERAGE_HEIGHT = 26
BOUND_WIDTH = 150
BOUND_HEIGHT = 18
BAR_WIDTH = 220
BAR_HEIGHT = 14
HISTOGRAM_WIDTH = 460
HISTOGRAM_HEIGHT = 150
_LEAST = 2.0
"""Pixels of a part that is not nothing: what is there must be seen."""
_BASE, _TOP = 118.0, 22.0
_WIDEST_STEP = 64.0
_CHARACTER = 6.6
"""Width of a digit of a label."""


def _picture(
    width: int, height: int, title: str, says: str, class_: str, *shapes: Markup, stretched: bool = False
) -> Markup:
    return element(
        "svg",
        element("title", title),
        element("desc", says),
        *shapes,
        viewBox=f"0 0 {width} {height}",
        preserveAspectRatio="none" if stretched else None,
        class_=class_,
        role="img",
        aria_label=f"{title}. {says}",
    )


def draw_coverage(parts: Sequence[tuple[str, int]], unknown: int, says: str) -> Markup:
    """One bar of all documents: `parts` are (`read` or a reason, documents). Places of unknown size are drawn open."""
    room = COVERAGE_WIDTH - (34 if unknown else 0)
    total = sum(count for _, count in parts)
    shown = [(name, count) for name, count in parts if count]
    widths = _share_out([count for _, count in shown], room) if total else []
    shapes, x = [], 0.0
    for (name, _), width in zip(shown, widths, strict=True):
        class_ = "part read" if name == "read" else "part unread"
        shapes.append(element("rect", x=x, y=0, width=width, height=COVERAGE_HEIGHT, class_=class_))
        if name != "read":
            shapes += _hatch(x, width)
        x += width
    if not total:
        shapes.append(element("rect", x=0, y=0.5, width=room, height=COVERAGE_HEIGHT - 1, class_="part none"))
    if unknown:
        shapes += [
            element("rect", x=room + 3, y=0.5, width=30, height=COVERAGE_HEIGHT - 1, class_="part none"),
        ]
    return _picture(
        COVERAGE_WIDTH, COVERAGE_HEIGHT, "Coverage", says, "coverage-plot", *shapes, stretched=True
    )


def _share_out(counts: Sequence[int], room: float) -> list[float]:
    """Widths by counts, none so narrow that it cannot be seen."""
    total = sum(counts)
    widths = [max(_LEAST, room * count / total) for count in counts]
    excess = sum(widths) - room
    largest = widths.index(max(widths))
    widths[largest] -= excess
    return widths


def _hatch(x: float, width: float) -> list[Markup]:
    lines: list[Markup] = []
    step = 7.0
    at = x + step / 2
    while at < x + width and len(lines) < 150:
        lines.append(element("line", x1=at, y1=0, x2=at, y2=COVERAGE_HEIGHT, class_="hatch"))
        at += step
    return lines


def draw_bound(found: int, upper: int, top: int, *, lower: int = 0, bounded: bool, says: str) -> Markup:
    """A count as a dot, and a line from it (or from its lower bound) to the most that may be there.

    On an axis of square roots from 0 to `top`; without a bound the line goes on, open, to the end.
    """
    start, end, y = 5.0, BOUND_WIDTH - 6.0, BOUND_HEIGHT / 2

    def place(count: int) -> float:
        return start + (end - start) * sqrt(min(count, top) / top) if top else start

    shapes = [element("line", x1=start, y1=y, x2=end, y2=y, class_="grid")]
    if bounded:
        low = place(min(lower, found) if lower else found)
        shapes += [
            element("line", x1=low, y1=y, x2=place(upper), y2=y, class_="group-interval"),
            element("line", x1=place(upper), y1=y - 5, x2=place(upper), y2=y + 5, class_="bound-cap"),
        ]
    else:
        shapes.append(element("line", x1=place(found), y1=y, x2=end, y2=y, class_="unbounded"))
    shapes.append(element("circle", cx=place(found), cy=y, r=3.6, class_="group-rate"))
    return _picture(BOUND_WIDTH, BOUND_HEIGHT, "Found and bound", says, "bound-plot", *shapes)


def draw_bar(count: int, top: int, says: str, class_: str = "bar") -> Markup:
    """A bar as long as its count's share of `top`."""
    width = max(_LEAST, BAR_WIDTH * count / top) if count and top else 0.0
    shapes = [
        element("rect", x=0, y=2, width=BAR_WIDTH, height=BAR_HEIGHT - 4, class_="trough"),
        element("rect", x=0, y=2, width=width, height=BAR_HEIGHT - 4, class_=class_),
    ]
    return _picture(BAR_WIDTH, BAR_HEIGHT, "Share", says, "bar-plot", *shapes)


def draw_histogram(title: str, counts: Sequence[tuple[str, int]], unit: str) -> Markup:
    """Columns over labels, with the number on top of each where there is room."""
    top = max((count for _, count in counts), default=0)
    step = min(HISTOGRAM_WIDTH / max(len(counts), 1), _WIDEST_STEP)
    longest = max((len(label) for label, _ in counts), default=1)
    every = max(1, ceil((longest * _CHARACTER + 4) / step))
    shapes = [element("line", x1=0, y1=_BASE, x2=HISTOGRAM_WIDTH, y2=_BASE, class_="axis")]
    for place, (label, count) in enumerate(counts):
        height = max(_LEAST, (_BASE - _TOP) * count / top) if count else 0.0
        x = place * step
        if height:
            shapes.append(
                element(
                    "rect",
                    x=x + step * 0.12,
                    y=_BASE - height,
                    width=step * 0.76,
                    height=height,
                    class_="bar",
                )
            )
        if count and step >= _CHARACTER * len(_short(count)) + 3:
            shapes.append(_label(x + step / 2, _BASE - height - 5, _short(count)))
        if place % every == 0:
            shapes.append(_label(x + step / 2, _BASE + 15, label))
    says = "; ".join(f"{label}: {count} {unit}" for label, count in counts[:60]) or "nothing to show"
    return _picture(HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT - 12, title, says, "histogram", *shapes)


def _label(x: float, y: float, text: str) -> Markup:
    return element("text", text, x=x, y=y, class_="tick", text_anchor="middle")


def _short(count: int) -> str:
    """A count in at most four characters or so."""
    for letter, factor in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= 10 * factor:
            return f"{count // factor}{letter}"
    return str(count)
