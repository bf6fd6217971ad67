"""Who is measured, and how each is configured: ours, the bare yardsticks, and rivals at default and at safest."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import msgspec

from verilabel.errors import UsageError
from verilabel.gateway_bench.programs import Server, free_port, own_module, run_program, serving
from verilabel.records.strict_yaml import load_strict_yaml

SectionName = Literal["leak", "stall", "load", "memory", "limits", "approvals"]
ENOUGH = "1000000000"
"""A limit that no run reaches: what is measured is the counting."""
_RIVAL_TOKEN = "sk-bench-0123456789abcdef0123456789abcdef"  # noqa: S105 - LiteLLM does not start without one
_RULES = "rules24.yaml"


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the tables. `group` is its name for `--rivals`; `kind` says how it is started.

    `setting` is filled into its configuration; `health` is the path that is asked while it is under load; `guards` says
    that it filters.
    """

    name: str
    group: str
    kind: Literal["direct", "bare", "nginx", "ours", "litellm", "nemo"]
    setting: str = ""
    health: str = "/health/live"
    guards: bool = True
    sections: tuple[SectionName, ...] = ("leak", "stall", "load")


OURS = Contender(
    name="verilabel, 24 rules",
    group="verilabel",
    kind="ours",
    setting="rules",
    sections=("leak", "stall", "load", "memory"),
)
BARE = Contender(
    name="bare: ASGI + aiohttp", group="bare", kind="bare", guards=False, sections=("leak", "stall", "load")
)
CONTENDERS = (
    Contender(
        name="direct", group="verilabel", kind="direct", guards=False, health="/v1/models", sections=("load",)
    ),
    Contender(
        name="nginx", group="nginx", kind="nginx", guards=False, health="/health/live", sections=("load",)
    ),
    BARE,
    Contender(
        name="verilabel, no guards",
        group="verilabel",
        kind="ours",
        setting="open",
        guards=False,
        sections=("load",),
    ),
    OURS,
    Contender(
        name="verilabel, 24 rules, keys, limits",
        group="verilabel",
        kind="ours",
        setting="limits",
        sections=("load", "memory"),
    ),
    Contender(
        name="verilabel, default policy",
        group="verilabel",
        kind="ours",
        setting="default",
        sections=("leak", "stall", "load"),
    ),
    Contender(
        name="LiteLLM filter, mask",
        group="litellm",
        kind="litellm",
        setting="MASK",
        health="/health/liveliness",
    ),
    Contender(
        name="LiteLLM filter, block",
        group="litellm",
        kind="litellm",
        setting="BLOCK",
        health="/health/liveliness",
        sections=("leak",),
    ),
    Contender(
        name="NeMo IORails, default",
        group="nemo",
        kind="nemo",
        setting="iorails true",
        health="/v1/rails/configs",
    ),
    Contender(
        name="NeMo IORails, gated",
        group="nemo",
        kind="nemo",
        setting="iorails false",
        health="/v1/rails/configs",
    ),
    Contender(
        name="NeMo, default", group="nemo", kind="nemo", setting="llmrails true", health="/v1/rails/configs"
    ),
    Contender(
        name="NeMo, gated", group="nemo", kind="nemo", setting="llmrails false", health="/v1/rails/configs"
    ),
)
GROUPS = ("bare", "nginx", "litellm", "nemo")
"""What `--rivals` may name; ours and the direct line are always there."""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A contender that runs: its server and the key that it asks for."""

    contender: Contender
    server: Server
    token: str = ""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where contenders are started: a folder for their files, the gateway's CPU, the upstream, the rivals' Python."""

    folder: Path
    cpu: int
    upstream: str
    rivals_python: Path | None = None


def missing(contender: Contender, rivals_python: Path | None) -> str | None:
    """What is not installed that this contender needs, or None where it can be started."""
    if contender.kind == "nginx" and _nginx() is None:
        return "nginx is not installed"
    if contender.kind in ("litellm", "nemo"):
        program = "litellm" if contender.kind == "litellm" else "nemoguardrails"
        if rivals_python is None or not (rivals_python.parent / program).is_file():
            return f"{program} is not installed beside {rivals_python} (`make bench-rivals`)"
    return None


def chosen(sections: SectionName, groups: tuple[str, ...]) -> list[Contender]:
    """The contenders of a section, of the groups that were asked for, and ours."""
    return [
        each
        for each in CONTENDERS
        if sections in each.sections and (each.group == "verilabel" or each.group in groups)
    ]


@contextlib.asynccontextmanager
async def running(contender: Contender, place: Place, upstream: Server) -> AsyncIterator[Running]:
    """A contender that answers while the block runs. Raises SandboxError where it does not start."""
    if contender.kind == "direct":
        yield Running(contender=contender, server=upstream)
        return
    folder = place.folder / contender.name.replace(" ", "-").replace(",", "").replace(":", "")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    opened = {
        "bare": _bare,
        "nginx": _start_nginx,
        "ours": _ours,
        "litellm": _litellm,
        "nemo": _nemo,
    }[contender.kind]
    async with opened(contender, place, folder) as found:
        yield found


@contextlib.asynccontextmanager
async def _bare(contender: Contender, place: Place, folder: Path) -> AsyncIterator[Running]:
    command = own_module("bare", place.upstream)
    async with serving(
        contender.name, command, folder=folder, cpu=place.cpu, health=contender.health
    ) as server:
        yield Running(contender=contender, server=server)


