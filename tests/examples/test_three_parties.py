"""The example script, run as a user runs it: three parties, a log, a witness, and what a reader then finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "three-parties.sh"
PROGRAM = Path(sys.executable).with_name("verilabel")
SENTENCE = "L2 Guarded granted, cannot exclude up to L3 Robust; V3 replicated"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The folder that the script filled, and what it printed."""
    folder = tmp_path_factory.mktemp("three") / "parties"
    environment = os.environ | {"VERILABEL": str(PROGRAM)}
    done = subprocess.run(
        ["bash", str(SCRIPT), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr), done.stdout[-2000:]
    yield folder, done.stdout


def test_a_reader_who_names_all_parties_finds_it_replicated_and_disputed(played: tuple[Path, str]) -> None:
    _, printed = played
    assert SENTENCE in printed and "; disputed; for system" in printed
    assert "replication recomputed: both bundles give what was signed, byte for byte" in printed
    assert "all of it holds" in printed


def verify(folder: Path, *more: str) -> dict[str, object]:
    done = subprocess.run(
        [str(PROGRAM), "verify", str(folder / "a.bundle"), *more, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_a_reader_without_a_policy_finds_it_disputed_and_not_replicated(played: tuple[Path, str]) -> None:
    found = verify(played[0])
    assert "V2" == found["level"]
    assert "disputed" in found["flags"]  # type: ignore[operator]


def test_a_reader_who_does_not_name_the_replicator_finds_it_not_replicated(played: tuple[Path, str]) -> None:
    folder, _ = played
    lines = (folder / "trust.yaml").read_text().splitlines(keepends=True)
    (folder / "without-b.yaml").write_text("".join(line for line in lines if "name: B," not in line))
    found = verify(folder, "--trust", str(folder / "without-b.yaml"))
    assert "V2" == found["level"]


def test_a_reader_who_asks_for_two_witnesses_refuses_a_log_that_one_cosigned(
    played: tuple[Path, str],
) -> None:
    folder, _ = played
    policy = (folder / "trust.yaml").read_text()
    witness = next(line for line in policy.splitlines() if "roles: [witness]" in line)
    key = subprocess.run(
        [str(PROGRAM), "keys", "new", "--name", "second.example", "--json"],
        env=os.environ | {"VERILABEL_HOME": str(folder / "home-second")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(key.stdout)
    line = subprocess.run(
        [str(PROGRAM), "witness", "key", "--key", "second.example"],
        env=os.environ | {"VERILABEL_HOME": str(folder / "home-second")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    second = f'    - {{key: "{line}", name: Second, roles: [witness]}}\n'
    assert witness in policy
    (folder / "two.yaml").write_text(
        policy.replace("witness_quorum: 1", "witness_quorum: 2").rstrip() + "\n" + second
    )
    found = verify(folder, "--trust", str(folder / "two.yaml"))
    assert "V0" == found["level"]
