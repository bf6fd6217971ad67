"""Limits shared through Redis or Valkey: one script reserves, one settles, and a lost store is noticed once.

Requests that arrive while a call is under way go together in the next one, so that one connection carries them all,
and a counter that many of them share is read and written once. The store's clock counts, not the workers'.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from verilabel.errors import MissingExtra, UsageError
from verilabel.gateway.limits.address import check_store_url
from verilabel.gateway.limits.batches import (
    PREFIX,
    RENEW,
    RESERVE,
    SETTLE,
    Call,
    Settlement,
    read_reserve_reply,
    renew_call,
    reserve_call,
    settle_call,
    slot_keys,
)
from verilabel.gateway.limits.interface import Charge, Exceeded, LimitsLost, Quantity, Reservation
from verilabel.gateway.limits.share import ShareLimiter

if TYPE_CHECKING:
    from redis.asyncio import Redis

TIMEOUT_S = 1.0
LEASE_S = 60.0
"""How long the slots of a worker that has died stay taken; those of one that lives are renewed."""
HELD_S = 3600.0
"""How long a request that is never settled holds its slots in a worker that lives."""
BATCH = 128
MAX_WAITING = 8192
MAX_BACKLOG = 10_000
BACKLOG_S = 300.0
"""How long settling is tried again: shorter than the store remembers what was settled."""
FIRST_PROBE_S = 0.05
LAST_PROBE_S = 2.0

_MAX_USED = 10**15
_RENEWED_AT_ONCE = 500


class _Asked(NamedTuple):
    token: str
    charges: Sequence[Charge]
    answer: asyncio.Future[Reservation | Exceeded]


class _Settled(NamedTuple):
    settlement: Settlement
    until: float
    done: asyncio.Future[None] | None


class RedisLimiter:
    """Counters of limits in one Redis or Valkey that several processes share (Limiter).

    While the store cannot be reached, every reservation raises LimitsLost at once (`lost="block"`) or is taken from
    this process's share, 1/`workers`, counted in memory (`lost="share"`); the store is probed in the background, and
    used again when it answers and can be written. `lost_count` counts the reservations that could not be asked of
    it, `unsettled_count` the reservations that could not be settled in time: they keep what they reserved.
    `is_lost` is True while the store is gone.

    One instance belongs to one event loop. A reservation whose reply does not come within `timeout_s` counts as
    lost; if the store took it all the same, its rates flow off and its slots end by themselves, and a budget keeps
    what was reserved until its period ends.
    """

    def __init__(
        self,
        url: str,
        *,
        lost: Literal["block", "share"] = "block",
        workers: int = 1,
        timeout_s: float = TIMEOUT_S,
        lease_s: float = LEASE_S,
    ) -> None:
        self._place = check_store_url(url)
        self._url = url
        self._share = ShareLimiter(workers) if lost == "share" else None
        self._timeout_s = timeout_s
        self._lease_ms = round(lease_s * 1000)
        self._client: Redis | None = None
        self._prefix = secrets.token_hex(8)
        self._begun = 0
        self._asked: list[_Asked] = []
        self._settled: deque[_Settled] = deque()
        self._backlog: deque[_Settled] = deque()
        self._held: dict[str, tuple[tuple[str, ...], float]] = {}
        self._renewal_due = False
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.is_lost = True
        self.lost_count = 0
        self.unsettled_count = 0

    def __repr__(self) -> str:
        return f"RedisLimiter({self._place!r})"

    async def open(self) -> None:
        """Connect, check that the store takes the scripts and can be written.

        Raises UsageError where it refuses, or cannot be reached and `lost` is `block`; MissingExtra.
        """
        try:
            from redis.asyncio import Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
            from redis.exceptions import AuthenticationError, AuthorizationError, ResponseError
        except ImportError as error:
            raise MissingExtra("redis", "redis") from error
        self._client = Redis.from_url(
            self._url,
            socket_timeout=self._timeout_s,
            socket_connect_timeout=self._timeout_s,
            retry=Retry(NoBackoff(), 0),
            max_connections=4,
            **_transport(self._url),
        )
        try:
            await self._check_store()
        except (AuthenticationError, AuthorizationError, ResponseError) as error:
            await self.close()
            refused = _reason(error)
            raise UsageError(
                f"the limits store refuses: {refused}",
                where=self._place,
                hint="check user, password and rights (EVALSHA, SCRIPT LOAD, and all commands on {verilabel}:*)",
            ) from None
        except Exception as error:
            if self._share is None:
                await self.close()
                raise UsageError(
                    f"the limits store cannot be reached: {_reason(error)}",
                    where=self._place,
                    hint="start it, or set `limits_lost: share` to begin without it",
                ) from None
            self._begin("probe", self._probe_store)
        else:
            self.is_lost = False
        self._begin("renew", self._renew_on_time)

    async def close(self) -> None:
        """Settle what is waiting, if the store is there, and disconnect."""
        tasks = dict(self._tasks)
        for name in ("probe", "renew"):
            if name in tasks:
                tasks[name].cancel()
        pump = tasks.get("pump")
        if pump is not None:
            await asyncio.wait({pump}, timeout=2 * self._timeout_s)
            pump.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        self._lose(probe=False)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def reserve(self, charges: Sequence[Charge]) -> Reservation | Exceeded:
        """Take from all counters at once, or from none. Raises LimitsLost."""
        if not charges:
            return Reservation(())
        if not self.is_lost and len(self._asked) < MAX_WAITING:
            try:
                return await self._ask(charges)
            except LimitsLost:
                pass
        self.lost_count += 1
        if self._share is None:
            raise LimitsLost("the limits store cannot be asked")
        return await self._share.reserve(charges)

    async def settle(self, reservation: Reservation, used: Mapping[Quantity, int]) -> None:
        """Put the counters right; a quantity that `used` does not name was used as reserved.

        It returns when the store has done it, or when that has to be tried later. A second call does nothing.
        """
        token = reservation.token
        if ":" not in token:
            if token and self._share is not None:
                await self._share.settle(reservation, used)
            return
        settlement = _settlement(reservation, used)
        has_slots = self._held.pop(token.partition(":")[2], None) is not None
        if not has_slots and all(
            amount == charge.amount and charge.limit.quantity != "concurrency"
            for charge, amount in zip(reservation.charges, settlement.used, strict=True)
        ):
            return
        until = time.monotonic() + BACKLOG_S
        if self.is_lost:
            self._keep(_Settled(settlement, until, None))
            return
        done = asyncio.get_running_loop().create_future()
        self._settled.append(_Settled(settlement, until, done))
        self._begin("pump", self._pump_calls)
        await done

    async def _ask(self, charges: Sequence[Charge]) -> Reservation | Exceeded:
        self._begun += 1
        answer: asyncio.Future[Reservation | Exceeded] = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(f"{self._prefix}-{self._begun}", charges, answer))
        self._begin("pump", self._pump_calls)
        try:
            return await answer
        except asyncio.CancelledError:
            # answered in the very moment in which the request was given up
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                self._give_back(answer.result())
            raise

    async def _pump_calls(self) -> None:
        while not self.is_lost and (self._asked or self._settled or self._renewal_due):
            asked = self._asked[:BATCH]
            del self._asked[:BATCH]
            settled = [self._settled.popleft() for _ in range(min(len(self._settled), BATCH))]
            try:
                await self._exchange(asked, settled)
            except asyncio.CancelledError:
                self._give_up(asked, settled)
                raise
            except Exception:
                # whatever it is, nobody knows what the store took: fail closed
                self._give_up(asked, settled)
                self._lose()

    async def _exchange(self, asked: list[_Asked], settled: list[_Settled]) -> None:
        calls = []
        if settled:
            calls.append(settle_call([item.settlement for item in settled]))
        if self._renewal_due:
            self._renewal_due = False
            calls += self._renewals()
        requests = [(item.token, item.charges) for item in asked]
        if requests:
            calls.append(reserve_call(requests, self._lease_ms))
        replies = await self._call(calls)
        for item in settled:
            if item.done is not None and not item.done.done():
                item.done.set_result(None)
        if requests:
            for question, answer in zip(asked, read_reserve_reply(replies[-1], requests), strict=True):
                self._answer(question, answer)

    def _answer(self, question: _Asked, answer: Reservation | Exceeded) -> None:
        if isinstance(answer, Reservation):
            slots = slot_keys(question.charges)
            if slots:
                self._held[question.token] = (slots, time.monotonic() + HELD_S)
        if question.answer.done():
            self._give_back(answer)
        else:
            question.answer.set_result(answer)

    def _give_up(self, asked: list[_Asked], settled: list[_Settled]) -> None:
        for item in settled:
            self._keep(item)
        for question in asked:
            if not question.answer.done():
                question.answer.set_exception(LimitsLost("the limits store does not answer"))

    async def _call(self, calls: list[Call]) -> list[Any]:
        from redis.exceptions import NoScriptError

        replies = await self._send(calls)
        missing = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if missing:
            await self._load_scripts()
            for i, reply in zip(missing, await self._send([calls[i] for i in missing]), strict=True):
                replies[i] = reply
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    async def _send(self, calls: list[Call]) -> list[Any]:
        assert self._client is not None
        if not calls:
            return []
        pipeline = self._client.pipeline(transaction=False)
        for call in calls:
            pipeline.execute_command("EVALSHA", *call.words())
        return list(await pipeline.execute(raise_on_error=False))

    async def _load_scripts(self) -> None:
        assert self._client is not None
        for script in (RESERVE, SETTLE, RENEW):
            await self._client.script_load(script.text)

    async def _check_store(self) -> None:
        assert self._client is not None
        await self._load_scripts()
        # a replica and a full store answer, but cannot be written
        await self._client.set(f"{PREFIX}probe", self._prefix, px=1000)

    async def _probe_store(self) -> None:
        delay = FIRST_PROBE_S
        while True:
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311  (spreads the workers' probes)
            try:
                await self._check_store()
            except Exception:
                delay = min(delay * 2, LAST_PROBE_S)
                continue
            break
        self.is_lost = False
        now = time.monotonic()
        kept = [item for item in self._backlog if item.until > now]
        self.unsettled_count += len(self._backlog) - len(kept)
        self._backlog.clear()
        self._settled.extend(kept)
        self._renewal_due = bool(self._held)
        self._begin("pump", self._pump_calls)

    async def _renew_on_time(self) -> None:
        while True:
            await asyncio.sleep(self._lease_ms / 3000)
            if self._held and not self.is_lost:
                self._renewal_due = True
                self._begin("pump", self._pump_calls)

    def _renewals(self) -> list[Call]:
        now = time.monotonic()
        for token in [token for token, (_, until) in self._held.items() if until <= now]:
            del self._held[token]
        slots = [(key, token) for token, (keys, _) in self._held.items() for key in keys]
        chunks = (slots[i : i + _RENEWED_AT_ONCE] for i in range(0, len(slots), _RENEWED_AT_ONCE))
        return [renew_call(chunk, self._lease_ms) for chunk in chunks]

    def _give_back(self, answer: Reservation | Exceeded) -> None:
        # taken for a request that is no longer there
        if not isinstance(answer, Reservation):
            return
        self._held.pop(answer.token.partition(":")[2], None)
        nothing = Settlement(answer, tuple(0 for _ in answer.charges))
        item = _Settled(nothing, time.monotonic() + BACKLOG_S, None)
        if self.is_lost:
            self._keep(item)
        else:
            self._settled.append(item)
            self._begin("pump", self._pump_calls)

    def _keep(self, item: _Settled) -> None:
        if item.done is not None and not item.done.done():
            item.done.set_result(None)
        if len(self._backlog) >= MAX_BACKLOG:
            self._backlog.popleft()
            self.unsettled_count += 1
        self._backlog.append(item)

    def _lose(self, *, probe: bool = True) -> None:
        self.is_lost = True
        self._give_up(self._asked, list(self._settled))
        self._asked.clear()
        self._settled.clear()
        if probe:
            self._begin("probe", self._probe_store)

    def _begin(self, name: str, work: Any) -> None:
        task = self._tasks.get(name)
        if task is None or task.done():
            self._tasks[name] = asyncio.get_running_loop().create_task(work(), name=f"limits-{name}")


def _settlement(reservation: Reservation, used: Mapping[Quantity, int]) -> Settlement:
    return Settlement(
        reservation,
        tuple(
            charge.amount
            if charge.limit.quantity == "concurrency"
            else min(max(used.get(charge.limit.quantity, charge.amount), 0), _MAX_USED)
            for charge in reservation.charges
        ),
    )


def _transport(url: str) -> dict[str, Any]:
    scheme = url.partition(":")[0].lower()
    if scheme == "unix":
        return {}
    if scheme == "redis":
        return {"socket_keepalive": True}
    # said in words, since older versions of the library did not look at the name in the certificate
    return {"socket_keepalive": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True}


def _reason(error: Exception) -> str:
    # never the library's own words: they can repeat what was sent
    words = {
        "AuthenticationError": "wrong user or password",
        "AuthorizationError": "the user may not do this",
        "NoPermissionError": "the user may not do this",
        "ReadOnlyError": "it is a read-only replica",
        "OutOfMemoryError": "its memory is full",
        "TimeoutError": "it does not answer in time",
        "ConnectionError": "no connection",
        "BusyLoadingError": "it is loading its data",
    }
    return words.get(type(error).__name__, type(error).__name__)
