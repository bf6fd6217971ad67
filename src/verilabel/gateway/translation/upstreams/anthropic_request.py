"""Requests of the Messages API, as Anthropic is asked."""

from __future__ import annotations

import hashlib
import string
from typing import Any

from verilabel.gateway.translation.conversation import (
    Call,
    Media,
    OutputFormat,
    Part,
    Refusal,
    Request,
    Result,
    Text,
    Thought,
    Tool,
    Turn,
)
from verilabel.gateway.translation.media import PDF
from verilabel.gateway.translation.reasoning import thinking_allowance, write_anthropic_thinking
from verilabel.gateway.translation.shapes import read_arguments, refuse_members, unsayable

API = "Anthropic"
DEFAULT_MAX_TOKENS = 4_096
"""The API demands `max_tokens`; this is sent where the client says nothing, with what its thinking may take."""
IMAGE_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
ID_CHARS = frozenset(string.ascii_letters + string.digits + "_-")


def write_anthropic_request(request: Request, model: str) -> dict[str, Any]:
    """A Messages body. Raises Untranslatable."""
    _refuse_unsayable(request)
    system, turns = _split_system(request.turns)
    max_tokens = request.max_tokens
    if max_tokens is None:
        max_tokens = DEFAULT_MAX_TOKENS + thinking_allowance(request)
    body: dict[str, Any] = {"model": model, "max_tokens": max_tokens, "messages": _write_messages(turns)}
    members = {
        "system": system or None,
        "stop_sequences": request.stop or None,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "metadata": {"user_id": request.end_user} if request.end_user else None,
        "stream": True if request.stream else None,
    }
    body.update({name: value for name, value in members.items() if value is not None})
    body.update(write_anthropic_thinking(request, model, max_tokens))
    if request.output_format is not None:
        body.setdefault("output_config", {})["format"] = _write_format(request.output_format, request)
    tools, choice = _write_tools(request)
    if tools:
        body["tools"] = tools
    if choice:
        body["tool_choice"] = choice
    return body


def _refuse_unsayable(request: Request) -> None:
    refuse_members(
        API,
        request,
        frequency_penalty="a frequency penalty",
        presence_penalty="a presence penalty",
        verbosity="verbosity",
    )
    if request.seed is not None:
        raise unsayable(API, "a seed", request.where("seed"))
    if request.n != 1:
        raise unsayable(API, "several choices", request.where("n"))
    if request.logprobs is not None:
        raise unsayable(API, "log probabilities", request.where("logprobs"))
    if request.temperature is not None and request.temperature > 1:
        raise unsayable(API, "a temperature above 1", request.where("temperature"))
    refuse_prefill(API, request)


def refuse_prefill(api: str, request: Request) -> None:
    """Refuse a request that ends with the assistant, whose turn would be continued there, not answered."""
    if request.turns and request.turns[-1].role == "assistant":
        raise unsayable(api, "an answer after the assistant's own turn", request.turns[-1].where)


def _split_system(turns: list[Turn]) -> tuple[list[dict[str, Any]], list[Turn]]:
    system: list[dict[str, Any]] = []
    for index, turn in enumerate(turns):
        if turn.role not in ("system", "developer"):
            return system, turns[index:]
        system.extend(_write_texts(turn.parts))
    return system, []


def _write_texts(parts: list[Part]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": part.text} for part in parts if isinstance(part, Text) and part.text]


def _write_messages(turns: list[Turn]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    answers_calls = False
    for turn in turns:
        role = "system" if turn.role == "developer" else turn.role
        content = [block for part in turn.parts for block in _write_part(part, role, turn.where)]
        if answers_calls and role == "user":
            messages[-1]["content"] += content
        elif content:
            messages.append({"role": role, "content": content})
        # results and what the user says next are one turn there
        answers_calls = role == "user" and all(isinstance(part, Result) for part in turn.parts)
    return messages


def _write_part(part: Part, role: str, where: str) -> list[dict[str, Any]]:
    match part:
        case Text() | Refusal():  # empty texts are refused there
            return [{"type": "text", "text": part.text}] if part.text else []
        case Thought():
            return _write_thought(part)
        case Call():
            arguments = read_arguments(part.arguments, part.where)
            return [{"type": "tool_use", "id": clean_id(part.id), "name": part.name, "input": arguments}]
        case Media() if role == "user":
            return [_write_media(part)]
        case Result() if role == "user":
            return [_write_result(part)]
        case _:
            raise unsayable(API, "this in a turn of this role", where)


def _write_thought(thought: Thought) -> list[dict[str, Any]]:
    if thought.origin != "anthropic":
        return []
    if thought.hidden:
        return [{"type": "redacted_thinking", "data": thought.signature}]
    return [{"type": "thinking", "thinking": thought.text, "signature": thought.signature}]


def clean_id(identity: str) -> str:
    """The id of a call in the letters this API takes; the same for the call and its result."""
    if identity and ID_CHARS.issuperset(identity):
        return identity
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return "".join(char if char in ID_CHARS else "_" for char in identity[:40]) + "_" + digest


def _write_media(media: Media) -> dict[str, Any]:
    if media.kind == "audio":
        raise unsayable(API, "sounds", media.where)
    if media.url:
        source = {"type": "url", "url": media.url}
    elif media.media_type in (IMAGE_TYPES if media.kind == "image" else {PDF}):
        source = {"type": "base64", "media_type": media.media_type, "data": media.data}
    else:
        raise unsayable(API, f"this type of {media.kind}", media.where)
    block: dict[str, Any] = {"type": media.kind, "source": source}
    if media.kind == "document" and media.name:
        block["title"] = media.name
    return block


def _write_result(result: Result) -> dict[str, Any]:
    content = [
        {"type": "text", "text": part.text} if isinstance(part, Text) else _write_media(part)
        for part in result.parts
        if isinstance(part, Media) or part.text
    ]
    block: dict[str, Any] = {
        "type": "tool_result",
        "tool_use_id": clean_id(result.call_id),
        "content": content,
    }
    if result.is_error:
        block["is_error"] = True
    return block


def _write_format(form: OutputFormat, request: Request) -> dict[str, Any]:
    if form.kind == "json" or form.schema is None:
        where = request.where("output_format")
        raise unsayable(API, "JSON without a schema", where, "give a json_schema")
    schema = form.schema
    if form.description and "description" not in schema:
        schema = {**schema, "description": form.description}
    return {"type": "json_schema", "schema": schema}


def _write_tools(request: Request) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    choice = request.tool_choice
    offered = request.tools
    word: dict[str, Any] | None = None
    if choice is not None:
        word = {"type": choice.mode}
        if choice.mode == "any" and len(choice.names) == 1:
            word = {"type": "tool", "name": choice.names[0]}
        elif choice.names:  # a tool that may not be called is not offered
            offered = [tool for tool in offered if tool.name in choice.names]
    if request.parallel_calls is not None and offered and (word is None or word["type"] != "none"):
        word = {**(word or {"type": "auto"}), "disable_parallel_tool_use": not request.parallel_calls}
    return [_write_tool(tool) for tool in offered], word


def _write_tool(tool: Tool) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": tool.name,
        "input_schema": tool.schema or {"type": "object", "properties": {}},
    }
    if tool.description is not None:
        written["description"] = tool.description
    if tool.strict:
        written["strict"] = True
    return written
