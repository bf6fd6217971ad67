"""Inspect AI as a process: finding the interpreter that has it, starting it, and asking it several things at once.

What runs there is `inspect_child`, started by path; it imports nothing of this package, so the interpreter needs
inspect_ai and the packages of the tasks, not verilabel.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import msgspec

from verilabel.errors import (
    LimitExceeded,
    MalformedInput,
    MissingExtra,
    ModelError,
    SandboxError,
    UsageError,
    VerilabelError,
)
from verilabel.sandbox.process import Process, small_environment, start_process

CHILD = Path(__file__).parent / "inspect_child" / "__main__.py"
PYTHON_VARIABLE = "VERILABEL_INSPECT_PYTHON"
MAX_BODY_BYTES = 12 * 2**20
"""Of one sample or one answer; a longer one is a failure. Quoted within a record it may take twice its size, and a line
of evidence has 32 MiB at most."""
GRACE_S = 20.0
"""How long a run may take to end by itself (sandboxes are taken down) before it is killed."""
LAST_WORDS_S = 1.0
"""How long is waited for what a process wrote before it ended."""
_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
_encoder = msgspec.json.Encoder()


class Head(msgspec.Struct, frozen=True):
    """What the child says in one line; a body is the line after it. Which fields are set depends on `kind`."""

    kind: str
    body: bool = False
    id: int | None = None
    about: str = ""
    message: str = ""
    bytes: int = 0
    samples: int = 0


_head = msgspec.json.Decoder(Head)


class Told(msgspec.Struct, frozen=True):
    """One message of the child: its head, the line of the head, and the body where there is one."""

    head: Head
    line: bytes
    body: bytes | None


def find_inspect_python(
    python: str | os.PathLike[str] | None = None, environ: Mapping[str, str] | None = None
) -> str:
    """The interpreter that has inspect_ai: the one named, `VERILABEL_INSPECT_PYTHON`, else this one.

    Raises UsageError for one that is not there, MissingExtra where none is named and this one has no inspect_ai.
    """
    variables = os.environ if environ is None else environ
    named = os.fspath(python) if python is not None else variables.get(PYTHON_VARIABLE)
    if named:
        found = shutil.which(Path(named).expanduser())
        if found is None:
            raise UsageError(
                "no such interpreter", where=named, hint="the path of a python that has inspect_ai"
            )
        return str(Path(found).absolute())
    if importlib.util.find_spec("inspect_ai") is None:
        raise MissingExtra("inspect_ai", "inspect")
    return sys.executable


class InspectProcess:
    """One command in one child. `start` it, `hear` what it says, and `close` it; it leaves no process behind.

    The child works in an empty folder of its own, with a small environment. `secrets` are variables that the packages
    of a model need; they go through the pipe and stand in no environment that another program could look into.
    """

    def __init__(self, process: Process, folder: tempfile.TemporaryDirectory[str]) -> None:
        self._process = process
        self._folder = folder
        self._has_ended = False
        self._end: asyncio.Future[int] | None = None

    @classmethod
    async def start(
        cls,
        python: str,
        command: Mapping[str, Any],
        *,
        secrets: Mapping[str, str] | None = None,
        allow_network: bool = False,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> Self:
        """Start the child and give it its command. Raises SandboxError where the interpreter cannot be started."""
        folder = tempfile.TemporaryDirectory(prefix="verilabel-inspect-")
        environment = {
            **small_environment(("HF_HOME", "XDG_CACHE_HOME", "SSL_CERT_FILE")),
            **({} if allow_network else _OFFLINE),
            "PYTHONHASHSEED": "0",
            "PYTHONUNBUFFERED": "1",
            "INSPECT_DISPLAY": "none",
            "XDG_DATA_HOME": folder.name,
        }
        try:
            process = await start_process(
                [python, str(CHILD)],
                env=environment,
                cwd=folder.name,
                max_line_bytes=max_body_bytes + 2**16,
            )
        except BaseException:
            folder.cleanup()
            raise
        child = cls(process, folder)
        try:
            await child.say({**command, "log_dir": folder.name, "secrets": dict(secrets or {})})
        except BaseException:
            await child.close()
            raise
        return child

    @property
    def pid(self) -> int:
        """The process id, which is its group's too."""
        return self._process.pid

    async def say(self, message: Mapping[str, Any]) -> None:
        """Send one message. Raises SandboxError where the child no longer reads."""
        await self._process.write_line(_encoder.encode(message))

    async def hear(self) -> Told:
        """The next message. Raises what the child's error says, and SandboxError where it is gone or out of step."""
        line = await self._read_line()
        if line is None:
            raise self._gone()
        try:
            head = _head.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SandboxError("the Inspect process said what is no message", where="inspect") from error
        body = await self._read_line() if head.body else None
        if head.body and body is None:
            raise self._gone()
        if head.kind == "error":
            raise error_of(head)
        self._has_ended |= head.kind == "ended"
        return Told(head, line, body)

    async def close(self, *, politely: bool = False) -> None:
        """End the child and all it started; `politely`: let it take its sandboxes down first."""
        try:
            if politely and not self._has_ended and self._process.exit_status is None:
                with contextlib.suppress(TimeoutError, VerilabelError):
                    async with asyncio.timeout(GRACE_S):
                        await self.say({"end": True})
                        while (await self.hear()).head.kind != "ended":
                            pass
        finally:
            await self._process.stop()
            if self._end is not None:
                self._end.cancel()
            self._folder.cleanup()

    async def _read_line(self) -> bytes | None:
        """The next line; None at the end, also where a program that the child left behind holds the pipe open."""
        if self._end is None:
            self._end = asyncio.ensure_future(self._process.wait())
        reading = asyncio.ensure_future(self._process.read_line())
        try:
            either: tuple[asyncio.Future[Any], ...] = (reading, self._end)
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():  # what it wrote before its end may still be on the way
                await asyncio.wait({reading}, timeout=LAST_WORDS_S)
            return reading.result() if reading.done() else None
        finally:
            reading.cancel()

    def _gone(self) -> SandboxError:
        said = " ".join(self._process.stderr_tail.split())[-300:]
        return SandboxError(
            "the Inspect process ended before it was done" + (f"; its last words: {said}" if said else ""),
            where="inspect",
        )


