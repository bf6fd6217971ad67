"""What is dangerous in what servers show: the checks that pins make, phrases, instructions about other servers' tools.

Findings name the rule that spoke and the tool by its harmless name; no text of a server is repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from verilabel.gateway.mcp.pins.checking import Kind, is_well_formed, name_of
from verilabel.gateway.mcp.pins.examining import UnlockedServer
from verilabel.gateway.mcp.pins.interface import Change, Offer
from verilabel.gateway.mcp.pins.scanning.commands import Suspicion
from verilabel.gateway.mcp.pins.scanning.phrases import asks_for_context, injection_rules, tool_rules
from verilabel.gateway.mcp.pins.scanning.places import Path
from verilabel.gateway.mcp.pins.skeletons import read_as_ascii
from verilabel.gateway.mcp.pins.unseen_text import show_address, show_name, texts_of

MAX_TEXT = 2**18
MAX_DEPTH = 24
_RULES_OF: dict[Change, str] = {
    "hidden_text": "mcp/hidden-text",
    "homoglyph": "mcp/homoglyph",
    "shadowed": "mcp/shadowed-tool",
    "malformed": "mcp/malformed",
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_STEERING = _words(
    "before after when whenever instead first must always never every replace override redirect ignore"
)
_PRIVATE = _words(
    "mail email inbox message messages file files calendar contact contacts drive document documents note notes "
    "database query sql memory customer customers crm repository secret secrets"
)
_READING = _words("read get list search find fetch query select open download show view browse scrape")
_STRANGERS = _words(
    "web url page website browse fetch scrape crawl mail email inbox issue issues comment comments rss tweet tweets "
    "review reviews ticket tickets"
)
_SENDING = _words(
    "send post publish upload share email mail forward tweet create comment reply notify request webhook push"
)
_OUTSIDE = _words(
    "mail email message sms slack issue issues comment tweet webhook http url web pastebin gist pr post channel"
)


def inspect_offer(offer: Offer, others: Mapping[str, Offer]) -> Iterator[tuple[Path, Suspicion]]:
    """What is suspicious about what a server shows, each with its place inside the server's own object."""
    places = _places_of(offer)
    for wrong in UnlockedServer().examine(offer, dict(others)).quarantined:
        place = places.get((wrong.kind, wrong.name), ())
        what = "the server" if wrong.kind == "server" else f"the {wrong.kind} {wrong.name}"
        yield place, Suspicion(_RULES_OF[wrong.change], wrong.name, f"{what}: {wrong.detail}")
    foreign = _foreign_names(offer, others)
    if isinstance(offer.instructions, str):
        for each in _inspect_texts([offer.instructions], "instructions", foreign):
            yield ("instructions",), each
    kinds: tuple[tuple[str, Kind, Sequence[Any]], ...] = (
        ("tools", "tool", offer.tools),
        ("resources", "resource", offer.resources),
        ("prompts", "prompt", offer.prompts),
    )
    for field, kind, objects in kinds:
        for number, content in enumerate(objects):
            shown = _shown(kind, name_of(content, kind))
            for each in _inspect_texts(list(texts_of(content)), shown, foreign):
                yield (field, number), each
            if kind == "tool":
                yield from (((field, number), each) for each in _inspect_parameters(content, shown))


def _shown(kind: str, name: object) -> str:
    return show_address(name) if kind == "resource" else show_name(name)


def _places_of(offer: Offer) -> dict[tuple[str, str], Path]:
    found: dict[tuple[str, str], Path] = {}
    for number, tool in enumerate(offer.tools):
        found[("tool", show_name(name_of(tool, "tool")))] = ("tools", number)
    for number, resource in enumerate(offer.resources):
        found[("resource", show_address(name_of(resource, "resource")))] = ("resources", number)
    for number, prompt in enumerate(offer.prompts):
        found[("prompt", show_name(name_of(prompt, "prompt")))] = ("prompts", number)
    return found


# -- phrases ---------------------------------------------------------------------------------------------------


def _inspect_texts(texts: Sequence[str], subject: str, foreign: Mapping[str, str]) -> Iterator[Suspicion]:
    """Each rule speaks once for an object."""
    seen: set[str] = set()
    for text in texts:
        for rule, message in _read_text(text[:MAX_TEXT], foreign):
            if rule not in seen:
                seen.add(rule)
                yield Suspicion(rule, subject, f"{subject}: {message}")


