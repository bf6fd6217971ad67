"""Hosts, e-mail addresses, URLs and paths as arguments name them: read strictly, and what is odd is refused.

Other programs will read these texts again, each in its own way, so that only the form that all of them read alike is
taken. Every reader gives its parts, or None for what is refused. Nothing asks a disk or a network.
"""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

MAX_HOST = 253
MAX_EMAIL = 254
MAX_URL = 8192
MAX_PATH = 4096

_LABEL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_LOCAL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-'=~&")
_SCHEME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789+-.")
_DIGITS = frozenset("0123456789")
_HEX = frozenset("0123456789abcdefABCDEF")
DEFAULT_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}


class Host(NamedTuple):
    """A host in lower case, and whether it is an address in numbers."""

    name: str
    is_number: bool


class Url(NamedTuple):
    """The parts of a URL that decide where it leads. `port` is empty where it is the scheme's own."""

    scheme: str
    host: Host
    port: str
    rest: str


def read_host(text: str) -> Host | None:
    """A host name of letters, digits and hyphens with at least two labels, or an IPv4 address in its plain form.

    Refused: other characters (homographs; a name of another script is written in its `xn--` form), empty labels and
    trailing dots, names of one label, and numbers in the forms that some readers take for an address (`0x7f.1`,
    `2130706433`, `127.1`, `010.0.0.1`), as the URL standard of WHATWG does.
    """
    name = text.lower()
    if not 1 <= len(text) <= MAX_HOST or not text.isascii():
        return None
    labels = name.split(".")
    if len(labels) < 2 or not all(_is_label(label) for label in labels):
        return None
    last = labels[-1]
    if _DIGITS.issuperset(last) or (last.startswith("0x") and _HEX.issuperset(last[2:])):
        return Host(name, True) if len(labels) == 4 and all(_is_octet(label) for label in labels) else None
    return Host(name, False)


def _is_label(label: str) -> bool:
    return 1 <= len(label) <= 63 and _LABEL.issuperset(label) and label[0] != "-" and label[-1] != "-"


def _is_octet(label: str) -> bool:
    return len(label) <= 3 and _DIGITS.issuperset(label) and int(label) <= 255 and str(int(label)) == label


def read_email(text: str) -> tuple[str, Host] | None:
    """Local part and host of one plain address.

    Refused: display names, comments, quoted parts, several addresses, routes (`a%b@c`, `a!b`), letters beyond ASCII,
    addresses in numbers, a local part that begins with a hyphen (which programs read as an option).
    """
    local, at, domain = text.partition("@")
    if not at or not 1 <= len(local) <= 64 or len(text) > MAX_EMAIL or not _LOCAL.issuperset(local):
        return None
    if local[0] in ".-" or local[-1] == "." or ".." in local:
        return None
    host = read_host(domain)
    return None if host is None or host.is_number else (local, host)


def read_url(text: str) -> Url | None:
    """The parts of an absolute URL `SCHEME://HOST[:PORT][/...]`.

    Refused: user names in it, backslashes, white space and characters that nobody sees, brackets, percent signs in the
    host, an authority that is followed by anything but `/` (readers differ about `https://a#@b`), and `.` and `..` as
    folders, plain or encoded, which readers take out before they ask.
    """
    scheme, separator, behind = text.partition("://")
    scheme = scheme.lower()
    if not separator or not scheme or not scheme[0].isalpha() or not _SCHEME.issuperset(scheme):
        return None
    if len(text) > MAX_URL or "\\" in text or _has_unseen(text, spaces=True):
        return None
    authority, slash, path = behind.partition("/")
    name, colon, port = authority.partition(":")
    if colon and not (_DIGITS.issuperset(port) and 1 <= len(port) <= 5 and 0 < int(port) < 65536):
        return None
    host = read_host(name)
    if host is None or (colon and port[0] == "0") or _has_dots(path):
        return None
    return Url(scheme, host, "" if port == DEFAULT_PORTS.get(scheme) else port, slash + path)


def _has_dots(path: str) -> bool:
    folders = (
        path.partition("?")[0].partition("#")[0].lower().replace("%2e", ".").replace("%2f", "/").split("/")
    )
    return "." in folders or ".." in folders


def read_path(text: str) -> str | None:
    """A path with `.`, `..` and doubled slashes resolved, on paper alone: links on the disk are not seen.

    An absolute one stays at `/` however many `..` it has; a relative one that leaves its folder is refused. Refused as
    well: backslashes, drives, percent-encodings, `~`, `$`, characters that nobody sees, that become dots or slashes
    under Unicode normalisation, and names that end in a space or a dot (which some systems cut off).
    """
    if not 1 <= len(text) <= MAX_PATH or _is_odd_path(text):
        return None
    is_absolute = text[0] == "/"
    parts: list[str] = []
    for part in text.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if not parts and not is_absolute:
                return None
            parts = parts[:-1]
        elif part[-1] in ". ":
            return None
        else:
            parts.append(part)
    return ("/" if is_absolute else "") + "/".join(parts)


def _is_odd_path(text: str) -> bool:
    if any(char in text for char in "\\$`") or text.startswith(("~", "//")) or "/~" in text:
        return True
    if text[1:2] == ":" and text[0].isalpha():
        return True
    if any(_HEX.issuperset(part[:2]) and len(part) >= 2 for part in text.split("%")[1:]):
        return True
    return _has_unseen(text, spaces=False) or _hides_structure(text)


def _has_unseen(text: str, *, spaces: bool) -> bool:
    if text.isascii():
        return not text.isprintable() or (spaces and " " in text)
    return any(
        (category := unicodedata.category(char))[0] == "C"
        or category in ("Zl", "Zp")
        or (spaces and category == "Zs")
        for char in text
    )


def _hides_structure(text: str) -> bool:
    if text.isascii():
        return False
    plain = unicodedata.normalize("NFKC", text)
    return any(text.count(char) != plain.count(char) for char in "./\\~:%$") or any(
        unicodedata.normalize("NFKC", char) in ("∕", "⁄") for char in text
    )


def is_within(path: str, folder: str) -> bool:
    """True if a path that was read lies in a folder that was read, or is it."""
    if folder in ("", "/"):
        return path.startswith("/") == (folder == "/")
    return path == folder or path.startswith(folder + "/")


def is_of_domain(host: Host, port: str, allowed: frozenset[str], suffixes: tuple[str, ...]) -> bool:
    """True if a host (with a port that is not the scheme's own) is one of those allowed: `a.b`, `a.b:8443`, `*.a.b`."""
    named = f"{host.name}:{port}" if port else host.name
    if named in allowed:
        return True
    return not port and not host.is_number and host.name.endswith(suffixes)
