"""Words that carry content: n-grams of a batch's words without the function words, and matches spread back to all."""

from __future__ import annotations

import numpy as np

from verilabel.audit.interface import Bytes, Hashes, Offsets, Positions
from verilabel.audit.kernels.compiling import compiled
from verilabel.audit.kernels.ngrams import BASE, NgramSet
from verilabel.audit.kernels.tokens import mix

TABLE = 1024
_LOW = np.uint64(TABLE - 1)
_SALT = np.uint64(0xC4CEB9FE1A85EC53)
_PROBE = np.uint64(0xFF51AFD7ED558CCD)
_SIX = np.uint64(6)
_BIT = np.uint64(63)
_ONE = np.uint64(1)


@compiled
def fill_table(keys: Hashes, table: Hashes) -> None:
    """Put hashes, none of them 0, into a table of `TABLE` zeros with open addressing."""
    for number in range(len(keys)):
        at = np.int64(keys[number] & _LOW)
        while table[at] != 0 and table[at] != keys[number]:
            at = (at + 1) % TABLE
        table[at] = keys[number]


@compiled
def scan_content(
    hashes: Hashes,
    documents: Offsets,
    table: Hashes,
    wanted: NgramSet,
    out_document: Offsets,
    out_place: Offsets,
    out_key: Positions,
) -> int:
    """Where n-grams of words outside a table stand: document, place among its words outside the table, and key.

    As `kernels.ngrams.find_ngrams` on those words alone, without making a copy of them; the hashes are those of
    `hash_ngrams`. Hits beyond the room are counted alone.
    """
    n = wanted.n
    power = _ONE
    for _ in range(n):
        power *= BASE
    salt = np.uint64(n) * _SALT
    by = np.uint64(wanted.shift)
    ring = np.zeros(n, np.uint64)
    found = 0
    for document in range(len(documents) - 1):
        count = 0
        slot = 0
        rolling = np.uint64(0)
        ring[:] = 0
        for word in range(documents[document], documents[document + 1]):
            key = hashes[word]
            at = np.int64(key & _LOW)
            while table[at] != 0 and table[at] != key:
                at = (at + 1) % TABLE
            if table[at] != 0:
                continue
            rolling = rolling * BASE + key - power * ring[slot]
            ring[slot] = key
            slot = slot + 1 if slot + 1 < n else 0
            count += 1
            if count < n:
                continue
            mixed = mix(rolling ^ salt)
            place = (mixed * _PROBE) >> by
            if (wanted.bits[place >> _SIX] >> (place & _BIT)) & _ONE:
                low = 0
                high = len(wanted.keys)
                while low < high:
                    middle = (low + high) >> 1
                    if wanted.keys[middle] < mixed:
                        low = middle + 1
                    else:
                        high = middle
                if low < len(wanted.keys) and wanted.keys[low] == mixed:
                    if found < len(out_document):
                        out_document[found] = document
                        out_place[found] = count - n
                        out_key[found] = low
                    found += 1
    return found


@compiled
def keep_content(
    hashes: Hashes, documents: Offsets, chosen: Offsets, table: Hashes, kept: Offsets, first: Offsets
) -> int:
    """Words of the chosen documents that are not in a table, and of every such document the first; their number."""
    count = 0
    for number in range(len(chosen)):
        first[number] = count
        for word in range(documents[chosen[number]], documents[chosen[number] + 1]):
            key = hashes[word]
            at = np.int64(key & _LOW)
            while table[at] != 0 and table[at] != key:
                at = (at + 1) % TABLE
            if table[at] == 0:
                kept[count] = word
                count += 1
    first[len(chosen)] = count
    return count


@compiled
def spread_cover(some: Bytes, kept: Offsets, first: Offsets, covered: Bytes) -> None:
    """Cover the words of a batch that are covered among those kept, and what lies between two of them in a row."""
    for document in range(len(first) - 1):
        for at in range(first[document], first[document + 1]):
            if some[at]:
                covered[kept[at]] = 1
                if at + 1 < first[document + 1] and some[at + 1]:
                    covered[kept[at] : kept[at + 1]] = 1
