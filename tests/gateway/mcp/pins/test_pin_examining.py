"""What of a server agents see after it was pinned, and without a lock."""

from __future__ import annotations

import copy
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_offers import HIDDEN_ORDER, make_offer, make_tool, with_tools, without
from verilabel.gateway.mcp.pins.examining import ClosedServer, LockedServer, UnlockedServer
from verilabel.gateway.mcp.pins.interface import Admitted, Offer
from verilabel.gateway.mcp.pins.lock import make_lock
from verilabel.gateway.mcp.pins.raw_form import digest_raw

OFFER = make_offer()
READ, SEND, SEARCH = OFFER.tools


def pinned(offer: Offer = OFFER) -> LockedServer:
    lock, left_out = make_lock(offer)
    assert () == left_out
    return LockedServer(lock)


def changes(admitted: Admitted) -> list[tuple[str, str, str]]:
    """What was kept away; nothing of it may repeat what the server wrote."""
    assert HIDDEN_ORDER not in msgspec.json.encode(admitted).decode()
    return sorted((each.kind, each.name, each.change) for each in admitted.quarantined)


def test_a_server_that_is_as_it_was_pinned_shows_everything() -> None:
    admitted = pinned().examine(OFFER, {})
    assert {"read_inbox", "send_mail", "search"} == admitted.tools
    assert {"mail://inbox", "mail://inbox/{id}"} == admitted.resources
    assert {"summarise"} == admitted.prompts
    assert admitted.instructions
    assert () == admitted.quarantined
    assert {tool["name"]: digest_raw(tool) for tool in OFFER.tools} == admitted.pins


def test_the_order_of_tools_and_of_keys_does_not_matter() -> None:
    turned = tuple(dict(reversed(tool.items())) for tool in reversed(OFFER.tools))
    assert () == pinned().examine(with_tools(OFFER, *turned), {}).quarantined


# -- the pin fixtures: each threat of its own, by name ---------------------------------------------------------


def test_pin_fixture_1_a_poisoned_description_is_kept_from_the_agent() -> None:
    poisoned = READ | {"description": HIDDEN_ORDER}
    admitted = pinned().examine(with_tools(OFFER, poisoned, SEND, SEARCH), {})
    assert {"send_mail", "search"} == admitted.tools == admitted.pins.keys()
    assert [("tool", "read_inbox", "changed")] == changes(admitted)
    assert admitted.quarantined[0].detail.endswith(": description")


def test_pin_fixture_2_a_changed_schema_is_kept_from_the_agent() -> None:
    schema = copy.deepcopy(SEND["inputSchema"])
    schema["properties"]["bcc"] = {"type": "string", "description": HIDDEN_ORDER}
    admitted = pinned().examine(with_tools(OFFER, READ, SEND | {"inputSchema": schema}, SEARCH), {})
    assert [("tool", "send_mail", "changed")] == changes(admitted)
    assert admitted.quarantined[0].detail.endswith(": inputSchema")


def test_pin_fixture_3_a_new_tool_is_kept_from_the_agent() -> None:
    admitted = pinned().examine(with_tools(OFFER, *OFFER.tools, make_tool("delete_all", HIDDEN_ORDER)), {})
    assert {"read_inbox", "send_mail", "search"} == admitted.tools
    assert [("tool", "delete_all", "new")] == changes(admitted)


def test_pin_fixture_4_a_renamed_tool_is_kept_from_the_agent() -> None:
    renamed = SEND | {"name": "send_mail_v2"}
    admitted = pinned().examine(with_tools(OFFER, READ, renamed, SEARCH), {})
    assert {"read_inbox", "search"} == admitted.tools
    assert [("tool", "send_mail_v2", "renamed")] == changes(admitted)
    assert "pinned as send_mail" == admitted.quarantined[0].detail


def test_pin_fixture_5_a_tool_that_shadows_another_servers_is_kept_from_the_agent() -> None:
    files = make_offer(make_tool("Send-Mail", HIDDEN_ORDER), server="files")
    admitted = UnlockedServer().examine(files, {"mail": OFFER})
    assert [("tool", "Send-Mail", "shadowed")] == changes(admitted)
    assert {"read_inbox", "send_mail", "search"} == pinned().examine(OFFER, {"files": files}).tools


