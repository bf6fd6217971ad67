"""The predicate of a training-data audit: what of a data set was read, what was looked for, and what was found.

It is signed in two uses. With the relation `audited` it is about a data set, by the Merkle root over its documents'
records: whoever audited it says what came out. With a `declared-` relation it is about a system, by the digest of its
descriptor: the signer says that this data set was training data of that system. A root proves what was audited, and
never what a model was trained on; that is the signer's word, in both uses.

What can be checked without the data set is checked when a statement is read: that its counts add up, that no count
exceeds what it is a count of, and that its moments follow each other.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Literal

import msgspec

from verilabel.errors import MalformedInput
from verilabel.evidence.others.forms import LEVEL, MAX_LISTED, check_digest, check_text, check_words
from verilabel.evidence.statement import Issuer, Tool, parse_time

Relation = Literal["audited", "declared-training-data", "declared-fine-tuning-data"]
Basis = Literal["census", "sampled"]
DATASET = "dataset"
"""What the subject of an audit of a data set is called."""
AUDIT_LIMIT = "an audit's root proves what was audited, not what the model was trained on"
"""What stands beside every level that rests on an audit."""
MILLION = Decimal(1_000_000)
_PER_MILLION = re.compile(r"(0|[1-9][0-9]{0,6})(\.[0-9]{0,5}[1-9])?", re.ASCII)


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class AuditReference(_Form, frozen=True, omit_defaults=True):
    """Which audit, of which data set, and how much of it was read."""

    manifest_sha256: str
    """Digest of the audit's manifest, which names every shard and setting."""
    dataset_root: str
    """Merkle root over the data set's shards."""
    shards: int
    documents: int
    documents_read: int
    documents_unread: int
    """Documents that could not be read; `documents` is the sum of both."""
    bytes_text: int
    """Of the documents that were read, in UTF-8."""
    confidence: str
    """Of every bound, as a decimal between 0 and 1."""
    started: str
    ended: str
    unknown: int = 0
    """Places where nobody can know how many documents were not read: `documents` is then a lower bound."""


class AuditCheck(_Form, frozen=True):
    """A check that was carried out, exactly: its data are its rules, lists and indexes."""

    name: str
    version: str
    data_sha256: str


class BoundedStatement(_Form, frozen=True, omit_defaults=True):
    """How often a kind of finding occurs in the data set, at most."""

    kind: str
    """Such as `pii.email`."""
    found_documents: int
    bound_per_million: str
    """Upper bound of documents with it in a million, at the audit's confidence; a decimal of at most 6 places."""
    method: str
    """How the bound was computed, in a few words."""
    basis: Basis
    """Whether every document that was read was looked at (`census`), or a sample of them."""
    sample: int = 0
    """Documents in the sample; 0 for a census."""


class BenchmarkMatches(_Form, frozen=True, omit_defaults=True):
    """What was found of one benchmark's items in the data set."""

    benchmark: str
    """A suite as `id@version`, or the name of a file."""
    benchmark_sha256: str
    """A suite's digest (of the bytes of its `suite.yaml`, which pin its data), or that of the file."""
    items: int
    """All items of the benchmark: of a suite all its samples."""
    items_matched: int
    documents: int
    """Documents that hold at least one of them."""
    unchecked: int = 0
    """Items that cannot be told from chance, such as very short ones: whether they are there is not known."""


class CanaryRecall(_Form, frozen=True):
    """How many values that were planted in copies of the data set's own documents were found in the same run."""

    kind: str
    planted: int
    found: int


class DataAudit(_Form, frozen=True):
    """A training-data audit, or the declaration that an audited data set was training data of a system."""

    audit: AuditReference
    checks: tuple[AuditCheck, ...]
    statements: tuple[BoundedStatement, ...]
    contamination: tuple[BenchmarkMatches, ...]
    canaries: tuple[CanaryRecall, ...]
    relation: Relation
    text: str
    """The signer's own words: where the data are from, what was left out, how it is known that they were used."""
    valid_until: str
    issuer: Issuer
    issued: str
    tool: Tool

    @property
    def is_declaration(self) -> bool:
        """True where it says of a system that it was trained on the data set."""
        return self.relation != "audited"


def write_per_million(bound: Decimal) -> str:
    """A bound in its one spelling: rounded up to 6 places, without trailing zeros, at most a million."""
    rounded = min(bound, MILLION).quantize(Decimal("0.000001"), rounding=ROUND_CEILING)
    text = f"{rounded:f}"
    return text.rstrip("0").rstrip(".")


