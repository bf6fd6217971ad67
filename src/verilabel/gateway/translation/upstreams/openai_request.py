"""Requests of chat completions, as an OpenAI-compatible upstream is asked."""

from __future__ import annotations

from typing import Any

from verilabel.gateway.translation.conversation import (
    Call,
    Media,
    OutputFormat,
    Refusal,
    Request,
    Result,
    Text,
    Tool,
    ToolChoice,
    Turn,
)
from verilabel.gateway.translation.media import write_data_url
from verilabel.gateway.translation.reasoning import effort_of
from verilabel.gateway.translation.shapes import refuse_members, unsayable

API = "chat completions"
ERROR_PREFIX = "Error: "
"""Stands before the result of a tool that failed, where an API has no member that says so."""


def write_openai_request(request: Request, model: str) -> dict[str, Any]:
    """A chat completions body. Raises Untranslatable."""
    refuse_members(API, request, top_k="top_k")
    body: dict[str, Any] = {"model": model, "messages": _write_messages(request.turns)}
    members = {
        "max_completion_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": request.stop or None,
        "reasoning_effort": effort_of(request),
        "verbosity": request.verbosity,
        "user": request.end_user,
        "parallel_tool_calls": request.parallel_calls if request.tools else None,
        "response_format": write_chat_format(request.output_format),
    }
    body.update({name: value for name, value in members.items() if value is not None})
    if request.logprobs is not None:
        body["logprobs"] = True
        body["top_logprobs"] = request.logprobs
    if request.tools:
        body["tools"] = [{"type": "function", "function": write_function(tool)} for tool in request.tools]
    if request.tool_choice is not None:
        body["tool_choice"] = write_chat_choice(request.tool_choice)
    if request.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return body


def write_function(tool: Tool) -> dict[str, Any]:
    """A function's definition, without what was not given."""
    members = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.schema,
        "strict": tool.strict,
    }
    return {name: value for name, value in members.items() if value is not None}


def write_chat_choice(choice: ToolChoice) -> Any:
    """The member `tool_choice`."""
    if choice.mode == "none":
        return "none"
    if not choice.names:
        return "required" if choice.mode == "any" else "auto"
    named = [{"type": "function", "function": {"name": name}} for name in choice.names]
    if len(named) == 1 and choice.mode == "any":
        return named[0]
    mode = "required" if choice.mode == "any" else "auto"
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": named}}


def write_chat_format(form: OutputFormat | None) -> dict[str, Any] | None:
    """The member `response_format`."""
    if form is None:
        return None
    if form.kind == "json":
        return {"type": "json_object"}
    members = {
        "name": form.name,
        "description": form.description,
        "schema": form.schema,
        "strict": form.strict,
    }
    return {
        "type": "json_schema",
        "json_schema": {name: value for name, value in members.items() if value is not None},
    }


def _write_messages(turns: list[Turn]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for turn in turns:
        if turn.role == "assistant":
            messages.append(_write_answer(turn))
        elif turn.role == "user":
            messages.extend(_write_user(turn))
        else:
            messages.append({"role": turn.role, "content": _write_texts(turn.parts)})
    return messages


def _write_texts(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0].text
    return [{"type": "text", "text": part.text} for part in parts]


def _write_user(turn: Turn) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    said: list[Any] = []
    for part in turn.parts:
        if isinstance(part, Result):
            messages.append(_write_result(part))
        else:
            said.append(part)
    if said or not messages:
        if len(said) == 1 and isinstance(said[0], Text):
            content: Any = said[0].text
        else:
            content = [_write_input(part, turn.where) for part in said]
        messages.append({"role": "user", "content": content})
    return messages


def _write_input(part: Any, where: str) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Media(kind="image"):
            image = {"url": write_data_url(part)}
            if part.detail:
                image["detail"] = part.detail
            return {"type": "image_url", "image_url": image}
        case Media(kind="document") if part.data:
            file = {"file_data": write_data_url(part), "filename": part.name or "document"}
            return {"type": "file", "file": file}
        case Media():
            raise unsayable(API, f"this kind of {part.kind}", part.where)
        case _:
            raise unsayable(API, "this in a user's turn", where)


def _write_result(result: Result) -> dict[str, Any]:
    texts = text_of_result(API, result)
    content: Any = texts[0] if len(texts) == 1 else [{"type": "text", "text": text} for text in texts]
    return {"role": "tool", "tool_call_id": result.call_id, "content": content or ""}


def text_of_result(api: str, result: Result) -> list[str]:
    """The texts of a tool's result, the first marked where the tool failed. Raises Untranslatable for media."""
    texts: list[str] = []
    for part in result.parts:
        if isinstance(part, Media):
            raise unsayable(api, "media in the result of a tool", part.where)
        texts.append(part.text)
    if result.is_error:
        texts = [ERROR_PREFIX + (texts[0] if texts else ""), *texts[1:]]
    return texts


def _write_answer(turn: Turn) -> dict[str, Any]:
    texts: list[Any] = []
    calls: list[dict[str, Any]] = []
    for part in turn.parts:
        match part:
            case Text() | Refusal():
                texts.append(part)
            case Call():
                function = {"name": part.name, "arguments": part.arguments}
                calls.append({"id": part.id, "type": "function", "function": function})
            case Media() | Result():
                raise unsayable(API, "this in a turn of the assistant", turn.where)
    message: dict[str, Any] = {"role": "assistant"}
    if texts or not calls:
        message["content"] = _write_answer_texts(texts)
    if calls:
        message["tool_calls"] = calls
    return message


def _write_answer_texts(texts: list[Any]) -> Any:
    if len(texts) == 1 and isinstance(texts[0], Text):
        return texts[0].text
    return [
        {"type": "refusal", "refusal": part.text}
        if isinstance(part, Refusal)
        else {"type": "text", "text": part.text}
        for part in texts
    ] or ""
