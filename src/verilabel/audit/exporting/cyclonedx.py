"""CycloneDX 1.6: the data as a component with its files, what is sensitive in it, and the audit as evidence."""

from __future__ import annotations

from collections.abc import Iterator

from verilabel.audit.exporting.dataset import (
    AuditedData,
    Document,
    encoding_of,
    part_of,
    say_benchmarks,
    say_duplicates,
    say_licences,
    say_unread,
)
from verilabel.audit.exporting.found import found_in_sample, say_found, say_limits, say_sampled
from verilabel.audit.licences.texts import list_ids, number_ids
from verilabel.records.canonical import DIGEST_PREFIX

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
DATA_REF = "data"
_OWN = "LicenseRef-"


def write_cyclonedx(data: AuditedData) -> Document:
    """The BOM."""
    manifest = data.manifest
    return {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{data.uuid}",
        "version": 1,
        "metadata": {
            "timestamp": manifest.ended,
            "tools": {
                "components": [
                    {"type": "application", "name": manifest.tool.name, "version": manifest.tool.version}
                ]
            },
            "component": _component(data),
            "properties": _properties(data.facts),
        },
        "components": [_file(place, data) for place in range(len(data.files))],
        "compositions": [
            {
                "aggregate": "complete" if _is_complete(data) else "incomplete",
                "assemblies": [DATA_REF],
            }
        ],
    }


def _is_complete(data: AuditedData) -> bool:
    coverage = data.manifest.coverage
    return not (coverage.unread or coverage.unknown or data.files_left_out)


def _component(data: AuditedData) -> Document:
    options = data.options
    component: Document = {
        "type": "data",
        "bom-ref": DATA_REF,
        "name": data.name,
        "description": data.description,
        "data": [_data(data)],
        "properties": _properties(dict(_findings(data))),
        "externalReferences": [
            {
                "type": "evidence",
                "url": "audit.json",
                "comment": data.manifest.says,
                "hashes": [_hash(data.manifest.digest)],
            }
        ],
    }
    if options.version:
        component["version"] = options.version
    if options.creator:
        component["publisher"] = options.creator
    if options.url:
        component["externalReferences"].append({"type": "distribution", "url": options.url})
    if options.licence:
        component["licenses"] = [_licence(options.licence, "declared")]
    if data.tallies.licences:
        component["evidence"] = {"licenses": [_licence(each.name) for each in data.tallies.licences]}
    return component


def _licence(name: str, acknowledgement: str | None = None) -> Document:
    number = number_ids().get(name.lower())
    is_own = name.startswith(_OWN)
    licence: Document = {"name": name} if number is None or is_own else {"id": list_ids()[number]}
    return {"license": {**licence, **({"acknowledgement": acknowledgement} if acknowledgement else {})}}


def _data(data: AuditedData) -> Document:
    options = data.options
    described: Document = {
        "type": "dataset",
        "name": data.name,
        "description": data.description,
        "sensitiveData": [
            say_found(kind) for kind in data.kinds if kind.family in ("pii", "secret") and kind.documents
        ],
        "contents": {"properties": _properties(data.facts)},
    }
    if options.url:
        described["contents"]["url"] = options.url
    if options.classification:
        described["classification"] = options.classification
    if options.creator:
        described["governance"] = {"owners": [{"organization": {"name": options.creator}}]}
    return described


def _file(place: int, data: AuditedData) -> Document:
    entry = data.files[place]
    file: Document = {
        "type": "file",
        "bom-ref": f"shard-{place:07d}",
        "name": entry.shard.name,
        "mime-type": encoding_of(entry),
        "hashes": [_hash(entry.shard.sha256)],
        "properties": _properties(
            {
                "stored_bytes": str(entry.shard.stored_bytes),
                "documents_read": str(entry.shard.read),
                "documents_unread": str(entry.shard.unread),
                "root": entry.shard.root,
            }
        ),
    }
    if part := part_of(entry):
        file["description"] = part
    return file


def _hash(digest: str) -> Document:
    return {"alg": "SHA-256", "content": digest.removeprefix(DIGEST_PREFIX)}


def _findings(data: AuditedData) -> Iterator[tuple[str, str]]:
    yield "unread", say_unread(data)
    yield from ((f"found:{kind.kind}", say_found(kind)) for kind in data.kinds)
    yield from (
        (f"sampled:{each.statement.kind}", say_sampled(each)) for each in found_in_sample(data.manifest)
    )
    yield from ((f"benchmark:{place}", said) for place, said in enumerate(say_benchmarks(data)))
    if duplicates := say_duplicates(data):
        yield "duplicates", duplicates
    yield from ((f"licences:{place}", said) for place, said in enumerate(say_licences(data)))
    yield from ((f"limits:{place}", said) for place, said in enumerate(say_limits(data.manifest)))


def _properties(facts: dict[str, str]) -> list[Document]:
    return [{"name": f"verilabel:{key}", "value": value} for key, value in facts.items()]
