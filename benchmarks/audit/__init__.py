"""The audit of training data, measured: a corpus with known truth, other tools beside ours, and tables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.settings import Settings
    from benchmarks.tables import Section

FOLDER = "VERILABEL_AUDIT_BENCH"
"""Environment variable: a folder that corpora and finished rows are kept in between runs."""


def measure(settings: Settings) -> Section:
    """The section for `python -m benchmarks`."""
    from benchmarks.audit.section import measure_all

    folder = Path(os.environ.get(FOLDER) or settings.folder / "audit")
    return measure_all(folder, quick=settings.quick, rivals=settings.peers)
