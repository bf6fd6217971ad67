"""What a gateway's configuration must be beyond its words: names that meet, addresses that may be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from verilabel.errors import VerilabelError
from verilabel.gateway.policy.admission_checks import waives_label
from verilabel.gateway.policy.checking import check_name, check_once, check_pattern, holds
from verilabel.gateway.policy.document import Gateway, ModelRoute, Policy, Target, Upstream
from verilabel.gateway.policy.forms import nearest
from verilabel.gateway.policy.remark import Remark, doubt, mistake
from verilabel.models.endpoint import check_base_url, is_loopback

MAX_RETRIES = 10
MAX_WORKERS = 256
_SECRET_HEADERS = frozenset(
    {"authorization", "x-api-key", "api-key", "cookie", "x-goog-api-key", "proxy-authorization"}
)
_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection"})


def lint_gateway(gateway: Gateway) -> list[Remark]:
    """Everything that is wrong or doubtful in a gateway's configuration alone, in the order of the file."""
    return [
        *_check_listening(gateway),
        *_check_stores(gateway),
        *_check_upstreams(gateway),
        *_check_routes(gateway),
        *_check_sizes(gateway),
    ]


def lint_together(gateway: Gateway, policies: Mapping[str, Policy]) -> list[Remark]:
    """What is wrong or doubtful in a configuration and its policies together.

    `policies` are by the path of the word that names them, such as `$.policy` or `$.policies.strict`.
    """
    return [remark for where, policy in policies.items() for remark in _check_meeting(gateway, policy, where)]


def _check_listening(gateway: Gateway) -> Iterator[Remark]:
    if gateway.auth == "none" and not is_loopback(gateway.host):
        yield mistake(
            "$.auth",
            f"none, and host {gateway.host!r} is not loopback: anybody could use it",
            "auth: keys, or host: 127.0.0.1",
        )
    if not 0 <= gateway.port <= 65535:
        yield mistake("$.port", f"{gateway.port} is no port")
    if not 1 <= gateway.workers <= MAX_WORKERS:
        yield mistake("$.workers", f"not between 1 and {MAX_WORKERS}")


def _check_stores(gateway: Gateway) -> Iterator[Remark]:
    limits = gateway.limits_store
    if limits != "memory" and not limits.startswith(("redis://", "rediss://", "unix://")):
        yield mistake("$.limits_store", "neither memory nor an address of Redis", "redis://127.0.0.1:6379/0")
    if limits == "memory" and gateway.limits_lost == "share":
        yield doubt("$.limits_lost", "counters in memory cannot be lost")
    if "://" in gateway.store and not gateway.store.startswith(("postgresql://", "postgres://")):
        yield mistake("$.store", "neither a file nor an address of PostgreSQL", "postgresql://HOST/DATABASE")
    for name in ("store", "limits_store"):
        if _has_password(getattr(gateway, name)):
            yield doubt(
                f"$.{name}", "a password stands in this file", "keep the file private, or use a socket"
            )


def _has_password(address: str) -> bool:
    authority = address.partition("://")[2].partition("/")[0]
    before, sign, _ = authority.rpartition("@")
    return bool(sign) and ":" in before


def _check_upstreams(gateway: Gateway) -> Iterator[Remark]:
    if not gateway.upstreams:
        yield mistake("$.upstreams", "there is nobody to ask")
    named = [(each.id, f"$.upstreams[{index}].id") for index, each in enumerate(gateway.upstreams)]
    yield from check_once(named, "upstream")
    used = {target.upstream for route in gateway.models for target in route.to}
    for index, upstream in enumerate(gateway.upstreams):
        where = f"$.upstreams[{index}]"
        yield from check_name(upstream.id, f"{where}.id")
        yield from _check_upstream(upstream, where)
        if upstream.id not in used:
            yield doubt(where, f"no route asks the upstream {upstream.id!r}")


def _check_upstream(upstream: Upstream, where: str) -> Iterator[Remark]:
    has_key = upstream.key_env is not None or upstream.key_file is not None
    if upstream.key_env is not None and upstream.key_file is not None:
        yield mistake(where, "a key comes from key_env or from key_file, not from both")
    try:
        check_base_url(upstream.base_url, has_key=has_key, allow_insecure=upstream.allow_insecure)
    except VerilabelError as error:
        yield mistake(f"{where}.base_url", error.message, error.hint)
    for name in upstream.headers:
        if name.lower() in _SECRET_HEADERS:
            yield mistake(
                f"{where}.headers", f"{name} is a secret, which this file must not hold", "key_env: VARIABLE"
            )
        elif name.lower() in _OWN_HEADERS:
            yield mistake(f"{where}.headers", f"{name} is set by the gateway")
    for name in ("connect_timeout_s", "first_byte_timeout_s", "idle_timeout_s"):
        if not 0 < getattr(upstream, name) <= 86_400:
            yield mistake(f"{where}.{name}", "a time of more than 0 seconds and at most a day")
    if not 0 <= upstream.retries <= MAX_RETRIES:
        yield mistake(f"{where}.retries", f"not between 0 and {MAX_RETRIES}")
    if upstream.max_connections < 1:
        yield mistake(f"{where}.max_connections", "at least 1")


