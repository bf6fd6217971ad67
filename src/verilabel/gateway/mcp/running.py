"""The MCP gateway as a process: everything it opens, over stdio for one client or over HTTP for many, until it ends."""

from __future__ import annotations

import asyncio
import getpass
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from verilabel.errors import MalformedInput, PolicyError, UsageError, VerilabelError
from verilabel.evidence.trust import TrustPolicy
from verilabel.gateway.access.interface import Holder
from verilabel.gateway.access.ring import CachedKeyRing
from verilabel.gateway.access.store import KeyStore
from verilabel.gateway.administration.application import application as people_application
from verilabel.gateway.administration.services import Administration
from verilabel.gateway.approvals.deciding import Desk
from verilabel.gateway.approvals.notices import WebhookNotices
from verilabel.gateway.approvals.queue import DatabaseQueue
from verilabel.gateway.audit.trail import AuditTrail
from verilabel.gateway.connection import ClientConnection
from verilabel.gateway.limits.opening import open_limiter
from verilabel.gateway.mcp.own_pipes import own_streams
from verilabel.gateway.mcp.pins.interface import Pins
from verilabel.gateway.mcp.pins.locking import open_pins
from verilabel.gateway.mcp.policy.document import McpGateway, ToolPolicy
from verilabel.gateway.mcp.policy.filtering import compile_results
from verilabel.gateway.mcp.policy.provenance import fold_text
from verilabel.gateway.mcp.policy.reading import LoadedMcp, load_mcp_file
from verilabel.gateway.mcp.relay.services import Boundary, Principal, Services
from verilabel.gateway.mcp.relay.serving import make_server
from verilabel.gateway.mcp.relay.sessions import Sessions
from verilabel.gateway.mcp.relay.telemetry import Telemetry, start_export
from verilabel.gateway.mcp.relay.web import Door, principal_of
from verilabel.gateway.mcp.upstream.pool import Pool
from verilabel.gateway.policy.reloading import Watcher
from verilabel.models.endpoint import is_loopback
from verilabel.registry.database import open_database
from verilabel.serving import listen

ROLES = ("user", "approver", "auditor", "admin")
SERVICE = "verilabel-mcp-gateway"
"""The service that spans are from, unless OTEL_SERVICE_NAME says otherwise."""


def check_mcp(loaded: LoadedMcp) -> None:
    """Check what must hold before anything starts. Raises PolicyError, MalformedInput."""
    where = loaded.gateway.listen
    if where.transport == "http" and where.auth == "none" and not is_loopback(where.host):
        raise PolicyError(
            "without keys the gateway listens on this machine alone",
            where="$.listen.auth",
            hint="auth: keys, and `verilabel gateway keys create --store FILE` with the file's `database`",
        )
    check_approvers(loaded.policy.policy)


def check_approvers(policy: ToolPolicy) -> None:
    """Check that who is to approve is a role that keys can have. Raises MalformedInput."""
    tools = [(f"$.tools[{i}]", rule.approvers) for i, rule in enumerate(policy.tools)]
    flows = [(f"$.flows[{i}]", rule.approvers) for i, rule in enumerate(policy.flows)]
    for place, approvers in tools + flows:
        for name in approvers:
            if name not in ROLES:
                raise MalformedInput(
                    f"{name!r} is no role of a key",
                    where=f"{place}.approvers",
                    hint=f"one of {', '.join(ROLES)}",
                )


def open_all_pins(loaded: LoadedMcp, trust: TrustPolicy | None) -> dict[str, Pins]:
    """The locks of all servers; remarks go to standard error. A lock that cannot be used closes its server."""
    pins: dict[str, Pins] = {}
    for name, entry in loaded.gateway.servers.items():
        opened = open_pins(entry, name, folder=loaded.folder, trust=trust, closed=True)
        pins[name] = opened.pins
        for remark in opened.remarks:
            print(f"mcp gateway: {remark.where}: {remark.message}", file=sys.stderr)
    return pins


def check_same_house(old: McpGateway, new: McpGateway) -> None:
    """Refuse a change that a running gateway cannot follow: only the policy can be replaced. Raises UsageError."""
    for name in McpGateway.__struct_fields__:
        if name != "policy" and getattr(old, name) != getattr(new, name):
            raise UsageError(f"a change of {name} takes a restart", where=f"$.{name}")


def boundary_of(loaded: LoadedMcp) -> Boundary:
    """The policy of a file, made ready."""
    policy = loaded.policy.policy
    return Boundary(policy, loaded.compile(), compile_results(policy.results))


