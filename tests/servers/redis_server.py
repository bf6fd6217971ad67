"""A real redis-server on a free port of the loopback, for tests; it can be killed, paused and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

STARTED = "Ready to accept connections"


@dataclass
class RedisServer:
    """A redis-server of its own. `url` stays the same when it is killed and started again; its data does not."""

    port: int
    folder: Path
    password: str | None = None
    options: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Where clients reach it, with the password where it has one."""
        credentials = "" if self.password is None else f":{self.password}@"
        return f"redis://{credentials}127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, empty, and wait until it takes connections."""
        command = [_program(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command += ["--save", "", "--appendonly", "no", "--daemonize", "no", *self.options]
        if self.password is not None:
            command += ["--requirepass", self.password]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if STARTED in line:
                return
        raise RuntimeError("redis-server did not start:\n" + "".join(said))

    def kill(self) -> None:
        """End it at once, as a crash would; what it held is lost."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process = None

    def pause(self) -> None:
        """Stop it from answering while its connections stay open, as a network that swallows packets would."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it answer again."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def ask(self, *words: str) -> str:
        """Send one command on a connection of its own; the reply as text, such as `OK`."""
        from redis import Redis

        with Redis.from_url(self.url, decode_responses=True) as client:
            return str(client.execute_command(*words))


@contextmanager
def redis_server(*options: str, password: str | None = None, start: bool = True) -> Iterator[RedisServer]:
    """Run a redis-server until the block ends. Skips the test where the machine has no redis-server."""
    _program()
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(_free_port(), Path(folder), password, options)
        try:
            if start:
                server.start()
            yield server
        finally:
            server.kill()


def _program() -> str:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        pytest.skip("neither redis-server nor valkey-server is installed on this machine")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
