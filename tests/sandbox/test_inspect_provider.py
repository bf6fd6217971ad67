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
from verilabel.sandbox.interface import BoxSpec
from verilabel.sandbox.opening import available

pytestmark = pytest.mark.inspect

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "tests" / "servers" / "inspect_boxes.py"
REFUSED_BY_DESIGN = {"test_exec_as_user"}
"""A box has one user, who can become nobody else."""


def inspect_python() -> str:
    """An interpreter with Inspect AI, or a skip."""
    named = os.environ.get("VERILABEL_INSPECT_PYTHON")
    for python in (named, str(REPOSITORY / ".venv-inspect" / "bin" / "python"), sys.executable):
        if python and Path(python).exists():
            trial = [
                python,
                "-c",
                "import importlib.util as u; import sys; sys.exit(u.find_spec('inspect_ai') is None)",
            ]
            if subprocess.run(trial, check=False).returncode == 0:
                return python
    pytest.skip("no interpreter with inspect_ai; set VERILABEL_INSPECT_PYTHON")


GVISOR_CHECKS = [
    "test_exec_output",
    "test_exec_returncode",
    "test_exec_permission_error",
    "test_exec_env_vars",
    "test_exec_input_binary",
    "test_exec_timeout_not_raised_on_fast_signal_death",
    "test_read_file_not_found",
    "test_read_file_is_directory",
    "test_read_file_not_allowed",
    "test_write_text_file_is_directory",
    "test_cwd_relative",
]
"""Those that ask for little time."""
FILES = {
    "good.yaml": "at_least: C3\nmemory_mib: 64\n",
    "unknown.yaml": "network: host\n",
    "level.yaml": "at_least: C9\n",
    "list.yaml": "[1]\n",
}


def configuration(provider: str) -> dict[str, object]:
    return {"provider": provider, "uid": UID, "at_least": "C2"}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Inspect said of our boxes; of gVisor's where there are some."""
    require_provider("bubblewrap")
    folder = tmp_path_factory.mktemp("files")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    jobs: dict[str, Any] = {
        "files": {"files": [str(folder / name) for name in FILES]},
        "checks": {"checks": configuration("bubblewrap")},
        "task": {"task": configuration("bubblewrap")},
        "exhausted": {"exhaust": configuration("bubblewrap")},
    }
    if available(BoxSpec(uid=UID))["gvisor"] is None:
        jobs["gvisor"] = {"checks": configuration("gvisor"), "names": GVISOR_CHECKS}
    source = str(Path(verilabel.__file__).resolve().parents[1])
    done = subprocess.run(
        [
            inspect_python(),
            str(SCRIPT),
            str(tmp_path_factory.mktemp("logs")),
            json.dumps(list(jobs.values())),
        ],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert 0 == done.returncode, done.stderr[-3000:]
    return dict(zip(jobs, json.loads(done.stdout.splitlines()[-1]), strict=True))


def test_boxes_pass_inspect_s_own_checks_of_a_sandbox_but_for_another_user(said: dict[str, Any]) -> None:
    failed = {name: words for name, words in said["checks"].items() if words != "ok"}
    assert failed.keys() == REFUSED_BY_DESIGN, failed
    assert "SandboxUserUnsupportedError" in failed["test_exec_as_user"]
    assert len(said["checks"]) >= 44


def test_boxes_of_gvisor_pass_the_checks_that_ask_for_little_time(said: dict[str, Any]) -> None:
    require_provider("gvisor")
    assert dict.fromkeys(GVISOR_CHECKS, "ok") == said["gvisor"]


def test_a_task_of_inspect_runs_its_programs_in_boxes_and_logs_which(said: dict[str, Any]) -> None:
    done = said["task"]
    assert ("success", None) == (done["status"], done["error"])
    assert ["C", "C"] == done["scores"]
    assert ("bubblewrap", "C2") == (done["configuration"]["provider"], done["configuration"]["at_least"])


def test_a_box_that_its_own_programs_used_up_is_told_as_a_limit_and_never_as_a_broken_sandbox(
    said: dict[str, Any],
) -> None:
    told = said["exhausted"]
    assert "the sandbox's disk" in told["disk"]
    if told["exec"] != "ended 0":  # without control groups the crowd is ended, and there is room again
        assert "ended 126" == told["exec"]
        assert "the sandbox's pids" in told["read"] and "the sandbox's pids" in told["write"]
    assert {"OutputLimitExceededError"} >= {words.split(":")[0] for words in told.values() if ":" in words}


def test_a_configuration_file_is_read_strictly(said: dict[str, Any]) -> None:
    good, *bad = said["files"]
    assert ("C3", 64, "auto") == (good["at_least"], good["memory_mib"], good["provider"])
    for name, words in zip(list(FILES)[1:], bad, strict=True):
        assert words.startswith("MalformedInput"), words
        assert name in words
    assert "$.network" in bad[0]


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
