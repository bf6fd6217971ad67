"""/v1/responses."""

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
from verilabel.gateway.wire.choices_stream import read_usage
from verilabel.gateway.wire.interface import OpenFilter, Slot, StreamRewriter
from verilabel.gateway.wire.openai_dialect import (
    NOT_TEXT_OF_REQUEST,
    OpenAIDialect,
    describe_request,
    texts_of,
)
from verilabel.gateway.wire.parameters import asked_schema, count_media_in, most_tokens
from verilabel.gateway.wire.refusals import responses_events
from verilabel.gateway.wire.responses_stream import ResponsesRewriter, see_response
from verilabel.gateway.wire.texts import TextWalk

_SEEN_APART = NOT_TEXT_OF_REQUEST | {
    "input",
    "instructions",
    "tools",
    "text",
    "prompt",
    "include",
    "reasoning",
    "conversation",
    "context_management",
    "access_programs",
}
_SYSTEM_ROLES = frozenset({"system", "developer"})
_DEFINITIONS = ("tools", "text")


class ResponsesDialect(OpenAIDialect):
    """OpenAI's Responses. What `previous_response_id` and `conversation` bring back was seen when it was sent."""

    name = "responses"
    path = "/v1/responses"
    provider_path = "/responses"

    def check(self, body: dict[str, Any]) -> Refusal | None:
        """What keeps a decoded request from being one, with the place."""
        given = body.get("input")
        return refuse(
            first_fault(
                (
                    check_shared(body),
                    check_text(body.get("instructions"), "$.instructions"),
                    None if isinstance(given, str) else check_objects(given, "$.input"),
                    check_count(body, "max_output_tokens"),
                    check_objects(body.get("tools"), "$.tools"),
                    check_object(body.get("text"), "$.text"),
                    check_object(body.get("prompt"), "$.prompt"),
                )
            )
            or first_fault(_check_item(item, f"$.input[{i}]") for i, item in enumerate(_items(body)))
        )

    def input_slots(self, body: dict[str, Any]) -> list[Slot]:
        """Every place of a request where a text stands that a model would read."""
        walk = TextWalk("system")
        if body.get("instructions"):
            walk.see(body, "instructions", "system")
        _see_prompt(walk, body.get("prompt"))
        walk.turn_to("user")
        if isinstance(body.get("input"), str):
            walk.see(body, "input", "content")
        for item in _items(body):
            role, field = _role_of(item)
            walk.turn_to(role)
            walk.see_members(item, field)
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
        if reply.get("output") is not None:
            walk.see(reply, "output", "content", ("output",))
        see_response(walk, reply)
        return walk.slots

    def count_media(self, body: dict[str, Any]) -> int:
        """Images, audio and files in a request."""
        return count_media_in([body.get("input"), body.get("prompt")])

    def output_limit(self, body: dict[str, Any]) -> int | None:
        """The most output tokens the request allows."""
        return most_tokens(body, ("max_output_tokens",))

    def describe(self, body: dict[str, Any]) -> dict[str, Any]:
        """What conditions may ask of a request."""
        items = _items(body)
        system = [body.get("instructions") or ""]
        system += [texts_of(item.get("content")) for item in items if item.get("role") in _SYSTEM_ROLES]
        about = describe_request(
            body,
            media=self.count_media(body),
            tools=body.get("tools"),
            turns=sum(item.get("role") == "user" for item in items) if items else 1,
            system="\n".join(text for text in system if text),
            schema=asked_schema((body.get("text") or {}).get("format")),
        )
        reasoning = body.get("reasoning")
        if isinstance(reasoning, dict) and isinstance(reasoning.get("effort"), str):
            about["params"]["reasoning_effort"] = reasoning["effort"]
        return about

    def set_system_prompt(self, body: dict[str, Any], text: str) -> None:
        """Put the text before the client's instructions, in place."""
        own = body.get("instructions")
        body["instructions"] = f"{text}\n\n{own}" if own else text

    def drop_echoes(self, reply: dict[str, Any]) -> None:
        """Take log probabilities out of a whole reply, in place."""
        output = reply.get("output")
        for item in output if isinstance(output, list) else ():
            content = item.get("content") if isinstance(item, dict) else None
            for part in content if isinstance(content, list) else ():
                if isinstance(part, dict) and part.get("logprobs"):
                    part["logprobs"] = []

    def usage(self, reply: dict[str, Any]) -> Usage | None:
        """Tokens that a whole reply says were used."""
        return read_usage(reply.get("usage"))

    def rewriter(self, open_filter: OpenFilter, *, keeps_passages: bool) -> StreamRewriter:
        """A rewriter for one stream."""
        return ResponsesRewriter(open_filter, keeps_passages=keeps_passages)

    def refusal_event(self, refusal: Refusal, request_id: str) -> bytes:
        """A refusal in the middle of a stream."""
        return responses_events(refusal, request_id)


def _see_prompt(walk: TextWalk, prompt: Any) -> None:
    if not isinstance(prompt, dict):
        return
    variables = prompt.get("variables")
    for name in variables if isinstance(variables, dict) else ():
        # their names are the client's, so that none of them says that its value is no text
        walk.see(variables, name, "system", ("variables", name))
    walk.see_members(prompt, "system", but=frozenset({"version", "variables"}))


def _items(body: dict[str, Any]) -> list[dict[str, Any]]:
    given = body.get("input")
    return given if isinstance(given, list) else []


def _role_of(item: dict[str, Any]) -> tuple[str, Field]:
    role = item.get("role")
    if not isinstance(role, str):
        kind = str(item.get("type", ""))
        return ("tool" if kind.endswith("output") else "assistant"), "content"
    return role, "system" if role in _SYSTEM_ROLES else "content"


def _check_item(item: dict[str, Any], where: str) -> Fault | None:
    for name in ("type", "role"):
        if not isinstance(item.get(name), str | None):
            return f"{where}.{name}", "must be text"
    fault = check_content(item.get("content"), f"{where}.content")
    if fault is None and item.get("type") in ("function_call", "mcp_call"):
        fault = check_text(item.get("arguments"), f"{where}.arguments")
    if fault is None and item.get("type") in ("function_call_output", "custom_tool_call_output"):
        fault = check_content(item.get("output"), f"{where}.output")
    return fault
