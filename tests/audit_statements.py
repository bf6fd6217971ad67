"""Signed audits of training data and the findings that V4 asks for, about the system of a small bundle, for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bundle_factory import ISSUED, ISSUER, LOG, fixed_key
from party_factory import (
    CRITIC,
    REPLICATOR,
    SIGNED,
    another_digest,
    policy,
    sign_about,
)
from verilabel.evidence.container import open_container
from verilabel.evidence.keys import PrivateKey
from verilabel.evidence.others.attestation import Finding, build_audit_attestation, signed_by
from verilabel.evidence.others.audit import (
    AuditCheck,
    AuditReference,
    BenchmarkMatches,
    BoundedStatement,
    CanaryRecall,
    DataAudit,
)
from verilabel.evidence.others.signed import Signed, sign_attestation
from verilabel.evidence.reading import read_plan, read_system
from verilabel.evidence.statement import write_time
from verilabel.records.canonical import DIGEST_PREFIX
from verilabel.records.plan import Plan
from verilabel.records.system import SystemDescriptor

AUDITOR = fixed_key("auditor", "auditor.example")
PERSON = fixed_key("person", "person.example")
AUDIT_PARTIES = (
    (ISSUER, "Lab", "labels"),
    (LOG, "Log", "log"),
    (REPLICATOR, "Second lab", "replications"),
    (CRITIC, "Critic", "disputes"),
    (AUDITOR, "Auditor", "audits"),
    (PERSON, "A person", "attestations"),
)
TRUST = policy(*AUDIT_PARTIES)
TRUST_TEXT = "format: verilabel/trust/v1\naccept:\n  any:\n" + "".join(
    f"    - {{key: {key.public.line!r}, name: {name}, roles: [{role}]}}\n"
    for key, name, role in AUDIT_PARTIES
)
ROOT = another_digest("the data set")
UNTIL = datetime(2120, 6, 1, tzinfo=UTC)
STARTED = ISSUED - timedelta(days=3)


def reference(**changes: Any) -> AuditReference:
    """An audit of a small data set, almost all of which was read."""
    fields = {
        "manifest_sha256": another_digest("the audit's manifest"),
        "dataset_root": ROOT,
        "shards": 3,
        "documents": 1_000,
        "documents_read": 998,
        "documents_unread": 2,
        "bytes_text": 2_500_000,
        "confidence": "0.95",
        "started": write_time(STARTED),
        "ended": write_time(STARTED + timedelta(hours=1)),
    }
    return AuditReference(**{**fields, **changes})


def check(**changes: Any) -> AuditCheck:
    """A check that was carried out."""
    return AuditCheck(**{"name": "pii", "version": "1", "data_sha256": another_digest("rules"), **changes})


def bounded(**changes: Any) -> BoundedStatement:
    """What a census says of one kind."""
    fields = {
        "kind": "pii.email",
        "found_documents": 7,
        "bound_per_million": "15234.000561",
        "method": "census, canary recall",
        "basis": "census",
    }
    return BoundedStatement(**{**fields, **changes})


def sampled(**changes: Any) -> BoundedStatement:
    """What a sample says of one kind."""
    fields = {
        "kind": "hazard.weapons",
        "found_documents": 0,
        "bound_per_million": "29512.25",
        "method": "Clopper-Pearson",
        "basis": "sampled",
        "sample": 100,
    }
    return bounded(**{**fields, **changes})


def matches(**changes: Any) -> BenchmarkMatches:
    """What was found of one benchmark."""
    fields = {
        "benchmark": "gsm8k.jsonl",
        "benchmark_sha256": another_digest("gsm8k"),
        "items": 1_319,
        "items_matched": 2,
        "documents": 3,
    }
    return BenchmarkMatches(**{**fields, **changes})


def canary(**changes: Any) -> CanaryRecall:
    """What was planted of one kind, and found."""
    return CanaryRecall(**{"kind": "pii.email", "planted": 300, "found": 299, **changes})


def audit_of(
    key: PrivateKey = AUDITOR, *, issued: datetime = SIGNED, until: datetime = UNTIL, **changes: Any
) -> DataAudit:
    """The predicate of an audit; `changes` replace its fields."""
    fields: dict[str, Any] = {
        "audit": reference(),
        "checks": (check(), check(name="contamination")),
        "statements": (bounded(), sampled()),
        "contamination": (matches(),),
        "canaries": (canary(),),
        "relation": "audited",
        "text": "Everything that the crawl of May gave, before filtering.",
        "valid_until": write_time(until),
    }
    by = dict(zip(("issuer", "issued", "tool"), signed_by(key.public, issued), strict=True))
    return DataAudit(**{**fields, **by, **changes})


def covering(plan: Plan, **changes: Any) -> tuple[BenchmarkMatches, ...]:
    """That every suite of a plan was looked for, all its samples, and none was found."""
    none_found = {"items_matched": 0, "documents": 0, **changes}
    return tuple(
        matches(benchmark=s.suite, benchmark_sha256=s.suite_sha256, **{"items": s.samples, **none_found})
        for s in plan.streams
    )


def read_parts(bundle: Path) -> tuple[SystemDescriptor, Plan]:
    """System and plan of a bundle."""
    with open_container(bundle) as container:
        return read_system(container), read_plan(container)


def declaration_of(
    bundle: Path,
    key: PrivateKey = AUDITOR,
    *,
    issued: datetime = SIGNED,
    until: datetime = UNTIL,
    **changes: Any,
) -> Signed:
    """A signed declaration that an audited data set was training data of a bundle's system; it covers its suites."""
    system, plan = read_parts(bundle)
    said = {"relation": "declared-training-data", "contamination": covering(plan), **changes}
    predicate = audit_of(key, issued=issued, until=until, **said)
    about = None if predicate.relation == "audited" else system
    return sign_attestation(build_audit_attestation(predicate, about), key)


def finding_of(
    bundle: Path,
    name: str,
    key: PrivateKey = PERSON,
    *,
    issued: datetime = SIGNED,
    until: datetime = UNTIL,
    about: str | None = None,
) -> Signed:
    """A signed finding about a bundle's system."""
    system, _ = read_parts(bundle)
    by = signed_by(key.public, issued)
    return sign_about(
        about or system.digest, Finding(name, "reviewer", "done", (), write_time(until), *by), key
    )


def findings_of(bundle: Path) -> tuple[Signed, ...]:
    """The findings that V4 asks for of a label without a judge."""
    return finding_of(bundle, "elicitation"), finding_of(bundle, "governance")


def root_digits(root: str = ROOT) -> str:
    """A digest as in-toto writes it."""
    return root.removeprefix(DIGEST_PREFIX)
