"""Openings: chosen documents shown with their salts, for whoever has the audit and not the corpus.

A file of openings has a line that says which audit, nonce and number of documents it answers, then a line a document:
salt, text (or its digest alone), what the source says of it, and two inclusion proofs, from its record to the shard's
root and from the shard to the root of the data set. What the source says (`about`) is not committed to: only that the
checks find with it what is recorded speaks for it.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Literal, TypeVar

import msgspec
import numpy as np

from verilabel.audit.interface import Batch
from verilabel.audit.proof.commitments import SALT_BYTES, Secret
from verilabel.audit.proof.folder import AuditFolder
from verilabel.audit.proof.manifest import AuditManifest
from verilabel.audit.proof.records import COMMITMENT
from verilabel.audit.rechecking.corpus import find_shards, read_documents
from verilabel.audit.rechecking.drawing import draw_numbers, place_numbers
from verilabel.audit.rechecking.examining import Examiner, Failure
from verilabel.audit.rechecking.recorded import Recorded, ShardRecorded, recorded_shards
from verilabel.audit.rechecking.spot_check import Rechecked, check_secret
from verilabel.errors import LimitExceeded, MalformedInput, SealError
from verilabel.evidence.merkle import MAX_PROOF_HASHES, Tree, verify_inclusion
from verilabel.records.canonical import DIGEST_PREFIX, jcs

FORMAT: Literal["verilabel/audit-openings/v1"] = "verilabel/audit-openings/v1"
MAX_LINE_BYTES = 2**29
_MAX_ABOUT = 16
T = TypeVar("T", "Header", "Opening")


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file of openings answers."""

    manifest_sha256: str
    root: str
    nonce: str
    documents: int
    format: Literal["verilabel/audit-openings/v1"] = FORMAT


