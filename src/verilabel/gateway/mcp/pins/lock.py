"""The lock of one server: digests of all that a person looked at, and the texts they saw, made harmless."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from verilabel.errors import MalformedInput
from verilabel.gateway.mcp.pins.checking import (
    Checked,
    Kind,
    Sound,
    check_offer,
    digest_parts,
    name_of,
    stable_fields,
)
from verilabel.gateway.mcp.pins.interface import Offer, Quarantined
from verilabel.gateway.mcp.pins.raw_form import digest_raw, write_raw
from verilabel.gateway.mcp.pins.skeletons import skeleton_of
from verilabel.gateway.mcp.pins.unseen_text import show_text
from verilabel.records.canonical import digest, jcs

LOCK_FORMAT: Literal["verilabel/mcp-lock/v1"] = "verilabel/mcp-lock/v1"
MAX_SHOWN = 8_192
"""Characters of one object's text that are kept for people."""
MAX_SHOWN_TOGETHER = 2 * 2**20


class LockedTool(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A tool as it was pinned. `digest` is over the raw object (`raw_form`); the others tell what changed in words.

    `shown` is its definition as JSON text, made harmless, for a person to compare with; absent where it is long.
    """

    name: str
    skeleton: str
    digest: str
    content: str
    """Over all but the name: a renamed tool keeps it."""
    description: str | None = None
    inputSchema: str | None = None  # noqa: N815 (the protocol's word)
    outputSchema: str | None = None  # noqa: N815
    annotations: str | None = None
    other: str | None = None
    shown: str | None = None

    def parts(self) -> dict[str, str]:
        """Digests of the parts it has."""
        found = {part: getattr(self, part) for part in (*_PARTS, "other")}
        return {part: value for part, value in found.items() if value is not None}


_PARTS = ("description", "inputSchema", "outputSchema", "annotations")


class LockedObject(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A resource (by address or template) or a prompt (by name) as it was pinned."""

    name: str
    digest: str
    content: str
    shown: str | None = None


class LockedIdentity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`serverInfo` and protocol version, and what people saw of them."""

    digest: str
    shown: str


class LockedInstructions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the server tells every model that uses it."""

    digest: str
    shown: str


class Lock(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of a server. `reached_by` is the digest of its command or address, `tool_set` that of all names and digests
    of tools together. Objects stand in the order of their names."""

    format: Literal["verilabel/mcp-lock/v1"]
    server: str
    reached_by: str
    identity: LockedIdentity
    instructions: LockedInstructions | None
    tool_set: str
    tools: tuple[LockedTool, ...]
    resources: tuple[LockedObject, ...]
    prompts: tuple[LockedObject, ...]


def make_lock(offer: Offer) -> tuple[Lock, tuple[Quarantined, ...]]:
    """The lock of what a server shows, and what was left out of it because something is wrong with it by itself.

    Raises MalformedInput where the server as a whole cannot be locked.
    """
    checked = check_offer(offer)
    if checked.server is not None:
        raise MalformedInput(f"the server cannot be locked: {checked.server.detail}", where=offer.server)
    texts = _Texts()
    tools = _lock_tools(offer, checked, texts)
    lock = Lock(
        format=LOCK_FORMAT,
        server=offer.server,
        reached_by=digest_command(offer.command),
        identity=LockedIdentity(digest=digest_raw(offer.identity), shown=texts.show(offer.identity) or ""),
        instructions=_lock_instructions(offer) if checked.instructions else None,
        tool_set=digest_tool_set(tools),
        tools=tools,
        resources=_lock_objects(offer.resources, checked.resources, "resource", texts),
        prompts=_lock_objects(offer.prompts, checked.prompts, "prompt", texts),
    )
    return lock, checked.refused


def digest_command(command: tuple[str, ...]) -> str:
    """What identifies how a server is reached: its argument list or its address."""
    return digest(jcs(list(command)))


def digest_instructions(text: str) -> str:
    """What identifies a server's instructions."""
    return digest_raw(text)


def digest_tool_set(tools: tuple[LockedTool, ...]) -> str:
    """The digest of all names and digests of tools together."""
    return digest(jcs([[tool.name, tool.digest] for tool in tools]))


class _Texts:
    """Keeps texts for people within a bound for all of them."""

    def __init__(self) -> None:
        self._left = MAX_SHOWN_TOGETHER

    def show(self, value: Any) -> str | None:
        text = write_raw(value).decode()
        if len(text) > MAX_SHOWN:
            return None
        shown = show_text(text, MAX_SHOWN)
        if len(shown) > self._left:
            return None
        self._left -= len(shown)
        return shown


def _lock_instructions(offer: Offer) -> LockedInstructions:
    assert offer.instructions is not None, "checked instructions are there"
    return LockedInstructions(
        digest=digest_instructions(offer.instructions), shown=show_text(offer.instructions, MAX_SHOWN)
    )


def _lock_tools(offer: Offer, checked: Checked, texts: _Texts) -> tuple[LockedTool, ...]:
    raw = {tool["name"]: tool for tool in offer.tools if (name_of(tool, "tool") or "") in checked.tools}
    return tuple(
        LockedTool(
            name=name,
            skeleton=skeleton_of(name),
            digest=checked.tools[name].digest,
            content=checked.tools[name].content,
            shown=texts.show(raw[name]),
            **digest_parts(raw[name]),
        )
        for name in sorted(raw)
    )


def _lock_objects(
    objects: tuple[dict[str, Any], ...], sound: Mapping[str, Sound], kind: Kind, texts: _Texts
) -> tuple[LockedObject, ...]:
    raw = {name: each for each in objects if (name := name_of(each, kind)) and name in sound}
    return tuple(
        LockedObject(
            name=name,
            digest=sound[name].digest,
            content=sound[name].content,
            shown=texts.show(stable_fields(raw[name]) if kind == "resource" else raw[name]),
        )
        for name in sorted(raw)
    )
