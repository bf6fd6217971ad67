"""`verilabel mcp serve --http`: both eras of the protocol, tokens and what they allow, what is refused unread."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPError

READ, WRITE = "reading-token-0123456789", "writing-token-0123456789"
INCIDENT = {"title": "a", "description": "b", "severity": "low"}


@contextmanager
def running(folder: Path, *options: str) -> Iterator[str]:
    """A running server; gives its URL."""
    environment = {
        "PATH": os.environ["PATH"],
        "VERILABEL_HOME": str(folder / "home"),
        "READ": READ,
        "WRITE": WRITE,
    }
    command = [sys.executable, "-m", "verilabel", "mcp", "serve", "--bundles", str(folder / "bundles")]
    with subprocess.Popen(
        [*command, "--http", "127.0.0.1:0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        cwd=folder,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def folder(made_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one bundle to serve."""
    place = tmp_path_factory.mktemp("served")
    shutil.copytree(made_bundle, place / "bundles" / "good.bundle")
    return place


@pytest.fixture(scope="module")
def guarded(folder: Path) -> Iterator[str]:
    """A server with a token for reading and one for writing."""
    with running(folder, "--token-env", "READ", "--write-token-env", "WRITE") as url:
        yield url


@pytest.fixture(scope="module")
def unguarded(folder: Path) -> Iterator[str]:
    """A server without tokens, on loopback."""
    with running(folder) as url:
        yield url


@asynccontextmanager
async def connected(url: str, token: str | None = None, era: str = "auto") -> AsyncIterator[Client]:
    """A client with a token."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with (
        create_mcp_http_client(headers=headers) as carrier,
        Client(streamable_http_client(url, http_client=carrier), mode=era) as client,
    ):
        yield client


def post(url: str, body: bytes, **headers: str) -> tuple[int, bytes]:
    """One plain request; the status and the body of the response."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port)
    usual = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    try:
        connection.request(
            "POST", place.path, body, usual | {k.replace("_", "-"): v for k, v in headers.items()}
        )
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_labels_are_found_over_http_in_both_eras(unguarded: str, era: str) -> None:
    async with connected(unguarded, era=era) as client:
        found = await client.call_tool("find_label", {"name": "quiz-model"})
        assert ["good.bundle"] == [each["bundle"] for each in found.structured_content["labels"]]
        assert "file_incident" not in [tool.name for tool in (await client.list_tools()).tools]


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_the_reading_token_reads_and_the_writing_token_writes(
    guarded: str, folder: Path, era: str
) -> None:
    async with connected(guarded, READ, era) as client:
        assert not (await client.call_tool("find_label", {"name": "quiz-model"})).is_error
        assert "file_incident" not in [tool.name for tool in (await client.list_tools()).tools]
        refused = await client.call_tool("file_incident", INCIDENT)
        assert (True, "PolicyError") == (refused.is_error, refused.structured_content["error"])
    async with connected(guarded, WRITE, era) as client:
        assert "file_incident" in [tool.name for tool in (await client.list_tools()).tools]
        filed = (await client.call_tool("file_incident", INCIDENT)).structured_content
    kept = (folder / "incidents" / f"incident-{filed['id']}.json").read_text()
    assert json.loads(kept)["filed_by"].startswith("token:")
    assert WRITE not in kept


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer wrong-token-0123456789", f"Basic {READ}", f"Bearer {READ}x", "Bearer \xe9"],
)
def test_without_a_right_token_nothing_is_answered(guarded: str, authorization: str) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
    status, said = post(guarded, body, Authorization=authorization)
    assert (401, "a bearer token is needed") == (status, json.loads(said)["error"])


@pytest.mark.parametrize(
    ("body", "status", "number"),
    [
        (
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"find_label"}}',
            400,
            1,
        ),
        (b'{"jsonrpc":"2.0","id":"x","method":"tools/list","params":{"n":NaN}}', 400, "x"),
        (b"[]", 400, None),
        (b"\xff", 400, None),
        (b"[" * 200 + b"]" * 200, 400, None),
    ],
)
def test_bodies_that_are_read_differently_elsewhere_are_refused(
    unguarded: str, body: bytes, status: int, number: Any
) -> None:
    came, said = post(unguarded, body)
    assert (status, number) == (came, json.loads(said)["id"])


def test_a_body_that_is_too_large_is_refused(unguarded: str) -> None:
    try:
        status, _ = post(unguarded, b" " * (5 * 2**20))
    except (BrokenPipeError, ConnectionResetError):
        return  # it hung up in the middle of it
    assert 413 == status


def test_a_web_page_cannot_reach_a_server_without_tokens(unguarded: str) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
    assert 421 == post(unguarded, body, Host="evil.example")[0]
    assert 403 == post(unguarded, body, Origin="https://evil.example")[0]


def test_a_header_that_names_another_tool_than_the_body_is_refused(unguarded: str) -> None:
    version = "2026-07-28"
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    }
    params = {"name": "find_label", "arguments": {"name": "quiz-model"}, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    headers = {"MCP_Protocol_Version": version, "Mcp_Method": "tools/call"}
    assert 200 == post(unguarded, body, **headers, Mcp_Name="find_label")[0]
    assert 400 == post(unguarded, body, **headers, Mcp_Name="list_suites")[0]


async def test_an_address_that_is_not_there_is_a_protocol_error(unguarded: str) -> None:
    async with connected(unguarded) as client:
        with pytest.raises(MCPError, match="no such bundle"):
            await client.read_resource("verilabel://labels/none.bundle")
