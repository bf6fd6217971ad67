"""Inspect AI's JSON log, one a suite, so that its viewer shows the answers: log format 2, without importing Inspect.

A finding is a score of 1 or 0 under its detector's name; where a detector found nothing out there is no score, and the
sample's metadata says why (Inspect's own mark for that, NaN, is no JSON). A missing answer is a sample with an error.
Targets and choices are not in a bundle, so `target` is empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec

from verilabel import __version__
from verilabel.interchange.exporting.answers import Answer
from verilabel.interchange.exporting.conversation import Turn, prompt_of, read_turns
from verilabel.interchange.exporting.facts import Measured, measured, number_of, slug, stand
from verilabel.interchange.exporting.options import ExportOptions
from verilabel.interchange.exporting.source import Source
from verilabel.interchange.exporting.writing import Export, ExportFile, derived_uuid
from verilabel.records.attempt import Attempt
from verilabel.records.canonical import sha256_hex
from verilabel.records.score import Scored, Unscored
from verilabel.records.system import SystemDescriptor

LOG_VERSION = 2
STOP_REASONS = {
    **dict.fromkeys(("stop", "end_turn", "stop_sequence", "completed", "eos"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "incomplete"), "max_tokens"),
    **dict.fromkeys(
        ("content_filter", "refusal", "blocklist", "prohibited_content", "recitation"), "content_filter"
    ),
}
WHOLE = ("top_k", "max_tokens", "seed")
DECIMAL = ("temperature", "top_p", "frequency_penalty", "presence_penalty")
_encoder = msgspec.json.Encoder()
Document = dict[str, Any]


def export_inspect_logs(source: Source, options: ExportOptions) -> Export:
    """One log for each suite of the plan."""
    texts = options.texts is not False
    return Export(
        tuple(
            ExportFile(_file_name(source, suite), partial(_chunks, source, suite, texts=texts))
            for suite in source.suites
        )
    )


def _file_name(source: Source, suite: str) -> str:
    """Time, task and id, as Inspect names its logs: its viewer lists no others."""
    task = slug(source.suites[suite].id).replace("_", "-")
    return f"{source.issued.rstrip('Z').replace(':', '-')}+00-00_{task}_{_task_id(source, suite)}.json"


def _task_id(source: Source, suite: str) -> str:
    return derived_uuid("inspect", "task", source.found.manifest_sha256 or "", suite)


def _chunks(source: Source, suite: str, *, texts: bool) -> Iterator[bytes]:
    header = _encoder.encode(_header(source, suite))
    yield header[:-1] + b',"samples":['
    first = True
    for answer in source.answers():
        if answer.suite == suite:
            yield (b"\n" if first else b",\n") + _encoder.encode(_sample(source, answer, texts=texts))
            first = False
    yield b"\n]}\n"


# -- the header ------------------------------------------------------------------------------------


def _header(source: Source, suite: str) -> Document:
    measures = [measure for measure in measured(source) if measure.plan.suite == suite]
    answered, stream = source.answered[suite], source.stream(suite)
    return {
        "version": LOG_VERSION,
        "status": "success",
        "eval": _spec(source, suite),
        "plan": {
            "name": "verilabel",
            "steps": [{"solver": "verilabel", "params": {"plan_sha256": source.plan.digest}}],
            "config": _generation(source.system),
        },
        "results": {
            "total_samples": answered,
            "completed_samples": answered,
            "scores": [_score_summary(name, measures) for name in stream.detectors],
        },
        "stats": {
            "started_at": source.plan.created,
            "completed_at": source.issued,
            "model_usage": {},
        },
    }


def _spec(source: Source, name: str) -> Document:
    suite, stream, system = source.suites[name], source.stream(name), source.system
    facts = stand(source)
    manifest = source.found.manifest_sha256 or ""
    return {
        "eval_id": derived_uuid("inspect", "eval", manifest, name),
        "run_id": derived_uuid("inspect", "run", manifest),
        "created": source.issued,
        "task": suite.id,
        "task_id": _task_id(source, name),
        "task_version": suite.version,
        "dataset": {
            "name": suite.name,
            "location": stream.suite_sha256,
            "samples": stream.samples,
            "shuffled": True,
        },
        "model": system.provider_model,
        "model_generate_config": _generation(system),
        "config": {"limit": stream.limit, "epochs": stream.epochs},
        "packages": {"verilabel": __version__},
        "metadata": {f"verilabel.{key}": value for key, value in facts.items()},
        "scorers": [_scorer(source, detector) for detector in stream.detectors],
    }


def _generation(system: SystemDescriptor) -> Document:
    config: Document = {}
    for name in (*DECIMAL, *WHOLE):
        number = number_of(system.params.get(name))
        if number is not None and (name in DECIMAL or isinstance(number, int)):
            config[name] = number
    return config


def _scorer(source: Source, detector: str) -> Document:
    card = source.plan.detector(detector)
    return {"name": detector, "options": {}, "metadata": {"event": card.event, "sha256": card.sha256}}


def _score_summary(detector: str, measures: list[Measured]) -> Document:
    metrics: Document = {}
    for measure in measures:
        if measure.plan.detector != detector:
            continue
        values = {measure.id: measure.rate}
        if measure.interval is not None:
            values[f"{measure.id} lower bound"] = float(measure.interval.lower)
            values[f"{measure.id} upper bound"] = float(measure.interval.upper)
        metrics |= {name: {"name": name, "value": value, "params": {}} for name, value in values.items()}
    return {"name": detector, "scorer": detector, "params": {}, "metrics": metrics}


# -- a sample --------------------------------------------------------------------------------------


def _sample(source: Source, answer: Answer, *, texts: bool) -> Document:
    entry = source.indexes[answer.suite][answer.sample]
    turns, output = _said(answer, texts=texts)
    sample: Document = {
        "id": answer.sample,
        "epoch": answer.epoch,
        "input": prompt_of(turns),
        "target": "",
        "messages": [_message(answer, number, turn) for number, turn in enumerate(turns)],
        "output": {"model": source.system.provider_model, "choices": []},
        "scores": {f.detector: _score(f, texts=texts) for f in answer.findings if isinstance(f, Scored)},
        "metadata": {
            **{f"tag.{tag}": value for tag, value in sorted(entry.tags.items())},
            "outcome": answer.outcome,
            "withheld": answer.withheld,
            "attempts": len(answer.attempts),
            "sample_sha256": entry.sha256,
            "evidence_line": answer.line,
            "evidence_leaf": answer.leaf,
            **_unscored(answer, texts=texts),
        },
        "uuid": derived_uuid("inspect", "sample", source.found.manifest_sha256 or "", str(answer.line)),
    }
    if entry.family:
        sample["metadata"]["family"] = entry.family
    if output is not None:
        _add_output(source, sample, answer, answer.last, output)
    if answer.outcome == "missing":
        reason = answer.reason if texts else answer.reason.partition(":")[0]
        sample["error"] = {"message": reason, "traceback": "", "traceback_ansi": ""}
    return sample


def _said(answer: Answer, *, texts: bool) -> tuple[tuple[Turn, ...], str | None]:
    last = answer.last
    if answer.withheld:
        shown = f"withheld: {answer.commitment}"
        return (Turn("user", shown),), shown if answer.outcome == "answered" else None
    if texts:
        return read_turns(last.request), last.output
    output = None if last.output is None else f"not shown: sha256:{sha256_hex(last.output.encode())}"
    return (Turn("user", f"not shown: sha256:{sha256_hex(last.request.encode())}"),), output


def _message(answer: Answer, number: int, turn: Turn) -> Document:
    return {
        "id": f"{answer.line}-{number}",
        "content": turn.content,
        "source": "input",
        "role": turn.role,
    }


def _score(finding: Scored, *, texts: bool) -> Document:
    score: Document = {"value": int(finding.value), "metadata": {"event": finding.event}}
    if texts and finding.detail is not None:  # a detail may quote the answer
        score["explanation"] = finding.detail
    return score


def _unscored(answer: Answer, *, texts: bool) -> Document:
    found = [finding for finding in answer.findings if isinstance(finding, Unscored)]
    return {f"unscored.{f.detector}": f.reason if texts else "yes" for f in found}


def _add_output(source: Source, sample: Document, answer: Answer, last: Attempt, output: str) -> None:
    model = last.served_model or source.system.provider_model
    message = {
        "id": f"{answer.line}-{len(sample['messages'])}",
        "content": output,
        "source": "generate",
        "role": "assistant",
        "model": model,
    }
    sample["messages"].append(message)
    stop = STOP_REASONS.get((last.finish or "").lower(), "unknown")
    said: Document = {
        "model": model,
        "choices": [{"message": message, "stop_reason": stop}],
        "completion": output,
    }
    if last.usage is not None:
        usage = {
            "input_tokens": last.usage.input_tokens,
            "output_tokens": last.usage.output_tokens,
            "total_tokens": last.usage.input_tokens + last.usage.output_tokens,
        }
        said["usage"] = usage
        sample["model_usage"] = {model: usage}
    sample["output"] = said
