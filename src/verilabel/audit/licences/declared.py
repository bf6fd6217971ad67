"""Licences as people declare them: fields of data cards and columns of data sets, to ids of SPDX."""

from __future__ import annotations

import re
from functools import lru_cache

from verilabel.audit.licences.addresses import read_address
from verilabel.audit.licences.expressions import Expression, parse_expression
from verilabel.audit.licences.names import MAX_DECLARED, join_words, load_names, read_names, settle_id

_SCHEME = re.compile(r"^(?:https?://)?(?:www\.)?", re.IGNORECASE)
_DEBIAN = re.compile(r"^(A?GPL|LGPL|GFDL)(?:-NIV)?-?v?([0-9](?:\.[0-9])?)(\+?)$", re.IGNORECASE)


@lru_cache(4096)
def read_declared(text: str) -> Expression | None:
    """What a declared licence says, or None where it says nothing that is known: ids, expressions, addresses, names.

    `GPL-2+`, `apache-2.0`, `MIT OR Apache-2.0`, `https://creativecommons.org/licenses/by/4.0/`, `The MIT License`,
    `License :: OSI Approved :: MIT License`.
    """
    text = text[:MAX_DECLARED].strip().strip("\"'`,;")
    if "::" in text:
        text = text.rsplit("::", 1)[1].strip()
    if not text or join_words(text) in load_names().nothing:
        return None
    identifier = settle_id(text)
    if identifier:
        return Expression((identifier,), identifier, len(text))
    debian = _DEBIAN.match(text)
    if debian:
        return _read_debian(debian)
    expression = parse_expression(text)
    if expression and expression.top and expression.length == len(text):
        return expression
    address = read_address(_SCHEME.sub("", text).encode())
    if address:
        return Expression((address.id,), address.id, len(text))
    named = read_names(join_words(text))
    return Expression(named.ids, named.ids[0], len(text)) if named else None


def _read_debian(match: re.Match[str]) -> Expression | None:
    family, version, later = match.group(1).upper(), match.group(2), match.group(3)
    written = version if "." in version else f"{version}.0"
    identifier = settle_id(f"{family}-{written}-{'or-later' if later else 'only'}")
    return Expression((identifier,), identifier, match.end()) if identifier else None
