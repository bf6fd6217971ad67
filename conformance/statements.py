"""The vectors of step 11: what others signed about a label, and what of it counts under which trust policy."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

from signing import (
    ABOUT,
    AUDITOR,
    BUNDLE,
    CRITIC,
    ISSUER,
    LABEL,
    LOG,
    OTHER_LOG,
    PERSON,
    READ,
    SECOND,
    STRANGER,
    WITNESS,
    audit,
    audit_reference,
    comparison,
    dispute,
    finding,
    logged,
    matches,
    named,
    policy,
    read_policies,
    reference,
    replication,
    withdrawal,
)

from verilabel.errors import VerilabelError
from verilabel.evidence.envelope import sign as sign_envelope
from verilabel.evidence.layout import STATEMENTS
from verilabel.evidence.others.signed import Signed, parse_signed
from verilabel.evidence.statement import write_time
from verilabel.evidence.trust import parse_trust
from verilabel.evidence.verification import Verification
from verilabel.evidence.verifier import verify_bundle
from verilabel.records.canonical import digest, jcs

STATEMENTS_FORMAT = "verilabel/conformance-statements/v1"
EARLY = datetime(2025, 12, 1, tzinfo=UTC)
LATE = datetime(2027, 1, 1, tzinfo=UTC)
LONG_AFTER = datetime(2130, 1, 1, tzinfo=UTC)
"""When the label has expired."""


def read_statements() -> dict[str, Signed]:
    """Every statement under its name."""
    made = {
        "replication": replication(),
        "replication-of-a-stranger": replication(STRANGER),
        "replication-by-the-label's-key": replication(ISSUER),
        "replication-before-the-label": replication(issued=EARLY),
        "replication-in-the-future": replication(issued=LATE),
        **{f"replication-{name}": replication(original=other) for name, other in _originals().items()},
        **{f"replication-{name}": replication(replica=other) for name, other in _replicas().items()},
        **{f"replication-{name}": replication(comparison=other) for name, other in _comparisons().items()},
        "claim-of-the-label": _claim(ABOUT),
        "claim-of-the-replica": _claim(digest(b"a replica")),
        "dispute": dispute(),
        "dispute-of-a-stranger": dispute(STRANGER),
        "dispute-of-something-else": dispute(about=digest(b"something else")),
        "dispute-logged": logged(dispute(), LOG),
        "dispute-logged-elsewhere": logged(dispute(), OTHER_LOG),
        "withdrawal": withdrawal(),
        "withdrawal-with-a-successor": withdrawal(successor=digest(b"the next label")),
        "withdrawal-of-a-stranger": withdrawal(STRANGER),
        "withdrawal-in-the-future": withdrawal(issued=LATE),
        "withdrawal-of-the-replica": withdrawal(SECOND, digest(b"a replica")),
        "withdrawal-of-the-replica-by-a-stranger": withdrawal(STRANGER, digest(b"a replica")),
        "finding": finding(),
        **_audits(),
        **_findings(),
    }
    parties = {
        "dispute": CRITIC,
        "replication": SECOND,
        "withdrawal": ISSUER,
        "audit": AUDITOR,
        "governance": PERSON,
    }
    for name, key in parties.items():
        about = made[name].attestation.digest
        made[f"{name}-taken-back"] = withdrawal(key, about)
        made[f"{name}-taken-back-by-a-stranger"] = withdrawal(STRANGER, about)
    made["claim-of-the-dispute"] = _claim(made["dispute"].attestation.digest)
    return made


def _claim(statement: str) -> Signed:
    """A stranger's replication that calls another's statement his own replica."""
    return replication(STRANGER, replica=reference(STRANGER.keyid, statement_sha256=statement))


def _audits() -> dict[str, Signed]:
    unsure = audit_reference(unknown=2)
    second = audit_reference(dataset_root=digest(b"another data set"))
    return {
        "audit": audit(),
        "audit-of-a-stranger": audit(STRANGER),
        "audit-of-a-data-set": audit(relation="audited"),
        "audit-of-fine-tuning": audit(relation="declared-fine-tuning-data"),
        "audit-of-another-system": audit(about=digest(b"another system")),
        "audit-in-the-future": audit(issued=LATE, until=LONG_AFTER),
        "audit-that-has-just-ended": audit(until=READ),
        "audit-that-is-about-to-end": audit(until=READ + timedelta(seconds=1)),
        "audit-without-the-suite": audit(contamination=()),
        "audit-of-another-version-of-the-suite": audit(contamination=(matches(benchmark="test/quiz@9.0.0"),)),
        "audit-of-other-data-of-the-suite": audit(
            contamination=(matches(benchmark_sha256=digest(b"other data")),)
        ),
        "audit-of-one-sample": audit(contamination=(matches(items=1),)),
        "audit-of-samples-that-cannot-be-found": audit(contamination=(matches(unchecked=6),)),
        "audit-of-some-that-cannot-be-found": audit(contamination=(matches(unchecked=5),), audit=unsure),
        "audit-that-found-the-suite": audit(contamination=(matches(items_matched=1, documents=2),)),
        "audit-of-another-data-set": audit(audit=second, contamination=()),
    }


def _findings() -> dict[str, Signed]:
    return {
        "elicitation": finding(PERSON, "elicitation"),
        "governance": finding(PERSON, "governance"),
        "judge-calibration": finding(PERSON, "judge-calibration"),
        "governance-of-a-stranger": finding(STRANGER, "governance"),
        "governance-of-another-system": finding(PERSON, "governance", about=digest(b"another system")),
        "governance-that-has-just-ended": finding(PERSON, "governance", READ),
        "governance-that-is-about-to-end": finding(PERSON, "governance", READ + timedelta(seconds=1)),
    }


def _originals() -> dict[str, Any]:
    return {
        "of-another-manifest": reference(LABEL.keyid, manifest_sha256=digest(b"x")),
        "of-another-root": reference(LABEL.keyid, evidence_root=digest(b"x")),
        "of-another-key": reference(STRANGER.keyid),
        "of-another-label": reference(LABEL.keyid, statement_sha256=digest(b"x")),
    }


def _replicas() -> dict[str, Any]:
    other = {"statement_sha256": digest(b"a replica")}
    return {
        "with-a-replica-of-another": reference(STRANGER.keyid, **other, evidence_root=digest(b"x")),
        "with-the-label's-records": reference(SECOND.keyid, **other),
    }


def _comparisons() -> dict[str, Any]:
    open_measure = {"verdict": "underpowered"}
    whole = comparison()
    more = (*whole.measures, comparison({"measure": "another"}).measures[0])
    return {
        "that-leaves-the-verdict-open": comparison(open_measure, verdict="underpowered"),
        "that-differs": comparison({"verdict": "not_replicated"}, verdict="not_replicated"),
        "with-a-measure-that-differs": comparison({"verdict": "not_replicated"}, verdict="underpowered"),
        "with-other-answers": comparison({"n_original": 5, "events_original": 5}),
        "with-other-events": comparison({"events_original": 5}),
        "without-pairs": comparison({"items": 0, "agreeing": 0, "identical": 0}, verdict="underpowered"),
        "without-answers": comparison({"n_replica": 0, "events_replica": 0}, verdict="underpowered"),
        "of-another-scope": comparison(scope=whole.scope[:-1]),
        "of-another-order-of-scope": comparison(scope=whole.scope[::-1]),
        "of-no-measures": comparison(measures=()),
        "of-more-measures": comparison(measures=more),
        "of-another-system": comparison(differing=("params",)),
        "that-contradicts": comparison(label="contradicted"),
        "that-confirms-nothing": comparison(label="undetermined"),
    }


@dataclass(frozen=True)
class Reading:
    """A label that somebody reads: statements beside it and in it, by their names, and a trust policy."""

    beside: tuple[str, ...] = ()
    policy: str | None = "parties"
    now: datetime = READ
    enclosed: Mapping[str, str] = field(default_factory=dict)
    """File name to the statement's name; `*` is the name under which it belongs."""


