"""What looks at a rubric as a whole: whether it takes the name of another one, and whether its sunset is a day."""

from __future__ import annotations

import pytest

from verilabel.errors import MalformedInput
from verilabel.rubric.model import bundled_rubrics, load_rubric, rubric_bytes, takes_bundled_name


def test_no_bundled_rubric_takes_the_name_of_another() -> None:
    assert [False] * len(bundled_rubrics()) == [takes_bundled_name(rubric) for rubric in bundled_rubrics()]


def test_other_bytes_under_a_bundled_name_are_told_apart_and_a_new_version_is_not_a_theft() -> None:
    core = rubric_bytes("core")[0]
    softer = load_rubric(core.replace(b"alpha: 0.025", b"alpha: 0.1"), "softer")
    assert takes_bundled_name(softer)
    renamed = core.replace(f"version: {softer.version}".encode(), b"version: 9.9.9")
    assert not takes_bundled_name(load_rubric(renamed, "next"))


def test_a_sunset_that_no_calendar_has_is_refused() -> None:
    core = rubric_bytes("core")[0]
    load_rubric(core.replace(b"max_age: P180D", b"max_age: P180D\n  sunset: 2028-02-29"), "core")
    with pytest.raises(MalformedInput, match="2027-02-29 is no day of the calendar"):
        load_rubric(core.replace(b"max_age: P180D", b"max_age: P180D\n  sunset: 2027-02-29"), "core")
