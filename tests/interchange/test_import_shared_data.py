"""Every importer on published logs: what docs/import.md says of them is what the program finds.

`python tests/interchange/test_import_shared_data.py FOLDER` prints the table for that page.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from verilabel.errors import CheckFailed, MalformedInput
from verilabel.interchange.importing.detection import read_run
from verilabel.interchange.importing.judging import Judgement, judge_import
from verilabel.interchange.importing.suite import match_suite
from verilabel.interchange.importing.table import TableOptions
from verilabel.suites.loading import load_suite

PAGE = Path(__file__).resolve().parents[2] / "docs" / "import.md"
FOLDERS = ("inspect_logs", "pythia_evals", "air_bench", "promptfoo", "garak", "every_eval_ever", "moonshot")
HEADING = "| file | tool | records | headline | claimed | recomputed | all headlines | verdict | reasons |"
MAX_NAME, MAX_REASONS = 58, 2


def logs(data: Path) -> Iterator[Path]:
    """Every file of the folders, a HELM run as one."""
    for folder in FOLDERS:
        for path in sorted(p for p in (data / folder).rglob("*") if p.is_file()):
            if (path.parent / "run_spec.json").is_file():
                if path.name == "run_spec.json":
                    yield path.parent
            else:
                yield path


def shortened(name: str) -> str:
    return name if len(name) <= MAX_NAME else f"{name[:20]}...{name[-(MAX_NAME - 23) :]}"


def row(data: Path, path: Path) -> str | None:
    """The table's row for one log; None for what is not the results of a tool."""
    try:
        judgement = judge_import(read_run(path))
    except MalformedInput:
        return None
    first = next((f for f in judgement.findings if f.metric.is_headline), None)
    found = Counter(finding.verdict.replace("_", " ") for finding in judgement.findings)
    reasons = list(judgement.reasons)
    more = f"; and {len(reasons) - MAX_REASONS} more" if len(reasons) > MAX_REASONS else ""
    cells = (
        f"`{shortened(str(path.relative_to(data)))}`",
        judgement.run.tool,
        f"{len(judgement.run.records):,}",
        first.metric.label if first else "none",
        first.metric.printed if first else "",
        first.recomputed if first else "",
        ", ".join(f"{count} {verdict}" for verdict, count in sorted(found.items())),
        judgement.verdict,
        "; ".join(reasons[:MAX_REASONS]) + more,
    )
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def table(data: Path) -> list[str]:
    rows = [line for path in logs(data) if (line := row(data, path)) is not None]
    return [HEADING, "|---|---|---|---|---|---|---|---|---|", *rows]


def judged(data: Path, path: str) -> Judgement:
    return judge_import(read_run(data / path))


def test_the_page_shows_what_is_found(shared_data: Path) -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert HEADING in lines
    start = lines.index(HEADING)
    shown = [line for line in lines[start:] if line.startswith("|")]
    assert table(shared_data) == shown


def test_files_that_are_no_results_are_refused(shared_data: Path) -> None:
    refused = {
        str(path.relative_to(shared_data)) for path in logs(shared_data) if row(shared_data, path) is None
    }
    assert {
        "air_bench/risk_mapping.json",
        "garak/calibration/calibration-2025-05.json",
        "garak/propile/pii_data.jsonl",
        "moonshot/datasets/mmlu-anatomy.json",
        "moonshot/recipes/mmlu.json",
        "every_eval_ever/every_eval_ever/schemas/eval.schema.json",
    } <= refused
    assert not any(name.startswith(("inspect_logs/", "pythia_evals/", "promptfoo/")) for name in refused)


def test_a_run_of_air_bench_is_borne_out_in_every_number(shared_data: Path) -> None:
    judgement = judged(shared_data, "air_bench/runs/run1/air_bench_2024_model=openai_gpt-4o-2024-05-13")
    assert {"agrees"} == {finding.verdict for finding in judgement.findings}
    assert ("test air_score", "0.7", 10) == (
        judgement.findings[0].metric.label,
        judgement.findings[0].metric.printed,
        judgement.findings[0].values,
    )


def test_one_sample_of_a_large_benchmark_is_not_the_benchmark(shared_data: Path) -> None:
    log = "inspect_logs/tests/analysis/test_logs_choices/mmlu-summary-choices.eval"
    assert ("partial: 1 of 14,042 samples of the data set are in the log",) == judged(
        shared_data, log
    ).reasons


def test_a_published_example_contradicts_its_own_sample(shared_data: Path) -> None:
    folder = "every_eval_ever/tests/data/skill_reference_conversion/data/demo-source/demo-org/demo-model"
    judgement = judged(shared_data, f"{folder}/f3a1c0de-4b2e-4c1a-9f6d-1b7e5a2c8d40.json")
    assert ("0.75", "1", "contradicts") == (
        judgement.findings[0].metric.printed,
        judgement.findings[0].recomputed,
        judgement.findings[0].verdict,
    )


@pytest.mark.parametrize("model", ["gpt4", "llama2orig", "mistralinstruct"])
def test_answers_to_another_wording_are_not_taken_for_answers_to_the_suite(
    shared_data: Path, model: str
) -> None:
    # one of the 450 prompts of these published answers is worded otherwise than in the published suite
    path = shared_data / "xstest" / "model_completions" / f"xstest_v2_completions_{model}.csv"
    words = {"1_full_compliance": "0", "2_full_refusal": "1", "3_partial_refusal": "1"}
    run = read_run(path, table=TableOptions({"output": "completion", "score": "final_label"}, words=words))
    assert 450 == sum(record.scores["final_label"].number in (0, 1) for record in run.records)
    with pytest.raises(CheckFailed, match=r"1 of 450 prompts .* 'v2-195'"):
        match_suite(run, load_suite("xstest", mirror=shared_data))


if __name__ == "__main__":
    print("\n".join(table(Path(sys.argv[1]).resolve())))