def _readings(statements: Mapping[str, Signed]) -> Iterator[tuple[str, Reading]]:
    for name in statements:
        yield f"{name}-alone", Reading((name,))
        if name.startswith(("dispute", "withdrawal")) or name == "replication":
            yield f"{name}-without-a-policy", Reading((name,), None)
    for policy_name, _ in read_policies():
        if policy_name != "parties":
            yield f"replication-under-{policy_name}", Reading(("replication",), policy_name)
    yield "dispute-under-any-key", Reading(("dispute",), "any-key")
    yield "no-statements", Reading()
    yield from _combined()
    yield from _audited(statements)
    yield from _enclosed()


def _combined() -> Iterator[tuple[str, Reading]]:
    claimed = ("claim-of-the-label", "withdrawal-of-a-stranger")
    for name, beside in {
        "replication-and-disputes": ("replication", "dispute", "dispute-of-a-stranger"),
        "dispute-withdrawn": ("dispute", "dispute-taken-back"),
        "dispute-withdrawn-by-a-stranger": ("dispute", "dispute-taken-back-by-a-stranger"),
        "dispute-claimed-and-withdrawn": (
            "dispute",
            "claim-of-the-dispute",
            "dispute-taken-back-by-a-stranger",
        ),
        "replication-withdrawn": ("replication", "replication-taken-back"),
        "replication-withdrawn-by-a-stranger": ("replication", "replication-taken-back-by-a-stranger"),
        "replica-withdrawn": ("replication", "withdrawal-of-the-replica"),
        "replica-claimed-and-withdrawn": (
            "replication",
            "claim-of-the-replica",
            "withdrawal-of-the-replica-by-a-stranger",
        ),
        "replica-withdrawn-and-claimed": (
            "replication",
            "withdrawal-of-the-replica",
            "claim-of-the-replica",
        ),
        "label-claimed-and-withdrawn": claimed,
        "label-claimed-and-withdrawn-beside-a-replication": ("replication", *claimed),
        "label-withdrawn-and-replicated": ("withdrawal", "replication", "dispute"),
        "withdrawal-withdrawn": ("withdrawal", "withdrawal-taken-back"),
        "withdrawn-twice": ("withdrawal", "withdrawal-with-a-successor"),
        "one-of-two-replications": ("replication", "replication-that-differs"),
        "logged-twice": ("dispute-logged", "dispute-logged-elsewhere"),
        "logged-twice-the-other-way-round": ("dispute-logged-elsewhere", "dispute-logged"),
        "with-and-without-a-proof": ("dispute", "dispute-logged"),
    }.items():
        yield name, Reading(beside)
    yield "label-claimed-and-withdrawn-without-a-policy", Reading(claimed, None)
    yield "expired-and-withdrawn", Reading(("withdrawal", "dispute"), now=LONG_AFTER)
    yield "expired-and-replicated", Reading(("replication",), now=LONG_AFTER)


