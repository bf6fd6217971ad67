"""The stage between: copies of a shard's own documents with values planted in them are examined as the shard was.

What is found of what was planted is the recall that bounds rest on: measured in the same run, on the same texts.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from verilabel.audit.canaries.items import KIND as ITEM
from verilabel.audit.canaries.items import Item
from verilabel.audit.canaries.plan import shard_seed
from verilabel.audit.canaries.planting import plant
from verilabel.audit.canaries.recall import Recall, add_recalls, count_found
from verilabel.audit.contamination.items import load_benchmarks
from verilabel.audit.engine.interface import CanaryTask, Planted
from verilabel.audit.engine.job import CANARY_ITEMS, Opened
from verilabel.audit.engine.mapping import HOSTS, MAP
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.settings import AuditSettings
from verilabel.evidence.atomic import write_file

MAX_ITEMS = 2_000
"""Items of benchmarks that canaries are drawn from, of all benchmarks together."""


def keep_items(settings: AuditSettings, work: Path) -> None:
    """Leave items of the benchmarks for the workers, evenly over them."""
    items: list[Item] = []
    benchmarks = load_benchmarks(settings.contamination.benchmarks, settings.contamination.mirror)
    for benchmark in benchmarks if "contamination" in settings.checks else ():
        step = max(1, len(benchmark.items) * len(benchmarks) // MAX_ITEMS)
        items += [Item(" ".join(item.question), " ".join(item.answer)) for item in benchmark.items[::step]]
    write_file(work / CANARY_ITEMS, msgspec.json.encode(items), overwrite=True)


def find_canaries(opened: Opened, task: CanaryTask) -> Planted:
    """Plant a shard's share of canaries, and count what its checks find of them."""
    hosts = msgspec.msgpack.decode((opened.work / MAP / task.key / HOSTS).read_bytes(), type=list[bytes])
    items = msgspec.json.decode((opened.work / CANARY_ITEMS).read_bytes(), type=list[Item])
    kinds = {kind.id for card in opened.job.cards for kind in card.kinds}
    planted = plant(
        hosts, shard_seed(task.sha256), kinds, task.per_format, items=items if ITEM in kinds else ()
    )
    counts: list[list[Recall]] = []
    for batch in planted.batches():
        words = cut_words(batch)
        for check in opened.checks:
            if check.card.kinds:
                found = check.examine(batch, words).findings
                counts.append(
                    count_found(planted.truth, batch, found, [kind.id for kind in check.card.kinds])
                )
    return Planted(tuple(add_recalls(counts)))
