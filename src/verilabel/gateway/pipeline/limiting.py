"""Limits on a request: what it may take, reserved before anything is asked."""

from __future__ import annotations

import time
from typing import Literal

from verilabel.errors import UsageError
from verilabel.gateway.limits.amounts import charges, cost_microusd, estimate_usage
from verilabel.gateway.limits.headers import limit_headers, refusal_headers
from verilabel.gateway.limits.interface import Exceeded, LimitsLost, Quantity
from verilabel.gateway.pipeline.counting import count_limited, count_limits_lost
from verilabel.gateway.pipeline.exchange import Exchange
from verilabel.gateway.pipeline.receiving import refuse


async def reserve(exchange: Exchange, size: int) -> None:
    """Reserve what the request may use. Raises Refused (429, 503)."""
    plan, holder, route = exchange.plan, exchange.holder, exchange.route
    assert route is not None
    if not plan.limits:
        return
    usage = estimate_usage(size, exchange.dialect.output_limit(exchange.body))
    price = next((target.price for target in exchange.targets if target.price is not None), None)
    amounts: dict[Quantity, int] = {"requests": 1, "tokens": usage.total}
    if price is not None:
        amounts["cost"] = cost_microusd(usage, price)
    try:
        taken = charges(
            plan.limits,
            key=holder.id,
            user=holder.user or holder.id,
            # a route's names may be any number; what they lead to is one model
            model=exchange.targets[0].model or str(exchange.body["model"]),
            route=route.name,
            amounts=amounts,
            exempt=holder.limits,
        )
        if not taken:
            return
        result = await exchange.services.limiter.reserve(taken)
    except UsageError as error:
        raise refuse(500, "internal", "limit_not_countable", error.message) from None
    except LimitsLost:
        count_limits_lost(exchange)
        raise refuse(
            503, "overloaded", "limits_lost", "the limits cannot be asked at present", retry_after_s=1.0
        ) from None
    if isinstance(result, Exceeded):
        count_limited(exchange, result.charge.limit.id)
        raise refuse(
            429,
            "rate_limit",
            "limit_exceeded",
            f"the limit {result.charge.limit.id} is reached",
            retry_after_s=result.retry_after_s,
            headers=refusal_headers(result, dialect=_family(exchange), wall_s=time.time()),
        )
    exchange.reservation = result


def _family(exchange: Exchange) -> Literal["openai", "anthropic"]:
    return "anthropic" if exchange.dialect.name == "messages" else "openai"


def headers(exchange: Exchange) -> list[tuple[bytes, bytes]]:
    """The usual headers on how the limits stand."""
    reservation = exchange.reservation
    if reservation is None or not reservation.standings:
        return []
    return [
        (name.encode(), value.encode())
        for name, value in limit_headers(reservation.standings, dialect=_family(exchange), wall_s=time.time())
    ]
