"""Measures how late the event loop is: what blocks it delays every request of the worker."""

from __future__ import annotations

import asyncio
from collections import deque

from verilabel.gateway.telemetry.metrics import Metrics
from verilabel.gateway.telemetry.names import LOOP_LAG, LOOP_STALLS

EVERY_S = 0.05
STALL_S = 0.02
KEPT = 200
"""Turns of `EVERY_S` over which the worst is shown: 10 s."""


class LoopWatch:
    """Asks to be called every `EVERY_S` and notes how much later it is. Everything is on the event loop's thread."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._lags: deque[float] = deque(maxlen=KEPT)
        self._call: asyncio.TimerHandle | None = None
        metrics.refresh.append(lambda: metrics.set(LOOP_LAG, max(self._lags, default=0.0)))

    def start(self) -> None:
        """Begin to watch the running loop."""
        loop = asyncio.get_running_loop()
        self._call = loop.call_at(loop.time() + EVERY_S, self._look, loop, loop.time() + EVERY_S)

    def stop(self) -> None:
        """Watch no longer."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _look(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        now = loop.time()
        lag = now - due
        self._lags.append(lag)
        if lag >= STALL_S:
            self._metrics.add(LOOP_STALLS)
        self._call = loop.call_at(now + EVERY_S, self._look, loop, now + EVERY_S)
