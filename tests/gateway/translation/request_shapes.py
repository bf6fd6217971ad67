"""What a request to each upstream may look like: the SDKs' own types, and Google's as its documentation gives them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from anthropic.types.message_create_params import MessageCreateParamsNonStreaming as AnthropicWhole
from anthropic.types.message_create_params import MessageCreateParamsStreaming as AnthropicStream
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel

SAMPLING = {"temperature", "top_p", "top_k"}
"""Anthropic's API takes them of older models; its newest SDK no longer declares them."""


class GoogleShape(BaseModel):
    """An object of the generateContent API: camel case, nothing besides what is declared."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, strict=True)


class Blob(GoogleShape):
    mime_type: str
    data: str


class FunctionCall(GoogleShape):
    name: str
    args: dict[str, Any]
    id: str | None = None


class FunctionResponse(GoogleShape):
    name: str
    response: dict[str, Any]
    id: str | None = None


class Part(GoogleShape):
    text: str | None = None
    inline_data: Blob | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    thought_signature: str | None = None


class Content(GoogleShape):
    role: Literal["user", "model"]
    parts: list[Part]


class SystemInstruction(GoogleShape):
    parts: list[Part]


class ThinkingConfig(GoogleShape):
    include_thoughts: bool | None = None
    thinking_budget: int | None = None
    thinking_level: Literal["MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"] | None = None


class GenerationConfig(GoogleShape):
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop_sequences: list[str] | None = None
    candidate_count: int | None = None
    response_logprobs: bool | None = None
    logprobs: int | None = None
    response_mime_type: Literal["application/json"] | None = None
    response_json_schema: dict[str, Any] | None = None
    thinking_config: ThinkingConfig | None = None


class FunctionDeclaration(GoogleShape):
    name: str
    description: str | None = None
    parameters_json_schema: dict[str, Any] | None = None


class Tool(GoogleShape):
    function_declarations: list[FunctionDeclaration]


class FunctionCallingConfig(GoogleShape):
    mode: Literal["AUTO", "ANY", "NONE", "VALIDATED"]
    allowed_function_names: list[str] | None = None


class ToolConfig(GoogleShape):
    function_calling_config: FunctionCallingConfig


class GenerateContent(GoogleShape):
    contents: list[Content]
    system_instruction: SystemInstruction | None = None
    generation_config: GenerationConfig | None = None
    tools: list[Tool] | None = None
    tool_config: ToolConfig | None = None


ADAPTERS: dict[tuple[str, bool], TypeAdapter[Any]] = {
    ("openai", False): TypeAdapter(CompletionCreateParamsNonStreaming),
    ("openai", True): TypeAdapter(CompletionCreateParamsStreaming),
    ("openai-responses", False): TypeAdapter(ResponseCreateParamsNonStreaming),
    ("openai-responses", True): TypeAdapter(ResponseCreateParamsStreaming),
    ("anthropic", False): TypeAdapter(AnthropicWhole),
    ("anthropic", True): TypeAdapter(AnthropicStream),
}


def check_request(upstream: str, body: dict[str, Any]) -> None:
    """Fail unless the body has the types of its API, and no member that the API does not declare."""
    if upstream == "google":
        GenerateContent.model_validate(body)
        return
    adapter = ADAPTERS[upstream, bool(body.get("stream"))]
    checked = expand(adapter.validate_python(body))
    known = {name: value for name, value in body.items() if upstream != "anthropic" or name not in SAMPLING}
    assert known == checked


def expand(value: Any) -> Any:
    """A checked value with its lazy lists read, which is when pydantic checks them."""
    if isinstance(value, dict):
        return {name: expand(item) for name, item in value.items()}
    if isinstance(value, list | tuple | Iterator) or type(value).__name__ == "ValidatorIterator":
        return [expand(item) for item in value]
    return value