class Opening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One document that is shown."""

    document: int
    """Its number among all that were read."""
    shard: int
    row: int
    salt: str
    text: str | None
    """None where only its digest is shown."""
    text_sha256: str
    about: dict[str, str | None]
    record_proof: tuple[str, ...]
    shard_proof: tuple[str, ...]


def open_documents(
    folder: Path,
    inputs: Sequence[str],
    secret: Secret,
    *,
    nonce: str,
    documents: int,
    digests_only: bool = False,
) -> Iterator[bytes]:
    """The lines of a file of openings. The audit must have been verified before.

    Raises SealError where the inputs are not the audited corpus, or a text is not what was committed to; UsageError for
    another audit's secret.
    """
    audit = AuditFolder(folder)
    manifest = audit.manifest()
    check_secret(secret, manifest)
    entries = list(audit.shards())
    lines = [entry.shard for entry in entries]
    numbers = draw_numbers(nonce, manifest.root.sha256, manifest.coverage.read, documents)
    shards = find_shards(inputs, manifest.settings.selection, entries)
    tree = Tree([line.leaf() for line in lines])
    yield _line_of(Header(manifest.digest, manifest.root.sha256, nonce, documents))
    for shard in recorded_shards(audit, manifest, lines, place_numbers(numbers, lines)):
        waiting = {document.row: document for document in shard.documents}
        records, path = shard.tree(), _hexed(tree.inclusion(shard.index))
        texts = read_documents(shards[shard.index], manifest.settings, list(waiting), shard.line.sha256)
        for row, batch in texts:
            document = waiting.pop(row)
            yield _line_of(_open_one(document, batch, secret, records, path, digests_only=digests_only))
        for document in waiting.values():
            raise SealError("this document cannot be read any more", where=document.where)


def _open_one(
    document: Recorded,
    batch: Batch,
    secret: Secret,
    records: Tree,
    path: tuple[str, ...],
    *,
    digests_only: bool,
) -> Opening:
    text = batch.text(0)
    salt = secret.salter(document.line.sha256).salt(document.row)
    digest = hashlib.sha256(text).digest()
    if hashlib.sha256(salt + digest).digest() != document.record[COMMITMENT].tobytes():
        raise SealError("this text is not what was committed to", where=document.where)
    return Opening(
        document=document.choice.number,
        shard=document.choice.shard,
        row=document.row,
        salt=salt.hex(),
        text=None if digests_only else text.decode("utf-8"),
        text_sha256=DIGEST_PREFIX + digest.hex(),
        about={} if digests_only else {name: values[0] for name, values in batch.about.items()},
        record_proof=_hexed(records.inclusion(document.choice.place)),
        shard_proof=path,
    )


def check_openings(
    folder: Path,
    file: BinaryIO,
    *,
    nonce: str | None = None,
    documents: int | None = None,
    benches: Sequence[str] = (),
    mirror: str | None = None,
) -> Rechecked:
    """Check openings against an audit that was verified before: those that the nonce chose, all of them, no others.

    Raises MalformedInput for what is no such file, SealError for openings of another audit or nonce, of other
    documents, or that do not open the commitments. What checks find otherwise than is recorded is among the failures.
    """
    audit = AuditFolder(folder)
    manifest = audit.manifest()
    header = _parse(_next_line(file, 1), Header, 1)
    _check_header(header, manifest, nonce, documents)
    lines = [entry.shard for entry in audit.shards()]
    numbers = draw_numbers(header.nonce, manifest.root.sha256, manifest.coverage.read, header.documents)
    failures: list[Failure] = []
    number = 1
    with tempfile.TemporaryDirectory() as name:
        examiner = Examiner(manifest, Path(name), benches, mirror)
        for shard in recorded_shards(audit, manifest, lines, place_numbers(numbers, lines)):
            for document in shard.documents:
                number += 1
                opening = _parse(_next_line(file, number), Opening, number)
                _check_opening(opening, document, manifest, len(lines))
                failures += _failures_of(opening, document, shard, examiner)
                if opening.text is None:
                    examiner.not_compared.setdefault("texts", "some openings show digests alone")
    if file.read(1):
        raise SealError("more openings than the nonce chose", where=f"line {number + 1}")
    return Rechecked(
        header.nonce,
        len(numbers),
        manifest.coverage.read,
        examiner.compared,
        examiner.not_compared,
        tuple(failures),
    )


def _failures_of(
    opening: Opening, document: Recorded, shard: ShardRecorded, examiner: Examiner
) -> list[Failure]:
    if opening.text is None:
        return []
    data = np.frombuffer(opening.text.encode(), np.uint8)
    batch = Batch(
        data,
        np.array([0, len(data)], np.int64),
        np.array([document.row], np.int64),
        {name: [value] for name, value in opening.about.items()},
    )
    failure = examiner.compare(shard, document, batch, None)
    return [] if failure is None else [failure]


def _check_header(header: Header, manifest: AuditManifest, nonce: str | None, documents: int | None) -> None:
    if (header.manifest_sha256, header.root) != (manifest.digest, manifest.root.sha256):
        raise SealError("these openings are of another audit")
    if nonce is not None and header.nonce != nonce:
        raise SealError("these openings answer another nonce")
    if documents is not None and header.documents != documents:
        raise SealError(f"{header.documents} documents are opened, {documents} were asked for")


def _check_opening(opening: Opening, document: Recorded, manifest: AuditManifest, shards: int) -> None:
    choice, line = document.choice, document.line
    if (opening.document, opening.shard, opening.row) != (choice.number, choice.shard, document.row):
        raise SealError("not the document that the nonce chose", where=document.where)
    salt, digest = _unhex(opening.salt), _unhex(opening.text_sha256.removeprefix(DIGEST_PREFIX))
    if opening.text is not None and hashlib.sha256(opening.text.encode()).digest() != digest:
        raise SealError("the text has not the digest beside it", where=document.where)
    if hashlib.sha256(salt + digest).digest() != document.record[COMMITMENT].tobytes():
        raise SealError("it does not open the commitment of its record", where=document.where)
    try:
        proof = [_unhex(one) for one in opening.record_proof]
        verify_inclusion(document.leaf, choice.place, line.read, proof, bytes.fromhex(line.root))
        proof = [_unhex(one) for one in opening.shard_proof]
        root = bytes.fromhex(manifest.root.sha256.removeprefix(DIGEST_PREFIX))
        verify_inclusion(line.leaf(), choice.shard, shards, proof, root)
    except SealError as error:
        raise SealError(error.message, where=document.where) from error


def _line_of(value: Header | Opening) -> bytes:
    return jcs(msgspec.to_builtins(value)) + b"\n"


def _next_line(file: BinaryIO, number: int) -> bytes:
    line = file.readline(MAX_LINE_BYTES + 1)
    if len(line) > MAX_LINE_BYTES:
        raise LimitExceeded(f"a line beyond {MAX_LINE_BYTES} bytes", where=f"line {number}")
    if not line:
        raise SealError("fewer openings than the nonce chose", where=f"line {number}")
    return line


def _parse(line: bytes, form: type[T], number: int) -> T:
    where = f"line {number}"
    try:
        found = msgspec.json.decode(line, type=form, strict=True)
        same = _line_of(found) == line
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise MalformedInput(f"not openings: {error}", where=where) from None
    if not same:
        raise MalformedInput("not in canonical form", where=where)
    if isinstance(found, Opening) and (
        len(found.about) > _MAX_ABOUT
        or max(len(found.record_proof), len(found.shard_proof)) > MAX_PROOF_HASHES
    ):
        raise LimitExceeded("an opening with too much beside its text", where=where)
    return found


def _hexed(hashes: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(one.hex() for one in hashes)


def _unhex(text: str) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) != SALT_BYTES or data.hex() != text:
        raise MalformedInput("not 64 hexadecimal digits", where="openings")
    return data
