"""Short texts beside documents as arrays: told apart, grouped and cut without a Python object for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Bytes, Offsets, Positions
from verilabel.audit.kernels.compiling import compiled
from verilabel.audit.kernels.tokens import mix

_FNV_START = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)
_MAX_PROBES = 16
_MAX_AUTHORITY = 600
_HTTP = np.frombuffer(b"http", np.uint8).copy()
_IN_HOSTS = np.array(
    [chr(byte).isalnum() or chr(byte) in "._-" if byte < 128 else 0 for byte in range(256)], np.uint8
)


class Strings(Sequence[str | None]):
    """A sequence of texts or nothing, as bytes behind one another; equal to every sequence of the same values.

    Value i is `data[starts[i]:ends[i]]` where `present[i]` is not 0. Bytes that are not UTF-8 are read as U+FFFD.
    """

    __slots__ = ("data", "ends", "present", "starts")

    def __init__(
        self, data: Bytes, starts: Positions, ends: Positions, present: npt.NDArray[np.bool_]
    ) -> None:
        self.data = data
        self.starts = starts
        self.ends = ends
        self.present = present

    @classmethod
    def of(cls, values: Sequence[str | None]) -> Strings:
        """The values of any sequence."""
        if isinstance(values, Strings):
            return values
        raw = [b"" if value is None else value.encode("utf-8", "replace") for value in values]
        bounds = np.zeros(len(raw) + 1, np.int64)
        np.cumsum([len(value) for value in raw], out=bounds[1:])
        data = np.frombuffer(bytearray(b"".join(raw)), np.uint8)
        present = np.fromiter((value is not None for value in values), np.bool_, len(raw))
        return cls(data, bounds[:-1].copy(), bounds[1:].copy(), present)

    @classmethod
    def joined(cls, parts: Iterable[Sequence[str | None]]) -> Strings:
        """The values of several sequences, one behind the other."""
        pieces = [cls.of(part) for part in parts]
        bases = np.cumsum([0, *(len(piece.data) for piece in pieces)]).tolist()
        return cls(
            np.concatenate([piece.data for piece in pieces]),
            np.concatenate([piece.starts + base for piece, base in zip(pieces, bases, strict=False)]),
            np.concatenate([piece.ends + base for piece, base in zip(pieces, bases, strict=False)]),
            np.concatenate([piece.present for piece in pieces]),
        )

    def select(self, wanted: npt.NDArray[np.bool_]) -> Strings:
        """The wanted values."""
        return Strings(self.data, self.starts[wanted], self.ends[wanted], self.present[wanted])

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, place: int) -> str | None: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str | None]: ...
    def __getitem__(self, place: int | slice) -> str | Sequence[str | None] | None:
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        if not self.present[place]:
            return None
        return self.data[self.starts[place] : self.ends[place]].tobytes().decode("utf-8", "replace")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(
            ours == theirs for ours, theirs in zip(self, other, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]


class Groups(NamedTuple):
    """Values that are grouped; equal values may be in two groups, different ones never in one."""

    of: Offsets
    """The group of each value; -1 for empty ones and for nothing."""
    first: Offsets
    """Of each group, the place of its first value."""


@compiled
def _group(
    data: Bytes,
    starts: Positions,
    ends: Positions,
    wanted: Bytes,
    slots: Offsets,
    of: Offsets,
    first: Offsets,
) -> int:
    groups = 0
    mask = len(slots) - 1
    for i in range(len(starts)):
        start = starts[i]
        size = ends[i] - start
        if size == 0 or wanted[i] == 0:
            of[i] = -1
            continue
        hashed = _FNV_START
        for at in range(start, start + size):
            hashed = (hashed ^ np.uint64(data[at])) * _FNV_PRIME
        slot = np.int64(mix(hashed) >> np.uint64(32)) & mask
        group = -1
        for _ in range(_MAX_PROBES):
            known = slots[slot]
            if known < 0:
                break
            other = starts[first[known]]
            if ends[first[known]] - other == size:
                same = True
                for k in range(size):
                    if data[start + k] != data[other + k]:
                        same = False
                        break
                if same:
                    group = known
                    break
            slot = (slot + 1) & mask
        if group < 0:
            group = groups
            first[group] = i
            groups += 1
            if slots[slot] < 0:
                slots[slot] = group
        of[i] = group
    return groups


def group_values(strings: Strings, wanted: npt.NDArray[np.bool_] | None = None) -> Groups:
    """Group equal values, those that are not wanted left out. Linear: what collides on purpose is not grouped."""
    count = len(strings)
    keep = strings.present if wanted is None else strings.present & wanted
    slots = np.full(1 << max(4, (2 * count).bit_length()), -1, np.int32)
    of = np.empty(count, np.int32)
    first = np.empty(count, np.int32)
    groups = _group(strings.data, strings.starts, strings.ends, keep.view(np.uint8), slots, of, first)
    return Groups(of, first[:groups])


@compiled
def _cut_paths(
    data: Bytes, starts: Positions, ends: Positions, http: Bytes, in_hosts: Bytes, cut: Positions
) -> None:
    for i in range(len(starts)):
        start = starts[i]
        end = ends[i]
        cut[i] = end
        at = start
        for k in range(4):
            if at < end and data[at] == http[k]:
                at += 1
        if at - start < 4:
            continue
        if at < end and data[at] == 115:
            at += 1
        if at + 3 > end or data[at] != 58 or data[at + 1] != 47 or data[at + 2] != 47:
            continue
        at += 3
        last = min(end, at + _MAX_AUTHORITY)
        while at < last and in_hosts[data[at]]:
            at += 1
        if at < end and (data[at] == 47 or data[at] == 63 or data[at] == 35):
            cut[i] = at


def cut_paths(addresses: Strings) -> Strings:
    """Addresses of the plain form `https://host/...` up to the host's end; all others whole."""
    cut = np.empty(len(addresses), np.int64)
    _cut_paths(addresses.data, addresses.starts, addresses.ends, _HTTP, _IN_HOSTS, cut)
    return Strings(addresses.data, addresses.starts, cut, addresses.present)


@compiled
def _read_years(data: Bytes, starts: Positions, ends: Positions, years: Offsets) -> None:
    for i in range(len(starts)):
        start = starts[i]
        size = ends[i] - start
        years[i] = -1
        if size < 4:
            continue
        year = np.int64(0)
        for k in range(4):
            digit = np.int64(data[start + k]) - 48
            if digit < 0 or digit > 9:
                year = np.int64(-100_000)
            year = year * 10 + digit
        if year < 1000 or year > 2099 or (size > 4 and 48 <= data[start + 4] <= 57):
            continue
        years[i] = year


def read_leading_years(dates: Strings) -> Offsets:
    """The year from 1000 to 2099 with which a date begins, or -1 for dates that begin otherwise."""
    years = np.empty(len(dates), np.int32)
    _read_years(dates.data, dates.starts, dates.ends, years)
    return years
