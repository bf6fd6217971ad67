"""Writing files: all or none, whatever fails on the way; identifiers that look random and are not."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.errors import UsageError
from verilabel.interchange.exporting.facts import slug
from verilabel.interchange.exporting.writing import (
    ExportFile,
    Target,
    derived_uuid,
    plain_file,
    write_targets,
)


def failing() -> Iterator[bytes]:
    """The bytes of a file that cannot be finished."""
    yield b"half of it"
    raise OSError(28, "No space left on device")


def test_a_file_that_fails_halfway_leaves_nothing_behind(tmp_path: Path) -> None:
    targets = [
        Target(tmp_path / "new" / "a.txt", plain_file("a.txt", b"whole")),
        Target(tmp_path / "new" / "deep" / "b.txt", ExportFile("b.txt", failing)),
    ]
    with pytest.raises(OSError, match="No space"):
        write_targets(targets)
    assert [] == list(tmp_path.iterdir())


def test_a_file_that_was_to_be_replaced_stays_when_another_fails(tmp_path: Path) -> None:
    old = tmp_path / "a.txt"
    old.write_bytes(b"old")
    targets = [
        Target(old, plain_file("a.txt", b"new"), replaces=True),
        Target(tmp_path / "b.txt", ExportFile("b.txt", failing), replaces=True),
    ]
    with pytest.raises(OSError, match="No space"):
        write_targets(targets)
    assert [old] == list(tmp_path.iterdir())
    assert b"old" == old.read_bytes()


def test_a_broken_link_is_a_file_that_is_there(tmp_path: Path) -> None:
    place = tmp_path / "a.txt"
    place.symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="already there"):
        write_targets([Target(place, plain_file("a.txt", b"x"))])
    assert place.is_symlink() and not (tmp_path / "nowhere").exists()


def test_two_files_for_one_place_are_refused(tmp_path: Path) -> None:
    targets = [Target(tmp_path / "a", plain_file("a", b"1")), Target(tmp_path / "a", plain_file("a", b"2"))]
    with pytest.raises(UsageError, match="two files"):
        write_targets(targets)
    assert [] == list(tmp_path.iterdir())


@given(st.text())
def test_a_slug_is_one_part_of_a_path_that_leads_nowhere_else(text: str) -> None:
    part = slug(text)
    assert part and len(part) <= 100
    assert part == os.path.basename(os.path.normpath(part)) and not part.startswith(".")  # noqa: PTH119


@given(st.lists(st.text(), min_size=1, max_size=3))
def test_derived_identifiers_have_the_form_of_version_4_and_repeat(parts: list[str]) -> None:
    found = uuid.UUID(derived_uuid(*parts))
    assert (4, uuid.RFC_4122) == (found.version, found.variant)
    assert derived_uuid(*parts) == str(found) != derived_uuid(*parts, "more")
