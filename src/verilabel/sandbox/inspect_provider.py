"""Boxes as a sandbox of Inspect AI: `--sandbox verilabel`, or `sandbox="verilabel"` in a task.

Inspect finds it by the entry point group `inspect_ai`. A configuration is a mapping with the fields of `Configuration`,
or the path of a YAML file of the same. Programs run as the box's one user; another user is refused, as Inspect's
interface foresees for a sandbox whose making does not allow it.
"""

from __future__ import annotations

import errno
import importlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from verilabel.errors import LimitExceeded, MalformedInput, MissingExtra, SandboxError
from verilabel.sandbox.interface import Box, BoxExhausted, BoxSpec, ExecResult, Level, Limits

NO_TIMEOUT_S = 86_400.0
"""Where Inspect sets none: a day."""
PYTHON = "/usr/bin/python3"
_WRITE = (
    "import os, sys\n"
    "path, append = sys.argv[1], sys.argv[2]\n"
    "try:\n"
    "    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)\n"
    "    with open(path, append) as file:\n"
    "        while piece := sys.stdin.buffer.read(1 << 20): file.write(piece)\n"
    "except OSError as error:\n"
    "    sys.stderr.write(error.strerror or ''); sys.exit(100 + (error.errno or 5))\n"
)
_MAX_CONFIGURATION_BYTES = 2**16


def _require_inspect() -> Any:
    try:
        return importlib.import_module("inspect_ai.util")
    except ModuleNotFoundError:
        raise MissingExtra("inspect-ai", "inspect") from None


_inspect: Any = _require_inspect()
_pydantic: Any = importlib.import_module("pydantic")


class Configuration(_pydantic.BaseModel):  # type: ignore[misc]
    """What a task may ask for. Sizes in MiB; a field that is absent is as the box has it by default."""

    model_config = _pydantic.ConfigDict(extra="forbid", frozen=True)

    provider: str = "auto"
    at_least: Level = "C2"
    uid: int | None = None
    memory_mib: int = 2048
    pids: int = 256
    cpus: float = 1.0
    disk_mib: int = 512

    def spec(self) -> BoxSpec:
        """The box that it asks for; output is what Inspect allows."""
        return BoxSpec(
            provider=self.provider,
            at_least=self.at_least,
            uid=self.uid,
            limits=Limits(
                memory=self.memory_mib * 2**20,
                pids=self.pids,
                cpus=self.cpus,
                disk=self.disk_mib * 2**20,
                output=int(_inspect.SandboxEnvironmentLimits.MAX_EXEC_OUTPUT_SIZE),
            ),
        )


def read_configuration(config: object) -> Configuration:
    """The configuration in any form that Inspect hands down. Raises MalformedInput for what is none."""
    if config is None:
        return Configuration()
    if isinstance(config, Configuration):
        return config
    where = "sandbox configuration"
    if isinstance(config, str):
        from verilabel.records.strict_yaml import load_strict_yaml

        where = config
        config = load_strict_yaml(Path(config).read_bytes(), where=where, max_bytes=_MAX_CONFIGURATION_BYTES)
    if not isinstance(config, Mapping):
        raise MalformedInput("not a mapping", where=where)
    try:
        return Configuration(**config)
    except _pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise MalformedInput(str(first["msg"]), where=f"{where}: $.{place}") from None


