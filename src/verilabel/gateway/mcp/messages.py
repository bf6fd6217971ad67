"""JSON-RPC messages as bytes: read strictly, written in one line, refused under their own id."""

from __future__ import annotations

import json

import mcp_types as types
from mcp.shared.message import SessionMessage

from verilabel.errors import MalformedInput
from verilabel.gateway.mcp.strict_json import MAX_BYTES, read_strictly
from verilabel.records.canonical import MAX_INTEGER

MAX_ID_CHARS = 200


def message_of(data: bytes, *, where: str = "message", max_bytes: int = MAX_BYTES) -> types.JSONRPCMessage:
    """A message. Raises MalformedInput or LimitExceeded for anything else, batches among it."""
    value = read_strictly(data, where=where, max_bytes=max_bytes)
    if not isinstance(value, dict):
        raise MalformedInput("a message is an object; batches are not served", where=where)
    try:
        return types.jsonrpc_message_adapter.validate_python(value, by_name=False)
    except ValueError:
        raise MalformedInput("not a JSON-RPC message", where=where) from None


def line_of(message: SessionMessage) -> bytes:
    """The line of one message, without its newline."""
    return message.message.model_dump_json(by_alias=True, exclude_unset=True).encode("utf-8")


def refusal_of(data: bytes, message: str) -> bytes:
    """The JSON-RPC error for a message that was not taken, under its id where it plainly has one."""
    error = {"code": types.INVALID_REQUEST, "message": f"not taken: {message}"}
    return json.dumps({"jsonrpc": "2.0", "id": _find_id(data), "error": error}).encode("ascii")


def _find_id(data: bytes) -> str | int | None:
    try:
        pairs = json.loads(data[:MAX_BYTES], object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        return None
    ids = [value for key, value in pairs if key == "id"]
    if len(ids) != 1 or not isinstance(ids[0], str | int) or isinstance(ids[0], bool):
        return None
    is_small = len(ids[0]) <= MAX_ID_CHARS if isinstance(ids[0], str) else abs(ids[0]) <= MAX_INTEGER
    return ids[0] if is_small else None
