"""Trees, scales and whole labels: shares of the error, the pair, and the bytes."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import product
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapes import PLAIN, counts, row, rubric

from verilabel.errors import MalformedInput
from verilabel.records.canonical import jcs
from verilabel.records.label import Status
from verilabel.records.plan import Design
from verilabel.rubric.allocation import Gate, LevelTest, combine, plan_tests
from verilabel.rubric.decide import decide
from verilabel.rubric.model import load_rubric
from verilabel.rubric.structure import Rubric

SIX = dict.fromkeys("abcdef", PLAIN)


@st.composite
def rules(draw: st.DrawFn, depth: int = 3) -> str:
    kind = draw(st.sampled_from(["row", "all", "any", "at_least"])) if depth else "row"
    if kind == "row":
        return row("<=", "0.1", draw(st.sampled_from("abcdef")))
    children = draw(st.lists(rules(depth=depth - 1), min_size=1, max_size=4))
    inside = ", ".join(children)
    if kind == "at_least":
        return f"{{at_least: {draw(st.integers(1, len(children)))}, of: [{inside}]}}"
    return f"{{{kind}: [{inside}]}}"


def planned_test(rule: str) -> LevelTest:
    (found,) = plan_tests(load_rubric(rubric(rule, measures=SIX).encode(), "f"))
    return found


def worst(test: LevelTest, tree: Gate | int, truths: list[bool], wrong: Status) -> tuple[bool, Fraction]:
    """A node's truth, and the largest probability of its wrong status under any dependence of the rows.

    At least j of m events of probabilities p_i happen with probability at most sum(p_i) / j.
    """
    if isinstance(tree, int):
        planned = test.rows[tree]
        is_wrong = truths[tree] != (wrong == "met")
        level = planned.alpha_met if wrong == "met" else planned.alpha_not_met
        return truths[tree], level if is_wrong else Fraction(1)
    children = [worst(test, child, truths, wrong) for child in tree.children]
    n, true = len(children), sum(truth for truth, _ in children)
    truth = true >= tree.need
    if truth == (wrong == "met"):
        return truth, Fraction(1)
    needed = tree.need if wrong == "met" else n - tree.need + 1
    freely = true if wrong == "met" else n - true
    share = sum((p for child, p in children if child != (wrong == "met")), Fraction(0))
    return truth, share / (needed - freely)


@settings(max_examples=60)
@given(rules(), st.data())
def test_a_tree_is_wrong_at_most_as_often_as_the_rubric_says(rule: str, data: st.DataObject) -> None:
    test = planned_test(rule)
    truths = data.draw(st.lists(st.booleans(), min_size=len(test.rows), max_size=len(test.rows)))
    for wrong in ("met", "not_met"):
        truth, probability = worst(test, test.tree, truths, wrong)
        if truth != (wrong == "met"):
            assert probability <= Fraction(1, 40)


def test_all_grants_at_full_level_and_any_pays_for_each_child() -> None:
    shares = {}
    for word in ("all", "any"):
        test = planned_test(f"{{{word}: [{row('<=', '0.1', 'a')}, {row('<=', '0.1', 'b')}]}}")
        shares[word] = [(str(planned.alpha_met), str(planned.alpha_not_met)) for planned in test.rows]
    assert {"all": [("1/40", "1/80")] * 2, "any": [("1/80", "1/40")] * 2} == shares


@given(
    st.lists(st.sampled_from(["met", "not_met", "undetermined", "not_assessed"]), min_size=1, max_size=6),
    st.data(),
)
def test_an_open_node_can_still_become_either(statuses: list[Status], data: st.DataObject) -> None:
    need = data.draw(st.integers(1, len(statuses)))
    found = combine(statuses, need)
    best = ["met" if s in ("undetermined", "not_assessed") else s for s in statuses].count("met") >= need
    least = statuses.count("met") >= need
    assert (found == "met") == least
    assert (found == "not_met") == (not best)


def test_any_of_twelve_rarely_alarms_falsely_where_all_are_at_the_cut() -> None:
    """The figure of label-semantics section 2, computed instead of simulated: 12 independent rows, n = 500."""
    n, cut = 500, Fraction(1, 20)
    rule = f"{{any: [{', '.join(row('>', '0.05', 'a') for _ in range(12))}]}}"
    read = load_rubric(rubric(rule, measures=SIX).encode(), "f")
    # the smallest count that is met: from here on every count is
    first = next(
        k
        for k in range(25, n)
        if decide(read, {"a": counts(n, k, measure="a")}, design="fixed").levels[0].rows[0].status == "met"
    )
    one = float(sum(comb(n, k) * cut**k * (1 - cut) ** (n - k) for k in range(first, n + 1)))
    assert 0.005 < 1 - (1 - one) ** 12 <= 0.025


# ---------------------------------------------------------------- the pair

STATUS_COUNTS = {"met": counts(500, 0), "not_met": counts(500, 400), "undetermined": counts(4, 0)}


@cache
def ladder_of(kind: str, levels: int) -> Rubric:
    lines = "    - {id: L0, name: none}\n"
    for i in range(1, levels + 1):
        if kind == "assurance":
            lines += f"    - {{id: L{i}, name: level, when: {row('<=', '0.1', f'm{i}')}}}\n"
        else:
            rules_ = f"rule_in: {row('>', '0.1', f'm{i}')}, rule_out: {row('<=', '0.1', f'm{i}')}"
            lines += f"    - {{id: L{i}, name: level, {rules_}}}\n"
    measures = {f"m{i}": PLAIN for i in range(1, levels + 1)}
    return load_rubric(
        rubric("", measures=measures, scale=f"  kind: {kind}\n  levels:\n{lines}").encode(), "f"
    )


@pytest.mark.parametrize("statuses", list(product(["met", "not_met", "undetermined"], repeat=3)))
def test_an_assurance_label_climbs_over_met_levels_and_stops_at_the_first_not_met(
    statuses: tuple[str, ...],
) -> None:
    read = ladder_of("assurance", 3)
    tallies = {
        f"m{i}": counts(t.n, t.events, measure=f"m{i}")
        for i, t in enumerate((STATUS_COUNTS[status] for status in statuses), 1)
    }
    label = decide(read, tallies, design="fixed")
    assert list(statuses) == [level.status for level in label.levels]
    granted = next((i for i, status in enumerate(statuses) if status != "met"), 3)
    excluded = next((i for i, status in enumerate(statuses) if status == "not_met"), 3)
    assert (f"L{granted}", f"L{excluded}") == (label.lower, label.upper)


@pytest.mark.parametrize("statuses", list(product(["met", "not_met", "undetermined"], repeat=3)))
def test_a_hazard_label_is_established_upwards_and_ruled_out_downwards(statuses: tuple[str, ...]) -> None:
    read = ladder_of("hazard", 3)
    tallies = {
        f"m{i}": counts(t.n, t.events, measure=f"m{i}")
        for i, t in enumerate((STATUS_COUNTS[status] for status in statuses), 1)
    }
    label = decide(read, tallies, design="fixed")
    # the row `<= 0.1` met rules a level out, and its contrary establishes it
    established = next((i for i, status in enumerate(statuses) if status != "not_met"), 3)
    open_levels = [i for i, status in enumerate(statuses, 1) if status != "met"]
    not_ruled_out = max([0, *open_levels])
    assert (f"L{established}", f"L{max(established, not_ruled_out)}") == (label.lower, label.upper)
    assert ["rule_in"] * 3 + ["rule_out"] * 3 == [level.test for level in label.levels]


@given(st.lists(st.integers(0, 60), min_size=3, max_size=3))
def test_the_lower_half_of_a_pair_is_never_above_the_upper(events: list[int]) -> None:
    for kind in ("assurance", "hazard"):
        read = ladder_of(kind, 3)
        tallies = {f"m{i}": counts(60, k, measure=f"m{i}") for i, k in enumerate(events, 1)}
        label = decide(read, tallies, design="fixed")
        assert label.scale.index(label.lower) <= label.scale.index(label.upper)


def test_rows_that_contradict_each_other_never_rule_out_what_is_established() -> None:
    scale = f"""  kind: hazard
  levels:
    - {{id: A, name: a}}
    - {{id: B, name: b, rule_in: {row(">=", "0.2")}, rule_out: {row("<=", "0.7")}}}