def check_audit(predicate: DataAudit, name: str, about: str, issued: datetime, where: str) -> None:
    """Check an audit against itself and its subject. Raises MalformedInput naming the field that cannot be.

    Checked are: digests, times and decimals have their forms; `documents` is what was read and what was not; the audit
    ended after it began and before it was signed; findings and matches are no more than what was looked at or for; a
    sample has a size and a census none; nothing is listed twice; and the subject is the data set that was audited, or
    for a declaration something else.
    """
    _check_reference(predicate.audit, issued, f"{where}.audit")
    read = predicate.audit.documents_read
    _check_checks(predicate.checks, f"{where}.checks")
    _check_listed([(s.kind, s.basis) for s in predicate.statements], f"{where}.statements")
    for index, statement in enumerate(predicate.statements):
        _check_statement(statement, read, f"{where}.statements[{index}]")
    _check_listed(
        [(b.benchmark, b.benchmark_sha256) for b in predicate.contamination], f"{where}.contamination"
    )
    for index, matches in enumerate(predicate.contamination):
        _check_matches(matches, read, f"{where}.contamination[{index}]")
    check_words([canary.kind for canary in predicate.canaries], f"{where}.canaries")
    for index, canary in enumerate(predicate.canaries):
        _check_counts(canary, f"{where}.canaries[{index}]")
        _check_part(canary.found, canary.planted, f"{where}.canaries[{index}].found")
    check_text(predicate.text, f"{where}.text")
    if parse_time(predicate.valid_until, where=f"{where}.valid_until") <= issued:
        raise MalformedInput("it ends before it is issued", where=f"{where}.valid_until")
    _check_subject(predicate, name, about, where)


def _check_subject(predicate: DataAudit, name: str, about: str, where: str) -> None:
    is_dataset = about == predicate.audit.dataset_root
    if not predicate.is_declaration and not (is_dataset and name == DATASET):
        raise MalformedInput(
            "the subject is not the data set that was audited", where=f"{where}.audit.dataset_root"
        )
    if predicate.is_declaration and is_dataset:
        raise MalformedInput("a data set is not its own training data", where=f"{where}.relation")


def _check_reference(audit: AuditReference, issued: datetime, where: str) -> None:
    check_digest(audit.manifest_sha256, f"{where}.manifest_sha256")
    check_digest(audit.dataset_root, f"{where}.dataset_root")
    _check_counts(audit, where)
    if audit.documents != audit.documents_read + audit.documents_unread:
        raise MalformedInput(
            "the documents are not those that were read and those that were not", where=where
        )
    if not (audit.shards and audit.documents_read):
        raise MalformedInput("an audit that read nothing", where=where)
    if not LEVEL.fullmatch(audit.confidence):
        raise MalformedInput("not a decimal between 0 and 1 of at most 6 places", where=f"{where}.confidence")
    started = parse_time(audit.started, where=f"{where}.started")
    ended = parse_time(audit.ended, where=f"{where}.ended")
    if not started <= ended <= issued:
        raise MalformedInput("it did not begin, end and get signed in this order", where=f"{where}.ended")


def _check_checks(checks: Sequence[AuditCheck], where: str) -> None:
    if not checks:
        raise MalformedInput("an audit that looked for nothing", where=where)
    check_words([check.name for check in checks], where)
    for index, check in enumerate(checks):
        check_words([check.version], f"{where}[{index}].version")
        check_digest(check.data_sha256, f"{where}[{index}].data_sha256")


def _check_statement(statement: BoundedStatement, read: int, where: str) -> None:
    check_words([statement.kind], f"{where}.kind")
    check_words([statement.method], f"{where}.method")
    _check_counts(statement, where)
    if (statement.basis == "sampled") != (statement.sample > 0):
        raise MalformedInput("a sample has a size, a census has none", where=f"{where}.sample")
    _check_part(statement.sample, read, f"{where}.sample")
    _check_part(statement.found_documents, statement.sample or read, f"{where}.found_documents")
    text = statement.bound_per_million
    if not _PER_MILLION.fullmatch(text) or Decimal(text) > MILLION:
        raise MalformedInput(
            "not a decimal from 0 to 1000000 of at most 6 places", where=f"{where}.bound_per_million"
        )
    if statement.found_documents and text == "0":
        raise MalformedInput("some were found, and the bound says none", where=f"{where}.bound_per_million")


def _check_matches(matches: BenchmarkMatches, read: int, where: str) -> None:
    check_words([matches.benchmark], f"{where}.benchmark")
    check_digest(matches.benchmark_sha256, f"{where}.benchmark_sha256")
    _check_counts(matches, where)
    if not matches.items:
        raise MalformedInput("a benchmark of which nothing was looked for", where=f"{where}.items")
    _check_part(matches.unchecked, matches.items, f"{where}.unchecked")
    _check_part(matches.items_matched, matches.items - matches.unchecked, f"{where}.items_matched")
    _check_part(matches.documents, read, f"{where}.documents")
    if (matches.items_matched > 0) != (matches.documents > 0):
        raise MalformedInput(
            "items are found in documents, and documents hold items", where=f"{where}.documents"
        )


def _check_counts(form: msgspec.Struct, where: str) -> None:
    for name in form.__struct_fields__:
        value = getattr(form, name)
        if isinstance(value, int) and value < 0:
            raise MalformedInput("a negative count", where=f"{where}.{name}")


def _check_part(part: int, whole: int, where: str) -> None:
    if part > whole:
        raise MalformedInput("more than what it is a part of", where=where)


def _check_listed(keys: Iterable[Hashable], where: str) -> None:
    listed = list(keys)
    if len(listed) > MAX_LISTED or len(set(listed)) != len(listed):
        raise MalformedInput(f"more than {MAX_LISTED}, or one twice", where=where)
