"""The gateway as a process: what it opens, how it takes a changed policy, how it ends; one worker or several."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from verilabel.errors import PolicyError, UsageError, VerilabelError
from verilabel.evidence.keys import load_key
from verilabel.gateway.access.ring import CachedKeyRing
from verilabel.gateway.access.store import KeyStore
from verilabel.gateway.administration.application import application as people_application
from verilabel.gateway.administration.services import Administration
from verilabel.gateway.approvals.deciding import Desk
from verilabel.gateway.approvals.notices import WebhookNotices
from verilabel.gateway.approvals.queue import DatabaseQueue
from verilabel.gateway.approvals.signing import DecisionLog
from verilabel.gateway.assembling import Assembly, assemble, load_configuration, retire
from verilabel.gateway.audit.record import AuditRecord
from verilabel.gateway.audit.trail import AuditTrail
from verilabel.gateway.limits.opening import open_limiter
from verilabel.gateway.pipeline.application import Application, Asgi
from verilabel.gateway.pipeline.counting import NO_ROUTE
from verilabel.gateway.pipeline.services import Services
from verilabel.gateway.policy.document import Gateway
from verilabel.gateway.policy.reading import Loaded, watched_files
from verilabel.gateway.policy.reloading import Watcher
from verilabel.gateway.telemetry.exposition import Exposition
from verilabel.gateway.telemetry.loop_watch import LoopWatch
from verilabel.gateway.telemetry.metrics import Metrics
from verilabel.gateway.telemetry.names import (
    ADMITTED,
    APPROVALS_DECIDED,
    APPROVALS_PENDING,
    AUDIT_WRITABLE,
    LIMITS_LOST,
    POLICY_RELOADS,
    SPANS_LOST,
    UPSTREAM_UP,
)
from verilabel.gateway.telemetry.tracing import Tracing, open_tracing
from verilabel.models.endpoint import is_loopback
from verilabel.registry.database import Database, open_database

CONFIG_VARIABLE = "VERILABEL_GATEWAY_CONFIG"
"""How the workers of one gateway learn its configuration."""
NOT_STARTED = 3
"""The exit status of a server, and of a worker, that could not open what it needs; uvicorn's word for it."""
PROBE_EVERY_S = 2.0
COUNT_EVERY_S = 5.0
RESTART_WORDS = (
    "host",
    "port",
    "workers",
    "auth",
    "store",
    "limits_store",
    "limits_lost",
    "audit",
    "telemetry",
    "public_hosts",
    "approvals_key",
    "approvals_log",
)
"""What is opened once, before the first request."""
WORKERS_VARIABLE = "VERILABEL_GATEWAY_WORKERS"
"""How many workers share what is counted in memory: the command may say another number than the file."""
RUN_VARIABLE = "VERILABEL_GATEWAY_RUN"
"""The folder that the workers of one run share for their metrics."""


def check_config(loaded: Loaded) -> None:
    """Check what must hold before a socket is opened. Raises PolicyError."""
    config = loaded.gateway
    if config.auth == "none" and not is_loopback(config.host):
        raise PolicyError(
            "without keys the gateway listens on this machine alone",
            where="$.auth",
            hint="auth: keys, and `verilabel gateway keys create`",
        )


def check_restart_words(old: Gateway, new: Gateway) -> None:
    """Refuse a change that a running gateway cannot follow, so that nobody takes it for being in force.

    Raises UsageError with the first such word.
    """
    for word in RESTART_WORDS:
        if getattr(old, word) != getattr(new, word):
            raise UsageError(f"a change of {word} takes a restart", where=f"$.{word}")


