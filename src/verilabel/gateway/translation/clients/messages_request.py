"""Requests of Anthropic's Messages API, as clients send them."""

from __future__ import annotations

from typing import Any, Literal

from verilabel.gateway.translation.conversation import (
    Call,
    Media,
    OutputFormat,
    Part,
    Request,
    Result,
    Text,
    Tool,
    ToolChoice,
    Turn,
)
from verilabel.gateway.translation.interface import Untranslatable
from verilabel.gateway.translation.media import PDF
from verilabel.gateway.translation.reasoning import open_signature
from verilabel.gateway.translation.shapes import Shape, read_request, write_json

PATHS = {
    "stop": "$.stop_sequences",
    "effort": "$.output_config.effort",
    "budget": "$.thinking.budget_tokens",
    "output_format": "$.output_config.format",
    "parallel_calls": "$.tool_choice.disable_parallel_tool_use",
    "end_user": "$.metadata.user_id",
}


class _TextBlock(Shape, tag="text"):
    text: str
    cache_control: Any = None
    citations: Any = None


class _Base64Source(Shape, tag="base64"):
    media_type: str
    data: str


class _UrlSource(Shape, tag="url"):
    url: str


class _ImageBlock(Shape, tag="image"):
    source: _Base64Source | _UrlSource
    cache_control: Any = None
    transformations: None = None


class _DocumentBlock(Shape, tag="document"):
    source: _Base64Source | _UrlSource
    title: str | None = None
    cache_control: Any = None
    context: None = None
    citations: None = None


class _ToolUseBlock(Shape, tag="tool_use"):
    id: str
    name: str
    input: dict[str, Any]
    cache_control: Any = None
    caller: Any = None
    toolset_name: None = None


class _ToolResultBlock(Shape, tag="tool_result"):
    tool_use_id: str
    content: str | list[_TextBlock | _ImageBlock] | None = None
    is_error: bool | None = None
    cache_control: Any = None
    toolset_name: None = None


class _ThinkingBlock(Shape, tag="thinking"):
    thinking: str
    signature: str = ""


class _RedactedBlock(Shape, tag="redacted_thinking"):
    data: str


Block = (
    _TextBlock
    | _ImageBlock
    | _DocumentBlock
    | _ToolUseBlock
    | _ToolResultBlock
    | _ThinkingBlock
    | _RedactedBlock
)


class _Message(Shape):
    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


class _ToolDefinition(Shape):
    name: str
    input_schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None
    type: Literal["custom"] | None = None
    cache_control: Any = None
    eager_input_streaming: Any = None
    allowed_callers: list[Literal["direct"]] | None = None
    defer_loading: None = None
    input_examples: None = None


class _AutoChoice(Shape, tag="auto"):
    disable_parallel_tool_use: bool | None = None


class _AnyChoice(Shape, tag="any"):
    disable_parallel_tool_use: bool | None = None


class _NoChoice(Shape, tag="none"):
    pass


class _NamedChoice(Shape, tag="tool"):
    name: str
    disable_parallel_tool_use: bool | None = None


class _Enabled(Shape, tag="enabled"):
    budget_tokens: int
    display: Literal["summarized", "omitted"] | None = None


class _Adaptive(Shape, tag="adaptive"):
    display: Literal["summarized", "omitted"] | None = None


class _Disabled(Shape, tag="disabled"):
    pass


class _SchemaFormat(Shape, tag="json_schema"):
    schema: dict[str, Any]


class _OutputConfig(Shape):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: _SchemaFormat | None = None


class _Edit(Shape):
    """The one edit of a context that changes nothing: thoughts are kept."""

    type: Literal["clear_thinking_20251015"]
    keep: Literal["all"]


class _ContextManagement(Shape):
    edits: list[_Edit] | None = None


class _Metadata(Shape):
    user_id: str | None = None


class _MessagesRequest(Shape):
    """Members that are typed `Any` and never read tune service alone; those typed None must not be given."""

    model: str
    max_tokens: int
    messages: list[_Message]
    system: str | list[_TextBlock] | None = None
    metadata: _Metadata | None = None
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    temperature: int | float | None = None
    top_k: int | None = None
    top_p: int | float | None = None
    tools: list[_ToolDefinition] | None = None
    tool_choice: _AutoChoice | _AnyChoice | _NoChoice | _NamedChoice | None = None
    thinking: _Enabled | _Adaptive | _Disabled | None = None
    output_config: _OutputConfig | None = None
    cache_control: Any = None
    diagnostics: Any = None
    service_tier: Any = None
    speed: Any = None
    container: None = None
    context_management: _ContextManagement | None = None
    mcp_servers: None = None
    inference_geo: None = None
    user_profile_id: None = None
    workspace_id: None = None


