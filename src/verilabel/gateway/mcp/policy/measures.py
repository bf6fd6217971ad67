"""The small grammars of a tool policy: how often (`10/min`) and how long (`5m`)."""

from __future__ import annotations

from verilabel.errors import MalformedInput

_WINDOWS_S = {"s": 1.0, "min": 60.0, "h": 3600.0}
_UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3600}
MAX_AMOUNT = 1_000_000
MAX_TTL_S = 7 * 24 * 3600


def parse_rate(text: str, *, where: str) -> tuple[int, float]:
    """`N/s`, `N/min` or `N/h` as an amount and seconds. Raises MalformedInput."""
    number, _, unit = text.partition("/")
    amount = _whole(number)
    if amount is None or unit not in _WINDOWS_S or not 1 <= amount <= MAX_AMOUNT:
        raise MalformedInput(
            f"{text[:40]!r} is no rate", where=where, hint=f"N/s, N/min or N/h with N from 1 to {MAX_AMOUNT}"
        )
    return amount, _WINDOWS_S[unit]


def parse_ttl(text: str, *, where: str) -> int:
    """`30s`, `5m` or `2h` as seconds. Raises MalformedInput."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    amount, unit = _whole(number), _UNITS_S.get(text[len(number) :])
    if amount is None or unit is None or not 1 <= amount * unit <= MAX_TTL_S:
        raise MalformedInput(
            f"{text[:40]!r} is no time", where=where, hint='"30s", "5m" or "2h", at most seven days'
        )
    return amount * unit


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
