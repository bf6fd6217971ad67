"""A small real audit for tests, and what a forger without the key can do to a copy of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from audit_corpora import some_text, write_corpus
from verilabel.audit.engine.auditing import Ordered, audit
from verilabel.audit.engine.interface import Report, Task
from verilabel.audit.engine.tasks import carry_out
from verilabel.audit.engine.watching import Watch
from verilabel.audit.proof.commitments import Secret, save_secret
from verilabel.audit.proof.folder import AuditFolder
from verilabel.audit.proof.manifest import AuditManifest
from verilabel.audit.proof.records import Records, form_of, read_records, write_records
from verilabel.audit.proof.shards import ListedFile, ShardEntry, root_of_shards
from verilabel.audit.settings import (
    AuditSettings,
    CanarySettings,
    ContaminationSettings,
    Name,
    SamplingSettings,
)
from verilabel.evidence.keys import PrivateKey, new_key
from verilabel.records.canonical import jcs

QUESTION = (
    "A lighthouse keeper polishes forty seven lamps before breakfast and then walks twelve miles along the shore "
    "counting the gulls that sleep on every third breakwater; how many lamps remain if nine of them are broken?"
)
CHECKS: tuple[Name, ...] = ("pii", "contamination", "duplicates")
DOCUMENTS = 127


class Inline:
    """An executor that works in this process."""

    name = "this process"

    async def run(self, work: str, tasks: Sequence[Task], report: Report) -> AsyncIterator[tuple[int, bytes]]:
        """One task after another."""
        for place, task in enumerate(tasks):
            yield place, msgspec.json.encode(carry_out(work, task, report))

    async def close(self) -> None:
        """Nothing to end."""


class Made(msgspec.Struct, frozen=True):
    """Where things lie. Never change them: copy."""

    audit: Path
    corpus: Path
    secret: Path
    bench: Path


def audit_into(
    out: Path, corpus: Path, secret: Path, settings: AuditSettings, key: PrivateKey | None
) -> None:
    """Audit a corpus in this process."""
    ordered = Ordered((str(corpus),), settings, out, secret)
    asyncio.run(audit(ordered, Inline(), Watch(), key))


def made_audit(root: Path, *, is_signed: bool = False) -> Made:
    """An audit of three Parquet files and one of JSON lines of which two cannot be read. `root` is empty."""
    extra = [f"{some_text(7)} {QUESTION} {some_text(8)}"] * 2
    extra += [f"{some_text(n)} Write to ada.{n}@" + "example.net or call +1 202-555-0143." for n in range(6)]
    corpus = write_corpus(root / "texts", files=3, documents=35, extra=extra)
    lines = [json.dumps({"text": some_text(seed)}) for seed in range(50, 64)]
    lines[3] = "{torn"
    lines[9] = '{"text": 7}'
    (corpus / "part-009.jsonl").write_text("\n".join(lines) + "\n")
    bench = root / "lamps.jsonl"
    bench.write_text(json.dumps({"question": QUESTION, "answer": "thirty eight"}) + "\n")
    save_secret(Secret(bytes(range(32))), root / "secret")
    settings = AuditSettings(
        checks=CHECKS,
        contamination=ContaminationSettings(benchmarks=(str(bench),), sketch=True),
        sampling=SamplingSettings(documents=20),
        canaries=CanarySettings(per_format=3),
    )
    key = new_key("auditor") if is_signed else None
    audit_into(root / "run.audit", corpus, root / "secret", settings, key)
    return Made(root / "run.audit", corpus, root / "secret", bench)


class Forgery:
    """A copy of an audit in a forger's hands. `seal` redoes every digest and root that follows from the files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest: dict[str, Any] = json.loads((folder / "audit.json").read_bytes())
        self.entries: list[ShardEntry] = list(AuditFolder(folder).shards())

    def _parsed(self) -> AuditManifest:
        return AuditFolder(self.folder).manifest()

    def records(self, shard: int) -> Records:
        """The records of a shard."""
        path = self.folder / f"shards/{shard:07d}/records.parquet"
        return np.concatenate(list(read_records(path, self._parsed().record, where="test")))

    def write_records(self, shard: int, records: Records) -> None:
        """Put other records in their place, with their root."""
        path = self.folder / f"shards/{shard:07d}/records.parquet"
        root = write_records([records], form_of(self._parsed().record), path).hex()
        self.change_line(shard, root=root)

    def change_line(self, shard: int, **changes: Any) -> None:
        """Say something else of a shard."""
        entry = self.entries[shard]
        line = msgspec.structs.replace(entry.shard, **changes)
        self.entries[shard] = msgspec.structs.replace(entry, shard=line)

    def seal(self) -> None:
        """Digests, sizes, lists and roots follow from what lies in the folder."""
        entries = []
        for index, entry in enumerate(self.entries):
            there = sorted((self.folder / f"shards/{index:07d}").iterdir())
            files = tuple(self._listed(path) for path in there)
            entries.append(msgspec.structs.replace(entry, files=files))
        (self.folder / "shards.jsonl").write_bytes(b"".join(entry.bytes() for entry in entries))
        lines = [entry.shard for entry in entries]
        root = root_of_shards(lines).hex()
        self.manifest["root"] = {**self.manifest["root"], "sha256": f"sha256:{root}", "shards": len(lines)}
        top = [path for path in self.folder.iterdir() if path.is_file()]
        tables = [path for path in (self.folder / "tables").iterdir() if path.is_file()]
        listed = [self._listed(path) for path in (*top, *tables) if path.name not in _UNLISTED]
        self.manifest["files"] = [
            msgspec.to_builtins(file) for file in sorted(listed, key=lambda file: file.path)
        ]
        (self.folder / "audit.json").write_bytes(jcs(self.manifest) + b"\n")

    def _listed(self, path: Path) -> ListedFile:
        data = path.read_bytes()
        name = path.relative_to(self.folder).as_posix()
        return ListedFile(name, len(data), "sha256:" + hashlib.sha256(data).hexdigest())


_UNLISTED = ("audit.json", "attestation.json")
Change = Callable[[Forgery], None]
