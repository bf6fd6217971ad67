"""Model addresses (`openai/NAME`, `ollama/NAME`, `replay:FILE`, `command:PROGRAM`, ...) and opening them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from verilabel.errors import ModelError, UsageError
from verilabel.models.dialects.anthropic import ANTHROPIC
from verilabel.models.dialects.dialect import Dialect
from verilabel.models.dialects.google import GOOGLE
from verilabel.models.dialects.openai_chat import OPENAI_CHAT, OPENAI_CHAT_OFFICIAL
from verilabel.models.dialects.openai_responses import OPENAI_RESPONSES
from verilabel.models.endpoint import check_base_url
from verilabel.models.interface import Model
from verilabel.models.keys import find_key

MatchBy = Literal["prompt", "id"]


class Provider(msgspec.Struct, frozen=True):
    """Where a provider's models are, how they are spoken to, and which variables hold its key."""

    name: str
    base_url: str
    dialect: Dialect
    key_variables: tuple[str, ...] = ()


PROVIDERS: dict[str, Provider] = {
    "openai": Provider("openai", "https://api.openai.com/v1", OPENAI_CHAT_OFFICIAL, ("OPENAI_API_KEY",)),
    "openai-responses": Provider(
        "openai", "https://api.openai.com/v1", OPENAI_RESPONSES, ("OPENAI_API_KEY",)
    ),
    "anthropic": Provider("anthropic", "https://api.anthropic.com", ANTHROPIC, ("ANTHROPIC_API_KEY",)),
    "google": Provider(
        "google", "https://generativelanguage.googleapis.com", GOOGLE, ("GOOGLE_API_KEY", "GEMINI_API_KEY")
    ),
    "ollama": Provider("ollama", "http://127.0.0.1:11434/v1", OPENAI_CHAT),
    "vllm": Provider("vllm", "http://127.0.0.1:8000/v1", OPENAI_CHAT),
}
FORMS = (
    *(f"{name}/NAME" for name in PROVIDERS),
    "hf/PATH",
    "inspect/PROVIDER/NAME",
    "command:PROGRAM ARGS",
    "replay:FILE",
    "simulated:rate=0.01,seed=7",
)
"""Every form an address can have."""


_OTHER_SCHEMES = ("hf", "inspect")
"""Schemes before a slash that are no provider of ours."""


