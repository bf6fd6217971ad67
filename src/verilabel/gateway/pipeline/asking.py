"""Asking upstreams: the targets in order, each with its retries, until one answers."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import msgspec

from verilabel.errors import UsageError, VerilabelError
from verilabel.gateway.pipeline.aside import LARGE_BYTES, run_aside
from verilabel.gateway.pipeline.counting import count_try
from verilabel.gateway.pipeline.decoding import count_values, encode
from verilabel.gateway.pipeline.exchange import Exchange
from verilabel.gateway.pipeline.receiving import refuse
from verilabel.gateway.pipeline.snapshot import RouteTarget
from verilabel.gateway.pipeline.using import LIMIT_SPELLINGS
from verilabel.gateway.translation.catalogue import can_serve, find_translation
from verilabel.gateway.translation.interface import Translation, Untranslatable
from verilabel.gateway.upstream.interface import UpstreamFailure, UpstreamReply
from verilabel.gateway.verdicts import Refusal, Refused
from verilabel.gateway.wire.texts import TextWalk

MAX_REPLY_VALUES = 1_000_000
"""Values in a reply's JSON; numbers of embeddings are not counted."""
_decode = msgspec.json.Decoder().decode
_FIRST_BACKOFF_S = 0.1
_PASSED_ON = frozenset({400, 404, 409, 413, 415, 422})
_SENTENCE = 400


class Answer:
    """What a target answered: a stream still to be read, or a whole document; and the translation it needs."""

    __slots__ = ("document", "reply", "size", "target", "translation")

    def __init__(
        self,
        target: RouteTarget,
        translation: Translation | None,
        reply: UpstreamReply | None,
        document: dict[str, Any],
        size: int = 0,
    ) -> None:
        self.target = target
        self.translation = translation
        self.reply = reply
        self.document = document
        self.size = size


async def ask(exchange: Exchange) -> Answer:
    """The first answer of the request's targets. Raises Refused where none answers."""
    failure: UpstreamFailure | None = None
    translation: Translation | None = None
    for target in _servable(exchange):
        handle = target.upstream
        model = _model_of(exchange, target)
        if not handle.may_ask(model, time.monotonic()):
            exchange.tries.append(f"{handle.id}: resting")
            continue
        exchange.target = target
        translation = find_translation(exchange.dialect.name, handle.written.dialect)
        try:
            path, data = _request_for(exchange, target, translation)
        except BaseException:
            handle.note_abandoned(model)
            raise
        for attempt in range(handle.written.retries + 1):
            try:
                return await _ask_once(exchange, target, translation, path, data)
            except UpstreamFailure as failed:
                failure = failed
                _note_failure(exchange, target, failed)
            if not failure.may_retry or failure.status in (429, 529):
                break
            if attempt < handle.written.retries:
                await asyncio.sleep(_FIRST_BACKOFF_S * 2**attempt * (0.5 + random.random()))  # noqa: S311
        if failure is not None and failure.status in _PASSED_ON:
            break  # the request is at fault, and another target would say the same
    if failure is None:
        raise refuse(
            503,
            "overloaded",
            "upstream_resting",
            "no upstream of this model answers at present",
            retry_after_s=5.0,
        )
    raise Refused(_refusal_of(exchange, failure, translation))


def _servable(exchange: Exchange) -> list[RouteTarget]:
    """The targets whose API this client's can be served from. Raises Refused (400) where there is none."""
    name = exchange.dialect.name
    targets = [each for each in exchange.targets if can_serve(name, each.upstream.written.dialect)]
    if not targets:
        message = f"no upstream of this model speaks the {name} API, and it cannot be translated"
        raise refuse(400, "invalid_request", "not_translatable", message, where="$.model")
    return targets


async def _ask_once(
    exchange: Exchange, target: RouteTarget, translation: Translation | None, path: str, data: bytes
) -> Answer:
    handle, model = target.upstream, _model_of(exchange, target)
    begun = time.perf_counter_ns()
    try:
        trace = None if exchange.span is None else exchange.span.traceparent
        reply = await target.upstream.client.ask(path, data, trace=trace)
        if exchange.wants_stream and reply.is_stream:
            handle.note_success(model)
            count_try(exchange, target.upstream.id, "answered")
            exchange.first_byte_ns = time.perf_counter_ns()
            exchange.upstream_ns += exchange.first_byte_ns - begun
            return Answer(target, translation, reply, {})
        try:
            whole = await reply.read()
        finally:
            reply.close()
        is_large = len(whole) > LARGE_BYTES
        document = await run_aside(_read, exchange, whole) if is_large else _read(exchange, whole)
    except UpstreamFailure:
        raise
    except BaseException:
        handle.note_abandoned(model)
        raise
    exchange.first_byte_ns = time.perf_counter_ns()
    exchange.upstream_ns += exchange.first_byte_ns - begun
    handle.note_success(model)
    count_try(exchange, target.upstream.id, "answered")
    return Answer(target, translation, None, document, len(whole))


def _model_of(exchange: Exchange, target: RouteTarget) -> str:
    return target.model if target.model is not None else str(exchange.body["model"])


