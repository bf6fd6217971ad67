"""A local log over HTTP: its tiles as C2SP tlog-tiles names them, and `POST /add` for new entries.

Entries that wait at the same time are appended in one transaction under one new checkpoint, by one thread; witnesses
are asked once for all of them. An answer is given after the entries are on the disk.
"""

from __future__ import annotations

import asyncio
import gzip
import queue
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from verilabel.errors import MalformedInput, UsageError, VerilabelError
from verilabel.evidence.log import MAX_ENTRY_BYTES, Entry, LocalLog, parse_entry
from verilabel.evidence.note import Proof
from verilabel.serving import BodyRefused, read_body, refuses_writer
from verilabel.transparency.local_tiles import LocalTiles
from verilabel.transparency.tiles import CHECKPOINT_PATH, KEY_PATH, parse_tile_path

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

PROOF_TYPE = "text/plain; charset=utf-8"
MAX_BATCH = 256
MAX_WAITING = 4096
_FOREVER = "public, max-age=31536000, immutable"
_SHORTLY = "no-cache, max-age=0"


class BatchLog(Protocol):
    """A log that appends several entries at once."""

    def append_all(self, entries: Sequence[Entry]) -> list[Proof]:
        """Add entries, all or none."""

    def close(self) -> None:
        """Let go of the log."""


class Appender:
    """The one thread that appends: what waits together is appended together."""

    def __init__(self, open_log: Callable[[], BatchLog]) -> None:
        self._waiting: queue.Queue[tuple[Entry, Future[Proof]] | None] = queue.Queue(MAX_WAITING)
        self._thread = threading.Thread(target=self._run, args=(open_log,), name="log appender", daemon=True)
        self._thread.start()

    def submit(self, entry: Entry) -> Future[Proof]:
        """Have an entry appended. Raises UsageError where too many wait already."""
        future: Future[Proof] = Future()
        try:
            self._waiting.put_nowait((entry, future))
        except queue.Full:
            raise UsageError("too many entries wait to be logged") from None
        return future

    def close(self) -> None:
        """Append what waits, and stop."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self, open_log: Callable[[], BatchLog]) -> None:
        log: BatchLog | None = None
        stopping = False
        while not stopping:
            batch, stopping = self._gather()
            if not batch:
                continue
            try:
                log = open_log() if log is None else log
                proofs = log.append_all([entry for entry, _ in batch])
            except Exception as error:  # every waiting caller must hear of it; the thread lives on
                for _, future in batch:
                    future.set_exception(error)
            else:
                for (_, future), proof in zip(batch, proofs, strict=True):
                    future.set_result(proof)
        if log is not None:
            log.close()

    def _gather(self) -> tuple[list[tuple[Entry, Future[Proof]]], bool]:
        """All that waits, at least one item, without those whose caller has gone; and whether to stop after it."""
        batch: list[tuple[Entry, Future[Proof]]] = []
        item = self._waiting.get()
        while item is not None:
            if item[1].set_running_or_notify_cancel():
                batch.append(item)
            if len(batch) == MAX_BATCH:
                return batch, False
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True


class LogService:
    """The handlers of a log's server. `open_log` opens the log for appending, in the thread that appends."""

    def __init__(self, folder: Path, open_log: Callable[[], BatchLog], token: str | None) -> None:
        self._folder = folder
        self._token = token
        self._appender = Appender(open_log)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="log reader")
        self._log = self._reader.submit(LocalLog.open, folder).result()

    def application(self) -> Starlette:
        """The ASGI application."""
        from starlette.applications import Starlette
        from starlette.routing import Route

        return Starlette(
            routes=[
                Route(f"/{CHECKPOINT_PATH}", self.show_checkpoint),
                Route(f"/{KEY_PATH}", self.show_key),
                Route("/add", self.add, methods=["POST"]),
                Route("/tile/{path:path}", self.show_tile),
            ]
        )

    def close(self) -> None:
        """Append what waits, and let go of the log."""
        self._appender.close()
        self._reader.submit(self._log.close).result()
        self._reader.shutdown()

    async def show_checkpoint(self, _: Request) -> Response:
        """`GET /checkpoint`."""
        return await self._answer(self._log.checkpoint_note, "text/plain; charset=utf-8", _SHORTLY)

    async def show_key(self, _: Request) -> Response:
        """`GET /log.vkey`: for a first meeting."""
        return await self._answer(self._log.public_key.file_bytes, "text/plain; charset=utf-8", _SHORTLY)

    async def show_tile(self, request: Request) -> Response:
        """`GET /tile/...`: a hash tile or entry bundle that is complete."""
        try:
            tile = parse_tile_path(f"tile/{request.path_params['path']}")
        except MalformedInput as error:
            return _refuse(404, error.message)
        source = LocalTiles(self._log)
        packed = tile.level == "entries" and "gzip" in request.headers.get("accept-encoding", "")

        def read() -> bytes | None:
            if not source.exists(tile):
                return None
            data = source.tile(tile)
            return gzip.compress(data, mtime=0) if packed else data

        return await self._answer(read, "application/octet-stream", _FOREVER, packed=packed)

    async def add(self, request: Request) -> Response:
        """`POST /add`: log one entry, and answer its proof once it is on the disk."""
        from starlette.responses import Response

        if (objection := refuses_writer(request.headers, self._token)) is not None:
            return _refuse(401 if self._token else 403, objection)
        # A web page may post text to this machine unasked, but not this type.
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _refuse(415, "an entry is sent as application/json")
        try:
            entry = parse_entry(await read_body(request, MAX_ENTRY_BYTES))
            proof = await asyncio.wrap_future(self._appender.submit(entry))
        except BodyRefused as refused:
            return _refuse(refused.status, str(refused))
        except MalformedInput as error:
            return _refuse(400, str(error))
        except UsageError as error:
            return _refuse(503, error.message)
        except (VerilabelError, OSError) as error:
            return _fail(error)
        return Response(proof.bytes(), media_type=PROOF_TYPE, headers={"Cache-Control": "no-store"})

    async def _answer(
        self, read: Callable[[], bytes | None], media_type: str, caching: str, *, packed: bool = False
    ) -> Response:
        from starlette.responses import Response

        try:
            data = await asyncio.get_running_loop().run_in_executor(self._reader, read)
        except (VerilabelError, OSError) as error:
            return _fail(error)
        if data is None:
            return _refuse(404, "the log is not that large")
        headers = {"Cache-Control": caching, "X-Content-Type-Options": "nosniff"}
        if packed:
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return Response(data, media_type=media_type, headers=headers)


def _refuse(status: int, message: str) -> Response:
    from starlette.responses import PlainTextResponse

    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return PlainTextResponse(f"{message}\n", status_code=status, headers=headers)


def _fail(error: Exception) -> Response:
    """What is wrong with the log is for its keeper: it may name files."""
    print(f"error: {error}", file=sys.stderr, flush=True)
    return _refuse(500, "the log cannot answer; its keeper's messages say why")