def open_model(
    address: str,
    *,
    base_url: str | None = None,
    key_env: str | None = None,
    key_file: str | Path | None = None,
    timeout_s: float = 120.0,
    max_response_bytes: int = 8 * 2**20,
    connections: int = 100,
    columns: Mapping[str, str] | None = None,
    match_by: MatchBy = "prompt",
    answers: Mapping[tuple[str, str], str] | None = None,
    processes: int = 1,
    pass_env: Iterable[str] = (),
    allow_insecure: bool = False,
    greedy: bool = True,
    inspect_python: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Model:
    """The model at an address; nothing is sent and no process started before `async with`.

    For HTTP: `base_url`, `key_env`, `key_file`, `timeout_s` (seconds a question), `max_response_bytes`,
    `connections`, `allow_insecure` (a key over plain http). A provider's own key variable is used for the
    provider's own base URL only; with another `base_url` a key is sent where `key_env` or `key_file` names
    one. For replay: `columns` (role to column name) and `match_by`. For simulated: `answers`, (suite, sample)
    to gold. For command: `timeout_s`, `processes`, `pass_env`. For hf: `greedy`. For inspect: what is for HTTP, and
    `inspect_python`, the interpreter that has inspect_ai.

    Raises UsageError for an address or option that makes no sense, ModelError where a key is needed and not
    set, PolicyError where a key would travel unencrypted, MissingExtra where a library is not installed, and
    for replay what `read_recorded` raises.
    """
    scheme, sign, rest = _split_address(address)
    _refuse_url_options(scheme, base_url, key_env, key_file)
    if scheme == "simulated":
        from verilabel.models.simulated import SimulatedModel, parse_options

        return SimulatedModel(parse_options(rest), answers=answers)
    if not rest:
        raise UsageError(f"nothing follows {scheme + sign!r}", where=address, hint=", ".join(FORMS))
    if scheme == "replay":
        from verilabel.models.replay import ReplayModel

        return ReplayModel(rest, columns=columns, match_by=match_by)
    if not timeout_s > 0 or connections < 1 or max_response_bytes < 1:
        raise UsageError("timeout_s, connections and max_response_bytes must be above 0", where=address)
    if scheme == "command":
        from verilabel.models.command import CommandModel

        return CommandModel(
            rest,
            timeout_s=timeout_s,
            max_response_bytes=max_response_bytes,
            processes=processes,
            pass_env=tuple(pass_env),
        )
    if scheme == "hf":
        from verilabel.models.huggingface import HuggingFaceModel

        return HuggingFaceModel(rest, greedy=greedy)
    if scheme == "inspect":
        from verilabel.models.inspect_model import InspectModel, choose_inspect_model

        choice = choose_inspect_model(
            address,
            base_url=base_url,
            key_env=key_env,
            key_file=key_file,
            allow_insecure=allow_insecure,
            environ=environ,
        )
        return InspectModel(
            choice,
            python=inspect_python,
            timeout_s=timeout_s,
            max_response_bytes=max_response_bytes,
            connections=connections,
        )
    return _open_http(
        PROVIDERS[scheme],
        address,
        rest,
        base_url=base_url,
        key_env=key_env,
        key_file=key_file,
        timeout_s=timeout_s,
        max_response_bytes=max_response_bytes,
        connections=connections,
        allow_insecure=allow_insecure,
        environ=environ,
    )


def _split_address(address: str) -> tuple[str, str, str]:
    if address == "simulated":
        return address, ":", ""
    for scheme in ("simulated", "replay", "command"):
        if address.startswith(scheme + ":"):
            return scheme, ":", address[len(scheme) + 1 :].strip()
    scheme, sign, rest = address.partition("/")
    if not sign or scheme not in (*PROVIDERS, *_OTHER_SCHEMES):
        near = difflib.get_close_matches(
            scheme.partition(":")[0], [*PROVIDERS, *_OTHER_SCHEMES, "replay", "command", "simulated"]
        )
        forms = "addresses look like " + ", ".join(FORMS)
        raise UsageError(
            "no model has this address",
            where=address,
            hint=f"did you mean {near[0]!r}? {forms}" if near else forms,
        )
    return scheme, sign, rest.strip()


def _refuse_url_options(
    scheme: str, base_url: str | None, key_env: str | None, key_file: str | Path | None
) -> None:
    if scheme not in (*PROVIDERS, "inspect") and (base_url or key_env or key_file):
        raise UsageError(f"a base URL or a key means nothing to a {scheme} model")


def _open_http(
    provider: Provider,
    address: str,
    name: str,
    *,
    base_url: str | None,
    key_env: str | None,
    key_file: str | Path | None,
    timeout_s: float,
    max_response_bytes: int,
    connections: int,
    allow_insecure: bool,
    environ: Mapping[str, str] | None,
) -> Model:
    from verilabel.models.http import HttpModel

    own = base_url is None
    key = find_key(
        key_env=key_env, key_file=key_file, defaults=provider.key_variables if own else (), environ=environ
    )
    if own and key is None and provider.key_variables:
        raise ModelError(
            "no API key",
            where=address,
            hint=f"set {' or '.join(provider.key_variables)}, or name the variable or file that holds it",
        )
    url = check_base_url(
        base_url or provider.base_url, has_key=key is not None, allow_insecure=allow_insecure
    )
    dialect = provider.dialect
    if not own and dialect is OPENAI_CHAT_OFFICIAL:
        dialect = OPENAI_CHAT
    return HttpModel(
        address=address,
        provider_model=f"{provider.name}/{name}",
        dialect=dialect,
        name=name,
        base_url=url,
        notes=tuple(_notes(provider, url, has_key=key is not None)),
        key=key,
        timeout_s=timeout_s,
        max_response_bytes=max_response_bytes,
        connections=connections,
    )


def _notes(provider: Provider, url: str, *, has_key: bool) -> Iterator[str]:
    if provider.key_variables and not has_key:
        yield "no API key is sent: a provider's key is not given to another server unless it is named"
    if provider.dialect in (OPENAI_CHAT, OPENAI_CHAT_OFFICIAL) and not urlsplit(url).path:
        yield "the base URL has no path; servers of this dialect usually answer under /v1"
