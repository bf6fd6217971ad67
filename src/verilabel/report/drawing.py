"""Drawings as inline SVG: intervals against thresholds, curves over answers, bars. Colours come from the style sheet.

Every drawing has a title and a description in words, and says by shape and text what it says by colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from verilabel.report.axes import Axis, rate_axis, say_tick
from verilabel.report.markup import Markup, element
from verilabel.report.view import GroupCount, RowView
from verilabel.report.wording import STATUS_WORDS, say_number, say_percent, say_threshold

PLOT_WIDTH = 360
PLOT_HEIGHT = 74
_BASE = 52.0
_BAR = 32.0
CURVE_WIDTH = 320
CURVE_HEIGHT = 188
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 310.0, 26.0, 158.0
BAR_WIDTH = 150
_MAX_LOG_SHARE = 1.6


def _svg(width: int, height: int, title: str, description: str, class_: str, *shapes: Markup) -> Markup:
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *shapes,
        viewBox=f"0 0 {width} {height}",
        class_=class_,
        role="img",
        aria_label=f"{title}. {description}",
    )


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def _text(x: float, y: float, text: str, class_: str, anchor: str = "middle") -> Markup:
    return element("text", text, x=x, y=y, class_=class_, text_anchor=anchor)


# -- intervals against thresholds ------------------------------------------------------------------


def row_rates(row: RowView) -> list[float]:
    """The rates of a row that its drawing must hold."""
    texts = (row.lower, row.upper, row.rate, _threshold(row), row.tested_met)
    return [float(text) for text in texts if text is not None and 0 <= float(text) <= 1]


def _threshold(row: RowView) -> str | None:
    try:
        float(row.threshold or "")
    except ValueError:
        return None
    return row.threshold


def draw_interval(row: RowView, shared: list[float]) -> Markup | None:
    """A row's bounds against its threshold; `shared` are rates that rows beside it draw on the same axis."""
    if row.lower is None or row.upper is None:
        return None
    axis = rate_axis([*row_rates(row), *shared], 12, PLOT_WIDTH - 14, upwards=row.upwards)
    low, high, rate = float(row.lower), float(row.upper), float(row.rate or 0)
    limit = float(row.tested_met or row.threshold or 0)
    edge = axis.place(min(1.0, max(0.0, limit)))
    band = (edge, axis.end - edge) if row.upwards else (axis.start, edge - axis.start)
    shapes = [
        element("rect", x=band[0], y=18, width=max(0.0, band[1]), height=_BASE - 18, class_="allowed"),
        _line(axis.start, _BASE, axis.end, _BASE, "axis"),
        *_ticks(axis),
        *_thresholds(row, axis),
        _line(axis.place(low), _BAR, axis.place(high), _BAR, f"interval {row.status}"),
        _line(axis.place(low), _BAR - 6, axis.place(low), _BAR + 6, f"cap {row.status}"),
        _line(axis.place(high), _BAR - 6, axis.place(high), _BAR + 6, f"cap {row.status}"),
        element("circle", cx=axis.place(rate), cy=_BAR, r=4.5, class_=f"rate {row.status}"),
    ]
    description = (
        f"Rate {say_percent(row.rate)}, bounds {say_percent(row.lower)} to {say_percent(row.upper)}, "
        f"threshold {say_threshold(row.op, row.threshold)}: {STATUS_WORDS[row.status]}."
    )
    return _svg(PLOT_WIDTH, PLOT_HEIGHT, f"{row.level}: {row.title}", description, "plot", *shapes)


def _ticks(axis: Axis) -> list[Markup]:
    shapes = []
    for value in axis.ticks():
        x = axis.place(value)
        anchor = "start" if x < axis.start + 8 else "end" if x > axis.end - 8 else "middle"
        shapes += [
            _line(x, _BASE, x, _BASE + 4, "axis"),
            _text(x, _BASE + 16, say_tick(value), "tick", anchor),
        ]
    return shapes


