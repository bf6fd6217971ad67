"""What `log submit` logs: the digest of a bundle's statement, of a signed statement, or of an envelope's payload."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from verilabel.errors import UsageError
from verilabel.evidence import layout
from verilabel.evidence.container import open_container
from verilabel.evidence.envelope import MAX_ENVELOPE_BYTES, open_envelope
from verilabel.evidence.keys import PublicKey, parse_public_file
from verilabel.evidence.log import Entry
from verilabel.evidence.others.signed import FORMAT, LOGGED_AS, Signed, entry_of, load_signed
from verilabel.evidence.reading import read_document
from verilabel.evidence.statement import parse_statement
from verilabel.records.canonical import digest


@dataclass(frozen=True)
class Submission:
    """An entry to log, what it is about in words, and the signed statement where the file was one."""

    entry: Entry
    what: str
    signed: Signed | None = None


def read_submission(path: Path, signer: PublicKey | None = None) -> Submission:
    """Verify what a file or bundle says who signed, and give the entry that is logged for it.

    A signature that does not hold is not logged. `signer` is the key of a bare DSSE envelope, which names none itself.
    Raises SealError for a false signature, MalformedInput for what is none of the three, UsageError where the
    signer of an envelope is not given.
    """
    if path.is_dir() or path.suffix == ".zip":
        return _read_bundle(path)
    if not path.is_file():
        raise UsageError("there is nothing here", where=str(path), hint="a bundle, or a signed statement")
    with path.open("rb") as file:
        data = file.read(MAX_ENVELOPE_BYTES + 1)
    if f'"format":"{FORMAT}"'.encode() in data:
        signed = load_signed(path)
        what = f"a {signed.attestation.kind} signed by {signed.signer.name}"
        return Submission(entry_of(signed.attestation), what, signed)
    if signer is None:
        raise UsageError(
            "not a signed statement; a bare envelope does not say whose key made it",
            where=str(path),
            hint="--signer KEY.pub",
        )
    payload = open_envelope(data, [signer], where=str(path)).payload
    return Submission(Entry(LOGGED_AS, digest(payload)), f"an envelope signed by {signer.name}")


def _read_bundle(path: Path) -> Submission:
    with open_container(path) as container:
        if layout.ATTESTATION not in container.sizes or layout.SIGNER_KEY not in container.sizes:
            raise UsageError("this bundle is not signed", where=str(path))
        key = parse_public_file(read_document(container, layout.SIGNER_KEY), where=layout.SIGNER_KEY)
        envelope = read_document(container, layout.ATTESTATION)
    payload = open_envelope(envelope, [key], where=layout.ATTESTATION).payload
    statement = parse_statement(payload, where=layout.ATTESTATION)
    return Submission(
        Entry("verilabel.label/v1", statement.digest), f"the label of a bundle signed by {key.name}"
    )
