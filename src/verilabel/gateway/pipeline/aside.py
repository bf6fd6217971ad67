"""Work of more than some milliseconds, done in a thread so that other requests have their turn meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
LARGE_BYTES = 64 * 1024
"""Larger bodies and events are read aside."""


async def run_aside(
    work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """What the work returns. Where the request is cancelled meanwhile, the work is waited for: nothing is changed by it
    after that."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        if not task.cancelled():
            task.exception()
        raise
