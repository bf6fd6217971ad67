"""Logs of Inspect AI: `.eval` archives and JSON, schema versions 1 and 2, without importing Inspect.

A sample's record is digested over its exact bytes and decoded for the few fields that are needed; its events, which are
most of the log, are skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import msgspec

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.interchange.importing.archive import Archive
from verilabel.interchange.importing.inspect_claims import read_claims, read_counts
from verilabel.interchange.importing.printed import score_of
from verilabel.interchange.importing.run import ImportedRecord, ImportedRun, RecordedScore, Turn
from verilabel.interchange.importing.source import (
    Source,
    add_param,
    array_parts,
    as_dict,
    as_list,
    as_text,
    object_parts,
    parse_document,
    parse_object,
)
from verilabel.records.canonical import digest

VERSIONS = (1, 2)
HEADER, START, SAMPLES = "header.json", "_journal/start.json", "samples/"
WORDS = (("C", Fraction(1)), ("P", Fraction(1, 2)), ("I", Fraction(0)), ("N", Fraction(0)))
"""Inspect's own words for correct, partial, incorrect and no answer."""
EXACT_SCORERS = frozenset({"match", "includes", "exact", "pattern", "choice", "answer"})
PARAMS = ("temperature", "max_tokens", "top_p", "top_k", "seed", "num_choices", "reasoning_effort")
_ATTACHMENT = "attachment://"


class _Message(msgspec.Struct):
    role: str = ""
    content: Any = ""
    tool_calls: Any = None


class _Score(msgspec.Struct):
    value: Any = None


class _Sample(msgspec.Struct):
    id: str | int
    epoch: int = 1
    input: str | list[_Message] = ""
    target: Any = ""
    messages: list[_Message] = []
    output: msgspec.Raw = msgspec.Raw(b"{}")
    scores: dict[str, _Score] | None = None
    score: _Score | None = None
    error: Any = None
    attachments: dict[str, str] = {}


class _Choice(msgspec.Struct):
    message: _Message | None = None
    stop_reason: str | None = None


class _Usage(msgspec.Struct):
    input_tokens: int = 0
    output_tokens: int = 0


class _Output(msgspec.Struct):
    model: str = ""
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: str | None = None


_sample_decoder = msgspec.json.Decoder(_Sample, strict=False)
_output_decoder = msgspec.json.Decoder(_Output, strict=False)


def read_inspect_archive(source: Source) -> ImportedRun:
    """Read an `.eval` archive. Raises MalformedInput, LimitExceeded, and MissingExtra for zstd without its package."""
    archive = Archive(source)
    head = archive.member(HEADER)
    notes: list[str] = []
    objections: list[str] = []
    if head is None:
        head = archive.member(START)
        if head is None:
            raise MalformedInput("an archive without header.json is no Inspect log", where=source.where)
        objections.append("the log has no header: the run was not finished")
    header = parse_object(head, f"{source.where}!{HEADER}")
    if len(set(archive.names())) != len(archive.names()):
        notes.append("members of the archive stand twice")
    samples = ((f"{source.where}!{name}", data) for name, data in archive.members(SAMPLES))
    return _build(source, header, samples, notes, objections)


def read_inspect_json(source: Source) -> ImportedRun:
    """Read a JSON log. Raises MalformedInput and LimitExceeded."""
    parts = object_parts(source.data, source.where)
    samples = parts.pop("samples", b"null")
    parts.pop("logging", None)
    parts.pop("reductions", None)
    header = {key: parse_document(part, f"{source.where} $.{key}") for key, part in parts.items()}
    items = [] if samples == b"null" else array_parts(samples, f"{source.where} $.samples")
    places = ((f"{source.where} $.samples[{i}]", data) for i, data in enumerate(items))
    return _build(source, header, places, [], [])


def _build(
    source: Source,
    header: Mapping[str, Any],
    samples: Iterable[tuple[str, bytes]],
    notes: list[str],
    objections: list[str],
) -> ImportedRun:
    version = header.get("version", 1)
    if version not in VERSIONS:
        raise MalformedInput(
            f"the log is of schema version {str(version)[:20]}, this reader knows {VERSIONS[0]} and {VERSIONS[1]}",
            where=source.where,
            hint="a newer program may read it; nothing was imported, lest a changed field is misread",
        )
    spec = as_dict(header.get("eval"))
    if not spec:
        raise MalformedInput("the log has no 'eval' with what was run", where=f"{source.where} $.eval")
    status = as_text(header.get("status"))
    if status and status != "success":
        objections.append(f"the run ended with status {status!r}")
    records = tuple(_read_sample(where, data) for where, data in samples)
    counts, notes_of_counts, objections_of_counts = read_counts(header, records)
    metrics, metric_notes = read_claims(header, records)
    return ImportedRun(
        tool="inspect",
        tool_version=as_text(as_dict(spec.get("packages")).get("inspect_ai")),
        format_version=str(version),
        files=(source.file,),
        task=as_text(spec.get("task")),
        model=as_text(spec.get("model")),
        dataset=as_text(as_dict(spec.get("dataset")).get("name")),
        created=as_text(spec.get("created")),
        params=_params(header, spec),
        metrics=metrics,
        counts=counts,
        records=records,
        notes=(*notes, *notes_of_counts, *metric_notes),
        objections=(*objections, *objections_of_counts),
        exact_scorers=_exact_scorers(spec, records),
    )


