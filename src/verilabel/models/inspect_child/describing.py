"""What a task of Inspect is: its samples, scorers, packages, and where it would run."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .pipe import Pipe, Refusal, one_line

MAX_SAMPLES = 1_000_000
MAX_FACTS = 24
MAX_FACT_CHARACTERS = 200


def describe_task(pipe: Pipe, command: dict[str, Any]) -> None:
    """Send the task's facts, and one line a sample."""
    send_facts(pipe, load_task(command), command)


def load_task(command: dict[str, Any]) -> Any:
    """The one task that a reference names, made with its arguments.

    Raises Refusal where it cannot be loaded, is several, or has samples that are made while it runs.
    """
    reference, args = command["task"], command["args"]
    try:
        tasks = _load(reference, args)
    except Refusal:
        raise
    except Exception as error:
        raise Refusal(
            "task", f"Inspect cannot load {reference}: {type(error).__name__}: {one_line(error)}"
        ) from error
    if not tasks:
        raise Refusal("task", f"Inspect knows no task {reference}")
    task = tasks[0]
    registry = importlib.import_module("inspect_ai._util.registry")
    if unknown := sorted(set(args) - set(registry.registry_params(task))):
        raise Refusal("task", f"{reference} takes no argument {unknown[0]!r}")
    if not hasattr(task.dataset, "__len__") or getattr(task, "sample_source", None) is not None:
        raise Refusal("task", f"{reference} makes its samples while it runs, so no plan can name them")
    if task.model is not None:
        raise Refusal(
            "task", f"{reference} brings its own model ({task.model}), so it says nothing of another"
        )
    if len(task.dataset) > MAX_SAMPLES:
        raise Refusal("task", f"{reference} has more than {MAX_SAMPLES} samples")
    return task


def _load(reference: str, args: dict[str, Any]) -> list[Any]:
    loader = importlib.import_module("inspect_ai._eval.loader")
    if reference.endswith(".py"):
        decorator = importlib.import_module("inspect_ai._util.decorator")
        names = [name for name, *_ in decorator.parse_decorators(Path(reference), "task")]
        if len(names) != 1:
            listed = ", ".join(names[:10])
            raise Refusal("task", f"{reference} has {len(names)} tasks ({listed}); name one, as FILE@TASK")
        reference = f"{reference}@{names[0]}"
    return list(loader.load_tasks([reference], args))


def send_facts(pipe: Pipe, task: Any, command: dict[str, Any]) -> None:
    """Send a task's facts, one line a sample, and a line that says how many."""
    registry = importlib.import_module("inspect_ai._util.registry")
    qualified = registry.registry_info(task).name if registry.is_registry_object(task) else str(task.name)
    package = qualified.rpartition("/")[0]
    facts = {
        "kind": "task",
        "name": qualified.rpartition("/")[2],
        "package": package,
        "packages": _versions(package),
        "license": _license(package),
        "version": str(task.version),
        "file_sha256": _digest_of_file(command["task"]),
        "epochs": task.epochs or 1,
        "scorers": scorer_names(task),
    }
    pipe.write(facts)
    count = 0
    for index, sample in enumerate(task.dataset):
        pipe.write({"kind": "sample"}, _encoded(_describe_sample(sample, index, task.sandbox)))
        count += 1
    pipe.write({"kind": "described", "samples": count})


def scorer_names(task: Any) -> list[dict[str, Any]]:
    """Each scorer: the key that its scores stand under in a sample, its registered name, and the keys of its values.

    A scorer that is registered by no package is called `task/NAME`.
    """
    registry = importlib.import_module("inspect_ai._util.registry")
    scorers = task.scorer if isinstance(task.scorer, list) else [task.scorer] if task.scorer else []
    used: list[str] = []
    named = []
    for scorer in scorers:
        info = registry.registry_info(scorer)
        base = info.name.rpartition("/")[2]
        key, count = base, 1
        while key in used:  # as inspect_ai.scorer.unique_scorer_name counts them
            key, count = f"{base}{count}", count + 1
        used.append(key)
        name = info.name if "/" in info.name else f"task/{info.name}"
        named.append({"key": key, "name": name, "values": _value_keys(info.metadata.get("metrics"))})
    return named


def _value_keys(metrics: Any) -> list[str]:
    """The keys of a score that is a mapping, as the scorer's metrics name them."""
    groups = metrics if isinstance(metrics, list) else [metrics]
    keys = [key for group in groups if isinstance(group, dict) for key in group]
    return [key for key in keys if "*" not in key]


def _describe_sample(sample: Any, index: int, sandbox: Any) -> dict[str, Any]:
    facts = to_plain(sample.metadata or {})
    contained = _sandbox(sample.sandbox) or _sandbox(sandbox)
    rest = {
        "metadata": facts,
        "files": to_plain(sample.files),
        "setup": to_plain(sample.setup),
        "sandbox": contained,
    }
    return {
        "id": str(index + 1 if sample.id is None else sample.id),
        "messages": list(_messages(sample.input)),
        "target": [str(item) for item in _listed(sample.target) if str(item)],
        "choices": [str(item) for item in sample.choices or []],
        "tags": _tags(facts),
        "sandbox": contained,
        "rest_sha256": hashlib.sha256(_encoded(rest)).hexdigest(),
    }


def _messages(given: Any) -> Iterator[dict[str, str]]:
    if isinstance(given, str):
        yield {"role": "user", "content": given}
        return
    for message in given:
        role = message.role if message.role in ("system", "user", "assistant") else "user"
        yield {"role": role, "content": message.text}


def _tags(facts: Any) -> dict[str, str]:
    """The short facts of a sample, which a measure may filter on: texts, numbers and truths of its metadata."""
    tags = {}
    for key in sorted(facts if isinstance(facts, dict) else {}):
        value = facts[key]
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, str | int) and 0 < len(str(value)) <= MAX_FACT_CHARACTERS and len(key) <= 64:
            tags[key] = str(value)
    return dict(list(tags.items())[:MAX_FACTS])


def to_plain(value: Any, depth: int = 0) -> Any:
    """A value as JSON has it; what JSON has not is named by its type, because its own text may hold an address."""
    if depth > 40:
        return "too deep"
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return {str(key): to_plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item, depth + 1) for item in value]
    if hasattr(value, "model_dump"):
        return to_plain(value.model_dump(mode="python"), depth + 1)
    return f"a {type(value).__name__}"


def _encoded(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _sandbox(sandbox: Any) -> str:
    if sandbox is None:
        return ""
    if isinstance(sandbox, str):
        return sandbox
    return str(sandbox[0] if isinstance(sandbox, tuple) else sandbox.type)


def _versions(package: str) -> dict[str, str]:
    versions = {"inspect_ai": importlib.metadata.version("inspect_ai")}
    if package and package not in versions:
        versions[package] = importlib.metadata.version(_distribution(package))
    return versions


def _license(package: str) -> str:
    if not package:
        return ""
    facts: Any = importlib.metadata.metadata(_distribution(package))
    return one_line(facts["License-Expression"] or facts["License"] or "", 60)


def _distribution(package: str) -> str:
    names = importlib.metadata.packages_distributions().get(package)
    return names[0] if names else package


def _digest_of_file(reference: str) -> str:
    path = Path(reference.rpartition("@")[0] or reference)
    if path.suffix == ".py" and path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return ""
