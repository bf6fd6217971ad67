"""Small logs with fixed keys, honest and forked, and real servers of logs and witnesses, for tests of transparency."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from verilabel.evidence.keys import KeyType, PrivateKey, save_key
from verilabel.evidence.log import Entry, LocalLog
from verilabel.records.canonical import digest

LOG_KEY = PrivateKey(Ed25519PrivateKey.from_private_bytes(b"l" * 32), "log.example.org")
WITNESS_KEY = PrivateKey(Ed25519PrivateKey.from_private_bytes(b"w" * 32), "witness.example.net")
WITNESS = WITNESS_KEY.public.of_type(KeyType.COSIGNATURE)
OTHER_KEY = PrivateKey(Ed25519PrivateKey.from_private_bytes(b"o" * 32), "other.example.com")
TOKEN = "a token of some length".replace(" ", "-")


def entry(name: object) -> Entry:
    """An entry that is the same for the same name."""
    return Entry("verilabel.plan/v1", digest(str(name).encode()))


def make_log(folder: Path, names: Sequence[object], key: PrivateKey = LOG_KEY) -> Path:
    """A log in `folder` with one entry for each name, its key beside it as the program keeps it."""
    with LocalLog.create(folder, key) as log:
        if names:
            log.append_all([entry(name) for name in names])
    save_key(key, folder.with_name(f"{folder.name}.key"), overwrite=True)
    return folder


@dataclass(frozen=True)
class Served:
    """A server that runs as a process of its own."""

    url: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def serving(*arguments: str, environ: Mapping[str, str] | None = None) -> Iterator[Served]:
    """Run `verilabel ARGUMENTS --port 0` until the end of the block; it has told its address by then."""
    words = list(arguments) if "--port" in arguments else [*arguments, "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "verilabel", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environ or {})},
    ) as process:
        try:
            assert process.stdout is not None and process.stderr is not None
            first = process.stdout.readline()
            if not first:
                raise AssertionError(process.stderr.read())
            yield Served(first.split()[-1], process)
        finally:
            process.kill()


def log_server(
    folder: Path, *more: str, environ: Mapping[str, str] | None = None
) -> AbstractContextManager[Served]:
    """A server of the log in a folder."""
    return serving("log", "serve", "--log", str(folder), *more, environ=environ)


def witness_server(folder: Path, *more: str) -> AbstractContextManager[Served]:
    """A server of the witness that knows the small log, with its key and state under `folder`."""
    key_file = folder / "witness.key"
    if not key_file.exists():
        save_key(WITNESS_KEY, key_file)
    known = ["--log-key", LOG_KEY.public.line, "--state", str(folder / "state")]
    return serving("witness", "serve", "--key", str(key_file), *known, *more)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def answering(answers: Mapping[str, tuple[int, Mapping[str, str], bytes]]) -> Iterator[str]:
    """A server that gives the same answer to every request for a path: status, headers, body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answers.get(self.path, (404, {}, b"not here\n"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
