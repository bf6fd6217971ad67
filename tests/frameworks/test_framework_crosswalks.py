"""Crosswalks: only known ids in the versions they were made for, with relations of NIST IR 8477."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.cli.frameworks import find_end
from verilabel.errors import MalformedInput, UsageError
from verilabel.frameworks.catalogue import Catalogue, load_catalogue
from verilabel.frameworks.crosswalk import bundled_crosswalk_paths, find_crosswalk, load_crosswalk

LEFT, RIGHT = (
    load_catalogue(
        f"""verilabel: framework/v1
id: {name}
version: "1"
title: {name}
last_checked: "2026"
source: {{title: {name}, uri: "https://example.org", publisher: Example}}
items: [{{id: {name}.1, kind: rule}}, {{id: {name}.2, kind: rule}}, {{id: {name}.3, kind: rule}}]
""".encode(),
        name,
    )
    for name in ("left", "right")
)
HEAD = """verilabel: crosswalk/v1
id: left--right
version: 0.1.0
from: {id: left, version: "1"}
to: {id: right, version: "1"}
method: by hand
reviewed_by: [{name: unreviewed}]
rows:
"""
ROWS = """  - {from: left.1, to: right.1, relation: subset_of, why: It is a part.}
  - {from: left.2, to: right.1, relation: no_relationship, why: Nothing in common.}
  - {from: left.2, to: right.2, relation: supports, strength: 5, why: It helps., needs: ["attest:x"]}
"""


def find(framework: str) -> Catalogue | None:
    return {"left": LEFT, "right": RIGHT}.get(framework)


def test_a_crosswalk_knows_what_it_does_not_cover() -> None:
    crosswalk = load_crosswalk((HEAD + ROWS).encode(), "x.yaml", find)
    assert ("right.3",) == crosswalk.uncovered(RIGHT)
    rows = HEAD + "  - {from: left.1, to: right.1, relation: no_relationship, why: No.}\n"
    assert ("right.1", "right.2", "right.3") == load_crosswalk(rows.encode(), "x.yaml", find).uncovered(RIGHT)


@pytest.mark.parametrize(
    ("old", "new", "where", "hint"),
    [
        ("to: right.2", "to: right.22", "$.rows[2].to", "did you mean 'right.2'?"),
        ("from: left.1", "from: right.1", "$.rows[0].from", "its items: left.1, left.2, left.3"),
        ("relation: supports", "relation: covers", "$.rows[2].relation", None),
        ("from: left.2, to: right.2", "from: left.2, to: right.1", "$.rows[2]", None),
        ("strength: 5", "strength: 11", "$.rows[2].strength", None),
        (", why: It is a part.", "", "$.rows[0]", None),
        ('from: {id: left, version: "1"}', 'from: {id: lefty, version: "1"}', "$.from.id", None),
        ('to: {id: right, version: "1"}', 'to: {id: right, version: "2"}', "$.to.version",
         "look at each row again, then write the new version"),
        ("method: by hand", "methods: by hand", "$", None),
        ("reviewed_by: [{name: unreviewed}]", "reviewed_by: []", "$.reviewed_by", None),
    ],
)  # fmt: skip
def test_a_crosswalk_that_does_not_hold_is_refused_with_the_place(
    old: str, new: str, where: str, hint: str | None
) -> None:
    text = HEAD + ROWS
    assert old in text
    with pytest.raises(MalformedInput) as refused:
        load_crosswalk(text.replace(old, new, 1).encode(), "x.yaml", find)
    assert (f"x.yaml {where}", hint) == (refused.value.where, refused.value.hint)


def test_the_bundled_crosswalks_hold_and_say_why() -> None:
    paths = bundled_crosswalk_paths()
    assert len(paths) >= 5
    for path in paths:
        crosswalk = load_crosswalk(path.read_bytes(), path.name, find_end)
        assert path.stem == crosswalk.id
        assert all(row.why.endswith(".") for row in crosswalk.rows), crosswalk.id


def test_every_hazard_is_related_to_the_harm_measure_of_the_core_rubric() -> None:
    crosswalk = find_crosswalk("core--ailuminate", find_end)
    hazards = find_end("ailuminate")
    assert hazards is not None
    assert (12, ()) == (len(crosswalk.rows), crosswalk.uncovered(hazards))


def test_a_crosswalk_that_is_nowhere_gets_the_nearest_name() -> None:
    with pytest.raises(UsageError) as refused:
        find_crosswalk("core--ailuminat", find_end)
    assert "did you mean 'core--ailuminate'?" == refused.value.hint


def test_a_rubric_is_an_end_by_its_measures_levels_and_attestations() -> None:
    end = find_end("verilabel/capability-ladder")
    assert end is not None
    assert {"measure:swe.hard", "level:C3", "attestation:elicitation"} <= end.ids
    assert find_end("verilabel/nothing") is None


@given(
    st.sampled_from(sorted(LEFT.ids | RIGHT.ids | {"left.4", "x"})),
    st.sampled_from(sorted(RIGHT.ids | {"left.1"})),
)
def test_a_row_is_read_exactly_where_both_ids_are_there(source: str, target: str) -> None:
    text = HEAD + f"  - {{from: {source}, to: {target}, relation: equal, why: The same.}}\n"
    if source in LEFT.ids and target in RIGHT.ids:
        assert 1 == len(load_crosswalk(text.encode(), "x.yaml", find).rows)
    else:
        with pytest.raises(MalformedInput):
            load_crosswalk(text.encode(), "x.yaml", find)
