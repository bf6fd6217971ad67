"""CycloneDX 1.6: the published schema accepts it, references lead somewhere, and claims follow from rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bundle_factory import HAZARD_RUBRIC, READ, RUBRIC, Recipe, make_bundle
from verilabel.interchange.exporting.cyclonedx import export_cyclonedx
from verilabel.interchange.exporting.options import ExportOptions
from verilabel.interchange.exporting.source import open_source

DEFAULT = ExportOptions()


def export(bundle: Path, options: ExportOptions = DEFAULT) -> dict[str, Any]:
    with open_source(bundle, trust=None, now=READ) as source:
        document: dict[str, Any] = json.loads(export_cyclonedx(source, options).files[0].data())
    return document


@pytest.fixture(scope="module", params=["assurance", "hazard", "failing", "anytime", "unsigned"])
def any_bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipes = {
        "assurance": Recipe(errors="0.2"),
        "hazard": Recipe(rubric=HAZARD_RUBRIC),
        "failing": Recipe(accuracy="0", sizes=(("quiz", 40), ("puzzles", 40))),
        "anytime": Recipe(design="anytime"),
        "unsigned": Recipe(key=None, log_key=None),
    }
    return make_bundle(tmp_path_factory.mktemp(request.param), recipes[request.param]).path


def test_the_published_schema_accepts_it(any_bundle: Path, shared_data: Path) -> None:
    import jsonschema
    from referencing import Registry, Resource

    registry: Registry[Any] = Registry()
    schemas = {}
    for path in (shared_data / "cyclonedx" / "schema").glob("*.json"):
        schema = schemas[path.name] = json.loads(path.read_text())
        resource = Resource.from_contents(schema)
        registry = registry.with_resources([(schema["$id"], resource), (path.name, resource)])
    options = ExportOptions(relationship="third_party", bundle_url="https://example.org/label.bundle.zip")
    validator = jsonschema.Draft7Validator(
        schemas["bom-1.6.schema.json"], registry=registry, format_checker=jsonschema.FormatChecker()
    )
    assert [] == [error.message for error in validator.iter_errors(export(any_bundle, options))]


def references(document: Any, keys: tuple[str, ...]) -> set[str]:
    """Every text under one of these keys, or in a list under it."""
    if isinstance(document, list):
        return {found for item in document for found in references(item, keys)}
    if not isinstance(document, dict):
        return set()
    found = {found for value in document.values() for found in references(value, keys)}
    for key in keys:
        value = document.get(key, [])
        found |= {item for item in ([value] if isinstance(value, str) else value) if isinstance(item, str)}
    return found


def test_every_reference_leads_to_something_and_every_name_is_given_once(any_bundle: Path) -> None:
    document = export(any_bundle)
    text = json.dumps(document)
    targets = references(document, ("bom-ref",))
    used = references(
        document["declarations"], ("assessor", "claims", "counterClaims", "requirement", "target")
    )
    used |= {ref for claim in document["declarations"]["claims"] for ref in claim["evidence"]}
    used |= references(document["definitions"], ("requirements",))
    assert used <= targets
    for target in targets:
        assert 1 == text.count(f'"bom-ref": {json.dumps(target)}'), target


def test_rows_become_claims_or_counter_claims_and_open_rows_neither(any_bundle: Path) -> None:
    document = export(any_bundle)
    label = json.loads((any_bundle / "results" / "label.json").read_text())
    expected = {"claims": 0, "counterClaims": 0, "open": 0}
    for level in label["levels"]:
        for row in level["rows"]:
            if row["status"] not in ("met", "not_met"):
                expected["open"] += 1
            elif (row["status"] == "met") is (level["test"] != "rule_in"):
                expected["claims"] += 1
            else:
                expected["counterClaims"] += 1
    (attestation,) = document["declarations"]["attestations"]
    found = {"claims": 0, "counterClaims": 0, "open": 0}
    for entry in attestation["map"]:
        kind = next((key for key in ("claims", "counterClaims") if key in entry), "open")
        found[kind] += 1
        assert {"claims": 1, "counterClaims": 0, "open": None}[kind] == entry["conformance"].get("score")
    assert expected == found
    assert sum(expected.values()) > 0


def test_a_failing_system_has_counter_claims(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, Recipe(accuracy="0", sizes=(("quiz", 40), ("puzzles", 40)))).path
    document = export(bundle)
    (attestation,) = document["declarations"]["attestations"]
    assert any("counterClaims" in entry for entry in attestation["map"])
    assert "shown not to hold" in json.dumps(document["declarations"]["claims"])


def test_metrics_have_the_bounds_of_the_label_as_decimals(made_bundle: Path) -> None:
    metrics = export(made_bundle)["components"][0]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    label = json.loads((made_bundle / "results" / "label.json").read_text())
    bounds = {(row["lower"], row["upper"]) for level in label["levels"] for row in level["rows"]}
    for metric in metrics:
        interval = metric["confidenceInterval"]
        assert (interval["lowerBound"], interval["upperBound"]) in bounds


def test_an_assessor_is_called_a_third_party_only_where_the_exporter_says_so(made_bundle: Path) -> None:
    (assessor,) = export(made_bundle)["declarations"]["assessors"]
    assert "thirdParty" not in assessor
    (assessor,) = export(made_bundle, ExportOptions(relationship="first_party"))["declarations"]["assessors"]
    assert assessor["thirdParty"] is False


def test_a_rubric_that_follows_somebody_elses_framework_says_that_it_is_an_interpretation(
    tmp_path: Path,
) -> None:
    rubric = RUBRIC.replace(
        "statistics:",
        'sources: [{id: other, uri: "https://example.org/framework", relation: interpretation}]\nstatistics:',
    )
    bundle = make_bundle(tmp_path, Recipe(rubric=rubric)).path
    names = {p["name"]: p["value"] for p in export(bundle)["metadata"]["properties"]}
    assert names["verilabel:rubric_relation"].startswith("interpretation")
