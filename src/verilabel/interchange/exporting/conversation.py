"""The turns of a recorded request body, whichever of the dialects it is written in."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

ROLES = {"model": "assistant", "developer": "system"}
"""Roles of some dialects by the names that all others use."""
KNOWN_ROLES = frozenset({"system", "user", "assistant"})


class Turn(NamedTuple):
    """One turn of a conversation."""

    role: str
    content: str


def read_turns(request: str) -> tuple[Turn, ...]:
    """The turns that a request body asks with; a body of no known form is one user turn, as it stands.

    Known are the bodies that this project sends: `messages` with or without `system` (chat completions, Messages,
    programs, recorded and simulated models), `input` with `instructions` (Responses), `contents` with
    `systemInstruction` (Gemini).
    """
    try:
        body = json.loads(request)
    except (ValueError, RecursionError):
        body = None
    turns = _turns_of(body) if isinstance(body, dict) else []
    return tuple(turns) or (Turn("user", request),)


def prompt_of(turns: tuple[Turn, ...]) -> str:
    """The last user turn."""
    return next((turn.content for turn in reversed(turns) if turn.role == "user"), "")


def _turns_of(body: dict[str, Any]) -> list[Turn]:
    turns = []
    for key in ("system", "instructions", "systemInstruction"):
        if text := _text_of(body.get(key)):
            turns.append(Turn("system", text))
    for key in ("messages", "input", "contents"):
        said = body.get(key)
        if isinstance(said, str):
            turns.append(Turn("user", said))
        elif isinstance(said, list):
            turns += [_turn_of(item) for item in said if isinstance(item, dict)]
    return turns if any(turn.role != "system" for turn in turns) else []


def _turn_of(item: dict[str, Any]) -> Turn:
    role = str(item.get("role") or "user")
    role = ROLES.get(role, role)
    return Turn(role if role in KNOWN_ROLES else "user", _text_of(item.get("content", item.get("parts"))))


def _text_of(content: Any) -> str:
    """The text of a turn's content: text as it stands, parts one after another, other values as JSON."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        if isinstance(content.get("text"), str):
            return str(content["text"])
        if "parts" in content:
            return _text_of(content["parts"])
        return json.dumps(content, ensure_ascii=False)
    if isinstance(content, list):
        return "\n\n".join(_text_of(part) for part in content)
    return json.dumps(content)
