"""Rubric files: what is read, what every mistake is called, and that the schema says the same."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from refusals import REFUSED_RUBRICS
from shapes import AT_MOST_5, PLAIN, RATIO, STATISTICS, row, rubric

from verilabel.errors import LimitExceeded, MalformedInput, UsageError
from verilabel.records.canonical import digest
from verilabel.records.strict_yaml import load_strict_yaml
from verilabel.rubric.lint import remark_on
from verilabel.rubric.model import BUNDLED, find_rubric, load_rubric
from verilabel.rubric.structure import AtLeast, Criterion, TimesReference

SCHEMA = json.loads((BUNDLED / "rubric.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
CORE = (BUNDLED / "core.yaml").read_bytes()


def refusal_of(text: str) -> MalformedInput:
    with pytest.raises(MalformedInput) as refused:
        load_rubric(text.encode(), "my.yaml")
    return refused.value


def test_a_rubric_keeps_the_digest_of_its_exact_bytes() -> None:
    assert digest(CORE) == load_rubric(CORE, "core").reference.sha256
    assert digest(CORE + b"\n") == load_rubric(CORE + b"\n", "core").sha256


def test_numbers_are_the_decimals_that_the_file_says() -> None:
    read = load_rubric(AT_MOST_5.encode(), "f")
    assert Decimal("0.025") == read.statistics.alpha
    assert Criterion(measure="m", op="<=", value=Decimal("0.05")) == read.scale.levels[1].when


def test_a_rule_is_read_as_a_tree() -> None:
    text = rubric(
        f"{{at_least: 1, of: [{row('<', '{times_reference: 1.5}')}, {row('<', '0.2')}]}}",
        measures={"m": RATIO},
    )
    read = load_rubric(text.encode(), "f").scale.levels[1].when
    assert isinstance(read, AtLeast)
    first = read.children[0]
    assert (1, "at_least", 2) == (read.need, read.word, len(read.children))
    assert isinstance(first, Criterion) and TimesReference(Decimal("1.5")) == first.value


@pytest.mark.parametrize(
    ("event", "scorer", "detected", "detector"),
    [
        ("violation", "", "harmful", "harmful"),
        ("harmful", "", "harmful", "harmful"),
        ("refusal", "", "refused", "refusal"),
        ("refused", "", "refused", "refusal"),
        ("correct", "", "correct", None),
        ("violation", ", scorer: judge", "harmful", "judge"),
    ],
)
def test_a_measure_names_its_detector_by_its_event(
    event: str, scorer: str, detected: str, detector: str | None
) -> None:
    text = rubric(row("<=", "0.1"), measures={"m": PLAIN.replace("violation", event) + scorer})
    measure = load_rubric(text.encode(), "f").measures["m"]
    assert (detected, detector) == (measure.detected_event, measure.detector)


def test_repeated_answers_collapse_to_the_worst_for_the_claim() -> None:
    measures = {
        "a": PLAIN,
        "b": PLAIN.replace("lower_is_safer", "higher_is_safer"),
        "c": PLAIN.replace("proportion", "pass_at_k").replace("lower_is_safer", "higher_is_safer") + ", k: 3",
    }
    read = load_rubric(rubric(row("<=", "0.1", "a"), measures=measures).encode(), "f").measures
    assert {"a": "any", "b": "all", "c": "any"} == {name: measure.collapse for name, measure in read.items()}


def test_a_filter_takes_one_value_or_several() -> None:
    text = rubric(row("<=", "0.1"), measures={"m": f"{PLAIN}, filter: {{label: safe, hazard: [vcr, ncr]}}"})
    read = load_rubric(text.encode(), "f")
    assert {"label": ("safe",), "hazard": ("vcr", "ncr")} == read.measures["m"].filter


# ---------------------------------------------------------------- mistakes


def test_an_unknown_measure_is_named_with_its_path_and_the_nearest_name() -> None:
    error = refusal_of(
        rubric(
            f"{{all: [{row('<=', '0.05')}, {row('<=', '0.05', 'hram')}]}}",
            measures={"m": PLAIN, "harm": PLAIN},
        )
    )
    assert "my.yaml $.scale.levels[1].when.all[1].measure" == error.where
    assert "did you mean 'harm'?" == error.hint


@pytest.mark.parametrize(
    ("old", "new", "path", "hint"),
    [
        ("min_n: 60", "minn: 60", "$.measures.factual.minn", "did you mean 'min_n'?"),
        ("max_missing:", "max_mising:", "$.statistics.max_mising", "did you mean 'max_missing'?"),
        ("adjust:", "adjusts:", "$.statistics.judge.adjusts", "did you mean 'adjust'?"),
        ("bind: [weights", "bind: [wieghts", "$.scope.bind[0]", "did you mean 'weights'?"),
        ("unit: item", "unit: items", "$.measures.factual.unit", "did you mean 'item'?"),
        ("stewards: [{name", "stewards: [{nmae", "$.stewards[0].nmae", "did you mean 'name'?"),
        ("kind: assurance", "kind: hazzard", "$.scale.kind", "assurance or hazard"),
        ("        all:", "        alll:", "$.scale.levels[1].when", "did you mean 'all'?"),
        ("\nversion: 0.1.0", "\nversion: 0.1", "$.version", "put it in quotes"),
        ("alpha: 0.025", "alpha: '0.025'", "$.statistics.alpha", "write it without quotes"),
        ("harm.direct:", "harm direct:", "$.measures.harm direct", "it must match"),
        ("min_n: 60", "min_n: 0", "$.measures.factual.min_n", None),
        ("min_n: 60", "min_n: 1.5", "$.measures.factual.min_n", None),
        ("unit: item", "negate: 1", "$.measures.factual.negate", None),
        ("design: [fixed, anytime]", "design: []", "$.statistics.design", None),
        ("design: [fixed, anytime]", "design: fixed", "$.statistics.design", None),
    ],
)
def test_a_mistake_is_named_with_its_path_and_a_hint(old: str, new: str, path: str, hint: str | None) -> None:
    text = CORE.decode()
    assert old in text
    error = refusal_of(text.replace(old, new, 1))
    assert f"my.yaml {path}" == error.where
    assert (hint is None and error.hint is None) or (hint or "?") in (error.hint or "")


@pytest.mark.parametrize("name", sorted(REFUSED_RUBRICS))
def test_a_rubric_that_breaks_a_rule_is_refused(name: str) -> None:
    error = refusal_of(REFUSED_RUBRICS[name])
    assert error.message and error.where and error.where.startswith("my.yaml")


def test_a_file_of_something_else_is_refused() -> None:
    assert "my.yaml $" == refusal_of("[1, 2]").where
    assert "my.yaml $.verilabel" == refusal_of("verilabel: suite/v1").where


def test_a_file_cannot_claim_its_own_digest() -> None:
    assert "my.yaml $.sha256" == refusal_of(AT_MOST_5 + "sha256: x\n").where


def test_too_many_rows_are_refused() -> None:
    many = ", ".join(row("<=", "0.05") for _ in range(1001))
    with pytest.raises(LimitExceeded, match="1001 rows"):
        load_rubric(rubric(f"{{all: [{many}]}}").encode(), "f")


# ---------------------------------------------------------------- the schema says the same


def document_of(text: str | bytes) -> Any:
    return load_strict_yaml(text if isinstance(text, bytes) else text.encode(), where="f")


def schema_accepts(document: Any) -> bool:
    return bool(VALIDATOR.is_valid(document))


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", sorted(BUNDLED.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_schema_accepts_every_bundled_rubric(path: Path) -> None:
    assert [] == [error.message for error in VALIDATOR.iter_errors(document_of(path.read_bytes()))]


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            yield from _places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, (*path, index))


def _at(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def _mutants(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The document with one key removed, added or given a value of another kind: one mutant each."""
    for path in _places(document):
        if "filter" in path[:-1] or path[-1] == "verilabel":
            continue
        for change in ("removed", "nothing", "number", "text", "list", "table", "unknown key"):
            mutant = copy.deepcopy(document)
            parent = _at(mutant, path[:-1])
            new = {"nothing": None, "number": 7, "text": "?!", "list": [], "table": {}}
            if change == "removed":
                del parent[path[-1]]
            elif change == "unknown key":
                if not isinstance(parent[path[-1]], dict) or path[-1] in (
                    "measures",
                    "attestations",
                    "filter",
                ):
                    continue
                parent[path[-1]]["surplus"] = 1
            else:
                parent[path[-1]] = new[change]
            yield f"{change} at {path}", mutant


