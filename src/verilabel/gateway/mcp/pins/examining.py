"""What of an offer agents may see: held against the server's lock, and against the names of other servers.

In order: 1 what is wrong with the offer by itself (`checking`), 2 the server: command, identity, instructions, 3 each
object: same digest, or changed, renamed, shadowed, homoglyph, new, 4 what is no longer there. A tool that is as it was
pinned is shown whatever other servers call theirs: otherwise any server could take another's tools away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from verilabel.gateway.mcp.pins.checking import (
    Checked,
    Kind,
    Sound,
    check_offer,
    digest_parts,
    is_well_formed,
    name_of,
    refuse,
)
from verilabel.gateway.mcp.pins.interface import Admitted, Change, Offer, Quarantined
from verilabel.gateway.mcp.pins.lock import (
    Lock,
    LockedObject,
    LockedTool,
    digest_command,
    digest_instructions,
)
from verilabel.gateway.mcp.pins.raw_form import digest_raw
from verilabel.gateway.mcp.pins.skeletons import fold_name, skeleton_of
from verilabel.gateway.mcp.pins.unseen_text import show_name


class LockedServer:
    """A server with a lock. Implements `interface.Pins`."""

    def __init__(self, lock: Lock) -> None:
        self.lock = lock
        self._tools = {tool.name: tool for tool in lock.tools}
        self._skeletons = {tool.skeleton: tool.name for tool in lock.tools}

    def examine(self, offer: Offer, others: dict[str, Offer]) -> Admitted:
        """What may be shown of an offer. Pure; linear in the size of the offer and the number of names."""
        checked = check_offer(offer)
        changed = self._server_changes(offer, checked)
        if changed:
            return _nothing(changed)
        refused = list(checked.refused)
        tools = self._examine_tools(offer, checked, others, refused)
        resources = _examine_objects(offer, "resource", checked.resources, self.lock.resources, refused)
        prompts = _examine_objects(offer, "prompt", checked.prompts, self.lock.prompts, refused)
        return Admitted(
            tools=frozenset(tools),
            resources=resources,
            prompts=prompts,
            instructions=checked.instructions,
            pins=tools,
            quarantined=tuple(refused),
        )

    def _server_changes(self, offer: Offer, checked: Checked) -> tuple[Quarantined, ...]:
        if checked.server is not None:
            return checked.refused
        lock = self.lock
        wrong: list[tuple[Change, str]] = []
        if offer.server != lock.server:
            wrong.append(("identity", f"the lock is for the server {show_name(lock.server)}"))
        if digest_command(offer.command) != lock.reached_by:
            wrong.append(("identity", "it is reached by another command or address than when it was pinned"))
        if digest_raw(offer.identity) != lock.identity.digest:
            wrong.append(("identity", "its name, version or protocol changed since it was pinned"))
        # instructions with hidden text count as none: they are not shown either way
        said = offer.instructions if checked.instructions else None
        now = None if said is None else digest_instructions(said)
        if now != (None if lock.instructions is None else lock.instructions.digest):
            wrong.append(("instructions", "its instructions changed since it was pinned"))
        if not wrong:
            return ()
        about_it = tuple(each for each in checked.refused if each.kind == "server")
        return (*about_it, *(refuse(offer, "server", offer.server, each) for each in wrong))

    def _examine_tools(
        self, offer: Offer, checked: Checked, others: Mapping[str, Offer], refused: list[Quarantined]
    ) -> dict[str, str]:
        pins: dict[str, str] = {}
        offered = {name_of(tool, "tool") for tool in offer.tools}
        gone = {tool.content: tool.name for tool in self.lock.tools if tool.name not in offered}
        renamed: set[str] = set()
        unknown = [sound for name, sound in checked.tools.items() if name not in self._tools]
        names = _Names(offer, others, self._skeletons) if unknown else None
        raw = {tool["name"]: tool for tool in offer.tools if (name_of(tool, "tool") or "") in checked.tools}
        for name, sound in checked.tools.items():
            locked = self._tools.get(name)
            if locked is not None and locked.digest == sound.digest:
                pins[name] = sound.digest
            elif locked is not None:
                parts = _changed_parts(locked, digest_parts(raw[name]))
                refused.append(refuse(offer, "tool", name, ("changed", f"changed since pinned: {parts}")))
            elif sound.content in gone:
                renamed.add(gone[sound.content])
                detail = f"pinned as {show_name(gone[sound.content])}"
                refused.append(refuse(offer, "tool", name, ("renamed", detail)))
            else:
                assert names is not None, "there is an unknown tool"
                wrong = names.find_alike(name) or ("new", "not there when the server was pinned")
                refused.append(refuse(offer, "tool", name, wrong))
        refused += [
            refuse(offer, "tool", name, ("removed", "pinned, and no longer there"))
            for name in self._tools
            if name not in offered and name not in renamed
        ]
        return pins


class UnlockedServer:
    """A server without a lock: all is shown that passes the checks on form, names and hidden text.

    Implements `interface.Pins`. Nothing tells a change; tools that another server has too, or that look like others,
    are kept away on both sides, until a lock says which is meant.
    """

    def examine(self, offer: Offer, others: dict[str, Offer]) -> Admitted:
        """What may be shown of an offer. Pure; linear in the size of the offer and the number of names."""
        checked = check_offer(offer)
        if checked.server is not None:
            return _nothing(checked.refused)
        refused = list(checked.refused)
        names = _Names(offer, others, {})
        pins: dict[str, str] = {}
        for name, sound in checked.tools.items():
            wrong = names.find_alike(name)
            if wrong is None:
                pins[name] = sound.digest
            else:
                refused.append(refuse(offer, "tool", name, wrong))
        return Admitted(
            tools=frozenset(pins),
            resources=frozenset(checked.resources),
            prompts=frozenset(checked.prompts),
            instructions=checked.instructions,
            pins=pins,
            quarantined=tuple(refused),
        )


class ClosedServer:
    """A server whose lock cannot be used: nothing of it is shown, and `reason` (of ours) says why.

    Implements `interface.Pins`.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def examine(self, offer: Offer, others: dict[str, Offer]) -> Admitted:
        """Nothing, whatever is offered."""
        del others
        return _nothing((refuse(offer, "server", offer.server, ("identity", self.reason)),))


