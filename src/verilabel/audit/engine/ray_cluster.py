"""Workers of a Ray cluster: each task is a core task of Ray's, which survives workers and nodes that die.

All nodes must reach the inputs and the work folder under the same paths (a shared file system), and have one version of
this package. Ray moves nothing but the tasks' own few bytes.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from verilabel.audit.engine.interface import Advance, Mapped, Outcome, Report, Task
from verilabel.audit.engine.local import ONE_CORE, error_of
from verilabel.audit.engine.worker import Trouble, trouble_of
from verilabel.errors import MissingExtra, SandboxError, UsageError

MAX_RETRIES = 3
"""How often Ray gives the task of a dead worker to another."""
_POLL_S = 1.0
REACH_S = 10.0


def carry_out_remotely(work: str, task: bytes) -> tuple[bytes, bytes]:
    """In a worker of Ray's: do a task. Gives the result, or else the error; one of both is empty."""
    from verilabel.audit.engine.tasks import carry_out

    try:
        outcome = carry_out(work, msgspec.json.decode(task, type=Task), _stay_silent)
        return msgspec.json.encode(outcome), b""
    except Exception as error:  # every error is told to the driver, which decides
        return b"", msgspec.json.encode(trouble_of(error))


def _stay_silent(advance: Advance) -> None:
    """Ray's workers say nothing before they are done."""
    del advance


class RayExecutor:
    """An executor on Ray: on a cluster at an address, or on one of its own on this machine."""

    def __init__(self, address: str | None, workers: int | None) -> None:
        try:
            import ray
        except ImportError as error:
            raise MissingExtra("ray", "ray") from error
        self._ray: Any = ray
        self._owned = not ray.is_initialized()
        if self._owned:
            _connect(ray, address, workers)
        cores = int(ray.cluster_resources().get("CPU", 1))
        self._at_once = cores if workers is None else min(workers, cores)
        options: dict[str, Any] = {
            "num_cpus": 1,
            "max_retries": MAX_RETRIES,
        }
        if (
            address is not None or not self._owned
        ):  # processes of our own have it from us, without an environment's cost
            options["runtime_env"] = {"env_vars": ONE_CORE}
        self._task = ray.remote(**options)(carry_out_remotely)

    @property
    def name(self) -> str:
        """What runs, in words."""
        return f"Ray with {self._at_once} worker{'s' * (self._at_once > 1)}"

    async def run(self, work: str, tasks: Sequence[Task], report: Report) -> AsyncIterator[tuple[int, bytes]]:
        """As the interface says; what Ray's workers do is seen when a task is done."""
        left = iter(enumerate(tasks))
        running: dict[Any, int] = {}
        try:
            while True:
                while len(running) < 2 * self._at_once and (following := next(left, None)) is not None:
                    place, task = following
                    running[self._task.remote(work, msgspec.json.encode(task))] = place
                if not running:
                    return
                done, _ = await asyncio.to_thread(
                    self._ray.wait, list(running), num_returns=1, timeout=_POLL_S
                )
                for reference in done:
                    place = running.pop(reference)
                    yield place, await asyncio.to_thread(self._result_of, reference, report)
        finally:
            for reference in running:
                self._ray.cancel(reference, force=True)

    def _result_of(self, reference: Any, report: Report) -> bytes:
        try:
            result, trouble = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            raise SandboxError(
                "Ray could not carry out a task",
                where=type(error).__name__,
                hint="the same command continues; `ray status` shows the cluster",
            ) from None
        if trouble:
            raise error_of(msgspec.json.decode(trouble, type=Trouble))
        outcome = msgspec.json.decode(result, type=Outcome)
        if isinstance(outcome, Mapped) and not outcome.is_reused:
            report(Advance(outcome.text_bytes, outcome.read, outcome.findings))
        return bytes(result)

    async def close(self) -> None:
        """Leave the cluster; one of our own ends."""
        if self._owned:
            await asyncio.to_thread(self._ray.shutdown)


def _connect(ray: Any, address: str | None, workers: int | None) -> None:
    import os

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address is None:
        options |= {"num_cpus": workers, "include_dashboard": False, "address": "local"}
    else:
        _check_reachable(address)
        options["address"] = address
    before = {name: os.environ.get(name) for name in ONE_CORE}
    os.environ |= ONE_CORE if address is None else {}
    try:
        ray.init(**options)
    except (ConnectionError, ValueError, RuntimeError, ImportError) as error:
        raise _unreachable(address) from error
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _check_reachable(address: str) -> None:
    """Ray itself waits for minutes for a cluster that is not there."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH_S).close()
    except (OSError, ValueError) as error:
        raise _unreachable(address) from error


def _unreachable(address: str | None) -> UsageError:
    hint = "ray start --head, then its HOST:PORT; or --engine ray for a cluster here"
    return UsageError("there is no Ray cluster to be reached", where=address, hint=hint)
