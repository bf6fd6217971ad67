"""Small real audits to show and export: a rich one of every check, and a poor one of a single document and check."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from audit_corpora import some_text
from verilabel.audit.engine.auditing import Ordered, audit
from verilabel.audit.engine.interface import Report, Task
from verilabel.audit.engine.tasks import carry_out
from verilabel.audit.engine.watching import Watch
from verilabel.audit.proof.commitments import Secret, save_secret
from verilabel.audit.settings import (
    AuditSettings,
    CanarySettings,
    ContaminationSettings,
    SamplingSettings,
    Selection,
)
from verilabel.evidence.keys import PrivateKey

QUESTION = (
    "A lighthouse keeper polishes forty seven lamps before breakfast and then walks twelve miles along the shore "
    "counting the gulls that sleep on every third breakwater; how many lamps remain if nine of them are broken?"
)
HOSTILE = "<img src=x onerror=alert(1)>\u202e"
"""A name as somebody may give it who wants to be more than text."""
LICENCE_LINE = "SPDX-License-Identifier: MIT"


class _Here:
    """An executor that works in this process."""

    name = "this process"

    async def run(self, work: str, tasks: Sequence[Task], report: Report) -> AsyncIterator[tuple[int, bytes]]:
        for place, task in enumerate(tasks):
            yield place, msgspec.json.encode(carry_out(work, task, report))

    async def close(self) -> None:
        """Nothing to end."""


@functools.cache
def rich_audit(root: Path, key: PrivateKey | None = None) -> Path:
    """Every check over two shards, of which one has lines that cannot be read. Made once a root."""
    corpus = root / "texts"
    corpus.mkdir(parents=True)
    texts = [some_text(seed, 60) for seed in range(40)]
    texts[3] = texts[4] = texts[5]
    texts[7] = f"{some_text(7)} {QUESTION} {some_text(8)}"
    texts[9] += " Write to ada.9@" + "example.net or call +1 202-555-0143."
    texts[11] += "\n" + LICENCE_LINE
    table = {
        "text": texts,
        "url": [f"https://site{seed % 3}.example.org/{seed}" for seed in range(40)],
        "date": [f"{2015 + seed % 5}-01-02" for seed in range(40)],
        "license": ["mit" if seed % 2 else "cc-by-4.0" for seed in range(40)],
    }
    pq.write_table(pa.table(table), corpus / "part-000.parquet")
    lines = [json.dumps({"text": some_text(seed, 60)}) for seed in range(50, 62)]
    lines[3], lines[9] = "{torn", '{"text": 7}'
    (corpus / f"part-{HOSTILE}-1.jsonl").write_text("\n".join(lines) + "\n")
    bench = root / "lamps.jsonl"
    items = [
        {"question": QUESTION, "answer": "thirty eight"},
        {"question": some_text(900, 40), "answer": "none"},
    ]
    bench.write_text("\n".join(map(json.dumps, items)) + "\n")
    settings = AuditSettings(
        selection=Selection(columns=("text",)),
        contamination=ContaminationSettings(benchmarks=(str(bench),)),
        sampling=SamplingSettings(documents=10),
        canaries=CanarySettings(per_format=2),
    )
    return _audited(root, corpus, settings, key)


@functools.cache
def poor_audit(root: Path) -> Path:
    """One document in which nothing is found, one check, no canaries, no sample. Made once a root."""
    corpus = root / "texts"
    corpus.mkdir(parents=True)
    (corpus / "one.jsonl").write_text(json.dumps({"text": some_text(1, 30)}) + "\n")
    settings = AuditSettings(
        checks=("pii",), sampling=SamplingSettings(documents=0), canaries=CanarySettings(per_format=0)
    )
    return _audited(root, corpus, settings, None)


def _audited(root: Path, corpus: Path, settings: AuditSettings, key: PrivateKey | None) -> Path:
    save_secret(Secret(bytes(range(32))), root / "secret")
    ordered = Ordered((str(corpus),), settings, root / "run.audit", root / "secret")
    asyncio.run(audit(ordered, _Here(), Watch(), key))
    return root / "run.audit"
