"""Every Eval Ever 0.3.0: one aggregate record with intervals, and one line an answer and measure.

The files lie where the datastore of that project wants them: `data/BENCHMARK/DEVELOPER/MODEL/UUID.json` and
`UUID_samples.jsonl`. The UUID has the form of version 4 and is derived from the bundle (`writing.derived_uuid`).
A line's `score` is 1 where the counted event was found, else 0, so that the mean over the lines of a measure with
one answer a sample is the aggregate's score; a missing answer has score 0 and says so in `error`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from verilabel import __version__
from verilabel.interchange.exporting.answers import Answer
from verilabel.interchange.exporting.conversation import prompt_of, read_turns
from verilabel.interchange.exporting.facts import Measured, bare, measured, number_of, rows_of, slug, stand
from verilabel.interchange.exporting.options import ExportOptions
from verilabel.interchange.exporting.source import Source
from verilabel.interchange.exporting.writing import (
    Export,
    ExportFile,
    derived_uuid,
    json_bytes,
    plain_file,
)
from verilabel.records.attempt import Attempt
from verilabel.records.canonical import sha256_hex
from verilabel.records.score import DetectorCard, Unscored
from verilabel.records.system import SystemDescriptor

SCHEMA_VERSION = "0.3.0"
BENCHMARK = "verilabel"
_encoder = msgspec.json.Encoder()


def export_every_eval_ever(source: Source, options: ExportOptions) -> Export:
    """The aggregate and its instance-level lines."""
    names = _Names(source)
    measures = measured(source)
    samples = ExportFile(
        f"{names.folder}/{names.uuid}_samples.jsonl",
        lambda: _lines(source, names, measures, texts=options.texts is not False),
    )
    checksum, rows = _digest_lines(samples)
    aggregate = _aggregate(source, names, measures, options)
    aggregate["detailed_evaluation_results"] = {
        "format": "jsonl",
        "file_path": samples.name,
        "hash_algorithm": "sha256",
        "checksum": checksum,
        "total_rows": rows,
    }
    return Export((plain_file(f"{names.folder}/{names.uuid}.json", json_bytes(aggregate)), samples))


class _Names:
    """Identifiers of one export, all of them derived from the bundle."""

    def __init__(self, source: Source) -> None:
        self.model = source.system.provider_model
        developer, sign, model = self.model.partition("/")
        if not sign:
            developer, model = "unknown", self.model
        self.folder = f"data/{BENCHMARK}/{slug(developer)}/{slug(model)}"
        self.uuid = derived_uuid(
            "every_eval_ever", source.found.manifest_sha256 or "", source.statement_sha256 or ""
        )
        self.issued = _unix(source.issued)
        self.evaluation = f"{slug(source.label.rubric.id)}/{slug(self.model)}/{self.issued}"


def _unix(text: str) -> str:
    return str(int(datetime.fromisoformat(text).timestamp()))


def _digest_lines(file: ExportFile) -> tuple[str, int]:
    hasher, rows = hashlib.sha256(), 0
    for line in file.chunks():
        hasher.update(line)
        rows += 1
    return hasher.hexdigest(), rows


# -- the aggregate ---------------------------------------------------------------------------------


def _aggregate(
    source: Source, names: _Names, measures: list[Measured], options: ExportOptions
) -> dict[str, Any]:
    statement, facts = source.statement, stand(source)
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": names.evaluation,
        "evaluation_timestamp": _unix(source.plan.created or source.issued),
        "retrieved_timestamp": names.issued,
        "source_metadata": {
            "source_name": "verilabel evidence bundle",
            "source_type": "evaluation_run",
            "source_organization_name": statement.predicate.issuer.name if statement else "unknown",
            **({"source_organization_url": options.bundle_url} if options.bundle_url else {}),
            "evaluator_relationship": options.relationship,
            "additional_details": facts,
        },
        "eval_library": _library(source),
        "model_info": _model_info(source.system),
        "evaluation_results": [_result(source, measure) for measure in measures],
    }


def _library(source: Source) -> dict[str, Any]:
    imported = source.plan.imported
    if imported is not None:
        return {
            "name": imported.tool,
            "version": imported.tool_version or "unknown",
            "additional_details": {"imported_by": f"verilabel {__version__}", "observed": "false"},
        }
    tool = source.statement.predicate.tool if source.statement else None
    return {"name": tool.name if tool else "verilabel", "version": tool.version if tool else "unknown"}


def _model_info(system: SystemDescriptor) -> dict[str, Any]:
    platform, sign, _ = system.provider_model.partition("/")
    details = {
        "deployment_type": "self_deployed" if system.identity == "weights" else "unknown",
        "model_availability": "unknown",
        "system_sha256": system.digest,
        "identity": system.identity,
        "use_case": system.use_case,
        "locale": system.locale,
    }
    if system.weights:
        details["weights"] = system.weights
    if system.system_prompt:
        details["system_prompt_sha256"] = system.system_prompt
    info: dict[str, Any] = {"name": system.name, "id": system.provider_model}
    if sign:
        info["inference_platform"] = platform
    return {**info, "additional_details": details}


def _result(source: Source, measure: Measured) -> dict[str, Any]:
    return {
        "evaluation_result_id": measure.id,
        "evaluation_name": f"{measure.suite.name}: {measure.title}",
        "source_data": _source_data(source, measure),
        "metric_config": _metric(source, measure),
        "score_details": _score_details(source, measure),
        "generation_config": _generation(source.system),
    }


def _source_data(source: Source, measure: Measured) -> dict[str, Any]:
    suite = measure.suite
    details = {
        "suite": suite.name,
        "suite_sha256": source.stream(suite.name).suite_sha256,
        "data_sha256": f"sha256:{suite.data.sha256}",
        "license": suite.license,
    }
    if measure.plan.where:
        details["filter"] = "; ".join(f"{tag} in {', '.join(v)}" for tag, v in measure.plan.where.items())
    about: dict[str, Any] = {"dataset_name": suite.title, "source_type": "other"}
    if suite.data.hf is not None:
        about["source_type"] = "hf_dataset"
        about |= {"hf_repo": suite.data.hf.repo, "samples_number": source.stream(suite.name).samples}
        details |= {"hf_revision": suite.data.hf.revision, "hf_path": suite.data.hf.path}
    elif suite.data.url:
        about |= {"source_type": "url", "url": [suite.data.url]}
    return {**about, "additional_details": details}


def _metric(source: Source, measure: Measured) -> dict[str, Any]:
    card = source.plan.detector(measure.plan.detector)
    metric: dict[str, Any] = {
        "evaluation_description": measure.says,
        "metric_id": f"verilabel.rate.{measure.event.replace(' ', '_')}",
        "metric_name": f"rate of {measure.event}",
        "metric_kind": "rate",
        "metric_unit": "proportion",
        "lower_is_better": measure.lower_is_better,
        "score_type": "continuous",
        "min_score": 0.0,
        "max_score": 1.0,
        "additional_details": {
            "detector": card.name,
            "detector_sha256": card.sha256,
            "detector_is_exact": str(card.exact).lower(),
            "unit": measure.tally.unit,
            "population": measure.tally.population,
        },
    }
    if _is_judge(card):
        metric["llm_scoring"] = _llm_scoring(card)
    return metric


def _is_judge(card: DetectorCard) -> bool:
    from verilabel.detectors.judge import judge_rules

    return card.id.partition(":")[0] in judge_rules()


def _llm_scoring(card: DetectorCard) -> dict[str, Any]:
    model = card.setting or card.id
    unknown = {"deployment_type": "unknown", "model_availability": "unknown"}
    return {
        "judges": [{"model_info": {"name": model, "id": model, "additional_details": unknown}}],
        "input_prompt": f"the prompt of detector {card.name}, whose digest with its settings is {card.sha256}",
    }


def _score_details(source: Source, measure: Measured) -> dict[str, Any]:
    tally, facts = measure.tally, stand(source)
    details = {
        "events": str(tally.events),
        "answers": str(tally.n),
        "missing": str(tally.missing),
        "rows": " | ".join(_rows_about(source, measure.id)),
        "label": facts["label"],
        "verification": facts["verification"],
        "statement_sha256": facts["statement_sha256"],
    }
    if source.stream(measure.plan.suite).epochs > 1:
        details["epochs"] = str(source.stream(measure.plan.suite).epochs)
        details["collapse"] = f"the event in {measure.plan.collapse} of an item's answers"
    uncertainty: dict[str, Any] = {"num_samples": tally.n}
    if measure.interval is not None:
        uncertainty["confidence_interval"] = {
            "lower": float(measure.interval.lower),
            "upper": float(measure.interval.upper),
            "confidence_level": float(measure.interval.confidence),
            "method": measure.interval.method,
        }
    return {"score": measure.rate, "details": details, "uncertainty": uncertainty}


def _rows_about(source: Source, measure: str) -> Iterator[str]:
    for placed in rows_of(source.label):
        if placed.row.measure == measure:
            yield f"{placed.id} {placed.title}: {placed.says}"


def _generation(system: SystemDescriptor) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for name in ("temperature", "top_p", "top_k"):
        number = number_of(system.params.get(name))
        if number is not None:
            arguments[name] = number
    limit = number_of(system.params.get("max_tokens"))
    if isinstance(limit, int) and limit >= 1:
        arguments["max_tokens"] = limit
    rest = {key: str(value) for key, value in sorted(system.params.items()) if key not in arguments}
    return {"generation_args": arguments, "additional_details": rest}


# -- instance-level lines --------------------------------------------------------------------------


def _lines(source: Source, names: _Names, measures: list[Measured], *, texts: bool) -> Iterator[bytes]:
    counted = {measure.id: source.counted_samples(measure.plan) for measure in measures}
    facts = stand(source)
    carried = {key: facts[key] for key in ("label", "verification", "statement_sha256")}
    for answer in source.answers():
        for measure in measures:
            if measure.plan.suite == answer.suite and answer.sample in counted[measure.id]:
                record = _instance(source, names, measure, answer, texts=texts)
                record["metadata"] |= carried
                yield _encoder.encode(record) + b"\n"


def _instance(
    source: Source, names: _Names, measure: Measured, answer: Answer, *, texts: bool
) -> dict[str, Any]:
    value = answer.value(measure.plan.detector)
    event = value is not None and value is not measure.plan.negate
    record: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": names.evaluation,
        "model_id": names.model,
        "evaluation_name": f"{measure.suite.name}: {measure.title}",
        "evaluation_result_id": measure.id,
        "sample_id": answer.sample,
        "sample_hash": bare(source.indexes[answer.suite][answer.sample].sha256),
        **_exchange(answer, texts=texts),
        "answer_attribution": [],
        "evaluation": {
            "score": 1.0 if event else 0.0,
            "is_correct": value is not None and event is not measure.lower_is_better,
        },
        "error": _error(measure, answer, value, texts=texts),
        "metadata": _instance_metadata(source, measure, answer),
    }
    usage = answer.last.usage
    if usage is not None:
        record["token_usage"] = {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
        }
    return record


def _exchange(answer: Answer, *, texts: bool) -> dict[str, Any]:
    """Input and output in the form of one turn, or of several where the prompt has several."""
    if answer.withheld:
        stand_in = f"withheld: {answer.commitment}"
        return _one_turn(stand_in, [stand_in] if answer.outcome == "answered" else [])
    if not texts:
        prompt, output = _as_digests(answer.last)
        return _one_turn(prompt, output)
    turns = read_turns(answer.last.request)
    output = [] if answer.last.output is None else [answer.last.output]
    spoken = [turn for turn in turns if turn.role != "system"]
    if len(spoken) == 1:
        shown = _one_turn(prompt_of(turns), output)
        shown["input"]["formatted"] = answer.last.request
        return shown
    said = [*turns, *(("assistant", text) for text in output)]
    return {
        "interaction_type": "multi_turn",
        "input": {"raw": prompt_of(turns), "reference": [], "formatted": answer.last.request},
        "output": None,
        "messages": [
            {"turn_idx": number, "role": role, "content": content}
            for number, (role, content) in enumerate(said)
        ],
    }


def _one_turn(prompt: str, output: list[str]) -> dict[str, Any]:
    return {
        "interaction_type": "single_turn",
        "input": {"raw": prompt, "reference": []},
        "output": {"raw": output},
        "messages": None,
    }


def _as_digests(attempt: Attempt) -> tuple[str, list[str]]:
    prompt = f"not shown: sha256:{sha256_hex(attempt.request.encode())}"
    if attempt.output is None:
        return prompt, []
    return prompt, [f"not shown: sha256:{sha256_hex(attempt.output.encode())}"]


def _error(measure: Measured, answer: Answer, value: bool | None, *, texts: bool) -> str | None:
    if value is not None:
        return None
    if answer.outcome == "missing":
        reason = answer.reason if texts else answer.reason.partition(":")[0]
        return f"missing: {reason}"
    finding = answer.finding(measure.plan.detector)
    if isinstance(finding, Unscored) and texts:  # a reason may quote the answer
        return f"unscored: {finding.reason}"
    return "unscored"


def _instance_metadata(source: Source, measure: Measured, answer: Answer) -> dict[str, str]:
    entry = source.indexes[answer.suite][answer.sample]
    metadata: Mapping[str, str] = {
        "event": measure.event,
        "detector": measure.plan.detector,
        "epoch": str(answer.epoch),
        "attempts": str(len(answer.attempts)),
        "outcome": answer.outcome,
        "withheld": str(answer.withheld).lower(),
        "evidence_line": str(answer.line),
        "evidence_leaf": answer.leaf,
        **{f"tag.{tag}": value for tag, value in sorted(entry.tags.items())},
    }
    return dict(metadata)
