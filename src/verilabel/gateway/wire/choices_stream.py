"""Streams whose events carry choices: chat completions and completions."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from verilabel.gateway.verdicts import Usage
from verilabel.gateway.wire.event_json import write_json
from verilabel.gateway.wire.interface import MalformedStream, Slot
from verilabel.gateway.wire.rewriting import PART_LIMIT, STREAMED_MEMBERS, EventRewriter, TextPart
from verilabel.gateway.wire.sse import Event, write_event
from verilabel.gateway.wire.texts import ECHO_MEMBERS, EVENT_TEXT_LIMIT, Path, TextWalk

_OF_THE_STREAM = frozenset({"choices", "usage", "created", "prompt_token_ids", "prompt_logprobs"})
_OF_A_CHOICE = frozenset({"index", "finish_reason", "logprobs", "token_ids"})
_REPEATED = ("id", "object", "created", "model", "system_fingerprint", "service_tier")
Found = tuple[Slot, Path]


class ChoicesRewriter(EventRewriter):
    """Rewrites `chat.completion.chunk` and `text_completion` events.

    A choice ends with its `finish_reason`; text that comes for it afterwards makes the stream malformed, because it
    could complete what was already let go. Log probabilities and token ids of a choice, which say its text once more,
    are left out where a filter looks at its content or refusal.
    """

    _frame: dict[str, Any] | None = None

    def _rewrite_body(self, event: Event, raw: bytes, body: dict[str, Any], out: list[bytes]) -> bool:
        del event
        choices = body.get("choices")
        if choices is None:
            choices = []
        if not isinstance(choices, list):
            raise MalformedStream("the choices in an event of the upstream's stream are no list")
        if len(choices) > PART_LIMIT:
            raise MalformedStream("an event of the upstream's stream has too many choices")
        rest = self._texts_beside(body)
        is_alone = len(choices) == 1 and not body.get("usage")
        is_alone = is_alone and not any(path[-1] in STREAMED_MEMBERS for _, path in rest)
        is_changed = self._filter_found(rest, out, (), ends=False)
        for choice in choices:
            if self.stopped:
                return True
            if not isinstance(choice, dict):
                raise MalformedStream("a choice in an event of the upstream's stream is no object")
            is_changed |= self._rewrite_choice(choice, out, (raw, body) if is_alone else None)
        return is_changed

    @staticmethod
    def _texts_beside(body: dict[str, Any]) -> list[Found]:
        walk = TextWalk(keeps_paths=True, limit=EVENT_TEXT_LIMIT)
        walk.see_members(body, "content", but=_OF_THE_STREAM)
        return list(zip(walk.slots, walk.paths, strict=True))

    def _rewrite_choice(
        self, choice: dict[str, Any], out: list[bytes], alone: tuple[bytes, dict[str, Any]] | None
    ) -> bool:
        index = choice.get("index", 0)
        if type(index) is not int:
            raise MalformedStream("the index of a choice in the upstream's stream is no integer")
        ends = bool(choice.get("finish_reason"))
        walk = TextWalk(choice=index, keeps_paths=True, limit=EVENT_TEXT_LIMIT)
        walk.see_members(choice, "content", but=_OF_A_CHOICE)
        found = list(zip(walk.slots, walk.paths, strict=True))
        place = ("choices", index)
        is_changed = self._drop_echoes(choice, index)
        if ends:
            here = {(*place, *path) for path in walk.paths}
            self._finish_parts(out, self._parts_of(index, but=here))
        elif alone is not None and len(found) == 1 and not is_changed:
            self._learn_choice(alone, choice, found[0], place)
        return self._filter_found(found, out, place, ends=ends) or is_changed

    def _learn_choice(
        self, alone: tuple[bytes, dict[str, Any]], choice: dict[str, Any], found: Found, place: Path
    ) -> None:
        slot, path = found
        if path[-1] not in STREAMED_MEMBERS or _starts_a_call(choice, path):
            return
        part = self._find_part((*place, *path), slot.field, slot.choice, path, is_plain=slot.is_plain)
        self._learn(*alone, slot, part)

    def _filter_found(self, found: list[Found], out: list[bytes], place: Path, *, ends: bool) -> bool:
        is_changed = False
        for slot, path in found:
            if self.stopped:
                return True
            if path[-1] in STREAMED_MEMBERS:
                part = self._find_part((*place, *path), slot.field, slot.choice, path, is_plain=slot.is_plain)
                is_changed |= self._filter_part(slot, part, out, ends=ends)
            else:
                is_changed |= self._filter_whole([slot])
        return is_changed

    def _drop_echoes(self, choice: dict[str, Any], index: int) -> bool:
        echoes = [name for name in ECHO_MEMBERS if choice.get(name)]
        if not echoes:
            return False
        path: Path = ("text",) if "text" in choice else ("delta", "content")
        key = ("choices", index, *path)
        self._find_part(key, "content", index, path)
        is_looked_at = ("choices", index) in self._looked_at
        for name in echoes if is_looked_at else ():
            choice[name] = None
        return is_looked_at

    def _parts_of(self, index: int, *, but: set[Path] | frozenset[Path] = frozenset()) -> list[TextPart]:
        return [part for key, part in self._groups.get(("choices", index), {}).items() if key not in but]

    def _group_of(self, key: Hashable) -> Hashable:
        return key[:2] if isinstance(key, tuple) else key

    def _note(self, body: dict[str, Any]) -> None:
        if self._frame is None:
            self._frame = {name: body[name] for name in _REPEATED if name in body}
        model = body.get("model")
        if self.served_model is None and isinstance(model, str):
            self.served_model = model
        fingerprint = body.get("system_fingerprint")
        if self.fingerprint is None and isinstance(fingerprint, str):
            self.fingerprint = fingerprint
        usage = read_usage(body.get("usage"))
        if usage is not None:
            self.usage = usage

    def _delta_event(self, part: TextPart, text: str) -> bytes:
        inner = nest(part.path, text)
        key = part.key
        if isinstance(key, tuple) and key[:1] == ("choices",):
            choice: dict[str, Any] = {"index": part.choice, **inner, "logprobs": None, "finish_reason": None}
            choice.setdefault("delta", {})
            inner = {"choices": [choice]}
        else:
            inner = {"choices": [], **inner}
        return write_event(write_json({**(self._frame or {}), **inner}))


def nest(path: Path, text: str) -> dict[str, Any]:
    """The smallest object in which the text stands at the path; list elements get their `index`."""
    value: Any = text
    for step in reversed(path):
        if isinstance(step, int):
            value = [{"index": step, **value} if isinstance(value, dict) else value]
        else:
            value = {step: value}
    return value if isinstance(value, dict) else {}


def read_usage(usage: Any) -> Usage | None:
    """Tokens from `usage` of an OpenAI reply or chunk, in either spelling; None where there is none."""
    if not isinstance(usage, dict):
        return None
    return Usage(
        count(usage.get("prompt_tokens", usage.get("input_tokens"))),
        count(usage.get("completion_tokens", usage.get("output_tokens"))),
    )


def count(value: Any) -> int:
    """A count that an upstream says, or 0 for what is none."""
    return value if type(value) is int and 0 <= value < 1 << 53 else 0


def _starts_a_call(choice: dict[str, Any], path: Path) -> bool:
    """True if the event also names the tool: a form made of it would name it again and again."""
    if path[:2] != ("delta", "tool_calls"):
        return False
    return any(call.get("id") for call in choice["delta"]["tool_calls"] if isinstance(call, dict))
