"""Every Eval Ever: an aggregate JSON of schema 0.2 or 0.3 with its instance-level JSON Lines, where it has them.

A score says how it was made only by its metric's kind or name; where neither is a plain rate or mean, a mean is tried
and another number is no contradiction.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from verilabel.errors import MalformedInput, UsageError
from verilabel.interchange.importing.printed import print_claim, score_of
from verilabel.interchange.importing.run import (
    ClaimedCount,
    ClaimedMetric,
    Derivation,
    ImportedRecord,
    ImportedRun,
    SourceFile,
    Turn,
)
from verilabel.interchange.importing.source import (
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

VERSIONS = ("0.2", "0.3")
MEANS = re.compile(
    r"(?:.*[^a-z])?(?:accuracy|mean|rate|pass@1|pass_rate|exact[ _-]?match|win_rate|refusal_rate)(?:[^a-z].*)?",
    re.IGNORECASE,
)
MAX_NAME = 500
"""Of a metric's name or description that is searched for a mean; a longer one is an essay."""
PARAMS = ("temperature", "top_p", "top_k", "max_tokens")


def read_every_eval_ever(path: Path) -> ImportedRun:
    """Read an aggregate file and the instance-level file beside it; the latter leads to the former.

    Raises MalformedInput for another schema, UsageError for an instance-level file without its aggregate.
    """
    if path.suffix == ".jsonl":
        path = _aggregate_of(path)
    source = read_source(path)
    document = parse_object(source.data, source.where)
    version = as_text(document.get("schema_version"))
    if version.rpartition(".")[0] not in VERSIONS:
        raise MalformedInput(
            f"the file is of schema {version[:20] or 'unknown'}, this reader knows 0.2 and 0.3",
            where=f"{source.where} $.schema_version",
        )
    detailed = as_dict(document.get("detailed_evaluation_results"))
    records, files, objections = _read_instances(path, detailed, as_text(document.get("evaluation_id")))
    results = [as_dict(item) for item in as_list(document.get("evaluation_results"))]
    rows = as_count(detailed.get("total_rows"))
    model, library = as_dict(document.get("model_info")), as_dict(document.get("eval_library"))
    return ImportedRun(
        tool="every-eval-ever",
        tool_version=" ".join(as_text(library.get(key)) for key in ("name", "version")).strip(),
        format_version=version,
        files=(source.file, *files),
        task=", ".join(dict.fromkeys(as_text(result.get("evaluation_name")) for result in results[:4])),
        model=as_text(model.get("id")) or as_text(model.get("name")),
        dataset=as_text(as_dict(results[0].get("source_data")).get("dataset_name")) if results else "",
        created=as_text(document.get("evaluation_timestamp")),
        params=_params(results),
        metrics=tuple(claim for result in results for claim in _claims(result, records, rows)),
        counts=() if rows is None else (ClaimedCount("records", rows, "rows of the instance-level file"),),
        records=records,
        notes=() if records else ("there is no instance-level file",),
        objections=objections,
    )


def _aggregate_of(path: Path) -> Path:
    aggregate = path.with_name(f"{path.stem.removesuffix('_samples')}.json")
    if not aggregate.is_file():
        raise UsageError(
            "there is no aggregate file beside these instances",
            where=str(path),
            hint=f"it is called {aggregate.name}; without it nothing is claimed",
        )
    return aggregate


def _params(results: list[dict[str, Any]]) -> dict[str, str | int | bool]:
    params: dict[str, str | int | bool] = {}
    for result in results:
        arguments = as_dict(as_dict(result.get("generation_config")).get("generation_args"))
        for name in PARAMS:
            add_param(params, name, arguments.get(name))
    return params


def _group_of(result: Mapping[str, Any]) -> str:
    return as_text(result.get("evaluation_result_id")) or as_text(result.get("evaluation_name"))


def _claims(
    result: Mapping[str, Any], records: tuple[ImportedRecord, ...], rows: int | None
) -> list[ClaimedMetric]:
    config, details = as_dict(result.get("metric_config")), as_dict(result.get("score_details"))
    uncertainty = as_dict(details.get("uncertainty"))
    printed = print_claim(details.get("score"))
    if printed is None:
        return []
    names = [as_text(config.get(key)) for key in ("metric_kind", "metric_id", "metric_name")]
    described = [*names, as_text(config.get("evaluation_description"))]
    group = _group_of(result)
    sampled = as_count(uncertainty.get("num_samples"))
    alone = {record.group for record in records} == {group}
    of = sampled if sampled is not None else rows if alone else None
    scale = 100 if as_text(config.get("metric_unit")).lower() in ("percent", "percentage", "%") else 1
    assumed = not any(MEANS.fullmatch(name) for name in described if 0 < len(name) <= MAX_NAME)
    claims = [
        ClaimedMetric(
            name=next((name for name in reversed(names) if name), "score"),
            printed=printed,
            key="score",
            group=group,
            derivation=Derivation("mean", "none", scale, assumed),
            of=of,
        )
    ]
    error = as_dict(uncertainty.get("standard_error"))
    if (printed_error := print_claim(error.get("value"))) is not None:
        is_analytic = as_text(error.get("method")) in ("analytic", "")
        claims.append(
            ClaimedMetric(
                name="standard_error",
                printed=printed_error,
                key="score",
                group=group,
                derivation=Derivation("stderr", "none", scale, assumed=not error.get("method"))
                if is_analytic
                else None,
                obstacle="" if is_analytic else f"made by {as_text(error.get('method'))[:40]}",
                of=of,
            )
        )
    return claims


