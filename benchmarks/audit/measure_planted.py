"""Errors of the check of personal data on a planted corpus, a kind each, for the check's card.

A value is found where findings of its kind cover half of it; a finding is right where it meets a planted value of its
kind. The corpus' own text was scrubbed, so that what is found elsewhere in it is wrong, or was missed by the scrubbing.

examples:
  python -m benchmarks.audit.corpus --mb 300 --out corpus-300 --plant --environments
  python -m benchmarks.audit.measure_planted --corpus corpus-300
  python -m benchmarks.audit.measure_planted --corpus corpus-300 --write    keep it in audit/pii/data/errors.json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.audit.scoring import Corpus
from benchmarks.audit.unseen import PREFIX
from benchmarks.settings import REPOSITORY
from verilabel.audit.canaries.planting import Truth
from verilabel.audit.canaries.recall import add_recalls, count_found
from verilabel.audit.interface import Batch, Findings
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.settings import AuditSettings

ERRORS = REPOSITORY / "src/verilabel/audit/pii/data/errors.json"
SOURCE = "planted"
_BATCH = 1_000


def measure_pii(corpus: Corpus) -> dict[str, dict[str, Any]]:
    """Counts a kind: planted, found, claimed, correct."""
    from verilabel.audit.pii.opening import OPENING

    settings = AuditSettings()
    with tempfile.TemporaryDirectory() as folder:
        OPENING.prepare(settings, Path(folder))
        check = OPENING.open(settings, Path(folder))
        kinds = [kind.id for kind in check.card.kinds]
        recalls = []
        claims: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for path in sorted((corpus.folder / "parquet").glob("*.parquet")):
            table = pq.read_table(path, columns=["id", "text"])
            ids, texts = table["id"].to_pylist(), table["text"].to_pylist()
            for first in range(0, len(ids), _BATCH):
                batch = batch_of([text.encode() for text in texts[first : first + _BATCH]])
                truth = truth_of(corpus, ids[first : first + _BATCH])
                findings = check.examine(batch, cut_words(batch)).findings
                recalls.append(count_found(truth, batch, findings, kinds))
                if findings is not None:
                    count_claims(claims, truth, batch, findings, kinds)
    measured: dict[str, dict[str, Any]] = {}
    for one in add_recalls(recalls):
        counts = measured.setdefault(one.kind, {"planted": 0, "found": 0})
        counts["planted"] += one.planted
        counts["found"] += one.found
    for kind, (claimed, correct) in claims.items():
        if kind in measured:
            measured[kind] |= {"claimed": claimed, "correct": correct}
    return {
        kind: {"source": SOURCE, "claimed": 0, "correct": 0, **counts} for kind, counts in measured.items()
    }


def batch_of(texts: Sequence[bytes]) -> Batch:
    """The texts as one batch, their rows from 0."""
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
    return Batch(np.frombuffer(b"".join(texts), np.uint8), offsets, np.arange(len(texts), dtype=np.int64))


def truth_of(corpus: Corpus, ids: Sequence[str]) -> list[Truth]:
    """What is planted in documents, which are named by their places."""
    return [
        Truth(at, row["kind"], row["format"], row["start"], row["end"])
        for at, document in enumerate(ids)
        for row in corpus.truth.get(document, ())
        if "start" in row and not row["format"].startswith(PREFIX)
    ]


def count_claims(
    claims: dict[str, list[int]],
    truth: Sequence[Truth],
    batch: Batch,
    findings: Findings,
    kinds: Sequence[str],
) -> None:
    """Add the findings of a batch, and how many of them meet a planted value of their kind."""
    known: dict[tuple[int, str], list[Truth]] = defaultdict(list)
    for one in truth:
        known[one.document, one.kind].append(one)
    offsets = batch.offsets.tolist()
    columns = (
        findings.document.tolist(),
        findings.kind.tolist(),
        findings.start.tolist(),
        findings.end.tolist(),
    )
    for document, number, start, end in zip(*columns, strict=True):
        kind, base = kinds[number], offsets[document]
        met = any(one.start < end - base and start - base < one.end for one in known[document, kind])
        claims[kind][0] += 1
        claims[kind][1] += met


def keep(measured: dict[str, dict[str, Any]], corpus: Corpus) -> None:
    """Put the counts into the check's data, beside those of other sources."""
    kept = json.loads(ERRORS.read_text("utf-8"))
    command = "python -m benchmarks.audit.measure_planted --corpus DIR --write"
    told = f"; {SOURCE}: {command} ({corpus.documents()} documents)"
    kept["how"] = kept["how"].partition(f"; {SOURCE}:")[0] + told
    errors = kept["errors"]
    for kind, counts in measured.items():
        errors[kind] = [one for one in errors.get(kind, []) if one["source"] != SOURCE] + [counts]
    torn = ERRORS.with_suffix(".tmp")
    torn.write_text(json.dumps(kept, ensure_ascii=False, indent=1, sort_keys=True) + "\n", "utf-8")
    torn.replace(ERRORS)


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and with --write keep."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.audit.measure_planted",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--corpus", type=Path, required=True, metavar="DIR")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args(arguments)
    corpus = Corpus(given.corpus)
    measured = measure_pii(corpus)
    for kind, counts in measured.items():
        recall = counts["found"] / counts["planted"]
        precision = counts["correct"] / max(1, counts["claimed"])
        print(
            f"{kind:24} recall {recall:.4f} of {counts['planted']}, precision {precision:.4f} of {counts['claimed']}"
        )
    if given.write:
        keep(measured, corpus)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
