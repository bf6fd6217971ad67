"""Results of the LM Evaluation Harness: a results JSON with its samples files, and the old form without samples.

A samples file belongs to a results file of the same date in its name. A document that several filters were applied to
has one line each; together they are one record.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    SourceFile,
)
from verilabel.interchange.importing.source import (
    Source,
    add_param,
    as_count,
    as_dict,
    as_list,
    as_text,
    parse_object,
    plain_json,
    read_source,
    split_lines,
)
from verilabel.records.canonical import digest, jcs

_RESULTS = re.compile(r"results(?:_(?P<date>.+))?\.json")
_SAMPLES = re.compile(r"samples_(?P<task>.+?)(?:_(?P<date>\d{4}-\d\d-\d\dT.+))?\.jsonl")
EXACT_METRICS = ("acc", "acc_norm", "exact_match")
SIZE = "sample_len"
"""What newer results call the number of documents, beside the metrics."""


def read_lm_eval(path: Path) -> ImportedRun:
    """Read a results file, a samples file or the folder they lie in.

    Raises UsageError where a folder holds none or several runs, MalformedInput for files that are not of this form.
    """
    results, samples = _find_files(path)
    if results is None:
        raise UsageError(
            "there is no results file beside the samples",
            where=str(path),
            hint="without it nothing is claimed; or read the samples alone: --format table",
        )
    source = read_source(results)
    document = parse_object(source.data, source.where)
    if "results" not in document:
        raise MalformedInput("the file has no 'results'", where=source.where)
    records: list[ImportedRecord] = []
    files = [source.file]
    for task, file in samples.items():
        read, lines = _read_samples(read_source(file), task)
        files.append(read)
        records += lines
    return _build(document, tuple(files), tuple(records))


def _find_files(path: Path) -> tuple[Path | None, dict[str, Path]]:
    folder = path if path.is_dir() else path.parent
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if _RESULTS.fullmatch(p.name))
        if len(found) > 1:
            raise UsageError(
                f"the folder holds {len(found)} results files",
                where=str(path),
                hint=f"name one: {found[-1].name}",
            )
        results = found[0] if found else None
    else:
        results = _results_beside(path) if _SAMPLES.fullmatch(path.name) else path
    named = _RESULTS.fullmatch(results.name) if results is not None else None
    date = named["date"] if named else None
    samples: dict[str, Path] = {}
    for candidate in sorted(folder.iterdir()) if folder.is_dir() and named else []:
        matched = _SAMPLES.fullmatch(candidate.name)
        if matched and matched["date"] == date:
            samples[matched["task"]] = candidate
    return results, samples


def _results_beside(path: Path) -> Path | None:
    matched = _SAMPLES.fullmatch(path.name)
    assert matched is not None, "the caller looked"
    beside = path.with_name(f"results_{matched['date']}.json" if matched["date"] else "results.json")
    return beside if beside.is_file() else None


def _build(
    document: Mapping[str, Any],
    files: tuple[SourceFile, ...],
    records: tuple[ImportedRecord, ...],
) -> ImportedRun:
    results = as_dict(document["results"])
    config = as_dict(document.get("config"))
    is_old = not any("," in key for values in results.values() for key in as_dict(values))
    sizes = as_dict(document.get("n-samples"))
    counts: list[ClaimedCount] = []
    for task, size in sizes.items():
        if (asked := as_count(as_dict(size).get("effective"))) is not None:
            counts.append(ClaimedCount("records", asked, f"documents of {task} that were asked", task))
        if (whole := as_count(as_dict(size).get("original"))) is not None:
            counts.append(ClaimedCount("dataset", whole, f"documents of {task}", task))
    for task, values in results.items():
        if task not in sizes and (asked := as_count(as_dict(values).get(SIZE))) is not None:
            counts.append(ClaimedCount("records", asked, f"documents of {task} that were asked", task))
    params: dict[str, str | int | bool] = {}
    for name, value in {**_generation(document, results), **as_dict(config.get("gen_kwargs"))}.items():
        add_param(params, name, value)
    add_param(params, "num_fewshot", config.get("num_fewshot"))
    claims = tuple(claim for task in results for claim in _claims(task, document, is_old, records))
    system = document.get("system_instruction")
    return ImportedRun(
        tool="lm-eval",
        tool_version=as_text(document.get("lm_eval_version")) or as_text(document.get("git_hash")),
        format_version="2022, headlines alone" if is_old else "metric,filter",
        files=files,
        task=", ".join(sorted(results)[:4]) + (f" and {len(results) - 4} more" if len(results) > 4 else ""),
        model=as_text(document.get("model_name"))
        or as_text(config.get("model_args"))
        or as_text(config.get("model")),
        created=as_text(document.get("date")),
        params=params,
        system_prompt=system if isinstance(system, str) and system else None,
        metrics=claims,
        counts=tuple(counts),
        records=records,
        exact_scorers=frozenset(
            key for record in records for key in record.scores if key.partition(",")[0] in EXACT_METRICS
        ),
        notes=_notes(is_old, records, counts),
    )


def _notes(
    is_old: bool, records: Sequence[ImportedRecord], counts: Sequence[ClaimedCount]
) -> tuple[str, ...]:
    if is_old and not records:
        return ("the old form of results holds no samples",)
    return () if counts else ("the results do not state how many documents were asked",)


def _generation(document: Mapping[str, Any], tasks: Mapping[str, Any]) -> dict[str, Any]:
    """Generation settings that all tasks share."""
    configs = [as_dict(as_dict(document.get("configs")).get(task)) for task in tasks]
    found = [
        as_dict(config.get("generation_kwargs")) for config in configs if config.get("generation_kwargs")
    ]
    shared = dict(found[0]) if found else {}
    for other in found[1:]:
        shared = {key: value for key, value in shared.items() if other.get(key) == value}
    return {{"max_gen_toks": "max_tokens"}.get(key, key): value for key, value in shared.items()}


def _claims(
    task: str, document: Mapping[str, Any], is_old: bool, records: Sequence[ImportedRecord]
) -> list[ClaimedMetric]:
    values = as_dict(as_dict(document["results"])[task])
    config = as_dict(as_dict(document.get("configs")).get(task))
    subtasks = as_list(as_dict(document.get("group_subtasks")).get(task))
    of = as_count(as_dict(as_dict(document.get("n-samples")).get(task)).get("effective"))
    claims = []
    for key, value in values.items():
        printed = print_claim(value)
        if key.partition(",")[0] == SIZE or printed is None:
            continue
        name, _, filter_name = key.partition(",")
        derivation, obstacle = _derivation(name, config, subtasks, is_old)
        claims.append(
            ClaimedMetric(
                name=name,
                printed=printed,
                key=f"{name.replace('_stderr', '')},{filter_name}",
                group=task,
                detail=filter_name if filter_name != "none" else "",
                derivation=derivation,
                obstacle=obstacle or ("no samples are in the log" if not records else ""),
                of=of,
            )
        )
    return claims


def _derivation(
    name: str, config: Mapping[str, Any], subtasks: Sequence[Any], is_old: bool
) -> tuple[Derivation | None, str]:
    """How the harness makes a metric: the mean of the documents, and sqrt(variance / n) (`lm_eval.api.metrics`)."""
    if is_old:
        return None, "no samples are in the log"
    if subtasks:
        return None, f"an aggregate over {len(subtasks)} subtasks"
    metric = name.removesuffix("_stderr")
    listed = [as_dict(item) for item in as_list(config.get("metric_list"))]
    declared = next((item for item in listed if item.get("metric") == metric), None)
    aggregation = as_text(declared.get("aggregation")) if declared else ""
    if aggregation not in ("", "mean", "nanmean"):
        return None, f"aggregated by {aggregation!r}, which is not a mean"
    # tasks of Python code do not say how they aggregate; the harness itself aggregates these by their mean
    assumed = not aggregation and metric not in EXACT_METRICS
    return Derivation("stderr" if name.endswith("_stderr") else "mean", "mean", assumed=assumed), ""


# -- samples -----------------------------------------------------------------------------------------------------


@dataclass
class _Document:
    """The lines of one document of a task."""

    lines: list[bytes] = field(default_factory=list)
    records: list[ImportedRecord] = field(default_factory=list)


def _read_samples(source: Source, task: str) -> tuple[SourceFile, list[ImportedRecord]]:
    documents: dict[tuple[str, int], _Document] = {}
    times: Counter[tuple[str, str]] = Counter()
    for where, line in split_lines(source):
        sample = parse_object(line, where)
        if "doc_id" not in sample:
            raise MalformedInput("a samples line has no 'doc_id'", where=where)
        name, filter_name = as_text(sample["doc_id"]), as_text(sample.get("filter")) or "none"
        # the same document under the same filter again is a second record, which the judgement will see
        times[name, filter_name] += 1
        document = documents.setdefault((name, times[name, filter_name]), _Document())
        document.lines.append(line)
        document.records.append(_record(name, task, sample, filter_name))
    records = []
    for document in documents.values():
        scores = {key: score for record in document.records for key, score in record.scores.items()}
        records.append(replace(document.records[0], scores=scores, sha256=digest(b"\n".join(document.lines))))
    return source.file, records


def _record(name: str, task: str, sample: Mapping[str, Any], filter_name: str) -> ImportedRecord:
    metrics = [as_text(item) for item in as_list(sample.get("metrics"))]
    scores: dict[str, RecordedScore] = {
        f"{metric},{filter_name}": score_of(sample[metric]) for metric in metrics if metric in sample
    }
    first = _first_arguments(sample.get("arguments"))
    prompt = first[0] if first and isinstance(first[0], str) else ""
    output = _output(sample.get("resps"))
    target = sample.get("target")
    return ImportedRecord(
        id=name,
        sha256="",
        group=task,
        messages=(("user", prompt),) if prompt else (),
        output=output,
        target=() if target is None else (as_text(target) or jcs(plain_json(target)).decode(),),
        scores=scores,
        response=jcs(plain_json(sample.get("resps"))).decode(),
        is_plain_text=output is not None,
    )


def _first_arguments(arguments: Any) -> list[Any]:
    """The arguments of a document's first request; newer versions write them as objects, older ones as lists."""
    if isinstance(arguments, dict):
        first = as_dict(next(iter(arguments.values()), None))
        return list(first.values())
    listed = as_list(arguments)
    return as_list(listed[0]) if listed else []


def _output(responses: Any) -> str | None:
    """The generated text; None for log-likelihoods, which are numbers for each option."""
    listed = as_list(responses)
    first = listed[0] if listed else None
    while isinstance(first, list) and first:
        first = first[0]
    return first if isinstance(first, str) and len(listed) == 1 else None