def _as_yaml(document: Any) -> bytes:
    """JSON is strict YAML, but for decimals, which JSON text of the standard library cannot hold."""
    return (
        json.dumps(document, default=lambda number: f"@{number}@")
        .replace('"@', "")
        .replace('@"', "")
        .encode()
    )


FULL = rubric(
    f"{{any: [{row('<=', '{times_reference: 2}', 'ratio')}, {{attested: x}}]}}",
    measures={"ratio": f"{RATIO}, filter: {{a: b}}, min_n: 5, negate: true, elicitation: [one]"},
    statistics=f"{STATISTICS}, margin: 0.01, design: [anytime], judge: {{adjust: none}}",
    attestations="attestations: {x: {statement: s, role: r, max_age: P3D}}\nsources: [{id: a, uri: b}]\n",
)


HAZARD = rubric(
    "",
    measures={"m": PLAIN},
    scale="""  kind: hazard
  levels:
    - {id: A, name: a}
    - id: B
      name: b
      rule_in: {measure: m, op: ">", value: 0.5}
      rule_out: {measure: m, op: "<", value: 0.5}
      requires: [x]
""",
)


@pytest.mark.parametrize("text", [FULL, HAZARD], ids=["assurance", "hazard"])
def test_what_the_schema_refuses_is_refused_and_what_is_read_the_schema_accepts(text: str) -> None:
    disagreements = []
    for name, mutant in _mutants(document_of(text)):
        data = _as_yaml(mutant)
        try:
            load_rubric(data, "f")
            is_read = True
        except MalformedInput:
            is_read = False
        # the reader also checks meaning, so it may refuse what has the right form, never the other way round
        if is_read and not schema_accepts(document_of(data)):
            disagreements.append(f"read, but not by the schema: {name}")
    assert [] == disagreements


