"""The container: a folder or a zip of determined bytes, read as if it were hostile."""

from __future__ import annotations

import gc
import io
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from verilabel.errors import LimitExceeded, MalformedInput, SealError, UsageError
from verilabel.evidence.container import Folder, StoredZip, open_container, write_zip
from verilabel.evidence.layout import MAX_FILES, MAX_LINE_BYTES, check_path
from verilabel.evidence.reading import BLOCK_BYTES, raw_lines, read_document

NAMES = st.from_regex(
    r"[A-Za-z0-9_@+-][A-Za-z0-9._@+-]{0,12}(/[A-Za-z0-9_@+-][A-Za-z0-9._@+-]{0,12}){0,3}", fullmatch=True
)


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


FILES = {"a.json": b"{}", "b/empty": b"", "b/c/lines.jsonl": b"1\n2\n" * 1000}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder of three files."""
    return write_files(tmp_path / "files", FILES)


def packed(files: Path, tmp_path: Path) -> bytes:
    write_zip(files, tmp_path / "packed.zip")
    return (tmp_path / "packed.zip").read_bytes()


def test_folder_and_zip_give_the_same_files_in_path_order(files: Path, tmp_path: Path) -> None:
    packed(files, tmp_path)
    for path in (files, tmp_path / "packed.zip"):
        with open_container(path) as container:
            assert ["a.json", "b/c/lines.jsonl", "b/empty"] == list(container.sizes)
            for name, data in FILES.items():
                with container.open(name) as file:
                    assert data == file.read()


def test_an_ordinary_zip_program_reads_the_zip(files: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(packed(files, tmp_path))) as archive:
        assert archive.testzip() is None
        assert FILES == {name: archive.read(name) for name in archive.namelist()}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.dictionaries(NAMES, st.binary(max_size=40), min_size=1, max_size=6))
def test_any_plain_files_come_back_from_the_zip(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    parents = {name[:at] for name in files for at, c in enumerate(name) if c == "/"}
    if parents & set(files) or len({name.lower() for name in files}) < len(files):
        return
    folder = tmp_path_factory.mktemp("any")
    write_files(folder / "files", files)
    write_zip(folder / "files", folder / "x.zip")
    with open_container(folder / "x.zip") as container:
        assert sorted(files) == list(container.sizes)
        for name, data in files.items():
            assert data == read_document(container, name)


@settings(max_examples=200, deadline=None)
@given(path=st.text(max_size=30))
def test_a_path_that_passes_stays_inside_the_bundle(path: str) -> None:
    try:
        check_path(path)
    except MalformedInput:
        return
    assert not path.startswith("/")
    assert path.isascii()
    assert all(part and not part.startswith(".") for part in path.split("/"))


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".git/config", "a\\b", "C:x", "a\0b", "a b", "a\n", "é",
     "a/b/c/d/e", "x" * 201],
)  # fmt: skip
def test_a_path_that_could_mean_something_else_is_refused(path: str) -> None:
    with pytest.raises(MalformedInput, match="may not stand in a bundle"):
        check_path(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compressed_zip_is_refused_so_that_no_bomb_can_be_written(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", method) as archive:
        archive.writestr("a.json", b"\0" * 10_000_000)
    with pytest.raises(SealError, match="not a bundle"):
        StoredZip(tmp_path / "bomb.zip")


def test_a_zip_repacked_with_another_date_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "new.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.json", (2026, 1, 1, 0, 0, 0)), b"{}")
    with pytest.raises(SealError, match=r"header of a\.json is not canonical"):
        StoredZip(tmp_path / "new.zip")


def test_a_zip_whose_paths_are_not_in_order_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in ("b", "a"):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), b"{}")
    with pytest.raises(SealError, match="paths are not in order"):
        StoredZip(tmp_path / "x.zip")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_one_path_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for data in (b"1", b"2"):
            archive.writestr(zipfile.ZipInfo("a", (1980, 1, 1, 0, 0, 0)), data)
    with pytest.raises(SealError, match="a stands twice"):
        StoredZip(tmp_path / "x.zip")


def test_a_zip_whose_directory_claims_the_whole_file_is_refused_before_it_is_read(
    files: Path, tmp_path: Path
) -> None:
    data = packed(files, tmp_path)
    end = bytearray(data[-22:])
    end[12:16] = (len(data) - 22).to_bytes(4, "little")
    end[16:20] = (0).to_bytes(4, "little")
    (tmp_path / "x.zip").write_bytes(data[:-22] + bytes(end))
    with pytest.raises(SealError, match="directory is larger than its paths need"):
        StoredZip(tmp_path / "x.zip")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail_in_another_way(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(data)
    try:
        StoredZip(tmp_path / "x.zip").close()
    except (SealError, MalformedInput):
        return
    assert b"PK\5\6" == data[:4]  # the empty zip is the one short file that is canonical


@pytest.mark.filterwarnings("error::ResourceWarning")
def test_a_refused_zip_is_let_go_of(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"no zip at all, but long enough to be one")
    with pytest.raises(SealError, match="not a zip"):
        StoredZip(tmp_path / "x.zip")
    gc.collect()  # a file that was left open would warn here


def test_more_files_than_the_limit_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(MAX_FILES + 1):
        (folder / f"{number}").touch()
    with pytest.raises(LimitExceeded, match=f"more than {MAX_FILES} files"):
        Folder(folder)


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_is_not_a_file_is_refused_in_a_folder(files: Path, kind: str) -> None:
    if kind == "link":
        (files / "x").symlink_to("a.json")
    else:
        os.mkfifo(files / "x")
    with pytest.raises(
        MalformedInput, match="symbolic link" if kind == "link" else "neither a file nor a folder"
    ):
        Folder(files)


def test_a_file_that_becomes_a_link_after_it_was_listed_is_not_followed(files: Path) -> None:
    folder = Folder(files)
    (files / "a.json").unlink()
    (files / "a.json").symlink_to("/etc/passwd")
    with pytest.raises(MalformedInput, match=r"a\.json cannot be read"):
        folder.open("a.json")


def test_a_link_to_a_bundle_is_not_a_bundle(files: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(files)
    with pytest.raises(UsageError, match="a symbolic link, not a bundle"), open_container(tmp_path / "link"):
        pass


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as file:
        file.truncate(MAX_LINE_BYTES + 100)
    with pytest.raises(LimitExceeded, match="a line over the limit") as caught:
        list(raw_lines(Folder(tmp_path), "x"))
    assert "x:1" == caught.value.where


def test_a_document_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(LimitExceeded, match="over 67108864 bytes"):
        read_document(Folder(tmp_path), "x")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(
        st.sampled_from([0, 1, 7, BLOCK_BYTES - 2, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1]), max_size=4
    )
)
def test_lines_are_the_same_however_they_lie_across_blocks(tmp_path: Path, sizes: list[int]) -> None:
    lines = [bytes([65 + number]) * size for number, size in enumerate(sizes)]
    folder = write_files(tmp_path / "lines", {"x": b"".join(line + b"\n" for line in lines)})
    assert lines == list(raw_lines(Folder(folder), "x"))


@pytest.mark.parametrize("before", [0, BLOCK_BYTES - 1, BLOCK_BYTES])
def test_a_last_line_without_its_end_is_refused_with_its_number(tmp_path: Path, before: int) -> None:
    folder = write_files(tmp_path / "lines", {"x": b"a" * before + b"\n" + b"b"})
    with pytest.raises(LimitExceeded, match="the last line is cut short") as caught:
        list(raw_lines(Folder(folder), "x"))
    assert "x:2" == caught.value.where
