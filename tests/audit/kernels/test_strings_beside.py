"""Texts beside documents: grouped and cut as arrays, they say what a list of Python texts would."""

from __future__ import annotations

import re
from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from verilabel.audit.kernels.strings import Strings, cut_paths, group_values, read_leading_years

TEXTS = st.lists(
    st.none()
    | st.sampled_from(["", "a", "ab", "ä"])
    | st.text(max_size=8).map(lambda t: t.encode("utf-8", "replace").decode())
)


@given(TEXTS)
def test_strings_equal_the_sequence_that_they_were_made_of(values: list[str | None]) -> None:
    assert values == list(Strings.of(values))
    assert Strings.of(values) == values


@given(TEXTS, TEXTS)
def test_joined_and_selected_strings_are_those_of_lists(
    first: list[str | None], second: list[str | None]
) -> None:
    joined = Strings.joined([first, Strings.of(second)])
    assert [*first, *second] == list(joined)
    wanted = np.arange(len(joined)) % 2 == 0
    assert [*first, *second][::2] == list(joined.select(wanted))


@given(TEXTS)
def test_equal_texts_fall_into_one_group_and_different_ones_never(values: list[str | None]) -> None:
    groups = group_values(Strings.of(values))
    members: dict[int, set[str | None]] = defaultdict(set)
    for value, group in zip(values, groups.of.tolist(), strict=True):
        members[group].add(value)
    assert members.pop(-1, set()) <= {None, ""}
    assert all(len(texts) == 1 for texts in members.values())
    assert len(members) == len({value for value in values if value})


def test_a_plain_address_is_cut_behind_its_host_and_every_other_one_stays_whole() -> None:
    addresses = [
        "https://www.example.org/a/b?c",
        "http://example.org?x",
        "http://example.org#x",
        "https://example.org",
        "https://user@example.org/a",
        "https://example.org:8080/a",
        "HTTP://example.org/a",
        "https://ä.example.org/a",
        "example.org/a",
        "http:/",
        None,
    ]
    expected = ["https://www.example.org", "http://example.org", "http://example.org", *addresses[3:]]
    assert expected == list(cut_paths(Strings.of(addresses)))


@given(st.lists(st.text("0129-T ", max_size=6)))
def test_years_are_those_of_the_pattern(dates: list[str]) -> None:
    matches = [re.match(r"(1[0-9]{3}|20[0-9]{2})(?:$|[^0-9])", date) for date in dates]
    assert [int(match[1]) if match else -1 for match in matches] == read_leading_years(
        Strings.of(dates)
    ).tolist()
