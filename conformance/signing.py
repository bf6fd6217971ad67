"""What the cases of `statements.py` are made of: fixed keys, one label, what parties sign about it, trust policies.

The label is that of `tests/bundles/good`. The keys are made from seeds that everybody can read: what they sign shows
which rule applies, and protects nothing.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from verilabel.evidence.keys import KeyType, PrivateKey
from verilabel.evidence.log import LocalLog
from verilabel.evidence.others.attestation import (
    BundleReference,
    Comparison,
    Dispute,
    Finding,
    MeasureComparison,
    Predicate,
    Replication,
    Withdrawal,
    build_attestation,
)
from verilabel.evidence.others.audit import (
    AuditCheck,
    AuditReference,
    BenchmarkMatches,
    BoundedStatement,
    CanaryRecall,
    DataAudit,
)
from verilabel.evidence.others.signed import Signed, entry_of, sign_attestation, with_proof
from verilabel.evidence.statement import Issuer, Tool, write_time
from verilabel.evidence.verification import Verification
from verilabel.evidence.verifier import verify_bundle
from verilabel.records.canonical import digest
from verilabel.rubric.model import load_rubric

BUNDLE = Path(__file__).resolve().parents[1] / "tests" / "bundles" / "good"
READ = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SIGNED = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
UNTIL = datetime(2027, 1, 1, tzinfo=UTC)
TOOL = Tool("conformance vectors", "1")


def key_of(seed: str, name: str) -> PrivateKey:
    """A signing key that is the same in every run."""
    return PrivateKey(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest()), name)


ISSUER, LOG = key_of("issuer", "lab.example"), key_of("log", "log.example/tests")
"""Those of the bundle."""
SECOND, THIRD = key_of("second", "second.example"), key_of("third", "third.example")
CRITIC, STRANGER = key_of("critic", "critic.example"), key_of("stranger", "stranger.example")
AUDITOR, PERSON = key_of("auditor", "auditor.example"), key_of("person", "person.example")
OTHER_LOG, WITNESS = key_of("other log", "log.example/other"), key_of("witness", "witness.example")


# -- statements --------------------------------------------------------------------------------------------------


def read_label() -> Verification:
    """The finding on the bundle alone."""
    found = verify_bundle(BUNDLE, now=READ)
    if found.failure is not None or found.statement_sha256 is None:
        raise SystemExit(f"the bundle of the vectors does not verify: {found.failure}")
    return found


LABEL = read_label()
ABOUT = str(LABEL.statement_sha256)
SCOPE = load_rubric((BUNDLE / "rubric" / "rubric.yaml").read_bytes(), "rubric").scope.bind


def reference(keyid: str | None, **changes: str) -> BundleReference:
    """How a replication names a bundle: the label's own, but for the key and the changes."""
    assert LABEL.system is not None and LABEL.label is not None, "it verified"
    parts = {"statement_sha256": ABOUT, "manifest_sha256": LABEL.manifest_sha256, "evidence_root": LABEL.root}
    named = {"system_sha256": LABEL.system.digest, "keyid": keyid, "label": LABEL.label.sentence}
    return msgspec.convert({**parts, **named, **changes}, BundleReference)


def comparison(measure: dict[str, Any] | None = None, **changes: Any) -> Comparison:
    """A comparison in which every answer is the same, but for changes of its measure and of the whole."""
    ((name, tally),) = LABEL.tallies.items()
    counts = (tally.n, tally.n, tally.events, tally.n, tally.events, tally.n, 0)
    compared = msgspec.structs.replace(MeasureComparison(name, "replicated", *counts), **(measure or {}))
    whole = Comparison("replicated", "0.05", "0.9", SCOPE, (), "confirmed", (compared,))
    return msgspec.structs.replace(whole, **changes)


def sign(
    predicate: Any, key: PrivateKey, *more: Any, about: str = ABOUT, issued: datetime = SIGNED
) -> Signed:
    """Sign a predicate of a kind, given its own fields."""
    made: Predicate = predicate(*more, Issuer(key.name, key.keyid), write_time(issued), TOOL)
    return sign_attestation(build_attestation("quiz-model", about, made), key)


