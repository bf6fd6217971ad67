"""The first stages: who asks, what, of which model, under which policy; all before anything is asked of anybody."""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from verilabel.gateway.access.interface import NOBODY, Holder
from verilabel.gateway.pipeline.aside import LARGE_BYTES, run_aside
from verilabel.gateway.pipeline.counting import count_begun
from verilabel.gateway.pipeline.decoding import decode_body
from verilabel.gateway.pipeline.exchange import Exchange, Receive
from verilabel.gateway.pipeline.services import Services
from verilabel.gateway.pipeline.snapshot import may_use
from verilabel.gateway.pipeline.spanning import begin_span
from verilabel.gateway.verdicts import Refusal, RefusalKind, Refused
from verilabel.gateway.wire.interface import ClientDialect
from verilabel.models.endpoint import is_loopback

_ONCE = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-type",
        b"host",
        b"transfer-encoding",
        b"x-api-key",
        b"x-verilabel-approval",
        b"x-verilabel-wait",
    }
)
"""Headers that decide something: whoever stands before the gateway may read another one of two than it does."""


_CHOOSE_THE_MODEL = frozenset(
    {
        "models",
        "model_list",
        "fallbacks",
        "context_window_fallbacks",
        "content_policy_fallbacks",
        "custom_llm_provider",
        "api_base",
        "api_key",
        "base_url",
    }
)
"""Members by which upstreams that are routers themselves are told of another model, or another place to ask."""


class ClientGone(Exception):
    """The client went away before its request was whole."""


def refuse(status: int, kind: RefusalKind, code: str, message: str, **more: Any) -> Refused:
    """A refusal to raise."""
    return Refused(Refusal(status=status, kind=kind, code=code, message=message, **more))


def repeats_header(pairs: list[tuple[bytes, bytes]]) -> bool:
    """True if a header that may stand once stands twice."""
    names = [name for name, _ in pairs if name in _ONCE]
    return len(set(names)) != len(names)


def authenticate(exchange: Exchange) -> None:
    """Find who asks. Raises Refused (401, 403)."""
    exchange.holder = authenticate_headers(exchange.services, exchange.headers)
    exchange.is_known = True


def authenticate_headers(services: Services, headers: dict[bytes, bytes]) -> Holder:
    """Who asks, by a request's headers. Raises Refused (401, 403)."""
    ring = services.ring
    if ring is None:
        check_local_host(headers)
        return NOBODY
    token = bearer_token(headers)
    if not token:
        raise refuse(
            401,
            "authentication",
            "key_missing",
            "a key is needed: `Authorization: Bearer vk_...` or `x-api-key`",
        )
    holder = ring.find(token)
    if holder is None and ring.is_stale:
        raise refuse(503, "overloaded", "keys_lost", "the keys cannot be read at present", retry_after_s=5.0)
    if holder is None:
        raise refuse(401, "authentication", "key_unknown", "the key is not in force")
    return holder


def bearer_token(headers: MutableMapping[bytes, bytes] | dict[bytes, bytes]) -> str:
    """The token of a request, by either of the two headers that clients use; empty where there is none."""
    given = headers.get(b"authorization")
    if given is not None:
        kind, _, token = given.partition(b" ")
        if kind.lower() == b"bearer":
            return token.strip().decode("ascii", "replace")
    return headers.get(b"x-api-key", b"").strip().decode("ascii", "replace")


@lru_cache(maxsize=256)
def _is_local_host(header: bytes) -> bool:
    try:
        host = urlsplit(f"//{header.decode('ascii', 'replace')}").hostname or ""
    except ValueError:
        return False
    return is_loopback(host)


def check_local_host(headers: dict[bytes, bytes]) -> None:
    """Without keys only this machine asks, and no web page through a name of its own. Raises Refused (403)."""
    if not _is_local_host(headers.get(b"host", b"")[:300]):
        raise refuse(
            403, "permission", "not_local", "without keys, requests are taken under a loopback name alone"
        )


