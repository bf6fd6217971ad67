"""Origin of documents by the columns of their source: hosts, years, declared licences."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licence_documents import make_batch
from verilabel.audit.interface import Batch, Examined
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.licences.texts import list_ids
from verilabel.audit.provenance.check import ProvenanceCheck, read_year
from verilabel.audit.provenance.hosts import classify_host, find_domain, list_kinds, load_kinds, read_host
from verilabel.audit.provenance.opening import OPENING


def examine(texts: Sequence[str], **about: Sequence[str | None]) -> Examined:
    """The check on texts and what their source says of them."""
    plain = make_batch(list(texts))
    batch = Batch(plain.data, plain.offsets, plain.rows, about)
    return ProvenanceCheck().examine(batch, cut_words(batch))


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://www.Example.ORG/path?q=1", "www.example.org"),
        ("http://user:word@example.org:8080/x", "example.org"),
        ("https://example.org.", "example.org"),
        ("//example.org/x", "example.org"),
        ("example.org/page", "example.org"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("http://[2001:DB8::1]:80/", "2001:db8::1"),
        ("http://192.0.2.7/x", "192.0.2.7"),
        ("https://example.org\\@other.example/", "example.org"),
        ("file:///etc/passwd", ""),
        ("mailto:someone", ""),
        ("not an address", ""),
        ("https://exa mple.org/", ""),
        ("http://", ""),
        ("", ""),
    ],
)
def test_the_host_of_an_address_is_read(url: str, host: str) -> None:
    assert host == read_host(url)


@given(st.one_of(st.text(max_size=300), st.text("htps:/@.[]%0aé\\?#", max_size=80)))
def test_no_address_makes_the_check_fail(url: str) -> None:
    host = read_host(url)
    assert host == host.lower()
    assert host.isascii()
    assert not set("/@?# ") & set(host)
    assert find_domain(host) in host


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("a.b.example.org", "example.org"),
        ("news.example.co.uk", "example.co.uk"),
        ("www.example.com.br", "example.com.br"),
        ("someone.github.io", "someone.github.io"),
        ("a.someone.blogspot.com", "someone.blogspot.com"),
        ("example.org", "example.org"),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_registrable_domain_follows_the_rule(host: str, domain: str) -> None:
    assert domain == find_domain(host)


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("www.nytimes.com", "news behind a paywall"),
        ("en.wikipedia.org", "encyclopaedia"),
        ("raw.githubusercontent.com", "code hosting"),
        ("abcnews.go.com", "press"),
        ("stock.adobe.com", "pictures for sale"),
        ("www.adobe.com", ""),
        ("data.gov.uk", "government"),
        ("www.nasa.gov", "government"),
        ("cs.example.edu", "education"),
        ("notnytimes.com", ""),
        ("nytimes.com.example.org", ""),
        ("example.org", ""),
    ],
)
def test_sites_are_classified_by_their_longest_listed_suffix(host: str, kind: str) -> None:
    assert kind == list_kinds()[classify_host(host)]


def test_every_list_of_sites_says_where_it_comes_from_and_is_written_as_hosts_are_read() -> None:
    for name, kind in load_kinds().items():
        assert len(kind.source) > 40, name
        assert [read_host(f"https://{domain}/") for domain in kind.domains] == list(kind.domains), name


@pytest.mark.parametrize(
    ("date", "year"),
    [
        ("2019-05-01T00:00:00Z", 2019),
        ("2019", 2019),
        ("1851", 1851),
        ("20190501", 2019),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 2015),
        ("21/10/2015", 2015),
        ("1446000000", 2015),
        ("1446000000000", 2015),
        ("", 0),
        ("yesterday", 0),
        ("99999999999999999999", 0),
        ("12/10/15", 0),
    ],
)
def test_years_are_read_as_sources_write_dates(date: str, year: int) -> None:
    assert year == read_year(date)


@given(st.text(max_size=80))
def test_no_date_makes_the_check_fail(date: str) -> None:
    assert 0 <= read_year(date) < 2**16


def test_hosts_are_summed_and_stand_in_the_columns_by_their_number() -> None:
    urls = ["https://a.example/1", "https://b.example/", None, "http://A.example/2", "nothing"]
    examined = examine(["xx", "y", "z", "xxxx", "w"], url=urls)
    hosts = examined.tables["hosts"]
    assert ["a.example", "b.example"] == list(hosts["host"])
    assert [2, 1] == list(hosts["documents"])
    assert [6, 1] == list(hosts["bytes"])
    number = int.from_bytes(hashlib.sha256(b"a.example").digest()[:8], "little")
    column = examined.columns["provenance_host"].tolist()
    assert [number, number] == [column[0], column[3]]
    assert [0, 0] == [column[2], column[4]]


def test_declared_licences_are_counted_and_unknown_ones_are_not_repeated() -> None:
    secret = "a licence of our own with a name in it"
    examined = examine(["a"] * 6, licence=["mit", "MIT License", secret, None, "", "cc-by-4.0"])
    table = examined.tables["declared"]
    assert {"MIT": 2, "CC-BY-4.0": 1, "unrecognised": 1} == dict(
        zip(table["licence"], (int(count) for count in table["documents"]), strict=True)
    )
    ids = list_ids()
    assert ["MIT", "MIT", "", "", "", "CC-BY-4.0"] == [
        ids[number] for number in examined.columns["provenance_licence"].tolist()
    ]
    assert secret not in repr(examined)


def test_without_columns_nothing_is_known_and_addresses_in_texts_are_no_origin() -> None:
    examined = examine(["see https://www.nytimes.com/ of 2019, under MIT"])
    assert [0, 0, 0, 0] == [int(column[0]) for column in examined.columns.values()]
    assert [] == list(examined.tables["hosts"]["host"])


def test_the_card_has_every_column_in_its_type(tmp_path: object) -> None:
    from pathlib import Path

    from verilabel.audit.settings import AuditSettings

    check = OPENING.open(AuditSettings(), Path(str(tmp_path)))
    batch = make_batch(["a"])
    columns = check.examine(batch, cut_words(batch)).columns
    assert {column.name: column.type for column in check.card.columns} == {
        name: f"{values.dtype.kind}{values.dtype.itemsize}" for name, values in columns.items()
    }
