"""What the header of an Inspect log claims: metrics with their reducers, and how many samples there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from verilabel.interchange.importing.printed import print_claim
from verilabel.interchange.importing.run import (
    ClaimedCount,
    ClaimedMetric,
    Derivation,
    DerivationKind,
    ImportedRecord,
)
from verilabel.interchange.importing.source import as_count, as_dict, as_list, as_text

KINDS: dict[str, DerivationKind] = {
    "accuracy": "mean",
    "mean": "mean",
    "stderr": "stderr",
    "std": "std",
    "var": "variance",
}
"""Inspect's metrics that a plain formula makes of the samples' values (`inspect_ai.scorer`)."""
Counts = tuple[tuple[ClaimedCount, ...], tuple[str, ...], tuple[str, ...]]


def read_counts(header: Mapping[str, Any], records: Sequence[ImportedRecord]) -> Counts:
    """The claimed counts, with notes and objections on the samples that the header names."""
    results, spec = as_dict(header.get("results")), as_dict(header.get("eval"))
    dataset = as_dict(spec.get("dataset"))
    counts: list[ClaimedCount] = []
    notes: list[str] = []
    objections: list[str] = []
    if (total := as_count(results.get("total_samples"))) is not None:
        counts.append(ClaimedCount("records", total, "samples of the run, with their repetitions"))
    elif results:
        objections.append("the header does not state how many samples the run had")
    if (done := as_count(results.get("completed_samples"))) is not None:
        counts.append(ClaimedCount("finished", done, "samples that ended without an error"))
    if (size := as_count(dataset.get("samples"))) is not None:
        counts.append(ClaimedCount("dataset", size, "samples of the data set"))
    named = {as_text(item) for item in as_list(dataset.get("sample_ids"))}
    held = {record.id for record in records}
    if named and named - held:
        objections.append(f"the header names {len(named - held):,} samples that are not in the log")
    if named and held - named:
        objections.append(
            f"{len(held - named):,} samples in the log are not among those that the header names"
        )
    objections += _check_epochs(as_count(as_dict(spec.get("config")).get("epochs")), records)
    limit = as_dict(spec.get("config")).get("limit")
    if limit is not None:
        notes.append(f"the run was limited: limit {str(limit)[:40]}")
    return tuple(counts), tuple(notes), tuple(objections)


def _check_epochs(stated: int | None, records: Sequence[ImportedRecord]) -> Iterator[str]:
    """Each sample has one record for each epoch, as many as the header states: another stands in for none."""
    held: dict[str, set[int]] = {}
    for record in records:
        held.setdefault(record.id, set()).add(record.epoch)
    epochs = stated or max((record.epoch for record in records if record.epoch > 0), default=1)
    beyond = sum(record.epoch > epochs for record in records)
    if beyond:
        yield f"{beyond:,} records are of an epoch beyond the {epochs:,} that the header states"
    short = sum(len(numbers) < epochs for numbers in held.values())
    if short:
        yield f"{short:,} samples lack some of their {epochs:,} epochs"


def read_claims(
    header: Mapping[str, Any], records: Sequence[ImportedRecord]
) -> tuple[tuple[ClaimedMetric, ...], tuple[str, ...]]:
    """Every metric of the header's results, and notes."""
    results = as_dict(header.get("results"))
    total = as_count(results.get("total_samples"))
    scores = [as_dict(item) for item in as_list(results.get("scores"))]
    if not scores and "metrics" in results:  # version 1: one scorer
        name = as_text(as_dict(results.get("scorer")).get("name"))
        scores = [{"name": name, "scorer": "", "metrics": results["metrics"]}]
    reducers = [
        as_text(item)
        for item in as_list(as_dict(as_dict(header.get("eval")).get("config")).get("epochs_reducer"))
    ]
    metrics = [
        _claim(name, as_dict(metric), score, reducers, total, records)
        for score in scores
        for name, metric in as_dict(score.get("metrics")).items()
    ]
    notes = () if scores else ("the log has no scores",)
    return tuple(metric for metric in metrics if metric is not None), notes


def _claim(
    name: str,
    metric: Mapping[str, Any],
    score: Mapping[str, Any],
    reducers: Sequence[str],
    total: int | None,
    records: Sequence[ImportedRecord],
) -> ClaimedMetric | None:
    printed = print_claim(metric.get("value"))
    if printed is None:
        return None
    base = (as_text(metric.get("name")) or name).rpartition("/")[2]
    shown = name.rpartition("/")[2]
    if base not in KINDS and shown in KINDS:
        base = shown  # it is shown under this name, whatever else it is called
    params = as_dict(metric.get("params")) or as_dict(metric.get("options"))
    reducer = as_text(score.get("reducer")) or (reducers[0] if len(reducers) == 1 else "mean")
    scorer, column = as_text(score.get("scorer")), as_text(score.get("name"))
    derivation, obstacle = None, ""
    if base not in KINDS:
        obstacle = f"the metric {base!r} is not a plain formula of the samples' values"
    elif metric.get("group") or params:
        obstacle = f"the metric {base!r} is made with settings of its own"
    else:
        derivation = Derivation(KINDS[base], reducer)
    return ClaimedMetric(
        name=name,
        printed=printed,
        key=_key_of(scorer, column, records),
        detail=column if reducer == "mean" else f"{column} {reducer}",
        derivation=derivation,
        obstacle=obstacle,
        of=total,
    )


def _key_of(scorer: str, column: str, records: Sequence[ImportedRecord]) -> str:
    """The records' score that a result is about: a scorer's value, or one key of a scorer's mapping."""
    for record in records:
        if not record.scores:
            continue
        for key in (f"{scorer}/{column}", column, scorer, ""):
            if key in record.scores:
                return key
    return column
