"""FastMCP's proxy: `fastmcp_proxy.py COMMAND ARGUMENTS...` on stdio, `fastmcp_proxy.py URL PORT` over HTTP."""

from __future__ import annotations

import sys
import sysconfig

from fastmcp.client.transports import StdioTransport
from fastmcp.server import create_proxy

PACKAGES = sysconfig.get_paths()["purelib"]

if sys.argv[1].startswith("http"):
    create_proxy(sys.argv[1]).run(
        transport="http", host="127.0.0.1", port=int(sys.argv[2]), show_banner=False, log_level="error"
    )
else:
    server = StdioTransport(sys.argv[1], sys.argv[2:], env={"PYTHONPATH": PACKAGES})
    create_proxy(server).run(show_banner=False, log_level="error")
