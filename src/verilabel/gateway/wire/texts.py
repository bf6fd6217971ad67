"""Where texts stand in a JSON body: every string at any depth, less what is known to be no text.

The lists here name what is *not* text (identifiers, enumerations, encoded media). A member that none of them names is
taken for a text, so that a new member of an API is looked at before anybody has heard of it.
"""

from __future__ import annotations

from typing import Any

from verilabel.errors import LimitExceeded
from verilabel.gateway.verdicts import Field
from verilabel.gateway.wire.interface import Slot

Path = tuple[str | int, ...]
"""Keys and list positions from the object that the walk began with; elements with an `index` count by it."""

DEPTH_LIMIT = 64
TEXT_LIMIT = 100_000
"""Texts in one body."""
EVENT_TEXT_LIMIT = 1 << 14
"""Texts in one event of a stream."""
LEAST_NUMBER = 1000
"""Numbers of arguments that are an object are texts from here on, as they are in arguments that are JSON source."""

OPAQUE_MEMBERS = frozenset(
    {
        "id",
        "type",
        "object",
        "role",
        "status",
        "model",
        "signature",
        "thought_signature",
        "encrypted_content",
        "encrypted_index",
        "encrypted_stdout",
        "tool_call_id",
        "tool_use_id",
        "call_id",
        "item_id",
        "file_id",
        "file_data",
        "container_id",
        "caller_id",
        "approval_request_id",
        "previous_response_id",
        "response_id",
        "image_url",
        "media_type",
        "mime_type",
        "authorization",
        "format",
        "finish_reason",
        "native_finish_reason",
        "stop_reason",
        "stop_sequence",
        "service_tier",
        "system_fingerprint",
        "name",
        "server_label",
        "namespace",
        "fingerprint",
        "partial_image_b64",
        "b64_json",
        "obfuscation",
        "phase",
    }
)
"""Strings that are identifiers, enumerations or encoded media wherever they stand."""

OPAQUE_TREES = frozenset(
    {"usage", "cache_control", "caller", "file_ids", "tool_use_ids", "vector_store_ids", "logprobs"}
)
"""Objects and lists without texts, or (log probabilities) with the same texts once more; see `drop_echoes`."""

ECHO_MEMBERS = ("logprobs", "token_ids")
"""Members of a choice that repeat its text in another form."""

_SCHEMA_OPAQUE = frozenset({"$ref", "$schema", "$id", "$anchor", "server_url"})
_SCHEMA_TREES = frozenset({"required", "type", "headers", "cache_control", "dependentRequired"})
_SCHEMA_VALUES = frozenset({"examples", "input_examples", "default", "const", "enum"})

_ENCODED_TYPES = frozenset({"base64", "redacted_thinking", "reasoning.encrypted", "input_audio"})
_MEDIA_MEMBERS = frozenset(
    {"image_url", "input_audio", "audio", "audio_url", "video_url", "source", "file", "image"}
)
_FIELD_OF_MEMBER: dict[str, Field] = {
    "reasoning": "reasoning",
    "reasoning_content": "reasoning",
    "reasoning_details": "reasoning",
    "thinking": "reasoning",
    "refusal": "refusal",
    "tool_calls": "tool_arguments",
    "function_call": "tool_arguments",
    "arguments": "tool_arguments",
    "partial_json": "tool_arguments",
}
_RESULT_MEMBERS = frozenset({"output", "outputs", "results", "result", "error"})
_FIELD_OF_TYPE: dict[str, Field] = {
    "thinking": "reasoning",
    "thinking_delta": "reasoning",
    "reasoning": "reasoning",
    "reasoning_text": "reasoning",
    "summary_text": "reasoning",
    "refusal": "refusal",
    "tool_use": "tool_arguments",
    "input_json_delta": "tool_arguments",
    "program": "tool_arguments",
    "mcp_approval_request": "tool_arguments",
    "tool_result": "tool_result",
    "mcp_list_tools": "tool_definition",
    "additional_tools": "tool_definition",
}
_FIELD_OF_TYPE_ENDING: tuple[tuple[str, Field], ...] = (
    ("_call_output", "tool_result"),
    ("_tool_result", "tool_result"),
    ("_tool_search_output", "tool_result"),
    ("program_output", "tool_result"),
    ("_tool_use", "tool_arguments"),
    ("_call", "tool_arguments"),
)
_JSON_MEMBERS = frozenset({"arguments", "partial_json"})
_FREE_MEMBERS = frozenset({"input", "arguments"})
_NAMED_BY_USERS = frozenset({"attributes", "env"})


