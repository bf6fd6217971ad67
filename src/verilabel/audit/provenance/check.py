"""The check of provenance: what the source says of each document, by its columns of addresses, dates and licences."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Batch, CheckCard, Column, Examined, Offsets, Values, Words
from verilabel.audit.kernels.strings import Strings, cut_paths, group_values, read_leading_years
from verilabel.audit.licences.declared import read_declared
from verilabel.audit.licences.texts import digest_data, list_ids, number_ids
from verilabel.audit.provenance.hosts import NO_HOST, Host, describe_host, list_kinds, read_domains

VERSION = "1"
_ISO = re.compile(r"^\s*[\"']?(1[0-9]{3}|20[0-9]{2})(?:$|[^0-9])")
_BASIC = re.compile(r"^\s*((?:1[5-9]|20)[0-9]{2})(?:0[1-9]|1[0-2])(?:[0-2][0-9]|3[01])(?:$|[T\s])")
_ANYWHERE = re.compile(r"(?<![0-9])((?:19|20)[0-9]{2})(?![0-9])")
_EPOCH = re.compile(r"^\s*([0-9]{9,10})(?:\.[0-9]*)?$|^\s*([0-9]{12,13})(?:\.[0-9]*)?$")
MAX_DATE = 64
_KEPT = 100_000
_MAX_KEPT = 256


def read_year(date: str) -> int:
    """The year of a date as sources write it (ISO 8601, RFC 2822, seconds or milliseconds since 1970), or 0."""
    date = date[:MAX_DATE]
    match = _ISO.match(date) or _BASIC.match(date)
    if match:
        return int(match.group(1))
    epoch = _EPOCH.match(date)
    if epoch:
        seconds = int(epoch.group(1)) if epoch.group(1) else int(epoch.group(2)) // 1000
        return datetime.fromtimestamp(seconds, UTC).year
    match = _ANYWHERE.search(date)
    return int(match.group(1)) if match else 0


class ProvenanceCheck:
    """Reads the columns `url`, `date` and `licence` of a batch; the texts are not looked at."""

    reads_words = False

    def __init__(self) -> None:
        self._card = _make_card()
        self._hosts: dict[str, Host] = {}
        self._years: dict[str, int] = {}
        self._numbers = number_ids()

    @property
    def card(self) -> CheckCard:
        """What it is."""
        return self._card

    def examine(self, batch: Batch, words: Words) -> Examined:  # noqa: ARG002
        """Look at a batch."""
        hosts = self._describe_hosts(_column(batch, "url"))
        licences = self._number_licences(_column(batch, "licence"))
        return Examined(
            columns={
                "provenance_host": np.array([host.number for host in hosts.each], np.uint64)[hosts.of],
                "provenance_kind": np.array([host.kind for host in hosts.each], np.uint8)[hosts.of],
                "provenance_year": self._read_years(_column(batch, "date")),
                "provenance_licence": np.maximum(licences, 0).astype(np.uint16),
            },
            tables={"hosts": _sum_hosts(hosts, np.diff(batch.offsets)), "declared": _sum_licences(licences)},
        )

    def _describe_hosts(self, urls: Strings) -> _Hosts:
        """The hosts of a batch; what stands behind a host is cut off first, so that one look serves all its pages."""
        heads = cut_paths(urls)
        groups = group_values(heads)
        # the last one is for documents without address, whose group is -1
        each = [*(self._describe(heads[first] or "") for first in groups.first.tolist()), NO_HOST]
        return _Hosts(each, groups.of)

    def _describe(self, url: str) -> Host:
        known = self._hosts.get(url)
        if known is None:
            if len(self._hosts) >= _KEPT:
                self._hosts.clear()
            known = describe_host(url)
            if len(url) <= _MAX_KEPT:
                self._hosts[url] = known
        return known

    def _read_years(self, dates: Strings) -> npt.NDArray[np.uint16]:
        years = read_leading_years(dates)
        years[~dates.present] = 0
        others = group_values(dates, years < 0)
        of_group = np.array(
            [*(self._date(dates[first] or "") for first in others.first.tolist()), 0], np.int32
        )
        return np.where(years < 0, of_group[others.of], years).astype(np.uint16)

    def _date(self, date: str) -> int:
        date = date[:MAX_DATE]
        year = self._years.get(date)
        if year is None:
            if len(self._years) >= _KEPT:
                self._years.clear()
            year = self._years[date] = read_year(date)
        return year

    def _number_licences(self, texts: Strings) -> npt.NDArray[np.int64]:
        """Numbers of ids, 0 where nothing is declared, -1 where what is declared is no licence that is known."""
        groups = group_values(texts)
        numbers = [*(self._number_licence(texts[first] or "") for first in groups.first.tolist()), 0]
        return np.array(numbers, np.int64)[groups.of]

    def _number_licence(self, text: str) -> int:
        if not text.strip():
            return 0
        said = read_declared(text)
        return self._numbers[said.top.lower()] if said and said.top else -1


class _Hosts(NamedTuple):
    each: Sequence[Host]
    of: Offsets
    """Of each document, its host's place in `each`."""


