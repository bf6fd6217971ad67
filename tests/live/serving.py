"""Starts other people's model servers as processes on the loopback, and labels what is behind them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evaluation.conftest import Workplace
from verilabel.evidence.journal import JOURNAL
from verilabel.evidence.layout import EVIDENCE

START_S = 180
"""A server that does not answer within this many seconds does not start: some import for half a minute."""
PACE_S = 0.1


def need(what: str, found: object) -> None:
    """Skip where something is not installed; fail where `make test-live` said that it would be."""
    if not found:
        missing = pytest.fail if os.environ.get("VERILABEL_LIVE") else pytest.skip
        missing(f"{what} is not installed; `make test-live` installs what these tests need")


def program_of(name: str) -> str:
    """The path of a program that is installed beside this Python."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    need(name, found)
    assert found is not None, "need ends the test"
    return found


def free_port() -> int:
    """A port of the loopback that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def server(
    command: Sequence[str], ready: str, *, cwd: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A server that runs while the block does; `ready` is the URL that answers once it serves."""
    log = cwd / "server.log"
    with (
        log.open("wb") as out,
        subprocess.Popen(command, cwd=cwd, env=environment, stdout=out, stderr=subprocess.STDOUT) as process,
    ):
        try:
            _wait_for(process, ready, log)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(process: subprocess.Popen[bytes], ready: str, log: Path) -> None:
    for _ in range(int(START_S / PACE_S)):
        try:
            with urllib.request.urlopen(ready, timeout=5) as response:
                if response.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        try:
            process.wait(timeout=PACE_S)
        except subprocess.TimeoutExpired:
            continue
        break
    pytest.fail(f"the server does not serve:\n{log.read_text(errors='replace')[-3000:]}")


@dataclass(frozen=True)
class Served:
    """A model behind a running server, and how the program is told to reach it."""

    options: tuple[str, ...]
    """`--model`, `--base-url`, `--key-file` and parameters."""

    def label(
        self, workplace: Workplace, out: str, *more: str, design: str = "fixed"
    ) -> subprocess.CompletedProcess[str]:
        """Label the model."""
        return workplace.run(*self._arguments(out, design, *more))

    def label_and_kill(
        self, workplace: Workplace, out: str, *, after: int, design: str = "fixed"
    ) -> list[bytes]:
        """Start labelling, kill -9 the program once it has kept some answers, and return the lines it kept."""
        journal = workplace.folder / f"{out}.run" / JOURNAL
        with workplace.start(*self._arguments(out, design)) as process:
            while _attempts_in(journal) < after:
                try:
                    process.wait(timeout=0.005)
                except subprocess.TimeoutExpired:
                    continue
                pytest.fail(f"it ended before it could be killed: {process.stderr and process.stderr.read()}")
            process.send_signal(signal.SIGKILL)
        assert -signal.SIGKILL == process.returncode
        return journal.read_bytes().split(b"\n")[:-1]

    def _arguments(self, out: str, design: str, *more: str) -> list[str]:
        return [
            *("label", *self.options, "--suite", "suite", "--rubric", "rubric.yaml", "--design", design),
            *("--seed", "7", "--connections", "2", "--quiet", "--out", out, *more),
        ]


def _attempts_in(journal: Path) -> int:
    try:
        return journal.read_bytes().count(b'{"kind":"attempt"')
    except FileNotFoundError:
        return 0


def verified(workplace: Workplace, bundle: str) -> dict[str, Any]:
    """What `verify --rescore` finds of a bundle that holds."""
    result = workplace.run("verify", bundle, "--rescore", "--suite", "suite", "--json")
    assert 0 == result.returncode, result.stdout + result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def attempts_of(workplace: Workplace, bundle: str) -> list[dict[str, Any]]:
    """The attempts of a bundle's evidence, in the committed order."""
    lines = (workplace.folder / bundle / EVIDENCE).read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == "attempt"]


def differences(a: Sequence[dict[str, Any]], b: Sequence[dict[str, Any]]) -> set[str]:
    """Paths at which two runs' attempts differ; a response body is looked into."""
    assert len(a) == len(b), "the runs have different numbers of attempts"
    found: set[str] = set()
    for one, other in zip(a, b, strict=True):
        for record in (one, other):
            record["response"] = json.loads(record["response"])
        _collect(one, other, "", found)
    return found


def _collect(a: Any, b: Any, path: str, found: set[str]) -> None:
    if isinstance(a, dict) and isinstance(b, dict):
        for key in a.keys() | b.keys():
            _collect(a.get(key), b.get(key), f"{path}.{key}", found)
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for one, other in zip(a, b, strict=True):
            _collect(one, other, f"{path}[]", found)
    elif a != b:
        found.add(path)
