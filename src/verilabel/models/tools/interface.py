"""Models that call tools: a conversation with tools in it, and what one question gave."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from verilabel.models.interface import Exchange
from verilabel.records.episode import ToolSpec, ToolUse
from verilabel.records.system import Scalar


class Said(msgspec.Struct, frozen=True, tag="said"):
    """A system or user turn."""

    role: Literal["system", "user"]
    text: str


class Answered(msgspec.Struct, frozen=True, tag="answered"):
    """The model's turn. `kept` is what its dialect wants back verbatim (reasoning items, signatures), as JSON text."""

    text: str
    calls: tuple[ToolUse, ...] = ()
    kept: str = ""


class Returned(msgspec.Struct, frozen=True, tag="returned"):
    """The result of one call."""

    call: str
    name: str
    text: str
    failed: bool = False


Turn = Said | Answered | Returned


class ToolQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """One question within an episode. `key` names it for models that script or replay: suite, sample, epoch."""

    key: tuple[str, str, int]
    turns: tuple[Turn, ...]
    tools: tuple[ToolSpec, ...]
    params: dict[str, Scalar]


class ToolAnswer(msgspec.Struct, frozen=True):
    """What came of it. `turn` is None exactly where the exchange is a failure."""

    exchange: Exchange
    turn: Answered | None


class ToolModel(Protocol):
    """A model that can be shown tools. It is opened and closed by whoever opened the model it wraps."""

    async def converse(self, question: ToolQuestion) -> ToolAnswer:
        """Ask once. A provider's failure is a value."""
        ...
