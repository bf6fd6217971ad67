"""Run folders of HELM: run_spec.json, stats.json, per_instance_stats.json and, where kept, scenario_state.json.

HELM merges an instance's statistics over each trial and takes the mean over trials; a perturbed metric `computed_on`
worst is the original's where no instance was perturbed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from verilabel.errors import MalformedInput, UsageError
from verilabel.interchange.importing.printed import print_claim, score_of
from verilabel.interchange.importing.run import (
    ClaimedCount,
    ClaimedMetric,
    Derivation,
    ImportedRecord,
    ImportedRun,
    RecordedScore,
)
from verilabel.interchange.importing.source import (
    Source,
    add_param,
    array_parts,
    as_count,
    as_dict,
    as_list,
    as_text,
    object_parts,
    parse_document,
    parse_object,
    read_source,
)
from verilabel.records.canonical import digest

RUN_SPEC, STATS, PER_INSTANCE = "run_spec.json", "stats.json", "per_instance_stats.json"
STATE, REQUESTS, PREDICTIONS = "scenario_state.json", "display_requests.json", "display_predictions.json"
PARAMS = ("temperature", "max_tokens", "top_p", "num_outputs", "max_train_instances")
OF_TOTALS = frozenset({"perplexity", "bits_per_byte", "logprob_per_byte"})
"""Metrics that HELM makes from sums over the run."""
BOOKKEEPING = (
    "num_",
    "batch_size",
    "inference_",
    "training_",
    "finish_reason_",
    "prompt_truncated",
    "logprob",
    "max_prob",
)
"""Statistics that say nothing of how good the answers were."""
EXACT_METRICS = frozenset({"exact_match", "quasi_exact_match", "exact_match_indicator", "prefix_exact_match"})
Exchange = tuple[str, str | None, str, str, str | None]
"""Prompt, answer, how it ended, the response as logged, and the error."""


def read_helm(path: Path) -> ImportedRun:
    """Read a run folder, or the one that a file lies in. Raises UsageError, MalformedInput, LimitExceeded."""
    folder = path if path.is_dir() else path.parent
    sources = {
        name: read_source(folder / name)
        for name in (RUN_SPEC, STATS, PER_INSTANCE, STATE, REQUESTS, PREDICTIONS)
        if (folder / name).is_file()
    }
    for name in (RUN_SPEC, STATS):
        if name not in sources:
            raise UsageError(f"a HELM run folder has {name}", where=str(folder))
    spec = parse_object(sources[RUN_SPEC].data, sources[RUN_SPEC].where)
    stats = parse_document(sources[STATS].data, sources[STATS].where)
    if not isinstance(stats, list):
        raise MalformedInput("the statistics are a list", where=sources[STATS].where)
    exchanges, state_files = _read_exchanges(sources)
    records = _read_records(sources[PER_INSTANCE], exchanges) if PER_INSTANCE in sources else ()
    adapter = as_dict(spec.get("adapter_spec"))
    params: dict[str, str | int | bool] = {}
    for name in PARAMS:
        add_param(params, name, adapter.get(name))
    used = (RUN_SPEC, STATS, PER_INSTANCE, *state_files)
    files = tuple(sources[name].file for name in used if name in sources)
    metrics, counts = _read_claims([as_dict(stat) for stat in stats], records)
    return ImportedRun(
        tool="helm",
        files=files,
        task=as_text(spec.get("name")),
        model=as_text(adapter.get("model_deployment")) or as_text(adapter.get("model")),
        dataset=as_text(as_dict(spec.get("scenario_spec")).get("class_name")).rpartition(".")[2],
        params=params,
        metrics=metrics,
        counts=counts,
        records=records,
        notes=_notes(adapter, sources),
        exact_scorers=EXACT_METRICS,
    )


def _notes(adapter: Mapping[str, Any], sources: Mapping[str, Source]) -> tuple[str, ...]:
    notes = ["HELM does not log its version"]
    if (most := as_count(adapter.get("max_eval_instances"))) is not None:
        notes.append(f"at most {most:,} instances were drawn; how many the scenario has is not logged")
    if PER_INSTANCE not in sources:
        notes.append(f"there is no {PER_INSTANCE}")
    return tuple(notes)


# -- claims ------------------------------------------------------------------------------------------------------


def _read_claims(
    stats: list[dict[str, Any]], records: tuple[ImportedRecord, ...]
) -> tuple[tuple[ClaimedMetric, ...], tuple[ClaimedCount, ...]]:
    metrics: list[ClaimedMetric] = []
    counts: list[ClaimedCount] = []
    is_perturbed = any("~" in record.id for record in records)
    trials = max((record.epoch for record in records), default=1)
    sizes = {
        as_text(as_dict(stat.get("name")).get("split")): as_count(stat.get("mean"))
        for stat in stats
        if _is_plain_count(as_dict(stat.get("name")))
    }
    for split, size in sizes.items():
        if size is not None and split:
            counts.append(ClaimedCount("items", size, f"instances of split {split}", split))
    for stat in stats:
        name = as_dict(stat.get("name"))
        printed = print_claim(stat.get("mean"))
        if _is_plain_count(name) or printed is None:
            continue
        size = sizes.get(as_text(name.get("split")))
        of = None if size is None else size * trials
        metrics.append(_claim(name, printed, is_perturbed, of))
    return tuple(metrics), tuple(counts)


def _is_plain_count(name: Mapping[str, Any]) -> bool:
    return name.get("name") == "num_instances" and not name.get("perturbation")


def _claim(name: Mapping[str, Any], printed: str, is_perturbed: bool, of: int | None) -> ClaimedMetric:
    metric, split = as_text(name.get("name")), as_text(name.get("split"))
    perturbation = as_dict(name.get("perturbation"))
    detail = as_text(name.get("sub_split"))
    derivation: Derivation | None = Derivation("mean_of_trials", "none")
    obstacle = ""
    if perturbation:
        detail = (
            f"{detail} {as_text(perturbation.get('name'))} {as_text(perturbation.get('computed_on'))}".strip()
        )
        if is_perturbed or perturbation.get("computed_on") != "worst":
            derivation, obstacle = None, "made over perturbed instances"
    if metric in OF_TOTALS:
        derivation, obstacle = None, "made from sums over the run, not a mean of the instances"
    elif not split:
        derivation, obstacle = None, "a number of the whole run, which no instance holds"
    return ClaimedMetric(
        name=metric,
        printed=printed,
        key="|".join(part for part in (metric, as_text(name.get("sub_split"))) if part),
        group=split or None,
        detail=detail,
        derivation=derivation,
        obstacle=obstacle,
        of=of,
        absent_is_missing=False,
        is_headline=not metric.startswith(BOOKKEEPING),
    )


# -- records -----------------------------------------------------------------------------------------------------


def _read_records(
    source: Source, exchanges: Mapping[tuple[str, int], Exchange]
) -> tuple[ImportedRecord, ...]:
    """One record an instance and trial. HELM lists an instance once for each group of metrics; they are joined."""
    raws: dict[tuple[str, int], list[bytes]] = {}
    scores: dict[tuple[str, int], dict[str, RecordedScore]] = {}
    splits: dict[tuple[str, int], str] = {}
    for index, raw in enumerate(array_parts(source.data, source.where)):
        where = f"{source.where} $[{index}]"
        item = parse_object(raw, where)
        key = (_instance_id(item), as_count(item.get("train_trial_index")) or 0)
        raws.setdefault(key, []).append(raw)
        held = scores.setdefault(key, {})
        for stat in map(as_dict, as_list(item.get("stats"))):
            name = as_dict(stat.get("name"))
            splits.setdefault(key, as_text(name.get("split")))
            if name.get("perturbation") and not item.get("perturbation"):
                continue
            if as_count(stat.get("count")) == 0:
                continue
            label = "|".join(
                part for part in (as_text(name.get("name")), as_text(name.get("sub_split"))) if part
            )
            if label in held:
                raise MalformedInput(f"instance {key[0]!r} has {label!r} twice in one trial", where=where)
            held[label] = score_of(_value_of(stat))
    return tuple(
        _record(key, raws[key], scores[key], splits.get(key, ""), exchanges.get(key)) for key in raws
    )


def _value_of(stat: Mapping[str, Any]) -> Any:
    mean = stat.get("mean")
    return mean if mean is not None or as_count(stat.get("count")) != 1 else stat.get("sum")


def _instance_id(item: Mapping[str, Any]) -> str:
    """An instance's id; a perturbed copy of it is another record of the same instance."""
    perturbation = as_dict(item.get("perturbation"))
    name = as_text(item.get("instance_id"))
    return f"{name}~{as_text(perturbation.get('name'))}" if perturbation else name


