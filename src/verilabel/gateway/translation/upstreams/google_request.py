"""Requests of generateContent, as Google's Gemini API is asked."""

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
    Tool,
    ToolChoice,
    Turn,
)
from verilabel.gateway.translation.identity import MADE_CALL
from verilabel.gateway.translation.reasoning import GOOGLE_BUDGET_MODELS, has_budgets, write_google_thinking
from verilabel.gateway.translation.shapes import read_arguments, refuse_members, unsayable
from verilabel.gateway.translation.upstreams.anthropic_request import refuse_prefill
from verilabel.gateway.translation.upstreams.openai_request import text_of_result

API = "Google"
NO_SIGNATURE = "skip_thought_signature_validator"
"""What the provider documents for calls in a history whose signature is not known."""


def write_google_request(request: Request, model: str) -> dict[str, Any]:
    """A generateContent body, the model's name apart. Raises Untranslatable."""
    _refuse_unsayable(request)
    system: list[dict[str, Any]] = []
    contents: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    signs = not has_budgets(model, GOOGLE_BUDGET_MODELS)
    for turn in request.turns:
        if turn.role in ("system", "developer"):
            if contents:
                raise unsayable(API, "a system prompt in the middle of a conversation", turn.where)
            system.extend({"text": part.text} for part in turn.parts if isinstance(part, Text) and part.text)
        else:
            _add_content(contents, turn, _write_parts(turn, names, signs=signs))
    body: dict[str, Any] = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    config = _write_config(request, model)
    if config:
        body["generationConfig"] = config
    if request.tools:
        body["tools"] = [{"functionDeclarations": [_write_tool(tool) for tool in request.tools]}]
        calling = _write_calling(request.tool_choice, request.tools)
        if calling:
            body["toolConfig"] = {"functionCallingConfig": calling}
    return body


def _refuse_unsayable(request: Request) -> None:
    refuse_members(API, request, verbosity="verbosity")
    if request.parallel_calls is False and request.tools:
        raise unsayable(API, "one call at a time", request.where("parallel_calls"))
    refuse_prefill(API, request)


def _add_content(contents: list[dict[str, Any]], turn: Turn, parts: list[dict[str, Any]]) -> None:
    if not parts:
        return
    role = "model" if turn.role == "assistant" else "user"
    if contents and contents[-1]["role"] == role == "user" and "functionResponse" in contents[-1]["parts"][0]:
        contents[-1]["parts"] += parts
    else:
        contents.append({"role": role, "parts": parts})


def _write_parts(turn: Turn, names: dict[str, str], *, signs: bool) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = []
    pending = ""
    called = False
    for part in turn.parts:
        if isinstance(part, Thought):
            pending = part.signature if part.origin == "google" else pending
            continue
        if isinstance(part, Text) and not part.text:  # refused there
            continue
        value = _write_part(part, names, turn)
        written.append(value)
        if not isinstance(part, Call):
            continue
        signature = part.signature or pending
        if not signature and signs and not called:  # the first call of a turn alone must carry one
            signature = NO_SIGNATURE
        if signature:
            value["thoughtSignature"] = signature
        called, pending = True, ""
    return written


def _write_part(part: Part, names: dict[str, str], turn: Turn) -> dict[str, Any]:
    match part:
        case Text() | Refusal():
            return {"text": part.text}
        case Media() if turn.role == "user":
            if part.url:
                raise unsayable(API, f"a {part.kind} by its address", part.where, "send it as a data URL")
            return {"inlineData": {"mimeType": part.media_type, "data": part.data}}
        case Call():
            names[part.id] = part.name
            call: dict[str, Any] = {"name": part.name, "args": read_arguments(part.arguments, part.where)}
            if not part.id.startswith(MADE_CALL):
                call["id"] = part.id
            return {"functionCall": call}
        case Result() if turn.role == "user":
            return {"functionResponse": _write_result(part, names)}
        case _:
            raise unsayable(API, "this in a turn of this role", turn.where)


def _write_result(result: Result, names: dict[str, str]) -> dict[str, Any]:
    name = names.get(result.call_id)
    if name is None:
        raise unsayable(API, "the result of a call that is not in the conversation", result.where)
    texts = text_of_result(API, Result(call_id="", parts=result.parts, where=result.where))
    response = {"error" if result.is_error else "output": "\n".join(texts)}
    written: dict[str, Any] = {"name": name, "response": response}
    if not result.call_id.startswith(MADE_CALL):
        written["id"] = result.call_id
    return written


def _write_config(request: Request, model: str) -> dict[str, Any]:
    members = {
        "maxOutputTokens": request.max_tokens,
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": request.top_k,
        "frequencyPenalty": request.frequency_penalty,
        "presencePenalty": request.presence_penalty,
        "seed": request.seed,
        "stopSequences": request.stop or None,
        "candidateCount": request.n if request.n != 1 else None,
        "responseLogprobs": True if request.logprobs is not None else None,
        "logprobs": request.logprobs or None,
        "thinkingConfig": write_google_thinking(request, model) or None,
    }
    config = {name: value for name, value in members.items() if value is not None}
    if request.output_format is not None:
        config.update(_write_format(request.output_format))
    return config


def _write_format(form: OutputFormat) -> dict[str, Any]:
    config: dict[str, Any] = {"responseMimeType": "application/json"}
    if form.schema is not None:
        schema = form.schema
        if form.description and "description" not in schema:
            schema = {**schema, "description": form.description}
        config["responseJsonSchema"] = schema
    return config


def _write_tool(tool: Tool) -> dict[str, Any]:
    declaration: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        declaration["description"] = tool.description
    if tool.schema:
        declaration["parametersJsonSchema"] = tool.schema
    return declaration


def _write_calling(choice: ToolChoice | None, tools: list[Tool]) -> dict[str, Any] | None:
    mode = {"auto": "AUTO", "none": "NONE", "any": "ANY"}[choice.mode] if choice else "AUTO"
    names = choice.names if choice else ()
    if mode == "AUTO" and (names or any(tool.strict for tool in tools)):
        mode = "VALIDATED"  # calls or words, the calls held to the schema and to the names
    if choice is None and mode == "AUTO":
        return None
    calling: dict[str, Any] = {"mode": mode}
    if names:
        calling["allowedFunctionNames"] = list(names)
    return calling
