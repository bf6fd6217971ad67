"""Step 7 of a label's path: from a run's store to a signed, logged bundle that appears whole or not at all.

1. copy the run's inputs: system, plan, rubric, suites
2. write the records in the committed order; take the Merkle root of the evidence
3. count that evidence again, from the file, and decide the label from it
4. write the results and the manifest
5. sign the statement; log its digest; add the proofs
6. move the finished bundle to its place
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from verilabel import __version__
from verilabel.errors import PolicyError, UsageError
from verilabel.evidence.atomic import flush_folder
from verilabel.evidence.consistency import consistency_bytes
from verilabel.evidence.container import Folder, write_zip
from verilabel.evidence.counting import Recount, recount
from verilabel.evidence.envelope import sign
from verilabel.evidence.journal import Store
from verilabel.evidence.keys import PrivateKey
from verilabel.evidence.layout import (
    ATTESTATION,
    CONSISTENCY,
    LABEL,
    LABEL_PROOF,
    LOG_KEY,
    MANIFEST,
    MEASURES,
    PLAN_PROOF,
    RUBRIC,
    RUBRIC_CANONICAL,
    SIGNER_KEY,
)
from verilabel.evidence.log import Entry, Log
from verilabel.evidence.manifest import Manifest, make_manifest
from verilabel.evidence.note import parse_checkpoint_text, parse_note, parse_proof
from verilabel.evidence.ordering import Root, write_ordered
from verilabel.evidence.others.given import objection_to_audit, objection_to_finding, path_of, read_given
from verilabel.evidence.reading import (
    evidence_lines,
    read_document,
    read_indexes,
    read_label,
    read_plan,
    read_system,
)
from verilabel.evidence.results import measures_bytes, rubric_canonical_bytes
from verilabel.evidence.statement import EvidenceRoot, PlanReference, Tool, build_statement
from verilabel.evidence.validity import find_objection
from verilabel.records.canonical import sha256_hex
from verilabel.records.label import Label
from verilabel.records.plan import Plan
from verilabel.rubric.decide import decide
from verilabel.rubric.model import load_rubric
from verilabel.rubric.structure import Rubric


@dataclass(frozen=True)
class Sealing:
    """Who seals, where it is logged, and when. Without a key the bundle is unsigned and verifies to V0."""

    key: PrivateKey | None
    log: Log | None
    now: datetime


@dataclass(frozen=True)
class PlanEntry:
    """Where a plan was logged: the bytes of its proof, and of the log's key."""

    proof: bytes
    log_key: bytes


@dataclass(frozen=True)
class Sealed:
    """A finished bundle."""

    path: Path
    label: Label
    recount: Recount
    root: str
    manifest: str


def log_plan(store: Store, plan: Plan, log: Log) -> None:
    """Step 2 of a label's path: log the plan's digest before the first request. Done once a store."""
    if store.has_document(PLAN_PROOF):
        return
    proof = log.append(Entry("verilabel.plan/v1", plan.digest))
    store.put_document(LOG_KEY, log.public_key.file_bytes())
    store.put_document(PLAN_PROOF, proof.bytes())


def seal_bundle(
    store: Store, counted: Recount, out: Path, sealing: Sealing, *, force: bool = False
) -> Sealed:
    """Seal a store into `out` (a folder, or one file where the name ends in `.zip`).

    Raises UsageError where `out` is there already and `force` is false; OSError where the disk refuses. On any
    failure no part of the bundle stays behind.
    """
    check_place(out, force=force)
    # one name a store, which is locked: what a killed sealing left behind is found again and removed
    tag = sha256_hex(str(store.folder.resolve()).encode())[:12]
    with work_folder(out, tag) as work:
        sealed = _build(store, counted, work, sealing)
        move_into_place(work, out)
    return Sealed(out, sealed.label, sealed.recount, sealed.root, sealed.manifest)


def check_place(out: Path, *, force: bool) -> None:
    """Check that a bundle may be put at `out`. Raises UsageError where something else, or without force, is there."""
    if out.exists() and not force:
        raise UsageError(
            "there is something here already", where=str(out), hint="choose another --out, or --force"
        )
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise UsageError(
            "this folder is not a bundle and is not replaced", where=str(out), hint="choose another --out"
        )


