"""Fetching a pack: one bounded request by https, or from this machine, and no redirects.

What comes back is held against the pinned digest before it is kept; nothing about the server is believed.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from verilabel.errors import LimitExceeded, PolicyError, UsageError
from verilabel.gateway.policy.packing import MAX_PACK_BYTES
from verilabel.models.endpoint import is_loopback

TIMEOUT_S = 30.0
_CHUNK_BYTES = 2**16


def fetch_pack(source: str, *, timeout_s: float = TIMEOUT_S) -> bytes:
    """The bytes of a pack at a URL or in a file.

    Raises UsageError where there is none or nobody answers in time, PolicyError for plain http to another machine,
    LimitExceeded beyond MAX_PACK_BYTES.
    """
    if "://" in source:
        return _fetch(_check_url(source), timeout_s)
    try:
        with Path(source).open("rb") as file:
            data = file.read(MAX_PACK_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise UsageError("there is no such pack", where=source) from None
    return _bounded(data, source)


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.fragment:
        raise UsageError("not the address of a pack", where=url[:200], hint="https://HOST/PATH")
    if parts.username is not None or any(char.isspace() or not char.isprintable() for char in url):
        raise UsageError("the pack's address holds credentials or spaces", hint="https://HOST/PATH")
    if parts.scheme == "http" and not is_loopback(host):
        raise PolicyError("plain http to another machine", where=url, hint="use https")
    return url


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Leaves a redirect as the answer it is."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """No request follows."""


def _fetch(url: str, timeout_s: float) -> bytes:
    # `_check_url` lets http and https pass alone
    request = urllib.request.Request(  # noqa: S310
        url, headers={"User-Agent": "verilabel", "Accept-Encoding": "identity"}
    )
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
    if is_loopback(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout_s) as response:
            return _read(response, url, time.monotonic() + timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        hint = "redirects are not followed: give the address it leads to" if 300 <= error.code < 400 else None
        raise UsageError(f"the server answers {error.code}", where=url, hint=hint) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise UsageError(
            f"no answer: {reason}", where=url, hint="is the address right, and reachable?"
        ) from None


def _read(response: Any, url: str, deadline: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while chunk := response.read1(_CHUNK_BYTES):
        parts.append(chunk)
        size += len(chunk)
        if size > MAX_PACK_BYTES:
            break
        if time.monotonic() > deadline:
            raise TimeoutError("the answer takes too long")
    return _bounded(b"".join(parts), url)


def _bounded(data: bytes, where: str) -> bytes:
    if len(data) > MAX_PACK_BYTES:
        raise LimitExceeded(f"a pack has at most {MAX_PACK_BYTES} bytes", where=where)
    return data