class NameOf:
    """The name of a member as a place where a text stands: setting it renames the member, in its old place."""

    __slots__ = ("_name", "_node")

    def __init__(self, node: dict[str, Any], name: str) -> None:
        self._node = node
        self._name = name

    def __getitem__(self, _key: str) -> str:
        return self._name

    def __setitem__(self, _key: str, name: str) -> None:
        while name in self._node and name != self._name:
            name += "_"  # two names that became one must not lose a member
        members = list(self._node.items())
        self._node.clear()
        for old, value in members:
            self._node[name if old == self._name else old] = value
        self._name = name


class NumberOf:
    """A number as a place where a text stands: a card's is one, too. Setting it puts a text there."""

    __slots__ = ("_container", "_key")

    def __init__(self, container: Any, key: Any) -> None:
        self._container = container
        self._key = key

    def __getitem__(self, _key: Any) -> str:
        value = self._container[self._key]
        return value if type(value) is str else repr(value)

    def __setitem__(self, _key: Any, text: str) -> None:
        self._container[self._key] = text


class TextWalk:
    """Collects the texts of parts of a body. `paths`, where asked for, runs beside `slots`."""

    __slots__ = ("_choice", "_keeps_paths", "_limit", "_role", "paths", "slots")

    def __init__(
        self,
        role: str = "assistant",
        choice: int = 0,
        *,
        keeps_paths: bool = False,
        limit: int = TEXT_LIMIT,
    ) -> None:
        self._limit = limit
        self._role = role
        self._choice = choice
        self._keeps_paths = keeps_paths
        self.slots: list[Slot] = []
        self.paths: list[Path] = []

    def turn_to(self, role: str, choice: int = 0) -> None:
        """What follows has another role or choice."""
        self._role = role
        self._choice = choice

    def see_plain(self, node: dict[str, Any], name: str, field: Field) -> None:
        """Take a member that is known to be a text, where nothing else in the object can hold one."""
        if node[name]:
            self.slots.append(Slot(node, name, field, self._role, self._choice))

    def see(self, container: Any, key: Any, field: Field, path: Path = ()) -> None:
        """Look at one member: a text, or whatever texts are inside it. Raises LimitExceeded for endless nesting."""
        value = container[key]
        if type(value) is str:
            if value:
                self._add(container, key, field, path, is_plain=field == "tool_arguments")
        elif value.__class__ is dict:
            self.see_members(value, field, path)
        elif value.__class__ is list:
            self._see_elements(value, field, path)

    def see_members(
        self, node: dict[str, Any], field: Field, path: Path = (), *, but: frozenset[str] = frozenset()
    ) -> None:
        """Look at the members of an object, except those in `but`."""
        _check_depth(path)
        kind = node.get("type")
        if type(kind) is str:
            field = _field_of_type(kind, field)
        for name, value in node.items():
            value_class = value.__class__
            if value_class is str:
                if value and name not in but and not _is_opaque(name, node, path, field):
                    inner = _field_of_member(name, field)
                    is_plain = inner == "tool_arguments" and name not in _JSON_MEMBERS
                    self._add(node, name, inner, (*path, name), is_plain=is_plain)
            elif (value_class is dict or value_class is list) and name not in but:
                self._see_inside(name, value, _field_of_member(name, field), (*path, name))

    def see_anything(self, node: Any, field: Field, path: Path) -> None:
        """Look at JSON of no known form: every string is a text, every name of a member, and numbers of arguments.

        Their paths end in an empty name, which is the name of nothing that comes in parts.
        """
        _check_depth(path)
        if isinstance(node, list):
            for position, value in enumerate(node):
                self._see_free(node, position, value, field, path)
        elif isinstance(node, dict):
            for name, value in node.items():
                self._see_free(node, name, value, field, path)
            # after the values: a renamed member is no longer found under its old name
            for name in node:
                self._add(NameOf(node, name), name, field, (*path, ""), is_plain=True)

    def _see_inside(self, name: str, value: Any, field: Field, path: Path) -> None:
        if field == "tool_definition":
            free, opaque = _SCHEMA_VALUES, _SCHEMA_TREES
        else:
            free, opaque = _FREE_MEMBERS, OPAQUE_TREES
        if name in _NAMED_BY_USERS or (name in free and field in ("tool_arguments", "tool_definition")):
            self.see_anything(value, field, path)
        elif name in opaque and not (name == "type" and value.__class__ is dict):
            return
        elif value.__class__ is dict:
            self.see_members(value, field, path)
        else:
            self._see_elements(value, field, path)

    def _see_elements(self, values: list[Any], field: Field, path: Path) -> None:
        _check_depth(path)
        for position, value in enumerate(values):
            value_class = value.__class__
            if value_class is dict:
                index = value.get("index")
                place = index if type(index) is int else position
                self.see_members(value, field, (*path, place))
            elif value_class is str:
                if value:
                    self._add(values, position, field, (*path, position), is_plain=field == "tool_arguments")
            elif value_class is list:
                self._see_elements(value, field, (*path, position))

    def _see_free(self, container: Any, key: Any, value: Any, field: Field, path: Path) -> None:
        if type(value) is str:
            if value:
                self._add(container, key, field, (*path, key, ""), is_plain=True)
        elif type(value) is int or type(value) is float:
            if field == "tool_arguments" and not -LEAST_NUMBER < value < LEAST_NUMBER:
                self._add(NumberOf(container, key), key, field, (*path, key, ""), is_plain=True)
        else:
            self.see_anything(value, field, (*path, key))

    def _add(self, container: Any, key: Any, field: Field, path: Path, *, is_plain: bool) -> None:
        if len(self.slots) >= self._limit:
            raise LimitExceeded(f"more than {self._limit} texts", where="$")
        self.slots.append(
            Slot(container, key, field, self._role, self._choice, is_plain and field == "tool_arguments")
        )
        if self._keeps_paths:
            self.paths.append(path)


