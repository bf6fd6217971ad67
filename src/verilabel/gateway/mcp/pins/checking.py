"""What is wrong with an offer by itself, whether a lock knows it or not: form, names, hidden text.

What passes is described by digests alone; the texts are looked at here and never passed on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from verilabel.errors import MalformedInput
from verilabel.gateway.mcp.pins.interface import Change, Offer, Quarantined
from verilabel.gateway.mcp.pins.raw_form import MAX_OBJECT_BYTES, digest_raw, write_raw
from verilabel.gateway.mcp.pins.skeletons import imitates_ascii, mixes_scripts
from verilabel.gateway.mcp.pins.unseen_text import (
    NAME_CHARACTERS,
    find_hidden,
    find_hidden_in,
    show_address,
    show_name,
)
from verilabel.records.canonical import digest

Kind = Literal["tool", "resource", "prompt"]
MAX_OBJECTS = 10_000
"""Of each kind."""
MAX_OFFER_BYTES = 32 * 2**20
MAX_NAME = 128
MAX_ADDRESS = 2_048
MAX_INSTRUCTIONS = 2**18
PARTS = ("description", "inputSchema", "outputSchema", "annotations")
"""The parts of a tool that a change is told by; all else is `other`."""


class Sound(NamedTuple):
    """One tool, resource or prompt in which nothing is wrong by itself. `digest` is over all of the raw object,
    `content` over all but its name."""

    name: str
    digest: str
    content: str


class Checked(NamedTuple):
    """What passed, by name (resources by address), and what did not. `server` is why nothing of it may be shown."""

    tools: dict[str, Sound]
    resources: dict[str, Sound]
    prompts: dict[str, Sound]
    instructions: bool
    refused: tuple[Quarantined, ...]
    server: Quarantined | None


class _Wrong(NamedTuple):
    change: Change
    detail: str


def check_offer(offer: Offer) -> Checked:
    """Look at each object of an offer on its own and at what they have in common. Pure; linear in the offer's size."""
    whole = _check_server(offer)
    if whole is not None:
        refusal = refuse(offer, "server", offer.server, whole)
        return Checked({}, {}, {}, False, (refusal,), refusal)
    refused: list[Quarantined] = []
    tools = _check_objects(offer, "tool", offer.tools, refused)
    resources = _check_objects(offer, "resource", offer.resources, refused)
    prompts = _check_objects(offer, "prompt", offer.prompts, refused)
    said = _check_instructions(offer.instructions)
    if said is not None:
        refused.append(refuse(offer, "server", offer.server, said))
    return Checked(
        tools, resources, prompts, said is None and offer.instructions is not None, tuple(refused), None
    )


def is_well_formed(name: object) -> bool:
    """True for a name that a tool may have: 1 to 128 of letters, digits, `_`, `.`, `-` and `/`."""
    return isinstance(name, str) and 0 < len(name) <= MAX_NAME and NAME_CHARACTERS.issuperset(name)


def refuse(
    offer: Offer,
    kind: Literal["tool", "resource", "prompt", "server"],
    name: object,
    wrong: tuple[Change, str],
) -> Quarantined:
    """Something that is not shown, with its name made harmless."""
    shown = show_address(name) if kind == "resource" else show_name(name)
    return Quarantined(
        server=show_name(offer.server), kind=kind, name=shown, change=wrong[0], detail=wrong[1]
    )


def digest_parts(tool: Mapping[str, Any]) -> dict[str, str]:
    """Digests of a tool's parts, as far as it has them; `other` is over all further fields but the name.

    Raises MalformedInput where `write_raw` does.
    """
    digests = {part: digest_raw(tool[part]) for part in PARTS if part in tool}
    rest = {key: value for key, value in tool.items() if key not in PARTS and key != "name"}
    return digests | ({"other": digest_raw(rest)} if rest else {})


def digest_content(content: Mapping[str, Any], key: str) -> str:
    """The digest of an object without its name."""
    return digest_raw({field: value for field, value in content.items() if field != key})


def _check_server(offer: Offer) -> _Wrong | None:
    for kind, objects in (
        ("tools", offer.tools),
        ("resources", offer.resources),
        ("prompts", offer.prompts),
    ):
        if len(objects) > MAX_OBJECTS:
            return _Wrong("malformed", f"{len(objects)} {kind}, the limit is {MAX_OBJECTS}")
    try:
        write_raw(offer.identity)
    except MalformedInput as error:
        return _Wrong("malformed", f"its identity: {error.message}")
    hidden = find_hidden_in(offer.identity)
    if hidden is not None:
        return _Wrong("hidden_text", f"its identity has {hidden}")
    return None


