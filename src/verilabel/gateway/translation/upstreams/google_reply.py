"""Replies and streams of generateContent, as Google's Gemini API gives them."""

from __future__ import annotations

from typing import Any

import msgspec

from verilabel.errors import MalformedInput
from verilabel.gateway.translation.conversation import (
    Answer,
    Argued,
    Begun,
    Call,
    Called,
    Count,
    Counted,
    Ended,
    Event,
    Failed,
    PartEnded,
    Refusal,
    Reply,
    Said,
    Signed,
    Stop,
    Stopped,
    Text,
    Thought,
)
from verilabel.gateway.translation.identity import Maker
from verilabel.gateway.translation.shapes import Heard, read_event, read_reply, write_json
from verilabel.gateway.wire.interface import MalformedStream

STOPS: dict[str, Stop] = {"STOP": "stop", "MAX_TOKENS": "length", "CONTINUATION": "length"}
WITHHELD = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "OTHER",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "IMAGE_OTHER",
        "ESCALATION",
        "MODEL_ARMOR",
        "PUP_LIMITED_DISABLED",
    }
)
"""Reasons for which the provider withholds an answer; any other than these and STOPS is a failure."""
PART_MEMBERS = frozenset({"text", "thought", "thoughtSignature", "functionCall", "partMetadata"})


class _FunctionCall(Heard, rename="camel"):
    name: str
    args: dict[str, Any] | None = None
    id: str | None = None
    will_continue: bool | None = None


class _Content(Heard):
    parts: list[dict[str, Any]] | None = None


class _Token(Heard, rename="camel"):
    token: str = ""
    log_probability: float | None = None


class _Alternatives(Heard):
    candidates: tuple[_Token, ...] = ()


class _LogprobsResult(Heard, rename="camel"):
    chosen_candidates: tuple[_Token, ...] = ()
    top_candidates: tuple[_Alternatives, ...] = ()


