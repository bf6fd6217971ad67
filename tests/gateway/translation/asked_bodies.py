"""Full requests of each client's API: prompts, images, calls and results, tools, schemas, parameters."""

from __future__ import annotations

from typing import Any

PIXEL = "iVBORw0KGgo="
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
CHAT: dict[str, Any] = {
    "model": "any",
    "messages": [
        {"role": "system", "content": "Answer briefly."},
        {"role": "developer", "content": [{"type": "text", "text": "Name your sources."}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is on this picture?"},
                {
                    "type": "image_url",
                    "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"},
                },
            ],
        },
        {
            "role": "assistant",
            "content": "Let me look.",
            "refusal": None,
            "annotations": [],
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "look_up", "arguments": '{"city": "Oslo"}'},
                },
                {"id": "call_2", "type": "function", "function": {"name": "look_up", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "sun"}]},
        {"role": "user", "content": "And tomorrow?"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "look_up",
                "description": "Weather of a city",
                "parameters": SCHEMA,
                "strict": True,
            },
        },
        {"type": "function", "function": {"name": "read_clock"}},
    ],
    "tool_choice": "auto",
    "max_completion_tokens": 900,
    "temperature": 0.5,
    "top_p": 0.9,
    "reasoning_effort": "medium",
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "city", "schema": SCHEMA, "strict": True, "description": "A city"},
    },
    "user": "user-7",
    "metadata": {"trace": "1"},
    "store": False,
    "service_tier": "auto",
    "n": 1,
    "frequency_penalty": 0,
    "presence_penalty": 0.0,
}
MESSAGES: dict[str, Any] = {
    "model": "any",
    "max_tokens": 900,
    "system": [
        {"type": "text", "text": "Answer briefly.", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "Name your sources."},
    ],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is on this picture?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Look it up.", "signature": "anthropic-only"},
                {"type": "text", "text": "Let me look."},
                {"type": "tool_use", "id": "call_1", "name": "look_up", "input": {"city": "Oslo"}},
                {"type": "tool_use", "id": "call_2", "name": "look_up", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "rain"},
                {
                    "type": "tool_result",
                    "tool_use_id": "call_2",
                    "content": [{"type": "text", "text": "no such city"}],
                    "is_error": True,
                },
                {"type": "text", "text": "And tomorrow?"},
            ],
        },
    ],
    "tools": [
        {"name": "look_up", "description": "Weather of a city", "input_schema": SCHEMA, "strict": True},
        {"type": "custom", "name": "read_clock", "input_schema": {"type": "object", "properties": {}}},
    ],
    "tool_choice": {"type": "auto"},
    "temperature": 0.5,
    "top_p": 0.9,
    "thinking": {"type": "enabled", "budget_tokens": 5_000},
    "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    "metadata": {"user_id": "user-7"},
    "cache_control": {"type": "ephemeral"},
    "service_tier": "auto",
}
RESPONSES: dict[str, Any] = {
    "model": "any",
    "instructions": "Answer briefly.",
    "input": [
        {"role": "developer", "content": "Name your sources."},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "What is on this picture?"},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "low"},
            ],
        },
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "openai-only"},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Let me look.", "annotations": []}],
        },
        {"type": "function_call", "call_id": "call_1", "name": "look_up", "arguments": '{"city": "Oslo"}'},
        {"type": "function_call", "call_id": "call_2", "name": "look_up", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
        {
            "type": "function_call_output",
            "call_id": "call_2",
            "output": [{"type": "input_text", "text": "sun"}],
        },
        {"role": "user", "content": "And tomorrow?"},
    ],
    "tools": [
        {
            "type": "function",
            "name": "look_up",
            "description": "Weather of a city",
            "parameters": SCHEMA,
            "strict": True,
        },
        {"type": "function", "name": "read_clock", "parameters": None, "strict": None},
    ],
    "tool_choice": "auto",
    "max_output_tokens": 900,
    "temperature": 0.5,
    "top_p": 0.9,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "text": {"format": {"type": "json_schema", "name": "city", "schema": SCHEMA, "strict": True}},
    "user": "user-7",
    "store": False,
    "background": False,
    "include": ["reasoning.encrypted_content"],
}
ASKED = {"chat": CHAT, "messages": MESSAGES, "responses": RESPONSES}
MODELS = {
    "openai": "gpt-6",
    "openai-responses": "gpt-6",
    "anthropic": "claude-sonnet-5",
    "google": "gemini-3-pro",
}