def read_messages_request(body: dict[str, Any]) -> Request:
    """A Messages request in the neutral form. Raises Untranslatable."""
    asked = read_request(body, _MessagesRequest)
    output = asked.output_config or _OutputConfig()
    thinking = asked.thinking
    return Request(
        turns=_read_turns(asked),
        paths=PATHS if output.effort else {**PATHS, "effort": "$.thinking"},
        tools=[_read_tool(tool) for tool in asked.tools or ()],
        tool_choice=_read_choice(asked.tool_choice),
        parallel_calls=_read_parallel(asked.tool_choice),
        output_format=OutputFormat(kind="schema", schema=output.format.schema, strict=True)
        if output.format
        else None,
        max_tokens=asked.max_tokens,
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=asked.top_k,
        stop=asked.stop_sequences or [],
        effort="none" if isinstance(thinking, _Disabled) else output.effort,
        budget=thinking.budget_tokens if isinstance(thinking, _Enabled) else None,
        shows_thoughts=_shows_thoughts(thinking),
        keeps_signatures=True,
        end_user=asked.metadata.user_id if asked.metadata else None,
        stream=bool(asked.stream),
    )


def _shows_thoughts(thinking: _Enabled | _Adaptive | _Disabled | None) -> bool | None:
    if isinstance(thinking, _Enabled | _Adaptive):
        return None if thinking.display is None else thinking.display == "summarized"
    return False


def _read_turns(asked: _MessagesRequest) -> list[Turn]:
    turns: list[Turn] = []
    if asked.system:
        parts: list[Part] = (
            [Text(asked.system)]
            if isinstance(asked.system, str)
            else [Text(block.text) for block in asked.system]
        )
        turns.append(Turn(role="system", parts=parts, where="$.system"))
    for index, message in enumerate(asked.messages):
        where = f"$.messages[{index}]"
        if isinstance(message.content, str):
            parts = [Text(message.content)]
        else:
            parts = [
                _read_block(block, f"{where}.content[{place}]") for place, block in enumerate(message.content)
            ]
        turns.append(Turn(role=message.role, parts=parts, where=where))
    if turns and turns[-1].role == "assistant":
        raise Untranslatable(
            "the answer is to go on from words put into the model's mouth, which the upstream's API cannot say",
            where=turns[-1].where,
        )
    return turns


def _read_block(block: Block, where: str) -> Part:
    match block:
        case _TextBlock():
            return Text(block.text)
        case _ImageBlock():
            return _read_media(block.source, "image", f"{where}.source")
        case _DocumentBlock():
            media = _read_media(block.source, "document", f"{where}.source")
            media.name = block.title or ""
            if isinstance(block.source, _UrlSource):
                media.media_type = PDF
            return media
        case _ToolUseBlock():
            return Call(
                id=block.id, name=block.name, arguments=write_json(block.input), where=f"{where}.input"
            )
        case _ToolResultBlock():
            return _read_result(block, where)
        case _ThinkingBlock():
            return open_signature(block.thinking, block.signature)
        case _RedactedBlock():
            return open_signature("", block.data)


def _read_media(source: _Base64Source | _UrlSource, kind: Literal["image", "document"], where: str) -> Media:
    if isinstance(source, _UrlSource):
        return Media(kind=kind, url=source.url, where=where)
    return Media(kind=kind, media_type=source.media_type, data=source.data, where=where)


def _read_result(block: _ToolResultBlock, where: str) -> Result:
    parts: list[Text | Media] = []
    if isinstance(block.content, str):
        parts.append(Text(block.content))
    else:
        for index, part in enumerate(block.content or ()):
            if isinstance(part, _TextBlock):
                parts.append(Text(part.text))
            else:
                parts.append(_read_media(part.source, "image", f"{where}.content[{index}].source"))
    return Result(
        call_id=block.tool_use_id, parts=parts, where=f"{where}.content", is_error=bool(block.is_error)
    )


def _read_tool(tool: _ToolDefinition) -> Tool:
    return Tool(name=tool.name, description=tool.description, schema=tool.input_schema, strict=tool.strict)


def _read_choice(choice: _AutoChoice | _AnyChoice | _NoChoice | _NamedChoice | None) -> ToolChoice | None:
    match choice:
        case None:
            return None
        case _AutoChoice():
            return ToolChoice(mode="auto")
        case _AnyChoice():
            return ToolChoice(mode="any")
        case _NoChoice():
            return ToolChoice(mode="none")
        case _NamedChoice():
            return ToolChoice(mode="any", names=(choice.name,))


def _read_parallel(choice: _AutoChoice | _AnyChoice | _NoChoice | _NamedChoice | None) -> bool | None:
    if choice is None or isinstance(choice, _NoChoice) or choice.disable_parallel_tool_use is None:
        return None
    return not choice.disable_parallel_tool_use
