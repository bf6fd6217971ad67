"""A model server on the loopback that calls tools in four dialects, as strict about what it is sent as providers are.

It plays a list of moves: each is a text, a list of calls `(name, arguments)`, both, a raw body, or a status. The n-th
move answers a conversation with n-1 turns of the model in it, so that many conversations can be held at once. What a
provider would refuse (a result without its call, a thought that does not come back) is answered with 400.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

SIGNATURE = "c2lnbmVkIHRob3VnaHQ="


class Refused(Exception):
    """What the provider would refuse."""


@dataclass(frozen=True)
class Move:
    """One turn of the model: a text and calls, or a raw answer of some status instead."""

    text: str = ""
    calls: Sequence[tuple[str, Any]] = ()
    status: int = 200
    raw: bytes | None = None
    headers: Sequence[str] = ()


@dataclass
class ToolServer:
    """A running server: where it is, and what it was sent."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    failures: list[Move] = field(default_factory=list)
    """Answered first, one a request, whatever is asked."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever something was asked."""


def _require(holds: bool, why: str) -> None:
    if not holds:
        raise Refused(why)


def chat_turns(body: dict[str, Any]) -> int:
    """Check a chat completions request; the model's turns in it."""
    turns, open_calls = 0, list[str]()
    for message in body["messages"]:
        if message["role"] == "tool":
            _require(message["tool_call_id"] in open_calls, "a result without its call")
            open_calls.remove(message["tool_call_id"])
            continue
        _require(not open_calls, "a call without its result")
        if message["role"] == "assistant":
            turns += 1
            _require(
                message.get("reasoning_content") == f"thought {turns}", "the reasoning did not come back"
            )
            open_calls = [call["id"] for call in message.get("tool_calls", ())]
            _require(
                all(
                    call["extra_content"] == {"google": {"thought_signature": SIGNATURE}}
                    for call in message.get("tool_calls", ())
                ),
                "the signature did not come back",
            )
    return turns


def chat_answer(move: Move, turn: int) -> dict[str, Any]:
    """A chat completion."""
    calls = [
        {
            "id": f"call_{turn}_{i}",
            "type": "function",
            "function": {"name": name, "arguments": _text(arguments)},
            "extra_content": {"google": {"thought_signature": SIGNATURE}},
        }
        for i, (name, arguments) in enumerate(move.calls)
    ]
    message = {"role": "assistant", "content": move.text or None, "reasoning_content": f"thought {turn}"}
    if calls:
        message["tool_calls"] = calls
    finish = "tool_calls" if calls else "stop"
    return {
        "model": "tool-1",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 3},
    }


def responses_turns(body: dict[str, Any]) -> int:
    """Check a Responses request; the model's turns in it."""
    turns, open_calls = 0, set[str]()
    for item in body["input"]:
        kind = item.get("type", "message")
        if kind == "reasoning":
            turns += 1
            _require(item["encrypted_content"] == f"{SIGNATURE}{turns}", "the reasoning did not come back")
        elif kind == "function_call":
            open_calls.add(item["call_id"])
        elif kind == "function_call_output":
            _require(item["call_id"] in open_calls, "a result without its call")
    return turns


def responses_answer(move: Move, turn: int) -> dict[str, Any]:
    """A response of reasoning, message and calls."""
    items: list[dict[str, Any]] = [
        {"type": "reasoning", "id": f"rs_{turn}", "summary": [], "encrypted_content": f"{SIGNATURE}{turn}"}
    ]
    if move.text:
        part = {"type": "output_text", "text": move.text, "annotations": []}
        items.append({"type": "message", "role": "assistant", "content": [part]})
    for i, (name, arguments) in enumerate(move.calls):
        number = f"call_{turn}_{i}"
        items.append(
            {
                "type": "function_call",
                "id": f"fc_{i}",
                "call_id": number,
                "name": name,
                "arguments": _text(arguments),
            }
        )
    return {
        "status": "completed",
        "model": "tool-1",
        "output": items,
        "usage": {"input_tokens": 10, "output_tokens": 3},
    }


