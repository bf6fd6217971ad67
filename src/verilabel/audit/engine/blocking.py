"""Work of the driver that takes a while: in a thread, so that what watches an audit can go on telling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")


async def in_thread(work: Callable[Given, Result], *args: Given.args, **named: Given.kwargs) -> Result:
    """Call a function in a thread; one that is given up is waited for, so that nothing writes where nobody has a lock.

    Raises what it raises.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work, *args, **named))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
