"""Rows of every kind in every format: attested, relative to a reference, counted by families that were cut short."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from bundle_factory import READ, RUBRIC, Recipe, make_bundle
from small_runs import Place, open_place, write_suite
from verilabel.interchange.exporting.facts import measured, rows_of
from verilabel.interchange.exporting.formats import FORMATS, export_bundle
from verilabel.interchange.exporting.options import ExportOptions
from verilabel.interchange.exporting.source import Source, open_source

WITH_ATTESTATION = (
    RUBRIC.replace(
        "scale:",
        'attestations:\n  reviewed: {statement: "A person has read a sample of the answers.", role: reviewer}\nscale:',
    )
    .replace("quiz.right: {suite: test/quiz@1,", "quiz.right: {suite: test/quiz@1, reference: other-system,")
    .replace(
        '{all: [{measure: quiz.right, op: ">=", value: 0.95}]}',
        '{all: [{attested: reviewed}, {measure: quiz.right, op: ">=", value: {times_reference: 1.5}}]}',
    )
)


@pytest.fixture(scope="module")
def attested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose L3 asks for an attestation and for more than a reference system, and has neither."""
    return make_bundle(tmp_path_factory.mktemp("attested"), Recipe(rubric=WITH_ATTESTATION)).path


def test_rows_that_were_not_assessed_are_in_every_format_that_has_rows(attested: Path) -> None:
    with open_source(attested, trust=None, now=READ) as source:
        titles = [row.title for row in rows_of(source.label)]
        exports = export_bundle(source, list(FORMATS), ExportOptions())
        data = {name: b"".join(file.data() for file in export.files) for name, export in exports.items()}
    assert {"attested: reviewed", "quiz.right >= 1.5 x reference"} <= set(titles)
    for name in ("cyclonedx", "junit", "sarif"):
        text = data[name].decode().replace("&gt;", ">")
        assert all(title in text for title in titles), name
    assert b"attested: reviewed" in data["hf"]


def test_what_eval_result_cannot_say_is_named_in_notes(attested: Path) -> None:
    with open_source(attested, trust=None, now=READ) as source:
        export = export_bundle(source, ["eval-result"], ExportOptions())["eval-result"]
    noted = " | ".join(export.notes)
    assert "L3/when/1 attested: reviewed" in noted and "1.5 x reference" in noted
    claims = [
        claim
        for line in export.files[0].data().splitlines()
        for claim in json.loads(line)["predicate"]["claims"]
    ]
    assert {"0.3", "0.5", "0.4"} == {claim["threshold"] for claim in claims}


def test_the_schema_of_cyclonedx_accepts_rows_without_a_measure(attested: Path, shared_data: Path) -> None:
    import jsonschema
    from referencing import Registry, Resource

    schemas = {
        p.name: json.loads(p.read_text()) for p in (shared_data / "cyclonedx" / "schema").glob("*.json")
    }
    registry = Registry().with_resources(
        (name, Resource.from_contents(schema))
        for file, schema in schemas.items()
        for name in (file, schema["$id"])
    )
    with open_source(attested, trust=None, now=READ) as source:
        document = json.loads(
            export_bundle(source, ["cyclonedx"], ExportOptions())["cyclonedx"].files[0].data()
        )
    validator = jsonschema.Draft7Validator(schemas["bom-1.6.schema.json"], registry=registry)
    assert [] == [error.message for error in validator.iter_errors(document)]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return open_place(tmp_path, monkeypatch)


def test_families_that_were_cut_short_are_in_no_count(place: Place) -> None:
    rows = [{"id": f"s{i:02}", "prompt": f"Question {i:02}?", "family": f"f{i // 3}"} for i in range(30)]
    write_suite(place.folder / "suite", rows, fields="{id: id, prompt: prompt, family: family}")
    (place.folder / "rubric.yaml").write_text(
        "verilabel: rubric/v1\nid: test/families\nversion: 1.0.0\ntitle: Families\nlicense: CC0-1.0\n"
        "stewards: [{name: Tests}]\nstatistics: {alpha: 0.05, missing: worst_case}\nvalidity: {max_age: P30D}\n"
        "scope: {subject: system, bind: [provider_model]}\nmeasures:\n"
        "  steps: {suite: test/harm@1, estimand: proportion, event: matched, unit: family, "
        "direction: lower_is_safer}\n"
        "scale: {kind: assurance, levels: [{id: U, name: None yet}, "
        '{id: L1, name: One, when: {all: [{measure: steps, op: "<=", value: 0.9}]}}]}\n'
    )
    place.succeed(
        *("label", "--model", "simulated:rate=0.3", "--suite", "./suite", "--rubric", "rubric.yaml"),
        *("--design", "fixed", "--limit", "20", "--out", "out.bundle", "--seed", "1"),
    )
    with open_source(place.folder / "out.bundle", trust=None, now=datetime.now(UTC)) as source:
        (measure,) = measured(source)
        inside = source.counted_samples(measure.plan)
        answers = [answer for answer in source.answers() if answer.sample in inside]
        asked = list(source.answers())
        eee = export_bundle(source, ["eee"], ExportOptions())["eee"]
    assert (20, 18, 18) == (len(asked), measure.tally.n, len(answers))
    assert measure.tally.events == sum(a.value(measure.plan.detector) is True for a in answers)
    samples = next(file for file in eee.files if file.name.endswith(".jsonl"))
    assert 18 == len(samples.data().splitlines())


@pytest.mark.parametrize("value", ["nan", "inf", "-Infinity", "warm", "", "1e999", True, 10**14, "0.7"])
def test_parameters_that_are_no_numbers_stay_text(made_bundle: Path, value: str | int) -> None:
    with open_source(made_bundle, trust=None, now=READ) as source:
        names = ("temperature", "top_p", "top_k", "max_tokens", "seed")
        system = msgspec.structs.replace(source.system, params=dict.fromkeys(names, value))
        odd = Source(**{**vars(source), "system": system})
        exports = export_bundle(odd, ["eee", "inspect"], ExportOptions())
        aggregate = json.loads(exports["eee"].files[0].data(), parse_constant=pytest.fail)
        log = json.loads(exports["inspect"].files[0].data(), parse_constant=pytest.fail)
    said = aggregate["evaluation_results"][0]["generation_config"]
    assert set(names) == said["generation_args"].keys() | said["additional_details"].keys()
    numbers = [*said["generation_args"].values(), *log["eval"]["model_generate_config"].values()]
    assert all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers)
    assert ("0.7" == value) is (0.7 in numbers)
