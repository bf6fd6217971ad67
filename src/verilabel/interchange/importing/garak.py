"""Reports of garak: `report.jsonl`, with attempts and one evaluation for each probe and detector.

A detector's value of an output is a hit at the report's threshold or above (0.5 by default); garak counts the others as
passed. An attempt is one prompt: its outputs are repetitions of one item.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from verilabel.errors import MalformedInput
from verilabel.interchange.importing.printed import exact_number, print_claim, print_number, score_of
from verilabel.interchange.importing.run import (
    ClaimedMetric,
    Derivation,
    DerivationKind,
    ImportedRecord,
    ImportedRun,
    RecordedScore,
    Turn,
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
    split_lines,
)
from verilabel.records.canonical import digest, jcs

EVALUATED = 2
"""The status of an attempt that detectors have looked at; earlier lines of it hold it before that."""
CLAIMS: dict[str, tuple[str, DerivationKind]] = {
    "passed": ("passed", "zeros"),
    "fails": ("fails", "ones"),
    "nones": ("nones", "missing"),
    "total_evaluated": ("total_evaluated", "values"),
    "total": ("total", "values"),
}
DEFAULT_THRESHOLD = Fraction(1, 2)


def read_garak(source: Source) -> ImportedRun:
    """Read a report. Raises MalformedInput for a line that is none."""
    setup: dict[str, Any] = {}
    version, started, ended = "", "", False
    attempts: list[tuple[dict[str, Any], str]] = []
    evaluations: list[dict[str, Any]] = []
    skipped = 0
    for where, line in split_lines(source):
        entry = parse_object(line, where)
        kind = entry.get("entry_type")
        if kind == "start_run setup":
            setup = entry
        elif kind == "init":
            version, started = as_text(entry.get("garak_version")), as_text(entry.get("start_time"))
        elif kind == "attempt" and as_count(entry.get("status")) == EVALUATED:
            attempts.append((entry, digest(line)))
        elif kind == "attempt":
            skipped += 1
        elif kind == "eval":
            evaluations.append(entry)
        elif kind == "completion":
            ended = True
        elif not isinstance(kind, str):
            raise MalformedInput("a line of a report has no 'entry_type'", where=where)
    stated = exact_number(print_number(setup.get("run.eval_threshold")) or "")
    threshold = DEFAULT_THRESHOLD if stated is None else stated
    records = tuple(record for entry, sha256 in attempts for record in _records(entry, sha256, threshold))
    params: dict[str, str | int | bool] = {}
    for name in ("generations", "seed", "eval_threshold", "soft_probe_prompt_cap"):
        add_param(params, name, setup.get(f"run.{name}"))
    model = [as_text(setup.get(f"plugins.{name}")) for name in ("target_type", "target_name")]
    older = [as_text(setup.get(f"plugins.{name}")) for name in ("model_type", "model_name")]
    return ImportedRun(
        tool="garak",
        tool_version=version or as_text(setup.get("_config.version")),
        format_version=version or as_text(setup.get("_config.version")),
        files=(source.file,),
        task=as_text(setup.get("plugins.probe_spec")),
        model="/".join(part for part in (model if any(model) else older) if part),
        created=started,
        params=params,
        metrics=tuple(claim for entry in evaluations for claim in _claims(entry)),
        records=records,
        notes=(f"{skipped} lines hold attempts before they were evaluated",) if skipped else (),
        objections=tuple(_objections(ended, threshold)),
    )


def _objections(ended: bool, threshold: Fraction) -> Iterator[str]:
    if not ended:
        yield "the report has no completion: the run was not finished"
    if not 0 < threshold <= 1:
        yield f"the threshold of a hit is {float(threshold):.6g}: every answer lies on one side of it"


def _claims(entry: Mapping[str, Any]) -> list[ClaimedMetric]:
    detector = as_text(entry.get("detector")).removeprefix("detector.")
    of = as_count(entry.get("total_processed"))
    if of is None:
        total = as_count(entry.get("total_evaluated"))
        of = total if total is not None else as_count(entry.get("total"))
    claims = []
    for field, (name, kind) in CLAIMS.items():
        printed = print_claim(entry.get(field))
        if printed is not None:
            probe = as_text(entry.get("probe")).removeprefix("probes.")
            claims.append(
                ClaimedMetric(
                    name,
                    printed,
                    detector,
                    probe,
                    detector,
                    Derivation(kind, "none"),
                    of=of,
                    is_headline=field in ("passed", "fails"),
                )
            )
    return claims


def _records(entry: Mapping[str, Any], sha256: str, threshold: Fraction) -> list[ImportedRecord]:
    outputs = as_list(entry.get("outputs"))
    results = as_dict(entry.get("detector_results"))
    messages, is_plain = _messages(entry.get("prompt"))
    records = []
    for number, output in enumerate(outputs):
        text = output if isinstance(output, str) else as_dict(output).get("text")
        scores = {
            name.removeprefix("detector."): _hit(as_list(values)[number], threshold)
            for name, values in results.items()
            if number < len(as_list(values))
        }
        records.append(
            ImportedRecord(
                id=as_text(entry.get("uuid")) or as_text(entry.get("seq")),
                epoch=number + 1,
                sha256=sha256,
                group=as_text(entry.get("probe_classname")).removeprefix("probes."),
                messages=messages,
                output=text if isinstance(text, str) else None,
                error=None if isinstance(text, str) else "no output",
                scores=scores,
                response=jcs(plain_json(output)).decode(),
                is_plain_text=is_plain,
            )
        )
    return records


def _hit(value: Any, threshold: Fraction) -> RecordedScore:
    score = score_of(value)
    if score.number is None:
        return score
    return RecordedScore(score.raw, Fraction(int(score.number >= threshold)))


def _messages(prompt: Any) -> tuple[tuple[Turn, ...], bool]:
    """The turns of a prompt; older reports hold a text."""
    if isinstance(prompt, str):
        return (("user", prompt),), True
    turns: list[Turn] = []
    is_plain = True
    for turn in map(as_dict, as_list(as_dict(prompt).get("turns"))):
        content = as_dict(turn.get("content"))
        is_plain &= content.get("data_path") is None and isinstance(content.get("text"), str)
        turns.append((as_text(turn.get("role")), as_text(content.get("text"))))
    return tuple(turns), is_plain
