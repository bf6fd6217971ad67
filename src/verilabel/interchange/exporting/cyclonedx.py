"""CycloneDX 1.6: an ML-BOM of the system with a model card, and declarations of what the label supports.

The rubric becomes a standard whose requirements are the label's rows; the label becomes one attestation that maps
each requirement to a claim (what speaks for a better label) or a counter-claim (what speaks against it), with the
evidence they share. Rows that are open have neither, and say so in their rationale.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from verilabel import __version__
from verilabel.evidence.layout import ATTESTATION, EVIDENCE
from verilabel.interchange.exporting.facts import Measured, PlacedRow, bare, measured, rows_of, stand
from verilabel.interchange.exporting.options import ExportOptions
from verilabel.interchange.exporting.source import Source
from verilabel.interchange.exporting.writing import Export, derived_uuid, json_bytes, plain_file
from verilabel.records.system import SystemDescriptor

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
MODEL_REF = "system"
ASSESSOR_REF = "assessor"
EVIDENCE_REF = "evidence"
Document = dict[str, Any]


def export_cyclonedx(source: Source, options: ExportOptions) -> Export:
    """One BOM."""
    facts = stand(source)
    serial = derived_uuid("cyclonedx", source.found.manifest_sha256 or "", source.statement_sha256 or "")
    document: Document = {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": source.issued,
            "tools": {
                "components": [{"type": "application", "name": "verilabel", "version": __version__}],
            },
            "component": {"type": "machine-learning-model", "name": source.system.name},
            "properties": _properties(facts),
        },
        "components": [_model(source, facts, options)],
        "declarations": _declarations(source, options),
        "definitions": {"standards": [_standard(source)]},
    }
    return Export((plain_file("bom.cdx.json", json_bytes(document)),))


def _properties(facts: Mapping[str, str]) -> list[Document]:
    return [{"name": f"verilabel:{key}", "value": value} for key, value in facts.items()]


# -- the system and its model card -----------------------------------------------------------------


def _model(source: Source, facts: Mapping[str, str], options: ExportOptions) -> Document:
    system = source.system
    model: Document = {
        "type": "machine-learning-model",
        "bom-ref": MODEL_REF,
        "name": system.name,
        "description": f"{system.provider_model}, as it was tested",
        "modelCard": {
            "modelParameters": {
                "task": system.use_case,
                "datasets": [_dataset(source, suite) for suite in source.suites],
                "inputs": [{"format": system.modality}],
                "outputs": [{"format": system.modality}],
            },
            "quantitativeAnalysis": {"performanceMetrics": [_metric(item) for item in measured(source)]},
            "considerations": {
                "useCases": [system.use_case],
                "technicalLimitations": list(_limitations(source, facts)),
            },
            "properties": _properties(facts),
        },
        "properties": list(_describe_system(system)),
    }
    if options.bundle_url:
        reference: Document = {"type": "evidence", "url": options.bundle_url}
        model["externalReferences"] = [reference]
    return model


def _dataset(source: Source, name: str) -> Document:
    suite, stream = source.suites[name], source.stream(name)
    facts = {
        "suite_sha256": stream.suite_sha256,
        "data_sha256": f"sha256:{suite.data.sha256}",
        "samples": str(stream.samples),
        "answers": str(source.answered[name]),
        "license": suite.license,
    }
    return {
        "bom-ref": f"dataset/{name}",
        "type": "dataset",
        "name": name,
        "description": f"{suite.title}. Used to evaluate, not to train.",
        "contents": {"properties": _properties(facts)},
    }


def _metric(measure: Measured) -> Document:
    metric: Document = {
        "type": f"{measure.id}: rate of {measure.event}",
        "value": f"{measure.rate:.6f}",
        "slice": f"{measure.suite.name}, {measure.counts}",
    }
    if measure.plan.where:
        wanted = "; ".join(f"{tag} in {', '.join(values)}" for tag, values in measure.plan.where.items())
        metric["slice"] += f", {wanted}"
    if measure.interval is not None:
        metric["confidenceInterval"] = {
            "lowerBound": measure.interval.lower,
            "upperBound": measure.interval.upper,
        }
        metric["slice"] += f", confidence {measure.interval.confidence} ({measure.interval.method})"
    return metric


def _limitations(source: Source, facts: Mapping[str, str]) -> Iterable[str]:
    yield f"{facts['label']}; {facts['verification']}: {facts['verification_reason']}."
    for placed in rows_of(source.label):
        if placed.speaks_for is not True:
            yield f"{placed.id} {placed.title}: {placed.says}."
    yield (
        "The label speaks of this descriptor alone, and of prompts like those of its suites; it does not say that the "
        "suites measure the risk, nor that the records are honest."
    )


def _describe_system(system: SystemDescriptor) -> Iterable[Document]:
    described: dict[str, str] = {
        "sha256": system.digest,
        "provider_model": system.provider_model,
        "identity": system.identity,
        "locale": system.locale,
    }
    for key in ("weights", "system_prompt", "base_url"):
        value = getattr(system, key)
        if value:
            described[key] = value
    for key in ("params", "tools", "guardrails"):
        described |= {f"{key}.{name}": str(value) for name, value in sorted(getattr(system, key).items())}
    return ({"name": f"verilabel:system:{key}", "value": value} for key, value in described.items())


# -- declarations ----------------------------------------------------------------------------------


def _standard(source: Source) -> Document:
    rubric = source.rubric
    levels = [
        {
            "bom-ref": f"level/{level.level}/{level.test}",
            "identifier": f"{level.level} {level.test}",
            "title": level.name,
            "requirements": [_requirement_ref(p) for p in rows_of(source.label) if p.level is level],
        }
        for level in source.label.levels
    ]
    return {
        "bom-ref": "rubric",
        "name": rubric.title,
        "version": rubric.version,
        "description": f"{rubric.name}, {rubric.sha256}",
        "owner": ", ".join(steward.name for steward in rubric.stewards),
        "requirements": [
            {
                "bom-ref": _requirement_ref(placed),
                "identifier": placed.id,
                "title": placed.title,
                "text": f"{placed.level.level} {placed.level.name}, {placed.level.test}: {placed.title}",
            }
            for placed in rows_of(source.label)
        ],
        "levels": levels,
    }


def _requirement_ref(placed: PlacedRow) -> str:
    return f"requirement/{placed.id}"


def _claim_ref(placed: PlacedRow) -> str:
    return f"claim/{placed.id}"


def _declarations(source: Source, options: ExportOptions) -> Document:
    decided = [placed for placed in rows_of(source.label) if placed.speaks_for is not None]
    return {
        "assessors": [_assessor(source, options)],
        "attestations": [_attestation(source)],
        "claims": [_claim(placed) for placed in decided],
        "evidence": [_evidence(source, options)],
        "targets": {
            "components": [
                {
                    "type": "machine-learning-model",
                    "bom-ref": "target",
                    "name": source.system.name,
                    "description": source.system.digest,
                }
            ]
        },
    }


def _assessor(source: Source, options: ExportOptions) -> Document:
    statement = source.statement
    assessor: Document = {"bom-ref": ASSESSOR_REF}
    if options.relationship in ("first_party", "third_party"):
        assessor["thirdParty"] = options.relationship == "third_party"
    assessor["organization"] = {"name": statement.predicate.issuer.name if statement else "nobody signed"}
    return assessor


def _attestation(source: Source) -> Document:
    facts = stand(source)
    return {
        "summary": f"{facts['label']}; {facts['verification']}; statement {facts['statement_sha256']}",
        "assessor": ASSESSOR_REF,
        "map": [_map_row(placed) for placed in rows_of(source.label)],
    }


def _map_row(placed: PlacedRow) -> Document:
    entry: Document = {"requirement": _requirement_ref(placed)}
    rationale = f"{placed.title}: {placed.says}"
    if placed.speaks_for is None:
        return {**entry, "conformance": {"rationale": rationale}}
    key = "claims" if placed.speaks_for else "counterClaims"
    entry[key] = [_claim_ref(placed)]
    entry["conformance"] = {"score": 1 if placed.speaks_for else 0, "rationale": rationale}
    return entry


def _claim(placed: PlacedRow) -> Document:
    holds = "shown" if placed.status == "met" else "shown not to hold"
    return {
        "bom-ref": _claim_ref(placed),
        "target": "target",
        "predicate": f"{placed.title}: {holds}",
        "reasoning": placed.says,
        "evidence": [EVIDENCE_REF],
    }


def _evidence(source: Source, options: ExportOptions) -> Document:
    facts = stand(source)
    told = "".join(f"{path} {bare(sha256)}\n" for path, sha256 in sorted(source.files.items()))
    contents: Document = {"attachment": {"contentType": "text/plain", "content": told}}
    if options.bundle_url:
        contents["url"] = options.bundle_url
    evidence: Document = {
        "bom-ref": EVIDENCE_REF,
        "propertyName": "verilabel:evidence_root",
        "description": (
            f"{facts['evidence_leaves']} records ({EVIDENCE}) under the Merkle root {facts['evidence_root']}, "
            f"signed in {ATTESTATION}, statement {facts['statement_sha256']}; {facts['label']}; {facts['verification']}"
        ),
        "data": [{"name": f"files of the bundle {facts['manifest_sha256']}", "contents": contents}],
        "created": source.issued,
    }
    if source.found.valid_until:
        evidence["expires"] = source.found.valid_until
    if source.statement is not None:
        evidence["author"] = {"name": source.statement.predicate.issuer.name}
    return evidence
