"""What the page of an audit is made from: its manifest, counts over its records, masked examples, how it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from verilabel.audit.exporting.found import KindFound, SampledFound, found_in_all, found_in_sample
from verilabel.audit.exporting.tallies import Tallies, tally_audit
from verilabel.audit.proof.examples import Example, iterate_examples
from verilabel.audit.proof.folder import AuditFolder
from verilabel.audit.proof.manifest import AuditManifest
from verilabel.audit.proof.verifying import verify_audit
from verilabel.errors import VerilabelError
from verilabel.evidence.keys import PublicKey
from verilabel.evidence.trust import TrustPolicy

EXAMPLES_SHOWN = 5
"""Of each kind."""


@dataclass(frozen=True)
class Standing:
    """What verification of an audit showed."""

    holds: bool
    failure: VerilabelError | None
    """What does not hold, and where."""
    signer: PublicKey | None
    """Whose signature was verified."""
    is_signed: bool
    is_trusted: bool | None
    """Whether the trust policy names the signer for audits; None where no policy was asked."""


@dataclass(frozen=True)
class AuditReport:
    """An audit as its page shows it."""

    folder: Path
    name: str
    read_at: datetime
    standing: Standing
    manifest: AuditManifest
    tallies: Tallies
    kinds: tuple[KindFound, ...]
    sampled: tuple[SampledFound, ...]
    examples: Mapping[str, tuple[Example, ...]]
    """The first few of each kind, by the rank by which they were chosen."""
    examples_kept: Mapping[str, int]


def check_standing(folder: Path, trust: TrustPolicy | None) -> Standing:
    """Verify an audit from its own files. What does not hold is part of the answer, and raises nothing.

    Raises UsageError where there is no audit.
    """
    audit = AuditFolder(folder)
    try:
        found = verify_audit(folder, trust=trust)
    except VerilabelError as failure:
        return Standing(False, failure, None, (folder / "attestation.json").exists(), None)
    signed = found.signed
    return Standing(
        True,
        None,
        None if signed is None else signed.signer,
        audit.attestation() is not None,
        found.is_trusted,
    )


def build_audit_report(folder: Path, standing: Standing, read_at: datetime) -> AuditReport:
    """Read all that the page shows. Raises MalformedInput where a file is not in its form."""
    audit = AuditFolder(folder)
    manifest = audit.manifest()
    examples: dict[str, list[Example]] = {}
    kept: dict[str, int] = {}
    for example in iterate_examples(audit):
        kept[example.kind] = kept.get(example.kind, 0) + 1
        shown = examples.setdefault(example.kind, [])
        if len(shown) < EXAMPLES_SHOWN:
            shown.append(example)
    return AuditReport(
        folder=folder,
        name=folder.resolve().name,
        read_at=read_at,
        standing=standing,
        manifest=manifest,
        tallies=tally_audit(audit, manifest),
        kinds=found_in_all(manifest),
        sampled=found_in_sample(manifest),
        examples={kind: tuple(shown) for kind, shown in examples.items()},
        examples_kept=kept,
    )
