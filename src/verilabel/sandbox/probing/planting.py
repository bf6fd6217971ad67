"""What is planted on the host for probes to find: secrets in files, listeners, and a process as a victim.

Everything belongs to the user that boxes are made as, so that nothing but containment stands in the way, holds random
words that are worth nothing, and is gone afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from verilabel.errors import SandboxError
from verilabel.sandbox.probing.inside.calls import UnknownCall, invoke

VICTIM = """
import ctypes, json, os, signal, sys, tempfile
word = sys.stdin.readline().strip().encode()
memory = ctypes.create_string_buffer(word)
held = tempfile.TemporaryFile(dir=sys.argv[2])
held.write(word[::-1]); held.flush()
signal.signal(signal.SIGUSR1, lambda *_: os.write(1, b"signalled\\n"))
print(json.dumps({"address": ctypes.addressof(memory), "length": len(word)}), flush=True)
sys.stdin.read()
"""
ENVIRONMENT_NAME = "VERILABEL_PLANTED_VARIABLE"
_IPC_CREATE, _IPC_EXCLUSIVE, _IPC_REMOVE = 0o1000, 0o2000, 0
START_TIMEOUT_S = 20.0


@dataclass
class Planted:
    """What was planted: the configuration for the probes, and what was seen of them."""

    folder: Path
    config: dict[str, object]
    greeted: list[str] = field(default_factory=list)
    """Listeners that somebody reached."""
    victim: asyncio.subprocess.Process | None = None
    _victim_was_heard: bool = False

    async def victim_was_signalled(self) -> bool:
        """True if a signal reached the victim, or it is gone."""
        if self.victim is None or self.victim.stdout is None:
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await self.victim.stdout.read(1024)  # what it says of a signal, or the end of what it says
                self._victim_was_heard = True
        return self._victim_was_heard

    def folder_was_touched(self) -> bool:
        """True if something new lies in the folder that was left open."""
        return any((self.folder / "open").iterdir())


@contextlib.asynccontextmanager
async def plant(uid: int, limits: dict[str, int]) -> AsyncIterator[Planted]:
    """Plant everything for boxes of the user `uid`, and take it away again.

    `limits` are `disk_limit`, `memory_limit` and `process_limit`. Raises SandboxError where that does not work.
    """
    word = secrets.token_hex(8)
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(_folder(uid))
        planted = Planted(folder, {"secret": word, **limits, **_host_facts()})
        planted.config |= _files(stack, folder, word, uid)
        await _listen(stack, planted, folder)
        _share_memory(stack, planted)
        await _start_victim(stack, planted, uid)
        stack.enter_context(_variable(planted))
        yield planted


@contextlib.contextmanager
def _folder(uid: int) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="verilabel-doctor-"))
    try:
        folder.chmod(0o755)  # its name is random, and what lies in it is worth nothing
        (folder / "open").mkdir(mode=0o700)
        _give(folder / "open", uid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _give(path: Path, uid: int) -> None:
    if os.geteuid() == 0:
        os.chown(path, uid, uid)


def _files(stack: contextlib.AsyncExitStack, folder: Path, word: str, uid: int) -> dict[str, object]:
    name = f"verilabel-{secrets.token_hex(8)}"
    places = {
        "secret_file": folder / "secret",
        "other_file": Path("/var/tmp") / name,  # noqa: S108
        "shm_file": Path("/dev/shm") / name,  # noqa: S108
    }
    for path in places.values():
        if not path.parent.is_dir():
            continue
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        stack.callback(path.unlink, missing_ok=True)
        with os.fdopen(descriptor, "w") as file:
            file.write(word)
        _give(path, uid)
    return {**{name: str(path) for name, path in places.items()}, "open_folder": str(folder / "open")}


def _host_facts() -> dict[str, object]:
    users = Path("/etc/passwd")
    return {
        "host_home": str(Path.home()),
        "host_name": os.uname().nodename,
        "passwd_sha256": hashlib.sha256(users.read_bytes()).hexdigest() if users.exists() else "",
        "name_server": _name_server(),
    }


def _name_server() -> str:
    try:
        lines = Path("/etc/resolv.conf").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    found = [line.split()[1] for line in lines if line.startswith("nameserver") and len(line.split()) > 1]
    return found[0] if found else ""


# -- listeners -----------------------------------------------------------------------------------------------------


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, planted: Planted, greeting: bytes) -> None:
        self._planted, self._greeting = planted, greeting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(
            asyncio.DatagramTransport, transport
        )  # of other loops: no subclass of asyncio's

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        del data
        self._planted.greeted.append("datagrams")
        self._transport.sendto(self._greeting, addr)


async def _listen(stack: contextlib.AsyncExitStack, planted: Planted, folder: Path) -> None:
    greeting = secrets.token_hex(8)

    def greet(kind: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def greet_one(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            planted.greeted.append(kind)
            with contextlib.suppress(OSError):
                writer.write(greeting.encode())
                await writer.drain()
            writer.close()

        return greet_one

    async def serve_tcp(kind: str, address: str) -> int:
        server = await asyncio.start_server(greet(kind), address, 0)
        stack.callback(server.close)
        return int(server.sockets[0].getsockname()[1])

    async def serve_path(kind: str, path: str) -> None:
        stack.callback((await asyncio.start_unix_server(greet(kind), path)).close)

    path, name = folder / "socket", f"verilabel-{secrets.token_hex(8)}"
    tcp_port, tcp6_port = await serve_tcp("loopback", "127.0.0.1"), 0
    with contextlib.suppress(OSError):
        tcp6_port = await serve_tcp("loopback 6", "::1")
    await serve_path("path socket", str(path))
    path.chmod(0o666)
    await serve_path("abstract socket", f"\0{name}")
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Datagrams(planted, greeting.encode()), local_addr=("127.0.0.1", 0), family=socket.AF_INET
    )
    stack.callback(transport.close)
    planted.config |= {
        "greeting": greeting,
        "tcp_port": tcp_port,
        "tcp6_port": tcp6_port,
        "udp_port": transport.get_extra_info("sockname")[1],
        "socket_path": str(path),
        "abstract_name": name,
    }


# -- what processes share, and the victim --------------------------------------------------------------------------


def _share_memory(stack: contextlib.AsyncExitStack, planted: Planted) -> None:
    """Shared memory and a message queue that everybody on the host may open, where the kernel has them."""
    key, name = secrets.randbits(30) + 1, f"verilabel-{secrets.token_hex(8)}"
    planted.config |= {"shared_memory_key": key, "queue_name": ""}
    try:
        number = invoke("shmget", key, 4096, _IPC_CREATE | _IPC_EXCLUSIVE | 0o666)
        if number >= 0:
            stack.callback(invoke, "shmctl", number, _IPC_REMOVE, None)
        queue = invoke("mq_open", name.encode(), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666, None)
    except UnknownCall:
        return
    if queue >= 0:
        os.fchmod(queue, 0o666)
        os.close(queue)
        stack.callback(invoke, "mq_unlink", name.encode())
        planted.config["queue_name"] = name


@contextlib.contextmanager
def _variable(planted: Planted) -> Iterator[None]:
    """A variable in this program's own environment, which no box may inherit."""
    os.environ[ENVIRONMENT_NAME] = str(planted.config["environment_secret"])
    try:
        yield
    finally:
        os.environ.pop(ENVIRONMENT_NAME, None)


