"""The one pass over a batch's bytes that finds the places where something may be, and the passes over those places."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from verilabel.audit.interface import Bytes, Offsets, Positions, Words
from verilabel.audit.kernels.compiling import compiled
from verilabel.audit.pii.kernels.assignments import look_at_assignments
from verilabel.audit.pii.kernels.context import keep_announced
from verilabel.audit.pii.kernels.numbers import look_at_numbers
from verilabel.audit.pii.kernels.reading import hash_three
from verilabel.audit.pii.kernels.signs import look_at_emails, look_at_machines
from verilabel.audit.pii.kernels.tables import ALNUM, DIGIT, HEX, SIGN, UPPER, VALUE, Rows, Tables
from verilabel.audit.pii.kernels.tokens import look_at_tokens

AT_NUMBER, AT_TOKEN, AT_EMAIL, AT_MACHINE, AT_ASSIGNMENT = range(5)
_KINDS = 5


@compiled
def _find_anchors(
    data: Bytes,
    offsets: Positions,
    starts: Offsets,
    ends: Offsets,
    word_documents: Offsets,
    beyond_ascii: Bytes,
    flags: Bytes,
    prefix_bits: Bytes,
    anchors: Positions,
    documents: Positions,
    room: int,
    counts: Positions,
) -> None:
    """Places by kind, kind k in `anchors[k * room:]`; `counts` counts also those for which there was no room.

    Letters and digits stand in words, signs between them. `beyond_ascii` says of each 64 bytes whether there are any
    that are not ASCII: only there words are more than letters and digits. All is written in one function: a call for
    every word would cost more than what is done with it.
    """
    for document in range(len(offsets) - 1):
        low = offsets[document]
        high = offsets[document + 1]
        done = low
        last = word_documents[document + 1]
        for word in range(word_documents[document], last + 1):
            start = high
            end = high
            if word < last:
                start = np.int64(starts[word])
                end = np.int64(ends[word])
            for place in range(done, start):
                if not flags[data[place]] & SIGN:
                    continue
                at = place + 1
                if at + 3 >= high or place == low:
                    continue
                byte = data[place]
                before = flags[data[place - 1]]
                after = data[at]
                if byte == 64:
                    if flags[after] & ALNUM and before:
                        counts[AT_EMAIL] += 1
                        if counts[AT_EMAIL] <= room:
                            anchors[AT_EMAIL * room + counts[AT_EMAIL] - 1] = place
                            documents[AT_EMAIL * room + counts[AT_EMAIL] - 1] = document
                elif byte == 45:
                    if before & HEX and flags[after] & HEX and at + 14 <= high and data[place + 3] == 45:
                        counts[AT_MACHINE] += 1
                        if counts[AT_MACHINE] <= room:
                            anchors[AT_MACHINE * room + counts[AT_MACHINE] - 1] = place
                            documents[AT_MACHINE * room + counts[AT_MACHINE] - 1] = document
                elif at + 10 < high:
                    if byte == 58 and before & HEX and (flags[after] & HEX or after == 58):
                        counts[AT_MACHINE] += 1
                        if counts[AT_MACHINE] <= room:
                            anchors[AT_MACHINE * room + counts[AT_MACHINE] - 1] = place
                            documents[AT_MACHINE * room + counts[AT_MACHINE] - 1] = document
                    if after == 47 and byte == 58:
                        if data[at + 1] == 47:
                            counts[AT_ASSIGNMENT] += 1
                            if counts[AT_ASSIGNMENT] <= room:
                                anchors[AT_ASSIGNMENT * room + counts[AT_ASSIGNMENT] - 1] = place
                                documents[AT_ASSIGNMENT * room + counts[AT_ASSIGNMENT] - 1] = document
                    elif after != 61 and (
                        before & (ALNUM | VALUE)
                        or data[place - 1] == 32
                        or data[place - 1] == 34
                        or data[place - 1] == 39
                        or data[place - 1] == 93
                        or data[place - 1] == 58
                    ):
                        # a value has ten bytes of its own, and they do not begin with a bracket
                        first = data[at]
                        if first == 32 or first == 62:
                            first = data[at + 1]
                        if first == 32 or first == 34 or first == 39 or first == 96 or flags[first] & VALUE:
                            counts[AT_ASSIGNMENT] += 1
                            if counts[AT_ASSIGNMENT] <= room:
                                anchors[AT_ASSIGNMENT * room + counts[AT_ASSIGNMENT] - 1] = place
                                documents[AT_ASSIGNMENT * room + counts[AT_ASSIGNMENT] - 1] = document
            done = end
            if start >= end:
                continue
            is_plain = beyond_ascii[start >> 6] == 0
            for block in range((start >> 6) + 1, ((end - 1) >> 6) + 1):
                if beyond_ascii[block]:
                    is_plain = False
            at = start
            while at < end:
                place = at
                if is_plain:
                    at = end
                elif not flags[data[at]] & ALNUM:
                    at += 1
                    continue
                else:
                    while at < end and flags[data[at]] & ALNUM:
                        at += 1
                byte = data[place]
                flag = flags[byte]
                is_escape = byte == 110 or byte == 116 or byte == 114
                if is_escape and place > low and data[place - 1] == 92 and at > place + 1:
                    # in strings of programs and JSON a line ends with \n, whose letter is no part of what follows
                    place += 1
                    byte = data[place]
                    flag = flags[byte]
                size = at - place
                if size == 4 and place + 14 <= high and data[at] == 46 and data[place + 9] == 46:
                    counts[AT_MACHINE] += 1
                    if counts[AT_MACHINE] <= room:
                        anchors[AT_MACHINE * room + counts[AT_MACHINE] - 1] = place
                        documents[AT_MACHINE * room + counts[AT_MACHINE] - 1] = document
                if flag & DIGIT:
                    run = place + 1
                    while run < at and flags[data[run]] & DIGIT:
                        run += 1
                    if (6 <= size <= 9 or 26 <= size <= 35) and place + 4 < high:
                        counts[AT_TOKEN] += 1
                        if counts[AT_TOKEN] <= room:
                            anchors[AT_TOKEN * room + counts[AT_TOKEN] - 1] = place
                            documents[AT_TOKEN * room + counts[AT_TOKEN] - 1] = document
                    if run - place >= 7:
                        if run - place <= 24 and at - run <= 5:
                            counts[AT_NUMBER] += 1
                            if counts[AT_NUMBER] <= room:
                                anchors[AT_NUMBER * room + counts[AT_NUMBER] - 1] = place
                                documents[AT_NUMBER * room + counts[AT_NUMBER] - 1] = document
                    elif run == at and at + 2 < high:
                        # what a short run may begin goes on behind a separator
                        after = data[at]
                        second = data[at + 1]
                        if after == 32 or after == 45 or after == 46 or after == 47:
                            if flags[second] & DIGIT or second == 40 or second == 32 or second >= 0x80:
                                counts[AT_NUMBER] += 1
                                if counts[AT_NUMBER] <= room:
                                    anchors[AT_NUMBER * room + counts[AT_NUMBER] - 1] = place
                                    documents[AT_NUMBER * room + counts[AT_NUMBER] - 1] = document
                        elif after == 41 or after == 0xC2 or after == 0xE2:
                            counts[AT_NUMBER] += 1
                            if counts[AT_NUMBER] <= room:
                                anchors[AT_NUMBER * room + counts[AT_NUMBER] - 1] = place
                                documents[AT_NUMBER * room + counts[AT_NUMBER] - 1] = document
                elif size >= 2 and place + 4 < high:
                    two = data[place + 1]
                    three = data[place + 2]
                    if (
                        prefix_bits[hash_three(int(byte), int(two), int(three))]
                        or flags[three] & DIGIT
                        or flags[two] & DIGIT
                    ) or (
                        (flag & UPPER and flags[two] & UPPER)
                        and (size == 16 or (size == 2 and three == 32 and flags[data[place + 3]] & DIGIT))
                    ):
                        counts[AT_TOKEN] += 1
                        if counts[AT_TOKEN] <= room:
                            anchors[AT_TOKEN * room + counts[AT_TOKEN] - 1] = place
                            documents[AT_TOKEN * room + counts[AT_TOKEN] - 1] = document


def _mark_beyond_ascii(data: Bytes) -> Bytes:
    """Of each 64 bytes, 1 where one of them is not ASCII."""
    whole = len(data) // 64 * 64
    marks = np.zeros(len(data) // 64 + 1, np.uint8)
    high = np.bitwise_or.reduce(data[:whole].reshape(-1, 8, 8).view(np.uint64).reshape(-1, 8), axis=1)
    marks[:-1] = (high & np.uint64(0x8080808080808080)) != 0
    marks[-1] = bool((data[whole:] >= 0x80).any())
    return marks


def find_candidates(data: Bytes, offsets: Positions, words: Words, tables: Tables) -> Rows:
    """All candidates of a batch that words beside them do not forbid."""
    room = 4_096 + len(data) // 16
    beyond_ascii = _mark_beyond_ascii(data)
    data = data.view()
    data.flags.writeable = False  # one type for all callers, so that the passes are compiled once
    while True:
        anchors = np.empty(_KINDS * room, np.int64)
        documents = np.empty(_KINDS * room, np.int64)
        counts = np.zeros(_KINDS, np.int64)
        _find_anchors(
            data,
            offsets,
            words.starts,
            words.ends,
            words.documents,
            beyond_ascii,
            tables.flags,
            tables.prefix_bits,
            anchors,
            documents,
            room,
            counts,
        )
        if counts.max() <= room:
            break
        room = int(counts.max())

    def look(kind: int, function: Callable[..., int], *tables_: object) -> Rows:
        part = slice(kind * room, kind * room + int(counts[kind]))
        return _collect(function, data, offsets, anchors[part], documents[part], *tables_)

    flags = tables.flags
    token_tables = (tables.prefix_bits, tables.prefixes, tables.prefix_offsets, tables.iban_lengths)
    rows = np.concatenate(
        [
            look(AT_NUMBER, look_at_numbers, flags, tables.examples),
            look(AT_TOKEN, look_at_tokens, flags, *token_tables),
            look(AT_EMAIL, look_at_emails, flags, tables.tlds),
            look(AT_MACHINE, look_at_machines, flags),
            look(AT_ASSIGNMENT, look_at_assignments, flags),
        ]
    )
    count = keep_announced(
        rows, words.hashes, words.starts, words.ends, words.documents, tables.context, tables.says
    )
    return rows[:count]


def _collect(
    function: Callable[..., int], data: Bytes, offsets: Positions, anchors: Positions, *rest: object
) -> Rows:
    room = 64 + len(anchors) // 4
    while True:
        out = np.empty((room, 5), np.int64)
        count = function(data, offsets, anchors, *rest, out)
        if count <= room:
            return out[:count]
        room = count
