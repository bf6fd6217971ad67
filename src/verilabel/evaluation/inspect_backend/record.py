"""What an attempt at a sample of a task of Inspect holds: the request, Inspect's record of the sample, and its reading.

The request says which sample of which task was run, how, and which scorer is which. The response is Inspect's own
record of the sample (`EvalSample`) as JSON, with every call of the model. The output follows from both alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from verilabel.models.dialects.dialect import DECODE_ERRORS, Decoded
from verilabel.models.interface import ModelRequest
from verilabel.records.attempt import Failure, Usage
from verilabel.records.canonical import MAX_INTEGER, jcs
from verilabel.records.sample import Message, Sample
from verilabel.records.system import Scalar
from verilabel.suites.format import InspectTask

FORMAT = "verilabel/inspect-task/v1"
AGENT_PARAMS = "agent."
"""How the parameters of this program's own agent begin; a task of Inspect brings its own."""
MAX_ANSWER_CHARACTERS = 200_000
MAX_DEPTH = 20
_ATTACHMENT = "attachment://"


class InspectRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The request body of an attempt."""

    task: str
    args: dict[str, str]
    packages: dict[str, str]
    scorers: dict[str, str]
    suite: str
    sample: str
    sample_sha256: str
    epoch: int
    model: str
    params: dict[str, Scalar]
    system: str | None
    """The system prompt of the system under test, which Inspect puts before the task's own messages."""
    format: Literal["verilabel/inspect-task/v1"] = "verilabel/inspect-task/v1"


class _Content(msgspec.Struct):
    type: str = ""
    text: str = ""


class _Turn(msgspec.Struct):
    role: str = ""
    content: str | list[_Content] = ""


class _Value(msgspec.Struct):
    value: Any = None


class _Error(msgspec.Struct):
    message: str = ""


class _Limit(msgspec.Struct):
    type: str = ""


class _Choice(msgspec.Struct):
    message: _Turn = msgspec.field(default_factory=_Turn)
    stop_reason: str | None = None


class _Output(msgspec.Struct):
    model: str = ""
    choices: list[_Choice] = []


class _Tokens(msgspec.Struct):
    input_tokens: int = 0
    output_tokens: int = 0


class _Event(msgspec.Struct):
    event: str = ""
    error: Any = None


class InspectSample(msgspec.Struct):
    """The parts of Inspect's record of a sample that are read here."""

    id: str | int
    epoch: int
    input: str | list[_Turn] = ""
    scores: dict[str, _Value] | None = None
    error: _Error | None = None
    limit: _Limit | None = None
    output: _Output = msgspec.field(default_factory=_Output)
    attachments: dict[str, str] = {}
    model_usage: dict[str, _Tokens] = {}
    events: list[_Event] = []


_request = msgspec.json.Decoder(InspectRequest)
_sample = msgspec.json.Decoder(InspectSample)


def encode_request(
    task: InspectTask, sample: Sample, digest: str, request: ModelRequest, model: str
) -> bytes:
    """The canonical request body. `digest` is the sample's, `model` the system's name of the model."""
    return jcs(
        msgspec.to_builtins(
            InspectRequest(
                task=task.task,
                args=dict(task.args),
                packages=dict(task.packages),
                scorers=dict(task.scorers),
                suite=request.suite,
                sample=request.sample,
                sample_sha256=digest,
                epoch=request.epoch,
                model=model,
                params=task_params(request),
                system=system_of(sample, request),
            )
        )
    )


def task_params(request: ModelRequest) -> dict[str, Scalar]:
    """The parameters that are the model's, without those of this program's own agent."""
    return {key: value for key, value in request.params.items() if not key.startswith(AGENT_PARAMS)}


def system_of(sample: Sample, request: ModelRequest) -> str | None:
    """The system prompt that the engine put before the sample's own messages; None where there is none."""
    first = request.messages[0] if len(request.messages) == len(sample.messages) + 1 else None
    return first.content if first is not None and first.role == "system" else None


