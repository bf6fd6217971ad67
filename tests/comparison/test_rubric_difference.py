"""What two rubrics ask differently, by meaning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_rubrics import OTHER, PUZZLES, QUIZ, at_least, hazard_of, rubric_of
from verilabel.comparison.rubric_difference import Change, compare_rubrics
from verilabel.rubric.model import bundled_rubrics
from verilabel.rubric.structure import Rubric


def changes(old: Rubric, new: Rubric) -> list[tuple[str, str, str]]:
    return [(change.where, change.what, change.effect) for change in compare_rubrics(old, new)]


def test_a_rubric_does_not_differ_from_itself() -> None:
    for rubric in bundled_rubrics():
        assert () == compare_rubrics(rubric, rubric), rubric.name


def test_the_order_of_lines_and_rows_is_no_difference() -> None:
    one = rubric_of(f"{{all: [{at_least('0.5')}, {at_least('0.4', 'puzzles')}]}}")
    two = rubric_of(f"{{all: [{at_least('0.4', 'puzzles')}, {at_least('0.5')}]}}", measures=(PUZZLES, QUIZ))
    assert [] == [change for change in changes(one, two) if change[2] != "other"]


@pytest.mark.parametrize(
    ("old", "new", "effect"),
    [("0.5", "0.6", "stricter"), ("0.6", "0.5", "laxer")],
)
def test_a_moved_threshold_is_stricter_or_laxer(old: str, new: str, effect: str) -> None:
    found = changes(rubric_of(at_least(old)), rubric_of(at_least(new)))
    assert [("$.scale.L1.when", f"quiz >= {old} becomes >= {new}", effect)] == found


def test_a_row_more_under_all_is_stricter_and_under_any_it_cannot_be_told() -> None:
    one, both = at_least("0.5"), f"{at_least('0.5')}, {at_least('0.5', 'puzzles')}"
    under_all = changes(rubric_of(f"{{all: [{one}]}}"), rubric_of(f"{{all: [{both}]}}"))
    under_any = changes(rubric_of(f"{{any: [{one}]}}"), rubric_of(f"{{any: [{both}]}}"))
    assert [("$.scale.L1.when", "also asked: puzzles >= 0.5", "stricter")] == under_all
    assert [("$.scale.L1.when", "also asked: puzzles >= 0.5", "other")] == under_any


def test_a_rule_put_together_otherwise_is_seen() -> None:
    both = f"{at_least('0.5')}, {at_least('0.5', 'puzzles')}"
    (found,) = changes(rubric_of(f"{{all: [{both}]}}"), rubric_of(f"{{any: [{both}]}}"))
    assert (
        "all of (quiz at least, puzzles at least) becomes any of (quiz at least, puzzles at least)"
        == found[1]
    )


def test_statistics_say_which_way_they_moved() -> None:
    old = rubric_of(at_least("0.5"))
    new = rubric_of(
        at_least("0.5"), statistics="alpha: 0.01, missing: worst_case, max_missing: 0.2, margin: 0.02"
    )
    assert [
        ("$.statistics.alpha", "0.025 becomes 0.01", "stricter"),
        ("$.statistics.margin", "0 becomes 0.02", "stricter"),
    ] == changes(old, new)


def test_measures_and_levels_that_come_and_go_are_named() -> None:
    old = rubric_of(at_least("0.5"), measures=(QUIZ,))
    new = rubric_of(at_least("0.5"), at_least("0.9", "other"), measures=(QUIZ, OTHER))
    assert [
        Change("$.measures.other", "added: correct on test/other@1"),
        Change("$.scale.L2", "level Level 2 added"),
    ] == list(compare_rubrics(old, new))


def test_safeguards_that_change_are_a_difference() -> None:
    rule_in, rule_out = at_least("0.5"), '{measure: quiz, op: "<", value: 0.5}'
    old = hazard_of(rule_in, rule_out, safeguards=at_least("0.4", "puzzles"))
    new = hazard_of(rule_in, rule_out, safeguards=at_least("0.6", "puzzles"))
    assert [("$.scale.C2.safeguards", "puzzles >= 0.4 becomes >= 0.6", "stricter")] == changes(old, new)


rubrics = st.sampled_from(bundled_rubrics())


@given(old=rubrics, new=rubrics)
def test_differences_turn_round_with_the_rubrics(old: Rubric, new: Rubric) -> None:
    turned = {"stricter": "laxer", "laxer": "stricter", "other": "other"}
    there = {
        (change.where, turned[change.effect])
        for change in compare_rubrics(old, new)
        if change.effect != "other"
    }
    back = {(change.where, change.effect) for change in compare_rubrics(new, old) if change.effect != "other"}
    moved = [c for c in compare_rubrics(old, new) if "becomes" in c.what and c.effect != "other"]
    assert {(c.where, turned[c.effect]) for c in moved} <= back
    assert bool(there) >= bool(moved)