def test_pin_fixture_6_changed_instructions_close_the_server() -> None:
    admitted = pinned().examine(msgspec.structs.replace(OFFER, instructions=HIDDEN_ORDER), {})
    assert frozenset() == admitted.tools | admitted.resources | admitted.prompts
    assert not admitted.instructions
    assert [("server", "mail", "instructions")] == changes(admitted)


@pytest.mark.parametrize("name", ["send_mаil", "ѕend_mail", "sｅnd_mail", "send_mai1", "sеnd_mаil_ок"])
def test_pin_fixture_7_a_homoglyph_is_kept_from_the_agent(name: str) -> None:
    for pins in (pinned(), UnlockedServer()):
        admitted = pins.examine(with_tools(OFFER, *OFFER.tools, make_tool(name, HIDDEN_ORDER)), {})
        assert name not in admitted.tools
        assert "homoglyph" in [each.change for each in admitted.quarantined]


@pytest.mark.parametrize(
    "name", ["send_mail\u200b", "send\u202e_mail", "send_mail\U000e0041", "send\x1b[8m_mail"]
)
def test_pin_fixture_8_hidden_characters_in_a_name_are_kept_from_the_agent(name: str) -> None:
    for pins in (pinned(), UnlockedServer()):
        admitted = pins.examine(with_tools(OFFER, *OFFER.tools, make_tool(name, HIDDEN_ORDER)), {})
        assert {"read_inbox", "send_mail", "search"} == admitted.tools
        assert ["hidden_text"] == [each.change for each in admitted.quarantined]
        assert all(each.name.isascii() and each.name.isprintable() for each in admitted.quarantined)


# -- more that changes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "part"),
    [
        (READ | {"annotations": {"readOnlyHint": False}}, "annotations"),
        (READ | {"title": HIDDEN_ORDER}, "other"),
        (READ | {"outputSchema": {"type": "object"}}, "outputSchema"),
        (READ | {"_meta": {"x": HIDDEN_ORDER}}, "other"),
        (without(READ, "description", "annotations"), "annotations, description"),
    ],
)
def test_it_is_said_which_part_of_a_tool_changed(tool: dict[str, Any], part: str) -> None:
    admitted = pinned().examine(with_tools(OFFER, tool, SEND, SEARCH), {})
    assert [("tool", "read_inbox", "changed")] == changes(admitted)
    assert part == admitted.quarantined[0].detail.partition(": ")[2]


def test_a_removed_tool_is_told() -> None:
    admitted = pinned().examine(with_tools(OFFER, READ, SEARCH), {})
    assert {"read_inbox", "search"} == admitted.tools
    assert [("tool", "send_mail", "removed")] == changes(admitted)


@pytest.mark.parametrize(
    "change",
    [
        {"identity": {"serverInfo": {"name": "mail", "version": "1.2.1"}, "protocolVersion": "2025-11-25"}},
        {"identity": {}},
        {"command": ("mail-mcp",)},
        {"command": ("mail-mcp --read-only",)},
        {"server": "files"},
    ],
)
def test_another_identity_or_command_closes_the_server(change: dict[str, Any]) -> None:
    admitted = pinned().examine(msgspec.structs.replace(OFFER, **change), {})
    assert frozenset() == admitted.tools | admitted.resources | admitted.prompts
    assert not admitted.instructions
    assert {"identity"} == {each.change for each in admitted.quarantined}


def test_a_tool_that_takes_the_place_of_a_removed_one_by_its_looks_is_a_homoglyph() -> None:
    admitted = pinned().examine(with_tools(OFFER, READ, SEARCH, make_tool("send_mai1")), {})
    assert [("tool", "send_mai1", "homoglyph"), ("tool", "send_mail", "removed")] == changes(admitted)


def test_resources_and_prompts_are_held_against_the_lock_too() -> None:
    now = msgspec.structs.replace(
        OFFER,
        resources=({"uri": "mail://inbox", "name": HIDDEN_ORDER}, {"uri": "file:///etc", "name": "x"}),
        prompts=({"name": "summary", "description": "Summarise the inbox."},),
    )
    admitted = pinned().examine(now, {})
    assert frozenset() == admitted.resources | admitted.prompts
    assert [
        ("prompt", "summary", "renamed"),
        ("resource", "file:///etc", "new"),
        ("resource", "mail://inbox", "changed"),
        ("resource", "mail://inbox/{id}", "removed"),
    ] == changes(admitted)
    assert {"read_inbox", "send_mail", "search"} == admitted.tools


