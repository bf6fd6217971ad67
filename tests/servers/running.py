"""Starts the mock model server as a process of its own, for tests that need a live server."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOCK = Path(__file__).resolve().parent / "mock_openai.py"


@contextmanager
def mock_server(*options: str, port: int = 0) -> Iterator[str]:
    """A running mock server; gives its base URL (`http://127.0.0.1:PORT/v1`)."""
    command = [sys.executable, str(MOCK), "--port", str(port), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port_used = process.stdout.readline().split()[1]
            yield f"http://127.0.0.1:{port_used}/v1"
        finally:
            process.terminate()


def requests_seen(base_url: str) -> int:
    """How many questions the server has been asked."""
    with urllib.request.urlopen(base_url.removesuffix("/v1") + "/stats") as response:
        return int(json.load(response)["requests"])
