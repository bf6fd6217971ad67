"""Hugging Face: results as `.eval_results/*.yaml`, a section of the model card, and pushing both on request.

The Hub lists a result under a benchmark's dataset and task (docs/hub/eval-results.md), which a bundle does not know:
whoever exports names them, measure by measure. Measures without one stand in the card section alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from verilabel.errors import MissingExtra, ModelError, UsageError
from verilabel.interchange.exporting.facts import Measured, measured, slug, stand
from verilabel.interchange.exporting.model_card import write_section
from verilabel.interchange.exporting.options import ExportOptions
from verilabel.interchange.exporting.source import Source
from verilabel.interchange.exporting.writing import Export, plain_file

SECTION_FILE = "model-card-section.md"
RESULTS_FOLDER = ".eval_results"


def export_hugging_face(source: Source, options: ExportOptions) -> Export:
    """The results file, where a leaderboard is named for some measure, and the card section."""
    measures = measured(source)
    known = {measure.id for measure in measures}
    if unknown := sorted(set(options.hub_tasks) - known):
        raise UsageError(
            f"the label has no measure {unknown[0]!r}",
            where="--hub-task",
            hint=f"it has {', '.join(sorted(known))}",
        )
    files = [plain_file(SECTION_FILE, write_section(source, options).encode("utf-8"))]
    listed = [measure for measure in measures if measure.id in options.hub_tasks]
    if listed:
        entries = [_entry(source, measure, options) for measure in listed]
        files.append(plain_file(results_path(source), _yaml_bytes(entries)))
    left = [measure.id for measure in measures if measure.id not in options.hub_tasks]
    notes: tuple[str, ...] = ()
    if left:
        notes = (
            f"not in {RESULTS_FOLDER}: {', '.join(left)}: the Hub lists results by benchmark; "
            "--hub-task MEASURE=REPO:TASK names it",
        )
    return Export(tuple(files), notes)


def results_path(source: Source) -> str:
    """Where the results file goes in a model's repository: one file for each rubric."""
    return str(PurePosixPath(RESULTS_FOLDER, f"verilabel-{slug(source.label.rubric.id)}.yaml"))


def _entry(source: Source, measure: Measured, options: ExportOptions) -> dict[str, Any]:
    facts, task = stand(source), options.hub_tasks[measure.id]
    entry: dict[str, Any] = {
        "dataset": {"id": task.repo, "task_id": task.task},
        "value": round(measure.rate, 6),
        "date": (source.plan.created or source.issued)[:10],
    }
    if options.bundle_url:
        entry["source"] = {"url": options.bundle_url, "name": "Evidence bundle"}
    entry["notes"] = (
        f"{measure.says}; suite {measure.suite.name}; label {facts['rubric']}: {facts['label']}; "
        f"{facts['verification']}; statement {facts['statement_sha256']}"
    )
    return entry


def _yaml_bytes(value: Any) -> bytes:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
    return text.encode("utf-8")


def push_files(
    repo: str,
    files: Mapping[str, bytes],
    *,
    title: str,
    endpoint: str | None = None,
    token: str | None = None,
) -> str:
    """Open a pull request with these files on a model's repository, and return its address.

    Never commits to the main branch: whoever keeps the repository decides. `endpoint` and `token` default to what
    huggingface_hub finds in its environment. Raises MissingExtra without huggingface_hub, ModelError where the Hub
    refuses or cannot be reached.
    """
    try:
        from huggingface_hub import CommitOperationAdd, HfApi
        from huggingface_hub.utils import HfHubHTTPError, HFValidationError
    except ImportError as error:
        raise MissingExtra("huggingface_hub", "hub") from error
    operations = [CommitOperationAdd(path_in_repo=path, path_or_fileobj=data) for path, data in files.items()]
    try:
        made = HfApi(endpoint=endpoint, token=token).create_commit(
            repo_id=repo, operations=operations, commit_message=title, create_pr=True
        )
    except HFValidationError as error:
        raise UsageError(
            f"{repo!r} is not the name of a repository", where="--push", hint="OWNER/NAME"
        ) from error
    except HfHubHTTPError as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        raise ModelError(
            f"the Hub refused the pull request (HTTP {status})",
            where=repo,
            hint="does the repository exist, and may your token write to it? `hf auth login`",
        ) from error
    except (
        Exception
    ) as error:  # its HTTP library changes with its version, and so do the errors of connections
        raise ModelError(f"the Hub cannot be used: {type(error).__name__}", where=repo) from error
    return str(made.pr_url)
