"""Streams of OpenAI's Responses, whose last events say all texts once more."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from verilabel.gateway.verdicts import Field
from verilabel.gateway.wire.choices_stream import nest, read_usage
from verilabel.gateway.wire.event_json import write_json
from verilabel.gateway.wire.interface import MalformedStream, OpenFilter, Slot
from verilabel.gateway.wire.rewriting import STREAMED_MEMBERS, EventRewriter, TextPart
from verilabel.gateway.wire.sse import Event, write_event
from verilabel.gateway.wire.texts import EVENT_TEXT_LIMIT, OPAQUE_MEMBERS, Path, TextWalk

EVENT_LIMIT = 1 << 23
"""Bytes of one event: its last ones hold the whole reply, and images stand in events."""

_FIELD_OF_STREAM: dict[str, tuple[Field, bool]] = {
    "response.output_text": ("content", False),
    "response.refusal": ("refusal", False),
    "response.reasoning_text": ("reasoning", False),
    "response.reasoning_summary_text": ("reasoning", False),
    "response.audio.transcript": ("content", False),
    "response.function_call_arguments": ("tool_arguments", False),
    "response.mcp_call_arguments": ("tool_arguments", False),
    "response.custom_tool_call_input": ("tool_arguments", True),
    "response.code_interpreter_call_code": ("tool_arguments", True),
    "response.shell_call_command": ("tool_arguments", True),
    "response.apply_patch_call_operation_diff": ("tool_arguments", True),
    "response.shell_call_output_content": ("tool_result", False),
}
"""What comes as `….delta` and is said whole in `….done`, and whether it is a tool's input as it is."""

_ENCODED_STREAMS = frozenset({"response.audio"})
_STREAM_OF_PART = {
    "output_text": "response.output_text",
    "text": "response.output_text",
    "refusal": "response.refusal",
    "reasoning_text": "response.reasoning_text",
    "summary_text": "response.reasoning_summary_text",
}
_STREAM_OF_ITEM = {
    ("function_call", "arguments"): "response.function_call_arguments",
    ("mcp_call", "arguments"): "response.mcp_call_arguments",
    ("custom_tool_call", "input"): "response.custom_tool_call_input",
    ("code_interpreter_call", "code"): "response.code_interpreter_call_code",
}
_INDICES = ("content_index", "summary_index", "command_index")
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_ENDINGS_OF_WHOLE = frozenset(
    {
        "done",
        "added",
        "completed",
        "failed",
        "created",
        "in_progress",
        "queued",
        "incomplete",
        "cancelled",
        "searching",
        "generating",
        "interpreting",
        "compacting",
        "partial_image",
        "accepted",
        "pending",
    }
)
_FIELD_OF_ECHO: dict[str, Field] = {
    "instructions": "system",
    "tools": "tool_definition",
    "text": "tool_definition",
    "prompt": "system",
}
NOT_TEXT_OF_RESPONSE = frozenset(
    {
        "output",
        "usage",
        "metadata",
        "user",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "conversation",
        "tool_choice",
        "reasoning",
        "truncation",
        "billing",
        "error",
        "incomplete_details",
        "created_at",
        "completed_at",
    }
)
_FRAME = frozenset({"item_id", "output_index", "logprobs", *_INDICES})
Key = tuple[str, int, int]


