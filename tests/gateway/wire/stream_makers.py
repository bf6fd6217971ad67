"""Streams, filters and readers for the tests of what clients speak."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from verilabel.detectors.spans.rule import Match
from verilabel.gateway.verdicts import Field
from verilabel.gateway.wire.interface import StreamRewriter

SECRET = "sk-abc123"
MARK = "[KEY]"


class SecretFilter:
    """Replaces `SECRET`, and holds what could become it: an exact filter in a few lines, apart from the real one."""

    def __init__(self, secret: str = SECRET, *, stops: bool = False) -> None:
        self.matches: list[Match] = []
        self.stopped_by: Match | None = None
        self._secret = secret
        self._stops = stops
        self._held = ""
        self._at = 0
        self.fed_chars = 0

    @property
    def held_chars(self) -> int:
        return len(self._held)

    def feed(self, text: str) -> str:
        if self.stopped_by is not None:
            return ""
        self.fed_chars += len(text)
        text = self._held + text
        out = []
        while (at := text.find(self._secret)) >= 0:
            out.append(text[:at])
            match = Match(0, self._at + at, self._at + at + len(self._secret), self._secret)
            self._at = match.end
            self.matches.append(match)
            text = text[at + len(self._secret) :]
            if self._stops:
                self.stopped_by = match
                self._held = ""
                return "".join(out)
            out.append(MARK)
        keep = next(
            (
                n
                for n in range(min(len(self._secret) - 1, len(text)), 0, -1)
                if self._secret.startswith(text[-n:])
            ),
            0,
        )
        self._held = text[len(text) - keep :]
        self._at += len(text) - keep
        out.append(text[: len(text) - keep])
        return "".join(out)

    def finish(self) -> str:
        held, self._held = self._held, ""
        return held


def redact(text: str, secret: str = SECRET) -> str:
    return text.replace(secret, MARK)


def open_everything(field: Field, choice: int, *, is_plain: bool = False) -> SecretFilter:
    return SecretFilter()


def open_nothing(field: Field, choice: int, *, is_plain: bool = False) -> None:
    return None


def cut(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """The bytes in reads of these sizes, over and over."""
    sizes = [size for size in sizes if size > 0] or [len(data) or 1]
    reads, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        reads.append(data[at : at + size])
        at += size
        turn += 1
    return reads


def run(rewriter: StreamRewriter, reads: Iterable[bytes]) -> bytes:
    return b"".join([rewriter.feed(read) for read in reads] + [rewriter.finish()])


def sse(body: Any, name: str | None = None, end: str = "\n") -> bytes:
    data = body if isinstance(body, str) else json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    head = f"event: {name}{end}" if name else ""
    return f"{head}data: {data}{end}{end}".encode("utf-8", "surrogatepass")


def chunk(
    delta: dict[str, Any] | None = None, *, index: int = 0, finish: str | None = None, **more: Any
) -> dict[str, Any]:
    choice = {"index": index, "delta": delta or {}, "logprobs": None, "finish_reason": finish}
    choice.update({name: more.pop(name) for name in ("logprobs", "token_ids") if name in more})
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m-1",
        "system_fingerprint": "fp-1",
        "choices": [choice],
        **more,
    }


def chat_stream(*bodies: dict[str, Any], end: str = "\n") -> bytes:
    return b"".join(sse(body, end=end) for body in bodies) + sse("[DONE]", end=end)


def events_of(data: bytes) -> list[tuple[str | None, str]]:
    """Events as the SDK of OpenAI decodes them."""
    from openai._streaming import SSEDecoder

    return [(event.event, event.data) for event in SSEDecoder().iter_bytes(iter([data]))]


def bodies_of(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(text) for _, text in events_of(data) if text and not text.startswith("[DONE]")]


def joined(bodies: Iterable[dict[str, Any]], pick: Callable[[dict[str, Any]], str | None]) -> str:
    return "".join(pick(body) or "" for body in bodies)


def chat_text(data: bytes, index: int = 0, field: str = "content") -> str:
    """All of one field of one choice."""
    return "".join(
        choice["delta"].get(field) or ""
        for body in bodies_of(data)
        for choice in body.get("choices", [])
        if choice["index"] == index
    )
