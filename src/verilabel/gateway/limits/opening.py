"""Opens the store of limits that a gateway's settings name."""

from __future__ import annotations

from typing import Literal

from verilabel.errors import UsageError
from verilabel.gateway.limits.interface import Limiter
from verilabel.gateway.limits.memory import MemoryLimiter
from verilabel.gateway.limits.share import ShareLimiter


def open_limiter(url: str, *, lost: Literal["block", "share"], workers: int) -> Limiter:
    """The limiter for `memory` or a redis://, rediss:// or unix:// URL; call its `open` before use.

    `workers` are the processes that serve together: in memory each gives out its share, 1/workers. `lost` is what
    happens while the store cannot be reached. Raises UsageError for another URL.
    """
    if workers < 1:
        raise UsageError(f"workers must be at least 1; it is {workers}", where="workers")
    if url == "memory":
        return MemoryLimiter() if workers == 1 else ShareLimiter(workers)
    from verilabel.gateway.limits.redis import RedisLimiter

    return RedisLimiter(url, lost=lost, workers=workers)