def _check_instructions(instructions: object) -> _Wrong | None:
    if instructions is None:
        return None
    if not isinstance(instructions, str):
        return _Wrong("malformed", "its instructions are no text")
    if len(instructions) > MAX_INSTRUCTIONS:
        return _Wrong("malformed", f"its instructions have more than {MAX_INSTRUCTIONS} characters")
    hidden = find_hidden(instructions)
    return None if hidden is None else _Wrong("hidden_text", f"its instructions have {hidden}")


def _check_objects(
    offer: Offer, kind: Kind, objects: Iterable[object], refused: list[Quarantined]
) -> dict[str, Sound]:
    listed = [(name_of(each, kind), each) for each in objects]
    counts = Counter(name for name, _ in listed)
    sound: dict[str, Sound] = {}
    left = MAX_OFFER_BYTES
    for name, each in listed:
        found = _check_object(kind, name, each, left)
        if name is not None and counts[name] > 1:
            found = _Wrong("malformed", f"{counts[name]} of this name")
        if isinstance(found, _Wrong):
            refused.append(refuse(offer, kind, name, found))
        else:
            left -= found[1]
            sound[found[0].name] = found[0]
    return sound


def name_of(content: object, kind: Kind) -> str | None:
    """What an object is known by: a resource by its address or its template, others by their name; None for none."""
    if not isinstance(content, dict):
        return None
    name = content.get("uri", content.get("uriTemplate")) if kind == "resource" else content.get("name")
    return name if isinstance(name, str) and name else None


def key_of(content: Mapping[str, Any], kind: Kind) -> str:
    """The field that holds what an object is known by."""
    if kind == "resource":
        return "uri" if "uri" in content else "uriTemplate"
    return "name"


def _check_object(kind: Kind, name: str | None, content: object, left: int) -> tuple[Sound, int] | _Wrong:
    if not isinstance(content, dict):
        return _Wrong("malformed", "no object")
    if name is None:
        return _Wrong("malformed", "no address" if kind == "resource" else "no name")
    held = stable_fields(content) if kind == "resource" else content
    try:
        data = write_raw(held, max_bytes=min(left, MAX_OBJECT_BYTES))
        content_digest = digest_content(held, key_of(content, kind))
    except MalformedInput as error:
        return _Wrong("malformed", error.message)
    wrong = _check_texts(kind, name, content) or _check_form(kind, name, content)
    return wrong or (Sound(name, digest(data), content_digest), len(data))


def stable_fields(resource: Mapping[str, Any]) -> dict[str, Any]:
    """A resource without what changes with its content and can say nothing: `size`, `annotations.lastModified`."""
    held = {key: value for key, value in resource.items() if key != "size" or type(value) not in (int, float)}
    notes = held.get("annotations")
    if isinstance(notes, dict) and _is_moment(notes.get("lastModified")):
        held["annotations"] = {key: value for key, value in notes.items() if key != "lastModified"}
    return held


def _is_moment(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 40 and set(value) <= set("0123456789-:.+TZ")


def _check_texts(kind: Kind, name: str, content: Mapping[str, Any]) -> _Wrong | None:
    hidden = find_hidden(name)
    if hidden is not None or any(char.isspace() and char != " " for char in name):
        return _Wrong("hidden_text", f"its name has {hidden or 'control characters'}")
    if kind != "resource" and (imitates_ascii(name) or mixes_scripts(name)):
        return _Wrong("homoglyph", "its name has letters that look like others")
    hidden = find_hidden_in(content)
    return None if hidden is None else _Wrong("hidden_text", f"its definition has {hidden}")


def _check_form(kind: Kind, name: str, content: Mapping[str, Any]) -> _Wrong | None:
    limit = MAX_ADDRESS if kind == "resource" else MAX_NAME
    if len(name) > limit:
        return _Wrong("malformed", f"a name of {len(name)} characters, the limit is {limit}")
    if kind != "tool":
        return None
    if not is_well_formed(name):
        return _Wrong("malformed", "a name that is not of letters, digits, _ . - and /")
    return _check_tool_fields(content)


def _check_tool_fields(tool: Mapping[str, Any]) -> _Wrong | None:
    schema = tool.get("inputSchema")
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        return _Wrong("malformed", "its inputSchema is not the schema of an object")
    for field, form, words in (
        ("outputSchema", dict, "no object"),
        ("annotations", dict, "no object"),
        ("description", str, "no text"),
        ("title", str, "no text"),
    ):
        if not isinstance(tool.get(field), form | None):
            return _Wrong("malformed", f"its {field} is {words}")
    return None
