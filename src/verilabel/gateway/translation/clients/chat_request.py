"""Requests of OpenAI's chat completions, as clients send them."""

from __future__ import annotations

from typing import Any, Literal

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
from verilabel.gateway.translation.media import AUDIO_TYPES, read_image, split_data_url
from verilabel.gateway.translation.shapes import Shape, read_request

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
PATHS = {
    "max_tokens": "$.max_completion_tokens",
    "effort": "$.reasoning_effort",
    "output_format": "$.response_format",
    "parallel_calls": "$.parallel_tool_calls",
    "end_user": "$.user",
}


class _TextPart(Shape, tag="text"):
    text: str
    prompt_cache_breakpoint: Any = None


class _RefusalPart(Shape, tag="refusal"):
    refusal: str


class _ImageUrl(Shape):
    url: str
    detail: str | None = None


class _ImagePart(Shape, tag="image_url"):
    image_url: _ImageUrl
    prompt_cache_breakpoint: Any = None


class _InputAudio(Shape):
    data: str
    format: Literal["wav", "mp3"]


class _AudioPart(Shape, tag="input_audio"):
    input_audio: _InputAudio
    prompt_cache_breakpoint: Any = None


class _File(Shape):
    file_data: str
    filename: str | None = None


class _FilePart(Shape, tag="file"):
    file: _File
    prompt_cache_breakpoint: Any = None


Texts = str | list[_TextPart]
InputPart = _TextPart | _ImagePart | _AudioPart | _FilePart


class _SystemMessage(Shape, tag_field="role", tag="system"):
    content: Texts
    name: None = None


class _DeveloperMessage(Shape, tag_field="role", tag="developer"):
    content: Texts
    name: None = None


class _UserMessage(Shape, tag_field="role", tag="user"):
    content: str | list[InputPart]
    name: None = None


class _Function(Shape):
    name: str
    arguments: str


class _GoogleContent(Shape):
    thought_signature: str | None = None


class _ExtraContent(Shape):
    google: _GoogleContent | None = None


class _ToolCall(Shape):
    id: str
    function: _Function
    type: Literal["function"] = "function"
    index: int | None = None
    extra_content: _ExtraContent | None = None


class _AssistantMessage(Shape, tag_field="role", tag="assistant"):
    content: str | list[_TextPart | _RefusalPart] | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None
    name: None = None
    audio: None = None
    function_call: None = None
    annotations: Any = None
    reasoning_content: Any = None
    reasoning: Any = None


class _ToolMessage(Shape, tag_field="role", tag="tool"):
    content: Texts
    tool_call_id: str
    name: str | None = None


Message = _SystemMessage | _DeveloperMessage | _UserMessage | _AssistantMessage | _ToolMessage


class _FunctionDefinition(Shape):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _ToolDefinition(Shape):
    type: Literal["function"]
    function: _FunctionDefinition


class _Named(Shape):
    name: str


class _NamedTool(Shape, tag="function"):
    function: _Named


class _AllowedTool(Shape):
    type: Literal["function"]
    function: _Named


class _AllowedTools(Shape):
    mode: Literal["auto", "required"]
    tools: list[_AllowedTool]


class _AllowedChoice(Shape, tag="allowed_tools"):
    allowed_tools: _AllowedTools


class _TextFormat(Shape, tag="text"):
    pass


class _JsonFormat(Shape, tag="json_object"):
    pass


class _JsonSchema(Shape):
    name: str
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class _SchemaFormat(Shape, tag="json_schema"):
    json_schema: _JsonSchema


class _ChatRequest(Shape):
    """Members that are typed `Any` and never read tune service alone; those typed None must not be given."""

    model: str
    messages: list[Message]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: int | float | None = None
    top_p: int | float | None = None
    frequency_penalty: int | float | None = None
    presence_penalty: int | float | None = None
    seed: int | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[_ToolDefinition] | None = None
    tool_choice: Literal["none", "auto", "required"] | _NamedTool | _AllowedChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: _TextFormat | _JsonFormat | _SchemaFormat | None = None
    reasoning_effort: Effort | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    modalities: list[Literal["text"]] | None = None
    stream: bool | None = None
    store: bool | None = None
    user: str | None = None
    safety_identifier: str | None = None
    stream_options: Any = None
    metadata: Any = None
    service_tier: Any = None
    prediction: Any = None
    prompt_cache_key: Any = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
    audio: None = None
    function_call: None = None
    functions: None = None
    logit_bias: None = None
    moderation: None = None
    web_search_options: None = None


