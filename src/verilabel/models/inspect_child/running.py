"""Runs a task of Inspect whose samples wait until the parent asks for them, and sends each whole sample back.

Every sample is started by Inspect and held by its early-stopping hook, which is awaited inside the sample's slot; so
there are as many slots as samples, and how many work at once is the parent's choice. When the parent is done, those
that still wait are stopped early.
"""

from __future__ import annotations

import importlib
import json
import threading
from typing import Any

from .describing import load_task, send_facts
from .opening import open_model, read_config
from .pipe import Pipe, one_line

Key = tuple[str, int]
"""A sample's id and its epoch."""


class Desk:
    """Who asked for which sample: the parent's questions come on a thread, the samples wait on the event loop."""

    def __init__(self, pipe: Pipe, max_bytes: int, condense: Any) -> None:
        self._pipe = pipe
        self._max_bytes = max_bytes
        self._condense = condense
        self._loop: Any = None
        self._asked: dict[Key, int] = {}
        self._waiting: dict[Key, Any] = {}
        self._lock = threading.Lock()
        self._is_done = False

    def open(self) -> None:
        """Begin to read questions; called on the event loop of the run."""
        asyncio = importlib.import_module("asyncio")
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, daemon=True).start()
        self._pipe.write({"kind": "ready"})

    async def wait(self, key: Key) -> bool:
        """Wait until the parent asks for this sample; False where it is done without."""
        with self._lock:
            if self._is_done or key in self._asked:
                return not self._is_done
            future = self._waiting[key] = self._loop.create_future()
        return bool(await future)

    def deliver(self, sample: Any) -> None:
        """Send a finished sample to the parent that asked for it."""
        with self._lock:
            number = self._asked.pop((str(sample.id), sample.epoch), None)
        if number is None:
            return
        try:
            body = encode_sample(self._condense(sample))
        except Exception as error:
            self._pipe.write({"id": number, "kind": "unreadable", "message": type(error).__name__})
            return
        if len(body) > self._max_bytes:
            self._pipe.write({"id": number, "kind": "too_large", "bytes": len(body)})
        else:
            self._pipe.write({"id": number, "kind": "answer"}, body)

    def _read(self) -> None:
        while (question := self._pipe.read()) is not None:
            if question.get("end"):
                self._loop.call_soon_threadsafe(self._stop)
            else:
                self._loop.call_soon_threadsafe(self._start, question)
        self._pipe.end_at_once()

    def _start(self, question: dict[str, Any]) -> None:
        key = (str(question["sample"]), int(question["epoch"]))
        with self._lock:
            self._asked[key] = question["id"]
            future = self._waiting.pop(key, None)
        if future is not None and not future.done():
            future.set_result(True)

    def _stop(self) -> None:
        with self._lock:
            self._is_done = True
            waiting, self._waiting = list(self._waiting.values()), {}
        for future in waiting:
            if not future.done():
                future.set_result(False)


class Stopping:
    """Inspect's early-stopping protocol: a sample is scheduled when the parent asks for it."""

    def __init__(self, desk: Desk, early_stop: Any) -> None:
        self._desk = desk
        self._early_stop = early_stop

    async def start_task(self, task: Any, samples: list[Any], epochs: int) -> str:
        """Open the desk: the run's event loop is there now."""
        del task, samples, epochs
        self._desk.open()
        return "verilabel"

    async def schedule_sample(self, id: str | int, epoch: int) -> Any:
        """Hold the sample until it is asked for, or stop it."""
        if await self._desk.wait((str(id), epoch)):
            return None
        return self._early_stop(id=id, epoch=epoch, reason="the label needs no more samples")

    async def complete_sample(self, id: str | int, epoch: int, scores: Any) -> None:
        """Nothing: the whole sample comes by the hook."""
        del id, epoch, scores

    async def complete_task(self) -> dict[str, Any]:
        """Nothing to add to Inspect's own log, which is thrown away."""
        return {}


def run_task(pipe: Pipe, command: dict[str, Any]) -> None:
    """Load the task, send its facts, and evaluate it under the parent's order until the parent is done."""
    inspect_ai = importlib.import_module("inspect_ai")
    task = load_task(command)
    send_facts(pipe, task, command)
    model = open_model(command["model"], {"max_connections": command["connections"]})
    roles = {role: open_model(choice, {}) for role, choice in command["roles"].items()}
    desk = Desk(pipe, command["max_bytes"], importlib.import_module("inspect_ai.log").condense_sample)
    _hook_samples(desk)
    stopping = Stopping(desk, importlib.import_module("inspect_ai.util").EarlyStop)
    logs = inspect_ai.eval(
        inspect_ai.task_with(task, early_stopping=stopping),
        model=model,
        model_roles=roles or None,
        epochs=command["epochs"],
        max_samples=len(task.dataset) * command["epochs"] + 1,
        fail_on_error=False,
        retry_on_error=0,
        log_dir=command["log_dir"],
        log_model_api=True,
        log_samples=True,
        log_realtime=False,
        log_level="error",
        display="none",
        score_display=False,
        ctl_server=False,
        acp_server=False,
        max_retries=command["max_retries"],
        **({"timeout": command["timeout_s"]} if command.get("timeout_s") else {}),
        **read_config(command["params"]),
        **({"system_message": command["system"]} if command.get("system") is not None else {}),
    )
    for log in logs:
        if log.status != "success":
            message = log.error.message if log.error is not None else log.status
            pipe.write({"kind": "error", "about": "run", "message": one_line(message)})


def _hook_samples(desk: Desk) -> None:
    hooks = importlib.import_module("inspect_ai.hooks")

    async def on_sample_end(self: Any, data: Any) -> None:
        del self
        desk.deliver(data.sample)

    kind = type("SampleSender", (hooks.Hooks,), {"on_sample_end": on_sample_end})
    hooks.hooks(
        name="verilabel_samples", description="sends every finished sample to the program that asked"
    )(kind)


def encode_sample(sample: Any) -> bytes:
    """A sample as one line of strict JSON, as Inspect's own log has it, but for two things that JSON has not.

    Inspect writes NaN for what is unscored, and here it is null; an object in the metadata is named by its type.
    """
    pydantic = importlib.import_module("pydantic_core")
    data = bytes(
        pydantic.to_json(
            sample,
            exclude_none=True,
            inf_nan_mode="null",
            fallback=lambda value: f"a {type(value).__name__}",
        )
    )
    if b"NaN" in data or b"Infinity" in data:  # a model's own settings go before ours
        value = json.loads(data, parse_constant=lambda _: None)
        data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return data
