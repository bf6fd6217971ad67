"""The bundled rubrics for frameworks and uses: sound, sourced, honest about whose reading they are, and reachable."""

from __future__ import annotations

import json
from itertools import pairwise, product

import jsonschema
import msgspec
import pytest
from shapes import counts, families

from verilabel.records.canonical import digest
from verilabel.records.label import Label
from verilabel.records.strict_yaml import load_strict_yaml
from verilabel.records.tally import Tally
from verilabel.rubric.decide import decide
from verilabel.rubric.explain import explain_rubric
from verilabel.rubric.lint import remark_on
from verilabel.rubric.model import BUNDLED, bundled_rubrics, find_rubric
from verilabel.rubric.structure import AttestedBy, Criterion, Rubric, criteria_of, every_rule_of

RUBRICS = {rubric.id.removeprefix("verilabel/"): rubric for rubric in bundled_rubrics()}
FRAMEWORKS = (
    *("ailuminate-hazards", "cais-risk-index", "compl-ai", "frontier-safety-3", "gpai-systemic-risk"),
    *("helm-safety", "meta-frontier", "preparedness-v2", "rsp-2.2", "rsp-3"),
)
PROFILES = (
    *("coding-agent", "creative-writing", "customer-support", "financial-services"),
    "medical-information",
)
PINNED = {
    "capability-ladder.yaml": "8ea3a174",
    "core.yaml": "961184611",
    "grade-vs-reference.yaml": "e3fd5473",
    "open-label.yaml": "aecd049a",
    "xstest.yaml": "a8af9151",
}
FORBIDDEN = ("compliant", "certified", "guarantee", " safe.", "is safe")


def leaves(rubric: Rubric) -> list[Criterion | AttestedBy]:
    return [
        leaf
        for level in rubric.scale.levels
        for rule in every_rule_of(level).values()
        for leaf in criteria_of(rule)
    ]


def test_there_is_a_rubric_for_every_framework_and_use() -> None:
    assert {*FRAMEWORKS, *PROFILES, "capability-factors"} <= set(RUBRICS)
    assert len(RUBRICS) >= 20


@pytest.mark.parametrize("file", sorted(PINNED))
def test_the_first_rubrics_are_still_the_bytes_that_labels_pin(file: str) -> None:
    assert digest((BUNDLED / file).read_bytes()).startswith(f"sha256:{PINNED[file]}")


@pytest.mark.parametrize("name", sorted(RUBRICS))
def test_a_rubric_raises_no_doubts_and_can_be_explained(name: str) -> None:
    rubric = RUBRICS[name]
    assert () == remark_on(rubric)
    explained = "\n".join(explain_rubric(rubric).lines())
    assert all(level.name in explained for level in rubric.scale.levels[1:])


def test_every_rubric_has_the_form_of_the_schema() -> None:
    schema = json.loads((BUNDLED / "rubric.schema.json").read_text("utf-8"))
    for path in BUNDLED.glob("*.yaml"):
        document = json.loads(json.dumps(load_strict_yaml(path.read_bytes(), where=path.name), default=float))
        jsonschema.validate(document, schema)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_reading_of_a_framework_names_its_source_and_calls_itself_an_interpretation(name: str) -> None:
    rubric = RUBRICS[name]
    assert any(source.relation == "interpretation" for source in rubric.sources)
    for source in rubric.sources:
        assert source.title and source.uri.startswith("https://"), source.id
    assert "our reading" in rubric.title
    assert "nterpretation" in (rubric.summary or "")
    assert "ours" in (rubric.summary or "")


@pytest.mark.parametrize("name", sorted(RUBRICS))
def test_a_vendors_level_name_is_never_a_verdict_of_ours(name: str) -> None:
    for level in RUBRICS[name].scale.levels:
        vendors = any(word in level.name for word in ("ASL-", "CCL", "Critical", "High", "Excellent-like"))
        if vendors and name in FRAMEWORKS:
            assert "-like" in level.name and "our reading" in level.name, level.name


@pytest.mark.parametrize("name", sorted(RUBRICS))
def test_no_rubric_promises_what_no_evidence_can_show(name: str) -> None:
    rubric = RUBRICS[name]
    words = " ".join([rubric.title, rubric.summary or "", *(lv.meaning or "" for lv in rubric.scale.levels)])
    assert [] == [word for word in FORBIDDEN if word in words.lower()]


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_for_its_use(name: str) -> None:
    assert (name,) == RUBRICS[name].scope.use_cases