def test_a_resource_may_grow_without_being_another_one() -> None:
    grown = {
        "uri": "mail://inbox",
        "name": "inbox",
        "size": 99,
        "annotations": {"lastModified": "2026-05-01T00:00:00Z"},
    }
    offer = msgspec.structs.replace(
        OFFER, resources=(OFFER.resources[0] | {"annotations": {}}, OFFER.resources[1])
    )
    later = msgspec.structs.replace(offer, resources=(grown, OFFER.resources[1]))
    assert () == pinned(offer).examine(later, {}).quarantined
    grown["size"] = HIDDEN_ORDER
    assert [("resource", "mail://inbox", "changed")] == changes(pinned(offer).examine(later, {}))


# -- without a lock, and with one that cannot be used -----------------------------------------------------------


def test_without_a_lock_a_sound_server_shows_everything() -> None:
    admitted = UnlockedServer().examine(OFFER, {})
    assert {"read_inbox", "send_mail", "search"} == admitted.tools
    assert admitted.instructions
    assert () == admitted.quarantined


def test_a_lock_that_cannot_be_used_shows_nothing() -> None:
    admitted = ClosedServer("its lock cannot be used").examine(OFFER, {})
    assert frozenset() == admitted.tools | admitted.resources | admitted.prompts
    assert [("server", "mail", "identity")] == changes(admitted)


@pytest.mark.parametrize(
    "tool",
    [
        make_tool("x" * 129),
        make_tool("two words"),
        make_tool("semi;colon"),
        make_tool(""),
        {"name": "no_schema"},
        {"name": "bad_schema", "inputSchema": [1]},
        {"name": "bad_schema", "inputSchema": {"type": "array"}},
        make_tool("bad_output", outputSchema="x"),
        make_tool("bad_notes", annotations=[]),
        make_tool("nan", x=float("nan")),
        make_tool("surrogate", x="\ud800"),
        {"name": ["x"], "inputSchema": {}},
        {"inputSchema": {}},
        make_tool("huge", "x" * 2**20),
    ],
    ids=lambda tool: str(tool.get("name"))[:16],
)
def test_a_malformed_tool_is_kept_away_and_the_others_are_not(tool: dict[str, Any]) -> None:
    for pins in (UnlockedServer(), pinned()):
        admitted = pins.examine(with_tools(OFFER, *OFFER.tools, tool), {})
        assert {"read_inbox", "send_mail", "search"} == admitted.tools
        assert ["malformed"] == [each.change for each in admitted.quarantined]


def test_a_tool_that_is_no_object_is_malformed() -> None:
    offer = msgspec.convert(msgspec.to_builtins(OFFER), Offer)
    odd: Any = msgspec.structs.replace(offer, tools=(*offer.tools, "text", None, 3))
    admitted = UnlockedServer().examine(odd, {})
    assert 3 == len(admitted.tools)
    assert [("tool", "(no name)", "malformed")] * 3 == changes(admitted)


def test_two_tools_of_one_name_are_both_kept_away() -> None:
    twice = with_tools(OFFER, READ, SEND, SEARCH, SEND | {"description": HIDDEN_ORDER})
    for pins in (UnlockedServer(), pinned()):
        admitted = pins.examine(twice, {})
        assert {"read_inbox", "search"} == admitted.tools
        assert [("tool", "send_mail", "malformed")] * 2 == changes(admitted)


def test_a_schema_that_is_too_deep_is_malformed() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"items": deep}
    admitted = UnlockedServer().examine(with_tools(OFFER, READ, make_tool("deep", inputSchema=deep)), {})
    assert {"read_inbox"} == admitted.tools
    assert [("tool", "deep", "malformed")] == changes(admitted)


@pytest.mark.parametrize(
    "text", ["a\u200bb", "\U000e0041", "\x1b[0m", "a\u2066b\u2069", "\x07", "\ue000", "\u3164"]
)
def test_hidden_text_anywhere_in_a_definition_keeps_it_away_pinned_or_not(text: str) -> None:
    for field in ({"description": text}, {"inputSchema": {"properties": {text: {}}}}, {"x": [{"y": text}]}):
        offer = with_tools(OFFER, READ, make_tool("other") | field)
        assert ["hidden_text"] == [each.change for each in UnlockedServer().examine(offer, {}).quarantined]
        lock, left_out = make_lock(offer)
        assert ["read_inbox"] == [tool.name for tool in lock.tools]
        assert ["hidden_text"] == [each.change for each in left_out]
        assert {"read_inbox"} == LockedServer(lock).examine(offer, {}).tools


