"""Figures as documents print them: the digits, the unit that is said, the comparison. Nothing is converted."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from verilabel.claims.claim import Comparator, Unit, Value
from verilabel.claims.words import known_words

MAX_CELL = 200
"""A longer cell is prose, not a figure."""
_SIGNS: dict[str, Comparator] = {
    "<": "<",
    ">": ">",
    "≤": "<=",
    "≥": ">=",
    "<=": "<=",
    ">=": ">=",
    "~": "~",
    "≈": "~",
}
_NUMBER = r"[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?"
_CELL = re.compile(
    rf"(?P<sign><=|>=|[<>≤≥~≈])?\s*(?P<number>{_NUMBER})\s*(?P<percent>%|percent\b|pct\b)?"
    r"(?P<rest>\s*(?:(?:±|\+/-)\s*\d+(?:\.\d+)?\s*%?)?\s*(?:[\[(][^\])]*[\])])?\s*[*†‡]*)",
    re.IGNORECASE,
)


class CellFigure(NamedTuple):
    """A figure that fills a cell, and what follows it: an interval, a remark in brackets."""

    value: Value
    rest: str


def read_cell(text: str) -> CellFigure | None:
    """The figure that a table's cell consists of; None where the cell says something else.

    `87.3`, `**87.3**` (marks are taken off before), `0.87`, `87.3 %`, `< 1%`, `87.3 ± 0.4`, `87.3 (5-shot)`.
    """
    text = text.strip()
    if len(text) > MAX_CELL:
        return None
    match = _CELL.fullmatch(text)
    if match is None or not any(character.isdigit() for character in match["number"]):
        return None
    unit: Unit = "percent" if match["percent"] else "unstated"
    number = match["number"].replace(",", "").replace("−", "-").removeprefix("+")
    value = Value(text, plain_decimal(number), unit, _SIGNS.get(match["sign"] or "", "="))
    return CellFigure(value, match["rest"].strip())


def plain_decimal(number: str) -> str:
    """A decimal without exponent, its digits as printed: `.5` becomes `0.5`, `20.90` stays."""
    return f"{Decimal(number):f}" if number[:1] != "." else f"0{number}"


def half_step(number: str) -> Fraction:
    """Half of the last printed digit: 87.3 stands for everything from 87.25 to 87.35."""
    digits = len(number.partition(".")[2])
    return Fraction(1, 2 * 10**digits)


def unit_of_metric(metric: str, unit: Unit) -> Unit:
    """The unit of a figure of a metric: what is said, or `points` for a metric on a scale of its own."""
    if unit != "unstated" or not metric or metric == "score":
        return unit
    own_scale = metric not in known_words().proportions and metric not in (
        "bias",
        "percentile",
        "word error rate",
    )
    return "points" if own_scale and metric not in ("bleu", "rouge") else unit


class Reading(NamedTuple):
    """One way to read a figure as a rate."""

    unit: Unit
    rate: Fraction
    """The printed figure itself."""
    low: Fraction
    """The lowest rate that is printed so."""
    high: Fraction


def readings(value: Value) -> list[Reading]:
    """Every reading of a figure as a rate, with all the rates that are printed so.

    A percent sign or a stated fraction leaves one reading. A bare figure above 1 can only be a percentage; a
    bare one up to 1 may be either, and both are given: nothing is guessed. A scale of its own gives none.
    """
    number, half = Fraction(value.number), half_step(value.number)
    units: tuple[Unit, ...] = {
        "percent": ("percent",),
        "fraction": ("fraction",),
        "unstated": ("percent",) if number > 1 else ("fraction", "percent"),
    }.get(value.unit, ())
    found: list[Reading] = []
    for unit in units:
        scale = 100 if unit == "percent" else 1
        rate, low, high = number / scale, (number - half) / scale, (number + half) / scale
        if 0 <= rate <= 1:
            found.append(Reading(unit, rate, max(low, Fraction(0)), min(high, Fraction(1))))
    return found