def replication(key: PrivateKey = SECOND, issued: datetime = SIGNED, **changes: Any) -> Signed:
    """A replication by a key, with a replica of its own; `original`, `replica` and `comparison` can be others."""
    theirs = {"statement_sha256": digest(b"a replica"), "manifest_sha256": digest(b"its manifest")}
    replica = reference(key.keyid, **theirs, evidence_root=digest(b"its records"))
    parts = {"original": reference(LABEL.keyid), "replica": replica, "comparison": comparison(), **changes}
    original, replica, found = (parts[name] for name in ("original", "replica", "comparison"))
    said, about = "another laboratory", original.statement_sha256
    return sign(Replication, key, original, replica, said, found, about=about, issued=issued)


def dispute(
    key: PrivateKey = CRITIC, about: str = ABOUT, text: str = "The questions are too easy."
) -> Signed:
    """A dispute."""
    return sign(Dispute, key, ("method",), text, (), (), about=about)


def withdrawal(
    key: PrivateKey = ISSUER, about: str = ABOUT, successor: str | None = None, issued: datetime = SIGNED
) -> Signed:
    """A withdrawal."""
    return sign(Withdrawal, key, "mistaken", successor, about=about, issued=issued)


def finding(
    key: PrivateKey = STRANGER, name: str = "review", until: datetime = UNTIL, about: str | None = None
) -> Signed:
    """A finding about the label's system, or about another."""
    assert LABEL.system is not None, "it verified"
    said = (name, "reviewer", "It was read.", (), write_time(until))
    return sign(Finding, key, *said, about=about or LABEL.system.digest)


ROOT = digest(b"the data set")


def matches(**changes: Any) -> BenchmarkMatches:
    """That all samples of the label's one suite were looked for and none was found, but for changes."""
    assert LABEL.plan is not None, "it verified"
    (stream,) = LABEL.plan.streams
    found = {"items": stream.samples, "items_matched": 0, "documents": 0}
    return msgspec.convert(
        {"benchmark": stream.suite, "benchmark_sha256": stream.suite_sha256, **found, **changes},
        BenchmarkMatches,
    )


def audit_reference(**changes: Any) -> AuditReference:
    """Of a small data set, of which two documents could not be read."""
    digests = {"manifest_sha256": digest(b"the audit"), "dataset_root": ROOT}
    counts = {
        "shards": 3,
        "documents": 1000,
        "documents_read": 998,
        "documents_unread": 2,
        "bytes_text": 2500000,
    }
    when = {"confidence": "0.95", "started": "2025-12-29T12:00:00Z", "ended": "2025-12-29T13:00:00Z"}
    return msgspec.convert({**digests, **counts, **when, **changes}, AuditReference)


def audit(
    key: PrivateKey = AUDITOR,
    about: str | None = None,
    until: datetime = UNTIL,
    issued: datetime = SIGNED,
    **changes: Any,
) -> Signed:
    """The declaration that an audited data set was training data of the label's system, but for changes."""
    assert LABEL.system is not None, "it verified"
    fields: dict[str, Any] = {
        "audit": audit_reference(),
        "checks": (AuditCheck("pii", "1", digest(b"rules")),),
        "statements": (
            BoundedStatement("pii.email", 7, "15234.000561", "canary recall", "census"),
            BoundedStatement("hazard.weapons", 0, "29512.25", "Clopper-Pearson", "sampled", 100),
        ),
        "contamination": (matches(),),
        "canaries": (CanaryRecall("pii.email", 300, 299),),
        "relation": "declared-training-data",
        "text": "The crawl of May.",
        "valid_until": write_time(until),
        **changes,
        "issuer": Issuer(key.name, key.keyid),
        "issued": write_time(issued),
        "tool": TOOL,
    }
    predicate = DataAudit(**fields)
    if predicate.is_declaration:
        return sign_attestation(build_attestation("quiz-model", about or LABEL.system.digest, predicate), key)
    return sign_attestation(build_attestation("dataset", about or ROOT, predicate), key)


