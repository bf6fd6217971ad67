"""The shipped list, its index, expressions, and the card."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.audit.interface import Check
from verilabel.audit.licences.declared import read_declared
from verilabel.audit.licences.expressions import parse_expression
from verilabel.audit.licences.generate import generate
from verilabel.audit.licences.index import SAMPLE_MASK, build_index, load_index, save_index
from verilabel.audit.licences.opening import OPENING
from verilabel.audit.licences.texts import CLASSES, list_classes, list_ids, load_licences
from verilabel.audit.settings import AuditSettings
from verilabel.errors import MalformedInput


def test_the_list_has_the_licences_of_spdx_each_with_a_text_and_a_class() -> None:
    licences = load_licences().licences
    assert len(licences) >= 700
    assert sorted({licence.id for licence in licences}) == [licence.id for licence in licences]
    assert all(licence.text.strip() and licence.terms in CLASSES for licence in licences)
    assert len(list_ids()) == len(list_classes())


@pytest.mark.parametrize(
    ("identifier", "terms"),
    [
        ("MIT", "permissive"),
        ("CC0-1.0", "public domain"),
        ("LGPL-2.1-only", "weak copyleft"),
        ("GPL-3.0-only", "copyleft"),
        ("AGPL-3.0-only", "network copyleft"),
        ("SSPL-1.0", "network copyleft"),
        ("CC-BY-NC-4.0", "non-commercial"),
        ("CC-BY-ND-4.0", "other terms"),
        ("BUSL-1.1", "other terms"),
    ],
)
def test_licences_have_the_class_that_people_know_them_by(identifier: str, terms: str) -> None:
    assert terms == CLASSES[list_classes()[list_ids().index(identifier)]]


def test_a_saved_index_is_read_back_as_it_is_built_anew(licence_index: Path) -> None:
    before = sorted(path.stat().st_mtime_ns for path in licence_index.rglob("*"))
    save_index(licence_index)
    assert before == sorted(path.stat().st_mtime_ns for path in licence_index.rglob("*"))
    loaded, built = load_index(licence_index), build_index()
    for one, other in zip(loaded[2:], built[2:], strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(loaded.ngrams.keys, built.ngrams.keys)
    assert np.array_equal(loaded.sampled.bits, built.sampled.bits)


def test_every_indexed_text_has_enough_of_the_sampled_ngrams_to_be_noticed(licence_index: Path) -> None:
    index = load_index(licence_index)
    counts = np.zeros(len(index.totals), np.int64)
    for group in index.sets[(index.ngrams.keys & np.uint64(SAMPLE_MASK)) == 0].tolist():
        members = index.members[index.set_starts[group] : index.set_starts[group + 1]]
        counts[members[members >= 0]] += 1
    assert 2 <= int(counts.min())


def test_a_missing_or_torn_index_is_a_clear_error(licence_index: Path, tmp_path: Path) -> None:
    with pytest.raises(MalformedInput, match="index of licence texts"):
        OPENING.open(AuditSettings(), tmp_path)
    shutil.copytree(licence_index, tmp_path, dirs_exist_ok=True)
    torn = next(tmp_path.rglob("keys.npy"))
    torn.write_bytes(torn.read_bytes()[:1000])
    with pytest.raises(MalformedInput, match="index of licence texts"):
        OPENING.open(AuditSettings(), tmp_path)


def test_the_list_is_not_made_from_other_files_than_the_named_ones(tmp_path: Path) -> None:
    other = tmp_path / "texts.tgz"
    other.write_bytes(b"something else")
    with pytest.raises(MalformedInput, match="SHA-256"):
        generate(other, other, tmp_path / "out.xz")
    assert not (tmp_path / "out.xz").exists()


def test_the_card_says_its_limits_and_prints_measured_errors(licence_check: Check) -> None:
    card = licence_check.card
    assert card.data_sha256.startswith("sha256:")
    assert "SPDX list" in card.limits
    by_kind = {kind.id: kind.errors for kind in card.kinds}
    for kind in (
        "licence.text",
        "licence.tag",
        "licence.url",
        "copyright.notice",
        "copyright.reserved",
        "use.opt_out",
    ):
        assert by_kind[kind][0].planted >= 40
    assert {"u1", "u2", "u4"} == {column.type for column in card.columns}


@pytest.mark.parametrize(
    ("text", "ids", "top"),
    [
        ("MIT", ("MIT",), "MIT"),
        ("mit or apache-2.0", ("MIT", "Apache-2.0"), "MIT"),
        ("MIT AND GPL-2.0-only", ("MIT", "GPL-2.0-only"), "GPL-2.0-only"),
        (
            "(LGPL-2.1+ WITH Some-exception) OR BSD-2-Clause",
            ("LGPL-2.1-or-later", "BSD-2-Clause"),
            "LGPL-2.1-or-later",
        ),
        ("LicenseRef-Example", (), None),
        ("Apache-2.0 and some words", ("Apache-2.0",), "Apache-2.0"),
    ],
)
def test_expressions_are_read(text: str, ids: tuple[str, ...], top: str | None) -> None:
    expression = parse_expression(text)
    assert expression
    assert (ids, top) == (expression.ids, expression.top)


@pytest.mark.parametrize(
    "text", ["", "()", "(MIT", "OR MIT", "MIT WITH", "((((((((((", "(" * 5000, "AND " * 50]
)
def test_what_is_no_expression_is_none(text: str) -> None:
    assert parse_expression(text) is None


@given(st.one_of(st.text(max_size=400), st.text("()ANDORWITHMIT-2.0+ ", max_size=400)))
def test_no_text_makes_declared_licences_fail(text: str) -> None:
    expression = parse_expression(text)
    said = read_declared(text)
    for one in (expression, said):
        assert one is None or set(one.ids) <= set(list_ids())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cc-by-nc-sa-4.0", "CC-BY-NC-SA-4.0"),
        ("odc-by", "ODC-By-1.0"),
        ("GPL-2+", "GPL-2.0-or-later"),
        ("Expat", "MIT"),
        ("https://choosealicense.com/licenses/odc-by/", "ODC-By-1.0"),
        ("The Apache License, Version 2.0", "Apache-2.0"),
        ("llama3.1", "LicenseRef-verilabel-other"),
        ("Public Domain", "LicenseRef-verilabel-public-domain"),
        ("unknown", None),
        ("see LICENSE", None),
        ("", None),
    ],
)
def test_declared_licences_become_ids(text: str, expected: str | None) -> None:
    said = read_declared(text)
    assert expected == (said.top if said else None)
