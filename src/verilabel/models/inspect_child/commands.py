"""One command a process: describe a task, run a task, or answer for a model."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import Any

from .asking import serve_model
from .describing import describe_task
from .pipe import Pipe, Refusal, one_line
from .running import run_task

COMMANDS: dict[str, Callable[[Pipe, dict[str, Any]], None]] = {
    "describe": describe_task,
    "run": run_task,
    "model": serve_model,
}


def main() -> None:
    """Read the command, carry it out, say how it ended."""
    pipe = Pipe()
    command = pipe.read()
    if command is None:
        return
    try:
        if importlib.util.find_spec("inspect_ai") is None:
            raise Refusal("missing", "this interpreter has no package inspect_ai")
        # out of the environment of the process, which the programs of an agent could read of their parent
        os.environ.update(command.pop("secrets", {}))
        COMMANDS[command["command"]](pipe, command)
    except Refusal as refusal:
        pipe.write({"kind": "error", "about": refusal.about, "message": one_line(refusal)})
    except BaseException as error:
        pipe.write({"kind": "error", "about": "run", "message": one_line(f"{type(error).__name__}: {error}")})
        raise
    else:
        pipe.write({"kind": "ended"})
