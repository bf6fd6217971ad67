"""Webhooks are told what is held, without its content, and no failure of theirs stops anything."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gateway.approvals.held import action
from stores import opened
from verilabel.errors import VerilabelError
from verilabel.gateway.approvals.notices import MAX_WAITING, WebhookNotices, check_webhook
from verilabel.gateway.approvals.queue import DatabaseQueue


@contextmanager
def receiver(*statuses: int) -> Iterator[tuple[str, list[Any]]]:
    """A server that keeps what is posted to it, and answers these statuses in turn, the last for ever."""
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(statuses[min(len(got), len(statuses)) - 1])
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{http.server_address[1]}/hooks/geheim?sig=geheim", got
        finally:
            http.shutdown()


async def test_a_webhook_is_told_once_of_what_is_new_and_gets_no_content(store_url: str) -> None:
    with receiver(200) as (url, got):
        notices = WebhookNotices(link="https://gateway.example.org/verilabel/approvals")
        async with opened(store_url) as database:
            queue = await DatabaseQueue.open(database, notices=notices)
            held = await queue.hold(action(payload=b"the held reply"), webhook=url)
            await queue.hold(action(payload=b"the held reply"), webhook=url)
            await queue.hold(action("other"))
            await notices.close()
            await queue.close()
    assert (1, 0) == (notices.sent, notices.failed)
    assert [held.id] == [told["id"] for told in got]
    assert ("transfer 100 to [redacted]", ["payments: transfer"]) == (got[0]["summary"], got[0]["reason"])
    assert "held reply" not in json.dumps(got)


async def test_a_webhook_that_fails_is_tried_again_and_then_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    held = await held_one()
    with caplog.at_level(logging.WARNING), receiver(500, 302, 200) as (url, got), receiver(503) as (dead, _):
        notices = WebhookNotices(pauses_s=(0.0, 0.0))
        notices.send(url, held)
        notices.send(dead, held)
        notices.send("http://127.0.0.1:1/geheim", held)
        notices.send("http://hooks.example.org/geheim", held)
        await notices.close(patience_s=20)
    assert (1, 3, 3) == (notices.sent, notices.failed, len(got))
    assert "geheim" not in caplog.text


async def held_one() -> Any:
    """Something that is held."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        async with opened(str(Path(folder) / "x.db")) as database:
            queue = await DatabaseQueue.open(database)
            held = await queue.hold(action())
            await queue.close()
            return held


async def test_notices_that_nobody_takes_are_bounded() -> None:
    held = await held_one()
    notices = WebhookNotices(pauses_s=())
    for _ in range(MAX_WAITING + 7):
        notices.send("https://127.0.0.1:1/", held)
    assert 7 == notices.failed
    await notices.close(patience_s=0)
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    "url", ["http://hooks.example.org/x", "ftp://x/", "https://a:b@x/", "https:///x", "http://[", "hooks"]
)
def test_an_address_that_is_none_or_in_the_open_is_refused(url: str) -> None:
    with pytest.raises(VerilabelError) as caught:
        check_webhook(url)
    assert url not in str(caught.value)
