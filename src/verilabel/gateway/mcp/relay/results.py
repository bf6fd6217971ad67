"""What an agent is shown of a result: its texts through the result rules, nothing else that a server could hide.

Every string of the content and of the structured content is filtered, keys too; blocks, roles and annotations that
the protocol does not know, and what servers say about themselves (`_meta`), are left out. Pictures and sounds cannot be
read by rules: where they are base64 they pass within the size bound, and the labels of the tool hold. Everything counts
for the bound: texts by their bytes, keys too, other values as `VALUE_BYTES` each.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from verilabel.gateway.mcp.policy.interface import ResultFilter

KINDS = frozenset(("text", "image", "audio", "resource", "resource_link"))
"""Blocks of content that the protocol knows (MCP 2026-07-28, `ContentBlock`)."""
FIELDS = frozenset(
    ("text", "name", "title", "description", "uri", "mimeType", "icons", "annotations", "size")
)
"""Fields of blocks and of contents, but for what their kind says (`data`, `resource`, `blob`)."""
ROLES = frozenset(("user", "assistant"))
VALUE_BYTES = 8
LEFT_OUT = {"type": "text", "text": "[left out: larger than the policy allows, or no picture or sound]"}
_MEDIA = frozenset(("image", "audio"))
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_")
_MOMENT = frozenset("0123456789-:.+TZ")


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
        self._max_bytes = max_bytes
        self._plain_keys: frozenset[str] = frozenset()
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
        self._look_at_keys(value)
        return self._value(value)

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        self._left -= VALUE_BYTES
        if isinstance(value, list):
            kept = []
            for item in value:
                if self._is_used_up():
                    break
                kept.append(self._value(item))
            return kept
        if isinstance(value, dict):
            named = {}
            for key, item in value.items():
                if self._is_used_up():
                    break
                named[self._key(key)] = self._value(item)
            return named
        return value

    def _is_used_up(self) -> bool:
        if self._left > 0:
            return False
        self.shaped.findings["results:truncated"] += 1
        return True

    def _key(self, key: str) -> str:
        if key not in self._plain_keys:
            return self.text(key)
        self._left -= len(key)
        return key

    def _look_at_keys(self, value: Any) -> None:
        """Keys are filtered together, since there are many; one by one only where something is found in them."""
        keys = list(dict.fromkeys(_keys_of(value)))
        plain = [key for key in keys if _is_plain(key)]
        joined = "\n".join(plain)
        if not plain or len(joined) > self._max_bytes:
            self._plain_keys = frozenset()
            return
        found = self._rules.apply(joined)
        is_clean = not found.findings and not found.labels and found.text == joined
        self._plain_keys = frozenset(plain) if is_clean else frozenset()

    def block(self, block: Any) -> dict[str, Any] | None:
        """One block of content; None for what is none."""
        kind = block.get("type") if isinstance(block, dict) else None
        if not isinstance(kind, str) or kind not in KINDS:
            self.shaped.findings["results:no_block"] += 1
            return None
        kept: dict[str, Any] = {"type": kind}
        for key, value in block.items():
            if key == "data" and kind in _MEDIA:
                if not self._takes_media(value):
                    return dict(LEFT_OUT)
                kept[key] = value
            elif key == "resource" and kind == "resource":
                kept[key] = self.contents(value)
                if kept[key] is None:
                    return dict(LEFT_OUT)
            elif key in FIELDS:
                self._add(kept, key, value)
        return kept

    def contents(self, contents: Any) -> dict[str, Any] | None:
        """The contents of a resource; None for what is none, or too large."""
        if not isinstance(contents, dict):
            return None
        kept: dict[str, Any] = {}
        for key, value in contents.items():
            if key == "blob":
                if not self._takes_media(value):
                    return None
                kept[key] = value
            elif key in FIELDS:
                self._add(kept, key, value)
        return kept

    def _add(self, kept: dict[str, Any], key: str, value: Any) -> None:
        if key == "annotations":
            kept[key] = _known_annotations(value)
        elif key == "size":
            if type(value) is int:
                kept[key] = value
        else:
            kept[key] = self.value(value)

    def _takes_media(self, data: Any) -> bool:
        if not isinstance(data, str) or not _BASE64.issuperset(data) or len(data) > self._left:
            self.shaped.findings["results:truncated"] += 1
            return False
        self._left -= len(data)
        return True


def _known_annotations(notes: Any) -> dict[str, Any]:
    """Annotations of content as far as the protocol knows them: no field of them holds a text of its own."""
    if not isinstance(notes, dict):
        return {}
    kept: dict[str, Any] = {}
    audience: Any = notes.get("audience")
    priority: Any = notes.get("priority")
    moment: Any = notes.get("lastModified")
    if isinstance(audience, list):
        kept["audience"] = [each for each in ("user", "assistant") if each in audience]
    if type(priority) in (int, float) and math.isfinite(priority) and 0 <= priority <= 1:
        kept["priority"] = priority
    if isinstance(moment, str) and len(moment) <= 40 and _MOMENT.issuperset(moment):
        kept["lastModified"] = moment
    return kept


def _keys_of(value: Any) -> list[str]:
    keys: list[str] = []
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            keys.extend(each)
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
    return keys


def _is_plain(key: str) -> bool:
    return key.isascii() and key.isprintable() and len(key) <= 64


LARGE_BYTES = 64 * 1024
TEXT_COST = 32
"""A text takes time even where it is short: it counts as so many bytes more."""


def is_large(value: Any) -> bool:
    """True if filtering a JSON value takes long enough for others to have their turn meanwhile, in a thread."""
    left = LARGE_BYTES
    waiting = [value]
    while waiting and left >= 0:
        each = waiting.pop()
        if isinstance(each, str):
            left -= len(each) + TEXT_COST
        elif isinstance(each, dict):
            waiting.extend(each)
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
        else:
            left -= 1
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
    shown: list[dict[str, Any]] = []
    for item in items if isinstance(items, list) else []:
        kept = _message(shaping, item) if key == "messages" else shaping.contents(item)
        if kept is not None:
            shown.append(kept)
    result: dict[str, Any] = {key: shown}
    if key == "contents":
        result |= {"ttlMs": 0, "cacheScope": "private"}
    if key == "messages" and isinstance(raw.get("description"), str):
        result["description"] = shaping.text(raw["description"])
    if shaping.shaped.withheld:
        result[key] = []
    return result, shaping.shaped


def _message(shaping: Shaping, message: Any) -> dict[str, Any] | None:
    role = message.get("role") if isinstance(message, dict) else None
    if not isinstance(role, str) or role not in ROLES:
        return None
    content = shaping.block(message.get("content"))
    return None if content is None else {"role": role, "content": content}


def _withhold(result: dict[str, Any], shaped: Shaped, key: str) -> dict[str, Any]:
    if not shaped.withheld:
        return result
    shaped.texts.clear()
    return {
        key: [{"type": "text", "text": "Withheld by policy: the result holds instructions to the agent."}],
        "isError": True,
    }