class Worker:
    """One worker: opens everything, keeps it fresh, closes it. `start` and `stop` belong to the lifespan."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._exit = contextlib.AsyncExitStack()
        self._assembly: Assembly | None = None
        self._services: Services | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._watcher: Watcher | None = None
        self.objection: VerilabelError | None = None
        """Why it could not be opened."""

    async def start(self) -> tuple[Services, Asgi]:
        """Open everything. Raises the errors of what cannot be opened; what was opened is closed again then."""
        try:
            return await self._start()
        except BaseException as error:
            self.objection = error if isinstance(error, VerilabelError) else None
            await self._exit.aclose()
            raise

    async def _start(self) -> tuple[Services, Asgi]:
        loaded = load_configuration(self._path)
        check_config(loaded)
        config, folder = loaded.gateway, loaded.folder
        store = config.store if "://" in config.store else folder / config.store
        database = await open_database(store)
        self._exit.push_async_callback(database.close)
        assembly = self._assembly = await assemble(loaded)
        self._exit.push_async_callback(self._close_assembly)
        workers = int(os.environ.get(WORKERS_VARIABLE, config.workers))
        limiter = open_limiter(config.limits_store, lost=config.limits_lost, workers=workers)
        await limiter.open()
        self._exit.push_async_callback(limiter.close)
        metrics = Metrics((NO_ROUTE, *(route.name for route in config.models)))
        exposition = await self._open_metrics(metrics)
        trail = AuditTrail.open(
            config.audit, folder=folder, worker=str(os.getpid()), policy=assembly.snapshot.default.digest
        )
        self._exit.callback(trail.close)
        queue, desk = await self._open_queue(loaded, database)
        keys = await KeyStore.open(database)
        ring = CachedKeyRing(keys)
        await ring.open()
        self._exit.push_async_callback(ring.close)
        services = self._services = Services(
            snapshot=assembly.snapshot,
            ring=ring if config.auth == "keys" else None,
            limiter=limiter,
            queue=queue,
            trail=trail,
            metrics=metrics,
            exposition=exposition,
            tracing=self._open_tracing(loaded),
        )
        self._watch(loaded)
        administration = Administration(
            ring=ring,
            keys=keys,
            desk=desk,
            state=self.state,
            record=self._record,
            hosts=config.public_hosts,
            any_host=not is_loopback(config.host),
        )
        return services, people_application(administration)

    async def _open_queue(self, loaded: Loaded, database: Database) -> tuple[DatabaseQueue, Desk]:
        config, folder = loaded.gateway, loaded.folder
        notices = WebhookNotices()
        self._exit.push_async_callback(notices.close)
        queue = await DatabaseQueue.open(database, notices=notices)
        self._exit.push_async_callback(queue.close)
        key = None if config.approvals_key is None else load_key(folder / config.approvals_key)
        log = (
            DecisionLog(folder / config.approvals_log, key)
            if config.approvals_log is not None and key is not None
            else None
        )
        desk = Desk(queue, key=key, log=log)
        await desk.append_waiting()
        return queue, desk

    async def _open_metrics(self, metrics: Metrics) -> Exposition:
        shared = os.environ.get(RUN_VARIABLE)
        exposition = Exposition(metrics, None if shared is None else Path(shared))
        await exposition.open()
        self._exit.push_async_callback(exposition.close)
        watch = LoopWatch(metrics)
        watch.start()
        self._exit.callback(watch.stop)
        metrics.refresh.append(self._set_gauges)
        return exposition

    def _record(self, record: AuditRecord) -> None:
        """Keep what people did, and count their votes. Raises AuditUnwritable."""
        assert self._services is not None
        self._services.trail.append(record)
        verdict = record.event.removeprefix("approval_")
        if verdict in ("approve", "deny"):
            self._services.metrics.add(APPROVALS_DECIDED, (verdict,))

    async def _keep_counting(self) -> None:
        """How many wait for people, every few seconds."""
        while True:
            if self._services is not None and isinstance(self._services.queue, DatabaseQueue):
                with contextlib.suppress(VerilabelError):
                    waiting = await self._services.queue.count_open()
                    self._services.metrics.set(APPROVALS_PENDING, waiting["pending"])
            await asyncio.sleep(COUNT_EVERY_S)

    def _set_gauges(self) -> None:
        services = self._services
        if services is None:
            return
        snapshot, metrics = services.snapshot, services.metrics
        metrics.set(AUDIT_WRITABLE, float(services.trail.is_writable))
        metrics.set(SPANS_LOST, services.tracing.lost)
        lost = getattr(services.limiter, "lost_count", 0)
        if snapshot.config.limits_lost == "share" and lost:
            metrics.set(LIMITS_LOST, lost, ("share",))
        for name, handle in snapshot.upstreams.items():
            metrics.set(UPSTREAM_UP, float(not handle.health.is_resting), (name,))
        for route in snapshot.routes:
            for target in route.targets:
                standing = snapshot.default.admission.standing(route.name, target.index)
                metrics.set(
                    ADMITTED, float(standing.admitted), (route.name, f"{target.upstream.id}#{target.index}")
                )

    def _open_tracing(self, loaded: Loaded) -> Tracing:
        tracing = open_tracing(loaded.gateway.telemetry)
        self._exit.push_async_callback(asyncio.to_thread, tracing.close)
        return tracing

    def _watch(self, loaded: Loaded) -> None:
        watcher = self._watcher = Watcher(
            self._reload, lambda: watched_files(self._path), known=loaded.digests
        )
        for task in (watcher.run(), self._keep_probing(), self._keep_counting()):
            self._exit.push_async_callback(_cancel, asyncio.create_task(task))
        with contextlib.suppress(ValueError, NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, watcher.ask)

    async def _keep_probing(self) -> None:
        """Ask resting upstreams that have a `health_path` whether they are back, before a request has to find out."""
        while True:
            await asyncio.sleep(PROBE_EVERY_S)
            if self._services is None:
                continue
            for handle in self._services.snapshot.upstreams.values():
                path = handle.written.health_path
                if path is not None and handle.health.is_resting and await handle.client.probe(path):
                    handle.health.note_success()

    async def _reload(self) -> None:
        """Put another snapshot in place; requests that are on their way end by the one they began with."""
        assert self._services is not None and self._assembly is not None
        try:
            loaded = await asyncio.to_thread(load_configuration, self._path)
            check_config(loaded)
            check_restart_words(self._services.snapshot.config, loaded.gateway)
            await self._swap(loaded)
        except Exception as error:
            self._services.metrics.add(POLICY_RELOADS, ("failed",))
            if isinstance(error, VerilabelError):
                complain(error)
            raise
        self._services.metrics.add(POLICY_RELOADS, ("ok",))

    async def _swap(self, loaded: Loaded) -> None:
        assert self._services is not None and self._assembly is not None
        old = self._assembly
        new = await assemble(loaded, before=old.snapshot)
        self._assembly = new
        self._services.snapshot = new.snapshot
        self._services.trail.policy = new.snapshot.default.digest
        task = asyncio.create_task(retire(old, new.snapshot))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    def state(self) -> dict[str, Any]:
        """How the gateway stands, for people who run it."""
        services = self._services
        if services is None:
            return {"status": "starting"}
        snapshot = services.snapshot
        return {
            "status": "leaving" if services.is_leaving else "ready",
            "worker": os.getpid(),
            "config": snapshot.digest,
            "policy": {"name": snapshot.default.name, "digest": snapshot.default.digest},
            "reload": None if self._watcher is None else msgspec.to_builtins(self._watcher.state()),
            "upstreams": {
                name: {"resting": handle.health.is_resting} for name, handle in snapshot.upstreams.items()
            },
            "models": {
                route.name: [
                    {
                        "upstream": target.upstream.id,
                        "admitted": standing.admitted,
                        "label": standing.label,
                        "reasons": list(standing.reasons),
                        "flags": list(standing.flags),
                    }
                    for target in route.targets
                    for standing in (snapshot.default.admission.standing(route.name, target.index),)
                ]
                for route in snapshot.routes
            },
        }

    async def stop(self) -> None:
        """Close everything."""
        if self._services is not None:
            self._services.is_leaving = True
        await self._exit.aclose()

    async def _close_assembly(self) -> None:
        for task in list(self._retiring):
            task.cancel()
        if self._assembly is not None:
            await self._assembly.opened.close({})


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def application() -> Application:
    """The ASGI application of the configuration that the environment names: what each worker starts."""
    worker = Worker(Path(os.environ[CONFIG_VARIABLE]))
    return Application(worker.start, worker.stop)


def run(path: Path, listener: socket.socket, *, workers: int, announce: Callable[[str], None]) -> int:
    """Serve until told to stop; `announce` gets the URL first. Returns the exit status of the server.

    What keeps the only worker from starting is raised; of several workers each says it on standard error.
    """
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    from verilabel.gateway.connection import ClientConnection

    os.environ[CONFIG_VARIABLE] = str(path.resolve())
    os.environ[WORKERS_VARIABLE] = str(workers)
    worker = Worker(path.resolve())
    config = uvicorn.Config(
        "verilabel.gateway.server:application" if workers > 1 else Application(worker.start, worker.stop),
        factory=workers > 1,
        loop="uvloop" if _has_uvloop() else "asyncio",
        http=ClientConnection,
        ws="none",
        lifespan="on",
        log_level="error" if workers > 1 else "critical",  # of one worker the error itself is shown
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=30,
        workers=workers,
    )
    host, port = listener.getsockname()[:2]
    announce(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
    if workers > 1:
        with tempfile.TemporaryDirectory(prefix="verilabel-gateway-") as shared:
            os.environ[RUN_VARIABLE] = shared
            supervisor = Multiprocess(config, sockets=[listener])
            supervisor.run()
        failed = any(process.exitcode == NOT_STARTED for process in supervisor.processes)
        return NOT_STARTED if failed else 0
    server = uvicorn.Server(config)
    try:
        server.run(sockets=[listener])
    except SystemExit:  # uvicorn ends the process itself where the start fails
        if worker.objection is None:
            raise
    if worker.objection is not None:
        raise worker.objection
    return 0 if server.started else NOT_STARTED


def _has_uvloop() -> bool:
    try:
        import uvloop  # noqa: F401
    except ImportError:
        return False
    return True


def complain(error: VerilabelError) -> None:
    """Say on standard error what keeps the gateway from starting, or a change from taking effect."""
    print(f"gateway: {error}", file=sys.stderr, flush=True)
