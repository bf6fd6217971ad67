"""Puts values of known kinds into copies of documents, and says exactly where they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from verilabel.audit.canaries.draws import Draws
from verilabel.audit.canaries.formats import Format
from verilabel.audit.canaries.items import KIND as ITEM_KIND
from verilabel.audit.canaries.items import Item, formats_of
from verilabel.audit.canaries.kernel import find_quiet_places
from verilabel.audit.canaries.plan import MAX_HOST_BYTES
from verilabel.audit.interface import Batch

VALUES_A_DOCUMENT = 8
"""So many values go into one copy: fewer copies to examine, and still far from one another."""
MIN_DISTANCE = 60
"""Bytes of the document's own text between two values, where it is long enough."""
_TRIES = 24


class Truth(NamedTuple):
    """One planted value. Positions are bytes in the text of its document."""

    document: int
    kind: str
    format: str
    start: int
    end: int


@dataclass(frozen=True)
class Planted:
    """Copies with values in them, and the truth about them by rising document and start."""

    texts: list[bytes]
    truth: list[Truth]

    def batches(self, size: int = 4 * 2**20) -> Iterator[Batch]:
        """The copies as batches of about so many bytes; a batch's `rows` are indexes of `texts`."""
        first = 0
        while first < len(self.texts):
            last, total = first, 0
            while last < len(self.texts) and total <= size:
                total += len(self.texts[last])
                last += 1
            lengths = [len(text) for text in self.texts[first:last]]
            offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
            # as readers give it: what can be written to is another type to compiled loops
            data = np.frombuffer(bytearray(b"".join(self.texts[first:last])), np.uint8)
            yield Batch(data, offsets, np.arange(first, last, dtype=np.int64))
            first = last


@lru_cache(maxsize=1)
def _written_formats() -> tuple[Format, ...]:
    from verilabel.audit.canaries.credentials import SECRETS
    from verilabel.audit.canaries.national import NATIONAL
    from verilabel.audit.canaries.personal import PERSONAL
    from verilabel.audit.canaries.rights import RIGHTS

    return (*PERSONAL.formats, *NATIONAL.formats, *SECRETS.formats, *RIGHTS.formats)


def list_formats(kinds: Collection[str], items: Sequence[Item] = ()) -> list[Format]:
    """The formats in which values of the kinds can be planted; a kind that has none is left out.

    Items of benchmarks have formats only where items are given.
    """
    wanted = set(kinds)
    found = [form for form in _written_formats() if form.kind in wanted]
    return found + (formats_of(items) if ITEM_KIND in wanted else [])


def plantable_kinds() -> list[str]:
    """The kinds that have formats, sorted; items of benchmarks among them."""
    return sorted({form.kind for form in _written_formats()} | {ITEM_KIND})


def hosts_needed(formats: int, per_format: int) -> int:
    """How many documents `plant` spreads its values over."""
    return -(-formats * per_format // VALUES_A_DOCUMENT)


def plant(
    texts: Sequence[bytes],
    seed: bytes,
    kinds: Collection[str],
    per_format: int,
    *,
    items: Sequence[Item] = (),
) -> Planted:
    """Put `per_format` values of every format of the kinds into copies of the texts, at the edges of words.

    The same texts, seed, kinds and items give the same bytes on every machine. Where there are fewer texts than
    `hosts_needed`, a text is copied several times; where there are none, nothing is planted. Values stand at starts and
    ends of texts, in lines of their own, in brackets, behind labels and between words, never inside or beside a URL.
    """
    return plant_formats(texts, seed, list_formats(kinds, items), per_format)


def plant_formats(
    texts: Sequence[bytes],
    seed: bytes,
    formats: Sequence[Format],
    per_format: int,
    *,
    values_a_document: int = VALUES_A_DOCUMENT,
    max_host_bytes: int = MAX_HOST_BYTES,
) -> Planted:
    """`plant` for formats of any origin, with as many values a document, of as much of it, as is wished."""
    texts = [text for text in texts if text.strip()]
    if not texts:
        return Planted([], [])
    order = Draws(seed, "order").shuffle([form for form in formats for _ in range(per_format)])
    copies: list[bytes] = []
    truth: list[Truth] = []
    draws = Draws(seed, "values")
    firsts = range(0, len(order), values_a_document)
    hosts = [_excerpt(texts[number % len(texts)], max_host_bytes, draws) for number in range(len(firsts))]
    quiet = find_quiet_places(hosts)
    for number, (first, host, places) in enumerate(zip(firsts, hosts, quiet, strict=True)):
        text, found = _fill(host, places, order[first : first + values_a_document], number, draws)
        copies.append(text)
        truth += found
    return Planted(copies, truth)


def _excerpt(text: bytes, size: int, draws: Draws) -> bytes:
    """The text, or a stretch of a long one that is cut between characters."""
    if len(text) <= size:
        return text
    start = draws.below(len(text) - size)
    return text[start : start + size].decode("utf-8", "ignore").encode()


class _Insertion(NamedTuple):
    at: int
    before: bytes
    value: bytes
    after: bytes
    form: Format


def _fill(
    host: bytes, quiet: Sequence[int], forms: Sequence[Format], document: int, draws: Draws
) -> tuple[bytes, list[Truth]]:
    taken: list[int] = []
    wanted: list[_Insertion] = []
    for form in forms:
        prefix, suffix = draws.pick(form.carriers)
        value = form.make(draws).encode()
        at = _find_place(len(host), quiet, taken, draws)
        left, right = _joints(host, at, form, draws, is_taken=at in taken)
        wanted.append(_Insertion(at, left + prefix.encode(), value, suffix.encode() + right, form))
        taken.append(at)
    wanted.sort(key=lambda one: one.at)
    parts: list[bytes] = []
    truth: list[Truth] = []
    length = done = 0
    for one in wanted:
        own = host[done : one.at]
        start = length + len(own) + len(one.before)
        parts += [own, one.before, one.value, one.after]
        length = start + len(one.value) + len(one.after)
        truth.append(Truth(document, one.form.kind, one.form.name, start, start + len(one.value)))
        done = one.at
    parts.append(host[done:])
    return b"".join(parts), truth


def _find_place(size: int, quiet: Sequence[int], taken: Sequence[int], draws: Draws) -> int:
    """A place between two words: now and then the start or the end, mostly one of those that are quiet.

    The end of the text where nothing was found.
    """
    edge = draws.below(10)
    if edge < 2:
        at = 0 if edge == 0 else size
        if at not in taken:
            return at
    for _ in range(_TRIES if quiet else 0):
        at = draws.pick(quiet)
        for other in taken:
            if -MIN_DISTANCE < at - other < MIN_DISTANCE:
                break
        else:
            return at
    return size


def _joints(host: bytes, at: int, form: Format, draws: Draws, *, is_taken: bool) -> tuple[bytes, bytes]:
    """What parts an insertion from the words before and after it: one character, or lines of their own.

    In the middle the blank at the place parts it from what follows.
    """
    mark = b"\n\n" if form.is_block or is_taken else draws.pick((b" ", b" ", b" ", b"\n"))
    if at == 0:
        return b"", mark
    if at == len(host):
        return mark, draws.pick((b"", b"", b"\n"))
    return mark, mark if form.is_block else b""
