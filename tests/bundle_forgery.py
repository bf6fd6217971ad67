"""Forging bundles for tests: change what one likes, then seal the result again with a key of one's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bundle_factory import ATTACKER, ATTACKER_LOG, ISSUED
from verilabel.evidence import layout
from verilabel.evidence.consistency import consistency_bytes
from verilabel.evidence.container import Folder
from verilabel.evidence.counting import recount
from verilabel.evidence.envelope import sign
from verilabel.evidence.keys import PrivateKey
from verilabel.evidence.lines import Line, decode_line, encode_lines
from verilabel.evidence.log import Entry, LocalLog
from verilabel.evidence.manifest import make_manifest
from verilabel.evidence.merkle import leaf_hash, root_of
from verilabel.evidence.note import parse_checkpoint_text, parse_note, parse_proof
from verilabel.evidence.reading import evidence_lines, read_indexes, read_label, read_plan, read_system
from verilabel.evidence.results import measures_bytes, rubric_canonical_bytes
from verilabel.evidence.statement import EvidenceRoot, PlanReference, Tool, build_statement
from verilabel.records.canonical import digest, jcs
from verilabel.rubric.decide import decide
from verilabel.rubric.model import load_rubric

Change = Callable[[Path], object]
"""Alters a bundle's folder; what it returns is ignored."""


@dataclass(frozen=True)
class Forger:
    """Who seals a forgery, and how much of it they make fit together again."""

    key: PrivateKey | None = ATTACKER
    log_key: PrivateKey | None = ATTACKER_LOG
    counts_again: bool = False
    """Write `results/measures.json` anew from the changed evidence."""
    decides_again: bool = False
    """Write `results/label.json` anew from the changed evidence and rubric."""
    keeps_plan_proof: bool = False
    """Leave the issuer's log of the plan in place instead of logging the plan again."""
    logs_plan_after_label: bool = False
    keeps_index_digests: bool = False
    """Leave the plan's digests of the suites' indexes as they are."""
    root: str | None = None
    """Sign this root instead of the evidence's own."""
    leaves: int | None = None
    """Sign this number of records instead of the evidence's own."""
    issued: datetime = ISSUED
    days: int = 365


def forge(source: Path, target: Path, change: Change, forger: Forger = Forger()) -> Path:
    """Copy a bundle's folder, change it, and rebuild manifest, root, statement, signature and log over the result."""
    shutil.copytree(source, target)
    change(target)
    if not forger.keeps_index_digests:
        plan_indexes_again(target)
    derive_results(target, forger)
    reseal(target, forger)
    return target


def plan_indexes_again(folder: Path) -> None:
    """Put the digests of the indexes as they are now into the plan, as whoever changes them would."""
    document = json.loads((folder / layout.PLAN).read_bytes())
    for stream in document.get("streams", []):
        index = folder / layout.suite_files(stream["suite"])[1]
        if index.is_file() and "index_sha256" in stream:
            stream["index_sha256"] = digest(index.read_bytes())
    (folder / layout.PLAN).write_bytes(jcs(document))


def derive_results(folder: Path, forger: Forger) -> None:
    """Write counts and label anew where the forger does so."""
    if not (forger.counts_again or forger.decides_again):
        return
    container = Folder(folder)
    plan = read_plan(container)
    counted = recount(plan, read_indexes(container, plan), evidence_lines(container))
    if forger.counts_again:
        (folder / layout.MEASURES).write_bytes(measures_bytes(counted))
    if forger.decides_again:
        rubric = load_rubric((folder / layout.RUBRIC).read_bytes(), layout.RUBRIC)
        references = plan.reference_tallies()
        label = decide(rubric, counted.tallies(), design=plan.design, references=references)
        (folder / layout.LABEL).write_bytes(label.bytes())


