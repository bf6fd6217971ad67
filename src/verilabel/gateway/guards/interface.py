"""What a guard is: rules that find spans, or something that judges a passage as a whole."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from verilabel.detectors.spans.rule import Rule
from verilabel.gateway.verdicts import Direction, Field


class Conversation(msgspec.Struct, frozen=True):
    """What a guard may know of the request it guards.

    `messages` are (role, text) in order, of the request alone; `system` its system prompt; `schema` the JSON schema
    that the request asks its answer to fit, if any; `key` the id of the virtual key; `digest` of the request.
    """

    messages: tuple[tuple[str, str], ...] = ()
    system: str = ""
    schema: dict[str, Any] | None = None
    key: str | None = None
    digest: str = ""


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a passage guard says of one passage.

    `found` is True if its event is true of the passage; `rule` names which of its rules; `score` in [0, 1] where it
    has one; `spans` are (start, end, label) to redact, `replacement` a whole new text, where the guard offers them.
    """

    found: bool
    rule: str = ""
    score: float | None = None
    spans: tuple[tuple[int, int, str], ...] = ()
    replacement: str | None = None


class GuardError(Exception):
    """A guard could not look: its model did not answer, its package failed. The policy's `on_error` decides."""


class PassageGuard(Protocol):
    """Judges whole passages. `version` is a digest of all that its verdicts depend on.

    `is_quick` says that `judge` is pure computation of microseconds per kilobyte, to be called on the event loop
    by `judge_now`; all others are awaited under the entry's timeout. `reads_whole` says that windows of a stream make
    no sense for it (JSON validity): it gets the whole text at the end.
    """

    version: str
    is_quick: bool
    reads_whole: bool

    def judge_now(self, text: str, field: Field, direction: Direction, about: Conversation) -> Judgement:
        """Judge a passage at once (quick guards alone)."""
        ...

    async def judge(self, text: str, field: Field, direction: Direction, about: Conversation) -> Judgement:
        """Judge a passage. Raises GuardError."""
        ...

    async def open(self) -> None:
        """Load and connect what is needed. Raises VerilabelError."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


class SpanGuard(msgspec.Struct, frozen=True):
    """A guard that is rules: they are compiled with all others into one search. `version` is their digest.

    `is_reversible` says that what is replaced on the way in is put back on the way out, for this conversation.
    """

    rules: tuple[Rule, ...]
    version: str
    is_reversible: bool = False


Guard = SpanGuard | PassageGuard