def _audited(statements: Mapping[str, Signed]) -> Iterator[tuple[str, Reading]]:
    """A replicated label with audits and findings: V4, and everything that keeps it from V4."""
    rest = ("replication", "elicitation", "governance")
    for name in statements:
        if name.startswith("audit"):
            yield f"V4-with-{name}", Reading((*rest, name), "auditors")
        if name.startswith("governance"):
            yield f"V4-with-{name}", Reading(("replication", "elicitation", "audit", name), "auditors")
    whole = (*rest, "audit")
    for name, beside in {
        "V4-with-more-than-is-asked": (*whole, "judge-calibration", "finding", "audit-of-a-data-set"),
        "V4-without-elicitation": ("replication", "governance", "audit"),
        "V4-without-a-replication": ("elicitation", "governance", "audit"),
        "V4-with-nothing-of-it": ("replication",),
        "V4-with-a-withdrawn-audit": (*whole, "audit-taken-back"),
        "V4-with-an-audit-that-a-stranger-withdrew": (*whole, "audit-taken-back-by-a-stranger"),
        "V4-with-a-withdrawn-finding": (*whole, "governance-taken-back"),
        "V4-with-a-finding-that-a-stranger-withdrew": (*whole, "governance-taken-back-by-a-stranger"),
        "V4-disputed": (*whole, "dispute"),
        "V4-disputed-by-a-stranger": (*whole, "dispute-of-a-stranger"),
        "V4-dispute-withdrawn": (*whole, "dispute", "dispute-taken-back"),
        "V4-with-two-audits-of-one-data-set": (*whole, "audit-without-the-suite"),
        "V4-with-two-data-sets": (*whole, "audit-of-another-data-set"),
        "V4-withdrawn": (*whole, "withdrawal"),
    }.items():
        yield name, Reading(beside, "auditors")
    yield "V4-under-parties", Reading(whole)
    yield "V4-without-a-policy", Reading(whole, None)
    yield "V4-by-the-lab-itself", Reading(whole, "the-lab-audits-itself")
    yield "V4-expired", Reading(whole, "auditors", LONG_AFTER)


def _enclosed() -> Iterator[tuple[str, Reading]]:
    for name in ("replication", "dispute", "withdrawal", "dispute-of-something-else", "finding"):
        yield f"{name}-enclosed", Reading(enclosed={"*": name})
    for name in ("audit", "audit-of-a-data-set", "audit-of-another-system"):
        yield f"{name}-enclosed", Reading(policy="auditors", enclosed={"*": name})
    for name in ("governance", "governance-of-another-system"):
        yield f"{name}-enclosed", Reading(policy="auditors", enclosed={"*": name})
    yield "dispute-enclosed-under-another-name", Reading(enclosed={"dispute.json": "dispute"})
    yield "dispute-in-and-beside", Reading(("dispute-logged",), enclosed={"*": "dispute"})