def _read(exchange: Exchange, data: bytes) -> dict[str, Any]:
    """A whole answer, decoded: another target may do better where it is none. Raises UpstreamFailure."""
    if exchange.wants_stream:
        raise _malformed("the upstream was asked for a stream and answered otherwise")
    counts = len(data) > MAX_REPLY_VALUES and exchange.dialect.name != "embeddings"
    if counts and count_values(data, MAX_REPLY_VALUES) > MAX_REPLY_VALUES:
        raise _malformed(f"the upstream's answer holds more than {MAX_REPLY_VALUES} values")
    try:
        document = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _malformed("the upstream's answer is not JSON") from None
    if not isinstance(document, dict):
        raise _malformed("the upstream's answer is not a JSON object")
    return document


def _malformed(detail: str) -> UpstreamFailure:
    return UpstreamFailure("malformed", detail, may_retry=False)


def _request_for(
    exchange: Exchange, target: RouteTarget, translation: Translation | None
) -> tuple[str, bytes]:
    """Path and body for one target. Raises Refused (400) for what its API has no word for."""
    body = exchange.body
    model = target.model if target.model is not None else body["model"]
    if target.params or target.system_prompt or model != body["model"]:
        if any(name in target.params for name in LIMIT_SPELLINGS):
            # servers differ about which spelling of the limit counts: the client's must not stand beside the target's
            body = {name: value for name, value in body.items() if name not in LIMIT_SPELLINGS}
        body = {**body, **_nested(target.params), "model": model}
        if target.system_prompt:
            body = msgspec.json.decode(encode(body))  # its own copy, to be written into
            try:
                exchange.dialect.set_system_prompt(body, target.system_prompt)
            except UsageError as error:  # the target's prompt is never left out
                raise refuse(
                    400, "invalid_request", "not_translatable", error.message, where=error.where
                ) from None
    if translation is None:
        return exchange.dialect.provider_path, encode(body)
    try:
        path = translation.path(model, stream=exchange.wants_stream)
        translated = translation.request(body, model=model)
    except Untranslatable as error:
        raise refuse(400, "invalid_request", "not_translatable", error.message, where=error.where) from None
    return path, encode(translated)


def _nested(params: Any) -> dict[str, Any]:
    """Parameters as a body has them: a dotted key nests, a decimal is a number."""
    nested: dict[str, Any] = {}
    for name, value in params.items():
        *outer, last = name.split(".")
        place = nested
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = _number(value)
    return nested


def _number(value: str | int | bool) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value, type=int | float)
    except msgspec.DecodeError:
        return value


def _note_failure(exchange: Exchange, target: RouteTarget, failure: UpstreamFailure) -> None:
    exchange.tries.append(f"{target.upstream.id}: {failure.detail}")
    count_try(exchange, target.upstream.id, failure.kind)
    handle, model, status = target.upstream, _model_of(exchange, target), failure.status
    if failure.kind == "connection" or status in (401, 403):
        handle.note_failure(model, time.monotonic(), is_whole=True)
    elif status is None or status >= 500:
        handle.note_failure(model, time.monotonic(), is_whole=False)
    else:
        handle.note_success(model)


def _refusal_of(exchange: Exchange, failure: UpstreamFailure, translation: Translation | None) -> Refusal:
    """An upstream's failure in the words of the client's API."""
    status = failure.status
    if failure.kind == "timeout":
        return Refusal(status=504, kind="upstream", code="upstream_timeout", message=failure.detail)
    if status is None:
        return Refusal(status=502, kind="upstream", code=f"upstream_{failure.kind}", message=failure.detail)
    if status in (429, 529):
        return Refusal(
            status=429,
            kind="rate_limit",
            code="upstream_rate_limit",
            message="the upstream is asked too much at present",
            retry_after_s=failure.retry_after_s,
        )
    if status in (401, 403):
        return Refusal(
            status=502,
            kind="upstream",
            code="upstream_refuses_gateway",
            message="the upstream does not accept the gateway's key",
        )
    if status in _PASSED_ON:
        return Refusal(
            status=status,
            kind="not_found" if status == 404 else "invalid_request",
            code="upstream_refused",
            message=_sentence(exchange, failure, translation),
        )
    return Refusal(status=502, kind="upstream", code="upstream_error", message=failure.detail)


def _sentence(exchange: Exchange, failure: UpstreamFailure, translation: Translation | None) -> str:
    """What the upstream said is wrong, through the guards: an error may repeat the request.

    The guards look before anything is cut: what is left of a text that was cut in two could be no match any more.
    """
    from verilabel.gateway.pipeline.inspection import Inspection
    from verilabel.gateway.verdicts import Action

    assert failure.status is not None
    inspection = Inspection(exchange.plan.output)
    try:
        document = msgspec.json.decode(failure.body)
        walk = TextWalk()
        walk.see_anything(document, "content", ())
        for slot in walk.slots:
            slot.container[slot.key] = inspection.redact(slot.text, "content")
        if translation is not None:
            said = translation.failure(failure.status, encode(document))[1]
        else:
            said = inspection.redact(str(document["error"]["message"]), "content")
    except (msgspec.DecodeError, KeyError, TypeError, RecursionError, VerilabelError, UnicodeDecodeError):
        return failure.detail
    if inspection.worst >= Action.HOLD or exchange.plan.output.passages:
        return failure.detail
    return said[:_SENTENCE]
