"""Hosts of addresses: which host, which registrable domain, and what kind of site, without a network."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from functools import cache
from importlib import resources
from typing import NamedTuple

import msgspec

MAX_HOST = 253
_AUTHORITY = re.compile(r"^(?:[a-z][a-z0-9+.\-]{0,30}:)?//([^/?#\\]{1,600})", re.IGNORECASE)
_BARE = re.compile(r"^([a-z0-9][a-z0-9\-]{0,62}(?:\.[a-z0-9\-]{1,63}){1,8})(?:[:/?#]|$)", re.IGNORECASE)
_NAME = re.compile(
    r"^[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?){0,60}$"
)
_SECOND_LEVEL = frozenset(
    {
        *(
            "ac",
            "asn",
            "co",
            "com",
            "edu",
            "firm",
            "gen",
            "go",
            "gob",
            "gouv",
            "gov",
            "govt",
            "gv",
            "id",
            "ind",
            "info",
        ),
        *(
            "lg",
            "ltd",
            "me",
            "mil",
            "ne",
            "net",
            "nhs",
            "nic",
            "nom",
            "or",
            "org",
            "plc",
            "police",
            "school",
            "sch",
            "web",
        ),
    }
)
"""Labels under which countries' registries give out names: `example.co.uk` and not `co.uk` is what somebody owns."""
_HOSTED = frozenset(
    {
        *(
            "github.io",
            "gitlab.io",
            "blogspot.com",
            "wordpress.com",
            "readthedocs.io",
            "substack.com",
            "tumblr.com",
        ),
        *(
            "herokuapp.com",
            "netlify.app",
            "vercel.app",
            "pages.dev",
            "web.app",
            "appspot.com",
            "livejournal.com",
        ),
    }
)
"""Domains of which each name below is another person's."""


class SiteKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Domains of one kind, and where the list comes from."""

    source: str
    domains: tuple[str, ...]


class Host(NamedTuple):
    """A host as the check keeps it."""

    name: str
    number: int
    """First 8 bytes of SHA-256 over the name, little-endian; 0 for none."""
    domain: str
    kind: int
    """Index into `list_kinds`."""


NO_HOST = Host("", 0, "", 0)


@cache
def read_domains() -> bytes:
    """The list as shipped."""
    return resources.files("verilabel.audit.provenance").joinpath("data", "domains.json").read_bytes()


@cache
def load_kinds() -> dict[str, SiteKind]:
    """Kinds of sites, by name."""
    return msgspec.json.decode(read_domains(), type=dict[str, SiteKind])


@cache
def list_kinds() -> tuple[str, ...]:
    """Names of the kinds by their number; 0 stands for a site that is on no list."""
    return ("", *load_kinds())


@cache
def _number_domains() -> dict[str, int]:
    found: dict[str, int] = {}
    for number, kind in enumerate(load_kinds().values(), start=1):
        for domain in kind.domains:
            found.setdefault(domain, number)
    return found


def read_host(url: str) -> str:
    """The host of an address in lower case, without user, port and last point; empty where there is none.

    Names beyond ASCII are written as IDNA, as they are registered. An address without `//` is read as a host where it
    looks like one: crawls write both.
    """
    url = url.strip()[:2048]
    match = _AUTHORITY.match(url)
    if match is None:
        bare = _BARE.match(url)
        return _settle_name(bare.group(1)) if bare else ""
    authority = match.group(1).rsplit("@", 1)[-1]
    if authority.startswith("["):
        return _settle_address(authority[1:].split("]", 1)[0])
    return _settle_name(authority.split(":", 1)[0])


def _settle_address(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        return ""


def _settle_name(name: str) -> str:
    name = name.rstrip(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    return name if len(name) <= MAX_HOST and _NAME.match(name) else ""


def find_domain(host: str) -> str:
    """The part of a host that somebody registered: `example.co.uk` of `news.example.co.uk`.

    By a rule, not by the Public Suffix List: the last two labels, three where the last has two letters and the one
    before is a label that countries' registries use, and one more on domains whose names belong to their users. A
    registry with other labels gets a domain that is too short. Addresses in numbers are their own domain.
    """
    labels = host.split(".")
    if ":" in host or len(labels) < 3 or labels[-1].isdigit():
        return host
    keep = 3 if len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL else 2
    domain = ".".join(labels[-keep:])
    return ".".join(labels[-keep - 1 :]) if domain in _HOSTED else domain


def classify_host(host: str) -> int:
    """The kind of site by the longest suffix of the host that is on a list, as an index into `list_kinds`."""
    numbers = _number_domains()
    while host:
        if host in numbers:
            return numbers[host]
        _, _, host = host.partition(".")
    return 0


def number_host(host: str) -> int:
    """The number that stands for a host in records; never 0."""
    return int.from_bytes(hashlib.sha256(host.encode()).digest()[:8], "little") or 1


def describe_host(url: str) -> Host:
    """All that is kept of the host of an address."""
    name = read_host(url)
    return Host(name, number_host(name), find_domain(name), classify_host(name)) if name else NO_HOST
