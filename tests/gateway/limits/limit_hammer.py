"""A process that asks one Redis for a limit from many tasks at once, as a worker of a gateway does; prints counts.

Call it as `python limit_hammer.py URL SCENARIO TASKS TRIES`. It says `ready` when it is connected, and begins when it
reads a line.
"""

from __future__ import annotations

import asyncio
import json
import sys

from verilabel.gateway.limits.interface import Charge, Limit, Reservation
from verilabel.gateway.limits.redis import RedisLimiter

LIMITS = {
    "budget": Limit(id="budget", quantity="cost", amount=1000, calendar="month"),
    "slots": Limit(id="slots", quantity="concurrency", amount=17),
    "rate": Limit(id="rate", quantity="requests", amount=1000, window_s=1.0, burst=500),
}


async def hammer(url: str, scenario: str, tasks: int, tries: int) -> dict[str, float]:
    """Reserve from `tasks` tasks, `tries` times each, and settle nothing: what was let in, and when by the store."""
    limiter = RedisLimiter(url, timeout_s=20)  # a busy machine is not a lost store
    await limiter.open()
    print("ready", flush=True)
    sys.stdin.readline()
    charge = Charge(LIMITS[scenario], f"{scenario};all", 1)
    moments = []

    async def ask() -> None:
        for _ in range(tries):
            answer = await limiter.reserve([charge])
            if isinstance(answer, Reservation):
                moments.append(answer.at)

    await asyncio.gather(*(ask() for _ in range(tasks)))
    lost = limiter.lost_count
    # slots stay held until the other process is done: not settled, and the store's lease outlives the test
    await limiter.close()
    return {
        "taken": len(moments),
        "first": min(moments, default=0),
        "last": max(moments, default=0),
        "lost": lost,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(hammer(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))))
