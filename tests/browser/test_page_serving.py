"""The page on loopback: under its own address and token only, with the bundle that it was started for."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bundle_factory import ISSUER, LOG, READ
from verilabel.browser.serving import LOOPBACK, PageServer, fill_shelf, page_bytes, serve_page
from verilabel.errors import UsageError
from verilabel.evidence.trust import write_trust
from verilabel.evidence.verifier import verify_bundle

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BUNDLES = Path(__file__).resolve().parents[1] / "bundles"
GOOD = BUNDLES / "good_in_one_file.zip"
Start = Callable[..., PageServer]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts servers that end with the test."""
    started: list[tuple[PageServer, threading.Thread]] = []

    def begin(bundle: Path | None, **more: Path) -> PageServer:
        server = PageServer(fill_shelf(bundle, **more))  # type: ignore[arg-type]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        started.append((server, thread))
        return server

    yield begin
    for server, thread in started:
        server.shutdown()
        thread.join()
        server.server_close()


def ask(
    server: PageServer, path: str, *, host: str | None = None, method: str = "GET"
) -> tuple[int, bytes, dict[str, str]]:
    """One request, as a program on this machine would make it."""
    connection = http.client.HTTPConnection(LOOPBACK, server.server_address[1], timeout=10)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or server.host)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.read(), dict(answer.getheaders())
    connection.close()
    return found


def test_the_page_lies_under_its_token_alone(start: Start) -> None:
    server = start(GOOD)
    status, data, headers = ask(server, server.shelf.root)
    assert (200, "text/html; charset=utf-8", "no-store") == (
        status,
        headers["Content-Type"],
        headers["Cache-Control"],
    )
    assert b"connect-src 'self'" in data
    for path in (
        "/",
        "/index.html",
        "/listing.json",
        "/0",
        f"/{server.shelf.token}",
        "/" + "x" * 43 + "/",
        server.shelf.root + "1",
    ):
        assert 404 == ask(server, path)[0], path


def test_another_host_name_is_refused(start: Start) -> None:
    server = start(GOOD)
    port = server.server_address[1]
    for host in (
        "evil.example",
        f"evil.example:{port}",
        f"localhost:{port}",
        LOOPBACK,
        f"{LOOPBACK}:{port}.evil.example",
    ):
        assert 421 == ask(server, server.shelf.root, host=host)[0], host


def test_it_listens_on_the_loopback_address_alone(start: Start) -> None:
    assert LOOPBACK == start(None).server_address[0]


def test_two_servers_never_share_a_token(start: Start) -> None:
    assert 2 == len({start(None).shelf.token, start(None).shelf.token})


def test_nothing_but_what_was_given_can_be_read(start: Start, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    server = start(GOOD)
    root = server.shelf.root
    for path in (
        f"{root}../secret.txt",
        f"{root}%2e%2e/secret.txt",
        f"{root}{tmp_path}/secret.txt",
        f"{root}0/",
        f"{root}?0",
    ):
        assert 404 == ask(server, path)[0], path
    assert 501 == ask(server, root, method="POST")[0]
    assert GOOD.read_bytes() == ask(server, f"{root}0")[1]


def test_a_folder_is_listed_as_it_is_with_its_links(start: Start) -> None:
    server = start(BUNDLES / "symlink")
    listing = json.loads(ask(server, f"{server.shelf.root}listing.json")[1])
    odd = [entry for entry in listing["entries"] if "oddity" in entry]
    assert odd and all(
        entry["oddity"].startswith("is a symbolic link") and "file" not in entry for entry in odd
    )


def test_a_file_that_is_not_there_is_named_before_anything_is_served(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        serve_page(tmp_path / "none.zip", announce=lambda _: pytest.fail("it was announced"))
    assert str(tmp_path / "none.zip") == raised.value.where


def test_a_port_that_is_taken_is_an_error_of_usage(start: Start) -> None:
    taken = start(None).server_address[1]
    with pytest.raises(UsageError, match=str(taken)):
        serve_page(None, port=taken)


def test_the_page_as_it_is_built_connects_to_nothing() -> None:
    text = page_bytes().decode()
    assert "connect-src 'none'" in text
    assert not any(word in text for word in (' src="', "@import", "url(http", ".innerHTML", "eval("))


def test_the_served_page_opens_its_bundle_and_policy_at_once(
    start: Start, chromium: Browser, tmp_path: Path
) -> None:
    (tmp_path / "trust.yaml").write_bytes(write_trust(ISSUER.public, LOG.public))
    for bundle in (GOOD, BUNDLES / "good", BUNDLES / "symlink"):
        server = start(bundle, trust=tmp_path / "trust.yaml")
        page = chromium.new_page()
        asked: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(server.url)
        page.wait_for_selector("#result .card", timeout=60_000)
        found = verify_bundle(bundle, now=READ, trust=None)
        assert ("V0" if bundle.name == "symlink" else "V2") == found.level
        assert found.sentence == page.inner_text("#sentence")
        assert all(url.startswith((server.url, f"blob:http://{server.host}/")) for url in asked)
        page.close()


def test_an_interrupt_ends_the_server_quietly() -> None:
    program = (
        "from pathlib import Path; from verilabel.browser.serving import serve_page; "
        f"serve_page(Path({str(GOOD)!r}))"
    )
    started = subprocess.Popen(
        [sys.executable, "-u", "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    url = started.stdout.readline().strip()
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert 200 == answer.status
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=30)
    assert (0, "", "") == (started.returncode, out, err)
