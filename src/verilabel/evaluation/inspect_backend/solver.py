"""Answers the samples of a task of Inspect: Inspect runs them, when and as often as this engine asks.

1. The first question starts one process, which loads the task and says what it is; it must be what the suite pins.
2. Each question releases one (sample, epoch), which Inspect holds back until then.
3. Inspect's record of the sample comes back whole and becomes the response.
4. A sample that is asked again, after a failure, is run by a further process: Inspect runs a sample once in a run.
5. Closing stops what still waits, lets Inspect take its sandboxes down, and ends the processes.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from verilabel.errors import SandboxError, UsageError
from verilabel.evaluation.inspect_backend.record import (
    as_pairs,
    encode_request,
    messages_of,
    read_response,
    system_of,
    task_params,
)
from verilabel.evaluation.inspect_backend.suite import (
    check_described,
    hear_description,
    reference_for,
    task_of,
)
from verilabel.models.inspect_model import InspectModelChoice
from verilabel.models.inspect_process import (
    MAX_BODY_BYTES,
    Conversation,
    InspectProcess,
    Told,
    find_inspect_python,
)
from verilabel.models.interface import Exchange, ModelRequest, Stopwatch
from verilabel.records.attempt import Failure
from verilabel.suites.loading import Suite

MAX_RETRIES = 3
"""How often Inspect asks a model again within a sample; each is counted in the record of its call."""
SAMPLE_S = 7200.0
"""Seconds that one sample may take, where nobody says otherwise."""
BEGIN_S = 900.0
"""Seconds that Inspect may take until its first sample can run."""


class InspectSolver:
    """A solver (`evaluation.agents.interface.Solver`) for one suite that is a task of Inspect.

    `choice` is the model as Inspect opens it, `roles` further models by role (graders). `connections` bounds the calls
    of the model in flight. `timeout_s` are the seconds for one call with its retries, `sample_timeout_s` those for a
    whole sample. `max_sample_bytes` bounds the record of one sample. Without `allow_network` the libraries of Hugging
    Face are told to fetch nothing.
    """

    def __init__(
        self,
        suite: Suite,
        choice: InspectModelChoice,
        *,
        python: str | None = None,
        roles: Mapping[str, InspectModelChoice] | None = None,
        connections: int = 20,
        epochs: int = 1,
        timeout_s: float | None = None,
        sample_timeout_s: float = SAMPLE_S,
        max_retries: int = MAX_RETRIES,
        max_sample_bytes: int = MAX_BODY_BYTES,
        allow_network: bool = False,
    ) -> None:
        self.suite = suite.name
        self._suite = suite
        self._task = task_of(suite.manifest)
        self._samples = {sample.id: sample for sample in suite.samples}
        self._digests = {entry.id: entry.sha256 for entry in suite.entries}
        self._choice = choice
        self._roles = dict(roles or {})
        self._python = find_inspect_python(python)
        self._connections = connections
        self._epochs = epochs
        self._timeout_s = timeout_s
        self._sample_timeout_s = sample_timeout_s
        self._max_retries = max_retries
        self._max_sample_bytes = min(max_sample_bytes, MAX_BODY_BYTES)
        self._allow_network = allow_network
        self._runs: dict[tuple[int, int], asyncio.Task[Conversation]] = {}
        self._retired: list[asyncio.Task[Conversation]] = []
        self._tries: Counter[tuple[str, int]] = Counter()
        self._is_open = False

    async def __aenter__(self) -> Self:
        """Nothing is started before the first question, which says the parameters."""
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        runs, self._runs, self._retired = [*self._runs.values(), *self._retired], {}, []
        for run in runs:
            if not run.done():
                run.cancel()
        begun = await asyncio.gather(*runs, return_exceptions=True)
        await asyncio.gather(*(run.close() for run in begun if isinstance(run, Conversation)))

    async def solve(self, request: ModelRequest) -> Exchange:
        """Run one sample. Its failure is a value.

        Raises what ends a run: UsageError for a task or parameter that Inspect does not take, SealError where the task
        is not the one that the suite pins, ModelError where the model cannot be opened, SandboxError where Inspect
        fails.
        """
        if not self._is_open:
            raise UsageError("open the solver with `async with` before asking it")
        sample = self._samples[request.sample]
        body = encode_request(
            self._task, sample, self._digests[sample.id], request, self._choice.provider_model
        )
        key = (request.sample, request.epoch)
        tries, self._tries[key] = self._tries[key], self._tries[key] + 1
        place = (tries, max(self._epochs, request.epoch))
        run = self._run_for(place, request)
        conversation = await asyncio.shield(run)
        watch = Stopwatch()
        try:
            async with asyncio.timeout(self._sample_timeout_s):
                told = await conversation.ask({"sample": request.sample, "epoch": request.epoch})
        except TimeoutError:
            self._retire(place, run)
            late = Failure("timeout", f"the sample took more than {self._sample_timeout_s:g} s")
            return _fail(body, b"", late, watch)
        return self._read(body, told, watch, request)

    def _run_for(self, place: tuple[int, int], request: ModelRequest) -> asyncio.Task[Conversation]:
        """The run for the next try of a sample: one run asks each (sample, epoch) once."""
        run = self._runs.get(place)
        if run is None:
            run = self._runs[place] = asyncio.create_task(self._begin(request, place[1]))
        return run

    def _retire(self, place: tuple[int, int], run: asyncio.Task[Conversation]) -> None:
        """Ask nothing more of a run that may hang as a whole; what it still works on keeps its own time."""
        if self._runs.get(place) is run:
            self._retired.append(self._runs.pop(place))

    async def _begin(self, request: ModelRequest, epochs: int) -> Conversation:
        asked = reference_for(self._suite)
        command: dict[str, Any] = {
            "command": "run",
            "task": asked.task,
            "args": {key: json.loads(value) for key, value in asked.args.items()},
            "model": self._choice.as_command(),
            "roles": {role: choice.as_command() for role, choice in self._roles.items()},
            "params": task_params(request),
            "system": system_of(self._samples[request.sample], request),
            "epochs": epochs,
            "connections": self._connections,
            "max_retries": self._max_retries,
            "timeout_s": math.ceil(self._timeout_s) if self._timeout_s else None,
            "max_bytes": self._max_sample_bytes,
        }
        secrets = {
            k: v for choice in (self._choice, *self._roles.values()) for k, v in choice.secrets.items()
        }
        child = await InspectProcess.start(
            self._python, command, secrets=secrets, allow_network=self._allow_network
        )
        try:
            async with asyncio.timeout(BEGIN_S):
                check_described(self._suite.manifest, await hear_description(child), where=self.suite)
                while (await child.hear()).head.kind != "ready":
                    pass
        except TimeoutError as error:
            await child.close()
            raise SandboxError(f"Inspect was not ready within {BEGIN_S:g} s", where=self.suite) from error
        except BaseException:
            await child.close()
            raise
        return Conversation(child)

    def _read(self, body: bytes, told: Told, watch: Stopwatch, request: ModelRequest) -> Exchange:
        response = told.body or b""
        if told.head.kind != "answer":
            kind = "too_large" if told.head.kind == "too_large" else "malformed"
            what = f"of {told.head.bytes} bytes" if kind == "too_large" else "that cannot be written down"
            return _fail(body, b"", Failure(kind, f"Inspect's record of the sample is one {what}"), watch)
        if any(choice.is_repeated_in(response) for choice in (self._choice, *self._roles.values())):
            return _fail(
                body, b"", Failure("malformed", "the record repeats a secret, and is not kept"), watch
            )
        said, record = read_response(body, response)
        if isinstance(said, Failure):
            return _fail(body, response, said, watch)
        assert record is not None, "what was read has a record"
        if messages_of(record) != as_pairs(self._samples[request.sample].messages):
            other = Failure("malformed", "the record does not begin with the sample's messages")
            return _fail(body, response, other, watch)
        return Exchange(
            request=body,
            response=response,
            output=said.output,
            finish=said.finish,
            served_model=said.served_model,
            usage=said.usage,
            started_us=watch.started_us,
            elapsed_us=watch.elapsed_us,
        )


def _fail(body: bytes, response: bytes, failure: Failure, watch: Stopwatch) -> Exchange:
    return Exchange(
        request=body,
        response=response,
        failure=failure,
        started_us=watch.started_us,
        elapsed_us=watch.elapsed_us,
    )
