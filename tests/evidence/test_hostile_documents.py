"""Whatever an issuer writes into a bundle's documents, verifying gives a finding: never a crash, never a hang."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundle_factory import READ, Recipe, make_bundle
from verilabel.evidence import layout
from verilabel.evidence.container import Folder
from verilabel.evidence.manifest import make_manifest
from verilabel.evidence.verifier import verify_bundle

INDEX = layout.suite_files("test/quiz@1.0.0")[1]
DOCUMENTS = [layout.PLAN, layout.SYSTEM, layout.LABEL, layout.MEASURES]
LINES = [layout.EVIDENCE, INDEX]
ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.sampled_from(
        ["", "0", "-1", "1e999999999", "1/0", "\x1b[2K", "test/puzzles@1.0.0", "choice@1.0.0", "x" * 3000]
    ),
    st.sampled_from([[], {}, [[]], {"": ""}, {"a": "1e999999999"}, [None]]),
)


@pytest.fixture(scope="module")
def unsigned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unsigned bundle of few answers: every step but those of the seals looks at its documents."""
    recipe = Recipe(key=None, log_key=None, sizes=(("quiz", 4), ("puzzles", 3)), errors="0.2")
    return make_bundle(tmp_path_factory.mktemp("unsigned"), recipe).path


@pytest.fixture
def folder(unsigned: Path, tmp_path: Path) -> Path:
    """A copy for changing."""
    return Path(shutil.copytree(unsigned, tmp_path / "bundle"))


def places_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside a document but the whole."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places_in(inner, (*path, key))


def spoil(document: Any, data: st.DataObject) -> None:
    """Replace, remove or add one value somewhere inside a document."""
    *way, last = data.draw(st.sampled_from(list(places_in(document))))
    parent = document
    for key in way:
        parent = parent[key]
    match data.draw(st.sampled_from(["replace", "remove", "add"])):
        case "replace":
            parent[last] = data.draw(ODD)
        case "remove":
            del parent[last]
        case _ if isinstance(parent, dict):
            parent[
                data.draw(st.sampled_from(["", "x", "collapse", "negate", "epochs", "strata", "where"]))
            ] = data.draw(ODD)
        case _:
            parent.append(data.draw(ODD))


def compact(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def assert_a_finding(folder: Path, path: str, data: bytes) -> None:
    """Write the file, list it anew, verify; then put everything back."""
    before = (folder / path).read_bytes()
    (folder / path).write_bytes(data)
    listed = [name for name in Folder(folder).sizes if name not in layout.UNLISTED]
    (folder / layout.MANIFEST).write_bytes(make_manifest(folder, listed).bytes())
    try:
        found = verify_bundle(folder, now=READ)
    finally:
        (folder / path).write_bytes(before)
    assert "V0" == found.level
    assert 11 == len(found.steps)
    failed = [step.number for step in found.steps if step.outcome == "failed"]
    assert bool(failed) is (found.failure is not None)
    assert found.failure is None or f"step {failed[0]} (" in found.failure.message


FEW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("path", DOCUMENTS)
@FEW
@given(data=st.data())
def test_a_document_with_anything_in_it_gives_a_finding(folder: Path, path: str, data: st.DataObject) -> None:
    document = json.loads((folder / path).read_bytes())
    spoil(document, data)
    canonical = json.dumps(document, separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode()
    assert_a_finding(folder, path, canonical)


@pytest.mark.parametrize("path", LINES)
@FEW
@given(data=st.data())
def test_a_record_with_anything_in_it_gives_a_finding(folder: Path, path: str, data: st.DataObject) -> None:
    lines = (folder / path).read_bytes().split(b"\n")[:-1]
    at = data.draw(st.integers(0, len(lines) - 1))
    document = json.loads(lines[at])
    spoil(document, data)
    assert_a_finding(folder, path, b"\n".join([*lines[:at], compact(document), *lines[at + 1 :], b""]))


@FEW
@given(data=st.data())
def test_a_rubric_with_anything_in_it_gives_a_finding(folder: Path, data: st.DataObject) -> None:
    text = (folder / layout.RUBRIC).read_text().splitlines(keepends=True)
    at = data.draw(st.integers(0, len(text) - 1))
    tail = data.draw(
        st.sampled_from(
            ["", "x: 1\n", "- &a 1\n", "? [\n", "\t\n", "<<: *a\n", '"\\ud800": 1\n', "{" * 99 + "\n"]
        )
    )
    assert_a_finding(folder, layout.RUBRIC, "".join([*text[:at], tail, *text[at + 1 :]]).encode())
