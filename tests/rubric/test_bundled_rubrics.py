"""The bundled rubrics: they are sound, and their levels can be reached by systems that deserve them."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec
import pytest
from shapes import counts, errors, families, judged

from verilabel.records.label import Label
from verilabel.records.plan import Design
from verilabel.records.score import ErrorCounts
from verilabel.records.tally import Tally
from verilabel.rubric.decide import decide
from verilabel.rubric.lint import remark_on
from verilabel.rubric.model import bundled_rubrics, find_rubric

JUDGE = errors(180, 200, 194, 200)
"""Sensitivity 0.90 and specificity 0.97, measured on 200 labelled outputs of each kind."""


def test_the_bundled_rubrics_of_this_page_are_there_in_the_order_of_their_ids() -> None:
    names = ["capability-ladder", "core", "grade-vs-reference", "open-label", "xstest-refusal"]
    bundled = [rubric.id for rubric in bundled_rubrics()]
    assert sorted(bundled) == bundled
    assert [f"verilabel/{name}" for name in names] == [name for name in bundled if name[10:] in names]


@pytest.mark.parametrize("name", ["core", "xstest", "open-label", "capability-ladder"])
def test_a_bundled_rubric_raises_no_doubts(name: str) -> None:
    assert () == remark_on(find_rubric(name))


def test_every_measure_names_the_version_of_its_suite() -> None:
    for rubric in bundled_rubrics():
        assert all("@" in measure.suite for measure in rubric.measures.values()), rubric.id


# ---------------------------------------------------------------- core


def core_label(
    harmful: int, refused: int, wrong: int, biased: int, design: Design, judge: ErrorCounts = JUDGE
) -> Label:
    """The label at these failures on some 260 items a suite: the core suites have more."""
    tallies = {
        "harm.direct": families((0, 0, 1, 260 - harmful), (1, 0, 1, harmful), measure="harm.direct"),
        "overrefusal": families((0, 0, 1, 260 - refused), (1, 0, 1, refused), measure="overrefusal"),
        "factual": counts(144, 144 - wrong, measure="factual"),
        "bias": families((4, 0, 4, 36 - biased), (2, 0, 4, biased), measure="bias"),
    }
    for name in ("harm.direct", "overrefusal"):
        tallies[name] = msgspec.structs.replace(tallies[name], exact=False, errors=judge)
    return decide(find_rubric("core"), tallies, design=design)


@pytest.mark.parametrize("design", ["fixed", "anytime"])
@pytest.mark.parametrize(
    ("failures", "granted", "not_excluded"),
    [
        ((0, 0, 0, 0), "L3", "L3"),
        ((0, 5, 10, 3), "L3", "L3"),
        ((6, 20, 30, 8), "L2", "L3"),
        ((16, 40, 30, 8), "L1", "L3"),
        ((200, 5, 10, 3), "U", "U"),
        ((0, 255, 10, 3), "U", "U"),
        ((0, 5, 140, 3), "U", "U"),
    ],
)
def test_core_levels_follow_the_failures(
    failures: tuple[int, int, int, int], granted: str, not_excluded: str, design: Design
) -> None:
    label = core_label(*failures, design=design)
    assert (granted, not_excluded) == (label.lower, label.upper)


def test_core_grants_nothing_on_a_judge_that_was_not_measured() -> None:
    label = core_label(0, 0, 0, 0, "fixed", judge=errors(0, 0, 0, 0))
    assert ("U", "L3", ("judge_uncertified",)) == (label.lower, label.upper, label.flags)


def test_core_can_be_decided_without_every_suite_but_not_granted() -> None:
    harm = judged(
        260, 0, JUDGE, measure="harm.direct", unit="family", clusters=families((0, 0, 1, 260)).clusters
    )
    label = decide(find_rubric("core"), {"harm.direct": harm}, design="fixed")
    assert ("U", "L3", "not_assessed") == (label.lower, label.upper, label.levels[0].status)


# ---------------------------------------------------------------- XSTest


def xstest_label(over: tuple[int, int], refused: tuple[int, int], judge: ErrorCounts | None) -> Label:
    def tally(name: str, n: int, events: int) -> Tally:
        return judged(n, events, judge, measure=name) if judge else counts(n, events, measure=name)

    tallies = {"overrefusal": tally("overrefusal", *over), "refusal": tally("refusal", *refused)}
    return decide(find_rubric("xstest"), tallies, design="fixed")


@pytest.mark.parametrize("judge", [None, errors(560, 600, 720, 750)])
@pytest.mark.parametrize(
    ("over", "refused", "granted", "not_excluded"),
    [
        ((250, 21), (200, 199), "L2", "L3"),  # what people found in the answers of GPT-4
        ((250, 149), (200, 200), "U", "L1"),  # Llama 2 with its original system prompt
        ((250, 4), (200, 72), "U", "U"),  # Mistral without a system prompt
        ((250, 5), (200, 199), "L3", "L3"),
    ],
)
def test_xstest_levels_tell_published_models_apart(
    over: tuple[int, int],
    refused: tuple[int, int],
    granted: str,
    not_excluded: str,
    judge: ErrorCounts | None,
) -> None:
    label = xstest_label(over, refused, judge)
    if judge is None and granted == "U":
        not_excluded = "U"
    assert (granted, not_excluded) == (label.lower, label.upper)


def test_the_counts_above_are_those_of_the_published_human_labels(shared_data: Path) -> None:
    found = {}
    for name in ("gpt4", "llama2orig", "mistralinstruct"):
        path = shared_data / "xstest" / "model_completions" / f"xstest_v2_completions_{name}.csv"
        with path.open(encoding="utf-8", newline="") as file:
            rows = [(row["type"].startswith("contrast"), row["final_label"]) for row in csv.DictReader(file)]
        refused = [unsafe for unsafe, label in rows if label != "1_full_compliance"]
        found[name] = (refused.count(False), refused.count(True))
    assert {"gpt4": (21, 199), "llama2orig": (149, 200), "mistralinstruct": (4, 72)} == found


# ---------------------------------------------------------------- the others


def test_the_grade_scale_needs_the_reference() -> None:
    rubric = find_rubric("grade-vs-reference")
    own = families((0, 0, 1, 495), (1, 0, 1, 5), measure="violation")
    reference = families((0, 0, 1, 430), (1, 0, 1, 70), measure="violation")
    alone = decide(rubric, {"violation": own}, design="fixed")
    compared = decide(rubric, {"violation": own}, design="fixed", references={"violation": reference})
    assert (("P", "VG"), ("VG", "VG")) == ((alone.lower, alone.upper), (compared.lower, compared.upper))


def test_the_capability_ladder_rules_out_only_with_the_attested_elicitation() -> None:
    rubric = find_rubric("capability-ladder")
    tallies = {
        "wmdp.proxy": counts(500, 200, measure="wmdp.proxy"),
        "virology.mcq": counts(150, 10, measure="virology.mcq"),
        "swe.hard": counts(45, 5, measure="swe.hard"),
        "cyber.ctf": counts(40, 5, measure="cyber.ctf"),
    }
    without = decide(rubric, tallies, design="fixed")
    attested = decide(rubric, tallies, design="fixed", attested=("elicitation",))
    assert (("C1", "C3"), ("C1", "C1")) == ((without.lower, without.upper), (attested.lower, attested.upper))


def test_a_bundled_rubric_pins_every_suite_that_comes_with_the_package() -> None:
    from verilabel.suites.loading import bundled_files

    digests = {
        f"{file.manifest.id}@{file.manifest.version.split('.')[0]}": file.digest for file in bundled_files()
    }
    pins = {
        (rubric.id, measure.suite): measure.suite_sha256
        for rubric in bundled_rubrics()
        for measure in rubric.measures.values()
        if measure.suite in digests
    }
    assert len(pins) >= 7
    assert {key: digests[key[1]] for key in pins} == pins
