"""Runs dolma on a corpus: `with_dolma.py prepare|run|tell pii|exact|contamination CORPUS OUT ITEMS`, in its Python.

`prepare` lays the files out as dolma wants them, `run` is what is measured; `tell` afterwards writes what was found to
OUT/found.jsonl, one line a finding.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

TAGGER = "pii_regex_with_counts_fast_v2"
KINDS = {"EMAIL_ADDRESS": "pii.email", "PHONE_NUMBER": "pii.phone", "IP_ADDRESS": "pii.ipv4"}
NGRAM = 13


def prepare(corpus: Path, out: Path, items: Path) -> None:
    """Documents below `documents`, and the items as documents of their own."""
    for folder in ("corpus/documents", "items/documents"):
        (out / folder).mkdir(parents=True)
    for path in sorted((corpus / "gz").glob("*.json.gz")):
        (out / "corpus/documents" / path.name).symlink_to(path.resolve())
    with gzip.open(out / "items/documents/items.json.gz", "wt", encoding="utf-8") as file:
        for at, line in enumerate(items.read_text("utf-8").splitlines()):
            item = json.loads(line)
            text = " ".join(f"{item['question']} {item['answer']}".split())
            known = {"id": str(at), "text": text, "source": "items", "added": "2026-01-01T00:00:00.000Z"}
            file.write(json.dumps({**known, "created": "2026-01-01T00:00:00.000Z"}) + "\n")


def dolma(*arguments: str) -> None:
    """Its command, in this process."""
    from dolma.cli.__main__ import main

    main(list(arguments))


def dedupe(out: Path, what: str, name: str, *more: str, read_only: bool) -> None:
    """Its Bloom filter over a folder of documents."""
    bloom = [
        "--bloom_filter.file",
        str(out / f"{name}.bloom"),
        "--bloom_filter.estimated_doc_count",
        "10_000_000",
    ]
    bloom += ["--bloom_filter.desired_false_positive_rate", "0.0001"]
    mode = "--bloom_filter.read_only" if read_only else "--no-bloom_filter.read_only"
    work = ["--work_dir.input", str(out / "work/in"), "--work_dir.output", str(out / "work/out")]
    documents = ["--documents", str(out / what / "documents/*.gz")]
    dolma("dedupe", *documents, "--dedupe.name", name, *more, *bloom, mode, *work, "--processes", "1")


def run(task: str, out: Path) -> None:
    """One task, with one process."""
    if task == "pii":
        documents = str(out / "corpus/documents/*.gz")
        dolma("tag", "--documents", documents, "--taggers", TAGGER, "--experiment", "pii", "--processes", "1")
    elif task == "exact":
        keyed = ("--dedupe.documents.key", "$.text", "--dedupe.documents.attribute_name", "copies")
        dedupe(out, "corpus", "exact", *keyed, read_only=False)
    else:
        length = (
            "--dedupe.paragraphs.by_ngram.ngram_length",
            str(NGRAM),
            "--dedupe.paragraphs.by_ngram.stride",
            "1",
        )
        share = ("--dedupe.paragraphs.by_ngram.overlap_threshold", "0.1")
        keyed = ("--dedupe.paragraphs.attribute_name", "shared", *length, *share)
        dedupe(out, "items", "contamination", *keyed, read_only=False)
        dedupe(out, "corpus", "contamination", *keyed, read_only=True)


def tell(task: str, out: Path) -> None:
    """What stands in its attributes."""
    with (out / "found.jsonl").open("w") as file:
        for path in sorted((out / "corpus/attributes").glob("*/*.gz")):
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for line in lines:
                    row = json.loads(line)
                    for found in _found(task, row["attributes"]):
                        file.write(json.dumps({"id": row["id"], **found}) + "\n")


def _found(task: str, attributes: dict[str, list[list[float]]]) -> list[dict[str, object]]:
    if task == "exact":
        return [{"kind": "duplicate"}] if attributes.get("copies") else []
    if task == "contamination":
        spans = [span for span in attributes.get("shared", []) if span[2] > 0]
        return [{"kind": "contamination.item"}] if spans else []
    found: list[dict[str, object]] = []
    for name, spans in attributes.items():
        kind = next((KINDS[key] for key in KINDS if name.endswith(key)), None)
        if kind:
            found += [{"kind": kind, "characters": span[:2]} for span in spans]
    return found


if __name__ == "__main__":
    given_mode, given_task = sys.argv[1:3]
    given_corpus, given_out, given_items = map(Path, sys.argv[3:6])
    if given_mode == "prepare":
        prepare(given_corpus, given_out, given_items)
    elif given_mode == "run":
        run(given_task, given_out)
    else:
        tell(given_task, given_out)
