"""Putting statements of others into a bundle: whole or not at all, and the same however often it is done.

Statements lie outside the manifest, so that nothing that was signed changes. A zip is written again in its one
canonical form, beside its place, and then put there.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from verilabel.errors import CheckFailed, LimitExceeded, SealError, UsageError
from verilabel.evidence.atomic import flush_folder, write_file
from verilabel.evidence.container import Container, open_container, write_zip
from verilabel.evidence.envelope import open_envelope
from verilabel.evidence.keys import PublicKey, parse_public_file
from verilabel.evidence.layout import ATTESTATION, MAX_STATEMENTS, SIGNER_KEY, STATEMENTS
from verilabel.evidence.others.attestation import Finding
from verilabel.evidence.others.audit import DataAudit
from verilabel.evidence.others.audited import FINDINGS
from verilabel.evidence.others.given import read_given
from verilabel.evidence.others.signed import Signed, parse_signed, replica_labels
from verilabel.evidence.reading import read_document
from verilabel.evidence.statement import Statement, parse_statement


class SignedLabel(NamedTuple):
    """A label's statement whose signature holds, and the key that made it; nothing else of the bundle was checked."""

    statement: Statement
    signer: PublicKey


class Attached(NamedTuple):
    """What was put into a bundle, and what was there already."""

    added: tuple[Signed, ...]
    already_there: tuple[Signed, ...]


def read_signed_label(path: Path) -> SignedLabel:
    """The statement that a bundle's label was signed with. Raises UsageError where there is none, else as its parts."""
    with open_container(path) as container:
        if ATTESTATION not in container.sizes:
            raise UsageError(
                "this bundle is not signed, so that nothing can be said about its label", where=str(path)
            )
        key = parse_public_file(read_document(container, SIGNER_KEY), where=SIGNER_KEY)
        payload = open_envelope(read_document(container, ATTESTATION), [key], where=ATTESTATION).payload
    return SignedLabel(parse_statement(payload, where=ATTESTATION), key)


def read_enclosed(path: Path) -> dict[str, Signed]:
    """The statements that lie in a bundle, by path. Raises as `parse_signed`."""
    with open_container(path) as container:
        return _read_statements(container)


def _read_statements(container: Container) -> dict[str, Signed]:
    paths = [path for path in container.sizes if path.startswith(STATEMENTS)]
    if len(paths) > MAX_STATEMENTS:
        raise LimitExceeded(f"more than {MAX_STATEMENTS} statements", where=STATEMENTS)
    return {path: parse_signed(read_document(container, path), where=path) for path in paths}


def attach_statements(path: Path, statements: Sequence[Signed]) -> Attached:
    """Put statements into a bundle, folder or zip.

    A statement that is there already stays as it is, unless the new file has a log's proof and the old one has not.
    Raises CheckFailed for a statement that is not about this label, a statement of it or its system, UsageError for a
    finding that no level asks for (it belongs into a label when it is made), LimitExceeded beyond 64; nothing is
    changed then.
    """
    label = read_signed_label(path)
    with open_container(path) as container:
        enclosed = _read_statements(container)
        given = read_given(container)
    leaned_on = [signed.attestation.digest for signed in (*given.findings.values(), *given.audits)]
    system = label.statement.system_digest
    _check_subjects([label.statement.digest, *leaned_on], system, [*enclosed.values()], statements)
    added, already_there = [], []
    for signed in statements:
        there = enclosed.get(STATEMENTS + signed.file_name)
        if there is None or (there.proof is None and signed.proof is not None):
            enclosed[STATEMENTS + signed.file_name] = signed
            added.append(signed)
        else:
            already_there.append(signed)
    if len(enclosed) > MAX_STATEMENTS:
        raise LimitExceeded(f"more than {MAX_STATEMENTS} statements in one bundle", where=str(path))
    if added:
        (_add_to_folder if path.is_dir() else _add_to_zip)(path, added)
    return Attached(tuple(added), tuple(already_there))


def _check_subjects(
    own: Sequence[str], system: str, enclosed: Sequence[Signed], statements: Sequence[Signed]
) -> None:
    """Check that each statement is about the label, its system, what it leans on, or a statement that is here."""
    together = (*enclosed, *statements)
    replicas = (label for label, _ in replica_labels(together))
    known = {*own, *(signed.attestation.digest for signed in together), *replicas}
    for signed in statements:
        kind, predicate = signed.attestation.kind, signed.attestation.predicate
        if isinstance(predicate, Finding) and predicate.name not in FINDINGS:
            raise UsageError(
                f"a finding about a system is no statement about its label: {signed.file_name}",
                hint="`verilabel label --attestation FILE` makes a label that leans on it",
            )
        if isinstance(predicate, Finding | DataAudit):
            if signed.attestation.about != system:
                raise CheckFailed(f"this {kind} is about another system", where=signed.file_name)
        elif signed.attestation.about not in known:
            raise CheckFailed(f"this {kind} is about another label", where=signed.file_name)


def _add_to_folder(path: Path, statements: Sequence[Signed]) -> None:
    folder = path / STATEMENTS
    is_new = not folder.exists()
    if folder.is_symlink() or (not is_new and not folder.is_dir()):
        raise SealError("not a folder", where=str(folder))
    folder.mkdir(exist_ok=True)
    written: list[Path] = []
    try:
        for signed in statements:
            target = folder / signed.file_name
            was_there = target.exists()
            write_file(target, signed.data, overwrite=True)
            if not was_there:
                written.append(target)
    except BaseException:
        for target in written:
            target.unlink(missing_ok=True)
        if is_new:
            folder.rmdir()
        raise
    flush_folder(path)


def _add_to_zip(path: Path, statements: Sequence[Signed]) -> None:
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as scratch:
        folder = Path(scratch) / "bundle"
        with open_container(path) as container:
            for name in container.sizes:
                _copy_out(container, name, folder / name)
        for signed in statements:
            target = folder / STATEMENTS / signed.file_name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(signed.data)
        ready = Path(scratch) / "bundle.zip"
        write_zip(folder, ready)
        ready.replace(path)
    flush_folder(path.parent)


def _copy_out(container: Container, name: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with container.open(name) as source, target.open("wb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
