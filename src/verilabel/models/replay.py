"""Recorded answers asked again: a file of prompts and outputs in the model's place (identity `recorded`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec

from verilabel.errors import UsageError
from verilabel.models.dialects.dialect import short_name
from verilabel.models.interface import Exchange, ModelRequest, PlainRequest, PlainResponse, Stopwatch
from verilabel.models.recorded import RecordedAnswer, RecordedFile, read_recorded
from verilabel.records.attempt import Failure
from verilabel.records.system import Identity

_encoder = msgspec.json.Encoder()


class ReplayModel:
    """Answers from a file, found by the exact text of the last user turn, or by the sample's id.

    Several answers to one prompt are its epochs 1, 2, ... in the file's order. A sample with no recorded
    answer is a Failure of kind `missing`, an empty one of kind `empty`. `notes` says in sentences how the
    file was read. `provider_model` binds the exact file by its SHA-256. Raises what `read_recorded` raises.
    """

    identity: Identity = "recorded"
    fixed_outcomes = True
    weights: str | None = None
    base_url: str | None = None
    max_concurrency: int | None = None

    def __init__(
        self,
        path: str | Path,
        *,
        columns: Mapping[str, str] | None = None,
        match_by: Literal["prompt", "id"] = "prompt",
    ) -> None:
        if match_by not in ("prompt", "id"):
            raise UsageError(f"answers are matched by 'prompt' or by 'id', not by {match_by!r}")
        file = read_recorded(Path(path), columns=columns or {}, key_role=match_by)
        self.match_by = match_by
        self.columns = file.columns
        self.address = f"replay:{Path(path).name}"
        self.provider_model = f"{Path(path).name}@sha256:{file.sha256}"
        self._answers: dict[str, list[RecordedAnswer]] = {}
        for answer in file.answers:
            self._answers.setdefault(answer.key, []).append(answer)
        self.notes = _describe(file, match_by, self._answers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def count_recorded(self, requests: Iterable[ModelRequest]) -> int:
        """How many of these questions the file answers."""
        return sum(self._find(request) is not None for request in requests)

    async def ask(self, request: ModelRequest) -> Exchange:
        """The recorded answer, unchanged. Raises UsageError for an epoch below 1."""
        watch = Stopwatch()
        body = _encoder.encode(PlainRequest(self.provider_model, request.messages, request.params))
        answer = self._find(request)
        if answer is None or not answer.output.strip():
            return Exchange(
                request=body,
                failure=self._missing(request) if answer is None else _empty(answer),
                started_us=watch.started_us,
                elapsed_us=watch.elapsed_us,
            )
        return Exchange(
            request=body,
            response=_encoder.encode(PlainResponse(answer.output, answer.served_model, answer.row)),
            output=answer.output,
            served_model=short_name(answer.served_model),
            started_us=watch.started_us,
            elapsed_us=watch.elapsed_us,
        )

    def _find(self, request: ModelRequest) -> RecordedAnswer | None:
        if request.epoch < 1:
            raise UsageError(f"epochs count from 1, not {request.epoch}")
        answers = self._answers.get(request.prompt if self.match_by == "prompt" else request.sample, [])
        return answers[request.epoch - 1] if request.epoch <= len(answers) else None

    def _missing(self, request: ModelRequest) -> Failure:
        answers = len(self._answers.get(request.prompt if self.match_by == "prompt" else request.sample, []))
        if answers:
            return Failure(
                "missing", f"the file has {answers} answers to this {self.match_by}, not {request.epoch}"
            )
        return Failure("missing", f"the file has no answer to this {self.match_by}")


def _empty(answer: RecordedAnswer) -> Failure:
    return Failure("empty", f"the recorded answer in row {answer.row} is empty")


def _describe(
    file: RecordedFile, match_by: str, answers: Mapping[str, list[RecordedAnswer]]
) -> tuple[str, ...]:
    notes = [f"{file.rows} rows, {len(file.answers)} answers to {len(answers)} different {match_by}s"]
    for role, column in file.columns.items():
        if role in (match_by, "output", "served_model"):
            how = " (guessed from its name)" if role in file.guessed else ""
            notes.append(f"{role} is read from column {column!r}{how}")
    if file.unanswered:
        notes.append(f"{file.unanswered} rows have no {match_by} or no output and answer nothing")
    several = sum(len(found) > 1 for found in answers.values())
    if several:
        notes.append(
            f"{several} {match_by}s have several answers: they are epochs 1, 2, ... in the file's order"
        )
    return tuple(notes)
