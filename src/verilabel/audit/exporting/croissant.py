"""Croissant 1.1 with the RAI vocabulary: files with their real digests, and what the audit found, in words.

The licence is the provider's, or is left out; licences that were found stand beside it as findings. The audit is an
activity (PROV-O) that used the data and generated the audit's own record: it did not generate the data.
"""

from __future__ import annotations

from collections.abc import Iterator

from verilabel.audit.exporting.dataset import (
    AuditedData,
    Document,
    encoding_of,
    link_of,
    part_of,
    say_benchmarks,
    say_duplicates,
    say_licences,
    say_names,
    say_unread,
)
from verilabel.audit.exporting.found import NOT_CLEAN, found_in_sample, say_limits, say_sampled
from verilabel.records.canonical import DIGEST_PREFIX

CONFORMS_TO = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")
CONTEXT: Document = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TABLES = ("parquet", "jsonl", "csv")


def write_croissant(data: AuditedData) -> Document:
    """The JSON-LD document."""
    options, facts = data.options, data.facts
    document: Document = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "@id": f"urn:uuid:{data.uuid}",
        "name": data.name,
        "description": data.description,
        "conformsTo": list(CONFORMS_TO),
    }
    provided = {
        "license": options.licence,
        "url": options.url,
        "version": options.version,
        "datePublished": options.released,
        "dateCreated": options.built,
        "creator": {"@type": "sc:Organization", "name": options.creator} if options.creator else None,
    }
    document.update({key: value for key, value in provided.items() if value is not None})
    if data.tallies.languages:
        document["inLanguage"] = [each.name for each in data.tallies.languages if _is_language(each.name)]
    document["identifier"] = facts["dataset_root"]
    document["distribution"] = list(_files(data))
    if records := _record_set(data):
        document["recordSet"] = [records]
        document["distribution"].append(_file_set(data))
    document.update(_responsibility(data))
    document["subjectOf"] = _audit(data)
    return document


def _is_language(name: str) -> bool:
    return name not in ("none", "zxx")


def _files(data: AuditedData) -> Iterator[Document]:
    for place, entry in enumerate(data.files):
        shard = entry.shard
        file: Document = {
            "@type": "cr:FileObject",
            "@id": f"shard-{place:07d}",
            "name": shard.name,
            "contentUrl": link_of(entry),
            "contentSize": f"{shard.stored_bytes} B",
            "encodingFormat": encoding_of(entry),
            "sha256": shard.sha256.removeprefix(DIGEST_PREFIX),
        }
        if part := part_of(entry):
            file["description"] = part
        yield file
    if data.files_left_out:
        listed = next(file for file in data.manifest.files if file.path == "shards.jsonl")
        yield {
            "@type": "cr:FileObject",
            "@id": "shards",
            "name": listed.path,
            "description": f"The audit's list of all shards with digests; {data.files_left_out:,} are only there.",
            "contentUrl": listed.path,
            "contentSize": f"{listed.bytes} B",
            "encodingFormat": "application/jsonlines",
            "sha256": listed.sha256.removeprefix(DIGEST_PREFIX),
        }


def _columns(data: AuditedData) -> tuple[str, ...]:
    """The columns whose text was audited, where they are known and are plain columns of tables."""
    columns = data.manifest.settings.selection.columns
    plain = all(column.replace("_", "").isalnum() for column in columns)
    tables = all(entry.form in _TABLES for entry in data.files)
    return columns if plain and tables and not data.files_left_out else ()


def _file_set(data: AuditedData) -> Document:
    encodings = sorted({encoding_of(entry) for entry in data.files})
    return {
        "@type": "cr:FileSet",
        "@id": "shards-read",
        "name": "shards-read",
        "encodingFormat": encodings,
        "includes": sorted({link_of(entry) for entry in data.files}),
    }


def _record_set(data: AuditedData) -> Document | None:
    columns = _columns(data)
    if not columns:
        return None
    return {
        "@type": "cr:RecordSet",
        "@id": "documents",
        "name": "documents",
        "description": "The columns whose text was audited, joined to one document a row.",
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"documents/{column}",
                "name": column,
                "description": "text that was audited",
                "dataType": "sc:Text",
                "source": {"fileSet": {"@id": "shards-read"}, "extract": {"column": column}},
            }
            for column in columns
        ],
    }


def _responsibility(data: AuditedData) -> Document:
    """RAI fields that the audit can fill; the others are the provider's."""
    fields = {
        "rai:personalSensitiveInformation": data.said_of("pii", "secret"),
        "rai:dataCollectionMissingData": [say_unread(data)],
        "rai:dataBiases": list(_mixes(data)),
        "rai:dataLimitations": list(_limitations(data)),
    }
    return {
        key: " ".join([*said, NOT_CLEAN] if "personal" in key else said)
        for key, said in fields.items()
        if said
    }


def _mixes(data: AuditedData) -> Iterator[str]:
    tallies = data.tallies
    if tallies.languages:
        yield say_names(tallies.languages, "Documents by language, as a model tells it")
    if tallies.years:
        first, last = tallies.years[0].name, tallies.years[-1].name
        yield f"Dates of documents, as their sources say: {first} to {last}; {tallies.undated:,} have none."
    if tallies.domains:
        shown = ", ".join(f"{each.name} {each.documents:,}" for each in tallies.domains[:12])
        yield f"Documents by domain, as their sources say, of {len(tallies.domains):,} domains: {shown}."
    yield from data.said_of("toxic")
    yield from (say_sampled(each) for each in found_in_sample(data.manifest))


def _limitations(data: AuditedData) -> Iterator[str]:
    yield from say_benchmarks(data)
    if duplicates := say_duplicates(data):
        yield duplicates
    yield from say_licences(data)
    yield from data.said_of("use", "copyright")
    yield from (f"Limits of the check {limit}" for limit in say_limits(data.manifest))


def _audit(data: AuditedData) -> Document:
    """The audit's own record, and the activity that generated it from the data."""
    manifest, facts = data.manifest, data.facts
    return {
        "@type": ["sc:DigitalDocument", "prov:Entity"],
        "@id": f"urn:verilabel:audit:{manifest.digest}",
        "name": "training-data audit",
        "identifier": manifest.digest,
        "text": " ".join(f"{key}: {value}." for key, value in facts.items()),
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "@id": f"urn:verilabel:audit:{manifest.digest}#activity",
            "prov:startedAtTime": manifest.started,
            "prov:endedAtTime": manifest.ended,
            "prov:used": {"@id": f"urn:verilabel:dataset-root:{manifest.root.sha256}"},
            "prov:wasAssociatedWith": {
                "@type": "prov:SoftwareAgent",
                "@id": f"urn:verilabel:tool:{manifest.tool.version}",
                "name": f"{manifest.tool.name} {manifest.tool.version}",
            },
        },
    }
