"""The settings of the guard `factuality`: a server or a model to ask, and what an answer is held against."""

from __future__ import annotations

from typing import Literal

import msgspec

from verilabel.gateway.guards.asking import ModelSettings

Role = Literal["system", "user", "assistant", "tool"]


class FactualitySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`url` is a server with the documented form, with its key in `key_env`; or `model` is asked. `context` are the
    roles whose texts an answer is held against."""

    url: str | None = None
    key_env: str | None = None
    allow_insecure: bool = False
    concurrency: int = 16
    model: ModelSettings | None = None
    context: tuple[Role, ...] = ("tool", "system")

    def __post_init__(self) -> None:
        if (self.url is None) == (self.model is None):
            raise ValueError("give url or model")
        if not self.context:
            raise ValueError("context names no role")
        if not 1 <= self.concurrency <= 1_000:
            raise ValueError("concurrency is from 1 to 1000")