def check_headers(exchange: Exchange) -> None:
    """Check what the headers say of the body. Raises Refused (413, 415)."""
    headers = exchange.headers
    kind = headers.get(b"content-type", b"")
    if kind != b"application/json" and kind.partition(b";")[0].strip().lower() != b"application/json":
        raise refuse(415, "invalid_request", "content_type", "the body must be sent as application/json")
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise refuse(415, "invalid_request", "content_encoding", "compressed bodies are not taken")
    coding = headers.get(b"transfer-encoding")
    if coding is not None and coding.lower() != b"chunked":
        raise refuse(400, "invalid_request", "transfer_encoding", "bodies are sent chunked or as they are")
    length = headers.get(b"content-length")
    limit = exchange.snapshot.config.max_request_bytes
    if length is not None and length.isdigit() and int(length[:20]) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> Refused:
    return refuse(
        413,
        "too_large",
        "body_too_large",
        f"the body is larger than {limit} bytes",
        headers=(("connection", "close"),),
    )


def _overfull() -> Refused:
    return refuse(
        503,
        "overloaded",
        "too_much_at_once",
        "the requests that are being answered hold as much as the gateway keeps at once",
        retry_after_s=1.0,
    )


async def read_request(exchange: Exchange, receive: Receive) -> bytes:
    """The whole body. Raises Refused (413, 503) and ClientGone."""
    services, most = exchange.services, exchange.snapshot.config.max_buffered_bytes
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    data: bytes = message.get("body", b"")
    limit = exchange.snapshot.config.max_request_bytes
    if message.get("more_body"):
        parts = [data]
        size = len(data)
        while message.get("more_body"):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            if services.buffered_bytes + size > most:
                raise _overfull()
            parts.append(part)
        data = b"".join(parts)
    if len(data) > limit:
        raise _too_large(limit)
    if services.buffered_bytes + len(data) > most:
        raise _overfull()
    exchange.buffered_bytes = len(data)
    services.buffered_bytes += len(data)
    return data


def _decode_and_check(dialect: ClientDialect, data: bytes) -> tuple[dict[str, Any], Refusal | None]:
    body = decode_body(data)
    return body, dialect.check(body)


async def understand(exchange: Exchange, data: bytes) -> None:
    """Decode the request, and find route and policy. Raises Refused (400, 403, 404)."""
    exchange.raw_digest = hashlib.sha256(data).hexdigest()
    exchange.is_large = len(data) > LARGE_BYTES
    if exchange.is_large:
        body, objection = await run_aside(_decode_and_check, exchange.dialect, data)
    else:
        body, objection = _decode_and_check(exchange.dialect, data)
    exchange.body = body
    if objection is not None:
        raise Refused(objection)
    if not _CHOOSE_THE_MODEL.isdisjoint(body):
        # which model answers was decided by key, route and label: an upstream must not be asked to decide otherwise
        name = min(_CHOOSE_THE_MODEL.intersection(body))
        message = f"{name} is not taken: the gateway alone chooses the model"
        raise refuse(400, "invalid_request", "member_refused", message, where=f"$.{name}")
    exchange.wants_stream = exchange.dialect.wants_stream(body)
    model = body["model"]
    holder = exchange.holder
    snapshot = exchange.snapshot
    route = snapshot.find_route(model)
    # the same answer for a model that is not there and one that the key may not know of
    if route is None or not may_use(holder, model):
        raise refuse(
            404, "not_found", "model_not_found", "there is no such model for this key", where="$.model"
        )
    exchange.route = route
    count_begun(exchange)
    begin_span(exchange)
    plan = snapshot.policy_for(holder, route)
    if plan is None:
        raise refuse(
            403, "policy", "policy_missing", "the policy of this key is not in force at this gateway"
        )
    exchange.plan = plan
    if plan.policy.images == "block" and exchange.dialect.count_media(body):
        raise refuse(403, "policy", "media_blocked", "the policy lets no images, audio or files pass")
