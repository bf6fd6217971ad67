"""Verifies a bundle, then reads its evidence under every bundled rubric; prints how long each took in this process."""

from __future__ import annotations

import gc
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from verilabel.comparison.disagreement import find_disagreements
from verilabel.comparison.findings import read_evidence
from verilabel.comparison.lens import Lens
from verilabel.evidence.verifier import verify_bundle
from verilabel.rubric.model import bundled_rubrics


def main(path: str) -> None:
    """Print records, rubrics, assessed rows, and the seconds for verifying, reading rubrics, counting and deciding."""
    gc.disable()
    began = time.perf_counter()
    found = verify_bundle(Path(path), now=datetime.now(UTC))
    verified = time.perf_counter()
    rubrics = list(bundled_rubrics())
    loaded = time.perf_counter()
    readings = Lens(read_evidence(Path(path), found), moment=datetime.now(UTC)).read_all(rubrics)
    find_disagreements(readings)
    ended = time.perf_counter()
    rows = sum(reading.assessed for reading in readings)
    print(found.leaves, len(rubrics), rows, verified - began, loaded - verified, ended - loaded)


if __name__ == "__main__":
    main(sys.argv[1])
