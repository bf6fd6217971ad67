"""Reads the limit rows of a policy, and says what one request takes from which counter.

A counter is named by its limit and by who shares it: `id;rate-tokens;key=k-17;model=#9f86d081884c...`. Values that
are long or hold anything but plain characters stand as a digest behind `#`, which no plain value begins with, so
that no text of a client can name another's counter, and names are short whatever clients send.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import get_args

import msgspec

from verilabel.errors import MalformedInput, UsageError
from verilabel.gateway.limits.interface import Charge, Limit, Quantity
from verilabel.gateway.policy.document import LimitRow, Per, Price
from verilabel.gateway.verdicts import Usage

WINDOWS_S = {"s": 1, "min": 60, "h": 3600}
CALENDARS = ("day", "month")
MAX_AMOUNT = 10**15
"""The largest amount of a limit and of a charge: exact in the floating point of the shared store's scripts."""
MAX_RATE = 10**9
"""Units a second. Faster limits could not be counted in picoseconds."""
BYTES_A_TOKEN = 4
UNSTATED_OUTPUT_TOKENS = 1024
"""Reserved for a reply whose request says no limit; settled to what it was."""
MICROUSD = 1_000_000

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.@:/")
_PLAIN_CHARS = 64
_PERS: tuple[Per, ...] = get_args(Per)
_QUANTITY_WORDS = ("requests", "tokens", "cost_usd", "budget_tokens", "concurrency")


class CompiledRow(msgspec.Struct, frozen=True, kw_only=True):
    """A limit row that is ready for use: `limit`, who shares it (`per`), and the routes it holds for.

    `prefix` is the part of every counter name that the row fixes. `route` ends in `*` for a prefix.
    """

    id: str
    limit: Limit
    per: tuple[Per, ...]
    route: str
    prefix: str

    def covers(self, route: str) -> bool:
        """True if the row holds for this route."""
        pattern = self.route
        return route.startswith(pattern[:-1]) if pattern.endswith("*") else route == pattern


def compile_limits(rows: Sequence[LimitRow], where: str, *, policy: str = "") -> tuple[CompiledRow, ...]:
    """Read the limits of a policy.

    `where` is the place of the list, such as `policy.yaml $.limits`. `policy` names whose rows they are: rows of two
    policies never share a counter, even under one id. Raises MalformedInput with the row and word.
    """
    compiled = []
    seen: set[str] = set()
    for index, row in enumerate(rows):
        place = f"{where}[{index}]"
        if not row.id or len(row.id) > _PLAIN_CHARS or not _PLAIN.issuperset(row.id):
            raise MalformedInput(
                f"a limit's id is 1 to {_PLAIN_CHARS} plain characters; this is {row.id[:40]!r}",
                where=f"{place}.id",
            )
        if row.id in seen:
            raise MalformedInput(f"two limits are called {row.id!r}", where=f"{place}.id")
        seen.add(row.id)
        compiled.append(_compile(row, place, policy))
    return tuple(compiled)


def _compile(row: LimitRow, place: str, policy: str) -> CompiledRow:
    limit = _limit(row, place)
    _check_sharing(row, place)
    kind = f"{limit.calendar or ('at-once' if limit.quantity == 'concurrency' else 'rate')}-{limit.quantity}"
    return CompiledRow(
        id=row.id,
        limit=limit,
        per=() if row.per == ("all",) else row.per,
        route=row.route,
        prefix=f"{_plain(policy)};{_plain(row.id)};{kind}",
    )


def _limit(row: LimitRow, place: str) -> Limit:
    given = [word for word in _QUANTITY_WORDS if getattr(row, word) is not None]
    if len(given) != 1:
        said = "none" if not given else " and ".join(given)
        raise MalformedInput(
            f"a limit has exactly one of {', '.join(_QUANTITY_WORDS)}; this has {said}", where=place
        )
    word = given[0]
    if row.burst is not None and word not in ("requests", "tokens"):
        raise MalformedInput(
            f"burst goes with requests and tokens, not with {word}",
            where=f"{place}.burst",
            hint="leave it out",
        )
    if word == "concurrency":
        return _concurrency(row, f"{place}.concurrency")
    if word in ("cost_usd", "budget_tokens"):
        return _budget(row, word, f"{place}.{word}")
    return _rate(row, word, place)


def _rate(row: LimitRow, word: str, place: str) -> Limit:
    quantity: Quantity = "requests" if word == "requests" else "tokens"
    number, unit = _split(getattr(row, word), tuple(WINDOWS_S), f"{place}.{word}")
    amount = _whole(number, f"{place}.{word}")
    if amount > MAX_RATE * WINDOWS_S[unit]:
        raise MalformedInput(f"a limit is at most {MAX_RATE} a second", where=f"{place}.{word}")
    burst = amount if row.burst is None else row.burst
    if not 1 <= burst <= amount:
        raise MalformedInput(
            f"burst must be from 1 to {amount}, what the window allows; it is {burst}", where=f"{place}.burst"
        )
    return Limit(id=row.id, quantity=quantity, amount=amount, window_s=float(WINDOWS_S[unit]), burst=burst)


def _budget(row: LimitRow, word: str, place: str) -> Limit:
    number, unit = _split(getattr(row, word), CALENDARS, place)
    quantity: Quantity = "cost" if word == "cost_usd" else "tokens"
    amount = _whole(number * MICROUSD if word == "cost_usd" else number, place)
    return Limit(id=row.id, quantity=quantity, amount=amount, calendar="day" if unit == "day" else "month")