def _params(header: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, str | int | bool]:
    params: dict[str, str | int | bool] = {}
    for place in (
        as_dict(as_dict(header.get("plan")).get("config")),
        as_dict(spec.get("model_generate_config")),
    ):
        for name in PARAMS:
            add_param(params, name, place.get(name))
    epochs = as_dict(spec.get("config")).get("epochs")
    add_param(params, "epochs", epochs)
    return params


def _exact_scorers(spec: Mapping[str, Any], records: Iterable[ImportedRecord]) -> frozenset[str]:
    """Scores of Inspect's own plain matches: not those of a scorer that only has the name of one."""
    stated = (as_text(as_dict(item).get("name")) for item in as_list(spec.get("scorers")))
    named = {
        name.removeprefix("inspect_ai/") for name in stated
    }  # another package's `match` is `package/match`
    used = {key for record in records for key in record.scores}
    return frozenset(key for key in used & EXACT_SCORERS if not named or key in named)


# -- samples -----------------------------------------------------------------------------------------------------


def _read_sample(where: str, data: bytes) -> ImportedRecord:
    sample = _decode_sample(where, data)
    output = _decode_output(where, bytes(sample.output))
    texts = _Texts(sample.attachments)
    turns = sample.messages or (
        [_Message("user", sample.input)] if isinstance(sample.input, str) else sample.input
    )
    sent = list(_before_answer(turns))
    messages: tuple[Turn, ...] = tuple((turn.role, texts.of(turn.content)) for turn in sent)
    answer, finish = None, None
    if output.choices and output.choices[0].message is not None:
        choice = output.choices[0]
        assert choice.message is not None
        answer, finish = texts.of(choice.message.content), choice.stop_reason
        texts.is_plain &= not choice.message.tool_calls
    error = as_text(as_dict(sample.error).get("message")) or (output.error or "")
    if sample.error is not None and not error:
        error = "the sample ended with an error"
    return ImportedRecord(
        id=str(sample.id),
        epoch=sample.epoch,
        sha256=digest(data),
        messages=messages,
        output=None if error and not answer else answer,
        target=tuple(as_text(item) for item in _listed(sample.target)),
        finish=finish,
        error=error or None,
        scores=_scores(sample),
        response=bytes(sample.output).decode("utf-8", "replace"),
        model=output.model,
        usage=(output.usage.input_tokens, output.usage.output_tokens) if output.usage else None,
        is_plain_text=texts.is_plain and not any(turn.tool_calls or turn.role == "tool" for turn in sent),
    )


def _decode_sample(where: str, data: bytes) -> _Sample:
    try:
        return _sample_decoder.decode(data)
    except msgspec.ValidationError as error:
        raise MalformedInput(f"not a sample of an Inspect log: {error}", where=where) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_slowly(where, data)


def _decode_slowly(where: str, data: bytes) -> _Sample:
    """A sample with `NaN` somewhere, which is not JSON and which Inspect writes for what is unscored."""
    parts = object_parts(data, where)
    wanted = ("id", "epoch", "input", "target", "messages", "scores", "score", "error", "attachments")
    values = {
        key: msgspec.to_builtins(parse_document(parts[key], where), enc_hook=float)
        for key in wanted
        if key in parts
    }
    try:
        sample = msgspec.convert(values, _Sample, strict=False)
    except msgspec.ValidationError as error:
        raise MalformedInput(f"not a sample of an Inspect log: {error}", where=where) from error
    return msgspec.structs.replace(sample, output=msgspec.Raw(parts.get("output", b"{}")))


def _decode_output(where: str, data: bytes) -> _Output:
    if data == b"null":
        return _Output()
    try:
        return _output_decoder.decode(data)
    except msgspec.ValidationError as error:
        raise MalformedInput(f"not an output of an Inspect log: {error}", where=where) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        parts = object_parts(data, where)
        values = {k: parse_document(parts[k], where) for k in ("model", "choices", "error") if k in parts}
        return msgspec.convert(msgspec.to_builtins(values, enc_hook=float), _Output, strict=False)


def _scores(sample: _Sample) -> dict[str, RecordedScore]:
    logged = sample.scores or ({"": sample.score} if sample.score is not None else {})
    scores: dict[str, RecordedScore] = {}
    for name, score in logged.items():
        if isinstance(score.value, dict):
            for key, value in score.value.items():
                scores[f"{name}/{key}"] = score_of(value, WORDS)
        else:
            scores[name] = score_of(score.value, WORDS)
    return scores


def _before_answer(turns: list[_Message]) -> Iterator[_Message]:
    """The turns up to the last answer: what the model had before it gave that."""
    last = max((i for i, turn in enumerate(turns) if turn.role == "assistant"), default=len(turns))
    yield from turns[:last]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


class _Texts:
    """Contents as text, with what the log keeps beside the sample put back in its place."""

    def __init__(self, attachments: Mapping[str, str]) -> None:
        self._attachments = attachments
        self.is_plain = True
        """False once a content was met that is not text alone."""

    def of(self, content: Any) -> str:
        """The text of a message's content."""
        if isinstance(content, str):
            return self._resolve(content)
        parts = []
        for part in content if isinstance(content, list) else []:
            kind = part.get("type") if isinstance(part, dict) else None
            if kind == "text":
                parts.append(self._resolve(as_text(part.get("text"))))
            elif kind != "reasoning":
                self.is_plain = False
        return "\n".join(parts)

    def _resolve(self, text: str) -> str:
        if not text.startswith(_ATTACHMENT):
            return text
        found = self._attachments.get(text.removeprefix(_ATTACHMENT))
        if found is None:
            self.is_plain = False
            return text
        if len(found) > 2**28:
            raise LimitExceeded("an attachment of over 256 MiB")
        return found
