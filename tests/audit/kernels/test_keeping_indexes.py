"""Indexes that outlive an audit: built once a machine, and never believed when they have changed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from verilabel.audit.kernels.keeping import copy_kept, digest_sources, kept_folder


@pytest.fixture
def digest() -> Iterator[str]:
    name = digest_sources([], secrets.token_bytes(8))
    yield name
    kept = kept_folder("test", name)
    for path in kept.glob("*"):
        path.unlink()
    kept.rmdir()


def _builder(built: list[int], content: bytes = b"index") -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        built.append(1)
        (folder / "a.npy").write_bytes(content)

    return build


def test_what_was_built_once_is_copied_by_the_next_audit(tmp_path: Path, digest: str) -> None:
    built: list[int] = []
    for audit in ("one", "two"):
        copy_kept("test", digest, tmp_path / audit / "index", _builder(built))
        assert [b"index"] == [path.read_bytes() for path in (tmp_path / audit / "index").iterdir()]
    assert [1] == built


def test_a_kept_file_with_one_changed_byte_is_built_anew(tmp_path: Path, digest: str) -> None:
    built: list[int] = []
    copy_kept("test", digest, tmp_path / "one", _builder(built))
    (kept_folder("test", digest) / "a.npy").write_bytes(b"indey")
    copy_kept("test", digest, tmp_path / "two", _builder(built))
    copy_kept("test", digest, tmp_path / "three", _builder(built))
    assert [1, 1] == built
    assert (
        b"index" == (tmp_path / "two" / "a.npy").read_bytes() == (tmp_path / "three" / "a.npy").read_bytes()
    )


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, digest: str) -> None:
    def fail(folder: Path) -> None:
        (folder / "a.npy").write_bytes(b"half")
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        copy_kept("test", digest, tmp_path / "index", fail)
    assert [] == list(tmp_path.iterdir())
    assert not kept_folder("test", digest).exists()
    copy_kept("test", digest, tmp_path / "index", _builder([]))
    assert b"index" == (tmp_path / "index" / "a.npy").read_bytes()


def test_another_source_is_another_name() -> None:
    assert digest_sources([], b"a", b"b") != digest_sources([], b"ab")
