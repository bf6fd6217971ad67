"""Boxes as a sandbox of Inspect AI, in an interpreter that has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import verilabel
from examined_boxes import UID, require_provider

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "tests" / "servers" / "inspect_boxes.py"
REFUSED_BY_DESIGN = {"test_exec_as_user"}
"""A box has one user, who can become nobody else."""


def inspect_python() -> str:
    """An interpreter with Inspect AI, or a skip."""
    named = os.environ.get("VERILABEL_INSPECT_PYTHON")
    for python in (named, str(REPOSITORY / ".venv-inspect" / "bin" / "python"), sys.executable):
        if python and Path(python).exists():
            trial = [python, "-c", "import importlib.util as u; import sys; sys.exit(u.find_spec('inspect_ai') is None)"]
            if subprocess.run(trial, check=False).returncode == 0:
                return python
    pytest.skip("no interpreter with inspect_ai; set VERILABEL_INSPECT_PYTHON")


def run_script(*arguments: str) -> Any:
    source = str(Path(verilabel.__file__).resolve().parents[1])
    done = subprocess.run(
        [inspect_python(), str(SCRIPT), *arguments],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert 0 == done.returncode, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def configuration(provider: str) -> str:
    return json.dumps({"provider": provider, "uid": UID, "at_least": "C2"})


def test_boxes_pass_inspect_s_own_checks_of_a_sandbox_but_for_another_user() -> None:
    require_provider("bubblewrap")
    said = run_script("checks", configuration("bubblewrap"))
    failed = {name: words for name, words in said.items() if words != "ok"}
    assert failed.keys() == REFUSED_BY_DESIGN, failed
    assert "SandboxUserUnsupportedError" in failed["test_exec_as_user"]
    assert len(said) >= 44


def test_boxes_of_gvisor_pass_the_checks_that_ask_for_little_time() -> None:
    require_provider("gvisor")
    names = ["test_exec_output", "test_exec_stderr", "test_exec_returncode", "test_exec_permission_error"]
    names += ["test_read_file_not_found", "test_read_file_is_directory", "test_read_file_not_allowed"]
    names += ["test_write_text_file_is_directory", "test_exec_env_vars", "test_exec_input_binary", "test_cwd_relative"]
    names += ["test_exec_timeout_not_raised_on_fast_signal_death", "test_exec_large_command"]
    said = run_script("checks", configuration("gvisor"), *names)
    assert dict.fromkeys(names, "ok") == said


def test_a_task_of_inspect_runs_its_programs_in_boxes_and_logs_which(tmp_path: Path) -> None:
    require_provider("bubblewrap")
    done = run_script("task", configuration("bubblewrap"), str(tmp_path))
    assert ("success", None) == (done["status"], done["error"])
    assert ["C", "C"] == done["scores"]
    assert ("bubblewrap", "C2") == (done["configuration"]["provider"], done["configuration"]["at_least"])


def test_without_inspect_the_provider_names_the_extra_that_brings_it() -> None:
    # -S: an interpreter that sees none of what is installed but what is named here
    import msgspec

    places = (verilabel.__file__, msgspec.__file__)
    program = "import importlib.abc, sys\n"
    program += "class Hide(importlib.abc.MetaPathFinder):\n"
    program += "    def find_spec(self, name, path, target=None):\n"
    program += "        if name.split('.')[0] == 'inspect_ai': raise ModuleNotFoundError(name)\n"
    program += "sys.meta_path.insert(0, Hide())\n"
    program += "import verilabel.sandbox.inspect_provider"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={"PYTHONPATH": ":".join(str(Path(place).resolve().parents[1]) for place in places)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "verilabel[inspect]" in done.stderr
