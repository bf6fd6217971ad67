"""Requests of OpenAI's Responses API, as clients send them."""

from __future__ import annotations

from typing import Any, Literal

from verilabel.gateway.translation.clients.chat_request import Effort
from verilabel.gateway.translation.conversation import (
    Call,
    Media,
    OutputFormat,
    Part,
    Refusal,
    Request,
    Result,
    Text,
    Tool,
    ToolChoice,
    Turn,
)
from verilabel.gateway.translation.interface import Untranslatable
from verilabel.gateway.translation.media import PDF, read_image, split_data_url
from verilabel.gateway.translation.reasoning import open_signature
from verilabel.gateway.translation.shapes import Shape, read_request

PATHS = {
    "max_tokens": "$.max_output_tokens",
    "effort": "$.reasoning.effort",
    "output_format": "$.text.format",
    "verbosity": "$.text.verbosity",
    "logprobs": "$.include",
    "parallel_calls": "$.parallel_tool_calls",
    "end_user": "$.user",
}
LOGPROBS = "message.output_text.logprobs"
SIGNATURES = "reasoning.encrypted_content"


class _InputText(Shape, tag="input_text"):
    text: str
    prompt_cache_breakpoint: Any = None


class _InputImage(Shape, tag="input_image"):
    image_url: str
    detail: str | None = None
    file_id: None = None
    prompt_cache_breakpoint: Any = None


class _InputFile(Shape, tag="input_file"):
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    detail: Any = None
    file_id: None = None
    prompt_cache_breakpoint: Any = None


class _OutputText(Shape, tag="output_text"):
    text: str
    annotations: Any = None
    logprobs: Any = None


class _OutputRefusal(Shape, tag="refusal"):
    refusal: str


ContentPart = _InputText | _InputImage | _InputFile | _OutputText | _OutputRefusal


class _MessageItem(Shape):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[ContentPart]
    type: Literal["message"] = "message"
    id: Any = None
    status: Any = None
    phase: Any = None


class _CallItem(Shape):
    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    id: Any = None
    status: Any = None
    caller: Any = None
    namespace: None = None


class _ResultItem(Shape):
    type: Literal["function_call_output"]
    call_id: str
    output: str | list[_InputText | _InputImage | _InputFile]
    id: Any = None
    status: Any = None
    caller: Any = None
    name: Any = None
    namespace: None = None


class _ReasoningText(Shape):
    type: Literal["reasoning_text", "summary_text"]
    text: str


class _ReasoningItem(Shape):
    type: Literal["reasoning"]
    id: Any = None
    summary: tuple[_ReasoningText, ...] = ()
    content: list[_ReasoningText] | None = None
    encrypted_content: str | None = None
    status: Any = None


Item = _MessageItem | _CallItem | _ResultItem | _ReasoningItem
ITEMS: dict[str, type[Item]] = {
    "message": _MessageItem,
    "function_call": _CallItem,
    "function_call_output": _ResultItem,
    "reasoning": _ReasoningItem,
}


class _ToolDefinition(Shape):
    type: Literal["function"]
    name: str
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None
    allowed_callers: list[Literal["direct"]] | None = None
    output_schema: None = None
    defer_loading: None = None


class _NamedTool(Shape, tag="function"):
    name: str


class _AllowedTool(Shape):
    type: Literal["function"]
    name: str


class _AllowedChoice(Shape, tag="allowed_tools"):
    mode: Literal["auto", "required"]
    tools: list[_AllowedTool]


class _TextFormat(Shape, tag="text"):
    pass


class _JsonFormat(Shape, tag="json_object"):
    pass


class _SchemaFormat(Shape, tag="json_schema"):
    name: str
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


class _TextConfig(Shape):
    format: _TextFormat | _JsonFormat | _SchemaFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class _Reasoning(Shape):
    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    context: None = None
    mode: Literal["standard"] | None = None


class _ResponsesRequest(Shape):
    """Members that are typed `Any` and never read tune service alone; those typed None must not be given."""

    model: str
    input: str | list[dict[str, Any]]
    instructions: str | None = None
    max_output_tokens: int | None = None
    temperature: int | float | None = None
    top_p: int | float | None = None
    top_logprobs: int | None = None
    include: list[Literal["message.output_text.logprobs", "reasoning.encrypted_content"]] | None = None
    tools: list[_ToolDefinition] | None = None
    tool_choice: Literal["none", "auto", "required"] | _NamedTool | _AllowedChoice | None = None
    parallel_tool_calls: bool | None = None
    text: _TextConfig | None = None
    reasoning: _Reasoning | None = None
    stream: bool | None = None
    store: bool | None = None
    truncation: Literal["disabled"] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    stream_options: Any = None
    metadata: Any = None
    service_tier: Any = None
    prompt_cache_key: Any = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
    access_programs: None = None
    background: None = None
    background_options: None = None
    context_management: None = None
    conversation: None = None
    image: None = None
    max_tool_calls: None = None
    moderation: None = None
    previous_response_id: None = None
    prompt: None = None


