"""Runs datatrove: `with_datatrove.py run|tell pii|minhash|contamination CORPUS OUT ITEMS`, in its own Python.

`run` is what is measured; `tell` afterwards writes what was found to OUT/found.jsonl, one line a document.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

TASKS = 4


def execute(pipeline: list[Any], out: Path, name: str, tasks: int = TASKS) -> None:
    """Carry out one stage with one worker."""
    LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=str(out / "logs" / name)).run()


def reader(corpus: Path) -> JsonlReader:
    """The corpus as its JSON lines."""
    return JsonlReader(str(corpus / "jsonl"), glob_pattern="*.jsonl", default_metadata={})


def run_pii(corpus: Path, out: Path, _: Path) -> None:
    """Replace e-mail addresses and public IP addresses."""
    from datatrove.pipeline.formatters import PIIFormatter

    execute([reader(corpus), PIIFormatter(), JsonlWriter(str(out / "texts"), compression=None)], out, "pii")


def tell_pii(corpus: Path, out: Path) -> None:
    """The spans that the formatter replaces, by its own expressions: it keeps no record of them."""
    from datatrove.pipeline.formatters import PIIFormatter

    formatter = PIIFormatter()
    replacers = (("pii.email", formatter.emails_replacer), ("pii.ipv4", formatter.ip_replacer))
    with (out / "found.jsonl").open("w") as file:
        for path in sorted((corpus / "jsonl").glob("*.jsonl")):
            for line in path.open(encoding="utf-8"):
                row = json.loads(line)
                for kind, replacer in replacers:
                    for match in replacer.regex.finditer(row["text"]):
                        if replacer.validator and not replacer.validator(match.group(0)):
                            continue
                        found = {"id": row["id"], "kind": kind, "characters": match.span()}
                        file.write(json.dumps(found) + "\n")


def run_minhash(corpus: Path, out: Path, _: Path) -> None:
    """Near duplicates with the usual 14 x 8 hashes over word 5-grams, in four stages."""
    from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets

    config = MinhashConfig()
    signatures, pairs, clusters = (str(out / name) for name in ("signatures", "pairs", "clusters"))
    execute([reader(corpus), MinhashDedupSignature(signatures, config=config)], out, "one")
    execute([MinhashDedupBuckets(signatures, pairs, config=config)], out, "two", tasks=config.num_buckets)
    execute(
        [MinhashDedupCluster(pairs, clusters, config=config, save_cluster_id=True)], out, "three", tasks=1
    )
    kept = JsonlWriter(str(out / "kept"), compression=None)
    removed = JsonlWriter(str(out / "removed"), compression=None)
    last = MinhashDedupFilter(clusters, exclusion_writer=removed, load_cluster_ids=True)
    execute([reader(corpus), last, kept], out, "four")


def tell_minhash(_: Path, out: Path) -> None:
    """The cluster of each document that is in one."""
    with (out / "found.jsonl").open("w") as file:
        for folder in ("kept", "removed"):
            for path in sorted((out / folder).glob("*.jsonl")):
                for line in path.open(encoding="utf-8"):
                    row = json.loads(line)
                    cluster = row["metadata"].get("minhash_cluster_id", -1)
                    if cluster != -1:
                        found = {"id": row["id"], "kind": "duplicate", "cluster": cluster}
                        file.write(json.dumps(found) + "\n")


def run_contamination(corpus: Path, out: Path, items: Path) -> None:
    """Index the items, then drop documents that share a 12-gram with one: its own default."""
    import numpy as np
    from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter, NGramsDecontIndexer

    # it asks for lighteval, which only items of lighteval's own need
    NGramsDecontIndexer._requires_dependencies = []
    config = NGramsDecontConfig(find_query_ngrams=True)
    index = out / "index"
    index.mkdir(parents=True)
    indexer = NGramsDecontIndexer(str(index), config=config)
    hashes: set[int] = set()
    for line in items.read_text("utf-8").splitlines():
        item = json.loads(line)
        hashes.update(indexer.compute_hashes(item["answer"], item["question"]))
    np.array(sorted(hashes), dtype=config.hash_config.np_descr).tofile(index / "items.index.hashes")
    removed = JsonlWriter(str(out / "removed"), compression=None)
    kept = JsonlWriter(str(out / "kept"), compression=None)
    execute(
        [reader(corpus), NGramsDecontFilter(str(index), config=config, exclusion_writer=removed), kept],
        out,
        "filter",
    )


def tell_contamination(_: Path, out: Path) -> None:
    """The documents that were dropped."""
    with (out / "found.jsonl").open("w") as file:
        for path in sorted((out / "removed").glob("*.jsonl")):
            for line in path.open(encoding="utf-8"):
                file.write(json.dumps({"id": json.loads(line)["id"], "kind": "contamination.item"}) + "\n")


if __name__ == "__main__":
    mode, task = sys.argv[1:3]
    given_corpus, given_out, given_items = map(Path, sys.argv[3:6])
    given_out.mkdir(parents=True, exist_ok=True)
    if mode == "run":
        {"pii": run_pii, "minhash": run_minhash, "contamination": run_contamination}[task](
            given_corpus, given_out, given_items
        )
    else:
        {"pii": tell_pii, "minhash": tell_minhash, "contamination": tell_contamination}[task](
            given_corpus, given_out
        )
