"""The program where its standard streams are closed, full, or cannot write every character: real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = [sys.executable, "-m", "verilabel"]
ASCII = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}


def run(command: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a shell line in which "$@" is the program with its arguments."""
    line = ["/bin/sh", "-c", command, "sh", *PROGRAM, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("closing", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("noun", ["verify", "show"])
def test_a_closed_stream_changes_no_exit_status(made_bundle: Path, closing: str, noun: str) -> None:
    done = run(f'"$@" {closing}', noun, made_bundle)
    assert 0 == done.returncode
    assert "Traceback" not in done.stderr


def test_a_full_standard_output_is_no_success(made_bundle: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    done = run('"$@" >/dev/full', "verify", made_bundle)
    assert 2 == done.returncode
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_terminal_without_every_character_still_shows_a_bundle(
    made_bundle: Path, options: list[str]
) -> None:
    done = subprocess.run(
        [*PROGRAM, "show", made_bundle, *options], capture_output=True, text=True, check=False, env=ASCII
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.isascii()
    if options:
        assert "test/quiz-label" == json.loads(done.stdout)["rubric"]["id"]
