"""Asking a model on behalf of a guard: few at once, few in line, under a time-out, each failure a GuardError."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from verilabel.errors import MalformedInput
from verilabel.gateway.guards.interface import GuardError
from verilabel.models.interface import Model, ModelRequest
from verilabel.records.sample import Message
from verilabel.records.system import Scalar

MAX_ASKED_CHARS = 100_000
"""A longer text is not sent to a model."""
MAX_SENT_CHARS = 200_000
"""Characters of all messages of a question: text, prompt and policy."""
MAX_REPLY_BYTES = 2**20


class ModelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which model is asked, and how. `model` is its name at `base_url` (an OpenAI-compatible server); the key comes
    from an environment variable or a private file. `concurrency` questions are asked at once, `waiting` more wait."""

    model: str
    base_url: str
    key_env: str | None = None
    key_file: str | None = None
    allow_insecure: bool = False
    concurrency: int = 16
    waiting: int = 256
    params: dict[str, str | int | bool] = {}

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise ValueError("model is empty")
        if not 1 <= self.concurrency <= 1_000 or not 0 <= self.waiting <= 100_000:
            raise ValueError("concurrency is from 1 to 1000, waiting from 0 to 100000")


OpenModel = Callable[[ModelSettings, float], Model]
"""Opens the model that settings name, under a time-out in seconds; nothing is sent before it is entered."""


def open_http_model(folder: Path, environ: Mapping[str, str]) -> OpenModel:
    """Opens models over HTTP: key files beside the policy, key variables from `environ`."""

    def open_one(settings: ModelSettings, timeout_s: float) -> Model:
        from verilabel.models.address import open_model

        return open_model(
            f"openai/{settings.model}",
            base_url=settings.base_url,
            key_env=settings.key_env,
            key_file=None if settings.key_file is None else folder / settings.key_file,
            timeout_s=timeout_s,
            max_response_bytes=MAX_REPLY_BYTES,
            connections=settings.concurrency,
            allow_insecure=settings.allow_insecure,
            environ=environ,
        )

    return open_one


def check_model_settings(settings: ModelSettings, where: str) -> None:
    """Check the address. Raises MalformedInput with its place."""
    from verilabel.errors import VerilabelError
    from verilabel.models.endpoint import check_base_url

    has_key = settings.key_env is not None or settings.key_file is not None
    if settings.key_env is not None and settings.key_file is not None:
        raise MalformedInput("give key_env or key_file, not both", where=where)
    try:
        check_base_url(settings.base_url, has_key=has_key, allow_insecure=settings.allow_insecure)
    except VerilabelError as error:
        raise MalformedInput(error.message, where=f"{where}.base_url", hint=error.hint) from error


class Asker:
    """One model that is asked. Open it before asking."""

    def __init__(self, settings: ModelSettings, open_one: OpenModel, timeout_s: float) -> None:
        self._settings = settings
        self._open_one = open_one
        self._timeout_s = timeout_s
        self._model: Model | None = None
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._in_line = 0

    async def open(self) -> None:
        """Make the connection pool. Raises ModelError, PolicyError, UsageError or MissingExtra."""
        model = self._open_one(self._settings, self._timeout_s)
        await model.__aenter__()
        self._model = model

    async def close(self) -> None:
        """Close the connections."""
        model, self._model = self._model, None
        if model is not None:
            await model.__aexit__(None, None, None)

    async def ask(self, messages: tuple[Message, ...], params: Mapping[str, Scalar]) -> str:
        """The reply. Raises GuardError where there is none, the line is full, or the text too long to send."""
        if self._model is None:
            raise GuardError("the guard is not open")
        if sum(len(message.content) for message in messages) > MAX_SENT_CHARS:
            raise GuardError("the text is longer than is sent to a model")
        if self._in_line >= self._settings.concurrency + self._settings.waiting:
            raise GuardError("too many questions wait for the guard's model")
        self._in_line += 1
        try:
            async with self._slots:
                exchange = await self._model.ask(
                    ModelRequest("guard", "live", 1, messages, {**params, **self._settings.params})
                )
        finally:
            self._in_line -= 1
        if exchange.failure is not None or exchange.output is None:
            kind = "no reply" if exchange.failure is None else exchange.failure.kind
            raise GuardError(f"the guard's model failed: {kind}")
        return exchange.output


def well_formed(text: str) -> str:
    """The text with lone surrogates replaced: they cannot be sent."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
