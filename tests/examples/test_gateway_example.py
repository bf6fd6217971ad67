"""The gateway's example script, run as a user runs it: redaction, a cut stream, approval, refused use, the trail."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "gateway.sh"
PROGRAM = Path(sys.executable).with_name("verilabel")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The folder that the script filled, and what it printed."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not on PATH")
    folder = tmp_path_factory.mktemp("gateway") / "example"
    done = subprocess.run(
        ["bash", str(SCRIPT), str(folder)],
        env=os.environ | {"VERILABEL": str(PROGRAM), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr), done.stdout[-2000:]
    yield folder, done.stdout


def _streamed(folder: Path, name: str) -> str:
    lines = (folder / name).read_text().splitlines()
    documents = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    choices = [choice for document in documents for choice in document.get("choices", [])]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def test_personal_data_does_not_leave_in_the_stream(played: tuple[Path, str]) -> None:
    folder, _ = played
    assert "Ask the office: its number is [PHONE], its address [EMAIL]." == _streamed(folder, "stream.txt")


def test_a_secret_ends_the_stream_before_its_first_character(played: tuple[Path, str]) -> None:
    folder, printed = played
    assert "The key of the machine is " == _streamed(folder, "secret.txt")
    assert '"message":"No secret passes here."' in printed


def test_the_payment_passes_once_after_somebody_else_approved(played: tuple[Path, str]) -> None:
    folder, printed = played
    held = json.loads((folder / "held.json").read_text())
    assert ("approval_pending", True) == (
        held["error"]["code"],
        held["verilabel"]["approval"] + ": approved" in printed,
    )
    paid = json.loads((folder / "paid.json").read_text())
    assert "The transfer is done." == paid["choices"][0]["message"]["content"]
    assert "...and once only:\nstatus 403\n" in printed


def test_the_label_goes_with_answers_and_refuses_another_system_prompt(played: tuple[Path, str]) -> None:
    folder, printed = played
    assert "x-verilabel-label: verilabel/core@" in printed
    refused = json.loads((folder / "refused.json").read_text())
    assert "label_not_admitted" == refused["error"]["code"]
    assert "system_prompt" in refused["error"]["message"]


def test_the_trail_is_intact_and_holds_no_text_and_no_key(played: tuple[Path, str]) -> None:
    folder, printed = played
    assert "\nintact; " in printed and "unscanned" not in printed
    kept = b"".join(file.read_bytes() for file in (folder / "audit").iterdir())
    for text in (b"contact@", b"202-555", b"ghp_", b"10 euros", b"vk_"):
        assert text not in kept