def _check_routes(gateway: Gateway) -> Iterator[Remark]:
    if not gateway.models:
        yield mistake("$.models", "there is no model that clients could ask for")
    named = [(route.name, f"$.models[{index}].name") for index, route in enumerate(gateway.models)]
    yield from check_once(named, "route")
    for index, route in enumerate(gateway.models):
        where = f"$.models[{index}]"
        yield from check_pattern(route.name, f"{where}.name")
        if not route.to:
            yield mistake(f"{where}.to", "the route leads nowhere")
        if route.policy is not None and route.policy not in gateway.policies:
            hint = nearest(route.policy, list(gateway.policies))
            yield mistake(f"{where}.policy", f"no policy {route.policy!r} under policies", hint)
        for place, target in enumerate(route.to):
            yield from _check_target(gateway, route, target, f"{where}.to[{place}]")
    for name in gateway.policies:
        yield from check_name(name, f"$.policies.{name}")


def _check_target(gateway: Gateway, route: ModelRoute, target: Target, where: str) -> Iterator[Remark]:
    known = [upstream.id for upstream in gateway.upstreams]
    if target.upstream not in known:
        yield mistake(
            f"{where}.upstream", f"no upstream {target.upstream!r}", nearest(target.upstream, known)
        )
    if target.price is not None and min(target.price.input, target.price.output) < 0:
        yield mistake(f"{where}.price", "a price below zero")
    if target.bundle is not None and target.model is None and route.name.endswith("*"):
        yield doubt(
            f"{where}.bundle", "one label for every model that the pattern lets through", "model: NAME"
        )


def _check_sizes(gateway: Gateway) -> Iterator[Remark]:
    for name in ("max_request_bytes", "max_response_bytes"):
        if not 1024 <= getattr(gateway, name) <= 2**30:
            yield mistake(f"$.{name}", "from 1 KiB to 1 GiB")
    if not gateway.max_request_bytes <= gateway.max_buffered_bytes <= 2**40:
        yield mistake("$.max_buffered_bytes", "at least max_request_bytes, at most 1 TiB")
    for name in ("sync_ms", "checkpoint_s"):
        if getattr(gateway.audit, name) < 1:
            yield mistake(f"$.audit.{name}", "at least 1")
    if gateway.verify_labels_s < 1:
        yield mistake("$.verify_labels_s", "at least 1 second")
    if gateway.audit.content:
        yield doubt("$.audit.content", "texts of requests and replies are kept, redacted as the policy says")


def _check_meeting(gateway: Gateway, policy: Policy, where: str) -> Iterator[Remark]:
    if gateway.auth == "none" and holds(policy):
        yield mistake(
            where,
            "the policy holds requests for approval, and without keys there is nobody who could decide",
            "auth: keys, and a key with the role approver",
        )
    if policy.admit and gateway.trust is None:
        yield doubt("$.trust", "no trust policy: labels count that your own keys signed", "trust: trust.yaml")
    if policy.limits and gateway.limits_store == "memory" and gateway.workers > 1:
        yield from _doubt_shares(policy, gateway.workers, where)
    routes = _routes_under(gateway, where)
    rows = [(f"admit[{index}]", row.route) for index, row in enumerate(policy.admit)]
    rows += [(f"limits[{index}]", row.route) for index, row in enumerate(policy.limits)]
    names = [route.name for route in routes]
    for place, pattern in rows:
        if not any(matches(pattern, name) for name in names):
            yield mistake(f"{where}: {place}.route", f"no route {pattern!r}", nearest(pattern, names))
    if policy.admit:
        yield from _check_admitted(routes, policy, where)
    yield from _check_costs(routes, policy, where)


def _doubt_shares(policy: Policy, workers: int, where: str) -> Iterator[Remark]:
    """What `limits.share` makes of limits in the memory of several workers."""
    yield doubt(
        "$.limits_store",
        f"{workers} workers count apart, and each gives out 1/{workers} of every limit:"
        " who meets one of them alone gets no more",
        "limits_store: redis://HOST",
    )
    for index, row in enumerate(policy.limits):
        if row.concurrency is not None and row.concurrency < workers:
            yield doubt(
                f"{where}: limits[{index}].concurrency",
                f"each of {workers} workers gives out one at least: together {workers}",
                "limits_store: redis://HOST",
            )


def _routes_under(gateway: Gateway, where: str) -> list[ModelRoute]:
    """The routes that a policy can hold for: its own, or, as keys may name any policy, all of them."""
    routes = [route for route in gateway.models if where == f"$.policies.{route.policy}"]
    return routes or list(gateway.models)


def matches(pattern: str, name: str) -> bool:
    """True if a row's route (a name, or a prefix and `*`) is about a route of this name."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _check_admitted(routes: list[ModelRoute], policy: Policy, where: str) -> Iterator[Remark]:
    for route in routes:
        rows = [row for row in policy.admit if matches(row.route, route.name)]
        if not rows:
            yield doubt(f"{where}: admit", f"no label is asked of {route.name!r}")
        refuses = any(row.otherwise == "block" and not waives_label(row) for row in rows)
        for place, target in enumerate(route.to):
            if rows and target.bundle is None:
                remark = mistake if refuses else doubt
                what = f"{route.name!r}: target {place} has no bundle, and the policy asks for a label"
                yield remark(f"{where}: admit", what, "bundle: PATH at the target")


def _check_costs(routes: list[ModelRoute], policy: Policy, where: str) -> Iterator[Remark]:
    for index, row in enumerate(policy.limits):
        if row.cost_usd is None:
            continue
        for route in routes:
            if matches(row.route, route.name) and any(target.price is None for target in route.to):
                yield mistake(
                    f"{where}: limits[{index}].cost_usd",
                    f"a target of {route.name!r} has no price: it would cost 0",
                    "price: {input: 2.50, output: 10} at the target",
                )