def _read_text(text: str, foreign: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if len(text) < 8:
        return
    if not text.isascii():
        text = f"{text}\n{read_as_ascii(text)}"  # a phrase in letters of other scripts reads the same
    injection = injection_rules()
    for match in injection.find(text):
        yield "mcp/injection-phrase", f"the rule {injection.rules[match.rule].id} speaks"
    rules = tool_rules()
    for match in rules.find(text):
        rule = rules.rules[match.rule].id
        yield rule.rpartition(".")[0], f"the rule {rule} speaks"
    if foreign:
        yield from _read_foreign(text, foreign)


def _foreign_names(offer: Offer, others: Mapping[str, Offer]) -> dict[str, str]:
    """Telling names of other servers' tools (of two words and more), and the server of each."""
    own = {name_of(tool, "tool") for tool in offer.tools}
    return {
        name: server
        for server in sorted(others)
        if server != offer.server
        for tool in others[server].tools
        if (name := name_of(tool, "tool")) and name not in own and is_well_formed(name) and _is_telling(name)
    }


def _is_telling(name: str) -> bool:
    return len(name) >= 6 and ("_" in name or "-" in name or any(char.isupper() for char in name[1:]))


def _read_foreign(text: str, foreign: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    words = _split_words(text)
    named = next((word for word in words if word in foreign), None)
    if named is not None and _STEERING.intersection(word.lower() for word in words):
        server = show_name(foreign[named])
        yield "mcp/cross-server-instruction", f"it says how {show_name(named)} of {server} is to be used"


def _split_words(text: str) -> list[str]:
    return [
        word.strip("-./") for word in "".join(c if c.isalnum() or c in "_-./" else " " for c in text).split()
    ]


# -- parameters ------------------------------------------------------------------------------------------------


def _inspect_parameters(tool: object, subject: str) -> Iterator[Suspicion]:
    schema = tool.get("inputSchema") if isinstance(tool, dict) else None
    for name in _parameters_of(schema):
        if asks_for_context(name):
            shown = show_name(name)
            yield Suspicion("mcp/harvesting-parameter", subject, f"{subject}: the parameter {shown}")
            return


def _parameters_of(schema: object) -> Iterator[str]:
    waiting: list[tuple[object, int]] = [(schema, 0)]
    while waiting:
        each, depth = waiting.pop()
        if depth > MAX_DEPTH or not isinstance(each, dict):
            continue
        properties = each.get("properties")
        if isinstance(properties, dict):
            yield from (name for name in properties if isinstance(name, str))
            waiting += [(inner, depth + 1) for inner in properties.values()]
        waiting.append((each.get("items"), depth + 1))


# -- the lethal trifecta -----------------------------------------------------------------------------------------


def find_trifecta(offers: Sequence[Offer]) -> str | None:
    """A sentence where tools together can read private data, read what strangers wrote, and send.

    A heuristic over names and annotations: words such as `inbox`, `fetch`, `send`. It neither proves nor rules out.
    """
    found: dict[str, str] = {}
    for offer in offers:
        for tool in offer.tools:
            name = name_of(tool, "tool")
            if name is not None and is_well_formed(name):
                for leg in _legs_of(name, tool):
                    found.setdefault(leg, f"{show_name(offer.server)}/{show_name(name)}")
    if len(found) < 3:
        return None
    return (
        f"by their names, {found['private']} reads private data, {found['strangers']} reads what strangers wrote, "
        f"and {found['sends']} sends"
    )


def _legs_of(name: str, tool: Mapping[str, Any]) -> Iterator[str]:
    spaced = "".join(f" {char}" if char.isupper() else char for char in name)
    words = frozenset("".join(c if c.isalnum() else " " for c in spaced).lower().split())
    notes = tool.get("annotations")
    only_reads = isinstance(notes, dict) and notes.get("readOnlyHint") is True
    if words & _READING and words & _PRIVATE:
        yield "private"
    if words & _READING and words & _STRANGERS:
        yield "strangers"
    if (
        words & _SENDING
        and words & _OUTSIDE
        and not only_reads
        and not words & {"read", "get", "list", "search"}
    ):
        yield "sends"