def _nginx() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextlib.asynccontextmanager
async def _start_nginx(contender: Contender, place: Place, folder: Path) -> AsyncIterator[Running]:
    port = free_port()
    text = _data("nginx.conf").replace("${PORT}", str(port)).replace("${FOLDER}", str(folder))
    (folder / "nginx.conf").write_text(text.replace("${UPSTREAM}", place.upstream.removeprefix("http://")))
    program = _nginx()
    assert program is not None, "asked for with `missing`"
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "errors.log")]
    async with serving(
        contender.name, command, folder=folder, cpu=place.cpu, health=contender.health, port=port
    ) as server:
        yield Running(contender=contender, server=server)


@contextlib.asynccontextmanager
async def _ours(contender: Contender, place: Place, folder: Path) -> AsyncIterator[Running]:
    settings: dict[str, Any] = {}
    token = ""
    if contender.setting == "default":
        policy: dict[str, Any] | str = "bundled:default"
    elif contender.setting == "open":
        policy = {"policy": "open", "version": "1.0.0"}
    else:
        policy = rules_policy()
    if contender.setting == "limits":
        assert isinstance(policy, dict)
        policy["limits"] = [
            {"id": "requests", "requests": f"{ENOUGH}/h"},
            {"id": "tokens", "per": ["user"], "tokens": f"{ENOUGH}/min"},
            {"id": "at-once", "per": ["all"], "concurrency": 10_000},
        ]
        settings["auth"] = "keys"
        token = await make_key(folder, place.cpu)
    async with our_gateway(
        contender.name, folder, cpu=place.cpu, upstream=place.upstream, policy=policy, settings=settings
    ) as server:
        yield Running(contender=contender, server=server, token=token)


def rules_policy() -> dict[str, Any]:
    """The policy of the 24 rules, as a document that can be added to."""
    document: dict[str, Any] = load_strict_yaml(_data(_RULES).encode(), where=_RULES)
    return document


async def make_key(folder: Path, cpu: int) -> str:
    """A virtual key in the gateway's store in a folder, made before it starts."""
    command = [sys.executable, "-m", "verilabel", "gateway", "keys", "create", "--name", "bench"]
    printed = await run_program(
        [*command, "--store", str(folder / "gateway.db"), "--json"], folder=folder, cpu=cpu
    )
    token: str = json.loads(printed)["token"]
    return token


@contextlib.asynccontextmanager
async def our_gateway(
    name: str,
    folder: Path,
    *,
    cpu: int,
    upstream: str,
    policy: dict[str, Any] | str,
    settings: dict[str, Any] | None = None,
    workers: int = 1,
) -> AsyncIterator[Server]:
    """Our gateway with a policy (a document, or the name of a bundled one), its files in a folder."""
    config: dict[str, Any] = {
        "gateway": 1,
        "auth": "none",
        "workers": workers,
        "upstreams": [{"id": "mock", "base_url": f"{upstream}/v1", "retries": 0}],
        "models": [{"name": "*", "to": [{"upstream": "mock"}]}],
        "policy": policy if isinstance(policy, str) else "policy.yaml",
        **(settings or {}),
    }
    if not isinstance(policy, str):
        (folder / "policy.yaml").write_text(json.dumps(policy, default=str))
    (folder / "gateway.yaml").write_text(json.dumps(config, default=str))
    command = [
        sys.executable,
        "-m",
        "verilabel",
        "gateway",
        "--config",
        str(folder / "gateway.yaml"),
        "--port",
        "0",
    ]
    async with serving(name, command, folder=folder, cpu=cpu, health="/health/ready") as server:
        yield server


@contextlib.asynccontextmanager
async def _litellm(contender: Contender, place: Place, folder: Path) -> AsyncIterator[Running]:
    text = _data("litellm.yaml").replace("${UPSTREAM}", f"{place.upstream}/v1")
    (folder / "config.yaml").write_text(text.replace("${ACTION}", contender.setting))
    port = free_port()
    command = [
        _rival(place, "litellm"),
        "--config",
        "config.yaml",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    env = {
        "LITELLM_MASTER_KEY": _RIVAL_TOKEN,
        "LITELLM_TELEMETRY": "False",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
    }
    async with serving(
        contender.name, command, folder=folder, cpu=place.cpu, health=contender.health, port=port, env=env
    ) as server:
        yield Running(contender=contender, server=server, token=_RIVAL_TOKEN)


@contextlib.asynccontextmanager
async def _nemo(contender: Contender, place: Place, folder: Path) -> AsyncIterator[Running]:
    engine, _, stream_first = contender.setting.partition(" ")
    rails = folder / "rails"
    rails.mkdir()
    text = _data("nemo.yaml").replace("${UPSTREAM}", f"{place.upstream}/v1")
    (rails / "config.yml").write_text(text.replace("${STREAM_FIRST}", stream_first))
    port = free_port()
    command = [_rival(place, "nemoguardrails"), "server", "--config", str(rails), "--port", str(port)]
    command += ["--disable-chat-ui", "--default-config-id", "rails"]
    env = {
        "OPENAI_API_KEY": "none",
        "NEMO_GUARDRAILS_NO_USAGE_STATS": "1",
        "NEMO_GUARDRAILS_IORAILS_ENGINE": "1" if engine == "iorails" else "0",
    }
    async with serving(
        contender.name, command, folder=folder, cpu=place.cpu, health=contender.health, port=port, env=env
    ) as server:
        yield Running(contender=contender, server=server)


def _rival(place: Place, program: str) -> str:
    if place.rivals_python is None:
        raise UsageError("no Python environment of rivals", where="--rivals-python")
    return os.fspath(place.rivals_python.parent / program)


def _data(name: str) -> str:
    return (resources.files("verilabel.gateway_bench") / "data" / name).read_text("utf-8")
