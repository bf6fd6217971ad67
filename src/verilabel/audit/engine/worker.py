"""A local worker: a process that is told tasks on its standard input, a line each, and answers on its standard output.

It ends at once when its driver is gone.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import BinaryIO

import msgspec

from verilabel.audit.engine.interface import Advance, Task
from verilabel.errors import VerilabelError


class Order(msgspec.Struct, frozen=True):
    """What a worker is told."""

    place: int
    work: str
    task: Task


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a worker says: how far it has come, or how it ended, with a result or an error of the tree."""

    place: int
    advance: Advance | None = None
    result: str = ""
    """JSON of the outcome."""
    error: Trouble | None = None


class Trouble(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error of the tree, or of the system, on its way to the driver."""

    code: str
    message: str
    where: str | None = None
    hint: str | None = None
    errno: int | None = None


def trouble_of(error: BaseException) -> Trouble:
    """What is said of an error. Errors that are not of the tree are named by their type, without their words."""
    if isinstance(error, VerilabelError):
        return Trouble(error.code, error.message, error.where, error.hint)
    if isinstance(error, OSError):
        where = None if error.filename is None else str(error.filename)
        return Trouble("OSError", error.strerror or type(error).__name__, where, None, error.errno)
    place = ""
    trace = error.__traceback__
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return Trouble("Fault", f"{type(error).__name__} at {place}")


def serve(orders: BinaryIO, answers: BinaryIO) -> None:
    """Do what is ordered until there are no more orders."""
    from verilabel.audit.engine.tasks import carry_out

    waiting: queue.SimpleQueue[Order] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders, waiting), daemon=True).start()

    def say(answer: Answer) -> None:
        answers.write(msgspec.json.encode(answer) + b"\n")
        answers.flush()

    while True:
        order = waiting.get()
        try:
            outcome = carry_out(order.work, order.task, partial(_say_advance, say, order.place))
            say(Answer(order.place, result=msgspec.json.encode(outcome).decode()))
        except Exception as error:  # every error is told to the driver, which decides
            say(Answer(order.place, error=trouble_of(error)))


def _say_advance(say: Callable[[Answer], None], place: int, advance: Advance) -> None:
    say(Answer(place, advance))


def _listen(orders: BinaryIO, waiting: queue.SimpleQueue[Order]) -> None:
    for line in orders:
        waiting.put(msgspec.json.decode(line, type=Order))
    os._exit(0)  # the driver is gone, or wants no more: whatever is half done is done again


class _NoPandas:
    """Keeps pandas out of this process: pyarrow loads it, where there is one, to ask whether an array is one of its.

    None is, and the answer would cost every worker 0.3 s and 40 MB.
    """

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Refuse that one name."""
        del path, target
        if name == "pandas":
            raise ModuleNotFoundError("a worker has no use for pandas", name=name)


def main() -> None:
    """Take standard output for answers alone, and serve."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    sys.meta_path.insert(0, _NoPandas())
    import pyarrow as pa

    pa.set_cpu_count(1)
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
