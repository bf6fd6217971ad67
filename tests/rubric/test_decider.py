"""The incremental decider: the same statuses as the label's, and which measures are worth asking about."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapes import PLAIN, RATIO, SAFER_HIGH, counts, errors, families, judged, row, rubric

from verilabel.errors import MalformedInput, UsageError
from verilabel.records.label import Status
from verilabel.records.plan import Design
from verilabel.records.tally import Tally
from verilabel.rubric.decide import Decider, decide
from verilabel.rubric.model import load_rubric
from verilabel.rubric.structure import Rubric

ATTESTED = "attestations: {x: {statement: s, role: r}}\n"


def load(rule: str = "", **more: object) -> Rubric:
    return load_rubric(rubric(rule, **more).encode(), "f")  # type: ignore[arg-type]


def statuses_of(decider: Decider, tallies: dict[str, Tally]) -> list[Status]:
    empty = counts(0, 0)
    return [
        decider.status_of(i, tallies.get(planned.measure, empty)) for i, planned in enumerate(decider.rows)
    ]


def label_statuses(read: Rubric, tallies: dict[str, Tally], design: Design, **more: object) -> list[Status]:
    label = decide(read, tallies, design=design, **more)  # type: ignore[arg-type]
    return [found.status for level in label.levels for found in level.rows]


MIXED = load(
    f"{{all: [{row('<=', '0.1')}, {row('<', '0.03')}, {row('>=', '0.6', 'up')}, {row('>', '0.9', 'up')}, "
    f"{row('<=', '0.2', 'pool')}, {row('>=', '0.5', 'fam')}, {row('<=', '{times_reference: 2}', 'ratio')}, "
    "{attested: x}]}",
    measures={
        "m": f"{PLAIN}, min_n: 5",
        "up": SAFER_HIGH,
        "pool": f"{PLAIN}, population: items_fixed",
        "fam": f"{SAFER_HIGH}, unit: family, min_n: 3",
        "ratio": RATIO,
    },
    attestations=ATTESTED,
)
JUDGES = [None, errors(190, 200, 196, 200), errors(20, 40, 30, 40)]


@st.composite
def tallies_of_all(draw: st.DrawFn) -> dict[str, Tally]:
    found = {}
    for name in ("m", "up", "pool", "ratio"):
        n = draw(st.integers(0, 400))
        events = draw(st.integers(0, n))
        missing = draw(st.integers(0, min(n - events, n // 15)))
        planned = draw(st.sampled_from([0, n, n + 10]))
        judge = draw(st.sampled_from(JUDGES))
        if name == "pool":
            pool = n + draw(st.integers(0, 50))
            found[name] = counts(
                n, events, missing, measure=name, pool=pool, population="items_fixed", n_planned=planned
            )
        else:
            found[name] = counts(
                n, events, missing, measure=name, exact=judge is None, errors=judge, n_planned=planned
            )
    kinds = draw(
        st.lists(
            st.sampled_from([(0, 0, 3), (1, 0, 3), (3, 0, 3), (2, 1, 4), (1, 0, 1)]), unique=True, min_size=1
        )
    )
    clusters = [(*kind, draw(st.integers(1, 30))) for kind in kinds]
    found["fam"] = families(*clusters, measure="fam")
    return found


REFERENCES = [
    None,
    counts(500, 60, 2, measure="ratio"),
    judged(500, 60, JUDGES[1], measure="ratio"),
    judged(500, 60, None, measure="ratio"),
]


@given(tallies_of_all(), st.sampled_from(["fixed", "anytime"]), st.booleans(), st.sampled_from(REFERENCES))
def test_a_row_has_the_status_that_the_label_gives_it(
    tallies: dict[str, Tally], design: Design, attested: bool, reference: Tally | None
) -> None:
    references = {"ratio": reference} if reference is not None else {}
    given_names = ("x",) if attested else ()
    decider = Decider(MIXED, design, attested=given_names, references=references)
    expected = label_statuses(MIXED, tallies, design, attested=given_names, references=references)
    assert expected == statuses_of(decider, tallies)
    decider.open_measures(tallies)  # what it remembers must not change what it says
    assert expected == statuses_of(decider, tallies)


def test_answer_by_answer_the_statuses_are_those_of_the_label() -> None:
    read = load(f"{{any: [{row('<=', '0.1')}, {row('<=', '0.05')}]}}")
    decider, source, events = Decider(read, "anytime"), Random(7), 0
    for n in range(1, 160):
        events += source.random() < 0.02
        tally = judged(n, events, JUDGES[1])
        decider.open_measures({"m": tally})
        assert label_statuses(read, {"m": tally}, "anytime") == statuses_of(decider, {"m": tally})


# ---------------------------------------------------------------- what is worth asking

TWO = {"a": PLAIN, "b": PLAIN}
BOTH = load(f"{{all: [{row('<=', '0.1', 'a')}, {row('<=', '0.1', 'b')}]}}", measures=TWO)
EITHER = load(f"{{any: [{row('<=', '0.1', 'a')}, {row('<=', '0.1', 'b')}]}}", measures=TWO)


def open_of(read: Rubric, tallies: list[Tally], design: Design = "anytime", **more: object) -> set[str]:
    decider = Decider(read, design, **more)  # type: ignore[arg-type]
    return set(decider.open_measures({tally.measure: tally for tally in tallies}))


def test_before_the_first_answer_every_planned_measure_is_open() -> None:
    assert {"a", "b"} == open_of(BOTH, [counts(0, 0, measure="a"), counts(0, 0, measure="b")])


def test_a_measure_without_a_tally_cannot_be_asked() -> None:
    assert {"a"} == open_of(BOTH, [counts(0, 0, measure="a")])


def test_a_met_row_closes_its_measure_and_leaves_the_others() -> None:
    assert {"b"} == open_of(BOTH, [counts(200, 0, measure="a"), counts(3, 0, measure="b")])


def test_one_row_that_is_not_met_settles_all() -> None:
    assert set() == open_of(BOTH, [counts(20, 20, measure="a"), counts(3, 0, measure="b")])


def test_one_row_that_is_met_settles_any() -> None:
    assert set() == open_of(EITHER, [counts(200, 0, measure="a"), counts(3, 0, measure="b")])


def test_one_row_that_is_not_met_leaves_any_open() -> None:
    assert {"b"} == open_of(EITHER, [counts(20, 20, measure="a"), counts(3, 0, measure="b")])


def test_a_measure_whose_planned_answers_are_all_in_is_closed() -> None:
    tallies = [counts(10, 0, measure="a", n_planned=10), counts(3, 0, measure="b", n_planned=10)]
    assert {"b"} == open_of(BOTH, tallies)


def test_a_fixed_design_asks_to_the_plans_end_and_no_further() -> None:
    tallies = [counts(200, 0, measure="a", n_planned=201), counts(200, 0, measure="b", n_planned=200)]
    assert {"a"} == open_of(BOTH, tallies, "fixed")


def test_rows_of_a_judge_that_was_never_measured_are_not_worth_asking() -> None:
    tallies = [judged(10, 0, None, measure="a"), judged(10, 0, None, measure="b")]
    assert set() == open_of(BOTH, tallies)


def test_a_missing_reference_closes_its_rows() -> None:
    read = load(row("<=", "{times_reference: 2}"), measures={"m": RATIO})
    assert set() == open_of(read, [counts(10, 0)])
    assert {"m"} == open_of(read, [counts(10, 0)], references={"m": counts(300, 60)})


def test_a_reference_that_decides_nothing_closes_its_rows() -> None:
    read = load(row("<=", "{times_reference: 0.5}"), measures={"m": f"{RATIO}, min_n: 300"})
    for reference in (judged(400, 60, None), counts(299, 60), counts(400, 60, 50)):
        assert set() == open_of(read, [counts(10, 10)], references={"m": reference})
    assert {"m"} == open_of(read, [counts(10, 10)], references={"m": counts(300, 60)})


LADDER = load(
    "",
    measures={"a": PLAIN, "b": PLAIN, "c": PLAIN},
    scale="  kind: assurance\n  levels:\n    - {id: U, name: u}\n"
    + "".join(f"    - {{id: {i.upper()}, name: {i}{i}, when: {row('<=', '0.1', i)}}}\n" for i in "abc"),
)


def test_levels_above_one_that_is_not_met_do_not_matter() -> None:
    tallies = [counts(200, 0, measure="a"), counts(20, 20, measure="b"), counts(3, 0, measure="c")]
    assert set() == open_of(LADDER, tallies)


def test_a_level_above_an_undetermined_one_still_matters_because_it_may_be_excluded() -> None:
    tallies = [counts(200, 0, measure="a"), counts(20, 2, measure="b"), counts(3, 0, measure="c")]
    assert {"b", "c"} == open_of(LADDER, tallies)


HAZARD = load(
    "",
    measures={"a": PLAIN, "b": PLAIN},
    attestations=ATTESTED,
    scale=f"""  kind: hazard
  levels:
    - {{id: A, name: a}}
    - {{id: B, name: b, rule_in: {row(">", "0.5", "a")}, rule_out: {{all: [{row("<", "0.5", "a")}, {{attested: x}}]}}}}
    - {{id: C, name: c, rule_in: {row(">", "0.5", "b")}, rule_out: {{all: [{row("<", "0.5", "b")}, {{attested: x}}]}}}}
