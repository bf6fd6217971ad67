"""Fetching a suite's data: plain https, or one file of a Hugging Face repository at a full commit."""

from __future__ import annotations

import ipaddress
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from verilabel.errors import LimitExceeded, MissingExtra, UsageError
from verilabel.suites.format import DataSource, HubFile
from verilabel.suites.readers import MAX_DATA_BYTES

if TYPE_CHECKING:
    import aiohttp

TIMEOUT_SECONDS = 300
CHUNK_BYTES = 2**16
MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


class NotServed(UsageError):
    """The server answered, with another status than 200: `http_status`."""

    def __init__(self, url: str, http_status: int) -> None:
        super().__init__(f"the server answers {http_status}", where=url)
        self.http_status = http_status


def download_data(source: DataSource, *, limit: int = MAX_DATA_BYTES) -> bytes:
    """The bytes behind a data source's `url` or `hf`, unchecked: the caller compares the digest.

    Raises UsageError if they cannot be fetched, LimitExceeded beyond `limit` bytes, MissingExtra without the
    package that fetches them.
    """
    if source.hf is not None:
        return _fetch_hub_file(source.hf, limit)
    return fetch_bytes(source.url, limit=limit)


def fetch_bytes(url: str, *, limit: int) -> bytes:
    """The body of one GET (see `fetch_url`), for callers outside an event loop."""
    import asyncio

    return asyncio.run(fetch_url(url, limit=limit))


async def fetch_url(url: str, *, limit: int) -> bytes:
    """The body of one GET. Redirects are followed by `follow_redirect`; what is trusted is a digest, not the host.

    Raises NotServed for a status other than 200, UsageError where nothing answers, LimitExceeded beyond `limit` bytes,
    MissingExtra without aiohttp.
    """
    import asyncio

    try:
        import aiohttp
    except ImportError:
        raise MissingExtra("aiohttp", "eval") from None
    try:
        async with (
            asyncio.timeout(TIMEOUT_SECONDS),
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), trust_env=True) as session,
        ):
            place = url
            for _ in range(MAX_REDIRECTS + 1):
                async with session.get(place, allow_redirects=False) as response:
                    if response.status in _REDIRECTS and "Location" in response.headers:
                        place = follow_redirect(place, response.headers["Location"])
                        continue
                    if response.status != 200:
                        raise NotServed(url, response.status)
                    return await _read_bounded(response, limit, url)
            raise UsageError(f"more than {MAX_REDIRECTS} redirects", where=url)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UsageError(
            f"cannot be fetched: {error or type(error).__name__}", where=url, hint="is the network reachable?"
        ) from error


async def _read_bounded(response: aiohttp.ClientResponse, limit: int, url: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        size += len(chunk)
        if size > limit:
            raise LimitExceeded(f"more than {limit} bytes", where=url)
        parts.append(chunk)
    return b"".join(parts)


def follow_redirect(place: str, location: str) -> str:
    """The address that a redirect leads to. Raises UsageError where it must not be followed.

    It leads to https, or stays with the same server; and a server elsewhere does not send anybody to an address of
    this machine or of the network around it, by number or as `localhost`. Names are not resolved here.
    """
    target = location
    try:
        target = urljoin(place, location)
        old, new = urlsplit(place), urlsplit(target)
        same = (old.scheme, old.netloc) == (new.scheme, new.netloc)
        outward = new.scheme == "https" and (_is_near(old.hostname) or not _is_near(new.hostname))
        allowed = new.username is None and (same or outward)
    except ValueError:
        allowed = False
    if not allowed:
        raise UsageError(
            "the server redirects to an address that is not followed",
            where=place,
            hint=f"fetch it yourself if it is meant: {target[:200]}",
        )
    return target


def _is_near(host: str | None) -> bool:
    """True for this machine, and for addresses that the internet does not route."""
    if not host or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def _fetch_hub_file(file: HubFile, limit: int) -> bytes:
    try:
        import huggingface_hub
    except ImportError:
        raise MissingExtra("huggingface-hub", "hub") from None
    where = f"hf:{file.repo}@{file.revision}/{file.path}"
    with tempfile.TemporaryDirectory(prefix="verilabel-") as folder:
        try:
            local = Path(
                huggingface_hub.hf_hub_download(
                    repo_id=file.repo,
                    filename=file.path,
                    revision=file.revision,
                    repo_type="dataset",
                    local_dir=folder,
                )
            )
        except Exception as error:  # its own, requests' and httpx's errors have no root in common
            raise UsageError(f"cannot be fetched: {error}", where=where) from error
        if local.stat().st_size > limit:
            raise LimitExceeded(f"more than {limit} bytes", where=where)
        return local.read_bytes()
