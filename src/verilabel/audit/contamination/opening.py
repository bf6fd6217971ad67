"""How the check for benchmarks comes into being."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import msgspec

from verilabel.audit.contamination.check import Contamination
from verilabel.audit.contamination.index import FUNCTION_WORDS, NOTICES, build_index
from verilabel.audit.contamination.items import BenchmarkEntry, load_benchmarks
from verilabel.audit.contamination.rules import (
    DISTINCT_WORDS,
    FEWEST_CONTENT,
    FEWEST_MIDDLE,
    GAP_FACTOR,
    GAP_WORDS,
    MAX_PER_DOCUMENT,
)
from verilabel.audit.contamination.storing import keep_index, map_index
from verilabel.audit.contamination.winnowing import WINDOW
from verilabel.audit.interface import Check, CheckCard, Column, Error, Kind
from verilabel.audit.settings import AuditSettings
from verilabel.records.canonical import digest, jcs

VERSION = "1"
MEASURED = "data/measured.json"
COLUMNS = (
    Column("contamination_items", "u2", "items of benchmarks that stand in the document"),
    Column("contamination_words", "u4", "words of the document that are items' words"),
)
_LIMITS = (
    "Items of fewer than 5 words, or whose words are those of more items than 3, or 1 in 100, are not found, nor are "
    "translations, paraphrases in other words or another order, and letters beyond ASCII in another case; short "
    "questions are found as common phrases too; of one document at most 65,535 rows and stretches are kept."
)


class ContaminationOpening:
    """Builds the index of the benchmarks that were asked for, and opens the check on it."""

    def prepare(self, settings: AuditSettings, folder: Path) -> None:
        """Load the benchmarks, without the network, and write their index.

        Raises UsageError for a benchmark that is not there, and what loading it raises.
        """
        asked = settings.contamination
        keep_index(build_index(load_benchmarks(asked.benchmarks, asked.mirror)), asked, folder)

    def open(self, settings: AuditSettings, folder: Path) -> Check:
        """The check on the index that was prepared.

        Raises UsageError where none was, SealError where it was changed.
        """
        sha256, index = map_index(settings.contamination, folder)
        sketch = settings.contamination.sketch
        return Contamination(_card(index.entries, sha256, sketch=sketch), index, sketch=sketch)


OPENING = ContaminationOpening()


def read_entries(settings: AuditSettings, folder: Path) -> tuple[BenchmarkEntry, ...]:
    """The benchmarks of the index that was prepared, for the audit's manifest."""
    return map_index(settings.contamination, folder)[1].entries


def read_ids(settings: AuditSettings, folder: Path) -> dict[str, tuple[str, ...]]:
    """The ids of all items of every benchmark of the index that was prepared."""
    index = map_index(settings.contamination, folder)[1]
    return {entry.name: ids for entry, ids in zip(index.entries, index.ids, strict=True)}


def measured_errors() -> tuple[Error, ...]:
    """What `benchmarks/audit/measure_contamination.py` measured and kept."""
    content = resources.files(__package__).joinpath(MEASURED).read_text("utf-8")
    return tuple(msgspec.convert(row, Error) for row in json.loads(content)["errors"])


def _card(entries: tuple[BenchmarkEntry, ...], index: str, *, sketch: bool) -> CheckCard:
    here = resources.files(__package__)
    data = {
        "index": index,
        "notices": digest(here.joinpath(NOTICES).read_bytes()),
        "function_words": digest(here.joinpath(FUNCTION_WORDS).read_bytes()),
        "rules": [FEWEST_MIDDLE, FEWEST_CONTENT, DISTINCT_WORDS, GAP_FACTOR, GAP_WORDS, MAX_PER_DOCUMENT],
        "sketch": WINDOW if sketch else 0,
    }
    return CheckCard(
        name="contamination",
        version=VERSION,
        data_sha256=digest(jcs(data)),
        words=f"Items of {_listed(entries)}, "
        "by 13 words in a row, 8 words three times or 5 words of content four times in order, or a whole question.",
        limits=_LIMITS,
        kinds=(
            Kind(
                "contamination.item",
                "words of a benchmark's item, one stretch after another",
                measured_errors(),
            ),
        ),
        columns=COLUMNS,
    )


def _listed(entries: tuple[BenchmarkEntry, ...]) -> str:
    if not entries:
        return "no benchmark (none was named)"
    return ", ".join(
        f"{entry.name} ({entry.items} items, {entry.unchecked} not checkable, {entry.short} short; {entry.sha256})"
        for entry in entries
    )
