"""Served folders: what counts as a bundle, how it is named, and when it is looked at again."""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bundle_factory import READ
from verilabel.errors import LimitExceeded, UsageError
from verilabel.gateway.mcp.server.arguments import FileIncident, FindLabel, read_arguments, schema_of
from verilabel.gateway.mcp.server.harmless_text import MAX_CHARS, show_plainly
from verilabel.gateway.mcp.server.incidents import MAX_AN_HOUR, IncidentDesk
from verilabel.gateway.mcp.server.labels import find_label
from verilabel.gateway.mcp.server.library import Library


def library_of(*folders: Path) -> Library:
    return Library(folders, None, clock=lambda: READ)


def test_bundles_are_named_by_their_place_and_links_are_not_followed(
    made_zip: Path, bundle: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "served"
    shutil.copytree(bundle, folder / "a" / "one")
    shutil.copy(made_zip, folder / "two.zip")
    (folder / ".hidden").mkdir()
    shutil.copytree(bundle, folder / ".hidden" / "three")
    (folder / "four").symlink_to(bundle)
    (folder / "loop").symlink_to(folder)
    (folder / "five").mkdir()
    (folder / "five" / "bundle.json").symlink_to(bundle / "bundle.json")
    assert ["a/one", "two.zip"] == list(library_of(folder).names())


def test_a_bundle_may_be_served_by_itself_and_equal_names_are_told_apart(
    bundle: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other" / bundle.name
    shutil.copytree(bundle, other)
    assert ["bundle", "bundle (2)"] == list(library_of(bundle, other).names())


def test_folders_nested_too_deep_are_not_walked(bundle: Path, tmp_path: Path) -> None:
    deep = tmp_path / "served" / "1" / "2" / "3" / "4" / "5"
    shutil.copytree(bundle, deep)
    assert {} == library_of(tmp_path / "served").names()


def test_a_folder_of_far_too_many_names_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "served"
    for inside in ("a", "b", "c"):
        (folder / inside).mkdir(parents=True)
        for name in range(10):
            (folder / inside / str(name)).touch()
    assert {} == Library([folder], None, max_entries=33).names()
    with pytest.raises(LimitExceeded, match="names"):
        Library([folder], None, max_entries=32).names()


def test_a_changed_bundle_is_verified_again_and_its_label_is_gone(bundle: Path) -> None:
    async def look() -> None:
        library = library_of(bundle)
        assert 1 == len((await find_label(library, FindLabel(name="quiz"))).document["labels"])
        evidence = bundle / "records" / "evidence.jsonl"
        evidence.write_bytes(evidence.read_bytes()[:-1])
        found = (await find_label(library, FindLabel(name="quiz"))).document
        assert ([], ["bundle"]) == (found["labels"], [each["bundle"] for each in found["without_label"]])

    asyncio.run(look())


def test_a_label_that_expired_is_shown_as_out_of_force(bundle: Path) -> None:
    async def look() -> None:
        library = Library([bundle], None, clock=lambda: datetime(2999, 1, 1, tzinfo=UTC))
        (label,) = (await find_label(library, FindLabel(name="quiz-model"))).document["labels"]
        assert (False, "L2") == (label["in_force"], label["granted"])
        assert "expired" in label["flags"]

    asyncio.run(look())


def test_the_loop_goes_on_while_bundles_are_verified(bundle: Path) -> None:
    async def look() -> int:
        library = library_of(bundle)
        working = asyncio.create_task(library.examine("bundle"))
        turns = 0
        while not working.done():
            await asyncio.sleep(0)
            turns += 1
        assert working.result().follows
        return turns

    assert asyncio.run(look()) > 10


def test_no_more_incidents_are_taken_in_an_hour_than_the_bound(tmp_path: Path) -> None:
    clock = [0.0]

    async def file() -> None:
        desk = IncidentDesk(tmp_path / "incidents", None, seconds=lambda: clock[0])
        asked = FileIncident(title="a", description="b", severity="low")
        for _ in range(MAX_AN_HOUR):
            await desk.file(library_of(), asked, "test")
        with pytest.raises(LimitExceeded, match="within an hour"):
            await desk.file(library_of(), asked, "test")
        clock[0] = 3600.0
        await desk.file(library_of(), asked, "test")

    asyncio.run(file())
    assert MAX_AN_HOUR + 1 == len(list((tmp_path / "incidents").iterdir()))


def test_an_incident_about_an_unknown_bundle_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    desk = IncidentDesk(tmp_path / "incidents", None)
    asked = FileIncident(title="a", description="b", severity="low", bundle="none")
    with pytest.raises(UsageError, match="no such bundle"):
        asyncio.run(desk.file(library_of(), asked, "test"))
    assert not (tmp_path / "incidents").exists()


def test_schemas_refuse_what_they_do_not_name() -> None:
    schema = schema_of(FileIncident)
    assert (False, ["title", "description", "severity"]) == (
        schema["additionalProperties"],
        schema["required"],
    )
    assert "$ref" not in str(schema)
    assert FindLabel(name="a") == read_arguments({"name": "a"}, FindLabel)


def test_text_of_bundles_is_bounded_and_nothing_in_it_is_hidden() -> None:
    shown = show_plainly("a\u202eb\x1b[2Jc\u200b\n" + "x" * 1000)
    assert shown is not None
    assert MAX_CHARS == len(shown)
    assert shown.startswith("a\\u{202e}b\\u{1b}[2Jc\\u{200b}\\u{a}x")