def best(rubric: Rubric) -> Label:
    """The label of a system that fails nothing, on generous numbers, with everything attested."""
    tallies: dict[str, Tally] = {}
    for name, measure in rubric.measures.items():
        good = measure.direction == "higher_is_safer"
        if measure.unit == "family":
            tallies[name] = families((int(good), 0, 1, 6000), measure=name)
        else:
            tallies[name] = counts(6000, 6000 if good else 0, measure=name)
        fields = {"unit": measure.unit, "population": measure.population, "complement": measure.negate}
        tallies[name] = msgspec.structs.replace(tallies[name], **fields)  # type: ignore[arg-type]
    references = {
        name: msgspec.structs.replace(families((0, 0, 1, 900), (1, 0, 1, 900), measure=name))
        for name, measure in rubric.measures.items()
        if measure.reference
    }
    return decide(rubric, tallies, design="fixed", attested=tuple(rubric.attestations), references=references)


@pytest.mark.parametrize("name", (*FRAMEWORKS, *PROFILES, "agent-hazards", "capability-factors"))
def test_the_best_end_of_a_scale_can_be_shown(name: str) -> None:
    rubric = RUBRICS[name]
    label = best(rubric)
    if rubric.scale.kind == "assurance":
        assert rubric.scale.levels[-1].id == label.lower
    else:
        assert (label.scale[0], label.scale[0]) == (label.lower, label.upper)


@pytest.mark.parametrize(
    "name", [name for name, rubric in sorted(RUBRICS.items()) if rubric.scale.kind == "hazard"]
)
def test_the_dangerous_end_of_a_hazard_scale_can_be_established(name: str) -> None:
    rubric = RUBRICS[name]
    tallies = {}
    for key, measure in rubric.measures.items():
        made = (
            families((1, 0, 1, 6000), measure=key)
            if measure.unit == "family"
            else counts(6000, 6000, measure=key)
        )
        tallies[key] = msgspec.structs.replace(made, unit=measure.unit, population=measure.population)
    label = decide(rubric, tallies, design="fixed", attested=tuple(rubric.attestations))
    assert label.scale[-1] == label.lower


# ---------------------------------------------------------------- capability factors

FACTORS = ("code", "persuasion", "planning", "dual-use")


def factor(name: str, *, capable: bool) -> Tally:
    """A measure of which nine in ten show the event, or one in ten."""
    if RUBRICS["capability-factors"].measures[name].unit == "family":
        shown, other = (900, 100) if capable else (100, 900)
        tally = families((1, 0, 1, shown), (0, 0, 1, other), measure=name)
        return msgspec.structs.replace(tally, population="items_sampled")
    return counts(1000, 900 if capable else 100, measure=name)


@pytest.mark.parametrize("capable", list(product((False, True), repeat=4)))
def test_the_capability_factors_level_is_how_many_factors_come_together(capable: tuple[bool, ...]) -> None:
    tallies = {name: factor(name, capable=can) for name, can in zip(FACTORS, capable, strict=True)}
    label = decide(RUBRICS["capability-factors"], tallies, design="fixed")
    level = f"F{sum(capable)}"
    assert (level, level) == (label.lower, label.upper)


def test_a_factor_that_was_not_measured_cannot_be_ruled_out() -> None:
    tallies = {name: factor(name, capable=False) for name in FACTORS[:3]}
    label = decide(RUBRICS["capability-factors"], tallies, design="fixed")
    assert ("F0", "F1") == (label.lower, label.upper)


def test_more_factors_ask_for_more_safeguards() -> None:
    asked = []
    for level in RUBRICS["capability-factors"].scale.levels[1:]:
        assert level.safeguards is not None
        asked.append(
            {leaf.attested for leaf in criteria_of(level.safeguards) if isinstance(leaf, AttestedBy)}
        )
    assert all(less < more for less, more in pairwise(asked))


# ---------------------------------------------------------------- worst hazard


def hazard_label(bad: str | None) -> Label:
    rubric = find_rubric("ailuminate-hazards")
    own = {
        name: families(*(((1, 0, 1, 40),) if name == bad else ((0, 0, 1, 42),)), measure=name)
        for name in rubric.measures
    }
    reference = {name: families((0, 0, 1, 800), (1, 0, 1, 200), measure=name) for name in rubric.measures}
    return decide(rubric, own, design="fixed", references=reference)


def test_one_bad_hazard_holds_the_grade_down() -> None:
    assert [("G", "E"), ("P", "P")] == [
        (label.lower, label.upper) for label in (hazard_label(None), hazard_label("hte"))
    ]


def test_no_leaf_looks_at_a_measure_that_is_not_there() -> None:
    for rubric in RUBRICS.values():
        named = {leaf.measure for leaf in leaves(rubric) if isinstance(leaf, Criterion)}
        assert named == set(rubric.measures), rubric.name
