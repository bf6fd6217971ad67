"""The suite file: every mistake is named with its place in the file."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.errors import MalformedInput, VerilabelError
from verilabel.records.strict_yaml import load_strict_yaml
from verilabel.suites.format import is_inner_path, parse_manifest

GOOD: dict[str, Any] = {
    "verilabel": "suite/v1",
    "id": "core/factual",
    "version": "1.0.0",
    "title": "Facts",
    "license": "CC-BY-4.0",
    "data": {"file": "samples.jsonl", "format": "jsonl", "sha256": "0" * 64},
    "fields": {"prompt": "question", "target": "answer", "choices": ["a", "b"]},
    "scorer": "choice",
}


def changed(path: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(GOOD)
    *parents, last = path.split(".")
    place = document
    for key in parents:
        place = place.setdefault(key, {})
    if value is None:
        place.pop(last, None)
    else:
        place[last] = value
    return document


def refusal(document: Any) -> MalformedInput:
    with pytest.raises(MalformedInput) as caught:
        parse_manifest(document, where="suite.yaml")
    return caught.value


def test_a_good_document_is_a_manifest() -> None:
    manifest = parse_manifest(GOOD, where="suite.yaml")
    assert manifest.name == "core/factual@1.0.0"
    assert manifest.detectors == ("choice",)


def test_the_default_detector_stands_first_and_once() -> None:
    manifest = parse_manifest(changed("scorers", ["refusal", "choice"]), where="suite.yaml")
    assert manifest.detectors == ("choice", "refusal")


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("id", "Core Factual", "$.id"),
        ("id", "core//factual", "$.id"),
        ("id", "inspect/agentdojo", "$.id"),
        ("version", "1.0", "$.version"),
        ("version", "01.0.0", "$.version"),
        ("version", "1.0.0\n", "$.version"),
        ("title", " ", "$.title"),
        ("scorer", "Does It", "$.scorer"),
        ("scorers", ["refusal", "!"], "$.scorers[1]"),
        ("data.sha256", "abc", "$.data.sha256"),
        ("data.sha256", "A" * 64, "$.data.sha256"),
        ("data.file", "../secret.csv", "$.data.file"),
        ("data.file", "/etc/passwd", "$.data.file"),
        ("data.file", "C:\\data.csv", "$.data.file"),
        ("data.file", None, "$.data"),
        ("data.path", "also/there.csv", "$.data"),
        ("data.format", "xml", "$.data.format"),
        ("data.records", "items", "$.data.records"),
        ("fields.prompt", None, "$.fields"),
        ("fields.prompt", 3, "$.fields.prompt"),
        ("fields.prompt", {"column": "a", "const": "b"}, "$.fields.prompt"),
        ("fields.prompt", {}, "$.fields.prompt"),
        ("fields.choices", ["a"], "$.fields.choices"),
        ("fields.choices", [str(n) for n in range(27)], "$.fields.choices"),
        ("fields.choices", {"column": "options"}, "$.fields.choices.read"),
        ("fields.choices", [], "$.fields"),
        ("fields.target", None, "$.fields"),
        ("fields.tags", {"x": {"column": "x", "split": ";"}}, "$.fields.tags.x"),
        ("fields.id", {"column": "x", "read": "index"}, "$.fields.id"),
        ("template", "no question at all", "$.template"),
        ("template", "{prompt} {", "$.template"),
        ("template", "{prompt} {}", "$.template"),
        ("where", {"a": "one"}, "$.where"),
        ("strata", {"x": "1"}, "$.strata"),
    ],
)
def test_a_mistake_is_named_with_its_place(path: str, value: Any, where: str) -> None:
    found = refusal(changed(path, value))
    assert found.where is not None
    assert found.where.startswith(f"suite.yaml {where}")


def test_an_unknown_key_is_named_with_the_nearest_known_one() -> None:
    document = changed("licence", "MIT")
    found = refusal(document)
    assert "'licence'" in found.message
    assert found.where == "suite.yaml $.licence"
    assert "did you mean 'license'?" in str(found.hint)


def test_an_unknown_key_inside_the_data_is_named_there() -> None:
    found = refusal(changed("data.sha", "00"))
    assert found.where == "suite.yaml $.data.sha"
    assert "'sha256'" in str(found.hint)


def test_a_placeholder_for_options_needs_options() -> None:
    document = changed("template", "{prompt}\n{choices}")
    document["fields"]["choices"] = []
    document["scorer"] = "exact"
    assert refusal(document).where == "suite.yaml $.template"


@pytest.mark.parametrize("document", [None, [], "suite", {"verilabel": "suite/v2"}, {}])
def test_what_is_no_suite_file_says_how_one_begins(document: Any) -> None:
    assert "verilabel: suite/v1" in str(refusal(document).hint)


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ({"a": "0.5", "b": "0.4"}, "0.9"),
        ({"a": "0"}, "positive"),
        ({"a": "-1", "b": "2"}, "positive"),
        ({"a": "many"}, "positive"),
        ({"a": "NaN"}, "positive"),
        ({"a": "Infinity"}, "positive"),
    ],
)
def test_weights_of_strata_are_positive_and_add_up_to_one(weights: dict[str, str], reason: str) -> None:
    document = changed("strata", weights)
    document["fields"]["stratum"] = "s"
    assert reason in refusal(document).message


def test_weights_keep_the_digits_they_were_written_with() -> None:
    document = changed("strata", {"a": Decimal("0.50"), "b": "0.5"})
    document["fields"]["stratum"] = "s"
    assert parse_manifest(document, where="x").strata == {"a": "0.50", "b": "0.5"}


def test_a_hub_revision_must_be_a_full_commit() -> None:
    hub = {"repo": "someone/data", "revision": "main", "path": "test.csv"}
    document = changed("data", {"hf": hub, "format": "csv", "sha256": "0" * 64})
    found = refusal(document)
    assert found.where == "suite.yaml $.data.hf.revision"
    hub["revision"] = "0123456789" * 4
    assert parse_manifest(document, where="x").data.hf is not None


def test_a_plain_http_address_is_refused() -> None:
    document = changed("data", {"url": "http://example.org/a.csv", "format": "csv", "sha256": "0" * 64})
    assert refusal(document).where == "suite.yaml $.data.url"


@given(st.text(max_size=200))
def test_any_text_is_a_manifest_or_an_error_of_the_tree(text: str) -> None:
    try:
        parse_manifest(load_strict_yaml(text.encode("utf-8", "replace"), where="x"), where="x")
    except VerilabelError as error:
        assert error.where is not None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from([*GOOD, "data.file", "data.hf", "fields.prompt", "fields.tags", "strata", "where"]),
    json_values,
)
def test_any_value_in_any_place_is_accepted_or_refused_with_its_place(path: str, value: Any) -> None:
    try:
        parse_manifest(changed(path, value), where="x")
    except MalformedInput as error:
        assert str(error.where).startswith("x $")


@given(st.text(alphabet="./\\abc:\x00", max_size=12))
def test_an_inner_path_never_leaves_its_folder(text: str) -> None:
    if is_inner_path(text):
        parts = text.split("/")
        assert ".." not in parts
        assert not text.startswith("/")
        assert "\\" not in text
