"""Tampering: whatever is done to a finished bundle's bytes, files or container, verifying it says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundle_factory import READ
from verilabel.errors import ExitStatus
from verilabel.evidence import layout
from verilabel.evidence.container import write_zip
from verilabel.evidence.keys import KeyType, parse_public_file
from verilabel.evidence.verification import Verification
from verilabel.evidence.verifier import verify_bundle

IN_PLACE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def failed_step(found: Verification) -> int | None:
    """The number of the step that failed."""
    return next((step.number for step in found.steps if step.outcome == "failed"), None)


def assert_tampering_is_seen(path: Path) -> None:
    """The finding is V0, by a failure of steps 1 to 7 with status 3 or 4."""
    found = verify_bundle(path, now=READ)
    assert found.failure is not None, f"{path} verified"
    assert found.failure.status in (ExitStatus.MALFORMED, ExitStatus.SEAL)
    assert found.level == "V0"
    number = failed_step(found)
    assert number is not None and 1 <= number <= 7
    assert f"step {number} (" in found.failure.message


def paths_of(folder: Path, *, least: int = 0) -> list[str]:
    """All files of a folder of at least so many bytes, sorted."""
    files = (p for p in folder.rglob("*") if p.is_file() and p.stat().st_size >= least)
    return sorted(p.relative_to(folder).as_posix() for p in files)


def test_an_unchanged_bundle_verifies_to_v2_as_folder_and_as_zip(made_bundle: Path, made_zip: Path) -> None:
    for path in (made_bundle, made_zip):
        found = verify_bundle(path, now=READ)
        assert found.failure is None
        assert found.level == "V2"


@IN_PLACE
@given(data=st.data(), mask=st.integers(1, 255))
def test_any_changed_byte_of_any_file_is_seen(bundle: Path, data: st.DataObject, mask: int) -> None:
    path = bundle / data.draw(st.sampled_from(paths_of(bundle, least=1)))
    before = path.read_bytes()
    at = data.draw(st.integers(0, len(before) - 1))
    path.write_bytes(before[:at] + bytes([before[at] ^ mask]) + before[at + 1 :])
    try:
        assert_tampering_is_seen(bundle)
    finally:
        path.write_bytes(before)


@IN_PLACE
@given(data=st.data(), mask=st.integers(1, 255))
def test_any_changed_byte_of_the_zip_is_seen(
    made_zip: Path, tmp_path: Path, data: st.DataObject, mask: int
) -> None:
    before = made_zip.read_bytes()
    at = data.draw(st.integers(0, len(before) - 1))
    changed = tmp_path / "changed.zip"
    changed.write_bytes(before[:at] + bytes([before[at] ^ mask]) + before[at + 1 :])
    assert_tampering_is_seen(changed)


SEALING_FILES = [p for p in layout.UNLISTED if p not in (layout.MANIFEST, layout.KEYLESS, layout.TIMESTAMP)]


@pytest.mark.parametrize("path", SEALING_FILES)
def test_every_single_byte_of_the_files_that_the_manifest_cannot_list_counts(bundle: Path, path: str) -> None:
    """These files are sealed each in its own way, so every offset is tried, not a sample."""
    before = (bundle / path).read_bytes()
    step = max(1, len(before) // 24)
    for at in range(0, len(before), step):
        (bundle / path).write_bytes(before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :])
        assert_tampering_is_seen(bundle)


@IN_PLACE
@given(data=st.data())
def test_a_cut_or_longer_file_is_seen(bundle: Path, data: st.DataObject) -> None:
    path = bundle / data.draw(st.sampled_from(paths_of(bundle)))
    before = path.read_bytes()
    cut = data.draw(st.integers(0, len(before)) if before else st.just(0))
    tail = data.draw(st.binary(min_size=0 if cut < len(before) else 1, max_size=5))
    changed = before[:cut] + tail
    if changed == before:
        return
    path.write_bytes(changed)
    try:
        assert_tampering_is_seen(bundle)
    finally:
        path.write_bytes(before)


@IN_PLACE
@given(data=st.data())
def test_a_cut_or_longer_zip_is_seen(made_zip: Path, tmp_path: Path, data: st.DataObject) -> None:
    before = made_zip.read_bytes()
    cut = data.draw(st.integers(0, len(before)))
    changed = tmp_path / "changed.zip"
    changed.write_bytes(
        before[:cut] + (data.draw(st.binary(min_size=1, max_size=40)) if cut == len(before) else b"")
    )
    assert_tampering_is_seen(changed)


def test_every_deleted_file_is_seen(bundle: Path) -> None:
    for path in paths_of(bundle):
        kept = (bundle / path).read_bytes()
        (bundle / path).unlink()
        assert_tampering_is_seen(bundle)
        (bundle / path).write_bytes(kept)


def test_every_renamed_file_is_seen(bundle: Path) -> None:
    for path in paths_of(bundle):
        (bundle / path).rename(bundle / (path + "x"))
        assert_tampering_is_seen(bundle)
        (bundle / (path + "x")).rename(bundle / path)


def test_every_pair_of_swapped_files_is_seen(bundle: Path) -> None:
    paths = paths_of(bundle)
    for one, other in zip(paths, paths[1:] + paths[:1], strict=True):
        data = (bundle / one).read_bytes(), (bundle / other).read_bytes()
        if data[0] == data[1]:
            continue
        (bundle / one).write_bytes(data[1])
        (bundle / other).write_bytes(data[0])
        assert_tampering_is_seen(bundle)
        (bundle / one).write_bytes(data[0])
        (bundle / other).write_bytes(data[1])


@pytest.mark.parametrize(
    "name",
    ["extra.txt", "records/extra.jsonl", "suites/other@1.0.0.index.jsonl", ".hidden", "a b", "x/y/z/w/v"],
)
def test_an_added_file_is_seen_under_any_name(bundle: Path, name: str) -> None:
    (bundle / name).parent.mkdir(parents=True, exist_ok=True)
    (bundle / name).write_bytes(b"{}\n")
    assert_tampering_is_seen(bundle)


def test_an_added_empty_folder_is_seen(bundle: Path) -> None:
    (bundle / "exports").mkdir()
    assert_tampering_is_seen(bundle)


@pytest.mark.parametrize("path", ["records/evidence.jsonl", "bundle.json", "log/log.vkey"])
def test_a_symbolic_link_in_place_of_a_file_is_seen_even_to_the_same_bytes(bundle: Path, path: str) -> None:
    moved = bundle.parent / "elsewhere"
    (bundle / path).rename(moved)
    (bundle / path).symlink_to(moved)
    assert_tampering_is_seen(bundle)


def test_a_linked_folder_inside_is_seen(bundle: Path) -> None:
    (bundle / "records").rename(bundle.parent / "elsewhere")
    (bundle / "records").symlink_to(bundle.parent / "elsewhere", target_is_directory=True)
    assert_tampering_is_seen(bundle)


def test_files_of_another_bundle_do_not_fit_in(bundle: Path, tmp_path: Path) -> None:
    from bundle_factory import Recipe, make_bundle

    (tmp_path / "other").mkdir()
    other = make_bundle(tmp_path / "other", Recipe(seed="ff11", accuracy="1")).path
    same = 0
    for path in paths_of(bundle):
        kept = (bundle / path).read_bytes()
        if (other / path).read_bytes() == kept:
            same += 1
            continue
        shutil.copy(other / path, bundle / path)
        assert_tampering_is_seen(bundle)
        (bundle / path).write_bytes(kept)
    assert same < len(paths_of(bundle)) / 2


def test_a_log_that_says_true_where_one_belongs_is_not_the_same_log(bundle: Path) -> None:
    path = bundle / layout.CONSISTENCY
    assert b'"from":1' in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(b'"from":1', b'"from":true'))
    assert_tampering_is_seen(bundle)


def test_the_signers_key_file_cannot_be_rewritten_as_a_witness_key(bundle: Path) -> None:
    path = bundle / layout.SIGNER_KEY
    key = parse_public_file(path.read_bytes(), where="signer")
    path.write_bytes(key.of_type(KeyType.COSIGNATURE).file_bytes())
    assert_tampering_is_seen(bundle)


def test_the_signers_key_file_cannot_be_given_another_name(bundle: Path) -> None:
    path = bundle / layout.SIGNER_KEY
    key = parse_public_file(path.read_bytes(), where="signer")
    path.write_bytes(key.named("trusted.example").file_bytes())
    assert_tampering_is_seen(bundle)


def test_the_log_cannot_be_given_another_name(bundle: Path) -> None:
    path = bundle / layout.LOG_KEY
    key = parse_public_file(path.read_bytes(), where="log")
    path.write_bytes(key.named("log.example/big").file_bytes())
    assert_tampering_is_seen(bundle)


def test_stripping_the_signature_leaves_no_valid_log(bundle: Path) -> None:
    shutil.rmtree(bundle / "attestations")
    assert_tampering_is_seen(bundle)


def test_stripping_signature_and_log_leaves_a_bundle_that_is_only_claimed(bundle: Path) -> None:
    shutil.rmtree(bundle / "attestations")
    shutil.rmtree(bundle / "log")
    found = verify_bundle(bundle, now=READ)
    assert found.level == "V0"
    assert "not signed" in found.reason


def test_a_folder_and_its_zip_are_the_same_bundle(made_bundle: Path, made_zip: Path, tmp_path: Path) -> None:
    folder, zipped = (verify_bundle(path, now=READ) for path in (made_bundle, made_zip))
    assert folder == zipped
    again = tmp_path / "again.zip"
    write_zip(made_bundle, again)
    assert made_zip.read_bytes() == again.read_bytes()
