"""The manifest: every sealed file in one spelling, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.evidence import layout
from verilabel.evidence.container import Folder
from verilabel.evidence.manifest import check_presence, make_manifest, parse_manifest
from verilabel.records.canonical import digest, jcs


@pytest.fixture
def data(made_bundle: Path) -> bytes:
    """A genuine manifest."""
    return (made_bundle / layout.MANIFEST).read_bytes()


def test_a_manifest_that_is_made_again_has_the_same_bytes(made_bundle: Path, data: bytes) -> None:
    paths = [path for path in Folder(made_bundle).sizes if path not in layout.UNLISTED]
    made = make_manifest(made_bundle, paths)
    assert data == made.bytes()
    assert digest(data) == made.digest
    assert made == parse_manifest(data)


def test_it_lists_all_but_the_files_that_seal_it(made_bundle: Path, data: bytes) -> None:
    listed = {entry.path for entry in parse_manifest(data).entries}
    assert set(Folder(made_bundle).sizes) - set(layout.UNLISTED) == listed


def _first(document: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = document["entries"][0]
    return entry


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another_format": (lambda d: d.update(format="verilabel/bundle/v2"), "is not known to this version"),
    "no_format": (lambda d: d.pop("format"), "format None is not known"),
    "unknown_field": (lambda d: d.update(note="x"), "unknown field"),
    "unknown_entry_field": (lambda d: _first(d).update(note="x"), "unknown field"),
    "text_for_size": (lambda d: _first(d).update(size="1"), "Expected `int`"),
    "negative_size": (lambda d: _first(d).update(size=-1), "no proper digest or size"),
    "short_digest": (lambda d: _first(d).update(sha256="sha256:ab"), "no proper digest or size"),
    "upper_case_digest": (lambda d: _first(d).update(sha256=_first(d)["sha256"].upper()), "no proper digest"),
    "another_role": (
        lambda d: _first(d).update(role="evidence"),
        "may not be listed with the role 'evidence'",
    ),
    "unknown_role_path": (lambda d: _first(d).update(path="aaa/x.bin"), "has no role in a bundle"),
    "parent_path": (lambda d: _first(d).update(path="../x"), "may not stand in a bundle"),
    "itself": (lambda d: _first(d).update(path="bundle.json"), "has no role|may not be listed"),
    "unknown_visibility": (lambda d: _first(d).update(visibility="secret"), "Invalid enum value"),
    "out_of_order": (lambda d: d["entries"].reverse(), "not in path order"),
    "twice": (lambda d: d["entries"].insert(0, _first(d)), "one stands twice"),
    "without_evidence": (
        lambda d: d.update(entries=[e for e in d["entries"] if e["path"] != layout.EVIDENCE]),
        "a bundle needs records/evidence.jsonl",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_manifest_is_refused_with_its_place(data: bytes, name: str) -> None:
    change, message = BROKEN[name]
    document = json.loads(data)
    change(document)
    with pytest.raises(MalformedInput, match=message) as caught:
        parse_manifest(jcs(document))
    assert (caught.value.where or "").startswith("bundle.json")


@pytest.mark.parametrize(
    "spelling", [lambda d: d + b"\n", lambda d: b" " + d, lambda d: d.replace(b":", b": ", 1)]
)
def test_a_second_spelling_of_the_same_manifest_is_refused(
    data: bytes, spelling: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(MalformedInput, match="not in canonical form"):
        parse_manifest(spelling(data))


@settings(max_examples=150, deadline=None)
@given(
    data=st.one_of(
        st.binary(max_size=60),
        st.text(alphabet='{}[]":,0123456789.eE-truefalsn \\u', max_size=60).map(str.encode),
    )
)
def test_no_bytes_make_the_parser_fail_in_another_way(data: bytes) -> None:
    with pytest.raises((MalformedInput, LimitExceeded)):
        parse_manifest(data)


def test_presence_names_the_first_file_that_does_not_fit(data: bytes) -> None:
    manifest = parse_manifest(data)
    sizes = {entry.path: entry.size for entry in manifest.entries}
    check_presence(manifest, {**sizes, layout.MANIFEST: 1, layout.ATTESTATION: 1})
    with pytest.raises(MalformedInput, match=r"plan/plan\.json is listed and not there"):
        check_presence(manifest, {path: size for path, size in sizes.items() if path != layout.PLAN})
    with pytest.raises(MalformedInput, match=r"plan/plan\.json has 1 bytes, the manifest says"):
        check_presence(manifest, {**sizes, layout.PLAN: 1})
    with pytest.raises(MalformedInput, match=r"records/more\.jsonl is there and not listed"):
        check_presence(manifest, {**sizes, "records/more.jsonl": 1})
