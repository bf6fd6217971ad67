"""An MCP server of small tools, over stdio or HTTP, as a process of its own: counts, errors, floods, verdicts."""

from __future__ import annotations

import argparse
import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp_types import CallToolResult, TextContent
from pydantic import Field

SERVER = __file__


def build() -> Any:
    """The server."""
    server = MCPServer("outside", log_level="ERROR")
    state = {"count": 0}

    @server.tool(name="count.up", description="Counts.")
    def count_up(by: int = 1) -> str:
        state["count"] += by
        return f"count {state['count']}"

    @server.tool(name="fail", description="Fails.")
    def fail() -> str:
        raise ValueError("inner words")

    @server.tool(name="flood", description="Floods.")
    def flood(size: int) -> str:
        return "x" * size

    @server.tool(name="scale", description="Has fractions in its schema.")
    def scale(factor: Annotated[float, Field(ge=0.5, le=2.0)] = 1.5) -> str:
        return f"scaled by {factor}"

    @server.tool(name="guarded", description="As the gateway answers.", structured_output=False)
    def guarded() -> CallToolResult:
        return CallToolResult(
            content=[TextContent(type="text", text="Not done: no-exfil")],
            is_error=True,
            _meta={"verilabel/verdict": "deny", "verilabel/rules": ["no-exfil"]},
        )

    @server.tool(name="odd", description="Answers with what no record holds.", structured_output=False)
    def odd() -> CallToolResult:
        return CallToolResult(content=[], structured_content={"number": 1e20})

    return server


@contextlib.contextmanager
def http_server() -> Iterator[str]:
    """The server behind HTTP; gives its URL."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with subprocess.Popen([sys.executable, SERVER, "--port", str(port)]) as process:
        try:
            while process.poll() is None:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            process.terminate()


def main() -> None:
    """Serve over stdio, or over HTTP where a port is given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    port = parser.parse_args().port
    if port is None:
        build().run("stdio")
    else:
        import uvicorn

        uvicorn.run(build().streamable_http_app(), host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    main()
