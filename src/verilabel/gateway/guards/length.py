"""The guard `length`: a text is too long, in characters."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from verilabel.gateway.guards.interface import Judgement
from verilabel.gateway.guards.quick import NOTHING, Place, QuickGuard
from verilabel.gateway.guards.settings import version_of


class LengthSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`max_chars` is the longest text that is let through."""

    max_chars: int


class LengthGuard(QuickGuard):
    """Rule `too_long`. In a stream it reads the whole text at the end, since windows are always short."""

    reads_whole = True
    max_chars = None

    def __init__(self, settings: LengthSettings) -> None:
        self._max = settings.max_chars
        super().__init__(version_of("length", "1", settings))

    def steps(self, text: str, _: Place, /) -> Iterator[Judgement]:
        """One step."""
        yield Judgement(found=True, rule="too_long") if len(text) > self._max else NOTHING
