"""Recall and speed of the search for duplicates: edited copies are planted in real texts, and their clusters looked at.

examples:
  python -m benchmarks.audit.measure_duplicates base.parquet
  python -m benchmarks.audit.measure_duplicates base.parquet --documents 20000 --write

The texts are the column `text` of a Parquet file (benchmarks.audit.base_texts makes one without near copies). Every
number comes of the run. `--write` puts the errors beside the code of the check.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from verilabel.audit.duplicates import measured as kept
from verilabel.audit.duplicates.joining import columns_of, join_edges, summary
from verilabel.audit.duplicates.opening import OPENING
from verilabel.audit.duplicates.parts import write_map_part
from verilabel.audit.duplicates.reducing import partitions_for, reduce_partition
from verilabel.audit.interface import Batch, Error
from verilabel.audit.kernels.digests import text_digests
from verilabel.audit.kernels.ngrams import hash_ngrams
from verilabel.audit.kernels.tokens import cut_text, cut_words
from verilabel.audit.settings import AuditSettings

SEED = 20261123
EXACT_COPIES = 500
EDITED_COPIES = 4_200
BATCH_BYTES = 4 * 2**20
BATCHES_A_PART = 16
BINS = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5)


class Planted(NamedTuple):
    """A corpus with known copies."""

    texts: list[bytes]
    families: npt.NDArray[np.int64]
    """The original that each text is, or is a copy of."""
    exact: list[tuple[int, int]]
    edited: list[tuple[int, int, float]]
    """Original, copy, and their true Jaccard similarity."""


def shingles(text: str) -> set[int]:
    """The word 5-grams of a text."""
    return set(hash_ngrams(cut_text(text).hashes, 5).tolist())


def edit_text(text: str, rate: float, random: random.Random, vocabulary: Sequence[str]) -> str:
    """Replace, delete, insert and move words: about `rate` of them."""
    words = text.split(" ")
    for _ in range(max(1, round(rate * len(words)))):
        at = random.randrange(len(words))
        kind = random.randrange(4)
        if kind == 0:
            words[at] = random.choice(vocabulary)
        elif kind == 1 and len(words) > 1:
            del words[at]
        elif kind == 2:
            words.insert(at, random.choice(vocabulary))
        else:
            words.insert(random.randrange(len(words)), words.pop(at))
    return " ".join(words)


def plant_copies(base: Sequence[str]) -> Planted:
    """The texts with copies of some of them, in an order that has nothing to do with which is which."""
    chance = random.Random(SEED)
    vocabulary = sorted({word for text in base[:200] for word in text.split()})
    numbered = [(text, family) for family, text in enumerate(base)]
    long = [family for family, text in enumerate(base) if len(text.split()) >= 20]
    for family in chance.sample(long, min(EXACT_COPIES, len(long) // 4)):
        numbered.append((base[family], family))
    edited: dict[int, float] = {}
    for family in chance.sample(long, min(EDITED_COPIES, len(long) // 2)):
        copy = edit_text(base[family], chance.uniform(0.001, 0.12), chance, vocabulary)
        one, other = shingles(base[family]), shingles(copy)
        if not one or not other or copy == base[family]:
            continue
        edited[len(numbered)] = len(one & other) / len(one | other)
        numbered.append((copy, family))
    order = list(range(len(numbered)))
    chance.shuffle(order)
    places = {number: place for place, number in enumerate(order)}
    exact = [
        (places[family], places[number])
        for number, (_, family) in enumerate(numbered)
        if number >= len(base) and number not in edited
    ]
    return Planted(
        [numbered[number][0].encode() for number in order],
        np.array([numbered[number][1] for number in order], np.int64),
        exact,
        [(places[numbered[number][1]], places[number], truth) for number, truth in edited.items()],
    )


def cut_batches(texts: Sequence[bytes]) -> list[Batch]:
    """Texts as batches."""
    batches: list[Batch] = []
    held: list[bytes] = []
    for place, text in enumerate(texts):
        held.append(text)
        if sum(map(len, held)) > BATCH_BYTES or place == len(texts) - 1:
            offsets = np.zeros(len(held) + 1, np.int64)
            np.cumsum([len(one) for one in held], out=offsets[1:])
            rows = np.arange(place + 1 - len(held), place + 1)
            batches.append(Batch(np.frombuffer(b"".join(held), np.uint8).copy(), offsets, rows))
            held = []
    return batches


class Timer:
    """CPU seconds of this process by stage."""

    def __init__(self) -> None:
        """Nothing measured yet."""
        self.seconds: dict[str, float] = {}

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Note what the work inside takes."""
        start = time.process_time()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.process_time() - start


