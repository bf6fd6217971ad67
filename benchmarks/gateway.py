"""The gateway beside a bare pass-through and rivals: what `verilabel gateway bench` measures, as a section of ours."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from benchmarks.settings import REPOSITORY, NotMeasured, Settings
from benchmarks.tables import Section, Table

ROUNDS = 3
RIVALS_PYTHON = REPOSITORY / ".venv-rivals" / "bin" / "python"
METHOD = (
    "All by `verilabel gateway bench`, which starts an upstream, the gateways and the load by itself; how each part "
    "measures stands in the notes."
)


def measure(settings: Settings) -> Section:
    """Every part of the bench; rivals too where other tools were asked for and are installed."""
    from verilabel.errors import MissingExtra
    from verilabel.gateway.opening import require_gateway

    try:
        require_gateway()
    except MissingExtra as missing:
        raise NotMeasured(str(missing)) from None
    from verilabel.gateway_bench.bench import Options
    from verilabel.gateway_bench.running import SECTIONS, run_bench

    options = Options(
        sections=tuple(SECTIONS),
        rivals=("bare", "nginx", "litellm", "nemo") if settings.peers else ("bare", "nginx"),
        rivals_python=_rivals_python(settings),
        quick=settings.quick,
        rounds=settings.rounds_or(ROUNDS),
    )
    results = asyncio.run(run_bench(options, lambda text: print(f"  {text}", file=sys.stderr, flush=True)))
    return section_of(results)


def section_of(results: Any) -> Section:
    """What the bench measured, in the form of the page: methods are notes."""
    tables = tuple(
        Table(f"{part.title}: {table.title}", table.headings, table.rows)
        for part in results.sections
        for table in part.tables
    )
    notes = [f"{part.title}. {part.method}" for part in results.sections]
    notes += [f"{part.title}: {note}" for part in results.sections for note in part.notes]
    notes += [line for line in results.machine if line.startswith("rivals")]
    return Section("Gateway", METHOD, tables, tuple(notes))


def _rivals_python(settings: Settings) -> Path | None:
    return RIVALS_PYTHON if settings.peers and RIVALS_PYTHON.is_file() else None