# -- instances ---------------------------------------------------------------------------------------------------

Instances = tuple[tuple[ImportedRecord, ...], tuple[SourceFile, ...], tuple[str, ...]]


def _read_instances(path: Path, detailed: Mapping[str, Any], evaluation_id: str) -> Instances:
    named = as_text(detailed.get("file_path"))
    name = PurePosixPath(named).name  # the file lies beside its aggregate, wherever the path leads
    beside = [path.with_name(name)] if name not in ("", "..") else []
    found = next((p for p in [*beside, path.with_name(f"{path.stem}_samples.jsonl")] if p.is_file()), None)
    if found is None:
        return (), (), (f"the instance-level file {named[:120]!r} is not here",) if named else ()
    source = read_source(found)
    objections = []
    algorithm, stated = as_text(detailed.get("hash_algorithm")) or "sha256", as_text(detailed.get("checksum"))
    if stated and algorithm in ("sha256", "md5"):
        actual = hashlib.new(algorithm, source.data, usedforsecurity=False).hexdigest()
        if actual != stated.lower():
            objections.append(
                f"the instance-level file is not the one whose {algorithm} the aggregate states"
            )
    elif stated:
        objections.append(
            f"the instance-level file's {algorithm[:40]} is stated, which this reader cannot check"
        )
    records, strangers = [], 0
    for where, line in split_lines(source):
        instance = parse_object(line, where)
        if evaluation_id and as_text(instance.get("evaluation_id")) != evaluation_id:
            strangers += 1
        records.append(_record(instance, line, where))
    if strangers:
        objections.append(f"{strangers:,} rows are of another evaluation")
    return tuple(records), (source.file,), tuple(objections)


def _record(instance: Mapping[str, Any], line: bytes, where: str) -> ImportedRecord:
    if "sample_id" not in instance:
        raise MalformedInput("an instance has no 'sample_id'", where=where)
    asked, given = as_dict(instance.get("input")), as_dict(instance.get("output"))
    listed = [item for item in as_list(given.get("raw")) if isinstance(item, str)]
    error = as_text(instance.get("error"))
    turns, answer, is_plain = _turns(instance, as_text(asked.get("formatted")) or as_text(asked.get("raw")))
    usage = as_dict(instance.get("token_usage"))
    tokens = as_count(usage.get("input_tokens")), as_count(usage.get("output_tokens"))
    return ImportedRecord(
        id=as_text(instance["sample_id"]),
        sha256=digest(line),
        group=_group_of(instance),
        messages=turns,
        output=answer if answer is not None else listed[0] if len(listed) == 1 else None,
        target=tuple(as_text(item) for item in as_list(asked.get("reference"))),
        error=error or None,
        scores={"score": score_of(as_dict(instance.get("evaluation")).get("score"))},
        response=jcs(plain_json(instance.get("output") or instance.get("messages"))).decode(),
        model=as_text(instance.get("model_id")),
        usage=(tokens[0], tokens[1]) if tokens[0] is not None and tokens[1] is not None else None,
        is_plain_text=is_plain,
    )


def _turns(instance: Mapping[str, Any], prompt: str) -> tuple[tuple[Turn, ...], str | None, bool]:
    """The turns before the last answer, that answer where the instance is a conversation, and whether all is text."""
    messages = [as_dict(item) for item in as_list(instance.get("messages"))]
    if not messages:
        return ((("user", prompt),) if prompt else ()), None, True
    last = max(
        (i for i, turn in enumerate(messages) if turn.get("role") == "assistant"), default=len(messages)
    )
    turns = tuple((as_text(turn.get("role")), as_text(turn.get("content"))) for turn in messages[:last])
    answer = messages[last].get("content") if last < len(messages) else None
    is_plain = not any(turn.get("tool_calls") or turn.get("role") == "tool" for turn in messages)
    return turns, answer if isinstance(answer, str) else None, is_plain
