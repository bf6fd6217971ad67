"""Models that Inspect AI speaks to: `inspect/PROVIDER/NAME` for any suite, and addresses as Inspect's tasks need them.

A question is one call of the provider's own code in Inspect, made in another process; the response body holds the text,
and under `call` the bodies of that call as Inspect logs them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from verilabel.errors import ModelError, SandboxError, UsageError, VerilabelError
from verilabel.models.dialects.dialect import DECODE_ERRORS, empty, filtered
from verilabel.models.endpoint import check_base_url
from verilabel.models.inspect_process import (
    MAX_BODY_BYTES,
    Conversation,
    InspectProcess,
    Told,
    find_inspect_python,
)
from verilabel.models.interface import Exchange, ModelRequest, PlainRequest, PlainResponse, Stopwatch
from verilabel.models.keys import ApiKey, find_key
from verilabel.records.attempt import Failure, Usage
from verilabel.records.system import Identity

PREFIX = "inspect/"
SCRIPTED = "scripted:"
SCRIPTS = ("oracle", "random", "null", "refusing", "hijacked")
"""Scripted agents that know Inspect's tasks (`models.inspect_child.scripts`)."""


class _Ours(msgspec.Struct, frozen=True):
    """A provider of this program's own: what it is called in Inspect, with which arguments, where, by which key."""

    name: str
    args: dict[str, Any] = {}
    url: str | None = None
    keys: tuple[str, ...] = ()


_OURS = {
    "openai": _Ours("openai", keys=("OPENAI_API_KEY",)),
    "openai-responses": _Ours("openai", {"responses_api": True}, keys=("OPENAI_API_KEY",)),
    "anthropic": _Ours("anthropic", keys=("ANTHROPIC_API_KEY",)),
    "google": _Ours("google", keys=("GOOGLE_API_KEY", "GEMINI_API_KEY")),
    "ollama": _Ours("openai", url="http://127.0.0.1:11434/v1"),
    "vllm": _Ours("openai", url="http://127.0.0.1:8000/v1"),
}
"""Local servers speak OpenAI's API in Inspect too: its own providers for them would start one."""
_RETRYING_CLIENTS = ("openai", "anthropic", "openai-api")
"""Providers whose client library asks again by itself unless it is told not to; Inspect leaves it at that."""
_VARIABLES = {
    "bedrock": ("AWS_",),
    "sagemaker": ("AWS_",),
    "vertex": ("GOOGLE_", "VERTEX_", "ANTHROPIC_VERTEX_"),
    "google": ("GOOGLE_", "GEMINI_"),
    "azureai": ("AZUREAI_", "AZURE_"),
    "grok": ("GROK_", "XAI_"),
    "hf": ("HF_",),
    "hf-inference-providers": ("HF_",),
    "cf": ("CLOUDFLARE_",),
}
"""How the variables of a provider begin, where that is not its own name."""
_HINT = (
    "inspect/PROVIDER/NAME, openai/NAME, anthropic/NAME, google/NAME, ollama/NAME, vllm/NAME, scripted:oracle"
)
NO_KEY = "none"
"""What is said to a server of the user's own that needs no key: providers' own code asks for one."""
_encoder = msgspec.json.Encoder()
_plain = msgspec.json.Decoder(PlainResponse)


class InspectModelChoice:
    """A model as Inspect opens it, and the secrets it needs, which stand in no repr and no record."""

    def __init__(
        self,
        address: str,
        *,
        provider_model: str = "",
        name: str = "",
        script: str = "",
        seed: str = "",
        base_url: str | None = None,
        args: Mapping[str, Any] | None = None,
        key: ApiKey | None = None,
        variables: Mapping[str, str] | None = None,
        answers: Mapping[str, str] | None = None,
    ) -> None:
        self.address = address
        self.provider_model = provider_model or address
        """What a descriptor calls the model (`models.interface.Model`)."""
        self.name = name
        self.script = script
        self.seed = seed
        self.base_url = base_url
        self._args = dict(args or {})
        self._key = key
        self._variables = dict(variables or {})
        self._answers = dict(answers) if answers is not None else None

    def __repr__(self) -> str:
        return f"InspectModelChoice({self.address!r})"

    @property
    def secrets(self) -> dict[str, str]:
        """Variables for the child alone, which go through its pipe."""
        return dict(self._variables)

    def as_command(self) -> dict[str, Any]:
        """What the child is told; it holds the key, so it is sent and never kept."""
        return {
            "name": self.name,
            "script": self.script,
            "seed": self.seed,
            "base_url": self.base_url,
            "api_key": self._key.reveal() if self._key is not None else NO_KEY if self.base_url else None,
            "args": self._args,
            "answers": self._answers,
        }

    def is_repeated_in(self, data: bytes) -> bool:
        """True if a secret of this model stands in the data."""
        keys = [self._key] if self._key is not None else []
        keys += [
            ApiKey(value, where=name)
            for name, value in self._variables.items()
            if len(value) >= 16 and value.isascii() and value.isprintable() and " " not in value
        ]
        return any(key.stands_in(data) for key in keys)


