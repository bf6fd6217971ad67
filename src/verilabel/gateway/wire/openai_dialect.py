"""What the APIs of OpenAI have in common."""

from __future__ import annotations

from typing import Any

from verilabel.gateway.verdicts import Refusal, Usage
from verilabel.gateway.wire.choices_stream import ChoicesRewriter, read_usage
from verilabel.gateway.wire.interface import OpenFilter, Slot, StreamRewriter
from verilabel.gateway.wire.parameters import (
    count_media_in,
    first_text,
    names_of_tools,
    sampling_parameters,
)
from verilabel.gateway.wire.refusals import openai_body, openai_events
from verilabel.gateway.wire.texts import ECHO_MEMBERS, TextWalk

SAMPLING = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "reasoning_effort",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
)
NOT_TEXT_OF_REQUEST = frozenset(
    {
        "model",
        "stream",
        "stream_options",
        "stop",
        "n",
        "user",
        "metadata",
        "store",
        "safety_identifier",
        "service_tier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "prompt_cache_options",
        "reasoning_effort",
        "verbosity",
        "tool_choice",
        "modalities",
        "audio",
        "moderation",
        "logit_bias",
        "encoding_format",
        "truncation",
    }
)
"""Members of requests that no model reads. All that is not named here or by a dialect is looked at."""

NOT_TEXT_OF_CHOICE = frozenset({"index", "finish_reason", "logprobs", "token_ids"})


_PLAIN_CHOICE = NOT_TEXT_OF_CHOICE | {"message"}
_PLAIN_ANSWER = frozenset({"role", "content", "refusal"})
_OPAQUE_OF_REPLY = ("id", "object", "model", "system_fingerprint", "service_tier")
_PLAIN_REPLY = frozenset({*_OPAQUE_OF_REPLY, "choices", "created", "usage"})
_SCALARS = frozenset({str, type(None)})


def _is_plain_answer(message: Any) -> bool:
    """True for an answer that is a role and a text and nothing else, as most are."""
    return (
        type(message) is dict
        and message.keys() <= _PLAIN_ANSWER
        and type(message.get("role")) is str
        and type(message.get("content")) is str
        and message.get("refusal") is None
    )


class OpenAIDialect:
    """The parts of `interface.ClientDialect` that OpenAI's APIs share."""

    name: str
    path: str
    provider_path: str

    def wants_stream(self, body: dict[str, Any]) -> bool:
        """True if the client asks for a stream."""
        return body.get("stream") is True

    def output_slots(self, reply: dict[str, Any]) -> list[Slot]:
        """Every place of a whole reply where a text stands that a client would read."""
        walk = TextWalk()
        choices = reply.get("choices")
        but = {"usage", "created"}
        if isinstance(choices, list) and all(isinstance(choice, dict) for choice in choices):
            but.add("choices")
            for position, choice in enumerate(choices):
                index = choice.get("index")
                walk.turn_to("assistant", index if type(index) is int else position)
                message = choice.get("message")
                if choice.keys() <= _PLAIN_CHOICE and _is_plain_answer(message):
                    walk.see_plain(message, "content", "content")
                else:
                    walk.see_members(choice, "content", but=NOT_TEXT_OF_CHOICE)
            if reply.keys() <= _PLAIN_REPLY and all(
                type(reply.get(name)) in _SCALARS for name in _OPAQUE_OF_REPLY
            ):
                return walk.slots
        walk.turn_to("assistant")
        walk.see_members(reply, "content", but=frozenset(but))
        return walk.slots

    def count_media(self, body: dict[str, Any]) -> int:
        """Images, audio and files in a request."""
        return count_media_in(body.get("messages"))

    def drop_echoes(self, reply: dict[str, Any]) -> None:
        """Take log probabilities and token ids out of a whole reply, in place."""
        choices = reply.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            for name in ECHO_MEMBERS if isinstance(choice, dict) else ():
                if choice.get(name) is not None:
                    choice[name] = None

    def usage(self, reply: dict[str, Any]) -> Usage | None:
        """Tokens that a whole reply says were used."""
        return read_usage(reply.get("usage"))

    def served(self, reply: dict[str, Any]) -> tuple[str | None, str | None]:
        """Model name and system fingerprint that a whole reply says."""
        return first_text(reply.get("model")), first_text(reply.get("system_fingerprint"))

    def rewriter(self, open_filter: OpenFilter, *, keeps_passages: bool) -> StreamRewriter:
        """A rewriter for one stream."""
        return ChoicesRewriter(open_filter, keeps_passages=keeps_passages)

    def refusal_body(self, refusal: Refusal, request_id: str) -> bytes:
        """A refusal as OpenAI's clients know errors."""
        return openai_body(refusal, request_id)

    def refusal_event(self, refusal: Refusal, request_id: str) -> bytes:
        """A refusal in the middle of a stream."""
        return openai_events(refusal, request_id)

    def keep_alive(self) -> bytes:
        """A comment."""
        return b": keep-alive\n\n"


def describe_request(
    body: dict[str, Any],
    *,
    media: int,
    tools: Any,
    turns: int,
    system: str,
    schema: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What conditions may ask of a request to an API of OpenAI."""
    return {
        "model": body.get("model"),
        "stream": body.get("stream") is True,
        "media": media,
        "tools": names_of_tools(tools),
        "turns": turns,
        "system": system,
        "params": sampling_parameters(body, SAMPLING),
        "end_user": first_text(body.get("safety_identifier"), body.get("user")),
        "schema": schema,
    }


def texts_of(content: Any) -> str:
    """The texts of a content, parts joined by line ends."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(
        part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
    )
