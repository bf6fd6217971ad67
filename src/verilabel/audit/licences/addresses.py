"""Addresses of licences: which licence `https://creativecommons.org/licenses/by-sa/4.0/` is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from verilabel.audit.licences.names import join_words, read_names, settle_id
from verilabel.audit.licences.texts import number_ids

_TAIL = rb"(?:/(?:deed|legalcode)(?:\.[a-z_\-]{2,10})?)?/?"
_RULES: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (
        re.compile(
            rb"creativecommons\.org/licenses/((?:by(?:-nc)?(?:-nd|-sa)?)|sa|nc|nd)/([1-4]\.[0-9])(?:/([a-z]{2,3})(?=[/\s\"'<>)]|$))?"
            + _TAIL
        ),
        "cc",
    ),
    (re.compile(rb"creativecommons\.org/licenses/(by(?:-nc)?(?:-nd|-sa)?)\b/?()()"), "cc"),
    (re.compile(rb"creativecommons\.org/publicdomain/zero/1\.0" + _TAIL), "CC0-1.0"),
    (re.compile(rb"creativecommons\.org/publicdomain/mark/1\.0" + _TAIL), "CC-PDM-1.0"),
    (re.compile(rb"apache\.org/licenses/license-([12]\.[01])(?:\.txt|\.html)?"), "Apache-{}"),
    (
        re.compile(
            rb"(?:opensource|spdx|choosealicense)\.(?:org|com)/licenses?/([a-z0-9.\-]{2,40}?)(?:\.html|\.php|\.txt|\.json)?(?=[/\s\"'<>)\],;#]|\.\s|\.?$)/?"
        ),
        "{}",
    ),
    (
        re.compile(
            rb"gnu\.org/(?:licenses|copyleft)/(?:old-licenses/)?(a?gpl|lgpl|fdl|gpl)-([0-9]\.[0-9])(?:-standalone)?(?:\.[a-z.]{2,8})?"
        ),
        "gnu",
    ),
    (re.compile(rb"mozilla\.org/mpl/(?:mpl-)?([12]\.[01])(?:\.txt|\.html|/index\.txt)?/?"), "MPL-{}"),
    (re.compile(rb"opendatacommons\.org/licenses/odbl(?:/1[.-]0)?/?"), "ODbL-1.0"),
    (re.compile(rb"opendatacommons\.org/licenses/by(?:/1[.-]0)?/?"), "ODC-By-1.0"),
    (re.compile(rb"opendatacommons\.org/licenses/pddl(?:/1[.-]0)?/?"), "PDDL-1.0"),
    (re.compile(rb"unlicense\.org/?"), "Unlicense"),
    (re.compile(rb"wtfpl\.net/?"), "WTFPL"),
    (
        re.compile(rb"eclipse\.org/(?:legal/|org/documents/)epl-(?:v([12])0|([12]\.0))(?:\.html|/|\.php)?"),
        "epl",
    ),
    (re.compile(rb"boost\.org/license_1_0\.txt"), "BSL-1.0"),
)
_SHORT_NAMES = {
    "mit-license": "MIT",
    "bsd-license": "BSD-2-Clause",
    "bsd-3-clause-license": "BSD-3-Clause",
    "isc-license": "ISC",
    "gpl-license": "LicenseRef-verilabel-other",
    "apache2.0": "Apache-2.0",
    "gpl-2.0": "GPL-2.0-only",
    "gpl-3.0": "GPL-3.0-only",
    "lgpl-2.1": "LGPL-2.1-only",
    "lgpl-3.0": "LGPL-3.0-only",
    "agpl-3.0": "AGPL-3.0-only",
    "artistic-license-2.0": "Artistic-2.0",
}


@dataclass(frozen=True)
class Address:
    """A licence's address in a text."""

    id: str
    length: int
    """Bytes, from where the search began."""


def read_address(text: bytes) -> Address | None:
    """The licence whose address begins the text (without scheme and `www.`), or none."""
    lowered = text.lower()
    for pattern, identifier in _RULES:
        match = pattern.match(lowered)
        if match:
            found = _name_licence(identifier, [group.decode() if group else "" for group in match.groups()])
            if found:
                return Address(found, match.end())
    return None


def _read_slug(slug: str) -> str | None:
    """The licence that the last part of an address names whole, such as `odc-by`."""
    words = join_words(slug)
    named = read_names(words)
    return named.ids[0] if named and named.end == len(words) else None


def _name_licence(rule: str, groups: list[str]) -> str | None:
    if rule == "cc":
        kind, version, port = groups[0].upper(), groups[1], groups[2].upper()
        if not version:
            own = f"LicenseRef-verilabel-CC-{kind}"
            return own if own.lower() in number_ids() else None
        return (
            settle_id(f"CC-{kind}-{version}-{port}")
            if port and settle_id(f"CC-{kind}-{version}-{port}")
            else settle_id(f"CC-{kind}-{version}")
        )
    if rule == "gnu":
        family = groups[0].upper().replace("FDL", "GFDL")
        return settle_id(f"{family}-{groups[1]}-only")
    if rule == "epl":
        return settle_id(f"EPL-{(groups[0] or groups[1])[:1]}.0")
    if rule == "{}":
        return _SHORT_NAMES.get(groups[0]) or settle_id(groups[0]) or _read_slug(groups[0])
    return settle_id(rule.format(*groups)) if "{}" in rule else rule
