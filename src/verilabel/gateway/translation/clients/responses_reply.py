"""Whole replies of OpenAI's Responses API, as its clients know them."""

from __future__ import annotations

from typing import Any

from verilabel.errors import MalformedInput
from verilabel.gateway.translation.conversation import (
    Answer,
    Call,
    Count,
    Refusal,
    Reply,
    Stop,
    Text,
    Thought,
)
from verilabel.gateway.translation.identity import Maker
from verilabel.gateway.translation.reasoning import seal_signature

CUT: dict[Stop, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Reasons of incomplete replies."""


def write_responses_reply(reply: Reply, model: str, maker: Maker) -> dict[str, Any]:
    """A response. Raises MalformedInput where the upstream gave several answers."""
    if len(reply.answers) != 1:
        raise MalformedInput("the upstream's reply holds several answers where one was asked for")
    answer = reply.answers[0]
    body = write_response_head(
        reply.id or f"resp_{maker.token()}",
        reply.model or model,
        maker.now() if reply.created is None else reply.created,
    )
    body["output"] = _write_items(answer, maker)
    return end_response(body, answer.stop, reply.count)


def write_response_head(identity: str, model: str, created: int) -> dict[str, Any]:
    """A response in progress. What the request said is not repeated: `tools` is empty and `tool_choice` is auto."""
    return {
        "id": identity,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "store": False,
        "usage": None,
    }


def end_response(body: dict[str, Any], stop: Stop, count: Count | None) -> dict[str, Any]:
    """The response with its status and usage."""
    reason = CUT.get(stop)
    body["status"] = "completed" if reason is None else "incomplete"
    body["incomplete_details"] = None if reason is None else {"reason": reason}
    body["usage"] = None if count is None else write_responses_usage(count)
    return body


def write_responses_usage(count: Count) -> dict[str, Any]:
    """The member `usage`."""
    return {
        "input_tokens": count.input,
        "input_tokens_details": {"cached_tokens": count.cached, "cache_write_tokens": count.written},
        "output_tokens": count.output,
        "output_tokens_details": {"reasoning_tokens": count.reasoning},
        "total_tokens": count.input + count.output,
    }


def _write_items(answer: Answer, maker: Maker) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    content: list[dict[str, Any]] | None = None
    for part in answer.parts:
        if isinstance(part, Text | Refusal):
            if content is None:
                content = []
                items.append(write_message_item(f"msg_{maker.token()}", content, "completed"))
            content.append(
                write_refusal_part(part.text)
                if isinstance(part, Refusal)
                else write_text_part(part.text, None)
            )
        elif isinstance(part, Thought):
            content = None
            items.append(write_reasoning_item(f"rs_{maker.token()}", part))
        else:
            content = None
            if part.signature:
                signed = Thought(signature=part.signature, origin="google", hidden=True)
                items.append(write_reasoning_item(f"rs_{maker.token()}", signed))
            items.append(write_call_item(f"fc_{maker.token()}", part, "completed"))
    _add_logprobs(items, answer.logprobs)
    if answer.explanation:
        items.append(
            write_message_item(f"msg_{maker.token()}", [write_refusal_part(answer.explanation)], "completed")
        )
    return items


def _add_logprobs(items: list[dict[str, Any]], logprobs: list[Any] | None) -> None:
    for item in items:
        if logprobs is not None and item["type"] == "message" and item["content"][0]["type"] == "output_text":
            item["content"][0]["logprobs"] = logprobs
            return


def write_message_item(identity: str, content: list[dict[str, Any]], status: str) -> dict[str, Any]:
    """An item of the assistant's words."""
    return {"type": "message", "id": identity, "role": "assistant", "status": status, "content": content}


def write_text_part(text: str, logprobs: list[Any] | None) -> dict[str, Any]:
    """A part of a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs or []}


def write_refusal_part(text: str) -> dict[str, Any]:
    """A part of a message in which the model declines."""
    return {"type": "refusal", "refusal": text}


def write_reasoning_item(identity: str, thought: Thought) -> dict[str, Any]:
    """An item of thoughts; the signature of whoever thought them stands in `encrypted_content`."""
    sealed = (
        seal_signature(thought.origin, thought.signature, hidden=thought.hidden) if thought.origin else None
    )
    item: dict[str, Any] = {"type": "reasoning", "id": identity, "summary": []}
    if thought.text:
        item["content"] = [{"type": "reasoning_text", "text": thought.text}]
    if sealed is not None:
        item["encrypted_content"] = sealed
    return item


def write_call_item(identity: str, call: Call, status: str) -> dict[str, Any]:
    """An item that calls a function."""
    return {
        "type": "function_call",
        "id": identity,
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
        "status": status,
    }
