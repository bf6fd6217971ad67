"""Base URLs of models: checked before a key is ever sent to one."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from verilabel.errors import PolicyError, UsageError


def check_base_url(url: str, *, has_key: bool, allow_insecure: bool) -> str:
    """The base URL without a trailing slash.

    Raises UsageError for anything but http(s)://host[:port][/path], and for credentials in the URL (they
    would end up in records); PolicyError where a key would travel unencrypted to another machine.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError("the base URL cannot be read", hint="like https://host:8000/v1") from error
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "the base URL holds credentials, which records would keep",
            hint="give the key by --key-env or --key-file",
        )
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError("the base URL is not http:// or https:// with a host", where=url)
    if parts.query or parts.fragment or any(char.isspace() or not char.isprintable() for char in url):
        raise UsageError(
            "the base URL holds a query, a fragment or a space", hint="like https://host:8000/v1"
        )
    if has_key and parts.scheme == "http" and not is_loopback(host) and not allow_insecure:
        raise PolicyError(
            "the API key would travel unencrypted to another machine",
            where=url,
            hint="use https, or allow it by allow_insecure",
        )
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """True if the host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
