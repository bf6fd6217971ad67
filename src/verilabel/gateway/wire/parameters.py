"""What a request says of itself besides its texts: sampling parameters, limits, tools and media."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

MEDIA_TYPES = frozenset(
    {
        "image",
        "image_url",
        "input_image",
        "input_audio",
        "audio",
        "audio_url",
        "video_url",
        "input_video",
        "file",
        "input_file",
        "document",
        "container_upload",
        "computer_screenshot",
    }
)
_SOURCES_OF_TEXT = frozenset({"text", "content"})
_DECIMALS = frozenset({"temperature", "top_p", "frequency_penalty", "presence_penalty", "min_p"})
_SCOPE_NAME = {"max_completion_tokens": "max_tokens", "max_output_tokens": "max_tokens"}


def sampling_parameters(body: dict[str, Any], names: tuple[str, ...]) -> dict[str, str | int | bool]:
    """Parameters by the names that a label's scope uses: decimals as text (`0.7`, `0`), and one name for a limit."""
    found: dict[str, str | int | bool] = {}
    for name in names:
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, float) or (name in _DECIMALS and type(value) is int):
            value = f"{Decimal(repr(value)).normalize():f}"
        if isinstance(value, str | int | bool):
            found[_SCOPE_NAME.get(name, name)] = value
    return found


def count_media_in(value: Any) -> int:
    """Images, audio and files anywhere in a part of a request."""
    found = 0
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(item for item in node if isinstance(item, dict | list))
        elif isinstance(node, dict):
            if _is_media(node):
                found += 1
            waiting.extend(item for item in node.values() if isinstance(item, dict | list))
    return found


def _is_media(node: dict[str, Any]) -> bool:
    kind = node.get("type")
    if kind == "document":
        source = node.get("source")
        return not (isinstance(source, dict) and str(source.get("type")) in _SOURCES_OF_TEXT)
    if isinstance(kind, str):
        return kind in MEDIA_TYPES
    return "image_url" in node or "input_audio" in node


def most_tokens(body: dict[str, Any], names: tuple[str, ...], times: int = 1) -> int | None:
    """The greatest of the named limits, times the answers asked for; None where no limit is named."""
    limits = [body[name] for name in names if type(body.get(name)) is int]
    return max(limits) * times if limits else None


def positive(value: Any) -> int:
    """A count that a request gives, or 1."""
    return value if type(value) is int and value > 0 else 1


def names_of_tools(tools: Any) -> list[str]:
    """Names under which a request offers tools; the type of those without a name."""
    names = []
    for tool in tools if isinstance(tools, list) else ():
        if not isinstance(tool, dict):
            continue
        inner = tool.get("function", tool.get("custom", tool))
        name = inner.get("name") if isinstance(inner, dict) else None
        name = name or tool.get("name") or tool.get("server_label") or tool.get("type")
        if isinstance(name, str):
            names.append(name)
    return names


def asked_schema(form: Any) -> dict[str, Any] | None:
    """The JSON schema that a request wants its answer to fit, from the member that says the answer's format.

    `{}`, which all JSON fits, where JSON is asked for without a schema; None where it is not asked for.
    """
    if not isinstance(form, dict) or form.get("type") not in ("json_schema", "json_object"):
        return None
    holder = form.get("json_schema", form)
    schema = holder.get("schema") if isinstance(holder, dict) else None
    return schema if isinstance(schema, dict) else {}


def first_text(*values: Any) -> str | None:
    """The first of the values that is a text."""
    return next((value for value in values if isinstance(value, str) and value), None)
