"""A real gateway process for tests: a configuration is written, the command started, its address read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass
class RunningGateway:
    """A gateway that answers. `folder` holds its configuration, store and audit trail."""

    url: str
    folder: Path
    process: subprocess.Popen[str]

    @property
    def base_url(self) -> str:
        """What clients are given."""
        return f"{self.url}/v1"

    def ask(
        self,
        path: str = "/v1/chat/completions",
        body: Any = None,
        *,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
        method: str | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one request; errors are answers, too."""
        if body is not None:
            data = json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path,
            data=data,
            method=method,
            headers={"content-type": "application/json", **(headers or {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, {k.lower(): v for k, v in response.headers.items()}, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()

    def records(self) -> list[dict[str, Any]]:
        """The request records of the audit trail."""
        lines = [
            line
            for file in sorted((self.folder / "audit").glob("*.jsonl"))
            for line in file.read_text().splitlines()
        ]
        return [
            record
            for line in lines
            if (record := json.loads(line)).get("event") in ("begun", "ended", "shadow")
        ]


def write_gateway(
    folder: Path,
    base_url: str,
    *,
    policy: dict[str, Any] | None = None,
    models: list[dict[str, Any]] | None = None,
    upstreams: list[dict[str, Any]] | None = None,
    **settings: Any,
) -> Path:
    """Write a configuration, and its policy beside it; `*` leads to one OpenAI upstream unless said otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {
        "gateway": 1,
        "auth": "none",
        "upstreams": upstreams or [{"id": "main", "base_url": base_url, "retries": 0}],
        "models": models or [{"name": "*", "to": [{"upstream": "main"}]}],
        "policy": "policy.yaml",
        **settings,
    }
    written = {"policy": "test", "version": "1.0.0", **(policy or {})}
    (folder / "policy.yaml").write_text(yaml.safe_dump(written, sort_keys=False))
    path = folder / "gateway.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


@contextmanager
def gateway_process(
    config: Path, *options: str, environ: dict[str, str] | None = None
) -> Iterator[RunningGateway]:
    """A running gateway of a configuration, on a free port."""
    command = [sys.executable, "-m", "verilabel", "gateway", "--config", str(config), "--port", "0", *options]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=(config.parent / "stderr.txt").open("w"),
        text=True,
        env={**os.environ, **(environ or {})},
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line.startswith("listening on "):
                process.wait(10)
                raise AssertionError((config.parent / "stderr.txt").read_text() or f"said {line!r}")
            gateway = RunningGateway(line.split()[2], config.parent, process)
            _wait_until_ready(gateway)
            yield gateway
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_ready(gateway: RunningGateway) -> None:
    """The socket listens before the workers are there: the first answer shows that one is."""
    request = urllib.request.Request(gateway.url + "/health/ready")
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            assert response.status == 200
    except (OSError, AssertionError) as error:
        raise AssertionError((gateway.folder / "stderr.txt").read_text() or str(error)) from error
