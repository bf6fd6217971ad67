"""Executors by the words that people use for them."""

from __future__ import annotations

from verilabel.audit.engine.interface import Executor
from verilabel.audit.engine.local import LocalExecutor, usable_cores
from verilabel.errors import UsageError


def open_executor(engine: str = "local", workers: int | None = None) -> Executor:
    """The executor that a word names: `local`, `ray` for Ray on this machine, `ray://HOST:PORT` for a cluster.

    `ray:HOST:PORT` is a cluster by the address of its head, for drivers on one of its nodes. Raises UsageError for
    another word, or a cluster that cannot be reached, and MissingExtra where Ray is not installed.
    """
    if workers is not None and workers < 1:
        raise UsageError("less than one worker", where="workers")
    if engine == "local":
        return LocalExecutor(workers or usable_cores())
    if engine == "ray" or engine.startswith("ray:"):
        from verilabel.audit.engine.ray_cluster import RayExecutor

        address = None if engine == "ray" else engine if engine.startswith("ray://") else engine[4:]
        return RayExecutor(address, workers)
    raise UsageError(f"no engine {engine!r}", where="engine", hint="local, ray, or ray://HOST:PORT")
