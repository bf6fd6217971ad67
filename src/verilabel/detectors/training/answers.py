"""Labelled answers and prompts of public data sets, read from a folder that holds their files unchanged."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from verilabel.errors import UsageError
from verilabel.records.canonical import digest, sha256_hex

XSTEST_MODELS = ("gpt4", "llama2orig", "mistralinstruct")
JAILBREAK_MODELS = ("gpt-3.5-turbo-1106", "gpt-4-0125-preview", "llama-2-7b-chat-hf", "vicuna-13b-v1.5")
BASELINE_MODELS = ("gemma-2b-it", "llama-2-7b-chat-hf")
GPTFUZZ_TEMPLATES = 77
"""Responses to one question in the full GPTFuzzer file; row i of the kept tenth is row 10 i of it."""


ANCHOR_COPIES = 2
"""Each of our own anchors counts this often: they say for every topic what a few hundred answers say for some."""


class LabelledAnswer(NamedTuple):
    """An answer and whether the event is true of it. `human` says that a person decided so."""

    source: str
    prompt: str
    output: str
    event: bool
    label: str
    human: bool
    template: int = -1
    """Number of the jailbreak template, where there is one."""


def xstest_path(data: Path, model: str) -> Path:
    """The file of one model's XSTest completions."""
    return data / "xstest" / "model_completions" / f"xstest_v2_completions_{model}.csv"


def gptfuzz_path(data: Path) -> Path:
    """The file of GPTFuzzer's labelled responses."""
    return data / "gptfuzz" / "responses_labeled" / "train_every10th.csv"


def read_xstest(data: Path) -> Iterator[LabelledAnswer]:
    """XSTest completions of three models with the adjudicated label of two people; event: not full compliance."""
    for model in XSTEST_MODELS:
        for row in read_table(xstest_path(data, model)):
            label = row["final_label"]
            yield LabelledAnswer(
                f"xstest/{model}/{'unsafe' if row['type'].startswith('contrast') else 'safe'}",
                row["prompt"],
                row["completion"],
                label != "1_full_compliance",
                label,
                True,
            )


def read_gptfuzz(data: Path) -> Iterator[LabelledAnswer]:
    """Responses to GPTFuzzer's jailbreaks, labelled harmful or not by the authors."""
    questions = {
        row["index"]: row["text"] for row in read_table(data / "gptfuzz" / "questions" / "question_list.csv")
    }
    for index, row in enumerate(read_table(gptfuzz_path(data))):
        yield LabelledAnswer(
            "gptfuzz",
            questions[row["question"]],
            row["Response"],
            row["label"] == "1",
            row["label"],
            True,
            10 * index % GPTFUZZ_TEMPLATES,
        )


def read_model_labelled(data: Path) -> Iterator[LabelledAnswer]:
    """Answers that other models labelled (JailbreakBench PAIR, refusal_direction): to train on, never to measure."""
    for path in model_labelled_paths(data):
        document = read_document(path)
        prompts, label_key = (
            ("goal", "jailbroken") if "jailbreaks" in document else ("prompt", "is_jailbreak_llamaguard2")
        )
        for row in document.get("jailbreaks") or document["completions"]:
            if row["response"] and "REDACTED" not in row["response"].upper():
                event = bool(row[label_key])
                yield LabelledAnswer(
                    path.parent.parent.name, row[prompts], row["response"], event, str(event), False
                )


def model_labelled_paths(data: Path) -> list[Path]:
    """The files of answers that other models labelled."""
    attacked = data / "jailbreakbench" / "PAIR" / "black_box"
    baseline = "completions/jailbreakbench_baseline_evaluations.json"
    return [
        *(attacked / f"{model}.json" for model in JAILBREAK_MODELS),
        *(data / "refusal_direction" / model / baseline for model in BASELINE_MODELS),
    ]


def read_anchors() -> Iterator[LabelledAnswer]:
    """Our own short texts that show what a refusal is, whatever the topic; in every training set, never measured."""
    text = resources.files("verilabel.detectors.training").joinpath("anchors.json").read_text("utf-8")
    for label, pairs in json.loads(text).items():
        for prompt, output in pairs:
            for _ in range(ANCHOR_COPIES):
                yield LabelledAnswer("anchors", prompt, output, label == "refused", label, False)


def read_requests(data: Path) -> Iterator[LabelledAnswer]:
    """Prompts of harmful suites and of everyday use; the event is that the suite is one of harmful requests."""
    tables = (
        ("advbench/behavior_datasets/extra_behavior_datasets/advbench_behaviors.csv", "Behavior"),
        ("harmbench/harmbench_behaviors_text_val.csv", "Behavior"),
        ("strongreject/strongreject_dataset.csv", "forbidden_prompt"),
        ("simple_safety_tests/SimpleSafetyTests_no_child_abuse.csv", "prompts_final"),
        ("ailuminate/ailuminate_demo_en_us_no_cse.csv", "prompt_text"),
    )
    for name, column in tables:
        for row in read_table(data / name):
            yield LabelledAnswer(name.split("/", 1)[0], row[column], "", True, "harmful", True)
    for name, prompts in _everyday_prompts(data):
        for prompt in prompts:
            yield LabelledAnswer(name, prompt, "", False, "everyday", True)


def _everyday_prompts(data: Path) -> Iterator[tuple[str, list[str]]]:
    benign = (data / "fuzzyai" / "benign_prompts.txt").read_text("utf-8").splitlines()
    yield "fuzzyai", [line.strip() for line in benign if line.strip()]
    yield "truthfulqa", [row["Question"] for row in read_table(data / "truthfulqa" / "TruthfulQA.csv")]
    yield "mtbench", [row["turns"][0] for row in read_lines(data / "mtbench" / "mt_bench" / "question.jsonl")]
    arena = data / "arena_hard" / "data" / "arena-hard-v0.1" / "question.jsonl"
    yield "arena_hard", [row["prompt"] for row in read_lines(arena)]
    yield (
        "gsm8k",
        [row["question"] for row in read_lines(data / "gsm8k" / "example_model_solutions_first200.jsonl")],
    )


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file. Raises UsageError where it is missing."""
    with _existing(path).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file. Raises UsageError where it is missing."""
    return [json.loads(line) for line in _existing(path).read_text("utf-8").splitlines() if line.strip()]


def read_document(path: Path) -> dict[str, Any]:
    """The object of a JSON file. Raises UsageError where it is missing."""
    document: dict[str, Any] = json.loads(_existing(path).read_text("utf-8"))
    return document


def digest_of_files(*paths: Path) -> str:
    """The digest of one file's bytes, or of the sorted digests of several."""
    digests = sorted(sha256_hex(_existing(path).read_bytes()) for path in paths)
    return f"sha256:{digests[0]}" if len(digests) == 1 else digest("\n".join(digests).encode())


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UsageError(
            "a training file is missing", where=str(path), hint="--data names the folder of the data sets"
        )
    return path
