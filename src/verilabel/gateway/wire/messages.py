"""/v1/messages, Anthropic's API."""

from __future__ import annotations

from typing import Any

from verilabel.gateway.verdicts import Field, Refusal, Usage
from verilabel.gateway.wire.checks import (
    Fault,
    check_content,
    check_count,
    check_object,
    check_objects,
    check_shared,
    check_text,
    first_fault,
    refuse,
)
from verilabel.gateway.wire.interface import OpenFilter, Slot, StreamRewriter
from verilabel.gateway.wire.messages_stream import MessagesRewriter, add_usage
from verilabel.gateway.wire.openai_dialect import NOT_TEXT_OF_REQUEST, texts_of
from verilabel.gateway.wire.parameters import (
    asked_schema,
    count_media_in,
    first_text,
    most_tokens,
    names_of_tools,
    sampling_parameters,
)
from verilabel.gateway.wire.refusals import anthropic_body, anthropic_events
from verilabel.gateway.wire.texts import TextWalk

_SAMPLING = ("temperature", "top_p", "top_k", "max_tokens")
_SEEN_APART = NOT_TEXT_OF_REQUEST | {
    "messages",
    "system",
    "tools",
    "output_config",
    "output_format",
    "max_tokens",
    "stop_sequences",
    "cache_control",
    "container",
    "diagnostics",
    "inference_geo",
    "speed",
    "thinking",
    "user_profile_id",
    "workspace_id",
    "mcp_servers",
}
_DEFINITIONS = ("tools", "output_config", "output_format")
_NOT_TEXT_OF_REPLY = frozenset({"usage", "container"})


class MessagesDialect:
    """Anthropic's Messages, as `interface.ClientDialect`."""

    name = "messages"
    path = "/v1/messages"
    provider_path = "/messages"

    def check(self, body: dict[str, Any]) -> Refusal | None:
        """What keeps a decoded request from being one, with the place."""
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            return refuse(check_shared(body) or ("$.messages", "must be a list of at least one message"))
        return refuse(
            first_fault(
                (
                    check_shared(body),
                    check_count(body, "max_tokens"),
                    check_content(body.get("system"), "$.system"),
                    check_objects(body.get("tools"), "$.tools"),
                    check_object(body.get("output_config"), "$.output_config"),
                    check_objects(messages, "$.messages"),
                )
            )
            or first_fault(_check_message(message, f"$.messages[{i}]") for i, message in enumerate(messages))
        )

    def wants_stream(self, body: dict[str, Any]) -> bool:
        """True if the client asks for a stream."""
        return body.get("stream") is True

    def input_slots(self, body: dict[str, Any]) -> list[Slot]:
        """Every place of a request where a text stands that a model would read."""
        walk = TextWalk("system")
        if body.get("system") is not None:
            walk.see(body, "system", "system")
        for message in body["messages"]:
            role = message["role"]
            field: Field = "system" if role == "system" else "content"
            walk.turn_to(role)
            walk.see_members(message, field)
        walk.turn_to("tools")
        for name in _DEFINITIONS:
            if body.get(name) is not None:
                walk.see(body, name, "tool_definition")
        walk.turn_to("user")
        walk.see_members(body, "content", but=_SEEN_APART)
        return walk.slots

    def output_slots(self, reply: dict[str, Any]) -> list[Slot]:
        """Every place of a whole reply where a text stands that a client would read."""
        walk = TextWalk()
        walk.see_members(reply, "content", but=_NOT_TEXT_OF_REPLY)
        return walk.slots

    def count_media(self, body: dict[str, Any]) -> int:
        """Images, documents that are no text, and files in a request."""
        return count_media_in(body.get("messages"))

    def output_limit(self, body: dict[str, Any]) -> int | None:
        """The most output tokens the request allows."""
        return most_tokens(body, ("max_tokens",))

    def describe(self, body: dict[str, Any]) -> dict[str, Any]:
        """What conditions may ask of a request."""
        metadata = body.get("metadata")
        return {
            "model": body.get("model"),
            "stream": self.wants_stream(body),
            "media": self.count_media(body),
            "tools": names_of_tools(body.get("tools")),
            "turns": sum(message["role"] == "user" for message in body["messages"]),
            "system": texts_of(body.get("system")),
            "params": sampling_parameters(body, _SAMPLING),
            "end_user": first_text(metadata.get("user_id") if isinstance(metadata, dict) else None),
            "schema": asked_schema(
                (body.get("output_config") or {}).get("format") or body.get("output_format")
            ),
        }

    def set_system_prompt(self, body: dict[str, Any], text: str) -> None:
        """Put the text before the client's own system prompt, in place."""
        own = body.get("system")
        if isinstance(own, list):
            own.insert(0, {"type": "text", "text": text})
        else:
            body["system"] = f"{text}\n\n{own}" if own else text

    def drop_echoes(self, reply: dict[str, Any]) -> None:
        """Nothing: a message says its texts once."""

    def usage(self, reply: dict[str, Any]) -> Usage | None:
        """Tokens that a whole reply says were used, those of the provider's cache among them."""
        usage = reply.get("usage")
        return add_usage(None, usage) if isinstance(usage, dict) else None

    def served(self, reply: dict[str, Any]) -> tuple[str | None, str | None]:
        """Model name that a whole reply says; there are no fingerprints."""
        return first_text(reply.get("model")), None

    def rewriter(self, open_filter: OpenFilter, *, keeps_passages: bool) -> StreamRewriter:
        """A rewriter for one stream."""
        return MessagesRewriter(open_filter, keeps_passages=keeps_passages)

    def refusal_body(self, refusal: Refusal, request_id: str) -> bytes:
        """A refusal as Anthropic's clients know errors."""
        return anthropic_body(refusal, request_id)

    def refusal_event(self, refusal: Refusal, request_id: str) -> bytes:
        """A refusal in the middle of a stream."""
        return anthropic_events(refusal, request_id)

    def keep_alive(self) -> bytes:
        """A ping."""
        return b'event: ping\ndata: {"type": "ping"}\n\n'


def _check_message(message: dict[str, Any], where: str) -> Fault | None:
    if not isinstance(message.get("role"), str):
        return f"{where}.role", "must be text"
    content = message.get("content")
    fault = check_content(content, f"{where}.content")
    if fault is not None or not isinstance(content, list):
        return fault
    return first_fault(_check_block(block, f"{where}.content[{i}]") for i, block in enumerate(content))


def _check_block(block: dict[str, Any], where: str) -> Fault | None:
    kind = block.get("type")
    if not isinstance(kind, str):
        return f"{where}.type", "must be text"
    if kind == "tool_use":
        return check_object(block.get("input"), f"{where}.input")
    if kind == "tool_result":
        return check_content(block.get("content"), f"{where}.content")
    if kind == "thinking":
        return check_text(block.get("thinking"), f"{where}.thinking")
    return None
