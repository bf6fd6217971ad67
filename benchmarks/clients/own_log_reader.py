"""Reads an Inspect log with this product's reader: every record with its digest, and the headline recomputed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from verilabel.interchange.importing.detection import read_run
from verilabel.interchange.importing.judging import judge_import


def main(path: str) -> None:
    """Print the samples, the seconds to read and digest them, the seconds with recomputing, and the verdict."""
    began = time.perf_counter()
    run = read_run(Path(path))
    read_s = time.perf_counter() - began
    judgement = judge_import(run)
    total_s = time.perf_counter() - began
    digested = sum(record.sha256.startswith("sha256:") for record in run.records)
    print(digested, read_s, total_s, judgement.verdict)


if __name__ == "__main__":
    main(sys.argv[1])
