"""Fetching a suite's data: plain https, or one file of a Hugging Face repository at a full commit."""

from __future__ import annotations

import tempfile
from pathlib import Path

from verilabel.errors import LimitExceeded, MissingExtra, UsageError
from verilabel.suites.format import DataSource, HubFile
from verilabel.suites.readers import MAX_DATA_BYTES

TIMEOUT_SECONDS = 300
CHUNK_BYTES = 2**16


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
    """The body of one GET. Redirects are followed; the digest, not the host, is what is trusted.

    Raises NotServed for a status other than 200, UsageError where nothing answers, LimitExceeded beyond `limit` bytes,
    MissingExtra without aiohttp.
    """
    try:
        import aiohttp
    except ImportError:
        raise MissingExtra("aiohttp", "eval") from None
    parts: list[bytes] = []
    size = 0
    try:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.get(url) as response,
        ):
            if response.status != 200:
                raise NotServed(url, response.status)
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                size += len(chunk)
                if size > limit:
                    raise LimitExceeded(f"more than {limit} bytes", where=url)
                parts.append(chunk)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UsageError(
            f"cannot be fetched: {error or type(error).__name__}", where=url, hint="is the network reachable?"
        ) from error
    return b"".join(parts)


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
