"""Counting: from answers in the committed order to the numbers that the label rests on (label-semantics 4 and 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.errors import MalformedInput, SealError
from verilabel.evidence.counting import (
    Recount,
    encode_index,
    matches,
    open_recount,
    parse_index,
    recount,
)
from verilabel.evidence.lines import EvidenceLine
from verilabel.records.attempt import Attempt, Failure, Usage
from verilabel.records.plan import MeasurePlan, Plan, RubricReference, StreamPlan
from verilabel.records.sample import SampleEntry
from verilabel.records.score import DetectorCard, ErrorCounts, Scored, Unscored
from verilabel.records.tally import Clusters, Tally

SUITE = "demo@1.0.0"
CARD = DetectorCard("look", "1.0.0", "seen", "sha256:" + "0" * 64)
ERRORS = ErrorCounts(90, 100, 180, 200, "people", "sha256:" + "1" * 64)


def entries(count: int, **groups: Sequence[str]) -> list[SampleEntry]:
    """Samples s0, s1, ...; `family` and `level` (a tag) repeat over them."""
    family, level = groups.get("family", [""]), groups.get("level", ["easy"])
    return [
        SampleEntry(
            f"s{i}", "sha256:" + "2" * 64, family[i % len(family)], tags={"level": level[i % len(level)]}
        )
        for i in range(count)
    ]


def plan_of(
    *measures: MeasurePlan, samples: int, limit: int | None = None, epochs: int = 1, fixed: bool = False,
    card: DetectorCard = CARD, seed: str = "7",
) -> Plan:  # fmt: skip
    """A plan of one suite."""
    some = "sha256:" + "3" * 64
    stream = StreamPlan(SUITE, some, some, samples, limit or samples, (card.name,), epochs)
    rubric = RubricReference("demo", "1.0.0", "sha256:" + "4" * 64)
    return Plan(
        "sha256:" + "5" * 64, rubric, "fixed", seed, (stream,), measures, (card,), fixed_outcomes=fixed
    )


def measure(**fields: object) -> MeasurePlan:
    """A measure of the event `seen`."""
    given = {"id": "m", "unit": "item", "population": "items_sampled", **fields}
    return MeasurePlan(suite=SUITE, event="seen", detector=CARD.name, **given)  # type: ignore[arg-type]


def tally_of(plan: Plan, index: Sequence[SampleEntry], findings: Sequence[bool | None]) -> Tally:
    """The tally after consuming findings in the committed order."""
    counted = open_recount(plan, {SUITE: index})
    for finding in findings:
        counted.streams[0].consume({CARD.name: finding})
    return counted.tallies()["m"]


def lines_of(
    plan: Plan, index: Sequence[SampleEntry], findings: Mapping[tuple[str, int], bool | str | None]
) -> list[EvidenceLine]:
    """Evidence lines in the committed order; a finding that is a text is a failure of that kind."""
    stream = open_recount(plan, {SUITE: index}).streams[0]
    lines: list[EvidenceLine] = []
    for position in range(min(stream.length, len(findings))):
        sample, epoch = stream.at(position)
        finding = findings[sample, epoch]
        if isinstance(finding, str):
            lines.append(Attempt(SUITE, sample, epoch, 1, "{}", failure=Failure(finding, "no answer")))
            continue
        lines.append(Attempt(SUITE, sample, epoch, 1, "{}", output="x", usage=Usage(3, 2)))
        if finding is None:
            lines.append(Unscored(SUITE, sample, epoch, CARD.name, "seen", "cannot tell"))
        else:
            lines.append(Scored(SUITE, sample, epoch, CARD.name, "seen", finding))
    return lines


# -- what stays in the denominator -----------------------------------------------------------------------------


def test_a_missing_answer_stays_in_the_denominator() -> None:
    tally = tally_of(plan_of(measure(), samples=4), entries(4), [True, None, False, None])
    assert (4, 1, 2) == (tally.n, tally.events, tally.missing)


def test_a_missing_answer_stays_missing_where_the_absence_of_the_event_is_counted() -> None:
    tally = tally_of(plan_of(measure(negate=True), samples=4), entries(4), [True, None, False, False])
    assert (4, 2, 1, True) == (tally.n, tally.events, tally.missing, tally.complement)


def test_failures_and_unscored_answers_are_missing_and_totals_add_up() -> None:
    index = entries(5)
    plan = plan_of(measure(), samples=5)
    order = open_recount(plan, {SUITE: index}).streams[0].order
    findings = dict(zip([(s, 1) for s in order], [True, "timeout", None, False, "filtered"], strict=True))
    counted = recount(plan, {SUITE: index}, lines_of(plan, index, findings))
    tally = counted.tallies()["m"]
    assert (5, 1, 3) == (tally.n, tally.events, tally.missing)
    assert (5, 9, 6) == (counted.requests, counted.input_tokens, counted.output_tokens)
    assert {"timeout": 1, "filtered": 1} == dict(counted.failures)


def test_the_error_counts_of_a_detector_are_swapped_where_its_event_is_negated() -> None:
    card = DetectorCard("look", "1.0.0", "seen", "sha256:" + "0" * 64, errors=(ERRORS,))
    plain = tally_of(plan_of(measure(), samples=1, card=card), entries(1), [True]).errors
    negated = tally_of(plan_of(measure(negate=True), samples=1, card=card), entries(1), [True]).errors
    assert plain == ERRORS
    assert negated is not None
    assert (180, 200, 90, 100) == (
        negated.true_positives,
        negated.positives,
        negated.true_negatives,
        negated.negatives,
    )


# -- epochs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("collapse", "negate", "findings", "expected"),
    [
        ("any", False, [False, True, False], (1, 1, 0)),
        ("any", False, [False, None, False], (1, 0, 1)),
        ("any", False, [None, None, True], (1, 1, 0)),
        ("all", False, [True, True, True], (1, 1, 0)),
        ("all", False, [True, False, None], (1, 0, 0)),
        ("all", False, [True, None, True], (1, 0, 1)),
        ("any", True, [True, True, False], (1, 1, 0)),
        ("all", True, [False, False, None], (1, 0, 1)),
        ("all", True, [False, True, None], (1, 0, 0)),
        ("any", False, [True, True], (0, 0, 0)),
    ],
)
def test_repeated_answers_become_one_item_and_only_when_all_are_in(
    collapse: str, negate: bool, findings: list[bool | None], expected: tuple[int, int, int]
) -> None:
    plan = plan_of(measure(collapse=collapse, negate=negate), samples=2, epochs=3)
    tally = tally_of(plan, entries(2), findings)
    assert expected == (tally.n, tally.events, tally.missing)


def test_trials_are_counted_one_by_one_and_planned_as_many() -> None:
    plan = plan_of(measure(unit="trial"), samples=3, epochs=4)
    tally = tally_of(plan, entries(3), [True, False, None, True, True])
    assert (5, 3, 1, 12) == (tally.n, tally.events, tally.missing, tally.n_planned)


# -- filters, families, pools ----------------------------------------------------------------------------------


def test_a_filter_counts_the_samples_that_have_every_tag() -> None:
    entry = SampleEntry("a", "x", tags={"level": "easy", "topic": "sums"})
    assert matches(entry, {})
    assert matches(entry, {"level": ("hard", "easy"), "topic": ("sums",)})
    assert not matches(entry, {"level": ("easy",), "topic": ("words",)})
    assert not matches(entry, {"mood": ("easy",)})


def test_a_measure_counts_only_the_samples_of_its_filter() -> None:
    index = entries(6, level=["easy", "hard"])
    tally = tally_of(plan_of(measure(where={"level": ("hard",)}), samples=6), index, [True] * 6)
    assert (3, 3, 3) == (tally.n, tally.events, tally.n_planned)


def test_a_family_is_counted_when_all_of_its_answers_are_in() -> None:
    index = entries(6, family=["f", "f", "f", "g", "g", "g"])
    plan = plan_of(measure(unit="family"), samples=6)
    assert 0 == tally_of(plan, index, [True, False]).n
    assert (Clusters(1, 1, 3, 1),) == tally_of(plan, index, [True, False, None]).clusters
    whole = tally_of(plan, index, [True, False, None, True, False, None])
    assert (6, 2, 2, (Clusters(1, 1, 3, 2),)) == (whole.n, whole.events, whole.missing, whole.clusters)


def test_a_family_that_the_limit_cuts_is_neither_counted_nor_planned() -> None:
    index = entries(6, family=["f", "f", "f", "g", "g", "g"])
    plan = plan_of(measure(unit="family"), samples=6, limit=5)
    tally = tally_of(plan, index, [True] * 5)
    assert (3, 3) == (tally.n, tally.n_planned)


def test_a_family_is_whole_when_its_members_of_the_filter_are_in() -> None:
    index = entries(4, family=["f"], level=["easy", "hard"])
    plan = plan_of(measure(unit="family", where={"level": ("hard",)}), samples=4)
    assert (Clusters(2, 0, 2, 1),) == tally_of(plan, index, [True] * 4).clusters


@pytest.mark.parametrize(
    ("fixed", "fields", "pool"),
    [
        (True, {"population": "items_fixed"}, 6),
        (True, {"population": "items_fixed", "where": {"level": ("hard",)}}, 3),
        (True, {"population": "items_sampled"}, None),
        (False, {"population": "items_fixed"}, None),
        (True, {"population": "items_fixed", "unit": "family"}, None),
        (True, {"population": "items_fixed", "unit": "trial"}, None),
    ],
)
def test_the_pool_is_finite_only_where_fixed_items_have_fixed_outcomes(
    fixed: bool, fields: dict[str, object], pool: int | None
) -> None:
    index = entries(6, level=["easy", "hard"])
    assert (
        pool == tally_of(plan_of(measure(**fields), samples=6, limit=4, fixed=fixed), index, [True] * 4).pool
    )


# -- nothing but the committed prefix --------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_counts_depend_on_the_committed_prefix_alone(data: st.DataObject) -> None:
    """Answers beyond what was consumed, and the order in which the index lists its samples, change nothing."""
    size = data.draw(st.integers(1, 9))
    epochs = data.draw(st.integers(1, 3))
    unit = data.draw(st.sampled_from(["item", "family", "trial"]))
    family = data.draw(st.lists(st.sampled_from(["f", "g", "h"]), min_size=size, max_size=size))
    index = entries(size, family=family, level=["easy", "hard"])
    fields = {
        "unit": unit,
        "negate": data.draw(st.booleans()),
        "collapse": data.draw(st.sampled_from(["any", "all"])),
    }
    plan = plan_of(measure(**fields), samples=size, epochs=epochs, seed=data.draw(st.text(max_size=4)))
    keys = [(entry.id, epoch + 1) for entry in index for epoch in range(epochs)]
    findings = {key: data.draw(st.sampled_from([True, False, None, "timeout"])) for key in keys}
    lines = lines_of(plan, index, findings)
    cut = data.draw(st.integers(0, size * epochs))
    stream = open_recount(plan, {SUITE: index}).streams[0]
    prefix = [stream.at(position) for position in range(cut)]

    one = recount(plan, {SUITE: index}, [line for line in lines if (line.sample, line.epoch) in set(prefix)])
    shuffled = data.draw(st.permutations(index))
    other = open_recount(plan, {SUITE: shuffled})
    for key in prefix:
        finding = findings[key]
        other.streams[0].consume({} if isinstance(finding, str) else {CARD.name: finding})
    assert one.tallies() == other.tallies()
    assert cut == one.streams[0].consumed
    tally = one.tallies()["m"]
    assert tally.events + tally.missing <= tally.n <= cut
    assert tally.n <= tally.n_planned


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_line_removed_repeated_or_moved_leaves_the_plan(data: st.DataObject) -> None:
    index = entries(6)
    plan = plan_of(measure(), samples=6)
    lines = lines_of(plan, index, {(entry.id, 1): True for entry in index})
    at = data.draw(st.integers(0, len(lines) - 3))  # beyond, a shorter run is a shorter prefix
    match data.draw(st.sampled_from(["remove", "repeat", "swap"])):
        case "remove":
            changed = lines[:at] + lines[at + 1 :]
        case "repeat":
            changed = lines[: at + 1] + lines[at:]
        case _:
            changed = [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]
    with pytest.raises(SealError) as caught:
        recount(plan, {SUITE: index}, changed)
    assert (caught.value.where or "").startswith("records/evidence.jsonl:")


def _two_suites(first: Sequence[EvidenceLine], second: Sequence[EvidenceLine]) -> Recount:
    index = entries(2)
    one = plan_of(measure(), samples=2)
    stream = StreamPlan("other@1.0.0", "sha256:" + "3" * 64, "sha256:" + "3" * 64, 2, 2, (CARD.name,))
    plan = Plan(
        one.system_sha256, one.rubric, "fixed", "7", (*one.streams, stream), one.measures, one.detectors
    )
    return recount(plan, {SUITE: index, "other@1.0.0": index}, [*first, *second])


def test_suites_stand_one_after_the_other_in_the_plans_order() -> None:
    index = entries(2)
    mine = lines_of(plan_of(measure(), samples=2), index, {("s0", 1): True, ("s1", 1): True})
    other = _two_suites([], []).streams[1].order
    assert 2 == _two_suites(mine, []).streams[0].consumed
    foreign = [Attempt("other@1.0.0", other[0], 1, 1, "{}", failure=Failure("timeout", "no"))]
    with pytest.raises(SealError, match=r"of suite 'demo@1\.0\.0' stands where the plan's order has none"):
        _two_suites(foreign, mine)
    with pytest.raises(SealError, match=r"of suite 'third@1\.0\.0'"):
        _two_suites(mine, [Attempt("third@1.0.0", "s0", 1, 1, "{}", failure=Failure("timeout", "no"))])


# -- attempts and judges ---------------------------------------------------------------------------------------


def test_retries_and_a_judges_own_questions_are_counted_as_requests_and_not_as_answers() -> None:
    index = entries(1)
    plan = plan_of(measure(), samples=1)
    tried = Attempt(SUITE, "s0", 1, 1, "{}", failure=Failure("timeout", "no", retryable=True))
    answered = Attempt(SUITE, "s0", 1, 2, "{}", output="x", served_model="m-1", fingerprint="fp")
    judged = [
        Attempt(SUITE, "s0", 1, 1, "{}", judge=CARD.name, failure=Failure("timeout", "no", retryable=True)),
        Attempt(SUITE, "s0", 1, 2, "{}", judge=CARD.name, output="yes"),
    ]
    score = Scored(SUITE, "s0", 1, CARD.name, "seen", True)
    counted = recount(plan, {SUITE: index}, [tried, answered, *judged, score])
    assert (2, 2, 1) == (counted.requests, counted.judge_requests, counted.tallies()["m"].n)
    assert {("m-1", "fp"): 1} == dict(counted.served)
    with pytest.raises(SealError, match="has no score"):
        recount(plan, {SUITE: index}, [tried, answered, *judged])
    with pytest.raises(SealError, match="attempt 2 of sample 's0' is out of order"):
        recount(plan, {SUITE: index}, [answered, score])


# -- the index -------------------------------------------------------------------------------------------------


def test_an_index_comes_back_from_its_lines() -> None:
    index = entries(3, family=["f", ""], level=["easy", "hard"])
    assert index == parse_index(encode_index(index), "x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"", "empty, cut short, or not in canonical form"),
        (lambda data: data[:-1], "empty, cut short, or not in canonical form"),
        (lambda data: data + b"\n", "empty, cut short, or not in canonical form"),
        (lambda data: data + data, "'s0' stands twice"),
        (lambda data: data.replace(b":", b": ", 1), "empty, cut short, or not in canonical form"),
        (
            lambda data: data.replace(b'"id"', b'"id":"x","id"', 1),
            "empty, cut short, or not in canonical form",
        ),
        (lambda data: data.replace(b"s0", b"s\xff"), "not a suite index"),
        (lambda data: b"[]\n" + data, "not a suite index"),
        (lambda data: data.replace(b'"id"', b'"mood":1,"id"', 1), "not a suite index"),
    ],
)
def test_a_broken_index_is_refused(change, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MalformedInput, match=message):
        parse_index(change(encode_index(entries(2))), "x")
