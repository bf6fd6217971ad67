"""What `inspect:TASK[:key=value,...]` asks for: a task of Inspect and its arguments."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec

from verilabel.errors import UsageError

PREFIX = "inspect:"
HINT = "inspect:inspect_evals/agentdojo, inspect:inspect_evals/agentdojo:with_sandbox_tasks=no, inspect:tasks.py@name"
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)?", re.ASCII)
MAX_REFERENCE_CHARACTERS = 4_000


class InspectReference(msgspec.Struct, frozen=True):
    """A task (a registered name, or an absolute FILE@NAME) and its arguments, each as JSON text."""

    task: str
    args: dict[str, str]

    @property
    def file(self) -> Path | None:
        """The file of a task that is in a file."""
        return Path(self.task.rpartition("@")[0] or self.task) if self.task.startswith("/") else None


def is_inspect_reference(reference: str | Path) -> bool:
    """True for a reference to a task of Inspect."""
    return isinstance(reference, str) and reference.startswith(PREFIX)


def parse_inspect_reference(reference: str) -> InspectReference:
    """What a reference asks for; a file is made absolute.

    A value is JSON where it reads as such (`3`, `true`, `[1,2]`, `"text"`), else the text as it stands. Raises
    UsageError for another form, for an argument without a name or given twice, and for a file that is not there.
    """
    if not is_inspect_reference(reference) or len(reference) > MAX_REFERENCE_CHARACTERS:
        raise UsageError("not a task of Inspect", where=reference[:200], hint=HINT)
    task, colon, rest = reference.removeprefix(PREFIX).partition(":")
    args: dict[str, str] = {}
    for part in _split_arguments(rest) if colon else []:
        key, sign, value = part.partition("=")
        if not sign or _KEY.fullmatch(key) is None or key in args:
            raise UsageError(
                f"{part[:80]!r} is no argument, or given twice", where=reference[:200], hint=HINT
            )
        args[key] = _as_json(value)
    return InspectReference(_check_task(task, reference), args)


def _check_task(task: str, reference: str) -> str:
    file, sign, name = task.rpartition("@")
    path = file if sign else task
    if not path.endswith(".py"):
        if _NAME.fullmatch(task) is None:
            raise UsageError("not a task of Inspect", where=reference[:200], hint=HINT)
        return task
    found = Path(path).expanduser()
    if not found.is_file():
        raise UsageError("no such file", where=path)
    return f"{found.resolve()}@{name}" if sign else str(found.resolve())


def _split_arguments(text: str) -> list[str]:
    """The parts between commas that stand in no bracket and no quoted text."""
    parts, depth, quoted, escaped = [""], 0, False, False
    for char in text:
        if char == "," and depth == 0 and not quoted:
            parts.append("")
            continue
        parts[-1] += char
        if escaped:
            escaped = False
        elif quoted:
            escaped = char == "\\"
            quoted = char != '"'
        else:
            quoted = char == '"'
            depth += (char in "[{") - (char in "]}")
    return parts


def _as_json(value: str) -> str:
    """A value as the JSON text that stands in the suite file."""
    try:
        parsed = json.loads(value, parse_constant=lambda word: word)
    except (ValueError, RecursionError):
        parsed = value
    return json.dumps(parsed, ensure_ascii=False, separators=(",", ":"))
