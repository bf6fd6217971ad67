"""Batches of reservations and settlements as the scripts of the shared store take them, and their answers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from verilabel.gateway.limits.exceeding import exceeded
from verilabel.gateway.limits.interface import Charge, Exceeded, Limit, Reservation, Standing

PREFIX = "{verilabel}:limits:"
"""Before every key. The braces are a hash tag: all counters lie on one shard, since a request needs several at once."""
EPOCH = PREFIX + "epoch"
EXACT = 2**53
"""Whole numbers below are exact in Lua."""

_RATE, _DAY, _MONTH, _SLOTS = 1, 2, 3, 4
_LETTERS = {_RATE: "r:", _DAY: "d:", _MONTH: "m:", _SLOTS: "s:"}


class Script(NamedTuple):
    """A script of the store, and the digest by which it is called."""

    text: str
    sha: str


def read_script(name: str) -> Script:
    """A script of this folder."""
    text = (Path(__file__).parent / f"{name}.lua").read_text(encoding="utf-8")
    # the store names scripts by SHA-1; nothing is trusted because of it
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


class Call(NamedTuple):
    """One call of a script: its keys and its arguments."""

    script: Script
    keys: list[str]
    arguments: list[bytes | str | int]

    def words(self) -> list[bytes | str | int]:
        """The command behind EVALSHA."""
        return [self.script.sha, len(self.keys), *self.keys, *self.arguments]


class Settlement(NamedTuple):
    """What is to be settled of one reservation: of each charge what was used (for slots: 1)."""

    reservation: Reservation
    used: tuple[int, ...]


RESERVE = read_script("reserve")
SETTLE = read_script("settle")
RENEW = read_script("renew")


def slot_keys(charges: Iterable[Charge]) -> tuple[str, ...]:
    """The keys of the counters of slots."""
    return tuple(_key(charge) for charge in charges if _kind(charge.limit) == _SLOTS)


def reserve_call(requests: Sequence[tuple[str, Sequence[Charge]]], lease_ms: int) -> Call:
    """The call that reserves for several requests, each a token and its charges."""
    keys = [EPOCH]
    numbers: dict[str, int] = {}
    packed = [
        (token, [(*_numbered(charge, keys, numbers), lease_ms * 1000) for charge in charges])
        for token, charges in requests
    ]
    return Call(RESERVE, keys, [msgspec.msgpack.encode(packed)])


def read_reserve_reply(
    reply: bytes, requests: Sequence[tuple[str, Sequence[Charge]]]
) -> list[Reservation | Exceeded]:
    """The answers of a reserve call, in the order of its requests. Raises msgspec.ValidationError."""
    epoch, now_us, answers = msgspec.msgpack.decode(reply, type=tuple[str, int, list[tuple[int, list[int]]]])
    read: list[Reservation | Exceeded] = []
    for (token, charges), (took, figures) in zip(requests, answers, strict=True):
        standings = tuple(
            Standing(charge.limit, figures[3 * i], figures[3 * i + 1] / 1e6)
            for i, charge in enumerate(charges)
        )
        if took:
            read.append(Reservation(tuple(charges), standings, f"{epoch}:{token}", now_us / 1e6))
        else:
            read.append(exceeded(charges, figures[2::3], standings))
    return read


def settle_call(settlements: Sequence[Settlement]) -> Call:
    """The call that settles several reservations."""
    keys = [EPOCH]
    numbers: dict[str, int] = {}
    packed = []
    for reservation, used in settlements:
        epoch, _, token = reservation.token.partition(":")
        marker = 0
        if any(
            charge.limit.quantity != "concurrency" and amount != charge.amount
            for charge, amount in zip(reservation.charges, used, strict=True)
        ):
            keys.append(f"{PREFIX}settled:{token}")
            marker = len(keys)
        charges = [
            (*_numbered(charge, keys, numbers), amount, round(standing.reset_s * 1e6))
            for charge, standing, amount in zip(reservation.charges, reservation.standings, used, strict=True)
            if amount != charge.amount or charge.limit.quantity == "concurrency"
        ]
        packed.append((epoch, token, marker, round(reservation.at * 1e6), charges))
    return Call(SETTLE, keys, [msgspec.msgpack.encode(packed)])


def renew_call(slots: Sequence[tuple[str, str]], lease_ms: int) -> Call:
    """The call that renews the leases of slots, each a key and the token that holds it."""
    return Call(RENEW, [key for key, _ in slots], [lease_ms, *(token for _, token in slots)])


def _numbered(
    charge: Charge, keys: list[str], numbers: dict[str, int]
) -> tuple[int, int, int, int, int, int]:
    key = _key(charge)
    number = numbers.get(key)
    if number is None:
        keys.append(key)
        number = numbers[key] = len(keys)
    limit = charge.limit
    return (
        number,
        _kind(limit),
        min(charge.amount, EXACT),
        limit.amount,
        round(limit.window_s * 1e6),
        limit.burst,
    )


def _key(charge: Charge) -> str:
    return PREFIX + _LETTERS[_kind(charge.limit)] + charge.key


def _kind(limit: Limit) -> int:
    if limit.window_s:
        return _RATE
    if limit.calendar:
        return _DAY if limit.calendar == "day" else _MONTH
    return _SLOTS
