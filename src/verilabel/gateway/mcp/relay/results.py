"""What an agent is shown of a result: its texts through the result rules, nothing else that a server could hide.

Every string of the content and of the structured content is filtered; what servers say about themselves (`_meta`) is
left out. Pictures and sounds cannot be read by rules: they pass within the size bound, and the labels of the tool hold.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from verilabel.gateway.mcp.policy.interface import ResultFilter

TEXT_KEYS = frozenset({"text", "name", "title", "description", "uri", "mimeType"})


class Shaped:
    """A filtered result: what goes to the agent, and what was found on the way."""

    def __init__(self) -> None:
        self.labels: frozenset[str] = frozenset()
        self.findings: Counter[str] = Counter()
        self.texts: list[str] = []
        """The texts as they were shown, for what may vouch later."""
        self.withheld = False


class Shaping:
    """Filters one result within a bound on all of it together."""

    def __init__(self, rules: ResultFilter, max_bytes: int) -> None:
        self._rules = rules
        self._left = max_bytes
        self.shaped = Shaped()

    def text(self, text: str) -> str:
        """One text, filtered; empty once the bound is used up."""
        if self._left <= 0:
            self.shaped.findings["results:truncated"] += 1
            return ""
        filtered = self._rules.apply(text)
        shaped = self.shaped
        shaped.labels |= filtered.labels
        shaped.findings.update(filtered.findings)
        shaped.withheld |= filtered.withheld
        shown = filtered.text
        size = len(shown.encode("utf-8", "replace"))
        if filtered.truncated:
            shaped.findings["results:truncated"] += 1
        if size > self._left:
            shown = shown.encode("utf-8", "replace")[: self._left].decode("utf-8", "ignore")
            shaped.findings["results:truncated"] += 1
        self._left -= size
        shaped.texts.append(shown)
        return shown

    def value(self, value: Any) -> Any:
        """Every string of a JSON value, filtered; keys too, since agents read them."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {
                self.text(key) if not _is_plain(key) else key: self.value(item) for key, item in value.items()
            }
        return value

    def block(self, block: Any) -> dict[str, Any] | None:
        """One block of content; None for what is none."""
        if not isinstance(block, dict):
            return None
        kept: dict[str, Any] = {}
        for key, value in block.items():
            if key == "_meta":
                continue
            if key == "data" and isinstance(value, str):
                if len(value) > self._left:
                    self.shaped.findings["results:truncated"] += 1
                    return {"type": "text", "text": "[left out: larger than the policy allows]"}
                self._left -= len(value)
                kept[key] = value
            elif key in ("type", "annotations", "size"):
                kept[key] = value
            elif key == "blob" and isinstance(value, str):
                self._left -= len(value)
                kept[key] = value if self._left >= 0 else ""
            else:
                kept[key] = self.block(value) if key == "resource" else self.value(value)
        return kept


def _is_plain(key: str) -> bool:
    return key.isascii() and key.isprintable() and len(key) <= 64


LARGE_BYTES = 64 * 1024
"""A result with more text than this is filtered beside the event loop: others have their turn meanwhile."""


def is_large(value: Any) -> bool:
    """True if the strings of a JSON value are long together."""
    left = LARGE_BYTES
    waiting = [value]
    while waiting and left >= 0:
        each = waiting.pop()
        if isinstance(each, str):
            left -= len(each)
        elif isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
    return left < 0


def shape_call_result(
    raw: dict[str, Any], rules: ResultFilter, max_bytes: int
) -> tuple[dict[str, Any], Shaped]:
    """The result of `tools/call` as the agent is shown it."""
    shaping = Shaping(rules, max_bytes)
    content = raw.get("content")
    blocks = [shaping.block(block) for block in content] if isinstance(content, list) else []
    result: dict[str, Any] = {"content": [block for block in blocks if block is not None]}
    if isinstance(raw.get("structuredContent"), dict):
        result["structuredContent"] = shaping.value(raw["structuredContent"])
    if raw.get("isError") is True:
        result["isError"] = True
    return _withhold(result, shaping.shaped, "content"), shaping.shaped


def shape_contents(
    raw: dict[str, Any], key: str, rules: ResultFilter, max_bytes: int
) -> tuple[dict[str, Any], Shaped]:
    """The result of `resources/read` (`contents`) or `prompts/get` (`messages`) as the agent is shown it."""
    shaping = Shaping(rules, max_bytes)
    items = raw.get(key)
    shown: list[dict[str, Any] | None] = []
    for item in items if isinstance(items, list) else []:
        if not isinstance(item, dict):
            continue
        if key == "messages":
            shown.append({"role": item.get("role"), "content": shaping.block(item.get("content"))})
        else:
            shown.append(shaping.block(item))
    result: dict[str, Any] = {key: shown}
    if key == "contents":
        result |= {"ttlMs": 0, "cacheScope": "private"}
    if key == "messages" and isinstance(raw.get("description"), str):
        result["description"] = shaping.text(raw["description"])
    if shaping.shaped.withheld:
        result[key] = []
    return result, shaping.shaped


def _withhold(result: dict[str, Any], shaped: Shaped, key: str) -> dict[str, Any]:
    if not shaped.withheld:
        return result
    shaped.texts.clear()
    return {
        key: [{"type": "text", "text": "Withheld by policy: the result holds instructions to the agent."}],
        "isError": True,
    }