def search(batches: Sequence[Batch], folder: Path, timer: Timer) -> dict[str, npt.NDArray[np.uint64]]:
    """The whole search over batches, as the audit does it; the columns of all documents."""
    settings = AuditSettings()
    check = OPENING.open(settings, folder)
    parts: list[Path] = []
    firsts = [0]
    for start in range(0, len(batches), BATCHES_A_PART):
        spills, digests = [], []
        for batch in batches[start : start + BATCHES_A_PART]:
            with timer.of("words"):
                words = cut_words(batch)
            with timer.of("signatures"):
                spills.append(check.examine(batch, words).spill)
            with timer.of("SHA-256"):
                digests.append(text_digests(batch))
        parts.append(folder / f"part-{start}")
        with timer.of("parts"):
            spill = {name: np.concatenate([one[name] for one in spills]) for name in spills[0]}
            write_map_part(spill, np.concatenate(digests), parts[-1])
        firsts.append(firsts[-1] + len(spill["shingles"]))
    documents, of = firsts[-1], partitions_for(firsts[-1])
    files = [folder / f"edges-{number}" for number in range(of)]
    for number, file in enumerate(files):
        with timer.of("reduce"):
            reduce_partition(parts, firsts[:-1], number, of, file, settings.duplicates.min_similarity)
    with timer.of("join"):
        joined = join_edges(files, documents, folder / "joined")
        columns = columns_of(joined, 0, documents)
    counts = summary(joined, settings.duplicates.alarm_documents)
    print(f"compared {counts.compared} pairs, rejected {counts.rejected}, unlinked {counts.unlinked}")
    return columns


def report_recall(
    planted: Planted, near: npt.NDArray[np.uint64], exact: npt.NDArray[np.uint64]
) -> kept.Measured:
    """Print how many copies are in the cluster of their original, by true similarity; the two errors to keep."""
    found = sum(exact[one] == exact[other] for one, other in planted.exact)
    print(f"exact copies: {found} of {len(planted.exact)}")
    upper = 1.01
    for lower in BINS:
        inside = [(one, other) for one, other, truth in planted.edited if lower <= truth < upper]
        hits = sum(near[one] == near[other] for one, other in inside)
        print(f"J in [{lower}, {min(upper, 1)}): {hits} of {len(inside)}")
        upper = lower
    close = [(one, other) for one, other, truth in planted.edited if truth >= 0.8]
    hits = sum(near[one] == near[other] for one, other in close)
    families: dict[int, set[int]] = {}
    members: dict[int, int] = {}
    for cluster, family in zip(near.tolist(), planted.families.tolist(), strict=True):
        families.setdefault(cluster, set()).add(family)
        members[cluster] = members.get(cluster, 0) + 1
    clusters = [cluster for cluster, size in members.items() if size > 1]
    mixed = [cluster for cluster in clusters if len(families[cluster]) > 1]
    inside_mixed = sum(members[cluster] for cluster in mixed)
    print(f"clusters of two originals or more: {len(mixed)} ({inside_mixed} documents) of {len(clusters)}")
    sizes = f"{len(planted.texts)} documents, {sum(map(len, planted.texts)) / 1e6:.1f} MB"
    return kept.Measured(
        method=f"benchmarks.audit.measure_duplicates, seed {SEED}: copies planted in real documentation and source "
        f"({sizes}); recall by pairs, precision by clusters that hold copies of one original alone",
        exact=Error("planted exact copies", len(planted.exact), int(found), len(planted.exact), int(found)),
        near=Error(
            "planted edited copies, J >= 0.8",
            len(close),
            int(hits),
            len(clusters),
            len(clusters) - len(mixed),
        ),
    )


def main() -> None:
    """Measure, print, and keep the errors where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", type=Path, help="a Parquet file with a column `text`")
    parser.add_argument("--documents", type=int, help="use so many of its documents")
    parser.add_argument("--write", action="store_true", help="keep the errors beside the check's code")
    arguments = parser.parse_args()
    column = pq.read_table(arguments.base, columns=["text"]).column("text")
    base = [
        text.decode() if isinstance(text, bytes) else text
        for text in column.to_pylist()[: arguments.documents]
    ]
    planted = plant_copies(base)
    batches = cut_batches(planted.texts)
    megabytes = sum(len(batch.data) for batch in batches) / 1e6
    print(f"{len(planted.texts)} documents, {megabytes:.1f} MB")
    with tempfile.TemporaryDirectory() as folder:
        search(batches[:1], Path(folder, "warm"), Timer())  # compiles
        timer = Timer()
        columns = search(batches, Path(folder, "whole"), timer)
    for stage, seconds in timer.seconds.items():
        print(f"{stage:12} {1000 * seconds / megabytes:8.2f} ms/MB")
    total = sum(timer.seconds.values())
    print(f"{'all':12} {1000 * total / megabytes:8.2f} ms/MB, {megabytes / total:.0f} MB per CPU-second")
    measured = report_recall(planted, columns["duplicates_near"], columns["duplicates_exact"])
    if arguments.write:
        target = Path(kept.__file__).with_suffix(".json")
        target.write_bytes(msgspec.json.format(msgspec.json.encode(measured), indent=1) + b"\n")


if __name__ == "__main__":
    main()
