"""What the mock upstream answers: texts, how a stream is cut into events, how long it waits between them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

SENTENCE = "The old mill by the river turns slowly while cold rain falls on the stone bridge. "
PLAIN_TEXT = (SENTENCE * 4)[:255] + "!"
"""What is answered in the load tables: 256 characters, in which no rule finds anything; a stream of 66 chunks."""
PLAIN_CHUNK = 4
MODEL = "mock-1"


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One answer, whole or as a stream. `sizes` are characters an event and are repeated to the end of each text.

    `quiet_choices` are answered before the telling one, with plain text: a filter that looks at the first choice alone
    then misses it. `pause_ms` is between events; without a pause, `burst` puts the whole stream into one write, else
    each event is a write of its own.
    """

    content: str = PLAIN_TEXT
    reasoning: str = ""
    arguments: str = ""
    sizes: tuple[int, ...] = (PLAIN_CHUNK,)
    quiet_choices: int = 0
    pause_ms: float = 0.0
    burst: bool = True

    def pieces(self, text: str) -> Iterator[str]:
        """The text in the pieces of its events."""
        start, turn = 0, 0
        while start < len(text):
            size = max(1, self.sizes[turn % len(self.sizes)])
            yield text[start : start + size]
            start += size
            turn += 1


_encode = msgspec.json.encode


def whole_reply(scenario: Scenario) -> bytes:
    """The JSON body of the whole answer, in OpenAI's form."""
    message: dict[str, object] = {"role": "assistant", "content": scenario.content, "refusal": None}
    if scenario.reasoning:
        message["reasoning_content"] = scenario.reasoning
    if scenario.arguments:
        call = {"name": "send_mail", "arguments": scenario.arguments}
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": call}]
    finish = "tool_calls" if scenario.arguments else "stop"
    choices: list[dict[str, object]] = [
        {"index": i, "message": {"role": "assistant", "content": PLAIN_TEXT}, "finish_reason": "stop"}
        for i in range(scenario.quiet_choices)
    ]
    last = {"index": len(choices), "message": message, "logprobs": None, "finish_reason": finish}
    choices.append(last)
    return _encode(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1700000000,
            "model": MODEL,
            "choices": choices,
            "usage": {
                "prompt_tokens": 30,
                "completion_tokens": 64,
                "total_tokens": 94,
                "prompt_tokens_details": {"cached_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0},
            },
            "service_tier": "default",
            "system_fingerprint": "fp_1",
        }
    )


def stream_events(scenario: Scenario) -> list[bytes]:
    """The stream's events, `[DONE]` the last; choices one after another."""
    events: list[bytes] = []
    for index in range(scenario.quiet_choices):
        events.append(_event(index, {"role": "assistant", "content": ""}))
        events += [_event(index, {"content": piece}) for piece in scenario.pieces(PLAIN_TEXT)]
        events.append(_event(index, {}, "stop"))
    index = scenario.quiet_choices
    events.append(_event(index, {"role": "assistant", "content": ""}))
    events += [_event(index, {"reasoning_content": piece}) for piece in scenario.pieces(scenario.reasoning)]
    events += [_event(index, {"content": piece}) for piece in scenario.pieces(scenario.content)]
    if scenario.arguments:
        opening = {
            "index": 0,
            "id": "call_1",
            "type": "function",
            "function": {"name": "send_mail", "arguments": ""},
        }
        events.append(_event(index, {"tool_calls": [opening]}))
        events += [
            _event(index, {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
            for piece in scenario.pieces(scenario.arguments)
        ]
    events.append(_event(index, {}, "tool_calls" if scenario.arguments else "stop"))
    return [*events, b"data: [DONE]\n\n"]


def _event(index: int, delta: dict[str, object], finish: str | None = None) -> bytes:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": MODEL,
        "choices": [{"index": index, "delta": delta, "finish_reason": finish}],
    }
    return b"data: " + _encode(chunk) + b"\n\n"
