"""Talking to a box's warden: starting it, telling it what to run, hearing what came of it, ending it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import verilabel
from verilabel.errors import SandboxError
from verilabel.sandbox.interface import BoxExhausted

START_S = 20.0
SEND_S = 5.0
END_S = 10.0
ENDING_S = 30.0
"""How long the warden may take to end what a program started; it has harder means at every step."""
MESSAGE_BYTES = 4096
OUT_OF_MEMORY = 3
"""The exit status of what is waited for where the box's programs left its warden no memory (`warden.beginning`)."""
_BEGIN = (
    "import sys; sys.path.append(sys.argv[1]);"
    " from verilabel.sandbox.warden.beginning import begin; sys.exit(begin())"
)


class BoxGone(SandboxError):
    """The box takes no more requests; `WardenLine.explain_end` says why."""


class Leash:
    """The line to one running program: what became of it, and the means to end it."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._line.setblocking(False)

    async def hear(self) -> str:
        """The warden's next words; empty where there is nothing more to hear."""
        loop = asyncio.get_running_loop()
        try:
            return (await loop.sock_recv(self._line, MESSAGE_BYTES)).decode("utf-8", "replace")
        except OSError:
            return ""

    def ask_to_end(self) -> None:
        """Send the program SIGTERM."""
        self._say(b"t")

    def kill(self) -> None:
        """Kill the program and all it started."""
        self._say(b"k")

    def close(self) -> None:
        """Let go; a program that still runs is killed."""
        self._line.close()

    def _say(self, word: bytes) -> None:
        # a program that has ended needs no telling
        with contextlib.suppress(OSError):
            self._line.send(word)


class WardenLine:
    """The control socket of one warden, and its process. Safe to use from several event loops: it keeps no state."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._closed = False

    @property
    def pid(self) -> int:
        """The process whose end says that nothing of the box is left."""
        return self._process.pid

    def start(self, request: dict[str, Any], streams: list[int]) -> Leash:
        """Have a program started with three open streams. Raises SandboxError where the box is gone."""
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        text = _text_descriptor(request)
        try:
            self._send([text, *streams, there.fileno()])
        except BaseException:
            here.close()
            raise
        finally:
            there.close()
            os.close(text)
        return Leash(here)

    def explain_end(self) -> SandboxError:
        """Why the box is gone: BoxExhausted where its own programs did it. Blocks until its processes have ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self._process.wait(END_S) == OUT_OF_MEMORY:
                return BoxExhausted("the box is gone: its programs took all its memory", "memory")
        return SandboxError("the box is gone", hint="open a new one")

    def close(self) -> None:
        """End the box and wait until nothing of it is left. Blocks; closing twice is closing once."""
        self._closed = True
        self._control.close()
        # whatever holds the warden up, its end is the end of the box
        for number in (0, signal.SIGTERM, signal.SIGKILL):
            self._process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)
                return

    def _send(self, descriptors: list[int]) -> None:
        if self._closed:
            raise SandboxError("the box is closed")
        try:
            socket.send_fds(self._control, [b"x"], descriptors)
        except OSError as error:
            raise BoxGone("the box is gone", hint="open a new one") from error


def open_warden(orders: dict[str, Any]) -> tuple[WardenLine, dict[str, Any]]:
    """Start a warden and wait for its box: the line to it, and what it achieved. Blocks.

    Raises SandboxError with what the warden said.
    """
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    here.settimeout(START_S)
    source = str(Path(verilabel.__file__).resolve().parent.parent)
    try:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", "-E", "-c", _BEGIN, source],
            stdin=there.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={},
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        here.close()
        raise SandboxError(f"no warden can be started for the box: {error.strerror}") from error
    finally:
        there.close()
    line = WardenLine(process, here)
    try:
        facts = _wait_until_ready(line, here, orders)
        here.settimeout(SEND_S)
    except BaseException:
        line.close()
        raise
    finally:
        assert process.stderr is not None
        process.stderr.close()
    return line, facts


def _wait_until_ready(line: WardenLine, control: socket.socket, orders: dict[str, Any]) -> dict[str, Any]:
    text = _text_descriptor(orders)
    try:
        socket.send_fds(control, [b"x"], [text])
        said = control.recv(MESSAGE_BYTES)
    except OSError as error:
        raise SandboxError("the box does not open: its warden does not answer") from error
    finally:
        os.close(text)
    word, _, rest = said.partition(b" ")
    if word == b"ready":
        facts: dict[str, Any] = json.loads(rest)
        return facts
    if word == b"refused":
        raise SandboxError(f"the box does not open: {rest.decode('utf-8', 'replace')}")
    raise SandboxError(f"the box does not open: its warden ended{_last_line(line)}")


def _last_line(line: WardenLine) -> str:
    stream = line._process.stderr  # the same file's class
    said = stream.read(MESSAGE_BYTES).decode("utf-8", "replace").strip() if stream is not None else ""
    return f" ({said.splitlines()[-1][:300]})" if said else ""


def _text_descriptor(value: dict[str, Any]) -> int:
    descriptor = os.memfd_create("verilabel", os.MFD_CLOEXEC)
    content = memoryview(json.dumps(value).encode())
    while content:
        content = content[os.write(descriptor, content) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