def _thresholds(row: RowView, axis: Axis) -> list[Markup]:
    stated = _threshold(row)
    shapes = []
    if stated is not None and axis.holds(float(stated)):
        x = axis.place(float(stated))
        anchor = "start" if x < axis.start + 30 else "end" if x > axis.end - 30 else "middle"
        shapes += [
            _line(x, 16, x, _BASE, "threshold"),
            _text(x, 11, say_threshold(row.op, stated), "threshold-label", anchor),
        ]
    tested = float(row.tested_met) if row.tested_met is not None else None
    if tested is not None and axis.holds(tested) and (stated is None or abs(tested - float(stated)) > 1e-6):
        shapes.append(_line(axis.place(tested), 18, axis.place(tested), _BASE, "tested"))
    return shapes


# -- curves over answers ---------------------------------------------------------------------------


def draw_curve(row: RowView) -> Markup | None:
    """How a row came to be decided: evidence against its boundary (anytime), or bounds against the threshold."""
    if len(row.points) < 2:
        return None
    if row.log_needed is not None and row.points[-1].log_e_met is not None:
        return _draw_evidence(row, float(row.log_needed))
    return _draw_bounds(row)


def _draw_evidence(row: RowView, needed: float) -> Markup:
    points = [p for p in row.points if p.log_e_met is not None and p.log_e_not_met is not None]
    top = needed * _MAX_LOG_SHARE
    lowest = min(min(p.log_e_met or 0, p.log_e_not_met or 0) for p in points)
    y = Axis(max(-needed, min(-0.35 * needed, lowest)), top, _BOTTOM, _TOP)
    x = Axis(0, points[-1].n, _LEFT, _RIGHT)
    met = [(x.place(p.n), y.extend(p.log_e_met or 0)) for p in points]
    not_met = [(x.place(p.n), y.extend(p.log_e_not_met or 0)) for p in points]
    origin = (x.place(0), y.place(0))
    shapes = [
        *_frame(x),
        _line(_LEFT, y.place(0), _RIGHT, y.place(0), "grid"),
        _text(_LEFT - 5, y.place(0) + 4, "0", "tick", "end"),
        _line(_LEFT, y.place(needed), _RIGHT, y.place(needed), "threshold"),
        _text(_LEFT - 5, y.place(needed) + 4, f"{needed:.1f}", "tick", "end"),
        *_polylines([origin, *not_met], "curve against"),
        *_polylines([origin, *met], "curve for"),
        _text(_RIGHT, y.place(needed) - 5, "decided above", "threshold-label", "end"),
        _text(_LEFT, 12, "ln of the evidence", "tick", "start"),
    ]
    description = (
        f"After {say_number(points[-1].n)} answers the evidence for met is {points[-1].log_e_met:.2f} and for not "
        f"met {points[-1].log_e_not_met:.2f}; {needed:.2f} decides."
    )
    title = f"{row.level}: {row.title} {say_threshold(row.op, row.threshold)}"
    return _svg(CURVE_WIDTH, CURVE_HEIGHT, title, description, "curve-plot", *shapes)