def anthropic_turns(body: dict[str, Any]) -> int:
    """Check a Messages request; the model's turns in it."""
    turns, open_calls, last = 0, set[str](), ""
    for message in body["messages"]:
        _require(message["role"] != last, "roles must take turns")
        last = message["role"]
        blocks = message["content"] if isinstance(message["content"], list) else []
        results = {b["tool_use_id"] for b in blocks if b["type"] == "tool_result"}
        _require(results == open_calls, "the results of a turn stand together in the next message")
        open_calls = {b["id"] for b in blocks if b["type"] == "tool_use"}
        if message["role"] == "assistant":
            turns += 1
            _require(blocks[0] == _thinking(turns), "the thought did not come back as it was")
            _require(all(b["text"].strip() for b in blocks if b["type"] == "text"), "a blank text")
    return turns


def _thinking(turn: int) -> dict[str, str]:
    return {"type": "thinking", "thinking": f"thought {turn}", "signature": SIGNATURE}


def anthropic_answer(move: Move, turn: int) -> dict[str, Any]:
    """A message of a thought, text and calls."""
    blocks: list[dict[str, Any]] = [_thinking(turn)]
    if move.text:
        blocks.append({"type": "text", "text": move.text})
    for i, (name, arguments) in enumerate(move.calls):
        blocks.append({"type": "tool_use", "id": f"toolu_{turn}_{i}", "name": name, "input": arguments})
    return {
        "type": "message",
        "model": "tool-1",
        "content": blocks,
        "stop_reason": "tool_use" if move.calls else "end_turn",
        "usage": {"input_tokens": 10, "output_tokens": 3},
    }


def google_turns(body: dict[str, Any]) -> int:
    """Check a generateContent request; the model's turns in it."""
    turns, open_calls = 0, 0
    for content in body["contents"]:
        answered = sum("functionResponse" in part for part in content["parts"])
        _require(answered == open_calls, "as many results as calls")
        open_calls = sum("functionCall" in part for part in content["parts"])
        if content["role"] == "model":
            turns += 1
            _require(
                content["parts"][-1]["thoughtSignature"] == f"{SIGNATURE}{turns}", "the signature is gone"
            )
    return turns


def google_answer(move: Move, turn: int) -> dict[str, Any]:
    """A candidate of signed parts."""
    parts: list[dict[str, Any]] = [{"text": move.text}] if move.text else []
    parts += [{"functionCall": {"name": name, "args": arguments}} for name, arguments in move.calls]
    parts = parts or [{"text": ""}]
    parts[-1]["thoughtSignature"] = f"{SIGNATURE}{turn}"
    return {
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}],
        "modelVersion": "tool-1",
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 2, "thoughtsTokenCount": 1},
    }


def _text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


Turns = Callable[[dict[str, Any]], int]
Answer = Callable[[Move, int], dict[str, Any]]
DIALECTS: dict[str, tuple[str, Turns, Answer]] = {
    "/chat/completions": ("chat", chat_turns, chat_answer),
    "/responses": ("responses", responses_turns, responses_answer),
    "/messages": ("anthropic", anthropic_turns, anthropic_answer),
    ":generateContent": ("google", google_turns, google_answer),
}


@asynccontextmanager
async def tool_server(moves: Sequence[Move]) -> AsyncIterator[ToolServer]:
    """A running server that makes these moves; a conversation beyond them is answered `done`."""
    state = ToolServer()

    def answer(path: str, body: dict[str, Any]) -> tuple[int, bytes, Sequence[str]]:
        state.bodies.append(body)
        state.asked.set()
        if state.failures:
            failure = state.failures.pop(0)
            return failure.status, failure.raw or b"{}", failure.headers
        _, turns_of, answer_of = next(found for end, found in DIALECTS.items() if path.endswith(end))
        try:
            turn = turns_of(body)
        except Refused as error:
            return 400, json.dumps({"error": {"message": str(error)}}).encode(), ()
        move = moves[turn] if turn < len(moves) else Move("done")
        if move.raw is not None or move.status != 200:
            return move.status, move.raw or b"{}", move.headers
        return 200, json.dumps(answer_of(move, turn + 1)).encode(), move.headers

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
                path = head.split(b" ", 2)[1].decode()
                status, body, headers = answer(path, json.loads(await reader.readexactly(size)))
                lines = [f"HTTP/1.1 {status} Some Words", "Content-Type: application/json", *headers]
                lines.append(f"Content-Length: {len(body)}")
                writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    state.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield state
    finally:
        server.close()