def _column(batch: Batch, name: str) -> Strings:
    return Strings.of(batch.about.get(name) or [None] * len(batch))


def _sum_hosts(hosts: _Hosts, sizes: npt.NDArray[np.int64]) -> Mapping[str, Values | Sequence[Any]]:
    has_host = hosts.of >= 0
    places = hosts.of[has_host]
    counts = np.bincount(places, minlength=len(hosts.each)).tolist()
    # sums of whole numbers below 2**53: exact in any order
    weights = np.bincount(places, sizes[has_host], len(hosts.each)).astype(np.int64).tolist()
    documents: dict[str, int] = {}
    weight: dict[str, int] = {}
    by_name: dict[str, Host] = {}
    for host, count, size in zip(hosts.each, counts, weights, strict=True):
        if host.name:
            by_name[host.name] = host
            documents[host.name] = documents.get(host.name, 0) + count
            weight[host.name] = weight.get(host.name, 0) + size
    names = sorted(by_name)
    kinds = list_kinds()
    return {
        "host": names,
        "domain": [by_name[name].domain for name in names],
        "kind": [kinds[by_name[name].kind] for name in names],
        "documents": np.array([documents[name] for name in names], np.int64),
        "bytes": np.array([weight[name] for name in names], np.int64),
    }


def _sum_licences(numbers: npt.NDArray[np.int64]) -> Mapping[str, Values | Sequence[Any]]:
    """What was declared; `unrecognised` stands for declarations that are no known licence: their text is not kept."""
    ids = list_ids()
    present, counts = np.unique(numbers, return_counts=True)
    found = {
        "unrecognised" if number < 0 else ids[number]: count
        for number, count in zip(present.tolist(), counts.tolist(), strict=True)
    }
    names = sorted(name for name in found if name)
    return {"licence": names, "documents": np.array([found[name] for name in names], np.int64)}


def _make_card() -> CheckCard:
    digest = hashlib.sha256(f"{VERSION} {digest_data()} ".encode() + read_domains()).hexdigest()
    kinds = tuple(name or "none of these" for name in list_kinds())
    return CheckCard(
        name="provenance",
        version=VERSION,
        data_sha256=f"sha256:{digest}",
        words=(
            "The host, its registrable domain and kind of site, the year and the declared licence of each document, "
            "from the columns `url`, `date` and `licence` of the source."
        ),
        limits=(
            "It repeats what the source says and checks none of it; documents without such columns have no origin; "
            "addresses inside texts are none; registrable domains follow a rule and not the Public Suffix List; the "
            "lists of sites are short, made by hand, and say nothing of sites that are not on them."
        ),
        columns=(
            Column(
                "provenance_host", "u8", "first 8 bytes of SHA-256 of the host, little-endian, 0 for none"
            ),
            Column("provenance_kind", "u1", "kind of site", kinds),
            Column("provenance_year", "u2", "year of the document's date, 0 for none"),
            Column(
                "provenance_licence",
                "u2",
                "number of the declared licence in the list of ids, 0 for none known",
            ),
        ),
    )