def _draw_bounds(row: RowView) -> Markup:
    points = row.points
    settled = points[len(points) // 4 :] or points  # the first bounds are wide and would flatten the rest
    values = [*row_rates(row), *(p.upper for p in settled), *(p.lower for p in settled)]
    y = rate_axis(values, _BOTTOM, _TOP, upwards=row.upwards)
    x = Axis(0, points[-1].n, _LEFT, _RIGHT)
    outline = [(x.place(p.n), y.place(p.upper)) for p in points]
    outline += [(x.place(p.n), y.place(p.lower)) for p in reversed(points)]
    limit = row.tested_met or row.threshold or "0"
    shapes = [
        *_frame(x),
        *(
            shape
            for value in y.ticks(4)
            for shape in (
                _line(_LEFT, y.place(value), _RIGHT, y.place(value), "grid"),
                _text(_LEFT - 5, y.place(value) + 4, say_tick(value), "tick", "end"),
            )
        ),
        element("polygon", points=_path(outline), class_="band"),
        *_polylines([(x.place(p.n), y.place(p.rate)) for p in points], "curve for"),
        _line(_LEFT, y.place(float(limit)), _RIGHT, y.place(float(limit)), "threshold"),
        _text(_RIGHT, y.place(float(limit)) - 5, _say_limit(row), "threshold-label", "end"),
        _text(_LEFT, 12, "rate, with its bounds", "tick", "start"),
    ]
    last = points[-1]
    description = (
        f"After {say_number(last.n)} answers the rate is {say_percent(last.rate)}, between {say_percent(last.lower)} "
        f"and {say_percent(last.upper)}; the threshold is {_say_limit(row)}."
    )
    title = f"{row.level}: {row.title} {say_threshold(row.op, row.threshold)}"
    return _svg(CURVE_WIDTH, CURVE_HEIGHT, title, description, "curve-plot", *shapes)


def _say_limit(row: RowView) -> str:
    stated = say_threshold(row.op, row.threshold)
    if row.tested_met is None or say_threshold(row.op, row.tested_met) == stated:
        return stated
    return f"{stated}, tested at {say_percent(row.tested_met)}"


def _frame(x: Axis) -> list[Markup]:
    last = round(x.high)
    shapes = [_line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, "axis"), _text(_LEFT, _BOTTOM + 15, "0", "tick")]
    middle = [int(t) for t in x.ticks(4) if 0 < t < 0.86 * last and float(t).is_integer()]
    shapes += [_text(x.place(t), _BOTTOM + 15, say_number(t), "tick") for t in middle]
    shapes.append(_text(_RIGHT, _BOTTOM + 15, say_number(last), "tick", "end"))
    shapes.append(_text(_RIGHT, _BOTTOM + 28, "answers counted", "tick", "end"))
    return shapes


def _polylines(points: Sequence[tuple[float, float]], class_: str) -> list[Markup]:
    """A curve through points, cut where it leaves the frame above or below, so that no edge looks like data."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for a, b in pairwise(points):
        cut = _clip(a, b)
        if cut is None:
            continue
        if not pieces[-1] or pieces[-1][-1] != cut[0]:
            pieces.append([cut[0]])
        pieces[-1].append(cut[1])
    return [element("polyline", points=_path(piece), class_=class_) for piece in pieces if piece]


def _clip(
    a: tuple[float, float], b: tuple[float, float]
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """The part of a segment between _TOP and _BOTTOM (pixels, so _TOP is the smaller)."""
    if max(a[1], b[1]) < _TOP or min(a[1], b[1]) > _BOTTOM:
        return None

    def at(y: float) -> tuple[float, float]:
        return a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]), y

    return (
        a if _TOP <= a[1] <= _BOTTOM else at(_TOP if a[1] < _TOP else _BOTTOM),
        b if _TOP <= b[1] <= _BOTTOM else at(_TOP if b[1] < _TOP else _BOTTOM),
    )


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


# -- groups ----------------------------------------------------------------------------------------


def draw_group(group: GroupCount, top: float) -> Markup:
    """A group's rate as a dot in its interval, on an axis from 0 to `top` that all groups of a table share."""
    axis = rate_axis([top / 1.12], 4, BAR_WIDTH - 6, upwards=False)
    shapes = [_line(axis.start, 12, axis.end, 12, "grid")]
    if group.rate is not None:
        shapes += [
            _line(axis.place(group.lower), 12, axis.place(group.upper), 12, "group-interval"),
            element("circle", cx=axis.place(group.rate), cy=12, r=4, class_="group-rate"),
        ]
    says = f"{say_percent(group.rate)}, between {say_percent(group.lower)} and {say_percent(group.upper)}"
    return _svg(BAR_WIDTH, 24, group.value, says, "group-plot", *shapes)