@_inspect.sandboxenv(name="verilabel")
class BoxSandbox(_inspect.SandboxEnvironment):  # type: ignore[misc]
    """One open box as Inspect sees it. Its files lie in the box; nothing of them is touched from outside."""

    def __init__(self, box: Box) -> None:
        super().__init__()
        self.box = box

    @classmethod
    async def sample_init(
        cls, task_name: str, config: object, metadata: dict[str, str]
    ) -> dict[str, BoxSandbox]:
        """Open the box of one sample. Raises SandboxError where there can be none."""
        del task_name, metadata
        return {"default": cls(await _open_box(read_configuration(config).spec()))}

    @classmethod
    async def sample_cleanup(
        cls, task_name: str, config: object, environments: dict[str, BoxSandbox], interrupted: bool
    ) -> None:
        """Close the boxes of one sample, whether it came to its end or not."""
        del task_name, config, interrupted
        for environment in environments.values():
            await environment.box.close()

    @classmethod
    def config_deserialize(cls, config: dict[str, Any]) -> Configuration:
        """The configuration from a log."""
        return read_configuration(config)

    async def exec(
        self,
        cmd: list[str],
        input: str | bytes | None = None,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        user: str | None = None,
        timeout: int | None = None,  # noqa: ASYNC109  (it is Inspect's interface)
        timeout_retry: bool = True,
        concurrency: bool = True,
    ) -> Any:
        """Run a program to its end. Raises as Inspect's interface says; output beyond its limit is an error."""
        del (
            timeout_retry,
            concurrency,
        )  # a program is never run twice: the second would find what the first left
        if user is not None:
            raise _inspect.SandboxUserUnsupportedError(
                f"a box has one user of its own; nothing can run as {user!r} in it"
            )
        done = await self._run(
            cmd, _bytes(input), cwd, env or {}, NO_TIMEOUT_S if timeout is None else timeout
        )
        if done.timed_out:
            raise TimeoutError(f"the command did not end within {timeout} seconds")
        stdout, stderr = (_text(stream) for stream in (done.stdout, done.stderr))
        if done.exit_status == 126 and "permission denied" in stderr.lower():
            raise PermissionError(f"not permitted to run {cmd[0]!r}: {stderr.strip()}")
        if done.stdout_total > len(done.stdout) or done.stderr_total > len(done.stderr):
            limit = _inspect.SandboxEnvironmentLimits.MAX_EXEC_OUTPUT_SIZE_STR
            raise _inspect.OutputLimitExceededError(limit, stdout + stderr)
        returncode = done.exit_status if done.exit_status >= 0 else 128 - done.exit_status
        return _inspect.ExecResult(returncode == 0, returncode, stdout, stderr)

    async def _run(
        self,
        argv: Sequence[str],
        stdin: bytes,
        cwd: str | None,
        env: Mapping[str, str],
        timeout_s: float,
    ) -> ExecResult:
        try:
            return await self.box.exec(argv, stdin=stdin, timeout_s=timeout_s, env=env, cwd=cwd)
        except SandboxError as error:
            raise _inspect.SandboxUnavailableError(str(error)) from error

    async def write_file(self, file: str, contents: str | bytes) -> None:
        """Write a file by a program in the box. Raises PermissionError, IsADirectoryError, OSError."""
        done = await self._run(
            [PYTHON, "-I", "-S", "-c", _WRITE, file, "wb"], _bytes(contents), None, {}, NO_TIMEOUT_S
        )
        if done.exit_status != 0 and done.limit_hit:
            raise _limit_reached(done.limit_hit)
        if done.exit_status > 100:
            number = done.exit_status - 100
            if number in (errno.ENOSPC, errno.EFBIG):
                raise _limit_reached("disk")
            raise OSError(number, os.strerror(number), file)  # which becomes the class of its number
        if done.exit_status != 0:
            raise _inspect.SandboxUnavailableError(f"writing {file!r} ended with {_ending(done)}")

    async def read_file(self, file: str, text: bool = True) -> Any:
        """A file's content, as text or bytes. Raises as Inspect's interface says."""
        limits = _inspect.SandboxEnvironmentLimits
        try:
            data = await self.box.read_file(file, max_bytes=int(limits.MAX_READ_FILE_SIZE))
        except LimitExceeded:
            raise _inspect.OutputLimitExceededError(limits.MAX_READ_FILE_SIZE_STR, None) from None
        except OSError as error:
            _raise_named(error, file)
        except BoxExhausted as error:
            raise _limit_reached(error.limit) from None
        except SandboxError as error:
            raise _inspect.SandboxUnavailableError(str(error)) from error
        return data.decode("utf-8") if text else data


async def _open_box(spec: BoxSpec) -> Box:
    from verilabel.sandbox.opening import open_box

    return await open_box(spec)


def _limit_reached(limit: str) -> Exception:
    """What Inspect tells the model of a limit that its own programs reached: no fault of the sandbox."""
    error: Exception = _inspect.OutputLimitExceededError(f"the sandbox's {limit}", None)
    return error


def _raise_named(error: OSError, file: str) -> NoReturn:
    """The same error with the file's name in its message."""
    number = error.errno or {FileNotFoundError: 2, PermissionError: 13, IsADirectoryError: 21}.get(
        type(error), 5
    )
    raise OSError(number, os.strerror(number), file) from error


def _bytes(content: str | bytes | None) -> bytes:
    return content.encode("utf-8") if isinstance(content, str) else content or b""


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _ending(done: ExecResult) -> str:
    if done.exit_status < 0:
        return f"signal {signal.Signals(-done.exit_status).name}"
    return f"status {done.exit_status}"