def _decided(name: str, reading: Reading, statements: Mapping[str, Signed]) -> dict[str, Any]:
    enclosed = {
        STATEMENTS + (statements[what].file_name if path == "*" else path): what
        for path, what in reading.enclosed.items()
    }
    beside = [statements[what] for what in reading.beside]
    text = dict(read_policies())[reading.policy] if reading.policy else None
    trust = None if text is None else parse_trust(text.encode())
    with tempfile.TemporaryDirectory() as folder:
        bundle = copytree(BUNDLE, Path(folder) / "bundle") if enclosed else BUNDLE
        for path, what in enclosed.items():
            (bundle / path).parent.mkdir(exist_ok=True)
            (bundle / path).write_bytes(statements[what].data)
        found = verify_bundle(bundle, trust=trust, now=reading.now, statements=beside)
    given = {"now": write_time(reading.now), "policy": reading.policy, "beside": list(reading.beside)}
    return {"kind": "reading", "name": name, **given, "enclosed": enclosed, "found": finding_of(found)}


def finding_of(found: Verification) -> dict[str, Any]:
    """What a verifier has to find."""
    failed = [step.number for step in found.steps if step.outcome == "failed"]
    return {
        "level": str(found.level),
        "flags": list(found.flags),
        "lacking_for_v4": list(found.lacking_for_v4),
        "failed_step": failed[0] if failed else None,
        "error": found.failure.code if found.failure else None,
        "statements": [
            {
                "kind": s.kind,
                "digest": s.digest,
                "signer": s.signer,
                "counts": s.counts,
                "why": s.why,
                "logged": s.logged,
            }
            for s in found.statements
        ],
    }


# -- files that are no statements, and policies that are none ------------------------------------------------------


def _refused_files(statements: Mapping[str, Signed]) -> Iterator[dict[str, Any]]:
    plain, proven = statements["dispute"].data, statements["dispute-logged"].data
    files = {
        "without-its-newline": plain[:-1],
        "with-a-space": plain.replace(b'"format":', b'"format": '),
        "with-another-field": _changed(plain, more=1),
        "of-another-format": _changed(plain, format="verilabel/signed/v2"),
        "with-an-empty-proof": _changed(plain, proof=None),
        "with-a-proof-and-no-log": _changed(proven, log=...),
        "with-a-log-and-no-proof": _changed(proven, proof=...),
        "with-the-proof-of-another": _changed(proven, proof=json.loads(logged(finding(), LOG).data)["proof"]),
        "with-the-key-of-another": _changed(plain, signer=STRANGER.public.line),
        "with-another-name-of-the-key": _changed(plain, signer=CRITIC.public.named("other.example").line),
        "with-a-witness's-key": _changed(plain, signer=named(WITNESS, "W", "witness").split('"')[1]),
        "with-a-text-of-spaces": _with_text(" \u0085\u2003\u001f"),
    }
    for name, data in files.items():
        yield _refused("refused-statement", name, data, parse_signed)
    for name, (path, value) in _forgeries().items():
        yield _refused("refused-statement", f"audit-{name}", _forged_audit(path, value), parse_signed)


