"""Whether a manifest fits together by itself: settings, cards, columns, and what there must be because of them."""

from __future__ import annotations

import re

from verilabel.audit.duplicates.clusters import columns_for
from verilabel.audit.interface import Column
from verilabel.audit.proof.layout import SKETCH
from verilabel.audit.proof.manifest import AuditManifest
from verilabel.audit.proof.records import columns_of
from verilabel.audit.settings import AuditSettings
from verilabel.errors import MalformedInput, SealError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ITEMS = Column("contamination_items", "u2", "")
MAX_COLUMNS = 1_000


def check_sound(manifest: AuditManifest) -> None:
    """Check what a manifest says against its own settings. Raises MalformedInput."""
    _check_columns(manifest)
    asked = manifest.settings
    if tuple(card.name for card in manifest.checks) != asked.checks:
        raise MalformedInput("the checks are not those of the settings", where="audit.json $.checks")
    if (manifest.duplicates is None) != ("duplicates" not in asked.checks):
        raise MalformedInput(
            "a summary of duplicates without that check, or the other way round",
            where="audit.json $.duplicates",
        )
    if manifest.duplicates is not None and (manifest.duplicates.near is not None) != asked.duplicates.near:
        raise MalformedInput(
            "near duplicates that were not looked for, or the other way round",
            where="audit.json $.duplicates.near",
        )
    benchmarks = len(asked.contamination.benchmarks) if "contamination" in asked.checks else 0
    if not bool(benchmarks) <= len(manifest.contamination) <= benchmarks:
        raise MalformedInput("not the benchmarks that were asked for", where="audit.json $.contamination")
    has_sketch = any(file.path == SKETCH for file in manifest.files)
    if has_sketch != (asked.contamination.sketch and "contamination" in asked.checks):
        raise MalformedInput(
            "a sketch that was not asked for, or none where one was", where="audit.json $.files"
        )
    is_sampled = bool(asked.sampling.documents and (asked.sampling.detectors or asked.sampling.judges))
    if (manifest.sample is not None) != is_sampled:
        raise MalformedInput(
            "a sample that was not asked for, or none where one was", where="audit.json $.sample"
        )


def _check_columns(manifest: AuditManifest) -> None:
    try:
        columns = columns_of(manifest.checks)
    except ValueError as error:
        raise MalformedInput(str(error), where="audit.json $.checks") from error
    if columns != manifest.record or len(columns) > MAX_COLUMNS:
        raise MalformedInput(
            "the columns of records are not those of the checks", where="audit.json $.record"
        )
    if not all(_is_sound(column) for column in columns):
        raise MalformedInput("a column that cannot be", where="audit.json $.record")
    types = {column.name: column.type for column in columns}
    for card in manifest.checks:
        for column in _needed_of(card.name, manifest.settings):
            if types.get(column.name) != column.type:
                raise MalformedInput(
                    f"the check {card.name} has no column {column.name}", where="audit.json $.record"
                )
    asked = {column.name for column in columns_for(manifest.settings.duplicates.near)}
    if more := sorted(name for name in types.keys() - asked if name.startswith("duplicates_")):
        raise MalformedInput(
            f"a column {more[0]} of clusters that nobody looked for", where="audit.json $.record"
        )


def _needed_of(check: str, settings: AuditSettings) -> tuple[Column, ...]:
    """Columns that verification counts with."""
    needed = {"duplicates": columns_for(settings.duplicates.near), "contamination": (_ITEMS,)}
    return needed.get(check, ())


def _is_sound(column: Column) -> bool:
    if column.name == "commitment" or _NAME.fullmatch(column.name) is None:
        return False
    return not column.values or (
        column.type in ("u1", "u2") and len(set(column.values)) == len(column.values) <= 65536
    )


def check_canaries(manifest: AuditManifest) -> None:
    """Check that canaries are of kinds that were looked for, no more than were asked for, and none twice."""
    kinds = {kind.id for card in manifest.checks for kind in card.kinds}
    seen: set[tuple[str, str]] = set()
    most = manifest.settings.canaries.per_format
    for one in manifest.canaries:
        if (
            one.kind not in kinds
            or (one.kind, one.format) in seen
            or not 0 <= one.found <= one.planted <= most
        ):
            raise SealError(
                f"canaries of {one.kind}, {one.format} that cannot be", where="audit.json $.canaries", step=8
            )
        seen.add((one.kind, one.format))