FORM = (
    "unknown-key",
    "threshold-in-quotes",
    "no-such-comparison",
    "empty-all",
    "two-rules-in-one",
    "one-level",
)
FORM += ("alpha-too-large", "unknown-choice", "missing-key", "estimand-that-is-not-decided", "another-format")
FORM += ("tag-value-that-is-no-text",)


@pytest.mark.parametrize("name", FORM)
def test_a_mistake_of_form_is_refused_by_the_schema_too(name: str) -> None:
    assert not schema_accepts(document_of(REFUSED_RUBRICS[name]))


# ---------------------------------------------------------------- doubts and names


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        (rubric(row("<=", "0.1"), measures={"m": PLAIN, "k": PLAIN}), "$.measures.k", "no level"),
        (
            rubric(row("<=", "0.1"), attestations="attestations: {x: {statement: s, role: r}}\n"),
            "$.attestations.x",
            "no level",
        ),
        (
            rubric(row("<=", "0.1"), measures={"m": PLAIN.replace("@1", "")}),
            "$.measures.m.suite",
            "no @major",
        ),
        (rubric(row("<=", "0.1")), "$.measures.m.min_n", "36"),
        (
            rubric(
                "",
                scale="  kind: assurance\n  levels: [{id: A, name: a}, {id: B, name: b, when: "
                + row("<=", "0.1")
                + "}, {id: C, name: c, when: "
                + row("<=", "0.2")
                + "}]\n",
            ),
            "$.scale.levels[2]",
            "less than B does",
        ),
    ],
)
def test_a_doubt_is_named_with_its_path(text: str, path: str, said: str) -> None:
    remarks = {remark.path: remark.message for remark in remark_on(load_rubric(text.encode(), "f"))}
    assert said in remarks[path]


def test_a_rubric_is_found_by_name_id_version_and_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(CORE)
    references = ("core", "verilabel/core", "verilabel/core@0.1.0", str(file))
    assert {digest(CORE)} == {find_rubric(reference).sha256 for reference in references}
    assert find_rubric("xstest").id == find_rubric("verilabel/xstest-refusal").id


@pytest.mark.parametrize("reference", ["cor", "core@9.9.9", "../core", "no/such/file.yaml", "", "."])
def test_a_rubric_there_is_not_ends_with_a_usage_error(reference: str) -> None:
    with pytest.raises(UsageError):
        find_rubric(reference)


def test_a_huge_file_is_refused_without_reading_it_whole(tmp_path: Path) -> None:
    file = tmp_path / "big.yaml"
    file.write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(LimitExceeded):
        find_rubric(str(file))
