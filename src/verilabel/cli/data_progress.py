"""What an audit shows while it runs: a live line on a terminal, plain lines every few seconds elsewhere."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from verilabel.audit.engine.watching import Watch

LIVE_EVERY_S = 0.2
LINE_EVERY_S = 5.0


@asynccontextmanager
async def show_audit(watch: Watch, *, quiet: bool) -> AsyncIterator[None]:
    """Show an audit's progress on standard error until the block ends."""
    if quiet:
        yield
        return
    live = sys.stderr.isatty() and find_spec("rich") is not None
    task = asyncio.create_task(_show_live(watch) if live else _print_lines(watch))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        print(line_of(watch), file=sys.stderr)


async def _print_lines(watch: Watch) -> None:
    while True:
        await asyncio.sleep(LINE_EVERY_S)
        print(line_of(watch), file=sys.stderr, flush=True)


def line_of(watch: Watch) -> str:
    """Where an audit stands, in one line."""
    parts = [watch.stage]
    if watch.shards:
        parts.append(f"{watch.shards_done} of {watch.shards} parts")
    if watch.text_bytes:
        parts.append(f"{watch.text_bytes / 1e6:,.1f} MB of text")
    if watch.stage == "reading" and watch.text_bytes > watch.text_reused:
        parts.append(f"{watch.text_rate / 1e6:.1f} MB/s")
        if (left := watch.remaining_s()) is not None:
            parts.append(f"about {words_of(left)} left")
    parts.append(f"{watch.documents:,} documents")
    parts.append(f"{watch.findings:,} findings")
    if watch.unread:
        parts.append(f"{watch.unread:,} unread")
    return ", ".join(parts)


def words_of(seconds: float) -> str:
    """A duration, in whole units."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


async def _show_live(watch: Watch) -> None:
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        while True:
            live.update(_picture(watch), refresh=True)
            await asyncio.sleep(LIVE_EVERY_S)


def _picture(watch: Watch) -> RenderableType:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    whole, done = (
        (watch.stored_bytes, watch.stored_done)
        if watch.stage == "reading"
        else (watch.shards, watch.shards_done)
    )
    bar = ProgressBar(total=max(whole, 1), completed=done, width=60)
    return Group(
        Text(f"{watch.stage}: {watch.detail}" if watch.detail else watch.stage), bar, Text(line_of(watch))
    )
