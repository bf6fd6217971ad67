"""What every model is to the engine: asked with a `ModelRequest`, it gives an `Exchange`, never an error."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import msgspec

from verilabel.records.attempt import Failure, Usage
from verilabel.records.sample import Message
from verilabel.records.system import Identity, Scalar


class ModelRequest(msgspec.Struct, frozen=True):
    """One question to the model under test, or to a judge.

    `suite` is `id@version`; `params` are merged already, with decimals as strings (`{"temperature": "0.7"}`);
    a dotted key nests (`reasoning.effort`).
    """

    suite: str
    sample: str
    epoch: int
    messages: tuple[Message, ...]
    params: dict[str, Scalar]

    @property
    def prompt(self) -> str:
        """The last user turn."""
        return next((m.content for m in reversed(self.messages) if m.role == "user"), "")


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One request and what came of it. Exactly one of `output` and `failure` is set.

    `request` and `response` are the exact bytes; `headers` are the allow-listed response headers in lower
    case; `retry_after_s` is the wait in seconds the provider asked for.
    """

    request: bytes
    status: int | None = None
    response: bytes = b""
    headers: dict[str, str] = {}
    output: str | None = None
    finish: str | None = None
    served_model: str | None = None
    fingerprint: str | None = None
    usage: Usage | None = None
    failure: Failure | None = None
    started_us: int
    """Microseconds since 1970-01-01 UTC."""
    elapsed_us: int
    retry_after_s: float | None = None

    def __post_init__(self) -> None:
        assert (self.output is None) != (self.failure is None), "an exchange is an answer or a failure"


@runtime_checkable
class Model(Protocol):
    """A model that can be asked. Open it with `async with`, ask it from one event loop.

    `fixed_outcomes` is True where asking again must give the same answer; `weights` is the digest of the
    weights where they are at hand; `max_concurrency` bounds the questions in flight (None: no bound of its
    own); `notes` are sentences for people: what was guessed, or is worth knowing before a run.
    """

    @property
    def address(self) -> str: ...
    @property
    def identity(self) -> Identity: ...
    @property
    def provider_model(self) -> str: ...
    @property
    def fixed_outcomes(self) -> bool: ...
    @property
    def weights(self) -> str | None: ...
    @property
    def base_url(self) -> str | None: ...
    @property
    def max_concurrency(self) -> int | None: ...
    @property
    def notes(self) -> tuple[str, ...]: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    async def ask(self, request: ModelRequest) -> Exchange:
        """Ask once. A provider's failure is a value; only misuse (a bad parameter) raises UsageError."""
        ...


class Stopwatch:
    """When an exchange started and how long it has taken, in microseconds."""

    __slots__ = ("_begin_ns", "started_us")

    def __init__(self) -> None:
        self.started_us = time.time_ns() // 1000
        self._begin_ns = time.perf_counter_ns()

    @property
    def elapsed_us(self) -> int:
        """Microseconds since the start, by a clock that never steps back."""
        return (time.perf_counter_ns() - self._begin_ns) // 1000


class PlainRequest(msgspec.Struct, frozen=True):
    """The request body of models that have no wire of their own: recorded, simulated, in process."""

    model: str
    messages: tuple[Message, ...]
    params: dict[str, Scalar]


class PlainResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """The response body of models that have no wire of their own."""

    output: str
    model: str | None = None
    row: int | None = None
    """Row of the recorded answer in its file, the first being 1."""
