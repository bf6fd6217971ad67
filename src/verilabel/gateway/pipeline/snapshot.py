"""What holds at one moment: routes, upstreams, policies, compiled and never changed; a reload makes another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from verilabel.gateway.access.interface import Holder
from verilabel.gateway.admission.interface import Admission
from verilabel.gateway.limits.amounts import CompiledRow
from verilabel.gateway.pipeline.chain import Chain, OpenGuard
from verilabel.gateway.policy.conditions import Condition
from verilabel.gateway.policy.document import Gateway, ModelRoute, Policy, Price, RequestRule, Target
from verilabel.gateway.upstream.handle import UpstreamHandle


@dataclass(frozen=True, slots=True)
class RuleEntry:
    """A request rule with its compiled condition."""

    rule: RequestRule
    condition: Condition


@dataclass(frozen=True)
class PolicyPlan:
    """A policy, compiled. `name` is `name@version`, `digest` that of its exact bytes."""

    policy: Policy
    digest: str
    guards: tuple[OpenGuard, ...]
    rules: tuple[RuleEntry, ...]
    limits: tuple[CompiledRow, ...]
    admission: Admission
    input: Chain = field(init=False)
    output: Chain = field(init=False)
    has_conditions: bool = field(init=False)
    header: tuple[bytes, bytes] = field(init=False)
    reads_scope: bool = field(init=False)
    versions: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "input", Chain("input", self.guards))
        object.__setattr__(self, "output", Chain("output", self.guards))
        conditional = self.rules or any(each.condition is not None for each in self.guards)
        object.__setattr__(self, "has_conditions", bool(conditional))
        object.__setattr__(self, "reads_scope", any(row.scope for row in self.policy.admit))
        object.__setattr__(self, "header", (b"x-verilabel-policy", self.digest.encode()))
        object.__setattr__(self, "versions", {each.entry.id: each.guard.version for each in self.guards})

    @property
    def name(self) -> str:
        """As people know it."""
        return f"{self.policy.policy}@{self.policy.version}"


@dataclass(frozen=True, slots=True)
class RouteTarget:
    """A target of a route. `index` is its place in the route; `system_prompt` is put before the client's own."""

    index: int
    upstream: UpstreamHandle
    model: str | None
    price: Price | None
    params: Mapping[str, str | int | bool]
    system_prompt: str | None
    target: Target


@dataclass(frozen=True, slots=True)
class Route:
    """A name that clients may ask for, and what answers."""

    name: str
    targets: tuple[RouteTarget, ...]
    policy: str | None
    written: ModelRoute


class Snapshot:
    """All of it. `users` counts the requests that still work by it; `retire` says when the last one is done."""

    def __init__(
        self,
        *,
        config: Gateway,
        digest: str,
        routes: Sequence[Route],
        policies: Mapping[str, PolicyPlan],
        default: PolicyPlan,
        upstreams: Mapping[str, UpstreamHandle],
    ) -> None:
        self.config = config
        self.digest = digest
        self.routes = tuple(routes)
        self.policies = dict(policies)
        self.default = default
        self.upstreams = dict(upstreams)
        self.users = 0
        self._exact = {route.name: route for route in routes if not route.name.endswith("*")}
        self._prefixes = sorted(
            ((route.name[:-1], route) for route in routes if route.name.endswith("*")),
            key=lambda each: -len(each[0]),
        )

    def find_route(self, model: str) -> Route | None:
        """The route for a model's name: the exact one, else that of the longest prefix."""
        route = self._exact.get(model)
        if route is None:
            for prefix, candidate in self._prefixes:
                if model.startswith(prefix):
                    return candidate
        return route

    def policy_for(self, holder: Holder, route: Route) -> PolicyPlan | None:
        """The policy of the key, else of the route, else the gateway's; None for a key's that is not there."""
        name = holder.policy if holder.policy is not None else route.policy
        return self.default if name is None else self.policies.get(name)


def may_use(holder: Holder, model: str) -> bool:
    """True if a key may ask for a model."""
    if not holder.models:
        return True
    return any(
        model == name or (name.endswith("*") and model.startswith(name[:-1])) for name in holder.models
    )