def read_responses_request(body: dict[str, Any]) -> Request:
    """A Responses request in the neutral form. Raises Untranslatable."""
    if body.get("background") is False:
        body = {name: value for name, value in body.items() if name != "background"}
    asked = read_request(body, _ResponsesRequest)
    text = asked.text or _TextConfig()
    reasoning = asked.reasoning or _Reasoning()
    include = asked.include or []
    return Request(
        turns=_read_turns(asked),
        paths=PATHS,
        tools=[_read_tool(tool) for tool in asked.tools or ()],
        tool_choice=_read_choice(asked.tool_choice),
        parallel_calls=asked.parallel_tool_calls,
        output_format=_read_format(text.format),
        max_tokens=asked.max_output_tokens,
        temperature=asked.temperature,
        top_p=asked.top_p,
        logprobs=(asked.top_logprobs or 0) if LOGPROBS in include else None,
        effort=reasoning.effort,
        shows_thoughts=True if reasoning.summary or reasoning.generate_summary else None,
        keeps_signatures=SIGNATURES in include,
        verbosity=text.verbosity,
        end_user=asked.safety_identifier or asked.user,
        stream=bool(asked.stream),
        store=asked.store,
    )


def _read_turns(asked: _ResponsesRequest) -> list[Turn]:
    turns: list[Turn] = []
    if asked.instructions:
        turns.append(Turn(role="system", parts=[Text(asked.instructions)], where="$.instructions"))
    if isinstance(asked.input, str):
        turns.append(Turn(role="user", parts=[Text(asked.input)], where="$.input"))
        return turns
    gathers: str | None = None
    for index, value in enumerate(asked.input):
        where = f"$.input[{index}]"
        role, gathered, parts = _read_item(_shape_item(value, where), where)
        if gathers is not None and gathers == gathered:
            turns[-1].parts.extend(parts)
        else:
            turns.append(Turn(role=role, parts=parts, where=where))
        gathers = gathered
    return turns


def _shape_item(value: dict[str, Any], where: str) -> Item:
    kind = value.get("type", "message")
    shape = ITEMS.get(kind) if isinstance(kind, str) else None
    if shape is None:
        raise Untranslatable("items of this type have no translation", where=f"{where}.type")
    try:
        return read_request(value, shape)
    except Untranslatable as error:
        error.where = where + (error.where or "$")[1:]
        raise


def _read_item(
    item: Item, where: str
) -> tuple[Literal["system", "developer", "user", "assistant"], str | None, list[Part]]:
    """Role, the name of what goes into one turn with its like next to it, and parts."""
    match item:
        case _MessageItem():
            parts = _read_content(item.content, f"{where}.content")
            return item.role, "assistant" if item.role == "assistant" else None, parts
        case _CallItem():
            call = Call(id=item.call_id, name=item.name, arguments=item.arguments, where=f"{where}.arguments")
            return "assistant", "assistant", [call]
        case _ResultItem():
            at = f"{where}.output"
            result = Result(call_id=item.call_id, parts=_read_output(item.output, at), where=at)
            return "user", "results", [result]
        case _ReasoningItem():
            said = "".join(part.text for part in item.content or ()) or "\n\n".join(
                part.text for part in item.summary
            )
            return "assistant", "assistant", [open_signature(said, item.encrypted_content or "")]


def _read_content(content: str | list[ContentPart], where: str) -> list[Part]:
    if isinstance(content, str):
        return [Text(content)]
    return [_read_part(part, f"{where}[{index}]") for index, part in enumerate(content)]


def _read_part(part: ContentPart, where: str) -> Text | Refusal | Media:
    match part:
        case _InputText() | _OutputText():
            return Text(part.text)
        case _OutputRefusal():
            return Refusal(part.refusal)
        case _InputImage():
            return read_image(part.image_url, f"{where}.image_url", part.detail or "")
        case _InputFile():
            return _read_file(part, where)


def _read_file(part: _InputFile, where: str) -> Media:
    if part.file_url is not None:
        return Media(
            kind="document",
            url=part.file_url,
            media_type=PDF,
            name=part.filename or "",
            where=f"{where}.file_url",
        )
    at = f"{where}.file_data"
    media_type, data = split_data_url(part.file_data or "", at)
    return Media(kind="document", media_type=media_type, data=data, name=part.filename or "", where=at)


def _read_output(output: str | list[_InputText | _InputImage | _InputFile], where: str) -> list[Text | Media]:
    if isinstance(output, str):
        return [Text(output)]
    parts: list[Text | Media] = []
    for index, part in enumerate(output):
        read = _read_part(part, f"{where}[{index}]")
        parts.append(Text(read.text) if isinstance(read, Refusal) else read)
    return parts


def _read_tool(tool: _ToolDefinition) -> Tool:
    return Tool(name=tool.name, description=tool.description, schema=tool.parameters, strict=tool.strict)


def _read_choice(choice: str | _NamedTool | _AllowedChoice | None) -> ToolChoice | None:
    match choice:
        case None:
            return None
        case _NamedTool():
            return ToolChoice(mode="any", names=(choice.name,))
        case _AllowedChoice():
            names = tuple(tool.name for tool in choice.tools)
            return ToolChoice(mode="any" if choice.mode == "required" else "auto", names=names)
        case "required":
            return ToolChoice(mode="any")
        case "none":
            return ToolChoice(mode="none")
        case _:
            return ToolChoice(mode="auto")


def _read_format(form: _TextFormat | _JsonFormat | _SchemaFormat | None) -> OutputFormat | None:
    match form:
        case _JsonFormat():
            return OutputFormat(kind="json")
        case _SchemaFormat():
            return OutputFormat(
                kind="schema",
                name=form.name,
                description=form.description,
                schema=form.schema,
                strict=form.strict,
            )
        case _:
            return None