def _record(
    key: tuple[str, int],
    raws: list[bytes],
    scores: dict[str, RecordedScore],
    split: str,
    exchange: Exchange | None,
) -> ImportedRecord:
    prompt, output, finish, response, error = exchange or ("", None, "", "", None)
    return ImportedRecord(
        id=key[0],
        epoch=key[1] + 1,
        sha256=digest(b"\n".join([*raws, response.encode()]) if response else b"\n".join(raws)),
        group="~".join([split, *key[0].split("~")[1:]]),  # perturbed copies are no instances of the split
        messages=(("user", prompt),) if prompt else (),
        output=output,
        finish=finish or None,
        error=error,
        scores=scores,
        response=response,
    )


def _read_exchanges(sources: Mapping[str, Source]) -> tuple[dict[tuple[str, int], Exchange], tuple[str, ...]]:
    """Prompts and answers of each instance and trial, and the files they are from."""
    if STATE in sources:
        return _from_state(sources[STATE]), (STATE,)
    if REQUESTS in sources and PREDICTIONS in sources:
        return _from_display(sources[REQUESTS], sources[PREDICTIONS]), (REQUESTS, PREDICTIONS)
    return {}, ()


def _from_state(source: Source) -> dict[tuple[str, int], Exchange]:
    parts = object_parts(source.data, source.where)
    exchanges: dict[tuple[str, int], Exchange] = {}
    for index, raw in enumerate(array_parts(parts.get("request_states", b"[]"), source.where)):
        where = f"{source.where} $.request_states[{index}]"
        state = parse_object(raw, where)
        instance, result = as_dict(state.get("instance")), as_dict(state.get("result"))
        completions = as_list(result.get("completions"))
        first = as_dict(completions[0]) if completions else {}
        finish = as_text(as_dict(first.get("finish_reason")).get("reason"))
        error = (
            None if result.get("success", True) else (as_text(result.get("error")) or "the request failed")
        )
        answer = first.get("text") if isinstance(first.get("text"), str) and not error else None
        identity = {"instance_id": instance.get("id"), "perturbation": instance.get("perturbation")}
        trial = as_count(state.get("train_trial_index")) or 0
        prompt = as_text(as_dict(state.get("request")).get("prompt"))
        # several requests of one instance (options scored apart) are no single exchange
        key = (_instance_id(identity), trial)
        response = bytes(object_parts(raw, where).get("result", b"")).decode("utf-8", "replace")
        exchanges[key] = (
            ("", None, "", "", None) if key in exchanges else (prompt, answer, finish, response, error)
        )
    return exchanges


def _from_display(requests: Source, predictions: Source) -> dict[tuple[str, int], Exchange]:
    def index_by_key(source: Source) -> dict[tuple[str, int], dict[str, Any]]:
        items = [parse_object(raw, source.where) for raw in array_parts(source.data, source.where)]
        return {(_instance_id(item), as_count(item.get("train_trial_index")) or 0): item for item in items}

    asked, given = index_by_key(requests), index_by_key(predictions)
    exchanges: dict[tuple[str, int], Exchange] = {}
    for key, item in given.items():
        prompt = as_text(as_dict(asked.get(key, {}).get("request")).get("prompt"))
        text = item.get("predicted_text")
        answer = text if isinstance(text, str) else None
        exchanges[key] = (prompt, answer, "", json.dumps({"predicted_text": text}, ensure_ascii=False), None)
    return exchanges
