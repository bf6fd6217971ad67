"""Requests of OpenAI's Responses API, as an upstream is asked: nothing is kept there unless the client wants it."""

from __future__ import annotations

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
    ToolChoice,
    Turn,
)
from verilabel.gateway.translation.media import write_data_url
from verilabel.gateway.translation.reasoning import effort_of
from verilabel.gateway.translation.shapes import refuse_members, unsayable
from verilabel.gateway.translation.upstreams.openai_request import ERROR_PREFIX

API = "Responses"


def write_responses_request(request: Request, model: str) -> dict[str, Any]:
    """A Responses body. Raises Untranslatable."""
    refuse_members(
        API,
        request,
        stop="stop sequences",
        top_k="top_k",
        frequency_penalty="a frequency penalty",
        presence_penalty="a presence penalty",
    )
    if request.seed is not None:
        raise unsayable(API, "a seed", request.where("seed"))
    if request.n != 1:
        raise unsayable(API, "several choices", request.where("n"))
    body: dict[str, Any] = {"model": model, "input": _write_items(request.turns)}
    members = {
        "max_output_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "reasoning": _write_reasoning(request),
        "text": _write_text(request.output_format, request.verbosity),
        "user": request.end_user,
        "parallel_tool_calls": request.parallel_calls if request.tools else None,
        "store": bool(request.store),
        "include": _write_include(request) or None,
        "top_logprobs": request.logprobs,
        "stream": True if request.stream else None,
    }
    body.update({name: value for name, value in members.items() if value is not None})
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.schema or {"type": "object", "properties": {}},
                "strict": bool(tool.strict),
            }
            for tool in request.tools
        ]
    if request.tool_choice is not None:
        body["tool_choice"] = _write_choice(request.tool_choice)
    return body


def _write_include(request: Request) -> list[str]:
    include = []
    if request.logprobs is not None:
        include.append("message.output_text.logprobs")
    if request.keeps_signatures and not request.store:
        include.append("reasoning.encrypted_content")
    return include


def _write_reasoning(request: Request) -> dict[str, Any] | None:
    members = {"effort": effort_of(request), "summary": "auto" if request.shows_thoughts else None}
    return {name: value for name, value in members.items() if value is not None} or None


def _write_text(form: OutputFormat | None, verbosity: str | None) -> dict[str, Any] | None:
    text: dict[str, Any] = {}
    if verbosity is not None:
        text["verbosity"] = verbosity
    if form is not None and form.kind == "json":
        text["format"] = {"type": "json_object"}
    elif form is not None:
        members = {
            "type": "json_schema",
            "name": form.name,
            "description": form.description,
            "schema": form.schema or {},
            "strict": form.strict,
        }
        text["format"] = {name: value for name, value in members.items() if value is not None}
    return text or None


def _write_choice(choice: ToolChoice) -> Any:
    if choice.mode == "none":
        return "none"
    if not choice.names:
        return "required" if choice.mode == "any" else "auto"
    named = [{"type": "function", "name": name} for name in choice.names]
    if len(named) == 1 and choice.mode == "any":
        return named[0]
    return {
        "type": "allowed_tools",
        "mode": "required" if choice.mode == "any" else "auto",
        "tools": named,
    }


def _write_items(turns: list[Turn]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for turn in turns:
        if turn.role == "assistant":
            items.extend(_write_answer(turn))
        else:
            items.extend(_write_input(turn))
    return items


def _write_input(turn: Turn) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    said: list[dict[str, Any]] = []
    for part in turn.parts:
        if isinstance(part, Result):
            items.append(_write_result(part))
        else:
            said.append(_write_part(part, turn.where))
    if said:
        items.append({"type": "message", "role": turn.role, "content": said})
    return items


def _write_part(part: Part, where: str) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "input_text", "text": part.text}
        case Media(kind="image"):
            detail = part.detail or "auto"
            return {"type": "input_image", "image_url": write_data_url(part), "detail": detail}
        case Media(kind="document"):
            if part.url:
                return {"type": "input_file", "file_url": part.url}
            name = part.name or "document"
            return {"type": "input_file", "filename": name, "file_data": write_data_url(part)}
        case Media():
            raise unsayable(API, "sounds", part.where)
        case _:
            raise unsayable(API, "this in a user's turn", where)


def _write_result(result: Result) -> dict[str, Any]:
    if all(isinstance(part, Text) for part in result.parts) and len(result.parts) <= 1:
        text = "".join(part.text for part in result.parts if isinstance(part, Text))
        output: Any = ERROR_PREFIX + text if result.is_error else text
    else:
        output = [_write_part(part, result.where) for part in result.parts]
        if result.is_error:
            output.insert(0, {"type": "input_text", "text": ERROR_PREFIX})
    return {"type": "function_call_output", "call_id": result.call_id, "output": output}


def _write_answer(turn: Turn) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for part in turn.parts:
        match part:
            case Text() | Refusal():
                items.append({"type": "message", "role": "assistant", "content": part.text})
            case Call():
                items.append(
                    {
                        "type": "function_call",
                        "call_id": part.id,
                        "name": part.name,
                        "arguments": part.arguments,
                    }
                )
            case Thought():
                items.extend(_write_thought(part))
            case Media() | Result():
                raise unsayable(API, "this in a turn of the assistant", turn.where)
    return items


def _write_thought(thought: Thought) -> list[dict[str, Any]]:
    if thought.origin != "openai":
        return []
    identity, _, content = thought.signature.partition(":")
    summary = [{"type": "summary_text", "text": thought.text}] if thought.text else []
    return [{"type": "reasoning", "id": identity, "summary": summary, "encrypted_content": content}]
