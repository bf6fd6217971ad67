"""Small corpora for tests of audits: invented texts, the same every time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_WORDS = (  # noqa: SIM905 - a list a person can read
    "river stone lantern harbour window garden winter summer copper silver engine paper letter journey mountain"
    " valley bridge market kitchen signal mirror forest island thunder candle meadow orchard station compass anchor"
    " quietly slowly seldom often never always carries follows remembers measures builds opens closes repairs paints"
    " the a every some many few between under over beside without against towards because although while until"
).split()


def some_text(seed: int, words: int = 220) -> str:
    """A text of so many words in sentences; another seed, another text."""
    rng = random.Random(seed)
    text = [rng.choice(_WORDS) for _ in range(words)]
    for place in range(0, words, 11):
        text[place] = text[place].capitalize()
        text[place - 1] += "."
    return " ".join(text)


def write_corpus(folder: Path, *, files: int = 4, documents: int = 60, extra: Sequence[str] = ()) -> Path:
    """Parquet files of texts with urls; every tenth document is a copy of one in the file before it.

    `extra` texts are spread over the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in range(files):
        seeds = [1000 * file + document for document in range(documents)]
        seeds[::10] = [1000 * max(file - 1, 0) + document + 1 for document in range(0, documents, 10)]
        texts = [some_text(seed) for seed in seeds] + list(extra[file::files])
        urls = [f"https://site{seed % 7}.example.org/{seed}" for seed in range(len(texts))]
        table = pa.table({"text": texts, "url": urls})
        pq.write_table(table, folder / f"part-{file:03d}.parquet", compression="zstd")
    return folder
