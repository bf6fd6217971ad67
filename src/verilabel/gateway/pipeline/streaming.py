"""A reply that comes as a stream: translated, rewritten event by event, judged in windows, ended as it should be."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator

from verilabel.detectors.spans.interface import SpanFilter
from verilabel.gateway.pipeline.answering import begin_stream, end_stream
from verilabel.gateway.pipeline.aside import run_aside
from verilabel.gateway.pipeline.asking import Answer
from verilabel.gateway.pipeline.exchange import Exchange, Send
from verilabel.gateway.pipeline.gating import Gate
from verilabel.gateway.pipeline.guarding import blocked, conversation, output_mask
from verilabel.gateway.pipeline.holding import hold_reply, pending, wait_for_decision, wait_mode
from verilabel.gateway.pipeline.inspection import Inspection, Text
from verilabel.gateway.pipeline.receiving import refuse
from verilabel.gateway.pipeline.scoping import observe
from verilabel.gateway.pipeline.stream_filters import FixedText, StreamFilters
from verilabel.gateway.upstream.interface import UpstreamFailure, UpstreamReply
from verilabel.gateway.verdicts import Action, Field, Refused
from verilabel.gateway.wire.interface import MalformedStream, Passage

PIECE_BYTES = 4096
LARGE_PIECE_BYTES = 16_384
SHORT_EVENT_BYTES = 256
"""Of events as short as these most is not text, and a larger piece takes no longer to look at."""
TURN_S = 0.002
LARGEST_STREAM = 8
"""How many times `max_response_bytes` a stream may be: an event may be a hundred times as long as its text."""
CHECK_EVERY_BYTES = 1 << 20
MAX_SHADOW_CHARS = 200_000
"""Characters of a stream that are kept for guards in shadow mode."""


async def send_stream(exchange: Exchange, answer: Answer, send: Send) -> None:
    """Guard a stream and send it on. Raises Refused (after the head was sent, too) and AuditUnwritable."""
    assert answer.reply is not None
    relay = _Relay(exchange, answer, send)
    try:
        await relay.run(answer.reply)
    except UpstreamFailure as failure:
        exchange.outcome = "failed"
        status = 504 if failure.kind == "timeout" else 502
        raise refuse(status, "upstream", f"upstream_{failure.kind}", failure.detail) from None
    except MalformedStream as error:
        exchange.outcome = "failed"
        raise refuse(502, "upstream", "upstream_malformed", error.message) from None
    finally:
        answer.reply.close()
        relay.conclude()


class _Relay:
    """Moves one stream from upstream to client."""

    def __init__(self, exchange: Exchange, answer: Answer, send: Send) -> None:
        self._exchange = exchange
        self._send = send
        chain = exchange.plan.output
        self._inspection = exchange.output = Inspection(chain, output_mask(exchange))
        self._restore = None if exchange.vault is None else exchange.vault.restoring
        gated = bool(self._inspection.passage_entries(shadow=False)) or chain.may_hold
        keeps_passages = gated or chain.has_slow_shadow
        self._filters = StreamFilters(self._inspection, self._restore, keeps_guarded=keeps_passages)
        self._rewriter = exchange.dialect.rewriter(self._filters.open, keeps_passages=keeps_passages)
        self._shadow_texts: dict[tuple[Field, int], list[str]] = defaultdict(list)
        self._shadow_chars = 0
        self._translator = (
            None
            if answer.translation is None
            else answer.translation.stream(
                model=str(exchange.body["model"]), include_usage=_asks_for_usage(exchange)
            )
        )
        self._gate = Gate(self._inspection, conversation(exchange)) if gated else None
        self._digest = hashlib.sha256()
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._concluded = False
        self._observed = False

    async def run(self, reply: UpstreamReply) -> None:
        """The whole stream."""
        gate, rewriter, translator = self._gate, self._rewriter, self._translator
        if gate is None or not gate.is_whole:
            await begin_stream(self._exchange, self._send)
        async for part in _in_pieces(self._bounded(reply)):
            events = part if translator is None else translator.feed(part)
            out = await self._feed_aside(events) if rewriter.is_heavy else rewriter.feed(events)
            if not self._observed and rewriter.events:
                self._observe()
            if gate is not None:
                out = await self._gate_part(gate, events, out)
            elif self._inspection.chain.has_slow_shadow:
                self._keep_for_shadow(rewriter.take_passages())
            if out:
                self._digest.update(out)
                await self._send({"type": "http.response.body", "body": out, "more_body": True})
            if rewriter.stopped or (gate is not None and gate.stopped):
                self._stop()
        last = b"" if translator is None else translator.finish()
        if self._kept:
            self._kept.append(last)
        rest = await run_aside(self._finish, last) if rewriter.is_heavy else self._finish(last)
        if not rewriter.is_complete:
            raise UpstreamFailure("connection", "the upstream's stream broke off", may_retry=False)
        await self._end(rest)

    async def _bounded(self, reply: UpstreamReply) -> AsyncIterator[bytes]:
        """What socket reads bring. Raises UpstreamFailure for a stream without end."""
        left = LARGEST_STREAM * self._exchange.snapshot.config.max_response_bytes
        since_check = 0
        async for part in reply.parts():
            left -= len(part)
            if left < 0:
                raise UpstreamFailure(
                    "too_large", "the upstream's stream is larger than the limit", may_retry=False
                )
            since_check += len(part)
            if since_check > CHECK_EVERY_BYTES:
                since_check = 0
                self._filters.require_bounds()
            yield part

    async def _feed_aside(self, events: bytes) -> bytes:
        return await run_aside(self._rewriter.feed, events)

    def _finish(self, last: bytes) -> bytes:
        return self._rewriter.feed(last) + self._rewriter.finish()

    async def _gate_part(self, gate: Gate, events: bytes, out: bytes) -> bytes:
        limit = self._exchange.snapshot.config.max_response_bytes
        if gate.is_whole and self._inspection.chain.may_change:
            self._kept.append(events)
            self._kept_bytes += len(events)
        passages = self._rewriter.take_passages()
        if self._inspection.chain.has_slow_shadow:
            self._keep_for_shadow(passages)
        out = await gate.take(out, passages)
        if gate.waiting_bytes + self._kept_bytes > limit:
            raise UpstreamFailure(
                "too_large", "the stream is larger than what guards can be shown", may_retry=False
            )
        return out

    def _keep_for_shadow(self, passages: list[Passage]) -> None:
        for passage in passages:
            if self._shadow_chars < MAX_SHADOW_CHARS:
                self._shadow_texts[(passage.field, passage.choice)].append(passage.text)
                self._shadow_chars += len(passage.text)

    async def _end(self, rest: bytes) -> None:
        """The upstream's stream ended well: what is left goes out, or what people are asked about is held."""
        exchange, gate = self._exchange, self._gate
        if gate is not None:
            rest = await gate.finish(rest, self._rewriter.take_passages())
            if gate.stopped:
                self._stop()
        self.conclude()
        if self._rewriter.stopped or self._inspection.worst == Action.BLOCK:
            self._stop()
        if gate is not None and gate.changed:
            rest = self._rewrite(gate)
        if self._inspection.worst == Action.HOLD and gate is not None and gate.is_whole:
            await self._hold(rest)
        exchange.outcome = "answered"
        await begin_stream(exchange, self._send)
        self._digest.update(rest)
        exchange.reply_digest = self._digest.hexdigest()
        await end_stream(exchange, self._send, rest)

    def _rewrite(self, gate: Gate) -> bytes:
        """The whole stream once more, with the texts that guards changed in place of those that stood there."""
        numbers: dict[tuple[Field, int], int] = defaultdict(int)
        first = StreamFilters(self._inspection, self._restore)
        vault = self._exchange.vault

        def open_filter(field: Field, choice: int, *, is_plain: bool = False) -> SpanFilter | None:
            number = numbers[(field, choice)]
            numbers[(field, choice)] += 1
            text = gate.changed.get((field, choice, number))
            if text is None:
                return first.open(field, choice, is_plain=is_plain)
            if vault is not None:
                text = vault.restore(text, json_source=field == "tool_arguments" and not is_plain)
            return FixedText(text)

        rewriter = self._exchange.dialect.rewriter(open_filter, keeps_passages=False)
        return b"".join([*(rewriter.feed(part) for part in self._kept), rewriter.finish()])

    async def _hold(self, rest: bytes) -> None:
        exchange = self._exchange
        exchange.outcome = "held"
        texts = self._gate.texts() if self._gate is not None else []
        approval = await hold_reply(exchange, self._inspection, rest, texts)
        if wait_mode(exchange) != "hold":
            raise pending(exchange, approval)
        await begin_stream(exchange, self._send)
        await wait_for_decision(exchange, approval, lambda: keep_alive(exchange, self._send))

    def _stop(self) -> None:
        """A guard ends the stream."""
        self.conclude()
        self._exchange.outcome = "cut" if self._exchange.response_started else "refused"
        raise blocked(self._exchange, self._inspection)

    def _observe(self) -> None:
        self._observed = True
        exchange, rewriter = self._exchange, self._rewriter
        exchange.served_model, exchange.fingerprint = rewriter.served_model, rewriter.fingerprint
        try:
            observe(exchange)
        except Refused:
            self.conclude()
            raise

    def conclude(self) -> None:
        """Gather what the stream said and what was found in it; once, however it ended."""
        if self._concluded:
            return
        self._concluded = True
        exchange, rewriter = self._exchange, self._rewriter
        exchange.usage = rewriter.usage
        exchange.served_model, exchange.fingerprint = rewriter.served_model, rewriter.fingerprint
        if exchange.reply_digest is None:
            exchange.reply_digest = self._digest.hexdigest()
        exchange.reply_texts = [
            Text("".join(parts), field, choice) for (field, choice), parts in self._shadow_texts.items()
        ]
        self._filters.conclude()


async def _in_pieces(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What socket reads bring, large ones in pieces with turns for other requests."""
    async for part in parts:
        if len(part) <= PIECE_BYTES:
            yield part
            continue
        began = time.perf_counter()
        is_short = part.count(b"\n\n") * SHORT_EVENT_BYTES > len(part)
        size = LARGE_PIECE_BYTES if is_short else PIECE_BYTES
        for i in range(0, len(part), size):
            yield part[i : i + size]
            if time.perf_counter() - began > TURN_S:
                await asyncio.sleep(0)
                began = time.perf_counter()


async def keep_alive(exchange: Exchange, send: Send) -> None:
    """Show the client that its connection is still held."""
    await send({"type": "http.response.body", "body": exchange.dialect.keep_alive(), "more_body": True})


def _asks_for_usage(exchange: Exchange) -> bool:
    options = exchange.body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True
