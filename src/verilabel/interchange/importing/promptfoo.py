"""JSON output of promptfoo: version 1, 2 (a table beside the results) and 3 (metrics for each prompt and provider).

A result without an assertion passes whatever the answer is; where all do, nothing was measured, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from verilabel.errors import MalformedInput
from verilabel.interchange.importing.printed import print_claim, score_of
from verilabel.interchange.importing.run import (
    ClaimedCount,
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
    array_parts,
    as_count,
    as_dict,
    as_list,
    as_text,
    object_parts,
    parse_document,
    parse_object,
    plain_json,
)
from verilabel.records.canonical import digest, jcs

VERSIONS = (1, 2, 3)
STATS: dict[str, DerivationKind] = {"successes": "ones", "failures": "zeros", "errors": "missing"}
OF_PROMPT: dict[str, tuple[str, DerivationKind]] = {
    "testPassCount": ("success", "ones"),
    "testFailCount": ("success", "zeros"),
    "testErrorCount": ("success", "missing"),
    "score": ("score", "sum"),
}
FAILED_BY_ERROR = 2
NO_ASSERTIONS = "No assertions"


def read_promptfoo(source: Source) -> ImportedRun:
    """Read an output file. Raises MalformedInput for another version or form."""
    top = object_parts(source.data, source.where)
    inner = top
    where = source.where
    if (
        top.get("results", b"").lstrip()[:1] == b"{"
    ):  # version 2 and later: results, stats and version one level down
        inner, where = object_parts(top["results"], source.where), f"{source.where} $.results"
    if "results" not in inner:
        raise MalformedInput("there are no results", where=where)
    raws = array_parts(inner["results"], f"{where} $.results")
    head = {
        key: parse_document(part, f"{where} $.{key}")
        for key, part in inner.items()
        if key not in ("results", "table")
    }
    version = as_count(head.get("version"))
    if version not in VERSIONS:
        raise MalformedInput(
            f"the output is of version {as_text(head.get('version'))[:20] or 'unknown'}, this reader knows 1 to 3",
            where=f"{where} $.version",
            hint="nothing was imported, lest a changed field is misread",
        )
    has_errors = as_count(as_dict(head.get("stats")).get("errors")) is not None
    reader = _Reader(has_errors)
    records = tuple(reader.read(raw, f"{where} $.results[{i}]") for i, raw in enumerate(raws))
    models = sorted({record.model for record in records if record.model})
    return ImportedRun(
        tool="promptfoo",
        format_version=str(version),
        files=(source.file,),
        task=_description(top),
        model=", ".join(models[:4]),
        created=as_text(head.get("timestamp")),
        metrics=tuple(_claims(head)),
        counts=_counts(head),
        records=records,
        notes=_notes(version, models),
        objections=tuple(_object(reader, records)),
    )


def _notes(version: int | None, models: Sequence[str]) -> tuple[str, ...]:
    notes = [] if len(models) < 2 else [f"the results are of {len(models)} providers"]
    if version == 1:
        notes.append("version 1 says neither which model answered nor whether any assertion was checked")
    return tuple(notes)


def _description(top: Mapping[str, bytes]) -> str:
    config = parse_document(top["config"], "config") if "config" in top else {}
    return as_text(as_dict(config).get("description"))


def _object(reader: _Reader, records: Sequence[ImportedRecord]) -> Iterator[str]:
    yield from _vacuous(reader, records)
    if reader.passed_and_failed:
        yield f"{reader.passed_and_failed:,} results are a success where their grading is a failure, or the reverse"


def _vacuous(reader: _Reader, records: Sequence[ImportedRecord]) -> tuple[str, ...]:
    if records and reader.without_assertion == len(records):
        return ("no result was checked by an assertion: whatever the answers are, all pass",)
    if reader.without_assertion:
        return (f"{reader.without_assertion:,} of {len(records):,} results were checked by no assertion",)
    return ()


def _counts(head: Mapping[str, Any]) -> tuple[ClaimedCount, ...]:
    stats = as_dict(head.get("stats"))
    given = [count for name in STATS if (count := as_count(stats.get(name))) is not None]
    return (ClaimedCount("records", sum(given), "successes, failures and errors"),) if given else ()


def _claims(head: Mapping[str, Any]) -> list[ClaimedMetric]:
    stats = as_dict(head.get("stats"))
    total = sum(count for name in STATS if (count := as_count(stats.get(name))) is not None)
    claims = [
        ClaimedMetric(name, printed, "success", derivation=Derivation(kind, "none"), of=total)
        for name, kind in STATS.items()
        if (printed := print_claim(stats.get(name))) is not None
    ]
    for index, prompt in enumerate(map(as_dict, as_list(head.get("prompts")))):
        metrics = as_dict(prompt.get("metrics"))
        group = f"prompt {index}"
        of = sum(as_count(metrics.get(f"test{word}Count")) or 0 for word in ("Pass", "Fail", "Error"))
        named = as_dict(metrics.get("namedScores"))
        for name, value in {**{name: metrics.get(name) for name in OF_PROMPT}, **named}.items():
            key, kind = OF_PROMPT.get(name, (f"named {name}", "sum"))
            if (printed := print_claim(value)) is not None:
                claims.append(
                    ClaimedMetric(
                        name,
                        printed,
                        key,
                        group,
                        as_text(prompt.get("provider")),
                        Derivation(kind, "none"),
                        of=of,
                    )
                )
    return claims


class _Reader:
    """Reads results one after another, and tells repetitions of one test apart."""

    def __init__(self, errors_are_counted: bool) -> None:
        self._errors_are_counted = errors_are_counted
        self._first: dict[tuple[str, bytes], str] = {}
        self._times: dict[tuple[str, str], int] = {}
        self.without_assertion = 0
        self.passed_and_failed = 0

    def read(self, raw: bytes, where: str) -> ImportedRecord:
        """One result."""
        result = parse_object(raw, where)
        prompt, response = as_dict(result.get("prompt")), as_dict(result.get("response"))
        provider = result.get("provider")
        model = as_text(as_dict(provider).get("id")) or as_text(provider)
        label = as_text(prompt.get("label")) or as_text(prompt.get("display"))
        index = as_count(result.get("promptIdx"))
        group = f"prompt {index}" if index is not None else " ".join(part for part in (label, model) if part)
        messages, is_plain = read_messages(prompt.get("raw"))
        # the same prompt with the same variables again is a repetition, whatever number it was given
        same = (group, digest(jcs([messages, plain_json(result.get("vars"))])).encode())
        name = self._first.setdefault(same, as_text(result.get("testIdx")) or str(len(self._first)))
        epoch = self._times[group, name] = self._times.get((group, name), 0) + 1
        self.without_assertion += _is_unchecked(result)
        graded, success = as_dict(result.get("gradingResult")).get("pass"), result.get("success")
        self.passed_and_failed += isinstance(graded, bool) and graded is not success
        output, error = response.get("output"), as_text(result.get("error")) or as_text(response.get("error"))
        by_error = as_count(result.get("failureReason")) == FAILED_BY_ERROR or (
            output is None and bool(error)
        )
        text = output if isinstance(output, str) else jcs(plain_json(output)).decode()
        return ImportedRecord(
            id=name,
            epoch=epoch,
            group=group,
            sha256=digest(raw),
            messages=messages,
            output=None if output is None else text,
            error=(error or "the provider gave no answer") if by_error else None,
            scores=self._scores(result, by_error),
            response=jcs(plain_json(response)).decode(),
            model=model,
            is_plain_text=is_plain,
        )

    def _scores(self, result: Mapping[str, Any], by_error: bool) -> dict[str, RecordedScore]:
        success = score_of(result.get("success"))
        if by_error and self._errors_are_counted:
            success = RecordedScore(success.raw, None, "the provider gave no answer")
        scores = {"success": success}
        if "score" in result:
            scores["score"] = score_of(result["score"])
        for name, value in as_dict(result.get("namedScores")).items():
            scores[f"named {name}"] = score_of(value)
        return {name: _failed(score) for name, score in scores.items()} if by_error else scores


def _failed(score: RecordedScore) -> RecordedScore:
    """The score of a failed result: its 0 is promptfoo's way to count an error as a failure."""
    return replace(score, reason="an error is counted as a failure") if score.number == 0 else score


def _is_unchecked(result: Mapping[str, Any]) -> bool:
    """True if the result says that it had no assertion; older versions do not say."""
    return as_text(as_dict(result.get("gradingResult")).get("reason")) == NO_ASSERTIONS


def read_messages(raw: Any) -> tuple[tuple[Turn, ...], bool]:
    """The turns of a rendered prompt, which is text or a JSON list of messages, and whether they are all text."""
    text = raw if isinstance(raw, str) else jcs(plain_json(raw)).decode()
    if text.lstrip()[:1] != "[":
        return (("user", text),), True
    try:
        listed = parse_document(text.encode("utf-8", "surrogatepass"), "prompt")
    except MalformedInput:
        return (("user", text),), True
    messages = [as_dict(item) for item in as_list(listed)]
    if not messages or not all(isinstance(message.get("role"), str) for message in messages):
        return (("user", text),), True
    turns = tuple((as_text(message["role"]), as_text(message.get("content"))) for message in messages)
    return turns, all(isinstance(message.get("content"), str) for message in messages)