def _is_opaque(name: str, node: dict[str, Any], path: Path, field: Field) -> bool:
    if name in OPAQUE_MEMBERS or (field == "tool_definition" and name in _SCHEMA_OPAQUE):
        return True
    if name == "data":
        return str(node.get("type")) in _ENCODED_TYPES or _stands_in_media(path, node)
    if name in ("url", "detail"):
        return _stands_in_media(path, node)
    return name == "result" and node.get("type") == "image_generation_call"


def _stands_in_media(path: Path, node: dict[str, Any]) -> bool:
    # a source of plain text (Anthropic documents) has its text in `data`
    return bool(path) and path[-1] in _MEDIA_MEMBERS and node.get("type") != "text"


def _field_of_member(name: str, field: Field) -> Field:
    if field == "tool_arguments" and name in _RESULT_MEMBERS:
        return "tool_result"
    if field in ("content", "reasoning"):
        return _FIELD_OF_MEMBER.get(name, field)
    return field


def _field_of_type(kind: str, field: Field) -> Field:
    if field not in ("content", "system"):
        return field
    found = _FIELD_OF_TYPE.get(kind)
    if found is not None:
        return found
    if "_" in kind:
        for ending, of_ending in _FIELD_OF_TYPE_ENDING:
            if kind.endswith(ending):
                return of_ending
    return field


def _check_depth(path: Path) -> None:
    if len(path) > DEPTH_LIMIT:
        raise LimitExceeded(f"texts nested more than {DEPTH_LIMIT} deep", where="$")
