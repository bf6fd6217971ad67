"""Serves the verifier's page on this machine alone, with a bundle beside it if one is given.

The page is one file that holds everything it needs. What is served lies under a path that nobody can guess and that
ends with this process; requests under another host name are refused, so that no website can reach in by pointing its
own name here (DNS rebinding). The page may then read from this server, and from nowhere else.
"""

from __future__ import annotations

import json
import secrets
import shutil
import webbrowser
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

from verilabel.errors import UsageError
from verilabel.evidence.layout import MAX_FILES

LOOPBACK = "127.0.0.1"
_CLOSED = "connect-src 'none'"
_SERVED = '<meta name="verilabel-served" content="">'
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_TIMEOUT_S = 30


def page_bytes() -> bytes:
    """The page as it is built: one HTML file that opens no connection. It can be saved and opened from a disk."""
    return (files("verilabel.browser") / "data" / "verifier.html").read_bytes()


@dataclass
class Shelf:
    """What the server gives out: paths below the token, each a file or bytes in memory."""

    token: str
    listing: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def root(self) -> str:
        """The path under which everything lies."""
        return f"/{self.token}/"

    def add(self, path: Path) -> str:
        """Give a file out; the word under which it is found."""
        word = str(len(self.files))
        self.files[word] = path
        return word

    def page(self) -> bytes:
        """The page, told where its files are and allowed to read them, and nothing else."""
        text = page_bytes().decode("utf-8")
        if text.count(_CLOSED) != 1 or text.count(_SERVED) != 1:
            raise UsageError("the page that came with this program is not whole", hint="install it again")
        text = text.replace(_CLOSED, "connect-src 'self'")
        return text.replace(_SERVED, _SERVED.replace('""', f'"{self.root}"')).encode("utf-8")


def fill_shelf(bundle: Path | None, *, trust: Path | None = None, statements: Sequence[Path] = ()) -> Shelf:
    """What is to be served. Raises UsageError for a file that is not there, or a folder with too many."""
    shelf = Shelf(secrets.token_urlsafe(32))
    if bundle is not None:
        shelf.listing = {"name": bundle.name or "bundle", **_list_bundle(shelf, bundle)}
    if trust is not None:
        shelf.listing["trust"] = _list_file(shelf, trust)
    shelf.listing["statements"] = [_list_file(shelf, path) for path in statements]
    return shelf


def _list_file(shelf: Shelf, path: Path) -> dict[str, str]:
    if not path.is_file():
        raise UsageError("there is no such file", where=str(path))
    return {"name": path.name, "file": shelf.add(path)}


def _list_bundle(shelf: Shelf, bundle: Path) -> dict[str, Any]:
    if bundle.is_symlink() or not (bundle.is_file() or bundle.is_dir()):
        raise UsageError("no bundle here", where=str(bundle))
    if bundle.is_file():
        return {"zip": shelf.add(bundle)}
    entries: list[dict[str, str]] = []
    _list_folder(shelf, bundle, "", entries)
    return {"entries": entries}


def _list_folder(shelf: Shelf, folder: Path, prefix: str, entries: list[dict[str, str]]) -> None:
    """The folder's entries as they are, odd ones too: what to say of them is the page's part."""
    found = sorted(folder.iterdir())
    if prefix and not found:
        entries.append({"path": prefix[:-1], "oddity": "is an empty folder; a bundle has none"})
    for entry in found:
        path = prefix + entry.name
        if len(entries) > MAX_FILES:
            raise UsageError(f"more than {MAX_FILES} files: not a bundle", where=str(folder))
        if entry.is_symlink():
            entries.append({"path": path, "oddity": "is a symbolic link; a bundle has none"})
        elif entry.is_dir():
            _list_folder(shelf, entry, path + "/", entries)
        elif entry.is_file():
            entries.append({"path": path, "file": shelf.add(entry)})
        else:
            entries.append({"path": path, "oddity": "is neither a file nor a folder"})


class _Handler(BaseHTTPRequestHandler):
    """Answers GET for the page, the listing and the listed files; everything else is refused."""

    server: PageServer
    server_version = "verilabel"
    sys_version = ""
    timeout = _TIMEOUT_S

    def do_GET(self) -> None:
        """Answer one request."""
        shelf = self.server.shelf
        if self.headers.get_all("Host") != [self.server.host]:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "this server answers under its own address only")
        elif not self.path.startswith(shelf.root):
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            self._answer(shelf, self.path.removeprefix(shelf.root))

    def _answer(self, shelf: Shelf, word: str) -> None:
        if word == "":
            self._send(shelf.page(), "text/html; charset=utf-8")
        elif word == "listing.json":
            self._send(json.dumps(shelf.listing).encode("utf-8"), "application/json")
        elif word in shelf.files:
            self._send_file(shelf.files[word])
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _send_head(self, size: int, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size))
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, data: bytes, kind: str) -> None:
        self._send_head(len(data), kind)
        self.wfile.write(data)

    def _send_file(self, path: Path) -> None:
        try:
            file = path.open("rb")
        except OSError:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with file:
            size = file.seek(0, 2)
            file.seek(0)
            self._send_head(size, "application/octet-stream")
            with suppress(ConnectionError):  # the reader may turn away
                shutil.copyfileobj(file, self.wfile, 1 << 20)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged: the token stands in every path."""


class PageServer(ThreadingHTTPServer):
    """A server of one page, on the loopback address and a port of the system's choice (or `port`)."""

    daemon_threads = True

    def __init__(self, shelf: Shelf, *, port: int = 0) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.shelf = shelf

    @property
    def host(self) -> str:
        """The only `Host` that is answered."""
        return f"{LOOPBACK}:{self.server_address[1]}"

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{self.host}{self.shelf.root}"


def serve_page(
    bundle: Path | None,
    *,
    trust: Path | None = None,
    statements: Sequence[Path] = (),
    port: int = 0,
    opens_browser: bool = False,
    announce: Callable[[str], None] = print,
) -> None:
    """Serve the page until the process is interrupted (Ctrl-C), which ends it quietly.

    `announce` is given the page's address once; `opens_browser` opens the user's browser at it. Raises UsageError
    where a file is missing or the port is taken.
    """
    shelf = fill_shelf(bundle, trust=trust, statements=statements)
    shelf.page()  # a page that is not whole is found before anybody is told of it
    try:
        server = PageServer(shelf, port=port)
    except OSError as error:
        raise UsageError(f"port {port} cannot be used: {error.strerror}", hint="leave --port out") from None
    with server, suppress(KeyboardInterrupt):
        announce(server.url)
        if opens_browser:
            webbrowser.open(server.url)
        server.serve_forever(poll_interval=0.1)


__all__ = ["PageServer", "Shelf", "fill_shelf", "page_bytes", "serve_page"]
