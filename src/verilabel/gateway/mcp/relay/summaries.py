"""What people are shown of a call that they are asked about: every argument as far as there is room, nothing hidden.

Who asks has chosen the arguments, and may want some of them not to be seen. So long texts are shown by their beginning,
their end, their length and digest, instead of pushing others out; where arguments are left out all the same, that
stands first. Secrets are redacted and characters that people do not see are named, whatever the policy does with
results.
"""

from __future__ import annotations

import functools
import json
from typing import Any

from verilabel.gateway.mcp.policy.document import ResultRules
from verilabel.gateway.mcp.policy.filtering import Results, compile_results
from verilabel.gateway.mcp.policy.interface import ToolCall
from verilabel.gateway.mcp.relay.sessions import Session
from verilabel.gateway.mcp.strict_json import MAX_BYTES
from verilabel.records.canonical import digest

MAX_SUMMARY_CHARS = 4_000
MAX_TEXTS = 500
MAX_LEVELS = 8
NOT_ALL = "not all arguments are shown; "
_ROOMS = ((1_000, 60), (300, 40), (120, 40), (60, 20), (24, 20))
"""Characters of a text and members of a list or an object, from the widest summary to the narrowest."""


def summary_of(session: Session, call: ToolCall) -> str:
    """Three lines: the tool, its arguments as JSON, the labels of the session. At most MAX_SUMMARY_CHARS."""
    labels = ", ".join(sorted(session.labels)) or "none"
    head, tail = f"{call.name}\n", f"\nlabels of the session: {labels}"
    room = max(0, MAX_SUMMARY_CHARS - len(head) - len(tail))
    cleaned: dict[str, str] = {}
    line = ""
    for chars, members in _ROOMS:
        shortening = _Shortening(chars, members, cleaned)
        shown = shortening.value(call.arguments)
        line = _printable(json.dumps(shown, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
        if shortening.left_out:
            line = NOT_ALL + line
        if len(line) <= room:
            return head + line + tail
    line = line.removeprefix(NOT_ALL)
    return (head + (NOT_ALL + line)[:room] + tail)[:MAX_SUMMARY_CHARS]


class _Shortening:
    """One attempt at showing a value within so many characters a text and so many members."""

    def __init__(self, chars: int, members: int, cleaned: dict[str, str]) -> None:
        self._chars = chars
        self._members = members
        self._cleaned = cleaned
        self._texts = 0
        self.left_out = False

    def value(self, value: Any, level: int = 0) -> Any:
        """A value as it is shown."""
        if isinstance(value, str):
            return self._text(value)
        if not isinstance(value, dict | list) or not value:
            return value
        if level >= MAX_LEVELS or self._texts >= MAX_TEXTS:
            self.left_out = True
            return f"[{len(value)} members]"
        rest = len(value) - self._members
        self.left_out |= rest > 0
        if isinstance(value, list):
            items = [self.value(item, level + 1) for item in value[: self._members]]
            return [*items, f"[{rest} more]"] if rest > 0 else items
        named = {self._text(key): self.value(value[key], level + 1) for key in sorted(value)[: self._members]}
        return named | {f"[{rest} more]": None} if rest > 0 else named

    def _text(self, text: str) -> str:
        self._texts += 1
        if text not in self._cleaned:
            self._cleaned[text] = _clean(text)
        clean = self._cleaned[text]
        if len(clean) <= self._chars:
            return clean
        part = self._chars // 3
        said = f"[... {len(text)} characters, {digest(text.encode('utf-8', 'replace'))[:19]} ...]"
        return f"{clean[: 2 * part]}{said}{clean[-part:]}"


def _clean(text: str) -> str:
    filtered = _rules().apply(text)
    hidden = any(name.startswith("strip.") for name in filtered.findings)
    return f"{filtered.text} [with hidden characters]" if hidden else filtered.text


@functools.cache
def _rules() -> Results:
    return compile_results(ResultRules(max_bytes=MAX_BYTES, scan=("secrets",)))


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\u{{{ord(char):X}}}" for char in text)
