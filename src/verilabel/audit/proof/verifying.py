"""Verification of an audit by whoever has its folder and nothing else: seals, arithmetic, sampling.

1. the folder holds exactly the files that are listed, with their digests
2. the statement, if the audit is signed, is about this manifest and root, and says what the manifest says
3. shards give the root of the data set, and the coverage
4. records give the leaves and roots of their shards
5. findings give the counts of every record; records give totals and choices
6. clusters of duplicates hold together over the corpus
7. tables of contamination give the summary of each benchmark
8. the sample is the one that the corpus chooses; statements follow from the counts
9. examples are those findings that the corpus chooses

Nothing here says that the texts were what the records say: for that, documents are opened (`spot_check`, `opening`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from verilabel.audit.proof.attesting import check_signed
from verilabel.audit.proof.folder import AuditFolder, check_presence
from verilabel.audit.proof.layout import SHARDS
from verilabel.audit.proof.manifest import AuditManifest
from verilabel.audit.proof.recounting import Recount
from verilabel.errors import CheckFailed, SealError
from verilabel.evidence.others.signed import Signed, open_statement_proof, parse_signed
from verilabel.evidence.trust import TrustPolicy

STEPS = (
    "the folder holds exactly the listed files",
    "the signed statement says what the manifest says",
    "shards give the root of the data set and the coverage",
    "records give the roots of their shards",
    "findings and records give the totals",
    "clusters of duplicates hold together",
    "tables give the summaries of benchmarks",
    "the sample is the corpus' own, and statements follow from counts",
    "examples are those findings that the corpus chooses",
)
NOT_CHECKED = (
    "that the texts were what the records say: --spot-check, or --openings",
    "masked values of examples, and what canaries and detectors of the sample found: only the texts show it",
    "tables of licences, hosts and declared licences, and cards beside the data: only the corpus shows it",
    "what a model was trained on: no root proves that",
)
"""What the folder alone cannot show."""


@dataclass(frozen=True)
class AuditVerification:
    """An audit that holds together."""

    manifest: AuditManifest
    signed: Signed | None
    """None for an audit that nobody signed."""
    is_trusted: bool | None
    """Whether the trust policy names the signer for audits; None where no policy was asked."""


def verify_audit(folder: Path, *, trust: TrustPolicy | None = None) -> AuditVerification:
    """Verify the folder of an audit, all steps in order.

    Raises UsageError where there is none, MalformedInput for what is not in its form, and SealError, with the number of
    the step, for what does not hold.
    """
    audit = AuditFolder(folder)
    manifest = audit.manifest()
    check_files(audit, manifest)  # 1
    signed, is_trusted = _check_statement(audit, manifest, trust)  # 2
    recount = Recount(audit, manifest)
    recount.count_shards()  # 3
    for index, entry in enumerate(audit.shards()):  # 3 to 5
        recount.add_shard(index, entry)
    recount.check()  # 5 to 9
    return AuditVerification(manifest, signed, is_trusted)


def check_files(audit: AuditFolder, manifest: AuditManifest) -> None:
    """Step 1: exactly the listed files, with their digests. Raises SealError, MalformedInput."""
    shards_file = next(file for file in manifest.files if file.path == SHARDS)
    audit.check_file(shards_file)  # before what it lists is believed
    listed = [file.path for file in manifest.files]
    for entry in audit.shards():
        for file in entry.files:
            audit.check_file(file)
            listed.append(file.path)
    for file in manifest.files:
        audit.check_file(file)
    check_presence(audit.paths(), listed)


def _check_statement(
    audit: AuditFolder, manifest: AuditManifest, trust: TrustPolicy | None
) -> tuple[Signed | None, bool | None]:
    data = audit.attestation()
    if data is None:
        return None, None if trust is None else False
    try:
        signed = parse_signed(data, where="attestation.json")
        check_signed(signed, manifest)
        open_statement_proof(signed, trust, where="attestation.json")
    except (CheckFailed, SealError) as error:
        raise SealError(error.message, where="attestation.json", hint=error.hint, step=2) from error
    if trust is None:
        return signed, None
    return signed, any(key.keyid == signed.signer.keyid for key in trust.keys("audits"))