class _Names:
    """Names that a tool can be taken for: of its own server, of the lock, of other servers.

    Only well-formed ones count, since others never reach an agent.
    """

    def __init__(self, offer: Offer, others: Mapping[str, Offer], locked: Mapping[str, str]) -> None:
        self._own: dict[str, set[str]] = {skeleton: {name} for skeleton, name in locked.items()}
        for name in _well_formed_names(offer):
            self._own.setdefault(skeleton_of(name), set()).add(name)
        self._folds: dict[str, str] = {}
        self._skeletons: dict[str, str] = {}
        for server in sorted(others):
            if server == offer.server:
                continue
            for name in _well_formed_names(others[server]):
                self._folds.setdefault(fold_name(name), server)
                self._skeletons.setdefault(skeleton_of(name), server)

    def find_alike(self, name: str) -> tuple[Change, str] | None:
        """What a tool could be taken for, in words of ours."""
        skeleton = skeleton_of(name)
        server = self._folds.get(fold_name(name))
        if server is not None:
            return "shadowed", f"the server {show_name(server)} has a tool of this name"
        if len(self._own.get(skeleton, ())) > 1:
            return "homoglyph", "it looks like another tool of this server"
        if skeleton in self._skeletons:
            return "homoglyph", f"it looks like a tool of the server {show_name(self._skeletons[skeleton])}"
        return None


def _well_formed_names(offer: Offer) -> Iterable[str]:
    for tool in offer.tools:
        name = name_of(tool, "tool")
        if isinstance(name, str) and is_well_formed(name):
            yield name


def _nothing(quarantined: tuple[Quarantined, ...]) -> Admitted:
    none: frozenset[str] = frozenset()
    return Admitted(
        tools=none, resources=none, prompts=none, instructions=False, pins={}, quarantined=quarantined
    )


def _changed_parts(locked: LockedTool, now: Mapping[str, str]) -> str:
    before = locked.parts()
    return ", ".join(sorted(part for part in before.keys() | now.keys() if before.get(part) != now.get(part)))


def _examine_objects(
    offer: Offer,
    kind: Kind,
    sound: Mapping[str, Sound],
    locked: tuple[LockedObject, ...],
    refused: list[Quarantined],
) -> frozenset[str]:
    before = {each.name: each for each in locked}
    raw = offer.resources if kind == "resource" else offer.prompts
    offered = {name_of(each, kind) for each in raw}
    gone = {each.content: each.name for each in locked if each.name not in offered}
    shown: set[str] = set()
    renamed: set[str] = set()
    for name, now in sound.items():
        if name in before and before[name].digest == now.digest:
            shown.add(name)
            continue
        wrong: tuple[Change, str] = ("new", "not there when the server was pinned")
        if name in before:
            wrong = ("changed", "changed since it was pinned")
        elif now.content in gone:
            renamed.add(gone[now.content])
            wrong = ("renamed", "pinned under another name")
        refused.append(refuse(offer, kind, name, wrong))
    refused += [
        refuse(offer, kind, name, ("removed", "pinned, and no longer there"))
        for name in before
        if name not in offered and name not in renamed
    ]
    return frozenset(shown)