def logged(signed: Signed, key: PrivateKey) -> Signed:
    """The same statement with the proof that it is the only entry of a log."""
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalLog.create(Path(folder) / "log", key, clock=lambda: SIGNED) as log,
    ):
        return with_proof(signed, log.public_key, log.append(entry_of(signed.attestation)).bytes())


# -- policies ----------------------------------------------------------------------------------------------------


def named(key: PrivateKey, name: str, *roles: str) -> str:
    """A rule that names a key."""
    line = key.public.of_type(KeyType.COSIGNATURE).line if roles == ("witness",) else key.public.line
    return f'{{key: "{line}", name: "{name}", roles: [{", ".join(roles)}]}}'


OWN = (named(ISSUER, "Lab", "labels"), named(LOG, "Log", "log"))


def policy(*rules: str, quorum: int = 0) -> str:
    """A policy of the issuer, the log, and more rules."""
    asked = f"witness_quorum: {quorum}\n" if quorum else ""
    listed = "".join(f"    - {rule}\n" for rule in (*OWN, *rules))
    return f"format: verilabel/trust/v1\n{asked}accept:\n  any:\n{listed}"


def shared_name() -> str:
    """A policy that gives each of two keys two names, one of them the same."""
    roles = ("labels", "replications", "log")
    house = ", ".join(named(key, "House", *roles) for key in (ISSUER, SECOND, LOG))
    desks = ", ".join(
        named(key, name, *roles) for key, name in ((ISSUER, "One"), (SECOND, "Two"), (LOG, "Log"))
    )
    return f"format: verilabel/trust/v1\naccept:\n  all: [{{any: [{house}]}}, {{any: [{desks}]}}]\n"


def read_policies() -> Iterator[tuple[str, str]]:
    """Every policy under its name."""
    replicates = named(SECOND, "Second lab", "replications")
    yield "parties", policy(replicates, named(CRITIC, "Critic", "disputes"))
    audits = (named(AUDITOR, "Auditor", "audits"), named(PERSON, "A person", "attestations"))
    yield "auditors", policy(replicates, named(CRITIC, "Critic", "disputes"), *audits)
    yield (
        "the-lab-audits-itself",
        policy(replicates, named(AUDITOR, "LAB", "audits"), named(PERSON, "A person", "attestations")),
    )
    yield "nobody-else", policy()
    yield "any-key", policy("unsafe_accept_any_key: true")
    yield (
        "any-key-in-a-role",
        policy("within: {roles: [replications], accept: {unsafe_accept_any_key: true}}"),
    )
    yield "any-key-twice", policy("all: [{unsafe_accept_any_key: true}, {unsafe_accept_any_key: true}]")
    yield "any-key-and-the-party", policy("unsafe_accept_any_key: true", replicates)
    for name, called in (
        ("one-name", "Lab"),
        ("one-name-in-other-letters", " lAB "),
        ("a-name-with-a-mark-of-byte-order", "Lab\ufeff"),
    ):
        yield name, policy(named(SECOND, called, "replications"))
    yield "sharp-s-and-double-s", policy(named(SECOND, "STRASSE", "replications")).replace("Lab", "Straße")
    yield "dotless-i-and-i", policy(named(SECOND, "lıb", "replications")).replace("Lab", "Lib")
    yield "a-name-that-both-have", shared_name()
    yield "another-rubric", policy(replicates.replace("}", ", rubrics: [other/*]}"))
    yield "another-system", policy(replicates.replace("}", ", systems: [other-*]}"))
    yield "a-set-of-letters", policy(replicates.replace("}", ', systems: ["[a-z]*[!0-9]"]}'))
    yield "an-empty-set", policy(replicates.replace("}", ', systems: ["[z-a]*"]}'))
