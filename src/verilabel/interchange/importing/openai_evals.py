"""Logs of OpenAI's evals: JSON Lines with a `spec`, events of each sample, and a `final_report`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from verilabel.errors import MalformedInput
from verilabel.interchange.importing.printed import print_claim, score_of
from verilabel.interchange.importing.promptfoo import read_messages
from verilabel.interchange.importing.run import (
    ClaimedMetric,
    Derivation,
    ImportedRecord,
    ImportedRun,
    RecordedScore,
)
from verilabel.interchange.importing.source import (
    Source,
    add_param,
    as_dict,
    as_list,
    as_text,
    parse_object,
    plain_json,
    split_lines,
)
from verilabel.records.canonical import digest, jcs

RANDOM = ("boostrap_std", "bootstrap_std")
"""Made by drawing at random, so that nobody can make them again; the tool spells the first one so."""


@dataclass
class _Sample:
    """The events of one sample."""

    lines: list[bytes] = field(default_factory=list)
    sampling: list[dict[str, Any]] = field(default_factory=list)
    matches: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    error: str = ""


def read_openai_evals(source: Source) -> ImportedRun:
    """Read a log. Raises MalformedInput for a line that is not of this form."""
    spec: dict[str, Any] = {}
    reports: list[dict[str, Any]] = []
    samples: dict[str, _Sample] = {}
    for where, line in split_lines(source):
        entry = parse_object(line, where)
        if "spec" in entry:
            spec = as_dict(entry["spec"])
        elif "final_report" in entry:
            reports.append(as_dict(entry["final_report"]))
        elif isinstance(entry.get("type"), str) and "sample_id" in entry:
            _note_event(samples.setdefault(as_text(entry["sample_id"]), _Sample()), entry, line)
        else:
            raise MalformedInput("a line is neither a spec, an event nor a final report", where=where)
    config = as_dict(spec.get("run_config"))
    params: dict[str, str | int | bool] = {}
    add_param(params, "seed", config.get("seed"))
    add_param(params, "max_samples", config.get("max_samples"))
    completions = [as_text(item) for item in as_list(spec.get("completion_fns"))]
    records = tuple(record for name, sample in samples.items() for record in _records(name, sample))
    return ImportedRun(
        tool="openai-evals",
        format_version="record.jsonl",
        files=(source.file,),
        task=as_text(spec.get("eval_name")),
        model=completions[0] if completions else as_text(spec.get("model_name")),
        dataset=as_text(spec.get("split")),
        created=as_text(spec.get("created_at")),
        params=params,
        metrics=tuple(claim for report in reports for claim in _claims(report, records)),
        records=records,
        notes=("the log does not state how many samples there should be",),
        objections=() if reports else ("the log has no final report: the run was not finished",),
    )


def _note_event(sample: _Sample, entry: Mapping[str, Any], line: bytes) -> None:
    sample.lines.append(line)
    data = as_dict(entry.get("data"))
    match entry["type"]:
        case "sampling":
            sample.sampling.append(data)
        case "match":
            sample.matches.append(data)
        case "metrics":
            sample.metrics.update(data)
        case "error":
            sample.error = as_text(data.get("message")) or as_text(data.get("type")) or "an error"


def _records(name: str, sample: _Sample) -> list[ImportedRecord]:
    """One record for each time that the sample was judged; a sample that was never judged is one without a score."""
    records = []
    for index in range(max(1, len(sample.matches))):
        sampling = sample.sampling[min(index, len(sample.sampling) - 1)] if sample.sampling else {}
        match = sample.matches[index] if index < len(sample.matches) else {}
        sampled = sampling.get("sampled", match.get("sampled"))
        listed = as_list(sampled)
        output = listed[0] if len(listed) == 1 else sampled
        messages, is_plain = read_messages(sampling["prompt"]) if "prompt" in sampling else ((), True)
        scores: dict[str, RecordedScore] = {key: score_of(value) for key, value in sample.metrics.items()}
        if "correct" in match:
            scores["correct"] = score_of(match["correct"])
        records.append(
            ImportedRecord(
                id=name,
                epoch=index + 1,
                sha256=digest(b"\n".join(sample.lines)),
                messages=messages,
                output=output if isinstance(output, str) else None,
                target=tuple(as_text(item) for item in _listed(match.get("expected"))),
                error=sample.error or None,
                scores=scores,
                response=jcs(plain_json(sampled)).decode(),
                is_plain_text=is_plain,
            )
        )
    return records


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _claims(report: Mapping[str, Any], records: tuple[ImportedRecord, ...]) -> list[ClaimedMetric]:
    held = {key for record in records for key in record.scores}
    claims = []
    for name, value in report.items():
        printed = print_claim(value)
        if printed is None:
            continue
        key = "correct" if name in ("accuracy", *RANDOM) and "correct" in held else name
        obstacle, derivation = "", None
        if name in RANDOM:
            obstacle = "made by drawing at random"
        elif name == "accuracy":
            # the tool's accuracy is over judgements, however many a sample has
            derivation = Derivation("mean", "none")
        else:
            derivation = Derivation("mean", "none", assumed=True)
        claims.append(ClaimedMetric(name, printed, key, derivation=derivation, obstacle=obstacle))
    return claims
