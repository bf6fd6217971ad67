"""A real MCP gateway process over HTTP, and clients of the protocol's own library with a key."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


@dataclass
class RunningMcpGateway:
    """A gateway that answers at `url` (`.../mcp`)."""

    url: str
    process: subprocess.Popen[str]

    def post(self, data: bytes, **headers: str) -> tuple[int, bytes]:
        """Status and body of one raw POST; status 0 where the gateway hung up before it had read all."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(
            self.url,
            data=data,
            headers={
                "content-type": "application/json",
                "accept": "application/json, text/event-stream",
                **named,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except (urllib.error.URLError, ConnectionError):
            return 0, b""

    @asynccontextmanager
    async def client(self, token: str | None = None, **options: Any) -> AsyncIterator[Client]:
        """A client with a key."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
            transport = streamable_http_client(self.url, http_client=http)
            async with Client(transport, cache=None, **options) as client:
                yield client


@contextmanager
def running_mcp_gateway(config: Path, *arguments: str) -> Iterator[RunningMcpGateway]:
    """Start `verilabel mcp gateway` on a free port, wait for its address, and end it afterwards."""
    command = [sys.executable, "-m", "verilabel", "mcp", "gateway", "--policy", str(config), "--port", "0"]
    process = subprocess.Popen(
        [*command, *arguments], stderr=subprocess.PIPE, text=True, cwd=config.parent, env=os.environ.copy()
    )
    assert process.stderr is not None
    said = []
    try:
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"MCP gateway on (\S+)", line):
                yield RunningMcpGateway(found[1], process)
                return
        raise AssertionError(f"the gateway did not start: {''.join(said)}")
    finally:
        process.terminate()
        process.wait(15)
        process.stderr.close()


def make_key(config: Path, name: str, *, role: str = "user", user: str | None = None) -> str:
    """A virtual key of the gateway's store."""
    command = [sys.executable, "-m", "verilabel", "gateway", "keys", "create", "--config", str(config)]
    made = subprocess.run(
        [*command, "--name", name, "--role", role, "--user", user or name, "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    return str(json.loads(made.stdout)["token"])
