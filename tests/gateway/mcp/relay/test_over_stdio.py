"""The gateway as a process on standard input and output: what is no plain message is refused, and never decided."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from mcp_world import World

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
GOOD = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "tools/call",
        "params": {"name": "mail__send", "arguments": {"to": "x"}, "_meta": META},
    }
)
BAD = {
    "duplicate": GOOD.replace('"to": "x"', '"to": "x", "to": "thief"'),
    "duplicate name": GOOD.replace('"name": "mail__send"', '"name": "mail__send", "name": "mail__other"'),
    "nan": GOOD.replace('"x"', "NaN"),
    "infinity": GOOD.replace('"x"', "-Infinity"),
    "too large": GOOD.replace('"x"', "1e999"),
    "inexact": GOOD.replace('"x"', str(2**53 + 1)),
    "surrogate": GOOD.replace('"x"', r'"\ud800"'),
    "deep": GOOD.replace('"x"', "[" * 100 + "]" * 100),
}
WITHOUT_ID = {
    "batch": f"[{GOOD}]",
    "very deep": GOOD.replace('"x"', "[" * 100_000 + "]" * 100_000),
    "broken": GOOD[:-1],
    "no object": "7",
}


class _Piped:
    """A gateway that was started as clients start it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.output = cast(IO[bytes], process.stdout)

    def say(self, line: bytes) -> None:
        """Send one line."""
        pipe = cast(IO[bytes], self.process.stdin)
        pipe.write(line + b"\n")
        pipe.flush()

    def ask(self, line: str) -> dict[str, Any]:
        """Send one line and read the answer."""
        self.say(line.encode("utf-8"))
        return cast(dict[str, Any], json.loads(self.output.readline()))


@contextmanager
def _started(path: Path) -> Iterator[_Piped]:
    command = [sys.executable, "-m", "verilabel", "mcp", "gateway", "--policy", str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process:
        try:
            yield _Piped(process)
        finally:
            process.kill()


def test_lines_that_two_parsers_may_read_differently_are_refused_before_anything_is_decided(
    world: World,
) -> None:
    with _started(world.write()) as gateway:
        for expected, lines in ((7, BAD), (None, WITHOUT_ID)):
            for what, line in lines.items():
                answer = gateway.ask(line)
                assert (expected, True) == (answer["id"], "not taken" in answer["error"]["message"]), what
        assert [] == world.forwarded()
        assert [] == world.trail()
        assert "sent to x" == gateway.ask(GOOD)["result"]["content"][0]["text"]
    assert [{"to": "x"}] == [call["arguments"] for call in world.forwarded()]


def test_a_line_of_ten_mebibytes_is_read_past_and_forwards_nothing(world: World) -> None:
    with _started(world.write()) as gateway:
        assert "sent to x" == gateway.ask(GOOD)["result"]["content"][0]["text"]
        refused = gateway.ask(GOOD.replace('"x"', '"' + "y" * 10 * 2**20 + '"'))
        assert "at most" in refused["error"]["message"]
        assert "sent to x" == gateway.ask(GOOD)["result"]["content"][0]["text"]
    assert [{"to": "x"}] * 2 == [call["arguments"] for call in world.forwarded()]
