"""Roots of trust that a trust policy names besides keys: a Sigstore instance, and time-stamp authorities.

    sigstore_trusted_root: trusted_root.json      # left out: the public-good instance's, of the package `sigstore`
    timestamp_authorities:
      - {name: Example TSA, certificates: tsa.pem}

Both are files beside the policy's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verilabel.errors import LimitExceeded, MalformedInput

FIELDS = {"sigstore_trusted_root", "timestamp_authorities"}
MAX_ANCHOR_BYTES = 4 * 2**20
MAX_AUTHORITIES = 64


@dataclass(frozen=True)
class TimestampAuthority:
    """An RFC 3161 authority whose time stamps count; `certificates` are PEM, its root among them."""

    name: str
    certificates: bytes


@dataclass(frozen=True)
class Anchors:
    """What a policy names; None is the public-good Sigstore instance."""

    sigstore_root: bytes | None = None
    authorities: tuple[TimestampAuthority, ...] = ()


def read_anchors(fields: dict[str, Any], folder: Path | None, where: str) -> Anchors:
    """The anchors among a policy's fields, read from files in `folder`. Raises MalformedInput naming the field."""
    root, authorities = fields.get("sigstore_trusted_root"), fields.get("timestamp_authorities", [])
    if not isinstance(authorities, list) or len(authorities) > MAX_AUTHORITIES:
        raise MalformedInput("not a list of authorities", where=f"{where}.timestamp_authorities")
    return Anchors(
        None if root is None else _read_beside(root, folder, f"{where}.sigstore_trusted_root"),
        tuple(
            _read_authority(item, folder, f"{where}.timestamp_authorities[{index}]")
            for index, item in enumerate(authorities)
        ),
    )


def _read_authority(item: Any, folder: Path | None, where: str) -> TimestampAuthority:
    if (
        not isinstance(item, dict)
        or item.keys() != {"name", "certificates"}
        or not isinstance(item["name"], str)
    ):
        raise MalformedInput("not an authority", where=where, hint="{name: ..., certificates: FILE.pem}")
    return TimestampAuthority(
        item["name"], _read_beside(item["certificates"], folder, f"{where}.certificates")
    )


def _read_beside(name: Any, folder: Path | None, where: str) -> bytes:
    if not isinstance(name, str) or not name or folder is None:
        raise MalformedInput("not a file beside the policy", where=where)
    try:
        with (folder / name).open("rb") as file:
            data = file.read(MAX_ANCHOR_BYTES + 1)
    except OSError as error:
        raise MalformedInput(
            f"{name}: {error.strerror}", where=where, hint="paths are relative to the policy"
        ) from None
    if len(data) > MAX_ANCHOR_BYTES:
        raise LimitExceeded(f"over {MAX_ANCHOR_BYTES} bytes", where=where)
    return data


NONE = Anchors()
