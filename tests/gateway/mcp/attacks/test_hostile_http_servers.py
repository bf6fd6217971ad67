"""Servers over HTTP that answer without end, packed, with what is no JSON, or ask to be called again at once."""

from __future__ import annotations

import gzip
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mcp_world import READ, SEND, World, opened, text_of, tool
from verilabel.gateway.mcp.upstream.bounded_http import MAX_ANSWER_BYTES

FLOW = {
    "id": "no-exfil",
    "when": {"session_has": ["private", "untrusted"]},
    "to": {"sink": "external"},
    "then": "deny",
}
SECRET = "hunter2-of-the-server"


class _Hostile(BaseHTTPRequestHandler):
    """Lists one tool; a call of it is answered as `how` says."""

    protocol_version = "HTTP/1.1"
    how = "plain"
    sent = 0
    gets = 0

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if "id" not in message:
            self._answer(202, b"")
        elif message["method"] == "tools/call":
            getattr(self, f"_{self.how}")(message["id"])
        else:
            self._answer(200, _wrap(message["id"], _plain_result(message)))

    def do_GET(self) -> None:
        type(self).gets += 1
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(b"retry: 0\nid: 1\ndata:\n\n")
        self.close_connection = True

    def do_DELETE(self) -> None:
        self._answer(200, b"")

    def _endless(self, number: Any) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            self.wfile.write(b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"')
            while type(self).sent < 512 * 2**20:
                self.wfile.write(b"x" * 2**20)
                type(self).sent += 2**20
        except OSError:
            return

    def _packed(self, number: Any) -> None:
        text = {"content": [{"type": "text", "text": "x" * 50_000_000}]}
        self._answer(200, gzip.compress(_wrap(number, text), 1), encoding="gzip")

    def _deep(self, number: Any) -> None:
        self._answer(200, _wrap(number, {"content": [], "x": json.loads("[" * 100 + "]" * 100)}))

    def _not_finite(self, number: Any) -> None:
        self._answer(200, _wrap(number, {"content": [], "structuredContent": {"x": float("nan")}}))

    def _no_json(self, number: Any) -> None:
        self._answer(200, f"\x1b[31m{SECRET}".encode())

    def _other_type(self, number: Any) -> None:
        self._answer(200, b"x", kind=f"text/{SECRET}")

    def _answer(
        self, status: int, body: bytes, *, encoding: str = "identity", kind: str = "application/json"
    ) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-encoding", encoding)
        self.send_header("content-length", str(len(body)))
        self.send_header("mcp-session-id", "s1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


def _wrap(number: Any, result: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "result": result}).encode()


def _plain_result(message: dict[str, Any]) -> dict[str, Any]:
    if message["method"] == "tools/list":
        return {"tools": [tool("fetch")]}
    if message["method"] == "initialize":
        info = {"name": "hostile", "version": "1"}
        version = message["params"]["protocolVersion"]
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
    return {}


@pytest.fixture
def hostile(world: World) -> Iterator[type[_Hostile]]:
    """A hostile server that the world knows as `web`."""
    handler = type("Hostile", (_Hostile,), {"sent": 0, "gets": 0})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    world.web = f"http://127.0.0.1:{server.server_port}/mcp"  # type: ignore[attr-defined]
    yield handler
    server.shutdown()
    server.server_close()


def _config(world: World) -> Any:
    import yaml

    path = world.write(policy={"tools": [{**READ, "match": "web/fetch"}, SEND], "flows": [FLOW]})
    document = yaml.safe_load(path.read_text())
    document["servers"]["web"] = {"url": world.web, "timeout_s": 20.0}  # type: ignore[attr-defined]
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize("how", ["endless", "packed", "deep", "not_finite", "no_json", "other_type"])
async def test_what_cannot_be_taken_is_an_error_that_taints_and_is_told_to_no_log(
    world: World, hostile: type[_Hostile], how: str, caplog: pytest.LogCaptureFixture
) -> None:
    hostile.how = how
    caplog.set_level(logging.DEBUG)
    async with opened(_config(world)) as (_, connect):
        client = await connect()
        result = await client.call_tool("web__fetch", {})
        assert result.is_error and len(text_of(result)) < 1000, text_of(result)[:1000]
        assert "no such tool" not in text_of(result)
        assert "denied by no-exfil" in text_of(await client.call_tool("mail__send", {"to": "x"}))
    assert hostile.sent < MAX_ANSWER_BYTES + 64 * 2**20
    ends = [r["outcome"] for r in world.trail() if r["route"] == "web/fetch" and r["event"] == "ended"]
    assert ["failed"] == ends
    assert SECRET not in caplog.text


async def test_a_server_that_asks_to_be_called_again_at_once_is_called_at_a_bounded_pace(
    world: World, hostile: type[_Hostile]
) -> None:
    hostile.how = "deep"
    async with opened(_config(world)) as (_, connect):
        client = await connect()
        for _ in range(60):
            await client.call_tool("web__fetch", {})
    assert hostile.gets <= 10
