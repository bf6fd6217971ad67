"""Looking for benchmarks in a sketch of a corpus, with the errors that this has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from verilabel.audit.contamination.cutting import cut_items
from verilabel.audit.contamination.index import find_telling
from verilabel.audit.contamination.items import Benchmark, load_benchmarks
from verilabel.audit.contamination.rules import LONG_WORDS
from verilabel.audit.contamination.sketch import Sketch, read_sketch
from verilabel.audit.contamination.winnowing import WINDOW
from verilabel.audit.kernels.ngrams import hash_ngrams


class SketchMatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An item of which a sketch holds fingerprints."""

    item: str
    found: int
    asked: int
    """Different n-grams of 13 words that tell of the item."""


class SketchResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a sketch says of a benchmark."""

    benchmark: str
    sha256: str
    sketch: str
    documents: int
    words: int
    """Of the corpus, as the sketch says."""
    items: int
    untestable: int
    """Items without 13 words in a row that tell of them."""
    certain: int
    """Items with 28 such words in a row: where they stand in the corpus unchanged, they are among the matches."""
    matches: tuple[SketchMatch, ...]
    false_positive_rate: str
    """Of one n-gram, as a decimal."""
    expected_false: str
    """How many items would be among the matches by chance if the corpus held none, as a decimal."""


def query_benchmark(sketch: Sketch, benchmark: Benchmark) -> SketchResult:
    """Look for a benchmark's items. An item matches where one of its n-grams of 13 words is in the sketch.

    Not found are items of fewer words, short questions, and paraphrases; of items between 13 and 28 words, some.
    """
    cut = cut_items([benchmark])
    telling = find_telling(cut, [benchmark])
    hashed = hash_ngrams(cut.hashes, LONG_WORDS)
    places = np.flatnonzero(telling[: len(hashed)])
    item = cut.segments.track_item[cut.segments.track[cut.word_segment[places]]].astype(np.int64)
    asked = np.unique(np.stack([item.astype(np.uint64), hashed[places]]), axis=1)
    owner = asked[0].astype(np.int64)
    total = len(benchmark.items)
    asked_of = np.bincount(owner, minlength=total)
    found_of = np.bincount(owner[sketch.holds(asked[1])], minlength=total)
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(telling > 0)])
    full = np.flatnonzero(before[WINDOW:] - before[:-WINDOW] == WINDOW)
    certain = np.unique(cut.segments.track_item[cut.segments.track[cut.word_segment[full]]])
    rate = sketch.false_positive_rate
    return SketchResult(
        benchmark=benchmark.name,
        sha256=benchmark.sha256,
        sketch=sketch.sha256,
        documents=sketch.documents,
        words=sketch.words,
        items=total,
        untestable=int((asked_of == 0).sum()),
        certain=len(certain),
        matches=tuple(
            SketchMatch(benchmark.items[number].id, int(found_of[number]), int(asked_of[number]))
            for number in np.flatnonzero(found_of).tolist()
        ),
        false_positive_rate=f"{rate:.3g}",
        expected_false=f"{float((1 - (1 - rate) ** asked_of).sum()):.3g}",
    )


def query_file(path: Path, references: Sequence[str], mirror: str | None = None) -> list[SketchResult]:
    """Look for benchmarks, by name or file, in a sketch's file. Raises what reading either raises."""
    sketch = read_sketch(path)
    return [query_benchmark(sketch, benchmark) for benchmark in load_benchmarks(references, mirror)]
