"""The words beside candidates, and which candidates they let stand."""

from __future__ import annotations

from verilabel.audit.interface import Hashes, Offsets
from verilabel.audit.kernels.compiling import compiled
from verilabel.audit.pii.kernels import tables as t
from verilabel.audit.pii.kernels.reading import find_hash
from verilabel.audit.pii.kernels.tables import Masks, Rows

WINDOW_BYTES = 64
"""How far before a number a word may say what it is."""
_WINDOW_WORDS = 9
_NEAR_WORDS = 4


@compiled
def find_says(
    hashes: Hashes, ends: Offsets, first: int, last: int, start: int, context: Hashes, says: Masks
) -> int:
    """What the words before a place say: of nine words and 64 bytes, and of four words again, NEAR bits higher."""
    low = first
    high = last
    while low < high:
        middle = (low + high) >> 1
        if ends[middle] <= start:
            low = middle + 1
        else:
            high = middle
    said = 0
    count = 0
    word = low - 1
    while word >= first and count < _WINDOW_WORDS and start - ends[word] <= WINDOW_BYTES:
        place = find_hash(context, hashes[word])
        if place >= 0:
            said |= says[place]
            if count < _NEAR_WORDS:
                said |= says[place] << t.NEAR
        word -= 1
        count += 1
    return said


@compiled
def find_says_after(
    hashes: Hashes, starts: Offsets, first: int, last: int, end: int, context: Hashes, says: Masks
) -> int:
    """What the next two words after a place say, within 12 bytes."""
    low = first
    high = last
    while low < high:
        middle = (low + high) >> 1
        if starts[middle] < end:
            low = middle + 1
        else:
            high = middle
    said = 0
    for word in range(low, min(low + 2, last)):
        if starts[word] - end > 12:
            break
        place = find_hash(context, hashes[word])
        if place >= 0:
            said |= says[place]
    return said


@compiled
def keep_announced(
    rows: Rows,
    hashes: Hashes,
    starts: Offsets,
    ends: Offsets,
    documents: Offsets,
    context: Hashes,
    says: Masks,
) -> int:
    """Drop the candidates that need words which are not there, or that words deny; the others move up.

    Gives how many are left. A telephone number's note gets what the words said.
    """
    count = 0
    for row in range(len(rows)):
        rule = rows[row, 1]
        note = rows[row, 2]
        if rule == t.PHONE or rule == t.NINO or note >= t.NEEDS_WORDS:
            document = rows[row, 0]
            first, last = int(documents[document]), int(documents[document + 1])
            said = find_says(hashes, ends, first, last, rows[row, 3], context, says)
            if rule == t.PHONE:
                behind = find_says_after(hashes, starts, first, last, rows[row, 4], context, says)
                note |= weigh_phone(note, said, behind)
                if not note & (t.SAYS_PHONE | t.SAYS_CALL | t.IS_INTERNATIONAL | t.IS_TYPICAL):
                    continue
            elif rule == t.NINO:
                note |= said & t.SAYS_INSURANCE
            else:
                if not is_announced(note, said):
                    continue
                note = said & (t.SAYS_NUMBER | t.SAYS_TAX | t.SAYS_FILE)
        for field in range(5):
            rows[count, field] = rows[row, field]
        rows[count, 2] = note
        count += 1
    return count


@compiled
def is_announced(note: int, said: int) -> bool:
    """True if words say what the note asks for, or do not deny where it asks for that alone."""
    if note & t.DENIED_BY_VERSION:
        near = said >> t.NEAR
        if near & t.SAYS_VERSION and (note & t.SAYS_IP or not near & t.SAYS_IP):
            return False
    if note & t.NEEDS_NEAR:
        said >>= t.NEAR
    wanted = note & (t.NEEDS_WORDS - 1)
    if wanted == t.SAYS_SSN and said & t.SAYS_INSURANCE:
        return False  # Canada's are social, too
    return wanted == 0 or bool(said & wanted)


@compiled
def weigh_phone(note: int, said: int, behind: int) -> int:
    """What counts of the words beside a telephone number: of `call` and its like only those that are near."""
    near = said >> t.NEAR
    counted = (said | behind) & t.SAYS_PHONE
    if near & t.SAYS_CALL or (said & t.SAYS_CALL and note & (t.IS_TYPICAL | t.IS_INTERNATIONAL)):
        counted |= t.SAYS_CALL
    if behind & t.SAYS_PLACE:
        counted |= t.SAYS_CALL
    if note & t.IS_INSIDE and counted == 0:
        return 0
    return counted