def choose_inspect_model(
    address: str,
    *,
    base_url: str | None = None,
    key_env: str | None = None,
    key_file: str | Path | None = None,
    allow_insecure: bool = False,
    environ: Mapping[str, str] | None = None,
) -> InspectModelChoice:
    """An address of ours as Inspect's: `openai/NAME`, `inspect/PROVIDER/NAME`, `scripted:oracle`.

    Raises UsageError for an address that means nothing to Inspect's tasks, ModelError where a key is not set,
    PolicyError where it would travel unencrypted.
    """
    if address.startswith(SCRIPTED):
        return _choose_script(address, given=bool(base_url or key_env or key_file))
    if address.startswith(PREFIX):
        provider, name, variables = _split_theirs(address, environ)
        ours = _Ours(provider)
    else:
        ours, name = _split_ours(address)
        variables = {}
    url = base_url or ours.url
    defaults = ours.keys if url is None else ()
    key = find_key(key_env=key_env, key_file=key_file, defaults=defaults, environ=environ)
    if defaults and key is None:
        raise ModelError("no API key", where=address, hint=f"set {' or '.join(defaults)}")
    args = {**ours.args, **({"max_retries": 0} if ours.name in _RETRYING_CLIENTS else {})}
    if url is not None:
        url = check_base_url(url, has_key=key is not None, allow_insecure=allow_insecure)
        if ours.name == "openai":
            args = {"responses_api": False, **args}
    return InspectModelChoice(
        address,
        provider_model=f"openai/{name}" if address.startswith("openai-responses/") else address,
        name=f"{ours.name}/{name}",
        base_url=url,
        args=args,
        key=key,
        variables=variables,
    )


def _choose_script(address: str, *, given: bool) -> InspectModelChoice:
    script, _, option = address.removeprefix(SCRIPTED).partition(",")
    seed = option.removeprefix("seed=")
    if script not in SCRIPTS or (option and (seed == option or not seed.isalnum())):
        raise UsageError("no such scripted agent", where=address, hint=f"scripted:{' | '.join(SCRIPTS)}")
    if given:
        raise UsageError("a base URL or a key means nothing to a scripted agent")
    return InspectModelChoice(address, script=script, seed=seed)


def _split_theirs(address: str, environ: Mapping[str, str] | None) -> tuple[str, str, dict[str, str]]:
    """Inspect's provider and name, and the variables that the provider's own code may read: those named after it."""
    provider, _, name = address.removeprefix(PREFIX).partition("/")
    if not provider or not name or provider in ("mockllm", "none"):
        raise UsageError("not a model that Inspect can ask", where=address, hint=_HINT)
    variables = os.environ if environ is None else environ
    service = name.partition("/")[0] if provider == "openai-api" else provider
    starts = _VARIABLES.get(service, (service.upper().replace("-", "_") + "_",))
    return provider, name, {key: value for key, value in variables.items() if key.startswith(starts)}


def _split_ours(address: str) -> tuple[_Ours, str]:
    provider, _, name = address.partition("/")
    if provider not in _OURS or not name:
        raise UsageError("not a model that Inspect can ask", where=address, hint=_HINT)
    return _OURS[provider], name


class _Failed(msgspec.Struct):
    kind: str
    message: str
    retryable: bool = False
    fatal: bool = False
    status: int | None = None


