"""Response headers that tell clients how limits stand: OpenAI's and Anthropic's names, and the IETF draft's.

Where several limits count the same quantity, the one with the least left is told in OpenAI's and Anthropic's headers;
the draft's list them all. Times are rounded up, so that who waits as long as told does not come too early.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from verilabel.gateway.limits.interface import Exceeded, Limit, Quantity, Standing

Headers = tuple[tuple[str, str], ...]

_TOLD: tuple[Quantity, ...] = ("requests", "tokens")
_MAX_INTEGER = 999_999_999_999_999
"""The largest integer of a structured field (RFC 9651, section 3.3.1)."""


def limit_headers(
    standings: Sequence[Standing], *, dialect: Literal["openai", "anthropic"], wall_s: float
) -> Headers:
    """Headers of any response to a limited request, lower case; `wall_s` is Unix time, for Anthropic's resets."""
    if not standings:
        return ()
    told = anthropic_headers(standings, wall_s) if dialect == "anthropic" else openai_headers(standings)
    return told + ietf_headers(standings)


def openai_headers(standings: Sequence[Standing]) -> Headers:
    """`x-ratelimit-limit-requests`, `-remaining-requests`, `-reset-requests` (such as `1m3s`), and for tokens."""
    headers: list[tuple[str, str]] = []
    for quantity in _TOLD:
        standing = _tightest(standings, quantity)
        if standing is not None:
            headers += (
                (f"x-ratelimit-limit-{quantity}", str(_ceiling(standing.limit))),
                (f"x-ratelimit-remaining-{quantity}", str(standing.remaining)),
                (f"x-ratelimit-reset-{quantity}", write_duration(standing.reset_s)),
            )
    return tuple(headers)


def anthropic_headers(standings: Sequence[Standing], wall_s: float) -> Headers:
    """`anthropic-ratelimit-requests-limit`, `-remaining`, `-reset` (RFC 3339, UTC, whole seconds), and for tokens."""
    headers: list[tuple[str, str]] = []
    for quantity in _TOLD:
        standing = _tightest(standings, quantity)
        if standing is not None:
            reset = datetime.fromtimestamp(math.ceil(wall_s + standing.reset_s), UTC)
            headers += (
                (f"anthropic-ratelimit-{quantity}-limit", str(_ceiling(standing.limit))),
                (f"anthropic-ratelimit-{quantity}-remaining", str(standing.remaining)),
                (f"anthropic-ratelimit-{quantity}-reset", reset.strftime("%Y-%m-%dT%H:%M:%SZ")),
            )
    return tuple(headers)


def ietf_headers(standings: Sequence[Standing]) -> Headers:
    """`ratelimit-policy` and `ratelimit` of draft-ietf-httpapi-ratelimit-headers (version 08 and later): of each
    limit the quota `q`, its window `w` and unit `qu`; what remains, `r`, and the seconds until it is whole, `t`."""
    if not standings:
        return ()
    return (
        ("ratelimit-policy", ", ".join(_policy(standing.limit) for standing in standings)),
        ("ratelimit", ", ".join(_state(standing) for standing in standings)),
    )


def retry_headers(retry_after_s: float | None) -> Headers:
    """`retry-after` in whole seconds and `retry-after-ms` in milliseconds, both rounded up; none where the wait is
    not known or asking again is in vain."""
    if retry_after_s is None:
        return ()
    return (
        ("retry-after", str(max(math.ceil(retry_after_s), 1))),
        ("retry-after-ms", str(max(_milliseconds(retry_after_s), 1))),
    )


def refusal_headers(exceeded: Exceeded, *, dialect: Literal["openai", "anthropic"], wall_s: float) -> Headers:
    """All headers of a refusal by a limit."""
    return retry_headers(exceeded.retry_after_s) + limit_headers(
        exceeded.standings, dialect=dialect, wall_s=wall_s
    )


def write_duration(seconds: float) -> str:
    """A duration as OpenAI writes it: `0s`, `17ms`, `8.64s`, `1m3s`, `24h0m0s`; to milliseconds, rounded up."""
    ms = _milliseconds(seconds)
    if 0 < ms < 1000:
        return f"{ms}ms"
    minutes, ms = divmod(ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, rest = divmod(ms, 1000)
    last = f"{whole}.{rest:03d}".rstrip("0") + "s" if rest else f"{whole}s"
    if hours:
        return f"{hours}h{minutes}m{last}"
    return f"{minutes}m{last}" if minutes else last


def _milliseconds(seconds: float) -> int:
    # microseconds first: 0.017 s is 17 ms and not the 18 that its floating point, a little above, would give
    return -(-round(seconds * 1e6) // 1000)


def _tightest(standings: Sequence[Standing], quantity: Quantity) -> Standing | None:
    tightest: Standing | None = None
    for standing in standings:
        if standing.limit.quantity == quantity and (
            tightest is None
            or (standing.remaining, -standing.reset_s) < (tightest.remaining, -tightest.reset_s)
        ):
            tightest = standing
    return tightest


def _ceiling(limit: Limit) -> int:
    # what can remain at most: a burst of a rate, all of a budget
    return limit.burst if limit.window_s else limit.amount


def _policy(limit: Limit) -> str:
    said = f'"{limit.id}";q={min(_ceiling(limit), _MAX_INTEGER)}'
    if limit.window_s:
        said += f";w={math.ceil(limit.window_s * limit.burst / limit.amount)}"
    elif limit.calendar == "day":
        said += ";w=86400"
    if limit.quantity == "concurrency":
        return said + ';qu="concurrent-requests"'
    if limit.quantity != "requests":
        said += f';qu="{"microdollars" if limit.quantity == "cost" else limit.quantity}"'
    return said


def _state(standing: Standing) -> str:
    said = f'"{standing.limit.id}";r={min(standing.remaining, _MAX_INTEGER)}'
    return said if standing.limit.quantity == "concurrency" else f"{said};t={math.ceil(standing.reset_s)}"