""",
)


def test_on_a_hazard_scale_what_cannot_be_ruled_out_is_only_asked_to_establish() -> None:
    """Without the attestation nothing is ruled out; level B is not established, so C cannot be: all is settled."""
    tallies = [counts(60, 0, measure="a"), counts(3, 1, measure="b")]
    assert set() == open_of(HAZARD, tallies)
    assert {"b"} == open_of(HAZARD, tallies, attested=("x",))


def test_a_later_answer_can_open_a_measure_again() -> None:
    decider = Decider(BOTH, "anytime")
    b = counts(200, 0, measure="b")
    first = set(decider.open_measures({"a": counts(45, 0, measure="a"), "b": b}))
    again = set(decider.open_measures({"a": counts(60, 6, measure="a"), "b": b}))
    assert (set(), {"a"}) == (first, again)


def test_the_reference_and_attestations_must_fit_the_rubric() -> None:
    with pytest.raises(MalformedInput):
        Decider(BOTH, "anytime", attested=("nobody",))
    with pytest.raises(MalformedInput):
        Decider(BOTH, "anytime", references={"z": counts(1, 0, measure="z")})
    fixed = load(row("<=", "0.1"), statistics="alpha: 0.025, missing: worst_case, design: [fixed]")
    with pytest.raises(UsageError):
        Decider(fixed, "anytime")
