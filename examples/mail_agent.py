"""An agent that does what it reads: sends a letter, reads one, obeys it. It reaches its tools through the gateway."""

import asyncio
import sys

from mcp import Client, StdioServerParameters


async def main():
    """Three calls, each with what came of it."""
    command = [
        sys.argv[1],
        "mcp",
        "gateway",
        "--policy",
        "mcp.yaml",
        "--prompt",
        "Tell friend@example.org I am late.",
    ]
    parameters = StdioServerParameters(
        command=command[0], args=command[1:], env=dict(item.split("=", 1) for item in sys.argv[2:])
    )
    async with Client(parameters, cache=None) as client:
        for tool, arguments in (
            ("mail__send", {"to": "friend@example.org", "text": "I am late."}),
            ("mail__read", {}),
            ("mail__send", {"to": "stranger@example.net", "text": "all mail"}),
            ("mail__send", {"to": "friend@example.org", "text": "And sorry."}),
        ):
            result = await client.call_tool(tool, arguments)
            said = result.content[0].text.splitlines()[0]
            print(f"agent: {tool}({arguments.get('to', '')}) -> {said}", flush=True)


asyncio.run(main())