def error_of(head: Head) -> VerilabelError:
    """The error that the child's own word stands for."""
    message = head.message or "the Inspect process failed"
    kinds: dict[str, type[VerilabelError]] = {
        "task": UsageError,
        "usage": UsageError,
        "model": ModelError,
    }
    if head.about == "missing":
        return MissingExtra("inspect_ai", "inspect")
    return kinds.get(head.about, SandboxError)(message, where="inspect")


class Conversation:
    """Several questions in flight to one child, each answered by number, in any order."""

    def __init__(self, child: InspectProcess) -> None:
        self._child = child
        self._futures: dict[int, asyncio.Future[Told]] = {}
        self._count = 0
        self._end: VerilabelError | None = None
        self._has_abandoned = False
        self._reader = asyncio.create_task(self._read())

    async def ask(self, question: Mapping[str, Any]) -> Told:
        """Ask, and wait for the answer. Raises what ended the child where it ends first."""
        if self._end is not None:
            raise self._end
        self._count += 1
        number = self._count
        future: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._futures[number] = future
        try:
            await self._child.say({**question, "id": number})
            return await future
        except asyncio.CancelledError:
            self._has_abandoned = True
            raise
        finally:
            self._futures.pop(number, None)

    async def close(self) -> None:
        """Stop listening and end the child, politely where it owes no answer."""
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        is_idle = not self._futures and not self._has_abandoned and self._end is None
        await self._child.close(politely=is_idle)

    async def _read(self) -> None:
        end: VerilabelError = SandboxError("the Inspect run ended with questions open", where="inspect")
        try:
            while (told := await self._child.hear()).head.kind != "ended":
                future = self._futures.get(told.head.id or 0)
                if future is not None and not future.done():
                    future.set_result(told)
        except LimitExceeded as error:
            end = SandboxError(f"the Inspect process is out of step: {error.message}", where="inspect")
        except VerilabelError as error:
            end = error
        self._end = end
        for future in self._futures.values():
            if not future.done():
                future.set_exception(end)


def decode_body(told: Told, kind: type[Any]) -> Any:
    """The body of a message as a struct. Raises MalformedInput where it is none."""
    try:
        return msgspec.json.decode(told.body or b"", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedInput(f"not what the Inspect process sends: {error}", where="inspect") from error
