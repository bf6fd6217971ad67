"""A small invented benchmark, the check opened on it, and batches of texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from verilabel.audit.contamination.check import Contamination
from verilabel.audit.contamination.opening import OPENING
from verilabel.audit.interface import Batch, Examined
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.settings import AuditSettings, ContaminationSettings

RIVER = (
    "A ferry crosses the river Orlo 14 times on every weekday and 9 times on Sundays. Each crossing burns 6 litres of "
    "diesel, and the captain keeps a reserve of 35 litres in the hold. How many litres does the ferry burn in a week?"
)
RIVER_ANSWER = (
    "On weekdays it crosses 14 * 6 = 84 times because Saturday counts as a weekday here.\nWith Sunday that makes "
    "84 + 9 = 93 crossings.\nEach burns 6 litres so the ferry burns 93 * 6 = 558 litres in a week."
)
BAKER = (
    "Olga bakes 40 rolls before dawn and sells three quarters of them by noon at 2 crowns apiece. She gives the stale "
    "ones to her neighbour's goats. How many crowns does Olga earn before noon?"
)
SHORT = "How do I drown a rubber duck?"
TINY = "Are all frogs toads?"
CHINESE = (
    "小明在河边的集市上买了三十六个红苹果和十二个青梨，"
    "然后把其中的四分之一送给了住在隔壁的老奶奶，请问他还剩下多少个水果？"
)
CODE = '''def rotate_ledger(entries, pivot):
    """Move every entry behind the pivot to the front and keep the balance of the ledger unchanged."""
    head = [entry for entry in entries if entry.serial > pivot.serial]
    return head + [entry for entry in entries if entry.serial <= pivot.serial]
'''
ITEMS = [
    {"id": "river", "question": RIVER, "answer": RIVER_ANSWER},
    {"id": "baker", "question": BAKER, "answer": "60"},
    {"id": "duck", "question": SHORT},
    {"id": "toad", "question": TINY},
    {"id": "fruit", "question": CHINESE},
    {"id": "code", "question": CODE},
]


@dataclass(frozen=True)
class Row:
    """A row of the table, to compare with."""

    document: int
    item: str
    part: str
    rule: str
    share: int


def write_items(path: Path, items: Sequence[dict[str, Any]]) -> Path:
    """Items as a file of JSON lines."""
    path.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items), "utf-8")
    return path


def open_on(folder: Path, *paths: Path, sketch: bool = False) -> Contamination:
    """The check on files of items."""
    settings = AuditSettings(
        contamination=ContaminationSettings(benchmarks=tuple(str(path) for path in paths), sketch=sketch)
    )
    OPENING.prepare(settings, folder)
    check = OPENING.open(settings, folder)
    assert isinstance(check, Contamination)
    return check


def make_batch(texts: Sequence[str]) -> Batch:
    """Texts as a batch."""
    parts = [text.encode() for text in texts]
    offsets = np.concatenate(
        [np.zeros(1, np.int64), np.cumsum([len(part) for part in parts], dtype=np.int64)]
    )
    return Batch(np.frombuffer(b"".join(parts), np.uint8), offsets, np.arange(len(parts), dtype=np.int64))


def examine(check: Contamination, *texts: str) -> Examined:
    """What the check finds in texts."""
    batch = make_batch(texts)
    return check.examine(batch, cut_words(batch))


def rows_of(examined: Examined) -> list[Row]:
    """The rows of the table."""
    table = examined.tables["contamination"]
    columns = (table[name] for name in ("document", "item", "part", "rule", "share"))
    return [Row(int(d), i, p, r, int(s)) for d, i, p, r, s in zip(*columns, strict=True)]


class Kit:
    """The functions above, for tests."""

    items = ITEMS
    by_id: ClassVar[dict[str, str]] = {item["id"]: item["question"] for item in ITEMS}
    river_answer = RIVER_ANSWER
    row = Row
    write_items = staticmethod(write_items)
    open_on = staticmethod(open_on)
    make_batch = staticmethod(make_batch)
    examine = staticmethod(examine)
    rows_of = staticmethod(rows_of)


@pytest.fixture(scope="session")
def kit() -> Kit:
    """The functions of this file."""
    return Kit()


@pytest.fixture(scope="session")
def check(tmp_path_factory: pytest.TempPathFactory) -> Contamination:
    """The check on the small benchmark."""
    folder = tmp_path_factory.mktemp("contamination")
    return open_on(folder / "index", write_items(folder / "own.jsonl", ITEMS))


@pytest.fixture(scope="session")
def find(check: Contamination) -> Callable[..., list[Row]]:
    """Rows of the table for texts."""
    return lambda *texts: rows_of(examine(check, *texts))
