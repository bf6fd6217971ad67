"""Benchmark items to plant and to look for: those of the data beside the repository, or of a file."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

from benchmarks.settings import REPOSITORY
from verilabel.audit.canaries.items import Item

DATA = Path(os.environ.get("VERILABEL_DATA", REPOSITORY.parent / "shared" / "data"))
_CALCULATION = re.compile(r"<<[^>]*>>")


def read_items(path: Path) -> list[Item]:
    """Items of a file of JSON lines with `question` and, where there is one, `answer`."""
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    return [Item(line["question"], line.get("answer") or "") for line in lines]


def usual_items() -> list[Item]:
    """GSM8K's first 200 with their solutions and XSTest's prompts; none where that data is not there."""
    items = []
    solved = DATA / "gsm8k" / "example_model_solutions_first200.jsonl"
    if solved.is_file():
        lines = [json.loads(line) for line in solved.read_text("utf-8").splitlines()]
        items += [Item(line["question"], _CALCULATION.sub("", line["ground_truth"])) for line in lines]
    prompts = DATA / "xstest" / "xstest_prompts.csv"
    if prompts.is_file():
        with prompts.open(encoding="utf-8", newline="") as file:
            items += [Item(row["prompt"]) for row in csv.DictReader(file)]
    return items
