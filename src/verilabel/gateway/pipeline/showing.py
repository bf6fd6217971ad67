"""What people are shown of a held request or reply: never cut without saying so, no text that looks like another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from verilabel.gateway.pipeline.exchange import Exchange

SHOWN_CHARS = 7000
"""Of all texts together; the queue keeps 8,000."""
_NAMES = 20
_NAME_CHARS = 64
_CALLS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use", "function_call", "custom_tool_call"})
_decode = msgspec.json.Decoder().decode


def show_request(exchange: Exchange) -> str:
    """The request in texts, after the guards redacted it, and what of it is no text."""
    described = exchange.describe()
    slots = exchange.dialect.input_slots(exchange.body)
    texts = [(slot.role, slot.text) for slot in slots if slot.field != "tool_definition"]
    return _bounded([*_said_of(described), *_lines(texts)])


def show_reply(exchange: Exchange, texts: Iterable[tuple[str, str]], body: bytes) -> str:
    """The reply in texts by field, with the names of the tools it calls; pseudonyms in place of what they stand for."""
    called = list(dict.fromkeys(_names_called(body, is_stream=exchange.wants_stream)))
    if exchange.vault is not None:  # the client gets its own values back; others see what the model was shown
        texts = _redacted(exchange, texts)
    return _bounded([*_named("calls", called), *_lines(texts)])


def _redacted(exchange: Exchange, texts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    plan, inspection = exchange.plan.input.enforced, exchange.input
    assert plan is not None and inspection is not None
    for field, text in texts:
        # some of them have their values back already and some have not: as one, so that none has
        restored = exchange.vault.restore(text)
        yield field, plan.spans.redact(restored, substitute=inspection.substitute).text


def _lines(texts: Iterable[tuple[str, str]]) -> Iterator[str]:
    """One entry a text; its further lines are set off, so that none of them begins as another entry does."""
    for name, text in texts:
        yield f"{name}: " + "\n    ".join(text.splitlines())


def _said_of(described: dict[str, Any]) -> Iterator[str]:
    yield from _named("offers", described.get("tools", []))
    if described.get("media"):
        yield f"[holds {described['media']} images, audio or files that are not shown here]"


def _named(verb: str, names: list[str]) -> Iterator[str]:
    if names:
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        yield f"[{verb} the tools {', '.join(repr(name[:_NAME_CHARS]) for name in names[:_NAMES])}{more}]"


def _bounded(lines: Iterable[str]) -> str:
    text = "\n".join(lines)
    if len(text) <= SHOWN_CHARS:
        return text
    half = SHOWN_CHARS // 2
    return f"{text[:half]}\n[{len(text) - 2 * half} characters are left out here]\n{text[-half:]}"


def _names_called(body: bytes, *, is_stream: bool) -> Iterator[str]:
    """The names of tools that a reply calls, in any of the clients' APIs; the same name may come again."""
    parts = [line[5:] for line in body.splitlines() if line.startswith(b"data:")] if is_stream else [body]
    for part in parts:
        if b'"name"' not in part:
            continue
        try:
            waiting = [_decode(part)]
        except (msgspec.DecodeError, RecursionError):
            continue
        while waiting:
            node = waiting.pop()
            if isinstance(node, dict):
                yield from _name_of_call(node)
                waiting.extend(node.values())
            elif isinstance(node, list):
                waiting.extend(reversed(node))


def _name_of_call(node: dict[str, Any]) -> Iterator[str]:
    if node.get("type") in _CALLS and isinstance(node.get("name"), str):
        yield node["name"]
    for member in ("function", "custom", "function_call"):
        inner = node.get(member)
        if isinstance(inner, dict) and isinstance(inner.get("name"), str) and inner["name"]:
            yield inner["name"]
