"""Who may do what: bearer keys with roles, names under which the service answers, and how refusals look.

There is no cookie: nothing that a browser sends by itself gives any right, so that no other page can act here (CSRF),
and a page that reaches this address under its own name (DNS rebinding) is refused by that name.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from verilabel.errors import LimitExceeded, MalformedInput, UsageError, VerilabelError
from verilabel.gateway.access.interface import Holder, Role
from verilabel.gateway.administration.services import Administration
from verilabel.gateway.approvals.deciding import VoteRefused
from verilabel.gateway.audit.record import AuditRecord
from verilabel.models.endpoint import is_loopback
from verilabel.records.canonical import parse_json
from verilabel.registry.database import DatabaseLost
from verilabel.serving import BodyRefused, read_body

MAX_BODY_BYTES = 64 * 1024
JSON_TYPE = "application/json"
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_VOTE_STATUS = {"unknown": 404, "decided": 409, "voted": 409, "own_request": 403, "role": 403}
_T = TypeVar("_T")


class ApiRefusal(Exception):
    """A request that is not carried out: an HTTP status, a stable word and a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message


class Authority:
    """Checks requests before they reach anything else."""

    def __init__(self, services: Administration) -> None:
        self._services = services

    def require(self, request: Request, *roles: Role) -> Holder:
        """The holder of the request's key, in one of the roles (none given: any). Raises ApiRefusal."""
        self.check_names(request)
        holder = self.holder_of(token_of(request))
        if roles and holder.role not in roles:
            raise ApiRefusal(403, "permission", f"a key of the role {holder.role} may not do this")
        return holder

    def holder_of(self, token: str) -> Holder:
        """The holder of a token. Raises ApiRefusal where there is none in force."""
        holder = self._services.ring.find(token)
        if holder is not None:
            return holder
        if self._services.ring.is_stale:
            raise ApiRefusal(503, "keys_unavailable", "the keys cannot be read at the moment")
        raise ApiRefusal(401, "authentication", "no key in force was given")

    def check_names(self, request: Request) -> None:
        """Check under which name the service is asked, and from which page. Raises ApiRefusal."""
        given = request.headers.getlist("host")
        if len(given) != 1 or not (self._services.any_host or self._is_own(given[0])):
            raise ApiRefusal(421, "host", "this service answers under its own name only")
        origin = request.headers.get("origin")
        if origin is not None and urlsplit_netloc(origin) != given[0].lower():
            raise ApiRefusal(403, "origin", "a page of another address may not ask this service")

    @contextmanager
    def recording(self, event: str, holder: Holder) -> Iterator[dict[str, Any]]:
        """Tell the audit trail, where there is one, of an event before it happens, and how it ended.

        What the caller puts into the mapping stands in the second record. Raises AuditUnwritable where the first cannot
        be written: then nothing happens.
        """
        event_id = f"adm_{secrets.token_hex(8)}"
        told: dict[str, Any] = {}
        self._record("begun", event_id, holder)
        try:
            yield told
        except BaseException:
            with suppress(VerilabelError):
                self._record(f"{event}_failed", event_id, holder, outcome="refused")
            raise
        self._record(event, event_id, holder, outcome="answered", status=200, **told)

    def _record(self, event: str, event_id: str, holder: Holder, **given: Any) -> None:
        if self._services.record is not None:
            now_us = time.time_ns() // 1000
            self._services.record(
                AuditRecord(event=event, id=event_id, at_us=now_us, key=holder.id, user=holder.user, **given)
            )

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return is_loopback(name) or name in self._services.hosts


def token_of(request: Request) -> str:
    """The bearer token of a request, or an empty text."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def urlsplit_netloc(origin: str) -> str:
    """The host and port of an origin, in lower case; empty where it is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


async def read_json(request: Request, kind: type[_T]) -> _T:
    """The request's body as a document of a kind. Raises ApiRefusal, MalformedInput."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON_TYPE:
        raise ApiRefusal(415, "content_type", "the body is sent as application/json")
    try:
        body = await read_body(request, MAX_BODY_BYTES)
    except BodyRefused as refused:
        raise ApiRefusal(refused.status, "body", str(refused)) from None
    try:
        document = parse_json(body, where="the body", max_bytes=MAX_BODY_BYTES)
        return msgspec.convert(document, type=kind, strict=True)
    except (msgspec.ValidationError, LimitExceeded) as error:
        raise MalformedInput(f"the body cannot be read: {error}") from None


def answer(document: Any, status: int = 200) -> Response:
    """A JSON answer that nobody keeps."""
    return Response(msgspec.json.encode(document), status, HEADERS, media_type=JSON_TYPE)


def refuse(status: int, code: str, message: str, **more: str | None) -> Response:
    """A refusal in the one form that all of them have."""
    document = {
        "error": {"code": code, "message": message} | {k: v for k, v in more.items() if v is not None}
    }
    response = answer(document, status)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


async def show_refusal(_: Request, error: Exception) -> Response:
    """A refusal or an error of the tree as an answer; nothing else reaches the client."""
    match error:
        case ApiRefusal():
            return refuse(error.status, error.code, error.message)
        case VoteRefused():
            return refuse(_VOTE_STATUS[error.why], error.why, error.message)
        case DatabaseLost():
            return refuse(503, "database_lost", "the database cannot be asked at the moment")
        case LimitExceeded():
            return refuse(429, "limit", error.message)
        case MalformedInput():
            return refuse(400, "malformed", error.message, where=error.where)
        case UsageError():
            return refuse(400, "usage", error.message, where=error.where)
        case VerilabelError():
            return refuse(500, "internal", "the request could not be carried out")
        case _:
            raise error