class _Said(msgspec.Struct):
    kind: str
    finish: str | None = None
    refused: bool = False
    usage: tuple[int, int] | None = None
    failure: _Failed | None = None


_said = msgspec.json.Decoder(_Said)


class InspectModel:
    """A model behind one of Inspect's providers, asked in a process of its own; questions are in flight together.

    `python` is the interpreter that has inspect_ai. Inspect asks once for each question: what is asked again is this
    program's choice and stands in its records. Raises UsageError for an address without a provider.
    """

    identity: Identity = "provider_asserted"
    fixed_outcomes = False
    weights: str | None = None
    notes: tuple[str, ...] = ("asked through Inspect AI, which decides how a request is written",)

    def __init__(
        self,
        choice: InspectModelChoice,
        *,
        python: str | None = None,
        timeout_s: float = 120.0,
        max_response_bytes: int = 8 * 2**20,
        connections: int = 20,
    ) -> None:
        self._choice = choice
        self._python = find_inspect_python(python)
        self.address = choice.address
        self.provider_model = choice.provider_model
        self.base_url = choice.base_url
        self.max_concurrency: int | None = connections
        self._timeout_s = timeout_s
        self._max_response_bytes = min(max_response_bytes, MAX_BODY_BYTES)
        self._conversation: Conversation | None = None

    async def __aenter__(self) -> Self:
        """Start the process and open the model. Raises ModelError where Inspect cannot open it."""
        command = {
            "command": "model",
            "model": self._choice.as_command(),
            "connections": self.max_concurrency,
            "max_bytes": self._max_response_bytes,
        }
        child = await InspectProcess.start(
            self._python, command, secrets=self._choice.secrets, allow_network=True
        )
        try:
            while (await child.hear()).head.kind != "ready":
                pass
        except BaseException:
            await child.close()
            raise
        self._conversation = Conversation(child)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._conversation is not None:
            await self._conversation.close()
            self._conversation = None

    async def ask(self, request: ModelRequest) -> Exchange:
        """Ask once. A provider's failure is a value; a parameter that Inspect has not is a fatal one."""
        if self._conversation is None:
            raise UsageError("open the model with `async with` before asking it")
        body = _encoder.encode(PlainRequest(self.provider_model, request.messages, request.params))
        question = {
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            "params": request.params,
        }
        watch = Stopwatch()
        try:
            async with asyncio.timeout(self._timeout_s):
                told = await self._conversation.ask(question)
        except TimeoutError:
            late = Failure("timeout", f"no answer within {self._timeout_s:g} s", retryable=True)
            return _fail(body, b"", late, watch)
        except SandboxError as error:
            return _fail(body, b"", Failure("connection", error.message, fatal=True), watch)
        except VerilabelError as error:
            return _fail(body, b"", Failure("server_error", error.message, fatal=True), watch)
        return self._read(body, told, watch)

    def _read(self, body: bytes, told: Told, watch: Stopwatch) -> Exchange:
        said, response = _said.decode(told.line), told.body or b""
        if self._choice.is_repeated_in(response) or self._choice.is_repeated_in(told.line):
            return _fail(
                body, b"", Failure("malformed", "the response repeats a secret, and is not kept"), watch
            )
        if said.failure is not None:
            failed = said.failure
            failure = Failure(failed.kind, failed.message, retryable=failed.retryable, fatal=failed.fatal)
            return _fail(body, response, failure, watch, failed.status)
        if said.refused:
            return _fail(body, response, filtered(f"finish {said.finish}"), watch)
        try:
            answer = _plain.decode(response)
        except DECODE_ERRORS:  # the child leaves `output` out where there is no text
            return _fail(body, response, empty(f"finish {said.finish}"), watch)
        return Exchange(
            request=body,
            response=response,
            output=answer.output,
            finish=said.finish,
            served_model=answer.model,
            usage=Usage(*said.usage) if said.usage is not None else None,
            started_us=watch.started_us,
            elapsed_us=watch.elapsed_us,
        )


def _fail(
    body: bytes, response: bytes, failure: Failure, watch: Stopwatch, status: int | None = None
) -> Exchange:
    return Exchange(
        request=body,
        status=status,
        response=response,
        failure=failure,
        started_us=watch.started_us,
        elapsed_us=watch.elapsed_us,
    )