@contextmanager
def work_folder(out: Path, tag: str) -> Iterator[Path]:
    """A place beside `out` for a bundle that is being made; nothing of it is left behind.

    Whoever uses a tag twice must see to it that only one does so at a time.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    work = out.with_name(f".{out.name}.{tag}.tmp")
    _remove(work)
    try:
        yield work
    finally:
        _remove(work)


def _build(store: Store, counted: Recount, work: Path, sealing: Sealing) -> Sealed:
    paths = [path for path in store.document_paths() if not path.startswith("log/")]
    for path in paths:  # step 1
        write_part(work / path, store.document(path))
    write_part(work / RUBRIC_CANONICAL, rubric_canonical_bytes(store.document(RUBRIC), RUBRIC))
    (work / "records").mkdir()
    root = write_ordered(store.folder, work, counted.streams)  # step 2
    container = Folder(work)
    plan = read_plan(container)
    again = recount(plan, read_indexes(container, plan), evidence_lines(container))  # step 3
    rubric = load_rubric(store.document(RUBRIC), RUBRIC)
    _check_audits(container, plan, sealing.now)
    label = decide(
        rubric,
        again.tallies(),
        design=plan.design,
        attested=names_given(container, rubric, plan, sealing.now),
        references=plan.reference_tallies(),
    )
    write_part(work / MEASURES, measures_bytes(again))  # step 4
    write_part(work / LABEL, label.bytes())
    manifest = make_manifest(work, list(Folder(work).sizes))
    write_part(work / MANIFEST, manifest.bytes())
    entry = None
    if store.has_document(PLAN_PROOF):
        entry = PlanEntry(store.document(PLAN_PROOF), store.document(LOG_KEY))
    sign_folder(work, root, manifest, sealing, entry)  # step 5
    return Sealed(work, label, again, "sha256:" + root.root.hex(), manifest.digest)


def _check_audits(container: Folder, plan: Plan, now: datetime) -> None:
    """Refuse an audit that says nothing of the label's system; of a bundle that is sealed again it is not asked.

    Raises UsageError.
    """
    for audit in read_given(container).audits:
        if (why := objection_to_audit(audit, plan.system_sha256, now)) is not None:
            raise UsageError(f"the audit does not count: {why}", where=path_of(audit))


def names_given(container: Folder, rubric: Rubric, plan: Plan, now: datetime) -> list[str]:
    """Names of the findings that the label may lean on. Raises UsageError for one that does not count."""
    given = read_given(container).findings
    for name, signed in given.items():
        if (why := objection_to_finding(signed, rubric, plan.system_sha256, now)) is not None:
            raise UsageError(f"the finding {name!r} does not count: {why}", where=path_of(signed))
    return sorted(given)


def sign_folder(
    work: Path,
    root: Root,
    manifest: Manifest,
    sealing: Sealing,
    plan_entry: PlanEntry | None,
    *,
    until: datetime | None = None,
) -> None:
    """Sign the bundle that lies in a folder, log the signature, and add the proofs; nothing without a key.

    `plan_entry` is None where the plan was not logged; then the label is not, either. `until` is the latest end of
    validity. Raises CheckFailed where the label would not be in force, PolicyError where its rubric is out of use.
    """
    if sealing.key is None:
        return
    container = Folder(work)
    plan, rubric = read_plan(container), load_rubric(read_document(container, RUBRIC), RUBRIC)
    plan_proof = parse_proof(plan_entry.proof) if plan_entry else None
    last = _last_moment(rubric, sealing.now)
    statement = build_statement(
        system=read_system(container),
        label=read_label(container),
        plan=PlanReference(plan.digest, plan_proof.index if plan_proof else None),
        evidence=EvidenceRoot("sha256:" + root.root.hex(), root.leaves),
        manifest_sha256=manifest.digest,
        issued=sealing.now,
        valid_until=min(last, until or last),
        issuer=sealing.key.public,
        tool=Tool("verilabel", __version__),
    )
    if (objection := find_objection(statement.predicate, plan, rubric, sealing.now)) is not None:
        raise objection.error
    write_part(work / ATTESTATION, sign(statement.bytes(), sealing.key))
    write_part(work / SIGNER_KEY, sealing.key.public.file_bytes())
    if plan_entry is None or plan_proof is None or sealing.log is None:
        return
    write_part(work / PLAN_PROOF, plan_entry.proof)
    write_part(work / LOG_KEY, plan_entry.log_key)
    proof = sealing.log.append(Entry("verilabel.label/v1", statement.digest))
    write_part(work / LABEL_PROOF, proof.bytes())
    old = parse_checkpoint_text(parse_note(plan_proof.checkpoint_note).text).size
    new = parse_checkpoint_text(parse_note(proof.checkpoint_note).text).size
    write_part(work / CONSISTENCY, consistency_bytes(old, new, sealing.log.consistency(old, new)))


def _last_moment(rubric: Rubric, issued: datetime) -> datetime:
    """The end of validity: the rubric's age limit, or its sunset where that comes first."""
    by_age = issued + timedelta(days=rubric.validity.days)
    if rubric.validity.sunset is None:
        return by_age
    sunset = datetime.fromisoformat(rubric.validity.sunset).replace(tzinfo=UTC)
    if sunset <= issued:
        raise PolicyError(f"{rubric.name} has been out of use since {rubric.validity.sunset}")
    return min(by_age, sunset)


def _remove(work: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    _zip_of(work).unlink(missing_ok=True)


def _zip_of(work: Path) -> Path:
    return work.with_name(work.name + ".zip")


def write_part(path: Path, data: bytes) -> None:
    """Write one file of a bundle that is being made, and force it onto the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def move_into_place(work: Path, out: Path) -> None:
    """Put a finished bundle in its place, as a zip where the name says so; what was there goes only after that."""
    ready = work
    if out.suffix == ".zip":
        ready = _zip_of(work)
        write_zip(work, ready)
    displaced = None
    if out.exists():
        displaced = out.with_name(f".{out.name}.{secrets.token_hex(6)}.old")
        out.rename(displaced)
    ready.rename(out)
    flush_folder(out.parent)
    if displaced is not None:
        shutil.rmtree(displaced) if displaced.is_dir() else displaced.unlink()
