"""The label's rows as a page shows them: with titles, calls, curves, and what would decide the open ones."""

from __future__ import annotations

from verilabel.errors import MalformedInput
from verilabel.evidence.layout import LABEL
from verilabel.records.label import Label, LevelResult, Row
from verilabel.report.outlook import MeasureRule, RowPlace, points_of
from verilabel.report.view import LevelView, RowView
from verilabel.report.walking import Walk
from verilabel.report.wording import TEST_SAYS, say_event
from verilabel.rubric.allocation import LevelTest, plan_tests
from verilabel.rubric.structure import AtLeast, Rubric, Rule, rules_of


def view_levels(label: Label, rubric: Rubric, walk: Walk | None) -> tuple[LevelView, ...]:
    """Every level's rule and rows. Raises MalformedInput where the label's rows are not the rubric's."""
    return _Rows(label, rubric, walk).levels()


class _Rows:
    """Views of the label's rows; what the rubric says along each measure's curve is worked out once."""

    def __init__(self, label: Label, rubric: Rubric, walk: Walk | None) -> None:
        self._label = label
        self._rubric = rubric
        self._walk = walk
        self._tallies = walk.recount.tallies() if walk else {}
        self._rules = {measure: MeasureRule(rubric, measure, label.design) for measure in self._tallies}
        curves = walk.curves if walk else {}
        self._traces = {measure: self._rules[measure].trace(curve) for measure, curve in curves.items()}

    def levels(self) -> tuple[LevelView, ...]:
        """The levels in the label's order."""
        tests = plan_tests(self._rubric)
        results = self._label.levels
        if [len(test.rows) for test in tests] != [len(result.rows) for result in results]:
            raise MalformedInput("the label's rows are not those of its rubric", where=LABEL)
        return tuple(
            self._view_level(number, test, result)
            for number, (test, result) in enumerate(zip(tests, results, strict=True))
        )

    def _view_level(self, number: int, test: LevelTest, result: LevelResult) -> LevelView:
        level = self._rubric.scale.levels[test.level]
        return LevelView(
            id=result.level,
            name=result.name,
            meaning=level.meaning or "",
            test=result.test,
            test_says=TEST_SAYS[result.test],
            rule_says=_say_rule(rules_of(level)[result.test]),
            status=result.status,
            rows=tuple(self._view_row(result, RowPlace(number, i)) for i in range(len(result.rows))),
        )

    def _view_row(self, level: LevelResult, place: RowPlace) -> RowView:
        row = level.rows[place.row]
        key = row.measure or ""
        measure = self._rubric.measures.get(key.partition("@")[0])
        attestation = self._rubric.attestations.get(row.attested or "")
        tally = self._tallies.get(key)
        outlook = None
        if tally is not None and tally.n and row.status == "undetermined":
            outlook = self._rules[key].look_ahead(tally, place)
        facts = {name: getattr(row, name) for name in _ROW_FACTS}
        return RowView(
            **facts,
            anchor=f"row-{place.level}-{place.row}",
            level=level.level,
            level_name=level.name,
            test=level.test,
            title=(measure and measure.title)
            or (attestation and attestation.statement)
            or key
            or row.attested
            or "",
            counted=say_event(measure.detected_event, negated=measure.negate) if measure else "",
            n_planned=tally.n_planned if tally else 0,
            calls=self._walk.calls[key] if self._walk else 0,
            outlook=outlook,
            points=points_of(self._traces.get(key, ()), place),
        )


_ROW_FACTS = tuple(name for name in Row.__struct_fields__ if name in RowView.__struct_fields__)


def _say_rule(rule: Rule) -> str:
    if not isinstance(rule, AtLeast) or len(rule.children) == 1:
        return "its one row is met"
    count = len(rule.children)
    if rule.word == "at_least":
        return f"at least {rule.need} of {count} parts are met"
    return f"all {count} parts are met" if rule.word == "all" else f"any of {count} parts is met"
