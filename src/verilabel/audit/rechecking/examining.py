"""Checks run again on single documents, and what they find held against what is recorded.

Every check is a pure function of a document's text and of what its source says of it, so that one document alone gives
what it gave among millions. Clusters of duplicates are a property of the whole corpus and are not compared here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from verilabel.audit.contamination.rules import SKETCH_TABLE
from verilabel.audit.engine.checks import open_checks, prepare_checks
from verilabel.audit.interface import Batch, Check, CheckCard, Examined, Findings
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.proof.commitments import Marker, Secret
from verilabel.audit.proof.manifest import AuditManifest
from verilabel.audit.proof.records import COMMITMENT, column_of_kind
from verilabel.audit.proof.tables import TEXT
from verilabel.audit.rechecking.recorded import Recorded, ShardRecorded
from verilabel.audit.settings import AuditSettings
from verilabel.errors import UsageError, VerilabelError

MAX_COUNT = 65535
OF_THE_CORPUS = "duplicates"
"""The check that says nothing of one document alone."""


@dataclass(frozen=True)
class Failure:
    """A document that is not what is recorded."""

    where: str
    shard: int
    row: int
    what: tuple[str, ...]


@dataclass(frozen=True)
class _Ours:
    """A check of the audit that is here as it was there."""

    check: Check
    first_kind: int


class Examiner:
    """The checks of an audit, as far as this installation has the very same ones."""

    def __init__(
        self, manifest: AuditManifest, folder: Path, benches: Sequence[str], mirror: str | None
    ) -> None:
        self.not_compared: dict[str, str] = {}
        """Checks that cannot be run again here, and why."""
        self._ours: list[_Ours] = []
        first = 0
        settings = _settings_here(manifest.settings, benches, mirror)
        for card in manifest.checks:
            if card.name != OF_THE_CORPUS:
                self._open(card, first, msgspec.structs.replace(settings, checks=(card.name,)), folder)
            first += len(card.kinds)

    def _open(self, card: CheckCard, first: int, settings: AuditSettings, folder: Path) -> None:
        try:
            prepare_checks(settings, folder)
            (check,) = open_checks(settings, folder)
        except VerilabelError as error:
            hint = "" if error.hint is None else f"; {error.hint}"
            self.not_compared[card.name] = error.message + hint
            return
        if check.card == card:
            self._ours.append(_Ours(check, first))
        else:
            self.not_compared[card.name] = "the check that is installed here is another, or has other data"

    @property
    def compared(self) -> tuple[str, ...]:
        """The checks that are run again."""
        return tuple(ours.check.card.name for ours in self._ours)

    def compare(
        self, shard: ShardRecorded, document: Recorded, batch: Batch, secret: Secret | None
    ) -> Failure | None:
        """Hold a batch of one document against what is recorded of it."""
        words = cut_words(batch)
        record = document.record
        wrong = []
        if (len(batch.data), len(words.hashes)) != (int(record["bytes"]), int(record["words"])):
            wrong.append("length of the text")
        if secret is not None:
            text = np.frombuffer(hashlib.sha256(batch.text(0)).digest(), np.uint8).reshape(1, 32)
            made = secret.salter(document.line.sha256).commit(batch.rows, text)
            if made.tobytes() != record[COMMITMENT].tobytes():
                wrong.append("commitment")
        marker = None if secret is None else secret.marker()
        for ours in self._ours:
            wrong += _differences(ours, shard, document, batch, ours.check.examine(batch, words), marker)
        return Failure(document.where, document.choice.shard, document.row, tuple(wrong)) if wrong else None


def _settings_here(settings: AuditSettings, benches: Sequence[str], mirror: str | None) -> AuditSettings:
    """The audit's settings, with its benchmarks' files where they lie here."""
    here = {Path(name).name: name for name in benches}
    asked = settings.contamination
    if strange := set(here) - {Path(name).name for name in asked.benchmarks}:
        raise UsageError(
            f"the audit did not look for {min(strange)[:200]!r}",
            where="--bench",
            hint=f"it looked for {', '.join(asked.benchmarks) or 'none'}"[:400],
        )
    named = tuple(here.get(Path(name).name, name) for name in asked.benchmarks)
    return msgspec.structs.replace(
        settings, contamination=msgspec.structs.replace(asked, benchmarks=named, mirror=mirror)
    )


def _differences(
    ours: _Ours, shard: ShardRecorded, document: Recorded, batch: Batch, seen: Examined, marker: Marker | None
) -> Iterator[str]:
    card, record = ours.check.card, document.record
    for name, values in seen.columns.items():
        if values[0] != record[name]:
            yield name
    kinds = [kind.id for kind in card.kinds]
    found = sorted(_found_here(batch, seen.findings, kinds, marker))
    for place, kind in enumerate(kinds):
        count = sum(one[0] == place for one in found)
        if min(count, MAX_COUNT) != int(record[column_of_kind(kind)]):
            yield column_of_kind(kind)
    if found != sorted(_found_there(document, ours.first_kind, len(kinds), marker)):
        yield f"findings of {card.name}"
    for name, columns in seen.tables.items():
        if "document" in columns and name != SKETCH_TABLE:
            form = {"row": "u8"} | {key: _form(value) for key, value in columns.items() if key != "document"}
            if _rows_here(columns) != shard.rows_of(name, form, document.row):
                yield f"table of {name}"


def _found_here(
    batch: Batch, findings: Findings | None, kinds: Sequence[str], marker: Marker | None
) -> Iterator[tuple[int, int, int, bytes]]:
    if findings is None:
        return
    columns = (findings.kind.tolist(), findings.start.tolist(), findings.end.tolist())
    for kind, start, end in zip(*columns, strict=True):
        mark = b"" if marker is None else marker.mark(kinds[kind], batch.data[start:end].tobytes())
        yield kind, start, end - start, mark


def _found_there(
    document: Recorded, first: int, kinds: int, marker: Marker | None
) -> Iterator[tuple[int, int, int, bytes]]:
    for one in document.found:
        if first <= int(one["kind"]) < first + kinds:
            mark = b"" if marker is None else one["mark"].tobytes()
            yield int(one["kind"]) - first, int(one["start"]), int(one["length"]), mark


def _form(values: Any) -> str:
    return str(values.dtype.str).lstrip("<>|=") if isinstance(values, np.ndarray) else TEXT


def _rows_here(columns: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    names = [name for name in columns if name != "document"]
    values = [
        columns[name].tolist() if isinstance(columns[name], np.ndarray) else columns[name] for name in names
    ]
    return sorted(zip(*values, strict=True))
