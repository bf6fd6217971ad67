"""Catalogues of frameworks: their counts, and the refusal of what is not one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.errors import LimitExceeded, MalformedInput, UsageError
from verilabel.frameworks.catalogue import (
    MAX_BYTES,
    bundled_catalogue,
    bundled_catalogues,
    find_catalogue,
    load_catalogue,
)

CATALOGUES = {catalogue.id: catalogue for catalogue in bundled_catalogues()}
SMALL = """verilabel: framework/v1
id: demo
version: "1"
title: Demo
last_checked: "2026-11"
source: {title: Demo, uri: "https://example.org", publisher: Example}
items:
  - {id: A 1, kind: rule}
  - {id: A 2, kind: rule, check: auto, evidence: label}
"""


@pytest.mark.parametrize(
    ("framework", "kind", "count"),
    [
        ("nist-ai-rmf", "subcategory", 72),
        ("eu-gpai-cop-safety-security", "measure", 32),
        ("ailuminate", "hazard", 12),
        ("compl-ai", "principle", 6),
        ("helm-safety", "benchmark", 5),
        ("cais-risk-index", "test", 6),
        ("openai-preparedness", "threshold", 6),
        ("deepmind-frontier-safety", "domain", 5),
        ("deepmind-frontier-safety", "level", 7),
        ("eu-gpai-cop-safety-security", "appendix", 5),
        ("eu-ai-act", "article", 14),
    ],
)
def test_a_framework_has_as_many_items_as_it_has(framework: str, kind: str, count: int) -> None:
    assert count == CATALOGUES[framework].kinds()[kind]


def test_the_functions_of_the_ai_rmf_have_their_subcategories() -> None:
    functions = [item.id.split()[0] for item in CATALOGUES["nist-ai-rmf"].items]
    assert {"GOVERN": 19, "MAP": 18, "MEASURE": 22, "MANAGE": 13} == {
        f: functions.count(f) for f in functions
    }


def test_the_commitments_of_the_code_have_their_measures() -> None:
    measures = [item.id for item in CATALOGUES["eu-gpai-cop-safety-security"].items if item.kind == "measure"]
    by_commitment = [sum(m.startswith(f"M{number}.") for m in measures) for number in range(1, 11)]
    assert [4, 2, 5, 2, 1, 2, 7, 3, 4, 2] == by_commitment


def test_the_catalogues_are_those_of_the_specification(shared_data: Path) -> None:
    import yaml

    folder = shared_data.parent / "spec" / "frameworks"
    for file, framework in (
        ("nist-ai-rmf-1.0.yaml", "nist-ai-rmf"),
        ("eu-gpai-cop-ss-2025-07.yaml", "eu-gpai-cop-safety-security"),
    ):
        document = yaml.safe_load((folder / file).read_text("utf-8"))
        expected = [(item["id"], item["check"], item["evidence"]) for item in document["items"]]
        assert expected == [(i.id, i.check, i.evidence) for i in CATALOGUES[framework].items]


def test_the_hazards_are_those_that_the_suite_of_harm_is_tagged_with() -> None:
    from verilabel.suites.loading import load_suite

    suite = load_suite("core/harm-direct")
    assert CATALOGUES["ailuminate"].ids == {entry.tags["hazard"] for entry in suite.entries}


def test_a_bundled_catalogue_is_found_by_its_id() -> None:
    assert list(CATALOGUES.values()) == [bundled_catalogue(framework) for framework in CATALOGUES]
    assert bundled_catalogue("../catalogues/ailuminate") is None


def test_every_catalogue_says_where_it_is_from_and_when_it_was_checked() -> None:
    for catalogue in CATALOGUES.values():
        assert catalogue.source.uri.startswith("https://"), catalogue.id
        assert "2026" <= catalogue.last_checked[:4], catalogue.id


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "demo.yaml"
    path.write_text(SMALL)
    assert ("demo@1", {"rule": 2}) == (find_catalogue(str(path)).name, find_catalogue(str(path)).kinds())


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("framework/v1", "framework/v2", "$.verilabel"),
        ("kind: rule}", "kind: rule, colour: red}", "$.items[0]"),
        ("{id: A 1, kind: rule}", "{kind: rule}", "$.items[0]"),
        ("id: A 2", "id: A 1", "$.items[1].id"),
        ("check: auto", "check: maybe", "$.items[1].check"),
        ('last_checked: "2026-11"', "last_checked: yesterday", "$.last_checked"),
        ("publisher: Example", "editor: Example", "$.source"),
        ("id: A 1", 'id: "../x"', "$.items[0].id"),
    ],
)
def test_what_is_no_catalogue_is_refused_with_the_place(old: str, new: str, where: str) -> None:
    assert old in SMALL
    with pytest.raises(MalformedInput) as refused:
        load_catalogue(SMALL.replace(old, new, 1).encode(), "demo.yaml")
    assert f"demo.yaml {where}" == refused.value.where


def test_a_catalogue_of_any_size_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text(SMALL + "#" * MAX_BYTES)
    with pytest.raises(LimitExceeded):
        find_catalogue(str(path))


def test_an_unknown_framework_gets_the_nearest_name() -> None:
    with pytest.raises(UsageError) as refused:
        find_catalogue("nist-ai-rfm")
    assert "did you mean 'nist-ai-rmf'?" == refused.value.hint


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(MalformedInput):
        load_catalogue(data, "x.yaml")