"""
    label = decide(load_rubric(rubric("", scale=scale).encode(), "f"), {"m": counts(200, 90)}, design="fixed")
    assert ("B", "B", ("contradictory_rows",)) == (label.lower, label.upper, label.flags)


# ---------------------------------------------------------------- the label as a document


def test_the_same_counts_give_the_same_bytes_in_any_order() -> None:
    read = ladder_of("assurance", 3)
    tallies = [counts(100, i, measure=f"m{i}") for i in (1, 2, 3)]
    forwards = decide(read, {tally.measure: tally for tally in tallies}, design="anytime").bytes()
    backwards = decide(read, {tally.measure: tally for tally in reversed(tallies)}, design="anytime").bytes()
    assert forwards == backwards


def test_a_label_names_both_halves_of_its_pair() -> None:
    read = ladder_of("assurance", 2)
    label = decide(read, {"m1": counts(500, 0, measure="m1")}, design="fixed")
    document = label.document()
    assert {"id": "L1", "name": "level"} == document["granted"]
    assert {"id": "L2", "name": "level"} == document["cannot_exclude_up_to"]
    assert jcs(document) == label.bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"n": 10, "events": -1},
        {"n": 10, "events": 11},
        {"n": 10, "events": 6, "missing": 5},
        {"n": -1, "events": 0},
        {"n": 10, "events": 0, "n_planned": 9},
    ],
)
@pytest.mark.parametrize("design", ["fixed", "anytime"])
def test_counts_that_cannot_be_are_refused(change: dict[str, int], design: Design) -> None:
    read = load_rubric(rubric(row("<=", "0.1")).encode(), "f")
    with pytest.raises(MalformedInput) as refused:
        decide(read, {"m": counts(**change)}, design=design)
    assert "tallies.m" == refused.value.where


@pytest.mark.parametrize(
    ("settings_of_m", "keys", "flags"),
    [
        ("[plain]", ["m@plain"], ()),
        ("[plain]", ["m@plain", "m@other"], ("unlisted_settings",)),
        ("[plain]", ["m@plain", "m"], ("unlisted_settings",)),
        ("[]", ["m"], ()),
        ("[]", ["m", "m@plain"], ("unlisted_settings",)),
        ("[]", ["m", "m@"], ("unlisted_settings",)),
    ],
)
def test_a_label_says_that_counts_were_not_used_because_their_setting_is_not_listed(
    settings_of_m: str, keys: list[str], flags: tuple[str, ...]
) -> None:
    text = rubric(row("<=", "0.1"), measures={"m": f"{PLAIN}, elicitation: {settings_of_m}"})
    tallies = {key: counts(72, 0, measure=key) for key in keys}
    assert flags == decide(load_rubric(text.encode(), "f"), tallies, design="fixed").flags


def test_counts_under_another_measures_name_are_refused() -> None:
    read = load_rubric(rubric(row("<=", "0.1", "a"), measures=SIX).encode(), "f")
    with pytest.raises(MalformedInput, match="counts of 'b' given for 'a'"):
        decide(read, {"a": counts(10, 0, measure="b")}, design="fixed")
