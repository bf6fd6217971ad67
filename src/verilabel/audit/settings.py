"""What a person asks of an audit. With the shards' digests it decides every record, so its digest is part of them."""

from __future__ import annotations

from typing import Literal

import msgspec

Name = Literal["pii", "licences", "contamination", "duplicates", "language", "toxicity", "provenance"]
Form = Literal["parquet", "jsonl", "csv", "warc", "text"]
MAX_DOCUMENT_BYTES = 64 * 2**20
"""Longer documents are not read, counted and named: nothing else would bound the memory of a worker."""
CHECKS: tuple[Name, ...] = (
    "pii",
    "licences",
    "contamination",
    "duplicates",
    "language",
    "toxicity",
    "provenance",
)


class _Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Selection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which text of an input is audited, and what else is read of it."""

    columns: tuple[str, ...] = ()
    """Paths such as `text`, `answer.body` or `messages[].content`; several are joined by blank lines into one document.
    Empty: the one column that is called text, content, body or document; for WARC and plain files the text itself."""
    form: Form | None = None
    """Where names of files do not say it."""
    max_document_bytes: int = MAX_DOCUMENT_BYTES
    shard_bytes: int = 64 * 2**20
    """Files that can be cut are read in parts of about this size."""


class PiiSettings(_Settings, frozen=True):
    """Which numbers count as whose."""

    regions: tuple[str, ...] = ("US", "GB")
    """ISO 3166 codes whose national forms of telephone numbers are looked for; international forms always are."""


class ContaminationSettings(_Settings, frozen=True):
    """Benchmarks that are looked for."""

    benchmarks: tuple[str, ...] = ()
    """Names of suites, or paths of files with one item a line."""
    mirror: str | None = None
    """A folder from which suites' data is taken instead of the network."""
    sketch: bool = False
    """True: keep winnowed n-grams of the corpus, by which others can look for later benchmarks."""


class DuplicatesSettings(_Settings, frozen=True):
    """When two documents count as near duplicates."""

    near: bool = True
    """False: equal texts alone, in about half the time."""
    min_similarity: float = 0.6
    """Of signatures, for an edge of a cluster of near duplicates."""
    alarm_documents: int = 1_000
    """Clusters of more documents are named: such sizes come of boilerplate as often as of copies."""


class SamplingSettings(_Settings, frozen=True):
    """What is too costly for every document, on how many it is done."""

    documents: int = 1_000
    """Per detector; 0 does none. Chosen by content, so that nobody can choose them."""
    judges: tuple[str, ...] = ()
    """Judges to ask, as detectors name them; each asks a model for every document of its sample."""
    detectors: tuple[str, ...] = ("toxicity/linear",)


class CanarySettings(_Settings, frozen=True):
    """How many values are planted in copies of the corpus' own documents to measure recall, in the same run."""

    per_format: int = 300


class AuditSettings(_Settings, frozen=True):
    """Everything that decides an audit's findings."""

    selection: Selection = Selection()
    checks: tuple[Name, ...] = CHECKS
    pii: PiiSettings = PiiSettings()
    contamination: ContaminationSettings = ContaminationSettings()
    duplicates: DuplicatesSettings = DuplicatesSettings()
    sampling: SamplingSettings = SamplingSettings()
    canaries: CanarySettings = CanarySettings()
    confidence: str = "0.95"
    """Of every bound, as a decimal."""

    @property
    def reads_about(self) -> bool:
        """Whether the columns beside the text (url, date, licence) are read: one check alone asks for them."""
        return "provenance" in self.checks