async def _start_victim(stack: contextlib.AsyncExitStack, planted: Planted, uid: int) -> None:
    marker, word, variable = (secrets.token_hex(8) for _ in range(3))
    identity = {"user": uid, "group": uid, "extra_groups": []} if os.geteuid() == 0 else {}
    try:
        victim = await asyncio.create_subprocess_exec(
            _python(),
            *("-I", "-S", "-c", VICTIM, marker, tempfile.gettempdir()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={"VERILABEL_PLANTED": variable, "PATH": "/usr/bin:/bin"},
            start_new_session=True,
            cwd="/",
            **identity,  # type: ignore[arg-type]
        )
    except OSError as error:
        raise SandboxError(
            f"the victim cannot be started: {error.strerror}", where=_python(), hint="is python3 installed?"
        ) from error
    stack.push_async_callback(_stop_victim, victim)
    assert victim.stdin and victim.stdout
    victim.stdin.write(f"{word}\n".encode())
    async with asyncio.timeout(START_TIMEOUT_S):
        line = await victim.stdout.readline()
    if not line:
        raise SandboxError("the victim ended before it began", where=_python())
    said = json.loads(line)
    planted.victim = victim
    planted.config |= {
        "victim_pid": victim.pid,
        "victim_marker": marker,
        "memory_address": said["address"],
        "memory_length": said["length"],
        "memory_secret": word,
        "held_secret": word[::-1],
        "environment_secret": variable,
    }


def _python() -> str:
    """The system's Python, which every user may run; this program's own where there is none."""
    return "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable


async def _stop_victim(victim: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        victim.kill()
    await victim.wait()
