"""Records of web archives become documents: pages without their tags, extracted texts as they are."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.audit.reading.kernels.markup import strip_tags

Read = Callable[..., Any]


def _record(kind: str, block: bytes, said: str = "text/plain", url: str = "http://example.org/a") -> bytes:
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2024-05-06T07:08:09Z\r\n"
        f"WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-000000000001>\r\nContent-Type: {said}\r\n"
        f"Content-Length: {len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def _response(body: bytes, *headers: str, kind: str = "text/html; charset=utf-8") -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {kind}", *headers]
    return _record(
        "response", "\r\n".join(lines).encode() + b"\r\n\r\n" + body, "application/http; msgtype=response"
    )


def _strip(page: str) -> str:
    return strip_tags(np.frombuffer(bytearray(page.encode()), np.uint8)).tobytes().decode()


def test_pages_and_extracted_texts_are_documents_and_the_rest_is_not(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.warc"
    path.write_bytes(
        _record("warcinfo", b"software: x")
        + _record("request", b"GET / HTTP/1.1\r\n\r\n", "application/http; msgtype=request")
        + _response(b"<html><title>T</title><p>One &amp; <b>two</b></p></html>")
        + _record("metadata", b"fetchTimeMs: 1")
        + _record("conversion", b"extracted\ntext", url="http://example.net/b")
        + _response(b"\x89PNG\0", kind="image/png")
    )
    found = read(path)
    assert [b"T\n\nOne & two", b"extracted\ntext"] == found.texts
    assert ["http://example.org/a", "http://example.net/b"] == found.about["url"]
    assert ["2024-05-06T07:08:09Z"] * 2 == found.about["date"]
    assert [(2, "not text", 1, 0)] == found.unread


@pytest.mark.parametrize("name", ["a.warc.gz", "a.warc.wet.gz"])
def test_archives_of_one_member_a_record_are_read(name: str, tmp_path: Path, read: Read) -> None:
    records = [_record("conversion", f"text {number}".encode()) for number in range(50)]
    (tmp_path / name).write_bytes(b"".join(gzip.compress(record) for record in records))
    found = read(tmp_path / name)
    assert [f"text {number}".encode() for number in range(50)] == found.texts


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (["Content-Encoding: gzip"], gzip.compress(b"<p>hello</p>")),
        (["Content-Encoding: deflate"], zlib.compress(b"<p>hello</p>")),
        (["Content-Encoding: gzip"], b"<p>hello</p>"),
        (["Transfer-Encoding: chunked"], b"3\r\n<p>\r\n9;x=y\r\nhello</p>\r\n0\r\n\r\n"),
        (["Transfer-Encoding: chunked"], b"<p>hello</p>"),
    ],
    ids=["gzip", "deflate", "stored decoded", "chunked", "stored joined"],
)
def test_encodings_of_bodies_are_undone(headers: list[str], body: bytes, tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.warc").write_bytes(_response(body, *headers))
    assert [b"hello"] == read(tmp_path / "a.warc").texts


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/html; charset=ISO-8859-1", "<p>straße</p>".encode("latin-1")),
        ("text/html", b'<meta charset="windows-1252"><p>' + "straße".encode("cp1252")),
        ("text/plain; charset=utf-16", "straße".encode("utf-16")),
        ("text/html; charset=nothing-known", "<p>straße".encode()),
    ],
    ids=["header", "meta", "utf-16", "unknown"],
)
def test_pages_in_other_encodings_are_decoded(kind: str, body: bytes, tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.warc").write_bytes(_response(body, kind=kind))
    found = read(tmp_path / "a.warc")
    assert ["straße".encode()] == found.texts
    assert 0 == found.repaired


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (_response(gzip.compress(b"a" * 500_000), "Content-Encoding: gzip"), "longer than the limit"),
        (_response(b"a" * 200_000), "longer than the limit"),
        (_response(gzip.compress(b"abc" * 100)[:-9], "Content-Encoding: gzip"), "broken WARC record"),
        (_response(b"abc", "Content-Encoding: br"), "broken WARC record"),
        (_response(b"5\r\nab", "Transfer-Encoding: chunked"), "broken WARC record"),
        (_record("response", b"no HTTP", "application/http"), "broken WARC record"),
        (_response(b"\0\0\0\0"), "not text"),
    ],
    ids=["bomb", "long", "torn gzip", "unknown encoding", "torn chunk", "no HTTP", "binary"],
)
def test_a_record_that_cannot_be_read_is_named_and_the_next_is_read(
    record: bytes, reason: str, tmp_path: Path, read: Read
) -> None:
    (tmp_path / "a.warc").write_bytes(record + _record("conversion", b"next"))
    found = read(tmp_path / "a.warc", max_document_bytes=100_000)
    assert [b"next"] == found.texts
    assert [(0, reason, 1, 0)] == found.unread


@pytest.mark.parametrize("cut", [3, 6, 60])
def test_an_archive_that_is_cut_off_gives_what_came_before(cut: int, tmp_path: Path, read: Read) -> None:
    data = _record("conversion", b"whole") + _record("conversion", b"torn text")
    (tmp_path / "a.warc").write_bytes(data[: -cut - 4])
    found = read(tmp_path / "a.warc")
    assert [b"whole"] == found.texts
    assert ["broken WARC record"] == found.reasons


def test_garbage_between_records_ends_the_reading_and_is_named(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.warc").write_bytes(
        _record("conversion", b"one") + b"garbage\r\n" + _record("conversion", b"two")
    )
    found = read(tmp_path / "a.warc")
    assert [b"one"] == found.texts
    assert [(1, "broken WARC record", 0, 0)] == found.unread


def test_a_member_that_is_broken_ends_the_archive(tmp_path: Path, read: Read) -> None:
    first, second = (gzip.compress(_record("conversion", text * 50)) for text in (b"one", b"two"))
    (tmp_path / "a.warc.gz").write_bytes(first + second[:-20])
    found = read(tmp_path / "a.warc.gz")
    assert [b"one" * 50] == found.texts
    assert ["broken gzip member"] == found.reasons


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("a<br>b<p>c</p><p>d", "a\nb\nc\n\nd"),
        ("x <b>y</b>z", "x yz"),
        ("<script>if (a<b) '</p>'</script>after<style>p{}</style>", "after"),
        ("<!-- <p>no</p> -->yes<!DOCTYPE html><?xml x?>", "yes"),
        ("<!--> open", "open"),
        ('<a title="a > b" href=x>link</a>', "link"),
        ("1 < 2 &amp;&amp; 3 > 2", "1 < 2 && 3 > 2"),
        ("&lt;b&gt; &#228;&#xE4;&mdash;&unknown; &amp &#0;", "<b> ää—&unknown; &amp \ufffd"),
        ("  many \n\t blanks&nbsp;here  ", "many blanks here"),
        ("<p><p><p>a<div></div><div></div>b", "a\n\nb"),
        ("<SCRIPT>x</ScRiPt >y", "y"),
        ("<svg/>kept", "kept"),
        ("<p", ""),
        ("&", "&"),
        ("", ""),
    ],
)
def test_tags_are_dropped(page: str, text: str) -> None:
    assert text == _strip(page)


@given(page=st.text(st.sampled_from("<>/!-&;#x1 ab\n\"'=psä"), max_size=120))
def test_any_page_gives_a_text_that_is_not_longer(page: str) -> None:
    assert len(_strip(page).encode()) <= len(page.encode())


@pytest.mark.parametrize("piece", ["<", "<a", "&", "<!--", '<a x="', "<script>", "&#", "a", " ", "<p>", "</"])
def test_a_hostile_page_of_one_piece_is_read_once(piece: str) -> None:
    assert len(_strip(piece * 300_000)) <= len(piece) * 300_000