def _forgeries() -> dict[str, tuple[str, Any]]:
    """Fields of an audit that no builder would take: the sums, parts, moments and forms that a reader checks."""
    return {
        "of-more-documents-than-were-read": ("audit.documents", 1001),
        "that-hides-what-was-unread": ("audit.documents_unread", 0),
        "with-a-negative-count": ("audit.bytes_text", -1),
        "of-no-shards": ("audit.shards", 0),
        "with-certainty": ("audit.confidence", "1"),
        "with-a-confidence-in-another-spelling": ("audit.confidence", "0.950"),
        "with-a-root-that-is-none": ("audit.dataset_root", "sha256:0"),
        "of-its-own-subject": ("audit.dataset_root", ...),
        "that-ended-before-it-began": ("audit.ended", "2025-12-29T11:59:59Z"),
        "that-was-signed-before-it-ended": ("audit.ended", "2026-02-01T12:00:01Z"),
        "of-no-checks": ("checks", []),
        "with-a-check-without-a-digest": ("checks.0.data_sha256", "rules"),
        "with-more-found-than-read": ("statements.0.found_documents", 999),
        "with-more-found-than-sampled": ("statements.1.found_documents", 101),
        "with-a-sample-larger-than-all": ("statements.1.sample", 999),
        "with-a-census-of-a-sample": ("statements.1.basis", "census"),
        "with-a-sample-of-none": ("statements.0.basis", "sampled"),
        "with-a-bound-of-nothing-on-something": ("statements.0.bound_per_million", "0"),
        "with-a-bound-beyond-a-million": ("statements.0.bound_per_million", "1000000.000001"),
        "with-a-bound-in-another-spelling": ("statements.0.bound_per_million", "1.50"),
        "with-a-bound-that-is-a-number": ("statements.0.bound_per_million", 1),
        "with-more-matched-than-looked-for": ("contamination.0.items_matched", 1000),
        "with-matches-in-no-document": ("contamination.0.items_matched", 1),
        "with-documents-that-hold-nothing": ("contamination.0.documents", 1),
        "with-more-unchecked-than-items": ("contamination.0.unchecked", 7),
        "of-a-negative-number-of-places": ("audit.unknown", -1),
        "of-a-benchmark-without-items": ("contamination.0.items", 0),
        "with-more-canaries-found-than-planted": ("canaries.0.found", 301),
        "of-another-relation": ("relation", "trained-on"),
        "of-a-data-set-about-a-system": ("relation", "audited"),
        "without-words": ("text", " "),
        "that-never-holds": ("valid_until", "2026-02-01T12:00:00Z"),
        "with-another-field": ("more", 1),
        "that-writes-a-default-out": ("statements.0.sample", 0),
    }


def _forged_audit(path: str, value: Any) -> bytes:
    """A signed audit with one field that was changed before it was signed; `...` is the subject's own digest."""
    whole = audit()
    document = json.loads(whole.attestation.payload)
    place: Any = document["predicate"]
    *steps, last = path.split(".")
    for step in steps:
        place = place[int(step)] if step.isdigit() else place[step]
    place[last] = whole.attestation.about if value is ... else value
    return _changed(whole.data, envelope=json.loads(sign_envelope(jcs(document), AUDITOR)))


def _with_text(text: str) -> bytes:
    """A signed dispute whose text no builder would take."""
    document = json.loads(dispute().attestation.payload)
    document["predicate"]["text"] = text
    envelope = json.loads(sign_envelope(jcs(document), CRITIC))
    return _changed(dispute().data, envelope=envelope)


def _changed(data: bytes, **changes: Any) -> bytes:
    """A statement's file with other fields, in canonical form; `...` leaves a field out."""
    document = {**json.loads(data), **changes}
    return jcs({name: value for name, value in document.items() if value is not ...}) + b"\n"


def _refused_policies() -> Iterator[dict[str, Any]]:
    witness = named(WITNESS, "Witness", "witness")
    for name, text in {
        "whose-rule-rules-its-witness-out": policy(
            f"within: {{roles: [labels], accept: {witness}}}", quorum=1
        ),
        "with-a-witness-that-is-the-log": policy(named(LOG, "Witness", "witness")),
        "without-rules": "format: verilabel/trust/v1\naccept: {any: []}\n",
        "with-a-name-of-spaces": policy(named(SECOND, "\\x85\\x1f ", "replications")),
        "that-takes-any-key-by-half": policy("unsafe_accept_any_key: false"),
    }.items():
        yield _refused("refused-policy", name, text.encode(), parse_trust)


def _refused(kind: str, name: str, data: bytes, read: Any) -> dict[str, Any]:
    try:
        read(data)
    except VerilabelError as error:
        return {"kind": kind, "name": f"{kind}-{name}", "file": data.decode(), "error": error.code}
    raise SystemExit(f"the file of {name!r} is not refused")


def statement_vectors() -> dict[str, Any]:
    """The whole file but for its format: the bundle, the policies and statements by name, and the cases."""
    statements = read_statements()
    files = sorted(path for path in BUNDLE.rglob("*") if path.is_file())
    return {
        "bundle": {path.relative_to(BUNDLE).as_posix(): path.read_text("utf-8") for path in files},
        "policies": dict(read_policies()),
        "statements": {name: signed.data.decode() for name, signed in statements.items()},
        "cases": [
            *(_decided(name, reading, statements) for name, reading in _readings(statements)),
            *_refused_files(statements),
            *_refused_policies(),
        ],
    }
