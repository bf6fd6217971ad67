"""A served administration for tests: a real server in a thread of its own, over a store of its own."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import uvicorn

from gateway.approvals.held import KEY, action
from verilabel.gateway.access.interface import Role
from verilabel.gateway.access.ring import CachedKeyRing
from verilabel.gateway.access.store import KeyStore, KeyWish
from verilabel.gateway.administration.application import application
from verilabel.gateway.administration.services import Administration
from verilabel.gateway.approvals.deciding import Desk
from verilabel.gateway.approvals.interface import Approval
from verilabel.gateway.approvals.queue import DatabaseQueue
from verilabel.gateway.audit.record import AuditRecord
from verilabel.registry.database import open_database
from verilabel.serving import listen

T = TypeVar("T")
PEOPLE: dict[str, Role] = {
    "asker": "user",
    "second": "user",
    "reviewer": "approver",
    "colleague": "approver",
    "auditor": "auditor",
    "admin": "admin",
}


@dataclass
class Served:
    """A running administration, and a key for each of `PEOPLE`."""

    url: str
    services: Administration
    loop: asyncio.AbstractEventLoop
    tokens: dict[str, str]
    key_ids: dict[str, str]
    recorded: list[AuditRecord] = field(default_factory=list)

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run something in the server's own loop."""
        return asyncio.run_coroutine_threadsafe(work(), self.loop).result(30)

    def hold(self, word: object = "x", **given: Any) -> Approval:
        """Hold an action of asker's."""
        settings = {"requester": "asker", "key": self.key_ids["asker"]} | given
        return self.run(lambda: self.services.desk.queue.hold(action(word, **settings)))

    def ask(
        self, path: str, *, by: str | None = None, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """The status and the document that somebody's request gets."""
        sent = {"Authorization": f"Bearer {self.tokens.get(by, by)}"} if by else {}
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        request = urllib.request.Request(self.url + path, data, sent | (headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"{}")


@contextmanager
def administration(url: str, **settings: Any) -> Iterator[Served]:
    """A served administration over the store at `url`."""
    ready: list[Served] = []
    started, stop = threading.Event(), threading.Event()

    async def run() -> None:
        database = await open_database(url)
        keys = await KeyStore.open(database)
        made = {
            user: await keys.create(KeyWish(name=user, role=role), by="test") for user, role in PEOPLE.items()
        }
        ring = CachedKeyRing(keys)
        await ring.open()
        queue = await DatabaseQueue.open(database)
        recorded: list[AuditRecord] = []
        services = Administration(
            ring=ring, keys=keys, desk=Desk(queue, key=KEY), record=recorded.append, **settings
        )
        listener = listen("127.0.0.1", 0)
        server = uvicorn.Server(
            uvicorn.Config(application(services), log_level="critical", lifespan="off", ws="none")
        )
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        ready.append(
            Served(
                f"http://127.0.0.1:{listener.getsockname()[1]}",
                services,
                asyncio.get_running_loop(),
                {user: key.token for user, key in made.items()},
                {user: key.record.holder.id for user, key in made.items()},
                recorded,
            )
        )
        started.set()
        await asyncio.to_thread(stop.wait)
        server.should_exit = server.force_exit = True
        await queue.close()
        await ring.close()
        await serving
        await database.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert started.wait(60)
    try:
        yield ready[0]
    finally:
        stop.set()
        thread.join(20)
