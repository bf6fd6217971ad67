"""What every export of an audit is made from: the audit, its files, and what only the provider of the data can say."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import quote

import msgspec

from verilabel.audit.exporting.found import KindFound, facts_of, found_in_all, say_found
from verilabel.audit.exporting.tallies import Named, Tallies, tally_audit
from verilabel.audit.proof.folder import AuditFolder
from verilabel.audit.proof.manifest import AuditManifest
from verilabel.audit.proof.shards import ShardEntry

MAX_FILES_LISTED = 2_000
MOST_NAMED = 12
ENCODINGS = {
    "parquet": "application/x-parquet",
    "jsonl": "application/jsonlines",
    "csv": "text/csv",
    "warc": "application/warc",
    "text": "text/plain",
}
COMPRESSED = {"gz": "application/gzip", "zst": "application/zstd"}
Document = dict[str, Any]


class DatasetOptions(msgspec.Struct, frozen=True):
    """What the provider says of the data. None: nothing, and then nothing is said in its place."""

    name: str | None = None
    licence: str | None = None
    version: str | None = None
    url: str | None = None
    creator: str | None = None
    description: str | None = None
    released: str | None = None
    """The date on which the data was released, `2026-11-23`."""
    built: str | None = None
    """The date on which the data was put together."""
    classification: str | None = None
    """How confidential the data is, in the provider's words."""


@dataclass(frozen=True)
class AuditedData:
    """An audit and what its provider says, ready to be written in other formats."""

    manifest: AuditManifest
    tallies: Tallies
    kinds: tuple[KindFound, ...]
    files: tuple[ShardEntry, ...]
    files_left_out: int
    options: DatasetOptions

    @property
    def name(self) -> str:
        """The data set's name: the provider's, or that of the inputs."""
        return self.options.name or ", ".join(self.manifest.inputs[:3]) or "audited data"

    @property
    def facts(self) -> dict[str, str]:
        """What every file says of the audit."""
        return facts_of(self.manifest)

    @property
    def description(self) -> str:
        """The provider's description, if there is one, and what the audit is."""
        facts = self.facts
        said = [self.options.description] if self.options.description else []
        said.append(
            f"Audited {facts['audited']} by {facts['tool']}: {facts['coverage']}. Audit {facts['audit_sha256']}, root "
            f"of the data set {facts['dataset_root']}. {facts['says']}"
        )
        return " ".join(said)

    @property
    def uuid(self) -> uuid.UUID:
        """The same for the same audit."""
        return uuid.uuid5(uuid.NAMESPACE_URL, f"verilabel:{self.manifest.digest}")

    def said_of(self, *families: str) -> list[str]:
        """A sentence for each kind of these families that was looked for."""
        return [say_found(kind) for kind in self.kinds if kind.family in families]


def open_audited_data(audit: AuditFolder, options: DatasetOptions) -> AuditedData:
    """Read all that exports need. Raises MalformedInput where a file is not in its form."""
    manifest = audit.manifest()
    files = tuple(islice(audit.shards(), MAX_FILES_LISTED))
    return AuditedData(
        manifest,
        tally_audit(audit, manifest),
        found_in_all(manifest),
        files,
        manifest.coverage.shards - len(files),
        options,
    )


def encoding_of(entry: ShardEntry) -> str:
    """The media type of a shard's file."""
    return COMPRESSED.get(entry.compression) or ENCODINGS.get(entry.form, "application/octet-stream")


def part_of(entry: ShardEntry) -> str | None:
    """What a shard is where it is no file of its own: then its digest is that of the bytes that were read as one."""
    stem, mark, number = entry.shard.name.rpartition("#")
    if mark and stem and number.isdigit():
        return f"part {int(number)} of {stem}: size and digest are of the part"
    if entry.shard.name.endswith(" more)") and " (and " in entry.shard.name:
        return "several small files side by side: size and digest are of them together"
    return None


def link_of(entry: ShardEntry) -> str:
    """The name of a shard's file as a relative reference."""
    stem, mark, number = entry.shard.name.rpartition("#")
    return quote(stem if mark and number.isdigit() else entry.shard.name)


def say_names(names: tuple[Named, ...], what: str) -> str:
    """The most frequent names with their counts."""
    shown = ", ".join(f"{each.name} {each.documents:,}" for each in names[:MOST_NAMED])
    more = f", and {len(names) - MOST_NAMED:,} others" if len(names) > MOST_NAMED else ""
    return f"{what}: {shown}{more}."


def say_licences(data: AuditedData) -> Iterator[str]:
    """What documents and sources say of licences."""
    tallies = data.tallies
    if tallies.licence_classes:
        none = sum(each.documents for each in tallies.licence_classes if each.name == "none")
        some = tuple(each for each in tallies.licence_classes if each.name != "none")
        if some:
            yield say_names(some, "Documents by the class of the first licence that was found in them")
        yield f"In {none:,} documents no licence was found; their terms are unknown."
    if tallies.licences:
        yield say_names(tallies.licences, "Documents by licence found in them")
    if tallies.declared:
        yield say_names(tallies.declared, "Documents by the licence that their source declares")


def say_unread(data: AuditedData) -> str:
    """What was not read, and why."""
    coverage = data.manifest.coverage
    if not (coverage.unread or coverage.unknown):
        return "Every document that is known of was read."
    reasons = "; ".join(
        f"{each.reason}: {each.documents:,}"
        + (f" and {each.unknown:,} places of unknown size" if each.unknown else "")
        for each in data.tallies.unread
    )
    return f"{coverage.unread:,} documents were not read, and are not counted as clean ({reasons})."


def say_duplicates(data: AuditedData) -> str | None:
    """How much of the data repeats."""
    found = data.manifest.duplicates
    if found is None:
        return None
    near = (
        "near duplicates were not looked for"
        if found.near is None
        else f"{found.near.copies:,} are near duplicates of one"
    )
    return (
        f"Duplicates: {found.exact.copies:,} documents have the text of an earlier one, {near} "
        f"(of {found.documents:,} read)."
    )


def say_benchmarks(data: AuditedData) -> Iterator[str]:
    """What was found of each benchmark."""
    for each in data.manifest.contamination:
        yield (
            f"Benchmark {each.name} ({each.sha256}): {each.matched:,} of {each.items:,} items stand in "
            f"{each.documents:,} documents; {each.unchecked:,} items cannot be found by these checks."
        )


def json_bytes(document: Document) -> bytes:
    """A document as it is written: indented, in the order of its making."""
    return json.dumps(document, indent=2, ensure_ascii=False).encode("utf-8") + b"\n"
