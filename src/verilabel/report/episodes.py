"""An agent's answer as steps that a person can read: what it said, called and ran, what came back, and how it ended.

Read from the record's response: this program's own episodes, and samples of Inspect. What is not plainly one of these,
and an episode whose steps are not those that the detectors read, has no steps and is shown as it was recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec

from verilabel.records.attempt import Attempt
from verilabel.records.episode import BoxStep, Episode, ModelStep, ToolStep, output_of
from verilabel.report.untrusted import shorten
from verilabel.report.view import EpisodeView, StepView

MAX_STEPS = 40
"""Steps of one episode that are shown."""
MAX_ARGUMENTS = 12
"""Arguments of one call that are shown each by itself; more stand together as JSON."""
MAX_STEP_CHARS = 1200
"""Characters of one text of a step."""
MAX_NAME_CHARS = 120
EPISODE_TASK = "verilabel/episode-task/v1"
INSPECT_TASK = "verilabel/inspect-task/v1"
ATTACHMENT = "attachment://"

ENDING_SAYS: dict[str, str] = {
    "answered": "The agent answered without a further call.",
    "finished": "The world was over.",
    "steps": "The agent had asked as many questions as it may.",
    "calls": "The agent had made as many calls as it may.",
    "tokens": "The episode had grown as long as it may.",
    "failed": "A question to the model failed.",
}


def read_prompt_of_inspect(attempt: Attempt) -> str | None:
    """The last user turn that a sample of Inspect began with; None where the attempt is none or holds none."""
    sample = _read_inspect(attempt)
    if sample is None:
        return None
    begun = sample.get("input")
    if isinstance(begun, str):
        return _resolve(begun, sample)
    turns = [turn for turn in _dicts(begun) if turn.get("role") == "user"]
    return _text_of(turns[-1].get("content"), sample) if turns else None


def view_episode(attempt: Attempt) -> EpisodeView | None:
    """The steps of an answer that is an episode, bounded in number and length; None where it is none."""
    if attempt.output is None or attempt.response is None:
        return None
    if _format_of(attempt.request) == EPISODE_TASK:
        return _view_own(attempt.response, attempt.output)
    sample = _read_inspect(attempt)
    return None if sample is None else _view_inspect(sample)


def _view_own(response: str, output: str) -> EpisodeView | None:
    try:
        episode = msgspec.json.decode(response, type=Episode)
    except (msgspec.DecodeError, RecursionError):
        return None
    if output_of(episode) != output:
        return None
    held = episode.containment
    return _bound(
        (step for event in episode.events for step in _steps_of(event)),
        ending=ENDING_SAYS[episode.ending],
        containment=None if held is None else f"{held.level}, {held.provider}",
    )


def _steps_of(event: ModelStep | ToolStep | BoxStep) -> Iterator[StepView]:
    if isinstance(event, ToolStep):
        policy = f"tool policy: {event.verdict} {', '.join(event.rules)}".strip() if event.verdict else None
        notes = tuple(note for note in ("failed" if event.failed else None, policy) if note)
        yield _call(event.tool, event.arguments, event.result, notes)
    elif isinstance(event, BoxStep):
        yield _program(event)
    elif event.failure is not None:
        yield StepView(f"the {event.role or 'model'} gave no answer", (event.failure.kind,), ())
    elif event.text:
        yield StepView(f"the {event.role or 'agent'} says", (), (("", event.text),))


def _program(event: BoxStep) -> StepView:
    ended = "ended, as its time was over" if event.timed_out else f"exit status {event.exit_status}"
    streams = (("input", event.stdin), ("output", event.stdout), ("error output", event.stderr))
    texts = (("program", " ".join(event.argv)), *((name, text) for name, text in streams if text))
    notes = (ended, f"limit reached: {event.limit_hit}") if event.limit_hit else (ended,)
    return StepView("a program runs in the sandbox", notes, texts)


def _call(tool: str, arguments: object, result: str, notes: tuple[str, ...]) -> StepView:
    texts = (*_arguments(arguments), ("result", result))
    return StepView(f"calls {tool}", notes, texts)


def _arguments(arguments: object) -> tuple[tuple[str, str], ...]:
    """Each argument by its name, a text as it is; all together as JSON where they are many or no object."""
    if isinstance(arguments, str):
        try:
            read = msgspec.json.decode(arguments)
        except (msgspec.DecodeError, RecursionError):
            return (("arguments", arguments),)
    else:
        read = arguments
    if not isinstance(read, dict) or len(read) > MAX_ARGUMENTS:
        return (("arguments", _as_json(read)),)
    return tuple(
        (f"argument {name}", value if isinstance(value, str) else _as_json(value))
        for name, value in read.items()
    )


def _as_json(value: object) -> str:
    return msgspec.json.encode(value).decode("utf-8")


# -- samples of Inspect ----------------------------------------------------------------------------


def _read_inspect(attempt: Attempt) -> dict[str, Any] | None:
    if attempt.response is None or _format_of(attempt.request) != INSPECT_TASK:
        return None
    try:
        read = msgspec.json.decode(attempt.response)
    except (msgspec.DecodeError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _format_of(request: str) -> str | None:
    try:
        read = msgspec.json.decode(request)
    except (msgspec.DecodeError, RecursionError):
        return None
    named = read.get("format") if isinstance(read, dict) else None
    return named if isinstance(named, str) else None


def _view_inspect(sample: dict[str, Any]) -> EpisodeView | None:
    messages = _dicts(sample.get("messages"))
    results = {
        turn["tool_call_id"]: turn
        for turn in messages
        if turn.get("role") == "tool" and isinstance(turn.get("tool_call_id"), str)
    }
    limit = sample.get("limit")
    stopped = limit.get("type") if isinstance(limit, dict) else None
    ending = (
        "The agent of the task was done." if stopped is None else f"Inspect's limit was reached: {stopped}."
    )
    return _bound(_turns(messages, results, sample), ending=ending, containment=None)


def _turns(
    messages: Sequence[dict[str, Any]], results: Mapping[str, dict[str, Any]], sample: Mapping[str, Any]
) -> Iterator[StepView]:
    for turn in messages:
        role = turn.get("role")
        if turn.get("source") == "input" or role not in ("user", "assistant"):
            continue
        text = _text_of(turn.get("content"), sample)
        if text:
            yield StepView("the agent says" if role == "assistant" else "the task says", (), (("", text),))
        for call in _dicts(turn.get("tool_calls")):
            came = results.get(str(call.get("id")), {})
            result = _text_of(came.get("content"), sample) or ""
            notes = ("failed",) if came.get("error") else () if came else ("no result is recorded",)
            yield _call(str(call.get("function")), call.get("arguments"), result, notes)


def _text_of(content: object, sample: Mapping[str, Any]) -> str | None:
    if isinstance(content, str):
        return _resolve(content, sample)
    texts = [part["text"] for part in _dicts(content) if isinstance(part.get("text"), str)]
    return "\n".join(_resolve(text, sample) for text in texts) if texts else None


def _resolve(text: str, sample: Mapping[str, Any]) -> str:
    """A text that Inspect keeps apart from its place, by its digest."""
    apart = sample.get("attachments")
    if not text.startswith(ATTACHMENT) or not isinstance(apart, dict):
        return text
    kept = apart.get(text.removeprefix(ATTACHMENT))
    return kept if isinstance(kept, str) else text


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


# -- bounds ----------------------------------------------------------------------------------------


def _bound(steps: Iterator[StepView], *, ending: str, containment: str | None) -> EpisodeView:
    shown = tuple(
        StepView(
            shorten(step.heading, MAX_NAME_CHARS),
            tuple(shorten(note, MAX_NAME_CHARS) for note in step.notes),
            tuple(
                (shorten(name, MAX_NAME_CHARS), shorten(text, MAX_STEP_CHARS)) for name, text in step.texts
            ),
        )
        for step in islice(steps, MAX_STEPS)
    )
    return EpisodeView(shown, sum(1 for _ in steps), shorten(ending, MAX_NAME_CHARS), containment)
