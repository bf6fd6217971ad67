"""What a run shows while it runs: live rows on a terminal, plain lines every few seconds elsewhere."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from verilabel.rubric.decide import decide
from verilabel.rubric.structure import Rubric

if TYPE_CHECKING:
    from rich.table import Table

    from verilabel.evaluation.engine import Run

LIVE_EVERY_S = 0.5
LINE_EVERY_S = 5.0
COLOURS = {"met": "green", "not_met": "red", "undetermined": "yellow", "not_assessed": "dim"}


@asynccontextmanager
async def show_progress(run: Run, rubric: Rubric, *, quiet: bool) -> AsyncIterator[None]:
    """Show a run's progress on standard error until the block ends."""
    if quiet:
        yield
        return
    live = sys.stderr.isatty()
    task = asyncio.create_task(_show_live(run, rubric) if live else _print_lines(run))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if not live:
            print(_line(run, None), file=sys.stderr)


async def _print_lines(run: Run) -> None:
    started, kept = time.monotonic(), run.schedule.counted
    while True:
        await asyncio.sleep(LINE_EVERY_S)
        print(_line(run, _remaining_s(run, started, kept)), file=sys.stderr, flush=True)


def _line(run: Run, remaining_s: float | None) -> str:
    planned = sum(stream.length for stream in run.recount.streams)
    parts = [f"{run.schedule.counted} of at most {planned} answers counted"]
    parts.append(f"{run.spending.requests} requests")
    if run.spending.usd:
        parts.append(f"${run.spending.usd:.2f}")
    if remaining_s is not None:
        parts.append(f"at most {_duration(remaining_s)} left")
    return ", ".join(parts)


def _remaining_s(run: Run, started: float, kept: int) -> float | None:
    counted = run.schedule.counted
    open_answers = sum(
        stream.length - stream.consumed
        for index, stream in enumerate(run.recount.streams)
        if run.schedule.is_open(index)
    )
    if counted <= kept:
        return None
    return open_answers * (time.monotonic() - started) / (counted - kept)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


async def _show_live(run: Run, rubric: Rubric) -> None:
    from rich.console import Console
    from rich.live import Live

    started, kept = time.monotonic(), run.schedule.counted
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        while True:
            live.update(_table(run, rubric, _remaining_s(run, started, kept)), refresh=True)
            await asyncio.sleep(LIVE_EVERY_S)


def _table(run: Run, rubric: Rubric, remaining_s: float | None) -> Table:
    from rich.table import Table
    from rich.text import Text

    label = decide(
        rubric, run.schedule.tallies(), design=run.plan.design, references=run.plan.reference_tallies()
    )
    table = Table(
        title=Text(label.sentence),
        caption=_line(run, remaining_s),
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("level", "measure", "answers", "events", "bounds", "threshold", "status"):
        table.add_column(heading)
    for level in label.levels:
        for row in level.rows:
            bounds = f"{row.lower or '-'} to {row.upper or '-'}"
            table.add_row(
                f"{level.level} {level.test}",
                row.measure or row.attested or "",
                str(row.n),
                str(row.events),
                bounds,
                f"{row.op or ''} {row.threshold or ''}",
                f"[{COLOURS[row.status]}]{row.status.replace('_', ' ')}",
            )
    return table
