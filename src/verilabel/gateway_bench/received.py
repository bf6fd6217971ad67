"""What a client has received: every string of a reply or stream, put together by the place where it stands."""

from __future__ import annotations

from typing import Any

import msgspec

_ENVELOPE = frozenset(
    (
        "id",
        "request_id",
        "tool_call_id",
        "object",
        "created",
        "model",
        "system_fingerprint",
        "finish_reason",
        "role",
        "type",
        "service_tier",
    )
)
"""Fields that hold no text of the model; identifiers in them are random, and would agree with a secret by chance."""


def received_texts(body: bytes) -> list[str]:
    """The texts of a reply, whole or streamed; pieces of one place are one text. What is no JSON is one too."""
    places: dict[tuple[str | int, ...], list[str]] = {}
    for document in _documents(body):
        if isinstance(document, str):
            places.setdefault(("not JSON",), []).append(document)
        else:
            _collect(document, (), places)
    return ["".join(pieces) for pieces in places.values()]


def _documents(body: bytes) -> list[Any]:
    if not body.lstrip().startswith((b"data:", b"event:", b":")):
        return [_decode(body)]
    found = []
    for line in body.replace(b"\r\n", b"\n").split(b"\n"):
        if line.startswith(b"data:"):
            data = line[5:].strip()
            if data != b"[DONE]":
                found.append(_decode(data))
        elif line and not line.startswith((b":", b"event:", b"id:", b"retry:")):
            found.append(line.decode("utf-8", "replace"))
    return found


def _decode(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return data.decode("utf-8", "replace")


def _collect(
    value: Any, place: tuple[str | int, ...], places: dict[tuple[str | int, ...], list[str]]
) -> None:
    if isinstance(value, str):
        places.setdefault(place, []).append(value)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in _ENVELOPE:
                _collect(inner, (*place, name), places)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            index = inner.get("index", i) if isinstance(inner, dict) else i
            _collect(inner, (*place, index if isinstance(index, int) else i), places)