class _Candidate(Heard, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    index: int = 0
    logprobs_result: _LogprobsResult | None = None


class _Feedback(Heard, rename="camel"):
    block_reason: str | None = None


class _Usage(Heard, rename="camel"):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None


class _Generated(Heard, rename="camel"):
    """A whole reply or one event of a stream."""

    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: _Usage | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: Any = None


class _Part(Heard, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _FunctionCall | None = None


_decoder = msgspec.json.Decoder(_Generated)


def read_google_reply(body: dict[str, Any], maker: Maker) -> Reply:
    """A generateContent reply in the neutral form. Raises MalformedInput."""
    generated = read_reply(body, _Generated)
    if generated.candidates:
        answers = [_read_candidate(candidate, maker) for candidate in generated.candidates]
    elif generated.prompt_feedback and generated.prompt_feedback.block_reason:
        answers = [Answer(parts=[], stop="content_filter", explanation=_blocked(generated.prompt_feedback))]
    else:
        raise MalformedInput("the upstream's reply has no candidates", where="$.candidates")
    return Reply(
        answers=answers,
        id=generated.response_id or "",
        model=generated.model_version or "",
        count=_read_usage(generated.usage_metadata) if generated.usage_metadata else None,
    )


def _blocked(feedback: _Feedback) -> str:
    return f"the provider blocked the prompt: {(feedback.block_reason or '')[:40]}"


def _withheld(reason: str) -> str:
    return f"the provider withheld the answer: {reason}"


def _read_candidate(candidate: _Candidate, maker: Maker) -> Answer:
    where = f"$.candidates[{candidate.index}]"
    reason = candidate.finish_reason or ""
    if reason not in STOPS and reason not in WITHHELD:
        raise MalformedInput("the upstream's reply ends for no known reason", where=f"{where}.finishReason")
    parts: list[Text | Refusal | Thought | Call] = []
    values = (candidate.content.parts if candidate.content else None) or []
    for place, value in enumerate(values):
        _add_part(parts, _read_part(value, f"{where}.content.parts[{place}]"), maker)
    return Answer(
        parts=parts,
        stop=_stop_of(reason, has_called=any(isinstance(part, Call) for part in parts)),
        index=candidate.index,
        explanation=_withheld(reason) if reason in WITHHELD else None,
        logprobs=_read_logprobs(candidate.logprobs_result),
    )


def _stop_of(reason: str, *, has_called: bool) -> Stop:
    if reason in WITHHELD:
        return "content_filter"
    return "tool_calls" if has_called and reason == "STOP" else STOPS[reason]


def _read_part(value: dict[str, Any], where: str) -> _Part:
    if not PART_MEMBERS.issuperset(value):
        raise MalformedInput("the upstream's reply holds a part that has no translation", where=where)
    try:
        part = msgspec.convert(value, _Part)
    except msgspec.ValidationError:
        raise MalformedInput("the upstream's reply holds a part that cannot be read", where=where) from None
    if part.function_call and part.function_call.will_continue:
        raise MalformedInput("the upstream's reply holds a call in pieces", where=where)
    return part


def _add_part(parts: list[Text | Refusal | Thought | Call], part: _Part, maker: Maker) -> None:
    signature = part.thought_signature or ""
    if part.function_call is not None:
        call = part.function_call
        parts.append(
            Call(
                id=call.id or maker.call_id(),
                name=call.name,
                arguments=write_json(call.args or {}),
                signature=signature,
            )
        )
    elif part.thought:
        _add_thought(parts, part.text or "", signature)
    elif part.text:  # a signature of words need not be given back
        last = parts[-1] if parts else None
        if isinstance(last, Text):
            last.text += part.text
        else:
            parts.append(Text(part.text))


def _add_thought(parts: list[Text | Refusal | Thought | Call], text: str, signature: str) -> None:
    last = parts[-1] if parts else None
    if not isinstance(last, Thought) or last.signature:
        last = Thought()
        parts.append(last)
    last.text += text
    if signature:
        last.signature, last.origin = signature, "google"


def _read_logprobs(result: _LogprobsResult | None) -> list[Any] | None:
    """Log probabilities in the form of chat completions."""
    if result is None:
        return None
    entries = []
    for place, chosen in enumerate(result.chosen_candidates):
        top = result.top_candidates[place].candidates if place < len(result.top_candidates) else []
        entries.append({**_write_token(chosen), "top_logprobs": [_write_token(token) for token in top]})
    return entries


def _write_token(token: _Token) -> dict[str, Any]:
    logprob = -9999.0 if token.log_probability is None else token.log_probability
    return {"token": token.token, "logprob": logprob, "bytes": list(token.token.encode("utf-8", "replace"))}


def _read_usage(usage: _Usage) -> Count:
    return Count(
        input=(usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0),
        output=(usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        cached=usage.cached_content_token_count or 0,
        reasoning=usage.thoughts_token_count or 0,
    )


class GoogleEvents:
    """Reads the events of one stream. It has ended properly where every candidate that began gave a reason."""

    def __init__(self, maker: Maker) -> None:
        self._maker = maker
        self._has_begun = False
        self._open: set[int] = set()
        self._stopped: set[int] = set()
        self._calls: dict[int, int] = {}

    def read(self, name: str | None, data: bytes) -> list[Event]:
        """What one event says. Raises MalformedStream."""
        del name
        generated = read_event(_decoder, data)
        if generated.error:
            return [_read_error(generated.error)]
        events: list[Event] = []
        if not self._has_begun:
            self._has_begun = True
            events.append(Begun(id=generated.response_id or "", model=generated.model_version or ""))
        feedback = generated.prompt_feedback
        if feedback and feedback.block_reason and not generated.candidates and not self._stopped:
            self._stopped.add(0)
            events.append(Stopped(0, "content_filter", explanation=_blocked(feedback)))
        for candidate in generated.candidates or ():
            self._read_candidate(candidate, events)
        if generated.usage_metadata is not None:
            events.append(Counted(_read_usage(generated.usage_metadata)))
        return events

    def finish(self) -> list[Event]:
        """The connection has ended, which is how this API ends a stream."""
        return [Ended()] if self._stopped and self._open <= self._stopped else []

    def _read_candidate(self, candidate: _Candidate, events: list[Event]) -> None:
        index = candidate.index
        self._open.add(index)
        logprobs = _read_logprobs(candidate.logprobs_result)
        values = (candidate.content.parts if candidate.content else None) or []
        for place, value in enumerate(values):
            try:
                part = _read_part(value, f"$.candidates[{index}].content.parts[{place}]")
            except MalformedInput as error:
                raise MalformedStream(error.message, where=error.where) from None
            self._add_part(index, part, events, logprobs)
            logprobs = None if part.text and not part.thought else logprobs
        reason = candidate.finish_reason
        if reason and index not in self._stopped:
            if reason not in STOPS and reason not in WITHHELD:
                raise MalformedStream("the upstream's stream ends for no known reason")
            self._stopped.add(index)
            said = _withheld(reason) if reason in WITHHELD else None
            events.append(Stopped(index, _stop_of(reason, has_called=index in self._calls), explanation=said))

    def _add_part(self, index: int, part: _Part, events: list[Event], logprobs: list[Any] | None) -> None:
        signature = part.thought_signature or ""
        if part.function_call is not None:
            place = self._calls.get(index, 0)
            self._calls[index] = place + 1
            call = part.function_call
            identity = call.id or self._maker.call_id()
            events.append(Called(index, place, identity, call.name, signature))
            events.append(Argued(index, place, write_json(call.args or {})))
            events.append(PartEnded(index))
            return
        if part.thought:
            if part.text:
                events.append(Said("thought", index, part.text))
            if signature:
                events.append(Signed(index, "google", signature))
            return
        if part.text:  # a signature of words need not be given back
            events.append(Said("text", index, part.text, logprobs))


def _read_error(error: Any) -> Failed:
    said = error if isinstance(error, dict) else {}
    message = said.get("message")
    return Failed(
        message if isinstance(message, str) else "the upstream failed",
        is_overload=said.get("status") == "UNAVAILABLE",
    )