def read_response(request: str | bytes, response: bytes) -> tuple[Decoded | Failure, InspectSample | None]:
    """What a record says in answer to a request; pure, never raises."""
    try:
        asked, said = _request.decode(request), _sample.decode(response)
    except DECODE_ERRORS as error:
        return Failure("malformed", f"the record cannot be read: {type(error).__name__}"), None
    if (str(said.id), said.epoch) != (asked.sample, asked.epoch):
        return Failure("malformed", "the record is of another sample or epoch"), None
    if said.error is not None:
        return _failure_of(said), said
    stopped = said.limit.type if said.limit is not None else ""
    output = {
        "answer": _answer_of(said)[:MAX_ANSWER_CHARACTERS],
        "scores": _scores_of(said, asked.scorers),
        "stopped": stopped,
    }
    usage = Usage(
        sum(tokens.input_tokens for tokens in said.model_usage.values()),
        sum(tokens.output_tokens for tokens in said.model_usage.values()),
    )
    finish = stopped or (said.output.choices[0].stop_reason if said.output.choices else None)
    try:
        text = jcs(output).decode("utf-8")
    except Exception:
        return Failure("malformed", "the record holds what has no canonical form"), said
    return Decoded(text, finish, said.output.model or None, None, usage), said


def messages_of(said: InspectSample) -> tuple[tuple[str, str], ...]:
    """Role and text of the messages that the sample began with."""
    if isinstance(said.input, str):
        return (("user", _resolve(said.input, said.attachments)),)
    return tuple(
        (turn.role if turn.role in ("system", "user", "assistant") else "user", _text(turn, said.attachments))
        for turn in said.input
    )


def as_pairs(messages: tuple[Message, ...]) -> tuple[tuple[str, str], ...]:
    """Messages of a sample, as `messages_of` gives those of a record."""
    return tuple((message.role, message.content) for message in messages)


def _failure_of(said: InspectSample) -> Failure:
    """A sample that ended with an error measured nothing. It is asked again only where its last call of a model failed.

    The error's text may repeat anything that the agent met, so only its kind is named.
    """
    calls = [event for event in said.events if event.event == "model"]
    if calls and calls[-1].error is not None:
        return Failure("server_error", "the model failed within the sample", retryable=True)
    assert said.error is not None, "the caller looked"
    kind = said.error.message.partition("(")[0]
    shown = kind if kind.isidentifier() and len(kind) <= 60 else "an error"
    return Failure("server_error", f"the sample ended with {shown} in the task's own code")


def _answer_of(said: InspectSample) -> str:
    return _text(said.output.choices[0].message, said.attachments) if said.output.choices else ""


def _text(turn: _Turn, attachments: Mapping[str, str]) -> str:
    if isinstance(turn.content, str):
        return _resolve(turn.content, attachments)
    return "\n".join(_resolve(part.text, attachments) for part in turn.content if part.type == "text")


def _resolve(text: str, attachments: Mapping[str, str]) -> str:
    if not text.startswith(_ATTACHMENT):
        return text
    return attachments.get(text.removeprefix(_ATTACHMENT), text)


def _scores_of(said: InspectSample, scorers: Mapping[str, str]) -> dict[str, Any]:
    """Each scorer's value under its registered name; a score that no scorer of the task gave is left out.

    So is one that a solver wrote under a scorer's name: Inspect then puts the scorer's own under a name with a number.
    """
    scores = said.scores or {}
    taken = {
        key
        for key in scorers
        if any(f"{key}{n}" in scores and f"{key}{n}" not in scorers for n in range(1, 10))
    }
    return {
        name: _canonical(scores[key].value)
        for key, name in scorers.items()
        if key in scores and key not in taken
    }


def _canonical(value: Any, depth: int = 0) -> Any:
    """A value as canonical JSON has it: whole numbers as such, other decimals as text."""
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) <= MAX_INTEGER
        return int(value) if whole else repr(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_INTEGER:
        return str(value)
    if depth >= MAX_DEPTH:
        return None
    if isinstance(value, dict):
        return {key: _canonical(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item, depth + 1) for item in value]
    return value
