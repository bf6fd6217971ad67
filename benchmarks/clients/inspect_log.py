"""Writes a real Inspect log of N samples (`write N FOLDER`), or reads one with Inspect's own reader (`read LOG`)."""

from __future__ import annotations

import sys
import time

# mypy: disable-error-code="import-not-found"


def write(samples: int, folder: str) -> None:
    """One run of a task with a built-in model, whose answers state their own usage."""
    from inspect_ai import Task, eval
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import includes

    def answer(number: int) -> ModelOutput:
        text = "The answer is 42." if number % 3 else "I do not know that."
        output = ModelOutput.from_content("mockllm/model", text)
        output.usage = ModelUsage(input_tokens=60, output_tokens=6, total_tokens=66)
        return output

    prompt = "What is six times seven? Think about it, then answer in one sentence. " * 3
    rows = [Sample(id=f"s{i}", input=f"{prompt}({i})", target="42") for i in range(samples)]
    model = get_model("mockllm/model", custom_outputs=[answer(i) for i in range(samples)])
    (log,) = eval(
        Task(dataset=MemoryDataset(rows), scorer=includes()),
        model=model,
        log_dir=folder,
        display="none",
        log_realtime=False,
        score_display=False,
    )
    if log.status != "success" or not log.results or log.results.completed_samples != samples:
        raise SystemExit(f"the run ended with {log.status}")


def read(path: str) -> None:
    """Print the samples and the seconds inside this process, imports left out."""
    from inspect_ai.log import read_eval_log

    began = time.perf_counter()
    log = read_eval_log(path)
    print(len(log.samples or []), time.perf_counter() - began)


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(int(sys.argv[2]), sys.argv[3])
    else:
        read(sys.argv[2])
