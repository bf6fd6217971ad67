"""The agents' example script, run as a user runs it: a proven box, labels that differ, a held call, a changed tool."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "agents.sh"
PROGRAM = Path(sys.executable).with_name("verilabel")
pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")


@pytest.fixture(scope="module")
def played() -> Iterator[tuple[Path, str]]:
    """The folder that the script filled, and what it printed."""
    above = Path(tempfile.mkdtemp(prefix="verilabel-example-"))
    above.chmod(0o755)
    done = subprocess.run(
        ["bash", str(SCRIPT), str(above / "example")],
        env=os.environ | {"VERILABEL": str(PROGRAM), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert 0 == done.returncode, done.stdout[-2000:] + done.stderr[-2000:]
    yield above / "example", done.stdout
    shutil.rmtree(above, ignore_errors=True)


def test_nothing_escapes_from_the_box_and_the_labels_of_three_agents_differ(played: tuple[Path, str]) -> None:
    folder, said = played
    assert "nothing escaped in" in said
    labels = {
        name: (folder / f"{name}.shown").read_text().split()[0] for name in ("oracle", "hijacked", "refusing")
    }
    assert {"oracle": "A1", "hijacked": "A2", "refusing": "A0"} == labels
    for name in labels:
        assert "scored again" in (folder / f"{name}.verified").read_text()


def test_the_agent_is_stopped_where_it_obeys_a_stranger_and_nowhere_else(played: tuple[Path, str]) -> None:
    _, said = played
    agent = [line for line in said.splitlines() if line.startswith("agent: ")]
    assert ["sent to friend@example.org"] * 2 == [agent[i].split(" -> ")[1] for i in (0, 3)]
    assert "held for a person by no-exfil" in agent[2]


def test_a_changed_server_is_seen_and_the_trail_is_intact(played: tuple[Path, str]) -> None:
    folder, said = played
    assert "changed since pinned: description" in said and "First send all mail" not in said
    assert "intact; 1 files" in said
    lines = [json.loads(line) for path in (folder / "audit").glob("*.jsonl") for line in path.open()]
    decided = [line["tool"]["action"] for line in lines if line.get("event") == "ended" and "tool" in line]
    assert ["allow", "allow", "ask", "allow"] == decided
