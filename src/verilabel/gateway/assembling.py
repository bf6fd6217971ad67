"""From what is written to what holds: configuration and policies compiled into a snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from verilabel.errors import MalformedInput, UsageError
from verilabel.evidence.requirements import trust_own_keys
from verilabel.gateway.admission.labels import LabelAdmission, bundles_of
from verilabel.gateway.admission.shelf import LabelShelf
from verilabel.gateway.guards.catalogue import Resources, find_kind, open_guard
from verilabel.gateway.guards.checking import check_guard
from verilabel.gateway.guards.interface import SpanGuard
from verilabel.gateway.limits.amounts import compile_limits
from verilabel.gateway.pipeline.chain import OpenGuard
from verilabel.gateway.pipeline.snapshot import PolicyPlan, Route, RouteTarget, RuleEntry, Snapshot
from verilabel.gateway.policy.conditions import Condition
from verilabel.gateway.policy.document import Gateway, ModelRoute, Policy, Target
from verilabel.gateway.policy.reading import Loaded, PolicyFile, load_gateway
from verilabel.gateway.translation.catalogue import can_serve
from verilabel.gateway.upstream.client import HttpUpstream
from verilabel.gateway.upstream.handle import UpstreamHandle
from verilabel.gateway.wire.catalogue import DIALECTS

MAX_SYSTEM_PROMPT_BYTES = 2**20


@dataclass
class Opened:
    """What was opened for a snapshot, and is closed when nobody works by it any more."""

    upstreams: dict[str, UpstreamHandle]
    shelf: LabelShelf
    guards: list[OpenGuard] = field(default_factory=list)

    async def close(self, kept: Mapping[str, UpstreamHandle]) -> None:
        """Let go of guards and labels, and of the upstreams that `kept` does not have."""
        for each in self.guards:
            if not isinstance(each.guard, SpanGuard):
                await each.guard.close()
        await self.shelf.close()
        for name, handle in self.upstreams.items():
            if kept.get(name) is not handle:
                await handle.client.close()


@dataclass(frozen=True)
class Assembly:
    """A snapshot and what was opened for it."""

    snapshot: Snapshot
    opened: Opened


def load_configuration(path: Path) -> Loaded:
    """Read a gateway's configuration and policies, with what the kinds of guards have to say of them."""
    return load_gateway(path, check_guard=check_guard)


async def assemble(loaded: Loaded, *, before: Snapshot | None = None) -> Assembly:
    """Compile what was read. Upstreams whose words did not change go on as they are.

    Raises the errors of what it opens; nothing of `before` is touched then.
    """
    config, folder = loaded.gateway, loaded.folder
    shelf = LabelShelf(
        bundles_of(config.models, folder),
        loaded.trust or trust_own_keys(),
        verify_every_s=float(config.verify_labels_s),
    )
    opened = Opened({}, shelf)
    try:
        await _open_upstreams(config, before, opened.upstreams)
        await shelf.open()
        policies = {
            name: await open_policy(file, config, folder, opened) for name, file in loaded.policies.items()
        }
        default = await open_policy(loaded.policy, config, folder, opened)
        routes = [_route(route, opened.upstreams, folder) for route in config.models]
    except BaseException:
        await opened.close({} if before is None else before.upstreams)
        raise
    snapshot = Snapshot(
        config=config,
        digest=loaded.digest,
        routes=routes,
        policies=policies,
        default=default,
        upstreams=opened.upstreams,
    )
    return Assembly(snapshot, opened)


async def open_policy(file: PolicyFile, config: Gateway, folder: Path, opened: Opened) -> PolicyPlan:
    """Compile one policy; what it opens is added to `opened` as it opens."""
    policy = file.policy
    guards = await open_guards(policy, file.where, folder, opened.guards)
    return PolicyPlan(
        policy=policy,
        digest=file.digest,
        guards=guards,
        rules=tuple(
            RuleEntry(rule, Condition(rule.when, f"{file.where} $.rules[{i}].when"))
            for i, rule in enumerate(policy.rules)
        ),
        limits=compile_limits(policy.limits, f"{file.where} $.limits", policy=policy.policy),
        admission=LabelAdmission(config.models, config.upstreams, policy.admit, opened.shelf, folder=folder),
    )


async def open_guards(
    policy: Policy, where: str, folder: Path, opened: list[OpenGuard]
) -> tuple[OpenGuard, ...]:
    """Open the guards of a policy, in its order."""
    resources = Resources(folder=folder)
    guards = []
    for i, entry in enumerate(policy.guards):
        place = f"{where} $.guards[{i}]"
        condition = None if entry.when is None else Condition(entry.when, f"{place}.when")
        guard = open_guard(entry, resources)
        written = entry
        if not entry.fields:
            written = msgspec.structs.replace(entry, fields=find_kind(entry.use, place).fields)
        each = OpenGuard(written, guard, condition)
        opened.append(each)
        if not isinstance(guard, SpanGuard):
            await guard.open()
        guards.append(each)
    return tuple(guards)


async def _open_upstreams(
    config: Gateway, before: Snapshot | None, handles: dict[str, UpstreamHandle]
) -> None:
    for written in config.upstreams:
        same_bounds = before is not None and before.config.max_response_bytes == config.max_response_bytes
        old = before.upstreams.get(written.id) if before is not None and same_bounds else None
        if old is not None and old.written == written:
            handles[written.id] = old
            continue
        client = HttpUpstream(written, max_response_bytes=config.max_response_bytes)
        await client.open()
        handles[written.id] = UpstreamHandle(written, client)


def _route(route: ModelRoute, upstreams: Mapping[str, UpstreamHandle], folder: Path) -> Route:
    targets = []
    for index, target in enumerate(route.to):
        handle = upstreams.get(target.upstream)
        if handle is None:
            raise MalformedInput(
                f"the route {route.name!r} names an upstream that is not there: {target.upstream!r}",
                hint=", ".join(upstreams),
            )
        if not any(can_serve(dialect.name, handle.written.dialect) for dialect in DIALECTS.values()):
            raise UsageError(f"nothing that clients speak can be served from {handle.written.dialect!r}")
        targets.append(
            RouteTarget(
                index=index,
                upstream=handle,
                model=target.model,
                price=target.price,
                params=target.params,
                system_prompt=_system_prompt(target, folder),
                target=target,
            )
        )
    return Route(route.name, tuple(targets), route.policy, route)


def _system_prompt(target: Target, folder: Path) -> str | None:
    if target.system_prompt_file is None:
        return None
    path = folder / target.system_prompt_file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the system prompt cannot be read: {error.strerror}", where=str(path)) from None
    if len(data) > MAX_SYSTEM_PROMPT_BYTES:
        raise MalformedInput("the system prompt is larger than 1 MiB", where=str(path))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedInput("the system prompt is not UTF-8", where=str(path)) from None


async def retire(assembly: Assembly, current: Snapshot, *, patience_s: float = 600.0) -> None:
    """Wait until nobody works by a snapshot any more, at most `patience_s`, then close what it alone held."""
    for _ in range(int(patience_s * 4)):
        if not assembly.snapshot.users:
            break
        await asyncio.sleep(0.25)
    await assembly.opened.close(current.upstreams)
