"""Streams of Anthropic's Messages."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from verilabel.gateway.verdicts import Usage
from verilabel.gateway.wire.choices_stream import count, nest
from verilabel.gateway.wire.event_json import write_json
from verilabel.gateway.wire.interface import MalformedStream, OpenFilter, Slot
from verilabel.gateway.wire.rewriting import STREAMED_MEMBERS, EventRewriter, TextPart
from verilabel.gateway.wire.sse import Event, write_event
from verilabel.gateway.wire.texts import EVENT_TEXT_LIMIT, Path, TextWalk

_DELTA_OF_MEMBER = {"text": "text_delta", "thinking": "thinking_delta", "partial_json": "input_json_delta"}
_KNOWN_EVENTS = frozenset(
    {
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
        "error",
    }
)
_NOT_TEXT = frozenset({"index"})


class MessagesRewriter(EventRewriter):
    """Rewrites the events of a message. A block's texts end with `content_block_stop`, all with `message_delta`.

    The `signature` of a thinking block passes as it is: it says nothing that a client could read. A block of thinking
    that was changed does not fit it any more, and a provider may refuse such a block when it is sent back.
    """

    def __init__(self, open_filter: OpenFilter, *, keeps_passages: bool) -> None:
        super().__init__(open_filter, keeps_passages=keeps_passages)
        self._other_deltas: dict[Hashable, Any] = {}

    def _rewrite_body(self, event: Event, raw: bytes, body: dict[str, Any], out: list[bytes]) -> bool:
        kind = body.get("type")
        if not isinstance(kind, str):
            raise MalformedStream("an event of the upstream's stream has no type")
        index = body.get("index")
        if index is not None and type(index) is not int:
            raise MalformedStream("the index of a block in the upstream's stream is no integer")
        if kind == "content_block_stop":
            self._finish_parts(out, self._parts_of(index))
        elif kind in ("message_delta", "message_stop"):
            self._finish_parts(out)
        walk = TextWalk(keeps_paths=True, limit=EVENT_TEXT_LIMIT)
        walk.see_members(body, "content", but=_NOT_TEXT)
        is_changed = self._filter_texts(walk, index, (event, raw, body), out)
        if kind == "message_stop" and not self.stopped:
            self.is_complete = True
            self._is_closed = True
        return is_changed

    def _filter_texts(
        self,
        walk: TextWalk,
        index: int | None,
        source: tuple[Event, bytes, dict[str, Any]],
        out: list[bytes],
    ) -> bool:
        event, raw, body = source
        is_changed = False
        is_delta = body.get("type") == "content_block_delta"
        for slot, path in zip(walk.slots, walk.paths, strict=True):
            if self.stopped:
                return True
            if not _comes_in_parts(path, body.get("type")):
                is_changed |= self._filter_whole([slot])
                continue
            part = self._find_block_text(index, slot, path, body)
            if is_delta and len(walk.slots) == 1 and event.is_plain:
                self._learn(raw, body, slot, part)
            is_changed |= self._filter_part(slot, part, out)
        return is_changed

    def _find_block_text(self, index: int | None, slot: Slot, path: Path, body: dict[str, Any]) -> TextPart:
        if body.get("type") not in _KNOWN_EVENTS:
            key: tuple[Any, ...] = (index, body.get("type"), path)
        else:
            # a block's start and its deltas carry the same text under one name
            key = (index, path[1:])
            delta = body.get("delta")
            if isinstance(delta, dict) and path[-1] not in _DELTA_OF_MEMBER:
                self._other_deltas[key] = delta.get("type")
        return self._find_part(key, slot.field, 0, path, is_plain=slot.is_plain)

    def _parts_of(self, index: int | None) -> list[TextPart]:
        return list(self._groups.get(index, {}).values())

    def _group_of(self, key: Hashable) -> Hashable:
        return key[0] if isinstance(key, tuple) else key

    def _note(self, body: dict[str, Any]) -> None:
        message = body.get("message")
        usage = body.get("usage")
        if isinstance(message, dict):
            usage = message.get("usage", usage)
            model = message.get("model")
            if self.served_model is None and isinstance(model, str):
                self.served_model = model
        if isinstance(usage, dict):
            self.usage = add_usage(self.usage, usage)

    def _delta_event(self, part: TextPart, text: str) -> bytes:
        key = part.key
        assert isinstance(key, tuple)
        kind = "content_block_delta"
        if len(key) == 3:
            kind = str(key[1])
            body = {"type": kind, "index": key[0], **nest(part.path, text)}
        else:
            name = str(part.path[-1])
            delta_kind = _DELTA_OF_MEMBER.get(name) or self._other_deltas.get(key) or "text_delta"
            body = {"type": kind, "index": key[0] or 0, "delta": {"type": delta_kind, name: text}}
        return write_event(write_json(body), kind)


def add_usage(known: Usage | None, usage: dict[str, Any]) -> Usage | None:
    """Usage after one more report of a message: its counts are totals, and what it does not say stays as it was.

    Tokens read from and written to the provider's cache are input tokens.
    """
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    before = known or Usage()
    given = sum(count(usage.get(name)) for name in names)
    produced = count(usage.get("output_tokens"))
    if not (given or produced or known):
        return None
    return Usage(given or before.input_tokens, produced or before.output_tokens)


def _comes_in_parts(path: Path, kind: Any) -> bool:
    """True for the texts of a block itself; what stands deeper in it (results, citations) is there as a whole.

    Of an event that nobody knows, every text that could come in parts does.
    """
    if path[-1] not in STREAMED_MEMBERS:
        return False
    return kind not in _KNOWN_EVENTS or (len(path) == 2 and path[0] in ("delta", "content_block"))