def reseal(folder: Path, forger: Forger) -> None:
    """Rebuild everything that seals: manifest, root, statement, signature, log."""
    plan_proof = folder / layout.PLAN_PROOF
    kept = {p: (folder / p).read_bytes() for p in (layout.PLAN_PROOF, layout.LOG_KEY) if plan_proof.exists()}
    for path in layout.UNLISTED:
        (folder / path).unlink(missing_ok=True)
    for name in ("attestations", "log"):
        if (folder / name).is_dir() and not any((folder / name).iterdir()):
            (folder / name).rmdir()
    manifest = make_manifest(folder, list(Folder(folder).sizes))
    (folder / layout.MANIFEST).write_bytes(manifest.bytes())
    if forger.key is None:
        return
    container = Folder(folder)
    plan = read_plan(container)
    hashes = [leaf_hash(line) for line in (folder / layout.EVIDENCE).read_bytes().split(b"\n")[:-1]]
    plan_index = 1 if forger.logs_plan_after_label else 0
    if forger.keeps_plan_proof:
        plan_index = parse_proof(kept[layout.PLAN_PROOF]).index
    statement = build_statement(
        system=read_system(container),
        label=read_label(container),
        plan=PlanReference(plan.digest, plan_index),
        evidence=EvidenceRoot(
            forger.root or "sha256:" + root_of(hashes).hex(),
            len(hashes) if forger.leaves is None else forger.leaves,
        ),
        manifest_sha256=manifest.digest,
        issued=forger.issued,
        valid_until=forger.issued + timedelta(days=forger.days),
        issuer=forger.key.public,
        tool=Tool("verilabel", "0.1.0"),
    )
    (folder / "attestations").mkdir(exist_ok=True)
    (folder / layout.ATTESTATION).write_bytes(sign(statement.bytes(), forger.key))
    (folder / layout.SIGNER_KEY).write_bytes(forger.key.public.file_bytes())
    if forger.log_key is not None:
        _log_again(folder, plan.digest, statement.digest, forger, forger.log_key, kept)


def _log_again(
    folder: Path, plan: str, statement: str, forger: Forger, log_key: PrivateKey, kept: dict[str, bytes]
) -> None:
    place = folder.with_name(f"{folder.name}.forged-log")
    with LocalLog.create(place, log_key, clock=lambda: ISSUED) as log:
        entries = [Entry("verilabel.plan/v1", plan), Entry("verilabel.label/v1", statement)]
        if forger.logs_plan_after_label:
            entries.reverse()
        first, second = (log.append(entry) for entry in entries)
        planned, labelled = (second, first) if forger.logs_plan_after_label else (first, second)
        old = parse_checkpoint_text(parse_note(planned.checkpoint_note).text).size
        new = parse_checkpoint_text(parse_note(labelled.checkpoint_note).text).size
        hashes = log.consistency(min(old, new), max(old, new))
        files = {
            layout.PLAN_PROOF: planned.bytes(),
            layout.LABEL_PROOF: labelled.bytes(),
            layout.LOG_KEY: log.public_key.file_bytes(),
            layout.CONSISTENCY: consistency_bytes(old, new, hashes),
        }
    shutil.rmtree(place)
    if forger.keeps_plan_proof:
        files.update(kept)
    (folder / "log").mkdir()
    for path, data in files.items():
        (folder / path).write_bytes(data)


# -- changes ---------------------------------------------------------------------------------------------------


def records_of(folder: Path) -> list[Line]:
    """The evidence records of a bundle's folder."""
    lines = (folder / layout.EVIDENCE).read_bytes().split(b"\n")[:-1]
    return [decode_line(line, "evidence") for line in lines]


def write_records(folder: Path, records: Sequence[Line]) -> None:
    """Replace the evidence records."""
    (folder / layout.EVIDENCE).write_bytes(encode_lines(records))


def change_records(change: Callable[[list[Line]], list[Line]]) -> Change:
    """A change of the evidence records."""
    return lambda folder: write_records(folder, change(records_of(folder)))


def change_document(path: str, change: Callable[[dict[str, Any]], object]) -> Change:
    """A change of a canonical JSON document, in place."""

    def apply(folder: Path) -> None:
        document = json.loads((folder / path).read_bytes())
        change(document)
        (folder / path).write_bytes(jcs(document))

    return apply


def change_plan(change: Callable[[dict[str, Any]], object]) -> Change:
    """A change of the plan."""
    return change_document(layout.PLAN, change)


def swap_rubric(content: str, *, in_plan: bool) -> Change:
    """Another rubric, in both its forms; `in_plan` names it in the plan too."""

    def apply(folder: Path) -> None:
        data = content.encode()
        (folder / layout.RUBRIC).write_bytes(data)
        (folder / layout.RUBRIC_CANONICAL).write_bytes(rubric_canonical_bytes(data, layout.RUBRIC))
        if in_plan:
            change_plan(lambda plan: plan["rubric"].update(sha256=digest(data)))(folder)

    return apply


def chain(*changes: Change) -> Change:
    """Several changes, one after the other."""

    def apply(folder: Path) -> None:
        for change in changes:
            change(folder)

    return apply