def _concurrency(row: LimitRow, place: str) -> Limit:
    amount = row.concurrency or 0
    if not 1 <= amount <= MAX_RATE:
        raise MalformedInput(f"concurrency must be from 1 to {MAX_RATE}; it is {amount}", where=place)
    return Limit(id=row.id, quantity="concurrency", amount=amount)


def _split(text: str, units: tuple[str, ...], place: str) -> tuple[Decimal, str]:
    number, slash, unit = text.partition("/")
    forms = ", ".join(f"N/{unit}" for unit in units)
    # digits with at most one point between them are always a decimal
    plain = number.isascii() and number.replace(".", "", 1).isdigit() and len(number) <= 24
    if not slash or unit not in units or not plain:
        raise MalformedInput(f"{text[:40]!r} is not one of {forms}", where=place)
    return Decimal(number), unit


def _whole(number: Decimal, place: str) -> int:
    if number != int(number):
        raise MalformedInput(
            "this is finer than it can be counted", where=place, hint="whole numbers; dollars to six decimals"
        )
    if not 1 <= number <= MAX_AMOUNT:
        raise MalformedInput(
            f"a limit must be from 1 to {MAX_AMOUNT} (dollars: millionths)",
            where=place,
            hint="to let nothing through, write a rule with `action: block`",
        )
    return int(number)


def _check_sharing(row: LimitRow, place: str) -> None:
    if not row.per or any(word not in _PERS for word in row.per) or len(set(row.per)) != len(row.per):
        raise MalformedInput(f"per lists different ones of {', '.join(_PERS)}", where=f"{place}.per")
    if "all" in row.per and len(row.per) > 1:
        raise MalformedInput("`all` shares one counter and stands alone", where=f"{place}.per")
    if not row.route or "*" in row.route[:-1]:
        raise MalformedInput("a route is a name, or a prefix and `*`", where=f"{place}.route")


def charge(
    row: CompiledRow, *, key: str, user: str, model: str, route: str, amounts: Mapping[Quantity, int]
) -> Charge | None:
    """What a request takes from a row's counter; None where the row does not hold for the route.

    `key` is the holder's id, `amounts` what is reserved: `requests` (1 where absent), `tokens`, `cost` in
    microdollars; a slot of `concurrency` is always one. Raises UsageError where the row counts what is not there,
    such as the cost of a target without a price.
    """
    if not row.covers(route):
        return None
    name = row.prefix
    for word in row.per:
        if word == "key":
            name += ";key=" + _plain(key)
        elif word == "user":
            name += ";user=" + _plain(user)
        elif word == "model":
            name += ";model=" + _plain(model)
        else:
            name += ";route=" + _plain(route)
    quantity = row.limit.quantity
    if quantity == "concurrency":
        return Charge(row.limit, name, 1)
    amount = amounts.get(quantity, 1 if quantity == "requests" else None)
    if amount is None:
        raise UsageError(
            f"the limit {row.id!r} counts {quantity}, which is not known for this request",
            hint="give every target of the route a price" if quantity == "cost" else None,
        )
    return Charge(row.limit, name, min(max(amount, 0), MAX_AMOUNT))


def charges(
    rows: Iterable[CompiledRow],
    *,
    key: str,
    user: str,
    model: str,
    route: str,
    amounts: Mapping[Quantity, int],
    exempt: Collection[str] = (),
) -> list[Charge]:
    """What a request takes from all rows that hold for it. `exempt` are ids of rows that do not apply to the key.

    Raises UsageError as `charge` does.
    """
    taken = []
    for row in rows:
        if exempt and row.id in exempt:
            continue
        one = charge(row, key=key, user=user, model=model, route=route, amounts=amounts)
        if one is not None:
            taken.append(one)
    return taken


def _plain(value: str) -> str:
    return _short_plain(value) if len(value) <= _PLAIN_CHARS else _digest(value)


@lru_cache(maxsize=8192)
def _short_plain(value: str) -> str:
    return value if _PLAIN.issuperset(value) else _digest(value)


def _digest(value: str) -> str:
    return "#" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def estimate_usage(prompt_bytes: int, output_limit: int | None) -> Usage:
    """Tokens to reserve before a request is sent: a quarter of the prompt's bytes, rounded up, and the output limit.

    Four bytes a token is the usual figure for English text with common tokenizers; other languages and code can take
    more tokens and short words fewer. What was really used is settled afterwards. Without an output limit,
    UNSTATED_OUTPUT_TOKENS are reserved.
    """
    output = UNSTATED_OUTPUT_TOKENS if output_limit is None else min(max(output_limit, 0), MAX_AMOUNT)
    return Usage(-(-max(prompt_bytes, 0) // BYTES_A_TOKEN), output)


def cost_microusd(usage: Usage, price: Price) -> int:
    """Cost in whole microdollars, rounded up: tokens times the price, since dollars a million tokens are
    microdollars a token. Exact, whatever the decimals."""
    per_input, per_output, parts = _price_parts(price)
    total = max(usage.input_tokens, 0) * per_input + max(usage.output_tokens, 0) * per_output
    return -(-total // parts)


@lru_cache(maxsize=1024)
def _price_parts(price: Price) -> tuple[int, int, int]:
    input_top, input_bottom = price.input.as_integer_ratio()
    output_top, output_bottom = price.output.as_integer_ratio()
    return input_top * output_bottom, output_top * input_bottom, input_bottom * output_bottom
