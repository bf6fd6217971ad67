"""An upstream's error in the client's terms: a status its SDK knows, and one sentence."""

from __future__ import annotations

from typing import Any

import msgspec

MAX_CHARS = 300
OVERLOADED = 529
UNAVAILABLE = 503
REPEATED = frozenset({400, 404, 405, 409, 413, 415, 422, 429})
"""Statuses whose sentence says something of the request; others speak of the upstream and its key."""
OWN = {
    401: "the upstream refused the gateway's key",
    402: "the upstream's account of the gateway has no credit left",
    403: "the upstream does not allow the gateway this model or request",
    OVERLOADED: "the upstream is overloaded",
    UNAVAILABLE: "the upstream is overloaded",
}


def read_failure(status: int, body: bytes, *, client: str) -> tuple[int, str]:
    """Status and sentence of an upstream's error. Never raises; the sentence is bounded and holds no line break."""
    said, status_word = _read_message(body)
    if status == 400 and ("API key" in said or status_word == "UNAUTHENTICATED"):
        status = 401
    line = _one_line(said)
    if status in REPEATED and line:
        return status, line
    sentence = OWN.get(status, f"the upstream answered with status {status}")
    return _status_for(client, status), sentence


def _status_for(client: str, status: int) -> int:
    if client == "messages":
        return OVERLOADED if status == UNAVAILABLE else status
    return UNAVAILABLE if status == OVERLOADED else status


def _read_message(body: bytes) -> tuple[str, str]:
    try:
        value: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return "", ""
    if isinstance(value, list) and value:  # Google wraps errors of streams in an array
        value = value[0]
    error = value.get("error") if isinstance(value, dict) else None
    if isinstance(error, str):
        return error, ""
    if not isinstance(error, dict):
        return "", ""
    message, word = error.get("message"), error.get("status")
    return (message if isinstance(message, str) else ""), (word if isinstance(word, str) else "")


def _one_line(text: str) -> str:
    line = "".join(char if char.isprintable() else " " for char in text[: 2 * MAX_CHARS])
    line = " ".join(line.split())
    return line if len(line) <= MAX_CHARS else line[: MAX_CHARS - 3] + "..."
