"""What is read around the few places that the compiled pass names: tags, fields, addresses, sentences, contexts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from verilabel.audit.licences.addresses import read_address
from verilabel.audit.licences.declared import read_declared
from verilabel.audit.licences.expressions import parse_expression
from verilabel.audit.licences.names import read_names
from verilabel.audit.licences.phrases import compile_contexts, load_phrases
from verilabel.audit.licences.wording import blank_typography

HEADER_WORDS = 40
FIELD_BYTES = 120
TAG_BYTES = 540
ADDRESS_BYTES = 120
HEADER_BYTES = 1_000
CONTEXT_BYTES = 4_000
_KEPT = 20_000
"""Readings that are remembered: the same header stands in thousands of files."""
OWN_BYTES = 240
_SENTENCE_END = re.compile(rb"\n[^\w\n]{0,12}\n|(?<=[^A-Z.][.!?])[\"')\]]{0,2}\s")
_SAYS_LICENCE = re.compile(r"licen[cs]|\d|gpl|creative commons|\bcc|\bmit\b|apache")
_LETTERS = re.compile(rb"[A-Za-z\x80-\xff]")
_OWN = re.compile(
    rb"\b(?:this|these|you|your|copyright(?:ed)?|all rights reserved|dieses?r?|cet(?:te)?|ce|est[ea]|quest[oa])\b"
    rb"|\xc2\xa9|\(c\)|\bit (?:is|may|can|under|and)\b|\b(?:all|the) (?:contents?|materials?|code|files?|source code"
    rb"|software|program|data(?: ?set)?|library|package|project|text|work|documentation) "
    rb"(?:of|in|on|is|are|herein|here|from)\b",
    re.IGNORECASE,
)
_WORD = re.compile(rb"[0-9a-z\x80-\xff]+")
_TAG = re.compile(rb"[\"'\s]{0,3}[:=][\"'\s:=]{0,9}")
_FIELD = re.compile(rb"[_\"'\]\*]{0,4}[ \t]{0,8}[:=][ \t]{0,8}([^\r\n]{2,100})")
_COMMENT_END = re.compile(rb"\s*(?:\*/|-->|#}|%>).*$")


class Read(NamedTuple):
    """What stands at a place: ids of licences, the one that counts, and how many bytes from the place on say so."""

    ids: tuple[str, ...]
    top: str | None
    length: int


class Memory:
    """Readings of equal bytes, done once; a pure function of the bytes, so that forgetting changes nothing."""

    def __init__(self, read: Callable[[bytes], Read | None]) -> None:
        self._read = read
        self._known: dict[bytes, Read | None] = {}

    def __call__(self, window: bytes) -> Read | None:
        """What the bytes say, or None."""
        try:
            return self._known[window]
        except KeyError:
            if len(self._known) >= _KEPT:
                self._known.clear()
            found = self._read(window)
            self._known[window] = found
            return found


def read_tag(window: bytes) -> Read | None:
    """The expression behind `SPDX-License-Identifier`; a tag without a licence of the list has no ids."""
    lead = _TAG.match(window)
    if lead is None:
        return None
    start = lead.end()
    line = _COMMENT_END.sub(b"", window[start:].split(b"\n", 1)[0])
    expression = parse_expression(line.decode("utf-8", "replace"))
    if expression is None:
        return None
    return Read(expression.ids, expression.top, start + expression.length)


def read_field(window: bytes) -> Read | None:
    """The licence of a field such as `license: mit` or `__license__ = "BSD"`; the window begins behind the word."""
    field = _FIELD.match(window)
    if field is None:
        return None
    value = _COMMENT_END.sub(b"", field.group(1)).rstrip(b" \t,;\"'")
    found = read_declared(value.decode("utf-8", "replace"))
    return Read(found.ids, found.top, field.start(1) + len(value)) if found else None


def read_url(window: bytes) -> Read | None:
    """The licence whose address begins the window."""
    found = read_address(window)
    return Read((found.id,), found.id, found.length) if found else None


def read_weak_header(window: bytes) -> Read | None:
    """As `read_header`, where the words before are `available under` and `*BSD` may follow: only what says licence."""
    return read_header(window, plain_names=False)


def read_header(window: bytes, *, plain_names: bool = True) -> Read | None:
    """The licence that a sentence names right behind words such as `licensed under`; the window begins behind them."""
    lowered = blank_typography(window).lower()
    places = list(_WORD.finditer(lowered))[:HEADER_WORDS]
    words = b" ".join(place.group() for place in places).decode("utf-8", "replace")
    named = read_names(words)
    if named is None or not (plain_names or _SAYS_LICENCE.search(words[: named.end])):
        return None
    joined = 0
    length = 0
    for place in places:
        length = place.end()
        joined += len(place.group().decode("utf-8", "replace")) + 1
        if joined > named.end:
            break
    return Read(named.ids, named.ids[0], length)


def declares_own(before: bytes) -> bool:
    """Whether a sentence about a licence is about the document itself, by the words before `licensed under`.

    It is where they speak of `this file`, of `you` who may use `it`, or of a copyright, or where there are none: the
    sentence begins with `Licensed under`. `The libintl library is now covered by the LGPL` is about something else.
    """
    sentence = _SENTENCE_END.split(before[-OWN_BYTES:])[-1]
    return bool(_OWN.search(sentence)) or not _LETTERS.search(sentence)


def holds_context(rule: int, window: bytes) -> bool:
    """Whether the words around an anchor make it the statement that the rule is about."""
    context = load_phrases().contexts[rule]
    pattern = compile_contexts()[rule]
    lowered = blank_typography(window).lower()
    if context.raw:
        return bool(pattern.search(lowered.replace(b"\r\n", b"\n")))
    return bool(pattern.search(b" ".join(_WORD.findall(lowered))))
