"""The manifest of an audit, `audit.json`: what was audited and how, what was found, and the digest of every file.

Canonical JSON (RFC 8785): numbers are integers, decimals travel as strings. Whoever signs it signs the whole folder.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from verilabel.audit.bounds.statements import Statement
from verilabel.audit.canaries.recall import Recall
from verilabel.audit.contamination.summary import BenchmarkSummary
from verilabel.audit.duplicates.clusters import Summary as DuplicatesSummary
from verilabel.audit.interface import CheckCard, Column
from verilabel.audit.proof.layout import (
    FORMAT,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    SHARDS,
    UNLISTED,
    may_be_path,
)
from verilabel.audit.proof.shards import ListedFile
from verilabel.audit.provenance.cards import Declared
from verilabel.audit.sampling.result import SampleResult
from verilabel.audit.settings import AuditSettings
from verilabel.errors import MalformedInput
from verilabel.evidence.statement import Tool, parse_time
from verilabel.records.canonical import digest, is_digest, jcs, parse_json

T = TypeVar("T")
SAYS = "This root proves what was audited, not what a model was trained on."


class Coverage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of the corpus was read. Every statement is about the documents that were."""

    shards: int
    rows: int
    """Documents, as far as they could be counted."""
    read: int
    unread: int
    unknown: int
    """Places where nobody can know how many documents were not read; where there are any, `rows` is a lower bound."""
    repaired: int
    """Documents with bytes that are no UTF-8, read with U+FFFD in their place."""
    text_bytes: int
    stored_bytes: int
    unread_bytes: int


class KindTotal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Findings of a kind in the whole corpus."""

    kind: str
    findings: int
    documents: int
    """With one or more."""


class Root(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The root of the data set, over its shards."""

    sha256: str
    shards: int
    algorithm: Literal["rfc6962-sha256"] = "rfc6962-sha256"


class AuditManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything an audit says."""

    format: str
    says: str
    tool: Tool
    started: str
    ended: str
    engine: str
    """What ran, in words; nothing depends on it."""
    inputs: tuple[str, ...]
    """As they were named, without folders of the machine."""
    settings: AuditSettings
    checks: tuple[CheckCard, ...]
    record: tuple[Column, ...]
    """The columns of every record, in order; `commitment`, 32 bytes, stands behind `row`."""
    coverage: Coverage
    totals: tuple[KindTotal, ...]
    choices: dict[str, dict[str, int]]
    """Column to name of a value to documents, for columns that are choices."""
    duplicates: DuplicatesSummary | None
    contamination: tuple[BenchmarkSummary, ...]
    declared: Declared | None
    """What the cards beside local data say of it, and what of that is wrong; None where nothing lies beside it."""
    canaries: tuple[Recall, ...]
    sample: SampleResult | None
    """What costly detectors and judges said of documents that the corpus chose."""
    statements: tuple[Statement, ...]
    secret_id: str
    """Names the secret that commitments and marks were made with."""
    root: Root
    files: tuple[ListedFile, ...]
    """All but this one, the signature, and the shards' own, which `shards.jsonl` lists."""

    def bytes(self) -> bytes:
        """The canonical bytes of `audit.json`."""
        return jcs(_without_floats(msgspec.to_builtins(self))) + b"\n"

    @property
    def digest(self) -> str:
        """What is signed, beside the root."""
        return digest(self.bytes())


def _without_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_floats(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_floats(item) for item in value]
    return repr(value) if isinstance(value, float) else value


def parse_audit_manifest(data: bytes) -> AuditManifest:
    """Read `audit.json` strictly. Raises MalformedInput for another format, or a spelling of its own."""
    document = parse_json(data, where=MANIFEST, max_bytes=MAX_MANIFEST_BYTES)
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT:
        raise MalformedInput(
            f"format {str(found)[:80]!r} is not known to this version",
            where=f"{MANIFEST} $.format",
            hint=f"it reads {FORMAT}",
        )
    try:
        manifest = msgspec.convert(document, AuditManifest, strict=False)  # decimals stand in strings
    except msgspec.ValidationError as error:
        raise MalformedInput(str(error), where=MANIFEST) from None
    if manifest.bytes() != data:
        raise MalformedInput("not in canonical form", where=MANIFEST)
    _check_forms(manifest)
    return manifest


def _check_forms(manifest: AuditManifest) -> None:
    for name in ("started", "ended"):
        parse_time(getattr(manifest, name), where=f"{MANIFEST} $.{name}")
    if manifest.says != SAYS:
        raise MalformedInput("it does not say what a root proves", where=f"{MANIFEST} $.says")
    digests = [manifest.root.sha256, manifest.secret_id, *(file.sha256 for file in manifest.files)]
    if not all(map(is_digest, digests)):
        raise MalformedInput("not a SHA-256 digest", where=MANIFEST)
    paths = [file.path for file in manifest.files]
    if paths != sorted(set(paths)) or SHARDS not in paths:
        raise MalformedInput(
            "the files are not in order, or one is missing or twice", where=f"{MANIFEST} $.files"
        )
    if not all(may_be_path(path) and path not in UNLISTED for path in paths):
        raise MalformedInput("a file that may not be listed", where=f"{MANIFEST} $.files")
