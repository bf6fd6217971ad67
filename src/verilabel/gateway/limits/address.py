"""Where the shared store is: its URL, read and checked, and named without its password."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from verilabel.errors import UsageError

SCHEMES = ("redis", "rediss", "unix")
OPTIONS = ("db", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "client_name")
"""What may stand behind `?`. How certificates are checked and how long is waited is not up to the URL."""


def check_store_url(url: str) -> str:
    """The place that a redis:// (rediss://, unix://) URL names, for messages. Raises UsageError, never repeating it."""
    hint = "write redis://HOST:PORT/DB, rediss:// for TLS, or unix:///path/to/socket"
    try:
        parts = urlsplit(url)
        port = parts.port or 6379
        options = parse_qsl(parts.query, strict_parsing=bool(parts.query), max_num_fields=16)
    except ValueError:
        # the parser's own message can repeat a password
        raise UsageError("this is no URL of a Redis store", where="limits_store", hint=hint) from None
    if parts.scheme not in SCHEMES or (parts.scheme != "unix" and not parts.hostname):
        raise UsageError("this is no URL of a Redis store", where="limits_store", hint=hint)
    for name, _ in options:
        if name not in OPTIONS:
            raise UsageError(
                f"the URL of the limits store has an option {name[:40]!r}",
                where="limits_store",
                hint=f"options are {', '.join(OPTIONS)}",
            )
    database = parts.path.strip("/")
    if parts.scheme != "unix" and database and not (database.isascii() and database.isdigit()):
        raise UsageError("the database of the limits store is a number", where="limits_store", hint=hint)
    return f"unix://{parts.path}" if parts.scheme == "unix" else f"{parts.scheme}://{parts.hostname}:{port}"
