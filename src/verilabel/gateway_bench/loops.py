"""The event loop of the bench's own programs: uvloop where it is installed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


def has_uvloop() -> bool:
    """True if uvloop can be used."""
    try:
        import uvloop  # noqa: F401
    except ImportError:
        return False
    return True


def run_fast(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end on uvloop, or on asyncio's own loop where there is none."""
    if has_uvloop():
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work)
    else:
        asyncio.run(work)
