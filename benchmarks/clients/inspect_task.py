"""The same work as a task of Inspect AI: one prompt, one answer, a substring looked for in it."""

from __future__ import annotations

import json
from pathlib import Path

# mypy: disable-error-code="import-not-found, untyped-decorator"
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import includes
from inspect_ai.solver import generate


@task
def bench(samples: str) -> Task:
    """The suite in the file `samples`."""
    rows = [json.loads(line) for line in Path(samples).read_text("utf-8").splitlines()]
    dataset = MemoryDataset([Sample(id=row["id"], input=row["prompt"], target="42") for row in rows])
    config = GenerateConfig(temperature=0.0, max_tokens=512)
    return Task(dataset=dataset, solver=generate(), scorer=includes(), config=config)
