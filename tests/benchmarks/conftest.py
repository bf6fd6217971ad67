"""Makes the package `benchmarks` importable: it lies beside `tests`, whose own folder of that name is none."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
