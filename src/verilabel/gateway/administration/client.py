"""Asking a running gateway about its approvals, from a command: blocking, bounded, with the key in one header alone."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from verilabel.errors import CheckFailed, LimitExceeded, ModelError, PolicyError, UsageError, VerilabelError
from verilabel.models.endpoint import check_base_url, is_loopback

API = "/verilabel/api"
TIMEOUT_S = 30.0
MAX_ANSWER_BYTES = 16 * 2**20
MAX_LINE_BYTES = 2**20
_BY_STATUS: dict[int, type[VerilabelError]] = {401: PolicyError, 403: PolicyError, 409: CheckFailed}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Leaves a redirect as the answer it is: a key goes only where it was meant to go."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """No request follows."""


class AdministrationClient:
    """The approvals of a gateway at an address, seen with somebody's key.

    Every method raises PolicyError where the key may not, CheckFailed where a vote comes too late, UsageError for what
    is not there, ModelError where the gateway cannot be reached.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url = check_base_url(url, has_key=True, allow_insecure=False) + API
        self._token = token
        # None: as the environment says; a proxy could not reach this machine's loopback anyway
        proxies: dict[str, str] | None = {} if is_loopback(urlsplit(url).hostname or "") else None
        self._opener = urllib.request.build_opener(_NoRedirects(), urllib.request.ProxyHandler(proxies))

    def list_approvals(self, *, states: Sequence[str] = (), limit: int = 100) -> list[dict[str, Any]]:
        """Approvals in given states, the newest first."""
        query = urlencode([*(("state", state) for state in states), ("limit", limit)])
        told: list[dict[str, Any]] = self._ask(f"/approvals?{query}")["approvals"]
        return told

    def show_approval(self, approval: str) -> dict[str, Any]:
        """One approval; only its state where the key asked for it and decides nothing."""
        return self._ask(f"/approvals/{quote(approval, safe='')}")

    def decide(self, approval: str, *, verdict: str, reason: str) -> dict[str, Any]:
        """Vote; the approval as it stands after it."""
        return self._ask(
            f"/approvals/{quote(approval, safe='')}/decision", {"verdict": verdict, "reason": reason}
        )

    def follow(self) -> Iterator[dict[str, Any]]:
        """Every change from now on, until the gateway ends the stream."""
        with self._open("/approvals/stream", None, timeout_s=60.0) as stream:
            while line := self._read_line(stream):
                if line.startswith(b"data: "):
                    change: dict[str, Any] = json.loads(line[6:])
                    yield change

    def _read_line(self, stream: Any) -> bytes:
        try:
            line: bytes = stream.readline(MAX_LINE_BYTES)
        except (OSError, http.client.HTTPException):
            raise ModelError("the gateway broke off", where=self._url) from None
        if len(line) == MAX_LINE_BYTES:
            raise LimitExceeded("the gateway's answer is too large", where=self._url)
        return line

    def _ask(self, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
        with self._open(path, body, timeout_s=TIMEOUT_S) as response:
            try:
                data = response.read(MAX_ANSWER_BYTES + 1)
                document = json.loads(data[:MAX_ANSWER_BYTES])
            except (OSError, http.client.HTTPException, ValueError, RecursionError):
                raise ModelError("the gateway's answer cannot be read", where=self._url) from None
        if not isinstance(document, dict):
            raise ModelError("this is not the answer of a gateway", where=self._url)
        return document

    def _open(self, path: str, body: dict[str, str] | None, *, timeout_s: float) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "User-Agent": "verilabel"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        # `check_base_url` lets http and https pass alone
        request = urllib.request.Request(self._url + path, data, headers)  # noqa: S310
        try:
            return self._opener.open(request, timeout=timeout_s)
        except urllib.error.HTTPError as error:
            with error:
                raise self._error_of(error) from None
        except (OSError, http.client.HTTPException):
            raise ModelError(
                "the gateway cannot be reached", where=self._url, hint="is it running, at this address?"
            ) from None

    def _error_of(self, error: urllib.error.HTTPError) -> VerilabelError:
        try:
            told = json.loads(error.read(MAX_LINE_BYTES))["error"]
            message = str(told["message"])[:500]
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError, RecursionError):
            message = f"the gateway answered {error.code}"
        kind = _BY_STATUS.get(error.code, ModelError if error.code >= 500 else UsageError)
        return kind(message, where=self._url)
