"""A rubric and a decided row in plain language: what must be shown, and what was."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction

import msgspec

from verilabel.records.label import Row
from verilabel.rubric.allocation import Gate, LevelTest, PlannedRow, plan_rule, plan_tests
from verilabel.rubric.structure import Criterion, Level, Measure, Rubric, TimesReference, plain
from verilabel.statistics.eprocess import log_needed, place_bets
from verilabel.statistics.exact import fixed_n

_SIDES = {"<=": "at most", "<": "below", ">=": "at least", ">": "above"}
_TESTS = {
    "when": "is granted when",
    "rule_in": "is established when",
    "rule_out": "is ruled out when",
}


class RowExplanation(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one row asks for, and the fewest answers that can show it.

    The numbers are for answers that are all on the claimed side of the row and a detector without error; a
    judge's measured error raises them. They count families where the measure's unit is the family, and are
    None where the row has no threshold of its own (attested, or relative to a reference).
    """

    asks: str
    alpha_met: str
    alpha_not_met: str
    answers_fixed: int | None = None
    answers_anytime: int | None = None
    unit: str = "answers"


class LevelExplanation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One rule of one level: its sentence, its tree in words, its rows."""

    level: str
    name: str
    test: str
    sentence: str
    tree: str
    rows: tuple[RowExplanation, ...]
    requires: tuple[str, ...] = ()
    meaning: str | None = None


class Explanation(msgspec.Struct, frozen=True, omit_defaults=True):
    """A whole rubric in words."""

    id: str
    version: str
    sha256: str
    title: str
    reading: str
    levels: tuple[LevelExplanation, ...]
    summary: str | None = None

    def lines(self) -> list[str]:
        """The explanation as text, a line an entry."""
        head = [f"{self.id}@{self.version}: {self.title}", *([self.summary] if self.summary else [])]
        lines = [*head, "", self.reading]
        for level in self.levels:
            lines += ["", level.sentence, *([f"  {level.meaning}"] if level.meaning else [])]
            lines += [f"  {level.tree}"]
            lines += [f"  [{number}] {_row_line(row)}" for number, row in enumerate(level.rows, 1)]
            if level.requires:
                lines.append(f"  asks for: {', '.join(level.requires)}")
        return lines


def explain_rubric(rubric: Rubric) -> Explanation:
    """Say in words what each level of a rubric takes (label-semantics sections 1 to 3)."""
    return Explanation(
        id=rubric.id,
        version=rubric.version,
        sha256=rubric.sha256,
        title=rubric.title,
        summary=rubric.summary,
        reading=_reading_of(rubric),
        levels=(
            *(_explain_test(rubric, test) for test in plan_tests(rubric)),
            *(_explain_safeguards(rubric, level) for level in rubric.scale.levels if level.safeguards),
        ),
    )


def explain_row(row: Row) -> str:
    """Say in words what a row of a label found: counts, bounds, threshold, outcome."""
    outcome = row.status.replace("_", " ")
    if row.attested is not None:
        return f"attestation {row.attested}: {'given' if row.status == 'met' else 'not given'}: {outcome}"
    if row.status == "not_assessed":
        return f"{row.measure} {row.op} {row.threshold}: {row.reason or 'no answers'}: {outcome}"
    missing = f", {row.missing} missing" if row.missing else ""
    counts = f"{row.events} of {row.n} answers ({_percent(row.rate)}{missing})"
    reason = f" ({row.reason})" if row.reason else ""
    return f"{row.measure}: {counts}; {_comparison(row)}: {outcome}{reason}"


def _comparison(row: Row) -> str:
    below = row.op in ("<", "<=")
    upper = f"upper bound {_percent(row.upper, ROUND_CEILING)}"
    lower = f"lower bound {_percent(row.lower, ROUND_FLOOR)}"
    if row.status == "undetermined":
        target = f"{_SIDES[row.op or '<=']} {_threshold(row.threshold)}"
        return f"{lower}, {upper}, to be {target}"
    met_bound, not_met_bound = (upper, lower) if below else (lower, upper)
    bound, tested = (
        (met_bound, row.tested_met) if row.status == "met" else (not_met_bound, row.tested_not_met)
    )
    threshold = _threshold(row.threshold)
    if tested is not None and not _is_same(row.threshold, tested):
        return f"{bound} against {_percent(tested)} (from {threshold})"
    return f"{bound} against {threshold}"


def _is_same(threshold: str | None, tested: str) -> bool:
    return threshold is not None and "x" not in threshold and Decimal(threshold) == Decimal(tested)


def _threshold(text: str | None) -> str:
    if text is None or "x" in text:
        return text or ""
    return f"{plain(Decimal(text) * 100)} %"


def _percent(text: str | None, rounding: str | None = None) -> str:
    if text is None:
        return "unknown"
    return f"{(Decimal(text) * 100).quantize(Decimal('0.01'), rounding):f} %"


# ---------------------------------------------------------------- the rubric


def _reading_of(rubric: Rubric) -> str:
    error = f"{plain(rubric.statistics.alpha * 100)} %"
    if rubric.scale.kind == "assurance":
        pair = (
            "Levels are granted upwards and stop at the first that is not shown; the label also says which "
        )
        pair += "levels are not excluded."
    else:
        pair = "Levels are established upwards and ruled out downwards; the label says both."
    return f"{pair} Each claim is wrong with probability at most {error}."


def _explain_test(rubric: Rubric, test: LevelTest) -> LevelExplanation:
    level = rubric.scale.levels[test.level]
    return LevelExplanation(
        level=level.id,
        name=level.name,
        test=test.test,
        sentence=f"{level.id} {level.name} {_TESTS[test.test]}",
        tree=_tree_words(test.tree),
        rows=tuple(_explain_planned(rubric, row) for row in test.rows),
        requires=level.requires if test.test != "rule_out" else (),
        meaning=level.meaning,
    )


def _explain_safeguards(rubric: Rubric, level: Level) -> LevelExplanation:
    assert level.safeguards is not None, "only levels with safeguards are explained here"
    rows, tree = plan_rule(rubric, level.safeguards)
    return LevelExplanation(
        level=level.id,
        name=level.name,
        test="safeguards",
        sentence=f"{level.id} {level.name}, where it is not ruled out, asks for these safeguards",
        tree=_tree_words(tree),
        rows=tuple(_explain_planned(rubric, row) for row in rows),
    )


def _tree_words(tree: Gate | int, *, outermost: bool = True) -> str:
    if isinstance(tree, int):
        return f"[{tree + 1}]"
    inside = ", ".join(_tree_words(child, outermost=False) for child in tree.children)
    n = len(tree.children)
    if n == 1:
        return inside
    how = "all of" if tree.need == n else "any of" if tree.need == 1 else f"at least {tree.need} of"
    words = f"{how} {inside}"
    return words if outermost else f"({words})"


def _explain_planned(rubric: Rubric, row: PlannedRow) -> RowExplanation:
    met, not_met = str(row.alpha_met), str(row.alpha_not_met)
    if row.criterion is None:
        given = rubric.attestations[row.attested or ""]
        asks = f"{given.role} attests {row.attested}: {given.statement}"
        return RowExplanation(asks=asks, alpha_met=met, alpha_not_met=not_met)
    measure = rubric.measures[row.criterion.measure]
    fixed, anytime = answers_without_failure(rubric, row)
    return RowExplanation(
        asks=_asks(row, row.criterion, measure),
        alpha_met=met,
        alpha_not_met=not_met,
        answers_fixed=fixed,
        answers_anytime=anytime,
        unit="families" if measure.unit == "family" else "answers",
    )


def _asks(row: PlannedRow, criterion: Criterion, measure: Measure) -> str:
    what = measure.title or f"rate of {'no ' if measure.negate else ''}{measure.event} on {measure.suite}"
    target = (
        criterion.threshold
        if isinstance(criterion.value, TimesReference)
        else _threshold(criterion.threshold)
    )
    bound = "upper" if criterion.op in ("<", "<=") else "lower"
    return f"{row.measure} ({what}): {bound} bound {_SIDES[criterion.op]} {target}"


def answers_without_failure(rubric: Rubric, row: PlannedRow) -> tuple[int | None, int | None]:
    """The fewest answers that meet a row when all of them are on its side: (fixed, anytime).

    For a detector without error; at least the measure's `min_n`; None without a threshold of the row's own.
    Families are decided by evidence in both designs.
    """
    criterion = row.criterion
    if criterion is None or isinstance(criterion.value, TimesReference):
        return None, None
    measure = rubric.measures[criterion.measure]
    room = criterion.value if criterion.op in ("<", "<=") else 1 - criterion.value
    tau = Fraction(room) - Fraction(rubric.statistics.margin)
    least = place_bets(tau, "met").boundary(0, float(log_needed(row.alpha_met)))
    anytime = None if least is None else max(least, measure.min_n)
    if measure.unit == "family":
        return anytime, anytime
    return max(fixed_n(tau, 0, row.alpha_met), measure.min_n), anytime


def _row_line(row: RowExplanation) -> str:
    if row.answers_fixed is None:
        return row.asks
    needed = f"{row.answers_fixed} {row.unit}, all on this side, show it"
    if row.answers_anytime != row.answers_fixed:
        needed += f" ({row.answers_anytime} where the run may stop at any time)"
    return f"{row.asks}; {needed}"
