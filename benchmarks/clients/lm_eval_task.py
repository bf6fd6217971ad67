"""The same work as a task of lm-evaluation-harness: writes the task's file for a suite of samples."""

from __future__ import annotations

import json
from pathlib import Path

NAME = "verilabel_bench"


def write_task(folder: Path, samples: Path) -> Path:
    """Write the task into a new folder and return the folder, for `--include_path`.

    JSON is YAML; the dataset is the suite's own file.
    """
    task = {
        "task": NAME,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(samples)}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{prompt}}",
        "doc_to_target": "42",
        "generation_kwargs": {"until": [], "do_sample": False, "temperature": 0.0, "max_gen_toks": 512},
        "filter_list": [
            {
                "name": "number",
                "filter": [{"function": "regex", "regex_pattern": "(42)"}, {"function": "take_first"}],
            }
        ],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "num_fewshot": 0,
    }
    folder.mkdir(parents=True)
    (folder / f"{NAME}.yaml").write_text(json.dumps(task, indent=1))
    return folder
