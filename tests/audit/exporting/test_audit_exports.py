"""An audit in other people's formats: their validators take it, and nothing is said that is not known."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_shown import HOSTILE, poor_audit, rich_audit
from verilabel.audit.exporting.croissant import write_croissant
from verilabel.audit.exporting.cyclonedx import write_cyclonedx
from verilabel.audit.exporting.dataset import AuditedData, DatasetOptions, open_audited_data
from verilabel.audit.exporting.eu_summary import OPEN, TEMPLATE, TOP_RULE, Heading, Question, write_eu_summary
from verilabel.audit.exporting.markdown import escape_markdown, render_markdown
from verilabel.audit.exporting.spdx import write_spdx
from verilabel.audit.proof.folder import AuditFolder

NOTHING = DatasetOptions()
SAID = DatasetOptions(
    name="lighthouse texts",
    licence="CC-BY-4.0",
    version="1.0.0",
    url="https://example.org/data",
    creator="Example Lab",
    description="Texts on lighthouses.",
    built="2026-01-02",
    released="2026-02-03",
    classification="public",
)


@pytest.fixture(scope="module", params=["rich", "poor"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    make = {"rich": rich_audit, "poor": poor_audit}[request.param]
    return make(tmp_path_factory.getbasetemp() / f"{request.param}-audit")


def opened(folder: Path, options: DatasetOptions) -> AuditedData:
    return open_audited_data(AuditFolder(folder), options)


@pytest.mark.parametrize("options", [NOTHING, SAID], ids=["nothing said", "all said"])
def test_croissants_own_validator_takes_it(folder: Path, options: DatasetOptions) -> None:
    mlcroissant = pytest.importorskip("mlcroissant", reason="the package mlcroissant is not installed")
    document = json.loads(json.dumps(write_croissant(opened(folder, options))))
    dataset = mlcroissant.Dataset(jsonld=document)
    assert set() == set(dataset.metadata.ctx.issues.errors)
    if options is SAID:
        warnings = dataset.metadata.ctx.issues.warnings
        assert all("citeAs" in warning for warning in warnings)


def test_croissant_holds_the_real_digests_and_sizes_of_files(folder: Path) -> None:
    document = write_croissant(opened(folder, NOTHING))
    corpus = folder.parent / "texts"
    files = {each["name"]: each for each in document["distribution"] if each["@type"] == "cr:FileObject"}
    assert {path.name for path in corpus.iterdir()} == set(files)
    for path in corpus.iterdir():
        data = path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == files[path.name]["sha256"]
        assert f"{len(data)} B" == files[path.name]["contentSize"]


def test_a_licence_is_the_providers_or_none(folder: Path) -> None:
    silent, said = opened(folder, NOTHING), opened(folder, SAID)
    assert "license" not in write_croissant(silent)
    assert "CC-BY-4.0" == write_croissant(said)["license"]
    assert "licenses" not in write_cyclonedx(silent)["metadata"]["component"]
    assert [{"license": {"id": "CC-BY-4.0", "acknowledgement": "declared"}}] == write_cyclonedx(said)[
        "metadata"
    ]["component"]["licenses"]
    assert not [each for each in write_spdx(silent)["@graph"] if "LicenseExpression" in each["type"]]


def test_what_was_found_of_licences_stands_beside_the_declared_one(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    data = opened(rich_audit(tmp_path_factory.getbasetemp() / "rich-audit"), SAID)
    assert "Documents by licence found in them: MIT 1." in write_croissant(data)["rai:dataLimitations"]
    assert [{"license": {"id": "MIT"}}] == write_cyclonedx(data)["metadata"]["component"]["evidence"][
        "licenses"
    ]


def test_the_audit_is_an_activity_that_generated_its_own_record(folder: Path) -> None:
    data = opened(folder, NOTHING)
    record = write_croissant(data)["subjectOf"]
    assert data.manifest.digest == record["identifier"]
    activity = record["prov:wasGeneratedBy"]
    assert "prov:Activity" == activity["@type"]
    assert data.manifest.root.sha256 in activity["prov:used"]["@id"]


@pytest.mark.parametrize("options", [NOTHING, SAID], ids=["nothing said", "all said"])
def test_the_schema_of_cyclonedx_takes_it(folder: Path, options: DatasetOptions, shared_data: Path) -> None:
    import jsonschema
    from referencing import Registry, Resource

    registry: Registry[Any] = Registry()
    schemas = {}
    for path in (shared_data / "cyclonedx" / "schema").glob("*.json"):
        schema = schemas[path.name] = json.loads(path.read_text())
        resource = Resource.from_contents(schema)
        registry = registry.with_resources([(schema["$id"], resource), (path.name, resource)])
    validator = jsonschema.Draft7Validator(
        schemas["bom-1.6.schema.json"], registry=registry, format_checker=jsonschema.FormatChecker()
    )
    assert [] == [error.message for error in validator.iter_errors(write_cyclonedx(opened(folder, options)))]


def test_sensitive_data_are_kinds_that_were_found_with_their_bounds(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    base = tmp_path_factory.getbasetemp()
    (rich,) = write_cyclonedx(opened(rich_audit(base / "rich-audit"), NOTHING))["metadata"]["component"][
        "data"
    ]
    assert all("found in" in said and "per million" in said for said in rich["sensitiveData"])
    assert {"pii.phone"} == {said.split(" ")[0] for said in rich["sensitiveData"]}
    (poor,) = write_cyclonedx(opened(poor_audit(base / "poor-audit"), NOTHING))["metadata"]["component"][
        "data"
    ]
    assert [] == poor["sensitiveData"]


def test_nothing_found_is_no_assertion_that_nothing_is_there(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    base = tmp_path_factory.getbasetemp()
    presence = {}
    for name, make in (("rich", rich_audit), ("poor", poor_audit)):
        graph = write_spdx(opened(make(base / f"{name}-audit"), NOTHING))["@graph"]
        (package,) = [each for each in graph if each["type"] == "dataset_DatasetPackage"]
        presence[name] = package["dataset_hasSensitivePersonalInformation"]
    assert {"rich": "yes", "poor": "noAssertion"} == presence


def test_spdx_conforms_to_the_dataset_profile_only_where_the_provider_said_all_of_it(folder: Path) -> None:
    profiles = {}
    for name, options in (("nothing", NOTHING), ("all", SAID)):
        (document,) = [
            each for each in write_spdx(opened(folder, options))["@graph"] if each["type"] == "SpdxDocument"
        ]
        profiles[name] = document["profileConformance"]
    assert {
        "nothing": ["core", "software"],
        "all": ["core", "software", "simpleLicensing", "dataset"],
    } == profiles


def test_references_of_spdx_lead_somewhere(folder: Path) -> None:
    graph = write_spdx(opened(folder, SAID))["@graph"]
    known = {each.get("spdxId") or each["@id"] for each in graph}
    assert len(known) == len(graph)
    for each in graph:
        named = [
            each.get("subject"),
            each.get("from"),
            each.get("creationInfo"),
            *each.get("originatedBy", []),
        ]
        named += [
            *each.get("to", []),
            *each.get("rootElement", []),
            *each.get("element", []),
            *each.get("createdBy", []),
        ]
        assert set() == {name for name in named if name is not None} - known


@pytest.mark.parametrize("options", [NOTHING, SAID], ids=["nothing said", "all said"])
def test_the_model_of_spdx_reads_it(folder: Path, options: DatasetOptions, tmp_path: Path) -> None:
    bindings = pytest.importorskip(
        "spdx_python_model.bindings", reason="the package spdx-python-model is not installed"
    )
    path = tmp_path / "data.spdx.json"
    path.write_text(json.dumps(write_spdx(opened(folder, options))))
    objects = bindings.v3_0_1.SHACLObjectSet()
    with path.open("rb") as file:
        bindings.v3_0_1.JSONLDDeserializer().read(file, objects)
    assert set() == objects.missing_ids


def test_every_export_says_digest_root_and_coverage(folder: Path) -> None:
    data = opened(folder, NOTHING)
    texts = [json.dumps(write(data)) for write in (write_croissant, write_spdx, write_cyclonedx)] + [
        render_markdown(write_eu_summary(data))
    ]
    for text in texts:
        assert data.manifest.digest in text
        assert data.manifest.root.sha256 in text
        assert f"{data.manifest.coverage.read} of {data.manifest.coverage.rows} documents were read" in text
        assert "not what a model was trained on" in text


def test_exports_are_the_same_each_time(folder: Path) -> None:
    for write in (write_croissant, write_spdx, write_cyclonedx, write_eu_summary):
        assert write(opened(folder, SAID)) == write(opened(folder, SAID))


def test_the_draft_has_the_headings_of_the_template_and_answers_nothing_for_the_provider(
    folder: Path,
) -> None:
    blocks = write_eu_summary(opened(folder, SAID))
    headings = [
        block.text.split(" ")[0] for block in blocks if isinstance(block, Heading) and block.text[0].isdigit()
    ]
    wanted = "1. 1.1. 1.2. 1.3. 2. 2.1. 2.2. 2.2.1. 2.2.2. 2.3. 2.4. 2.5. 2.6. 3. 3.1. 3.2. 3.3."
    assert wanted.split() == headings
    questions = [block for block in blocks if isinstance(block, Question)]
    assert {None} == {question.answer for question in questions}
    text = render_markdown(blocks)
    assert len(questions) == text.count(f"**[{OPEN}]**")
    assert "DRAFT" in text
    assert escape_markdown(TEMPLATE) in text


def test_the_rule_on_domains_is_said_to_be_unverified(tmp_path_factory: pytest.TempPathFactory) -> None:
    text = render_markdown(
        write_eu_summary(opened(rich_audit(tmp_path_factory.getbasetemp() / "rich-audit"), NOTHING))
    )
    assert escape_markdown(TOP_RULE) in text
    assert "not verified" in text
    assert "| example.org | 40 |" in text


def test_names_from_outside_are_text_in_markdown(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = rich_audit(tmp_path_factory.getbasetemp() / "rich-audit")
    text = render_markdown(write_eu_summary(opened(folder, DatasetOptions(name=HOSTILE))))
    assert "<img" not in text
    assert "\u202e" not in text


@given(st.text(max_size=60))
def test_escaped_text_is_one_line_without_markup(text: str) -> None:
    escaped = escape_markdown(text)
    assert escaped.isprintable()
    bare = escaped.replace("\\\\", "")
    for place, character in enumerate(bare):
        if character in "`*_{}[]<>#|~!":
            assert "\\" == bare[place - 1]