@pytest.mark.parametrize(
    "text", ["👩‍💻 works", "❤️ 1️⃣", "می‌خواهم", "क्‍ष", "葛\U000e0100", "line\nbreak\ttab", "naïve"]
)
def test_characters_that_scripts_and_emoji_need_are_no_hidden_text(text: str) -> None:
    assert () == UnlockedServer().examine(make_offer(make_tool("tool", text)), {}).quarantined


def test_instructions_with_hidden_text_are_kept_away_alone() -> None:
    admitted = UnlockedServer().examine(msgspec.structs.replace(OFFER, instructions="x\u200by"), {})
    assert not admitted.instructions
    assert 3 == len(admitted.tools)
    assert [("server", "mail", "hidden_text")] == changes(admitted)


def test_servers_without_locks_that_share_a_name_both_lose_that_tool_alone() -> None:
    notes = make_offer(make_tool("search"), make_tool("write_note"), server="notes")
    assert {"read_inbox", "send_mail"} == UnlockedServer().examine(OFFER, {"notes": notes}).tools
    assert {"write_note"} == UnlockedServer().examine(notes, {"mail": OFFER}).tools


def test_a_name_that_no_agent_will_see_takes_no_tool_away() -> None:
    hostile = make_offer(make_tool("send_mаil"), make_tool("read inbox"), server="files")
    assert 3 == len(UnlockedServer().examine(OFFER, {"files": hostile}).tools)


def test_more_than_ten_thousand_tools_close_the_server() -> None:
    offer = with_tools(OFFER, *(make_tool(f"tool_{n}") for n in range(10_001)))
    admitted = UnlockedServer().examine(offer, {})
    assert frozenset() == admitted.tools
    assert [("server", "mail", "malformed")] == changes(admitted)


def test_ten_thousand_tools_are_examined_in_bounded_memory() -> None:
    offer = with_tools(OFFER, *(make_tool(f"tool_{n:05}z") for n in range(10_000)))
    lock, _ = make_lock(offer)
    tracemalloc.start()
    try:
        admitted = LockedServer(lock).examine(offer, {"other": offer})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 10_000 == len(admitted.tools)
    assert peak < 64 * 2**20


# -- properties --------------------------------------------------------------------------------------------------

texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def tools_and_changes(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A tool, and the same with one value at any depth put in, taken out or replaced."""
    tool = make_tool("tool", draw(texts)) | draw(
        st.fixed_dictionaries({}, optional={"annotations": st.dictionaries(texts, values), "x": values})
    )
    changed = copy.deepcopy(tool)
    place: Any = changed
    while draw(st.booleans()) and place:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        inner = place[draw(st.sampled_from(keys))]
        if not isinstance(inner, dict | list) or not inner:
            break
        place = inner
    if isinstance(place, list):
        place[draw(st.integers(0, len(place) - 1))] = draw(values)
    elif draw(st.booleans()) and place:
        del place[draw(st.sampled_from(sorted(place)))]
    else:
        place[draw(st.sampled_from(sorted(place)) | texts)] = draw(values)
    return tool, changed


def same_json(one: Any, other: Any) -> bool:
    """True for one JSON value: as Python compares, but that true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return (type(one) in (int, float) and type(other) in (int, float) and one == other) or (
        type(one) is type(other) and one == other
    )


@given(tools_and_changes())
def test_any_single_change_of_the_raw_object_is_quarantined(
    pair: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    tool, changed = pair
    offer = make_offer(tool)
    admitted = pinned(offer).examine(with_tools(offer, changed), {})
    if same_json(tool, changed):
        assert {"tool"} == admitted.tools
    else:
        assert frozenset() == admitted.tools
        assert admitted.quarantined


@given(st.text(), st.text())
def test_no_name_or_text_of_a_server_raises_or_comes_through(name: str, text: str) -> None:
    offer = make_offer(make_tool(name, text), make_tool("sound"))
    for pins in (pinned(), UnlockedServer()):
        admitted = pins.examine(offer, {"other": make_offer(make_tool(name), server="other")})
        for each in admitted.quarantined:
            assert each.name.isascii() and each.name.isprintable() and len(each.name) <= 300
