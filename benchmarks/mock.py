"""The mock model server as a process of its own on a CPU of its own, and what it has seen."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.settings import REPOSITORY, CommandFailed, NotMeasured

SERVER = REPOSITORY / "tests" / "servers" / "mock_openai.py"
ANSWER = "The answer is 42."


@dataclass(frozen=True)
class Seen:
    """What the server saw since it was reset; times by the machine's monotonic clock."""

    requests: int
    first_request_s: float
    last_reply_s: float


@dataclass(frozen=True)
class Mock:
    """A running server."""

    origin: str

    @property
    def base_url(self) -> str:
        """What OpenAI's clients are given."""
        return f"{self.origin}/v1"

    def reset(self) -> None:
        """Start counting anew."""
        self._look("/reset")

    def seen(self) -> Seen:
        """What came since the last reset. Raises CommandFailed where nothing came."""
        found = self._look("/stats")
        if not found["requests"]:
            raise CommandFailed("the server was asked nothing")
        return Seen(int(found["requests"]), found["first_request_s"], found["last_reply_s"])

    def _look(self, path: str) -> dict[str, float]:
        with urllib.request.urlopen(self.origin + path) as response:
            found: dict[str, float] = json.load(response)
        return found


@contextmanager
def mock_server(latency_ms: float, cpu: int) -> Iterator[Mock]:
    """A mock server that answers after a latency, pinned to a CPU. Raises NotMeasured without uvloop."""
    if importlib.util.find_spec("uvloop") is None:
        raise NotMeasured(
            "the mock server needs uvloop to be faster than its clients (dependency group bench)"
        )
    command = [
        sys.executable,
        str(SERVER),
        "--uvloop",
        "--latency-ms",
        str(latency_ms),
        "--answers",
        f"fixed:{ANSWER}",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            os.sched_setaffinity(process.pid, {cpu})
            assert process.stdout is not None, "it was asked for"
            ready = process.stdout.readline().split()
            if len(ready) != 2:
                raise CommandFailed("the mock server did not start")
            yield Mock(f"http://127.0.0.1:{ready[1]}")
        finally:
            process.terminate()
