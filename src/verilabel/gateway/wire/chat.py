"""/v1/chat/completions."""

from __future__ import annotations

from typing import Any

from verilabel.gateway.verdicts import Field, Refusal
from verilabel.gateway.wire.checks import (
    CHOICES_LIMIT,
    Check,
    Fault,
    check_content,
    check_count,
    check_members,
    check_object,
    check_objects,
    check_shared,
    check_text,
    first_fault,
    refuse,
)
from verilabel.gateway.wire.interface import Slot
from verilabel.gateway.wire.openai_dialect import (
    NOT_TEXT_OF_REQUEST,
    OpenAIDialect,
    describe_request,
    texts_of,
)
from verilabel.gateway.wire.parameters import asked_schema, most_tokens, positive
from verilabel.gateway.wire.texts import TextWalk

_FIELD_OF_ROLE: dict[str, Field] = {
    "system": "system",
    "developer": "system",
    "tool": "tool_result",
    "function": "tool_result",
}
_NAMED_TOOLS = frozenset({"tool", "function"})
_SEEN_APART = NOT_TEXT_OF_REQUEST | {
    "messages",
    "tools",
    "functions",
    "function_call",
    "response_format",
    "prediction",
}
_DEFINITIONS = ("tools", "functions", "response_format")


_CHECKED = frozenset(
    {"n", "max_tokens", "max_completion_tokens", "tools", "functions", "response_format", "prediction"}
)
_INSIDE = frozenset({str, list, dict})
_PLAIN_TURN = {"role", "content"}


def _is_plain_turn(message: Any) -> bool:
    """True for a turn that is a role and a text and nothing else, as most are."""
    return (
        type(message) is dict
        and message.keys() == _PLAIN_TURN
        and type(message["role"]) is str
        and type(message["content"]) is str
    )


class ChatDialect(OpenAIDialect):
    """OpenAI's chat completions, with what other servers of that API add (reasoning, part lists in replies)."""

    name = "chat"
    path = "/v1/chat/completions"
    provider_path = "/chat/completions"

    def check(self, body: dict[str, Any]) -> Refusal | None:
        """What keeps a decoded request from being one, with the place."""
        messages = body.get("messages")
        if (
            type(messages) is list
            and messages
            and body.keys().isdisjoint(_CHECKED)
            and all(_is_plain_turn(message) for message in messages)
        ):
            return refuse(check_shared(body))
        if not isinstance(messages, list) or not messages:
            return refuse(check_shared(body) or ("$.messages", "must be a list of at least one message"))
        return refuse(
            first_fault(
                (
                    check_shared(body),
                    check_count(body, "n", CHOICES_LIMIT),
                    check_count(body, "max_tokens"),
                    check_count(body, "max_completion_tokens"),
                    check_objects(body.get("tools"), "$.tools"),
                    check_objects(body.get("functions"), "$.functions"),
                    check_object(body.get("response_format"), "$.response_format"),
                    check_object(body.get("prediction"), "$.prediction"),
                    check_objects(messages, "$.messages"),
                )
            )
            or first_fault(_check_message(message, f"$.messages[{i}]") for i, message in enumerate(messages))
        )

    def input_slots(self, body: dict[str, Any]) -> list[Slot]:
        """Every place of a request where a text stands that a model would read."""
        walk = TextWalk()
        for message in body["messages"]:
            role = message["role"]
            walk.turn_to(role)
            if _is_plain_turn(message):
                walk.see_plain(message, "content", _FIELD_OF_ROLE.get(role, "content"))
                continue
            walk.see_members(message, _FIELD_OF_ROLE.get(role, "content"))
            if message.get("name") and role not in _NAMED_TOOLS:
                walk.see(message, "name", _FIELD_OF_ROLE.get(role, "content"))
        if isinstance(body.get("prediction"), dict):
            walk.turn_to("assistant")
            walk.see_members(body["prediction"], "content")
        walk.turn_to("tools")
        for name in _DEFINITIONS:
            if body.get(name) is not None:
                walk.see(body, name, "tool_definition")
        if any(value.__class__ in _INSIDE and name not in _SEEN_APART for name, value in body.items()):
            walk.turn_to("user")
            walk.see_members(body, "content", but=_SEEN_APART)
        return walk.slots

    def output_limit(self, body: dict[str, Any]) -> int | None:
        """The most output tokens the request allows, times the choices it asks for."""
        return most_tokens(body, ("max_completion_tokens", "max_tokens"), positive(body.get("n")))

    def describe(self, body: dict[str, Any]) -> dict[str, Any]:
        """What conditions may ask of a request."""
        messages = body["messages"]
        tools = (body.get("tools") or []) + (body.get("functions") or [])
        return describe_request(
            body,
            media=self.count_media(body),
            tools=tools,
            turns=sum(message["role"] == "user" for message in messages),
            system="\n".join(
                texts_of(message.get("content"))
                for message in messages
                if message["role"] in ("system", "developer")
            ),
            schema=asked_schema(body.get("response_format")),
        )

    def set_system_prompt(self, body: dict[str, Any], text: str) -> None:
        """Put a system message before all others, in place."""
        body["messages"].insert(0, {"role": "system", "content": text})


def _check_call(call: Any, where: str) -> Fault | None:
    for name in ("function", "custom"):
        fault = check_object(call.get(name), f"{where}.{name}")
        if fault is not None:
            return fault
    if isinstance(call.get("function"), dict):
        return check_text(call["function"].get("arguments"), f"{where}.function.arguments")
    if isinstance(call.get("custom"), dict):
        return check_text(call["custom"].get("input"), f"{where}.custom.input")
    return None


def _check_calls(calls: Any, where: str) -> Fault | None:
    fault = check_objects(calls, where)
    if fault is not None or calls is None:
        return fault
    return first_fault(_check_call(call, f"{where}[{index}]") for index, call in enumerate(calls))


_CHECKS_OF_MESSAGE: dict[str, Check] = {
    "content": check_content,
    "name": check_text,
    "refusal": check_text,
    "reasoning_content": check_text,
    "tool_calls": _check_calls,
    "function_call": check_object,
    "audio": check_object,
}


def _check_message(message: dict[str, Any], where: str) -> Fault | None:
    if not isinstance(message.get("role"), str):
        return f"{where}.role", "must be text"
    return check_members(message, where, _CHECKS_OF_MESSAGE)