class ResponsesRewriter(EventRewriter):
    """Rewrites the events of a response.

    Events that repeat texts (`….done`, `response.completed`) get what their streams have let go, so that both always
    say the same; texts that no stream has brought are filtered as a whole. Sequence numbers stay as they are on
    events that pass, leave a gap where an event was wholly held, and are repeated where held text goes out.
    """

    keeps_released = True

    def __init__(self, open_filter: OpenFilter, *, keeps_passages: bool) -> None:
        super().__init__(open_filter, keeps_passages=keeps_passages, event_limit=EVENT_LIMIT)
        self._number = 0
        self._frames: dict[Hashable, dict[str, Any]] = {}

    def _rewrite_body(self, event: Event, raw: bytes, body: dict[str, Any], out: list[bytes]) -> bool:
        kind = body.get("type")
        if not isinstance(kind, str):
            kind = event.name or ""
        stem, _, ending = kind.rpartition(".")
        if ending == "delta":
            is_changed = self._rewrite_delta(stem, event, raw, body, out)
        elif isinstance(body.get("response"), dict):
            is_changed = self._rewrite_response(kind, body, out)
        elif isinstance(body.get("item"), dict):
            is_changed = self._rewrite_item(body["item"], _index(body, "output_index"), ending, out)
            is_changed |= self._rewrite_other(body, kind, out, but=frozenset({"item"}))
        elif isinstance(body.get("part"), dict):
            is_changed = self._rewrite_part(body, ending, out)
        elif ending in ("done", "added") and stem in _FIELD_OF_STREAM:
            is_changed = self._rewrite_whole(stem, body, out, begins=ending == "added")
        else:
            if ending == "done":
                self._finish_parts(out, self._parts_under(f"{stem}.delta", _place(body)))
            is_changed = self._rewrite_other(body, kind, out)
        if kind in _ENDS and not self.stopped:
            self.is_complete = True
            self._is_closed = True
        return is_changed

    # events that bring parts of texts

    def _rewrite_delta(
        self, stem: str, event: Event, raw: bytes, body: dict[str, Any], out: list[bytes]
    ) -> bool:
        if stem in _ENCODED_STREAMS:
            return self._rewrite_other(body, f"{stem}.delta", out, but=frozenset({"delta"}))
        key = (stem, *_place(body))
        known = _FIELD_OF_STREAM.get(stem)
        if known is None or not isinstance(body.get("delta"), str):
            return self._rewrite_other(body, f"{stem}.delta", out)
        field, is_plain = known
        is_changed = self._rewrite_other(body, f"{stem}.delta", out, but=frozenset({"delta"}))
        part = self._find_part(key, field, 0, ("delta",), is_plain=is_plain)
        self._note_frame(key, body)
        if body.get("logprobs"):
            is_changed |= self._empty_logprobs(body, part)
        if not body["delta"] or self.stopped:
            return is_changed
        slot = Slot(body, "delta", field, "assistant", 0, is_plain)
        if not is_changed and event.is_plain and not body.get("logprobs"):
            self._learn(raw, body, slot, part)
        return self._filter_part(slot, part, out) or is_changed

    def _rewrite_other(
        self, body: dict[str, Any], kind: str, out: list[bytes], *, but: frozenset[str] = frozenset()
    ) -> bool:
        """Texts of an event of no known form: those that could come in parts do, under their own names."""
        walk = TextWalk(keeps_paths=True, limit=EVENT_TEXT_LIMIT)
        stem = kind.rpartition(".")[0]
        field = _FIELD_OF_STREAM.get(stem, ("content", False))[0]
        walk.see_members(body, field, but=but)
        is_changed = False
        for slot, path in zip(walk.slots, walk.paths, strict=True):
            if self.stopped:
                return True
            if path[-1] not in STREAMED_MEMBERS or (_says_whole_texts(kind) and "delta" not in path):
                is_changed |= self._filter_whole([slot])
                continue
            key = (kind, *_place(body), path)
            self._note_frame(key, body)
            part = self._find_part(key, slot.field, 0, path, is_plain=slot.is_plain)
            is_changed |= self._filter_part(slot, part, out)
        return is_changed

    # events that say texts once more

    def _rewrite_whole(self, stem: str, body: dict[str, Any], out: list[bytes], *, begins: bool) -> bool:
        field, is_plain = _FIELD_OF_STREAM[stem]
        walk = TextWalk(limit=EVENT_TEXT_LIMIT)
        walk.see_members(body, field)
        is_changed = False
        for slot in walk.slots:
            is_own = slot.container is body and slot.key in STREAMED_MEMBERS
            key = (stem, *_place(body)) if is_own else None
            is_changed |= self._settle(key, slot._replace(is_plain=is_plain), out, begins=begins)
        if begins:
            return is_changed
        part = self._parts.get((stem, *_place(body)))
        if part is not None:
            self._finish_parts(out, [part])
            is_changed |= self._empty_logprobs(body, part)
        self._finish_parts(out, self._parts_under(f"{stem}.delta", _place(body)))
        return is_changed

    def _rewrite_part(self, body: dict[str, Any], ending: str, out: list[bytes]) -> bool:
        is_changed = False
        item_index, part_index = _place(body)
        part = body["part"]
        for slot, key in self._texts_of_part(part, item_index, part_index):
            is_changed |= self._settle(key, slot, out, begins=ending == "added")
        is_changed |= self._drop_part_echoes(part, item_index, part_index)
        return self._rewrite_other(body, str(body.get("type")), out, but=frozenset({"part"})) or is_changed

    def _rewrite_item(self, item: dict[str, Any], index: int, ending: str, out: list[bytes]) -> bool:
        is_changed = False
        for slot, key in self._texts_of_item(item, index):
            if self.stopped:
                return True
            is_changed |= self._settle(key, slot, out, begins=ending == "added")
        for part_index, part in enumerate(_objects(item.get("content"))):
            is_changed |= self._drop_part_echoes(part, index, part_index)
        if ending == "done":
            self._finish_parts(out, list(self._groups.get(index, {}).values()))
        return is_changed

    def _rewrite_response(self, kind: str, body: dict[str, Any], out: list[bytes]) -> bool:
        response = body["response"]
        if kind in _ENDS:
            self._finish_parts(out)
        is_changed = False
        if isinstance(response.get("output"), str):
            raise MalformedStream("the output of a response in the upstream's stream is no list")
        for index, item in enumerate(_objects(response.get("output"))):
            is_changed |= self._rewrite_item(item, index, "", out)
        walk = TextWalk(limit=EVENT_TEXT_LIMIT)
        see_response(walk, response)
        is_changed |= self._filter_whole(walk.slots)
        return self._rewrite_other(body, kind, out, but=frozenset({"response"})) or is_changed

    def _settle(self, key: Key | None, slot: Slot, out: list[bytes], *, begins: bool = False) -> bool:
        """Give a text that was or will be streamed what its stream lets go; filter any other as a whole."""
        if self.stopped:
            return True
        if key is not None and begins:
            part = self._find_part(key, slot.field, 0, ("delta",), is_plain=slot.is_plain)
            return self._filter_part(slot, part, out)
        part_known = self._parts.get(key) if key is not None else None
        if part_known is None:
            return self._filter_whole([slot])
        self._finish_parts(out, [part_known])
        if part_known.filter is None and not self._keeps_passages:
            return False
        released = "".join(part_known.released)
        is_changed = released != slot.text
        slot.container[slot.key] = released
        return is_changed

    # where texts stand

    def _texts_of_item(self, item: dict[str, Any], index: int) -> Iterator[tuple[Slot, Key | None]]:
        walk = TextWalk(keeps_paths=True, limit=EVENT_TEXT_LIMIT)
        walk.see_members(item, "content")
        for slot, path in zip(walk.slots, walk.paths, strict=True):
            yield slot, _key_in_item(item, path, slot, index)

    def _texts_of_part(
        self, part: dict[str, Any], item_index: int, part_index: int
    ) -> Iterator[tuple[Slot, Key | None]]:
        walk = TextWalk(limit=EVENT_TEXT_LIMIT)
        walk.see_members(part, "content")
        stem = _STREAM_OF_PART.get(str(part.get("type")))
        for slot in walk.slots:
            is_own = slot.container is part and slot.key in ("text", "refusal")
            yield slot, (stem, item_index, part_index) if is_own and stem else None

    def _drop_part_echoes(self, part: dict[str, Any], item_index: int, part_index: int) -> bool:
        if not part.get("logprobs"):
            return False
        key = ("response.output_text", item_index, part_index)
        return self._empty_logprobs(part, self._find_part(key, "content", 0, ("delta",)))

    @staticmethod
    def _empty_logprobs(node: dict[str, Any], part: TextPart) -> bool:
        if part.filter is None or not node.get("logprobs"):
            return False
        node["logprobs"] = []
        return True

    def _parts_under(self, kind: str, place: tuple[int, int]) -> list[TextPart]:
        return [
            part
            for key, part in self._groups.get(place[0], {}).items()
            if isinstance(key, tuple) and len(key) == 4 and key[:3] == (kind, *place)
        ]

    def _group_of(self, key: Hashable) -> Hashable:
        return _output_index(key)

    def _note(self, body: dict[str, Any]) -> None:
        number = body.get("sequence_number")
        if type(number) is int:
            self._number = number
        response = body.get("response")
        if isinstance(response, dict):
            model = response.get("model")
            if self.served_model is None and isinstance(model, str):
                self.served_model = model
            self.usage = read_usage(response.get("usage")) or self.usage

    def _delta_event(self, part: TextPart, text: str) -> bytes:
        key = part.key
        assert isinstance(key, tuple)
        kind = key[0] if len(key) == 4 else f"{key[0]}.delta"
        frame = self._frames.get(key) or {"output_index": key[1], "content_index": key[2]}
        body = {**frame, "type": kind, "sequence_number": self._number, **nest(part.path, text)}
        return write_event(write_json(body), kind)

    def _note_frame(self, key: Hashable, body: dict[str, Any]) -> None:
        """Keep what an event says besides its texts, for events that carry what is held."""
        if key not in self._frames:
            self._frames[key] = {
                name: [] if name == "logprobs" else value
                for name, value in body.items()
                if name in _FRAME and (name == "logprobs" or isinstance(value, int | str))
            }


