"""Audits from Python: run one, load one, ask it, verify it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verilabel.audit.bounds.statements import Statement, describe_statement
from verilabel.audit.engine.auditing import Ordered, audit
from verilabel.audit.engine.opening import open_executor
from verilabel.audit.engine.watching import Watch
from verilabel.audit.proof.folder import AuditFolder
from verilabel.audit.proof.layout import RECORDS, TABLE, shard_file
from verilabel.audit.proof.manifest import AuditManifest
from verilabel.audit.proof.verifying import AuditVerification, verify_audit
from verilabel.audit.settings import AuditSettings
from verilabel.errors import UsageError
from verilabel.evidence.keys import PrivateKey
from verilabel.evidence.trust import TrustPolicy

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Audit:
    """An audit in its folder. `load_audit` reads it as it stands; `verify` says whether it holds."""

    folder: Path
    manifest: AuditManifest

    def bound(self, kind: str) -> Statement:
        """What the audit says of a kind of finding, with its confidence. Raises UsageError for an unknown kind."""
        for statement in self.manifest.statements:
            if statement.kind == kind:
                return statement
        known = ", ".join(statement.kind for statement in self.manifest.statements)
        raise UsageError(f"this audit did not look for {kind!r}", hint=f"it looked for {known}")

    def sentence(self, kind: str) -> str:
        """The same in words."""
        return describe_statement(self.bound(kind))

    def records(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The records of each shard, in order, as Arrow tables."""
        yield from self._tables(RECORDS, columns)

    def table(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """A check's table of each shard that has one, such as `contamination`."""
        yield from self._tables(TABLE + name, columns)

    def verify(self, *, trust: TrustPolicy | None = None) -> AuditVerification:
        """Verify all that can be verified without the corpus. Raises SealError for what does not hold."""
        return verify_audit(self.folder, trust=trust)

    def _tables(self, name: str, columns: Sequence[str] | None) -> Iterator[Any]:
        import pyarrow.parquet as pq

        wanted = None if columns is None else list(columns)
        for index in range(self.manifest.coverage.shards):
            path = self.folder / shard_file(index, name)
            if path.exists():
                yield pq.read_table(path, columns=wanted)


def run_audit(
    inputs: Sequence[str | Path],
    *,
    out: str | Path,
    settings: AuditSettings | None = None,
    engine: str = "local",
    workers: int | None = None,
    key: PrivateKey | None = None,
    secret: Path | None = None,
    force: bool = False,
    watch: Watch | None = None,
) -> Audit:
    """Audit files, folders, patterns, URLs or `hub:ORG/NAME`, and leave the result at `out`.

    Without `key` it is not signed. `watch` can be read from another thread while it runs. Called again after a break,
    it continues. Raises the errors of the tree, as `verilabel data audit` reports them.
    """
    ordered = Ordered(
        tuple(str(item) for item in inputs), settings or AuditSettings(), Path(out), secret, force
    )

    async def go() -> AuditManifest:
        executor = open_executor(engine, workers)
        try:
            return await audit(ordered, executor, watch or Watch(), key)
        finally:
            await executor.close()

    return Audit(Path(out), asyncio.run(go()))


def load_audit(folder: str | Path) -> Audit:
    """Read an audit's manifest, strictly, and nothing else. Raises UsageError where there is none, MalformedInput."""
    return Audit(Path(folder), AuditFolder(Path(folder)).manifest())
