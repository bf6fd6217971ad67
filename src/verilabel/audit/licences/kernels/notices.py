"""Copyright notices among the places where a word or sign for copyright stands."""

from __future__ import annotations

import numpy as np

from verilabel.audit.interface import Bytes, Offsets, Positions
from verilabel.audit.kernels.compiling import compiled


@compiled
def find_notices(
    data: Bytes,
    fold: Bytes,
    starts: Offsets,
    ends: Offsets,
    documents: Offsets,
    offsets: Positions,
    hit_document: Offsets,
    hit_word: Offsets,
    hit_kind: Offsets,
    longest: int,
    out_document: Offsets,
    out_start: Positions,
    out_end: Positions,
) -> int:
    """Copyright notices among the places where a word or sign for copyright stands; at most one begins in a line.

    A notice is such a word or sign followed by a year, or both a word and a sign in a row, or either at the head of a
    line followed by a capital letter. It reaches to the end of the line, at most `longest` bytes.

    hit_kind: 0 the word, 1 the sign, 2 the letter c (a sign only in brackets), 3 the entity &copy;, 4 sign and year.
    """
    count = 0
    last_document = -1
    last_end = np.int64(-1)
    for i in range(len(hit_document)):
        document = hit_document[i]
        if document != last_document:
            last_document = document
            last_end = np.int64(-1)
        word = hit_word[i]
        kind = hit_kind[i]
        begin = np.int64(starts[word])
        limit = offsets[document + 1]
        if begin < last_end:
            continue
        if kind == 2 and not (
            begin > offsets[document]
            and data[begin - 1] == 40
            and ends[word] < limit
            and data[ends[word]] == 41
        ):
            continue
        if kind == 3 and not (
            begin > offsets[document]
            and data[begin - 1] == 38
            and ends[word] < limit
            and data[ends[word]] == 59
        ):
            continue
        if kind == 2 or kind == 3:
            begin -= 1
        if kind == 2 and begin > offsets[document]:
            byte = data[begin - 1]
            if 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 or byte == 95:
                continue  # a call of a function, f(c)
        signed = kind != 0
        last = documents[document + 1]
        after = word + 1
        dated = kind == 4
        for _ in range(3):  # what may stand between: (c), ©, copy, copyright, by
            if dated or after >= last:
                break
            a = np.int64(starts[after])
            size = ends[after] - a
            first = data[a]
            if a - ends[after - 1] > 8:
                break
            if size >= 4 and ((first == 49 and data[a + 1] == 57) or (first == 50 and data[a + 1] == 48)):
                dated = True
                for k in range(2, 4):
                    if data[a + k] < 48 or data[a + k] > 57:
                        dated = False
                if size > 4:
                    tail = data[a + 4]
                    if tail < 128:
                        dated = False
                break
            sign = (
                size == 1
                and (first == 99 or first == 67)
                and data[a - 1] == 40
                and a + 1 < limit
                and data[a + 1] == 41
            )
            sign = sign or (size >= 2 and first == 0xC2 and data[a + 1] == 0xA9)
            if sign:
                if size >= 6 and (data[a + 2] == 49 or data[a + 2] == 50):
                    dated = True
                if kind == 0:
                    dated = True  # word and sign in a row
                signed = True
                after += 1
                continue
            if size == 9 and signed and kind != 0 and fold[first] == 99 and fold[data[a + 1]] == 111:
                if fold[data[a + 2]] == 112 and fold[data[a + 3]] == 121:
                    dated = True  # sign and word in a row
                break
            break
        if not dated:
            before = begin - 1
            head = True
            while before >= offsets[document] and data[before] != 10:
                byte = data[before]
                if byte >= 128 or 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122:
                    head = False
                    break
                before -= 1
                if begin - before > 16:
                    head = False
                    break
            # a heading such as "Copyright Notice" is none: the holder follows on the same line, with a capital
            if not head or after >= last or not signed or (kind >= 2 and after == word + 1):
                continue  # "(c)" at the head of a line alone is the third of a list
            a = np.int64(starts[after])
            if a - ends[after - 1] > 4 or not (65 <= data[a] <= 90):
                continue
        stop = np.int64(ends[word])
        while stop < limit and data[stop] != 10 and stop - begin < longest:
            stop += 1
        while stop < limit and stop > ends[word] and data[stop] & 0xC0 == 0x80:
            stop -= 1
        while stop > ends[word] and (data[stop - 1] == 13 or data[stop - 1] == 32):
            stop -= 1
        out_document[count] = document
        out_start[count] = begin
        out_end[count] = stop
        count += 1
        last_end = stop
    return count
