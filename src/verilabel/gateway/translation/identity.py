"""Names and times that one API asks for and another does not give."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import msgspec

MADE_CALL = "call_vl"
"""Ids of calls that were made here begin so: the upstream never gave them and need not see them again."""


class Maker(msgspec.Struct, frozen=True):
    """Makes ids and times: `token` a random text of 24 hexadecimal digits, `clock` seconds since 1970."""

    token: Callable[[], str] = lambda: secrets.token_hex(12)
    clock: Callable[[], float] = time.time

    def call_id(self) -> str:
        """An id for a call that came without one."""
        return f"{MADE_CALL}{self.token()}"

    def now(self) -> int:
        """Seconds since 1970."""
        return int(self.clock())
