"""What was pinned of a server, and what became of what it shows now."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import msgspec

Change = Literal[
    "new",
    "changed",
    "removed",
    "renamed",
    "shadowed",
    "homoglyph",
    "hidden_text",
    "instructions",
    "identity",
    "malformed",
]


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What a server shows, raw: the JSON objects as they came, before any model dropped a field.

    `identity` is its `serverInfo` and protocol version; `command` is the argument list or URL it is reached by.
    """

    server: str
    command: tuple[str, ...]
    identity: dict[str, Any]
    instructions: str | None
    tools: tuple[dict[str, Any], ...]
    resources: tuple[dict[str, Any], ...] = ()
    prompts: tuple[dict[str, Any], ...] = ()


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the agent must not see, and why, in words that repeat none of the server's text but names made
    harmless (escaped, bounded)."""

    server: str
    kind: Literal["tool", "resource", "prompt", "server"]
    name: str
    change: Change
    detail: str


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """What may be shown. `pins` maps a tool's name to the digest of its raw definition. A server whose identity,
    command or instructions changed shows nothing."""

    tools: frozenset[str]
    resources: frozenset[str]
    prompts: frozenset[str]
    instructions: bool
    pins: dict[str, str]
    quarantined: tuple[Quarantined, ...]


class Pins(Protocol):
    """The lock of one server."""

    def examine(self, offer: Offer, others: dict[str, Offer]) -> Admitted:
        """Compare what a server shows with its lock, and its names with those of the other servers. Pure."""
        ...