def see_response(walk: TextWalk, response: dict[str, Any]) -> None:
    """Look at what a response says besides its output: the instructions, tools and schema of its request."""
    for name, value in response.items():
        is_opaque = name in OPAQUE_MEMBERS and isinstance(value, str)
        if name not in NOT_TEXT_OF_RESPONSE and not is_opaque:
            walk.see(response, name, _FIELD_OF_ECHO.get(name, "content"), (name,))
    for name in ("error", "incomplete_details"):
        if isinstance(response.get(name), str):
            walk.see(response, name, "content", (name,))
        else:
            walk.see_anything(response.get(name), "content", (name,))


def _key_in_item(item: dict[str, Any], path: Path, slot: Slot, index: int) -> Key | None:
    kind = item.get("type")
    if len(path) == 1:
        stem = _STREAM_OF_ITEM.get((str(kind), str(path[0])))
        return (stem, index, 0) if stem else None
    if len(path) == 3 and path[0] in ("content", "summary") and path[2] in ("text", "refusal"):
        stem = _STREAM_OF_PART.get(str(slot.container.get("type")))
        return (stem, index, int(path[1])) if stem else None
    if kind == "shell_call" and path[:2] == ("action", "commands"):
        return "response.shell_call_command", index, int(path[2])
    if kind == "apply_patch_call" and path == ("operation", "diff"):
        return "response.apply_patch_call_operation_diff", index, 0
    return None


def _index(body: dict[str, Any], name: str) -> int:
    value = body.get(name, 0)
    if type(value) is not int:
        raise MalformedStream(f"the {name} of an event in the upstream's stream is no integer")
    return value


def _place(body: dict[str, Any]) -> tuple[int, int]:
    inner = next((_index(body, name) for name in _INDICES if name in body), 0)
    return _index(body, "output_index"), inner


def _output_index(key: Hashable) -> int | None:
    return key[1] if isinstance(key, tuple) else None


def _objects(values: Any) -> list[dict[str, Any]]:
    """A list of objects, or nothing where there is none. Raises MalformedStream for a list of other things."""
    if values is None or isinstance(values, str):
        return []
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise MalformedStream("an event of the upstream's stream has something else for a list of objects")
    return values


def _says_whole_texts(kind: str) -> bool:
    return kind.rpartition(".")[2] in _ENDINGS_OF_WHOLE