class Gateway:
    """Everything that one gateway opens. Use as an asynchronous context; `services` is there within."""

    def __init__(self, loaded: LoadedMcp, *, prompt: str = "") -> None:
        check_mcp(loaded)
        self.loaded = loaded
        self.ring: CachedKeyRing | None = None
        self.keys: KeyStore | None = None
        self._prompt = prompt
        self._stack = AsyncExitStack()
        self._services: Services | None = None
        self._watcher: Watcher | None = None

    @property
    def services(self) -> Services:
        """What calls work with."""
        assert self._services is not None, "the gateway is open"
        return self._services

    async def __aenter__(self) -> Gateway:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _open(self) -> None:
        loaded, config = self.loaded, self.loaded.gateway
        place = config.database
        database = await open_database(place if "://" in place else str(loaded.folder / place))
        self._stack.push_async_callback(database.close)
        notices = WebhookNotices()
        self._stack.push_async_callback(notices.close)
        queue = await DatabaseQueue.open(database, notices=notices)
        self._stack.push_async_callback(queue.close)
        limiter = open_limiter("memory", lost="block", workers=1)
        await limiter.open()
        self._stack.push_async_callback(limiter.close)
        settings = msgspec.structs.replace(config.audit, content=config.keep_content)
        trail = AuditTrail.open(
            settings, folder=loaded.folder, worker=str(os.getpid()), policy=loaded.policy.digest
        )
        self._stack.callback(trail.close)
        self.keys = await KeyStore.open(database)
        self.ring = CachedKeyRing(self.keys)
        await self.ring.open()
        self._stack.push_async_callback(self.ring.close)
        # a process that serves one client is one session, which ends with it; on HTTP sessions outlive processes
        sessions = Sessions(None if config.listen.transport == "stdio" else database)
        await sessions.open()
        pool = Pool(config.servers, open_all_pins(loaded, loaded.trust))
        self._stack.push_async_callback(pool.close)
        self._services = Services(
            config=config,
            boundary=boundary_of(loaded),
            pool=pool,
            sessions=sessions,
            queue=queue,
            desk=Desk(queue),
            limiter=limiter,
            trail=trail,
            telemetry=Telemetry(draft=os.environ.get("VERILABEL_SEMCONV") == "genai-draft-427"),
        )
        self._watch()

    def _watch(self) -> None:
        known = {self.loaded.path: self.loaded.digest}
        if self.loaded.policy.path is not None:
            known[self.loaded.policy.path] = self.loaded.policy.digest
        self._watcher = Watcher(self._reload, lambda: self.loaded.files, known=known)
        watching = asyncio.create_task(self._watcher.run(), name="mcp policy")
        self._stack.callback(watching.cancel)

    async def _reload(self) -> None:
        """Put a changed policy in force, or keep the last good one and say why."""
        try:
            loaded = await asyncio.to_thread(load_mcp_file, self.loaded.path)
            check_mcp(loaded)
            check_same_house(self.loaded.gateway, loaded.gateway)
        except VerilabelError as error:
            print(f"mcp gateway: the last good policy stays in force: {error}", file=sys.stderr, flush=True)
            raise
        self.loaded = loaded
        self.services.boundary = boundary_of(loaded)
        self.services.trail.policy = loaded.policy.digest

    async def serve_stdio(self) -> None:
        """Serve the client that started this process, until it closes the connection."""
        user = getpass.getuser()
        identity = f"stdio:{secrets.token_hex(6)}"
        principal = Principal(
            holder=Holder(id=identity, name="stdio", user=f"local:{user}"), identity=identity
        )
        if self._prompt:
            session = await self.services.sessions.of(identity)
            session.prompt = fold_text(self._prompt)
        server = make_server(self.services, lambda _: principal)
        async with own_streams() as (read_stream, write_stream):
            await server.run(read_stream, write_stream, server.create_initialization_options())

    def door(self, port: int) -> Door:
        """The gateway as an ASGI application."""
        where = self.loaded.gateway.listen
        assert self.ring is not None and self.keys is not None, "the gateway is open"
        administration = Administration(
            ring=self.ring,
            keys=self.keys,
            desk=self.services.desk,
            state=self.state,
            record=self.services.trail.append,
            hosts=where.allowed_hosts,
            any_host=not is_loopback(where.host),
        )
        return Door(
            make_server(self.services, principal_of),
            people_application(administration),
            ring=self.ring if where.auth == "keys" else None,
            hosts=where.allowed_hosts,
            port=port,
        )

    def state(self) -> dict[str, Any]:
        """How the gateway stands, for people who run it."""
        policy = self.services.boundary.policy
        return {
            "status": "ready",
            "policy": {"name": policy.name, "digest": policy.digest},
            "reload": None if self._watcher is None else msgspec.to_builtins(self._watcher.state()),
            "servers": sorted(self.loaded.gateway.servers),
        }


async def run_stdio(path: Path, *, prompt: str = "") -> None:
    """Serve one client over standard input and output. Raises the errors of what cannot be opened."""
    end_export = start_export(os.environ, SERVICE)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, end_export)
        gateway = await stack.enter_async_context(Gateway(load_mcp_file(path), prompt=prompt))
        await gateway.serve_stdio()


async def run_http(path: Path, listener: socket.socket, *, announce: Callable[[str], None]) -> None:
    """Serve over streamable HTTP until told to stop; `announce` gets the URL first."""
    import uvicorn

    host, port = listener.getsockname()[:2]
    end_export = start_export(os.environ, SERVICE)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, end_export)
        gateway = await stack.enter_async_context(Gateway(load_mcp_file(path)))
        config = uvicorn.Config(
            gateway.door(port),
            http=ClientConnection,
            ws="none",
            lifespan="on",
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=10,
            limit_concurrency=2_000,
        )
        announce(f"http://[{host}]:{port}/mcp" if ":" in host else f"http://{host}:{port}/mcp")
        with _holding_signals() as raised:
            await uvicorn.Server(config).serve(sockets=[listener])
    for number in raised:
        signal.raise_signal(number)


@contextmanager
def _holding_signals() -> Iterator[list[int]]:
    """Hold what asks the process to end until everything is closed; gives the numbers that came.

    The server ends orderly at a signal and then raises it again, which would end the process before the gateway did.
    """
    raised: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield raised
        return
    before = {
        number: signal.signal(number, lambda came, _: raised.append(came))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield raised
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_gateway(path: Path, *, prompt: str = "", port: int | None = None) -> None:
    """Serve as the file says; with `port` over HTTP. Raises the errors of what cannot be opened."""
    loaded = load_mcp_file(path)
    where = loaded.gateway.listen
    if where.transport == "stdio" and port is None:
        asyncio.run(run_stdio(path, prompt=prompt))
        return
    check_mcp(loaded)
    listener = listen(where.host, where.port if port is None else port)
    asyncio.run(run_http(path, listener, announce=_announce))


def _announce(url: str) -> None:
    print(f"MCP gateway on {url}", file=sys.stderr, flush=True)
