"""Spot checks: documents that a nonce chooses are read again, and every check looks at them again."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from verilabel.audit.bounds.corrected import bound_pool
from verilabel.audit.proof.commitments import Secret
from verilabel.audit.proof.folder import AuditFolder
from verilabel.audit.proof.manifest import AuditManifest
from verilabel.audit.rechecking.corpus import find_shards, read_documents
from verilabel.audit.rechecking.drawing import draw_numbers, place_numbers
from verilabel.audit.rechecking.examining import Examiner, Failure
from verilabel.audit.rechecking.recorded import Recorded, recorded_shards
from verilabel.errors import UsageError

CONFIDENCE = Fraction(95, 100)


@dataclass(frozen=True)
class Rechecked:
    """What came of looking at documents again."""

    nonce: str
    documents: int
    """How many were looked at."""
    read: int
    """Of so many that the audit read."""
    compared: tuple[str, ...]
    """Checks that were run again."""
    not_compared: dict[str, str]
    """Checks that were not, and why."""
    failures: tuple[Failure, ...]

    @property
    def most_false(self) -> int:
        """No more records than this are false, with a confidence of 95 % (exact, hypergeometric)."""
        return bound_pool(len(self.failures), self.documents, self.read, 1 - CONFIDENCE)[1]

    @property
    def is_decided(self) -> bool:
        """True where every check could be compared."""
        return not self.not_compared


def check_secret(secret: Secret | None, manifest: AuditManifest) -> None:
    """See that a secret is the audit's. Raises UsageError."""
    if secret is not None and secret.id != manifest.secret_id:
        raise UsageError("this is the secret of another audit", where="--secret")


def spot_check(
    folder: Path,
    inputs: Sequence[str],
    *,
    documents: int,
    nonce: str,
    secret: Secret | None = None,
    benches: Sequence[str] = (),
    mirror: str | None = None,
) -> Rechecked:
    """Look at documents of the corpus again that a nonce chooses. The audit must have been verified before.

    Raises SealError where the inputs are not the audited corpus, UsageError for a secret or benchmark of another audit.
    """
    audit = AuditFolder(folder)
    manifest = audit.manifest()
    check_secret(secret, manifest)
    entries = list(audit.shards())
    lines = [entry.shard for entry in entries]
    numbers = draw_numbers(nonce, manifest.root.sha256, manifest.coverage.read, documents)
    failures: list[Failure] = []
    with tempfile.TemporaryDirectory() as name:
        examiner = Examiner(manifest, Path(name), benches, mirror)
        shards = find_shards(inputs, manifest.settings.selection, entries)
        for shard in recorded_shards(audit, manifest, lines, place_numbers(numbers, lines)):
            waiting = {document.row: document for document in shard.documents}
            texts = read_documents(shards[shard.index], manifest.settings, list(waiting), shard.line.sha256)
            for row, batch in texts:
                failure = examiner.compare(shard, waiting.pop(row), batch, secret)
                failures += [] if failure is None else [failure]
            failures += [_unreadable(document) for document in waiting.values()]
    return Rechecked(
        nonce, len(numbers), manifest.coverage.read, examiner.compared, examiner.not_compared, tuple(failures)
    )


def _unreadable(document: Recorded) -> Failure:
    return Failure(
        document.where, document.choice.shard, document.row, ("the document, which cannot be read",)
    )
