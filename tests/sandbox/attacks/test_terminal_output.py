"""What a program in a box writes, on the terminal of who ran it: text, and never commands to the terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from boxes import UID, needs_box

pytestmark = needs_box
WRITE = "printf 'one\\ttwo\\n\\033]0;title\\007\\033[2Jthree\\n\\377\\000'"


def arguments() -> list[str]:
    user = [] if UID is None else ["--uid", str(UID)]
    return [sys.executable, "-m", "verilabel", "sandbox", "run", *user, "--", "sh", "-c", WRITE]


def test_what_would_command_a_terminal_is_made_visible_on_one() -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(arguments(), stdout=theirs, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(theirs)
    seen = os.read(ours, 4096)
    os.close(ours)

    assert (0, b"") == (done.returncode, done.stderr)
    assert b"\x1b" not in seen and b"\x07" not in seen
    assert b"one" in seen and b"three" in seen and 2 == seen.count(b"\n")


def test_bytes_pass_unchanged_where_no_terminal_is() -> None:
    done = subprocess.run(arguments(), capture_output=True, timeout=60, check=False)

    assert b"one\ttwo\n\x1b]0;title\x07\x1b[2Jthree\n\xff\x00" == done.stdout
