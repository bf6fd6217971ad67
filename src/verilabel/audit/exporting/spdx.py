"""SPDX 3.0.1 JSON-LD: a dataset package with its files, the declared licence, and findings as annotations.

The dataset profile asks for what only the provider knows (who made the data, when it was built and released, where it
is); the document says that it conforms to that profile only where all of these are given.
"""

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
from verilabel.audit.exporting.found import NOT_CLEAN, found_in_sample, say_limits, say_sampled
from verilabel.records.canonical import DIGEST_PREFIX

CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
VERSION = "3.0.1"
_CREATION = "_:creation"


def write_spdx(data: AuditedData) -> Document:
    """The JSON-LD document."""
    base = f"https://spdx.org/spdxdocs/training-data-audit-{data.uuid}"
    profiles = ["core", "software", *(["simpleLicensing"] if data.options.licence else [])]
    if _is_whole(data):
        profiles.append("dataset")
    package = f"{base}#data"
    files = [_file(base, place, data) for place in range(len(data.files))]
    notes = [_note(base, place, package, text) for place, text in enumerate(_say_findings(data))]
    elements = [*_agents(base, data), _package(package, base, data), *files, *notes]
    if files:
        elements.append(
            _relation(f"{base}#contains", "contains", package, [file["spdxId"] for file in files])
        )
    if data.options.licence:
        elements += _licence(base, package, data.options.licence)
    named = [element["spdxId"] for element in elements]
    document = {
        "type": "SpdxDocument",
        "spdxId": base,
        "creationInfo": _CREATION,
        "name": data.name,
        "profileConformance": profiles,
        "rootElement": [f"{base}#bom"],
        "element": [*named, f"{base}#bom"],
    }
    bom = {
        "type": "software_Sbom",
        "spdxId": f"{base}#bom",
        "creationInfo": _CREATION,
        "software_sbomType": ["analyzed"],
        "profileConformance": profiles,
        "rootElement": [package],
        "element": named,
    }
    creation = {
        "type": "CreationInfo",
        "@id": _CREATION,
        "specVersion": VERSION,
        "created": data.manifest.ended,
        "createdBy": [f"{base}#tool"],
    }
    return {"@context": CONTEXT, "@graph": [creation, document, bom, *elements]}


def _is_whole(data: AuditedData) -> bool:
    """True where the provider said all that the dataset profile asks for."""
    options = data.options
    return all((options.creator, options.built, options.released, options.url))


def _agents(base: str, data: AuditedData) -> Iterator[Document]:
    tool = data.manifest.tool
    yield _element("SoftwareAgent", f"{base}#tool", name=f"{tool.name} {tool.version}")
    if data.options.creator:
        yield _element("Organization", f"{base}#creator", name=data.options.creator)


def _package(package: str, base: str, data: AuditedData) -> Document:
    options, facts = data.options, data.facts
    found = sum(kind.documents for kind in data.kinds if kind.family == "pii")
    provided = {
        "software_packageVersion": options.version,
        "software_downloadLocation": options.url,
        "originatedBy": [f"{base}#creator"] if options.creator else None,
        "builtTime": _midnight(options.built),
        "releaseTime": _midnight(options.released),
    }
    return _element(
        "dataset_DatasetPackage",
        package,
        name=data.name,
        description=data.description,
        comment=f"What the provider did not say is left out. {NOT_CLEAN}",
        software_primaryPurpose="data",
        dataset_datasetType=["text"],
        dataset_datasetSize=data.manifest.coverage.stored_bytes,
        # a detector's finding can be shown; that nothing of the kind is there cannot
        dataset_hasSensitivePersonalInformation="yes" if found else "noAssertion",
        externalIdentifier=[
            {
                "type": "ExternalIdentifier",
                "externalIdentifierType": "other",
                "identifier": facts[name],
                "comment": comment,
            }
            for name, comment in (
                ("dataset_root", f"root over the shards, {facts['root_algorithm']}"),
                ("audit_sha256", "digest of the audit's manifest"),
            )
        ],
        **{key: value for key, value in provided.items() if value is not None},
    )


def _midnight(date: str | None) -> str | None:
    return None if date is None else f"{date}T00:00:00Z"


def _file(base: str, place: int, data: AuditedData) -> Document:
    entry = data.files[place]
    part = part_of(entry)
    return _element(
        "software_File",
        f"{base}#file-{place:07d}",
        name=entry.shard.name,
        contentType=encoding_of(entry),
        software_primaryPurpose="data",
        verifiedUsing=[
            {
                "type": "Hash",
                "algorithm": "sha256",
                "hashValue": entry.shard.sha256.removeprefix(DIGEST_PREFIX),
            }
        ],
        **({"comment": part} if part else {}),
    )


def _licence(base: str, package: str, licence: str) -> Iterator[Document]:
    yield _element(
        "simplelicensing_LicenseExpression", f"{base}#licence", simplelicensing_licenseExpression=licence
    )
    yield _relation(f"{base}#declared", "hasDeclaredLicense", package, [f"{base}#licence"])


def _say_findings(data: AuditedData) -> Iterator[str]:
    yield " ".join(f"{key}: {value}." for key, value in data.facts.items())
    yield say_unread(data)
    yield from (
        say for family in ("pii", "secret", "use", "copyright", "toxic") for say in data.said_of(family)
    )
    yield from say_benchmarks(data)
    if duplicates := say_duplicates(data):
        yield duplicates
    if licences := " ".join(say_licences(data)):
        yield licences
    yield from (say_sampled(each) for each in found_in_sample(data.manifest))
    yield from (f"Limits of the check {limit}" for limit in say_limits(data.manifest))
    if data.files_left_out:
        yield f"{data.files_left_out:,} shards are not listed here; the audit's shards.jsonl lists them all."


def _note(base: str, place: int, subject: str, statement: str) -> Document:
    return _element(
        "Annotation",
        f"{base}#finding-{place}",
        annotationType="other",
        subject=subject,
        statement=statement,
        contentType="text/plain",
    )


def _relation(identifier: str, kind: str, subject: str, to: list[str]) -> Document:
    return {
        **_element("Relationship", identifier, relationshipType=kind, to=to),
        "from": subject,
    }


def _element(kind: str, identifier: str, **fields: object) -> Document:
    return {"type": kind, "spdxId": identifier, "creationInfo": _CREATION, **fields}
