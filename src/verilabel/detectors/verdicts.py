"""Reading a judge's verdict: four documented forms of reply, and nothing when a reply has none of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Literal

Form = Literal["json", "first_word", "field", "tag_or_first_word"]
READ_CHARACTERS = 20_000
"""Only this many last characters of a reply are read."""
MAX_OBJECTS = 50
_THINKING = re.compile(r"\A\s*(?:<think>)?[^<]*(?:<(?!/think>)[^<]*)*</think>")
_WORD = re.compile(r"\A[\s*\"'`]*([A-Za-z]+)(?![\w-])")


def read_verdict(form: Form, key: str, words: Mapping[str, bool], reply: str) -> bool | None:
    """The verdict in a reply, or None where it has none or contradicts itself.

    `words` maps the documented words (lower case) to what they mean; `key` names the field, tag or JSON key.
    A leading `<think> ... </think>` is skipped. Forms: `json` an object with `key`; `first_word` (Llama Guard:
    `safe`, or `unsafe` and a line of categories; ShieldGemma: `Yes` or `No`); `field` (Qwen3Guard:
    `Safety: Unsafe`); `tag_or_first_word` (Granite Guardian: `<score> yes </score>`, older ones a first word).
    """
    text = _THINKING.sub("", reply[-READ_CHARACTERS:], count=1)
    said = {words.get(word.strip().casefold()) for word in _READERS[form](text, key)}
    return said.pop() if len(said) == 1 else None


def _first_word(text: str, _: str) -> list[str]:
    match = _WORD.match(text)
    return [match[1]] if match else []


def _fields(text: str, key: str) -> list[str]:
    return re.findall(
        rf"^[ \t*]{{0,8}}{re.escape(key)}[ \t*]{{0,8}}:[ \t*]{{0,8}}([A-Za-z]+)", text, re.MULTILINE
    )


def _tags(text: str, key: str) -> list[str]:
    found = re.findall(rf"<{re.escape(key)}>([^<>]{{0,40}})</{re.escape(key)}>", text)
    return found or _first_word(text, key)


def _json_values(text: str, key: str) -> list[str]:
    """The key's value in every JSON object of the text that has it; true, false, 0, 1 or those as text."""
    decoder = json.JSONDecoder()
    values: list[str] = []
    position, tries = text.find("{"), 0
    while position >= 0 and tries < MAX_OBJECTS:
        tries += 1
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            end = position + 1
        else:
            if isinstance(value, dict) and key in value:
                values.append(json.dumps(value[key]).strip('"'))
        position = text.find("{", end)
    return values


_READERS: dict[Form, Callable[[str, str], list[str]]] = {
    "json": _json_values,
    "first_word": _first_word,
    "field": _fields,
    "tag_or_first_word": _tags,
}