def read_chat_request(body: dict[str, Any]) -> Request:
    """A chat completions request in the neutral form. Raises Untranslatable."""
    asked = read_request(body, _ChatRequest)
    paths = PATHS
    if asked.max_completion_tokens is None and asked.max_tokens is not None:
        paths = {**PATHS, "max_tokens": "$.max_tokens"}
    return Request(
        turns=_read_turns(asked.messages),
        paths=paths,
        tools=[_read_tool(tool.function) for tool in asked.tools or ()],
        tool_choice=_read_choice(asked.tool_choice),
        parallel_calls=asked.parallel_tool_calls,
        output_format=_read_format(asked.response_format),
        max_tokens=asked.max_tokens if asked.max_completion_tokens is None else asked.max_completion_tokens,
        temperature=asked.temperature,
        top_p=asked.top_p,
        frequency_penalty=asked.frequency_penalty,
        presence_penalty=asked.presence_penalty,
        seed=asked.seed,
        n=1 if asked.n is None else asked.n,
        stop=[asked.stop] if isinstance(asked.stop, str) else asked.stop or [],
        logprobs=(asked.top_logprobs or 0) if asked.logprobs else None,
        effort=asked.reasoning_effort,
        verbosity=asked.verbosity,
        end_user=asked.safety_identifier or asked.user,
        stream=bool(asked.stream),
        store=asked.store,
    )


def _read_turns(messages: list[Message]) -> list[Turn]:
    turns: list[Turn] = []
    in_results = False
    for index, message in enumerate(messages):
        where = f"$.messages[{index}]"
        if isinstance(message, _ToolMessage):
            result = Result(
                call_id=message.tool_call_id, parts=_read_texts(message.content), where=f"{where}.content"
            )
            if in_results:
                turns[-1].parts.append(result)
            else:
                turns.append(Turn(role="user", parts=[result], where=where))
            in_results = True
            continue
        in_results = False
        turns.append(_read_turn(message, where))
    return turns


def _read_turn(
    message: _SystemMessage | _DeveloperMessage | _UserMessage | _AssistantMessage, where: str
) -> Turn:
    match message:
        case _SystemMessage():
            return Turn(role="system", parts=[*_read_texts(message.content)], where=where)
        case _DeveloperMessage():
            return Turn(role="developer", parts=[*_read_texts(message.content)], where=where)
        case _UserMessage():
            return Turn(role="user", parts=_read_input(message.content, f"{where}.content"), where=where)
        case _AssistantMessage():
            return Turn(role="assistant", parts=_read_answer(message, where), where=where)


def _read_texts(content: Texts) -> list[Text | Media]:
    return [Text(content)] if isinstance(content, str) else [Text(part.text) for part in content]


def _read_input(content: str | list[InputPart], where: str) -> list[Part]:
    if isinstance(content, str):
        return [Text(content)]
    return [_read_input_part(part, f"{where}[{index}]") for index, part in enumerate(content)]


def _read_input_part(part: InputPart, where: str) -> Part:
    match part:
        case _TextPart():
            return Text(part.text)
        case _ImagePart():
            return read_image(part.image_url.url, f"{where}.image_url.url", part.image_url.detail or "")
        case _AudioPart():
            sound = part.input_audio
            return Media(
                kind="audio",
                media_type=AUDIO_TYPES[sound.format],
                data=sound.data,
                where=f"{where}.input_audio",
            )
        case _FilePart():
            at = f"{where}.file.file_data"
            media_type, data = split_data_url(part.file.file_data, at)
            return Media(
                kind="document", media_type=media_type, data=data, name=part.file.filename or "", where=at
            )


def _read_answer(message: _AssistantMessage, where: str) -> list[Part]:
    parts: list[Part] = []
    if isinstance(message.content, str):
        if message.content:
            parts.append(Text(message.content))
    else:
        for part in message.content or ():
            parts.append(Refusal(part.refusal) if isinstance(part, _RefusalPart) else Text(part.text))
    if message.refusal:
        parts.append(Refusal(message.refusal))
    for index, call in enumerate(message.tool_calls or ()):
        parts.append(_read_call(call, f"{where}.tool_calls[{index}]"))
    if not parts:
        raise Untranslatable("this message of the assistant holds nothing", where=where)
    return parts


def _read_call(call: _ToolCall, where: str) -> Call:
    google = call.extra_content.google if call.extra_content else None
    return Call(
        id=call.id,
        name=call.function.name,
        arguments=call.function.arguments,
        where=f"{where}.function.arguments",
        signature=(google.thought_signature or "") if google else "",
    )


def _read_tool(function: _FunctionDefinition) -> Tool:
    return Tool(
        name=function.name,
        description=function.description,
        schema=function.parameters,
        strict=function.strict,
    )


def _read_choice(choice: str | _NamedTool | _AllowedChoice | None) -> ToolChoice | None:
    match choice:
        case None:
            return None
        case _NamedTool():
            return ToolChoice(mode="any", names=(choice.function.name,))
        case _AllowedChoice():
            allowed = choice.allowed_tools
            names = tuple(tool.function.name for tool in allowed.tools)
            return ToolChoice(mode="any" if allowed.mode == "required" else "auto", names=names)
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
            said = form.json_schema
            return OutputFormat(
                kind="schema",
                name=said.name,
                description=said.description,
                schema=said.schema,
                strict=said.strict,
            )
        case _:
            return None
