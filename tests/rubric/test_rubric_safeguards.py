"""Safeguards of hazard levels: read strictly, decided like rows, and never part of the label."""

from __future__ import annotations

import pytest
from shapes import counts, rubric

from verilabel.errors import MalformedInput
from verilabel.records.label import Status
from verilabel.rubric.decide import decide
from verilabel.rubric.explain import explain_rubric
from verilabel.rubric.lint import remark_on
from verilabel.rubric.model import load_rubric
from verilabel.rubric.safeguards import check_safeguards
from verilabel.rubric.structure import Rubric

M = "suite: s@1, estimand: proportion, event: correct, direction: higher_is_more_capable, min_n: 9"
G = "suite: g@1, estimand: proportion, event: violation, direction: lower_is_safer, min_n: 36"
ATTESTED = "attestations:\n  sandbox: {statement: It runs in a sandbox., role: auditor}\n"


def hazard(safeguards: str, *, lowest: str = "") -> Rubric:
    scale = (
        f"  kind: hazard\n  levels:\n    - {{id: C1, name: Below{lowest}}}\n    - id: C2\n      name: Able\n"
        '      rule_in: {measure: m, op: ">=", value: 0.5}\n      rule_out: {measure: m, op: "<", value: 0.5}\n'
        f"      safeguards: {safeguards}\n"
    )
    text = rubric("", measures={"m": M, "g": G}, attestations=ATTESTED, scale=scale)
    return load_rubric(text.encode(), "hazard.yaml")


EITHER = '{all: [{measure: g, op: "<=", value: 0.1}, {attested: sandbox}]}'


@pytest.mark.parametrize(
    ("events", "attested", "status"),
    [
        (0, ("sandbox",), "met"),
        (0, (), "not_assessed"),
        (60, ("sandbox",), "not_met"),
        (60, (), "not_met"),
        (10, ("sandbox",), "undetermined"),
    ],
)
def test_safeguards_are_met_where_each_is_measured_or_attested(
    events: int, attested: tuple[str, ...], status: Status
) -> None:
    tallies = {"g": counts(100, events, measure="g")}
    (check,) = check_safeguards(hazard(EITHER), tallies, design="fixed", attested=attested)
    assert ("C2", "Able", status) == (check.level, check.name, check.status)


def test_safeguards_that_nobody_measured_are_not_assessed() -> None:
    (check,) = check_safeguards(hazard(EITHER), {}, design="fixed", attested=("sandbox",))
    assert "not_assessed" == check.status


def test_the_error_of_choosing_among_safeguards_is_paid_for() -> None:
    choice = '{any: [{measure: g, op: "<=", value: 0.1}, {attested: sandbox}]}'
    (check,) = check_safeguards(hazard(choice), {"g": counts(100, 0, measure="g")}, design="fixed")
    assert ("met", "1/80") == (check.status, check.rows[0].alpha_met)


def test_the_label_is_the_same_whatever_the_safeguards_say() -> None:
    tallies = {"m": counts(100, 90, measure="m"), "g": counts(100, 60, measure="g")}
    with_them = decide(hazard(EITHER), tallies, design="fixed", attested=("sandbox",))
    without = decide(hazard('{measure: g, op: "<=", value: 0.9}'), tallies, design="fixed")
    assert (with_them.lower, with_them.upper, with_them.levels) == (
        without.lower,
        without.upper,
        without.levels,
    )


def test_safeguards_are_explained_and_their_attestations_are_not_called_unused() -> None:
    read = hazard(EITHER)
    lines = explain_rubric(read).lines()
    assert "C2 Able, where it is not ruled out, asks for these safeguards" in lines
    assert [] == [remark for remark in remark_on(read) if "attest" in remark.message]


@pytest.mark.parametrize(
    ("safeguards", "lowest", "where"),
    [
        ('{measure: none, op: "<=", value: 0.1}', "", "$.scale.levels[1].safeguards.measure"),
        ("{attested: nobody}", "", "$.scale.levels[1].safeguards.attested"),
        ("{attested: sandbox}", ", safeguards: {attested: sandbox}", "$.scale.levels[0].safeguards"),
    ],
)
def test_safeguards_that_cannot_be_checked_are_refused(safeguards: str, lowest: str, where: str) -> None:
    with pytest.raises(MalformedInput) as refused:
        hazard(safeguards, lowest=lowest)
    assert f"hazard.yaml {where}" == refused.value.where


def test_a_level_that_is_granted_needs_no_safeguards() -> None:
    text = rubric('{measure: m, op: "<=", value: 0.1}, safeguards: {measure: m, op: "<=", value: 0.2}')
    with pytest.raises(MalformedInput, match="hazard scale"):
        load_rubric(text.encode(), "x.yaml")
