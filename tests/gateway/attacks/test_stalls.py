"""Bodies and streams of very many small values: each is bounded, and costs what it holds and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.rough_upstream import Answer, chunk, rough_upstream, streamed, whole
from verilabel.detectors.spans.rule import Rule
from verilabel.detectors.spans.ruleset import RuleSet
from verilabel.errors import LimitExceeded
from verilabel.gateway.guards.interface import Conversation, SpanGuard
from verilabel.gateway.pipeline.chain import Chain, OpenGuard
from verilabel.gateway.pipeline.decoding import MAX_VALUES, count_values, decode_body
from verilabel.gateway.pipeline.gating import Gate
from verilabel.gateway.pipeline.inspection import Inspection
from verilabel.gateway.pipeline.stream_filters import SWEEP_AT, StreamFilters
from verilabel.gateway.policy.document import GuardEntry
from verilabel.gateway.verdicts import FIELDS, Refused
from verilabel.gateway.wire.catalogue import DIALECTS
from verilabel.gateway.wire.interface import MalformedStream, Passage
from verilabel.gateway.wire.texts import EVENT_TEXT_LIMIT, TEXT_LIMIT

CHAT = DIALECTS["/v1/chat/completions"]
DONE = b"data: [DONE]\n\n"
MAIL = RuleSet([Rule(id="mail", label="MAIL", pattern=r"[a-z]{1,20}@[a-z]{1,20}\.org")])


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"


def _refusal(data: bytes) -> str:
    with pytest.raises(Refused) as caught:
        decode_body(data)
    return caught.value.refusal.code


MANY = MAX_VALUES + 1


@pytest.mark.parametrize(
    "inside",
    [
        b"[" + b",".join([b'"a"'] * MANY) + b"]",
        b"[" + b",".join([b"{}"] * MANY) + b"]",
        b"[" + b",".join([b"[[[[]]]]"] * (MANY // 4)) + b"]",
        b"{" + b",".join(b'"%x":1' % i for i in range(MANY)) + b"}",
        b"[" + b",".join([b'"\\\\"'] * MANY) + b"]",
        b"[" + b",".join([b'"\\""'] * MANY) + b"]",
    ],
    ids=["texts", "objects", "lists in lists", "members", "backslashes", "quotes"],
)
def test_a_request_of_too_many_values_is_refused_before_it_is_decoded(inside: bytes) -> None:
    assert "too_many_values" == _refusal(b'{"model":"m","x":' + inside + b"}")


@pytest.mark.parametrize(
    "text", ["[,{" * 100_000, '\\",[' * 100_000, '"' * 300_000], ids=["marks", "escapes", "quotes"]
)
def test_what_stands_inside_a_text_is_not_counted(text: str) -> None:
    data = json.dumps({"model": "m", "x": text}).encode()
    assert {"model": "m", "x": text} == decode_body(data)
    assert count_values(data, 10) <= 10


def test_many_short_texts_are_counted_as_many_as_they_are() -> None:
    assert 999 <= count_values(json.dumps(["a,[{", '\\"'] * 500).encode(), 600) <= 1001


def test_a_walk_ends_at_so_many_texts() -> None:
    body = {"messages": [{"role": "user", "content": "a", "x": ["b"] * TEXT_LIMIT}]}
    with pytest.raises(LimitExceeded):
        CHAT.input_slots(body)


def test_an_event_of_too_many_texts_or_choices_ends_the_stream() -> None:
    for body in (
        {"choices": [], "x": ["a"] * (EVENT_TEXT_LIMIT + 1)},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}] * 5000},
    ):
        rewriter = CHAT.rewriter(lambda *_, **__: MAIL.filter(), keeps_passages=False)
        with pytest.raises(MalformedStream):
            rewriter.feed(_event(body))


class _Counted(dict[Any, Any]):
    """A dictionary that counts how often its members are looked through."""

    looks = 0

    def values(self) -> Any:
        type(self).looks += len(self)
        return super().values()

    def items(self) -> Any:
        type(self).looks += len(self)
        return super().items()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_ending_texts_again_and_again_looks_at_no_others(path: str) -> None:
    rewriter: Any = DIALECTS[path].rewriter(lambda *_, **__: MAIL.filter(), keeps_passages=False)
    begins, ends = {
        "/v1/chat/completions": (
            lambda i: {"choices": [{"index": i, "delta": {"content": "a"}}]},
            lambda i: {"choices": [{"index": i, "delta": {}, "finish_reason": "stop"}]},
        ),
        "/v1/messages": (
            lambda i: {
                "type": "content_block_delta",
                "index": i,
                "delta": {"type": "text_delta", "text": "a"},
            },
            lambda i: {"type": "content_block_stop", "index": i},
        ),
        "/v1/responses": (
            lambda i: {"type": "response.output_text.delta", "output_index": i, "delta": "a"},
            lambda i: {"type": "response.output_item.done", "output_index": i, "item": {"type": "message"}},
        ),
    }[path]
    for i in range(500):
        rewriter.feed(_event(begins(i)))
    _Counted.looks = 0
    rewriter._parts = _Counted(rewriter._parts)
    rewriter._open_parts = _Counted(rewriter._open_parts)
    for i in range(1000, 1500):
        rewriter.feed(_event(ends(i)))
    assert 0 == _Counted.looks


def _chain() -> Chain:
    entry = GuardEntry(id="mails", use="patterns", action="redact", fields=FIELDS)
    guard = SpanGuard(
        rules=(Rule(id="mail", label="MAIL", pattern=r"[a-z]{1,20}@[a-z]{1,20}\.org"),), version="1"
    )
    return Chain("output", [OpenGuard(entry, guard, None)])


def test_a_stream_whose_every_event_has_a_text_of_its_own_keeps_no_filter_for_each() -> None:
    inspection = Inspection(_chain())
    filters = StreamFilters(inspection, None)
    rewriter = CHAT.rewriter(filters.open, keeps_passages=False)
    count = 20 * SWEEP_AT
    for i in range(count):
        rewriter.feed(_event({"choices": [], "provider": f"p{i} ann@example.org"}))
    assert len(filters._opened) <= 2 * SWEEP_AT
    filters.conclude()
    assert [("mails", count)] == [(each.guard, each.count) for each in inspection.findings]
    assert sum(len(f"p{i} ann@example.org") for i in range(count)) == inspection.scanned["content"]


async def test_a_gate_lets_go_of_texts_that_have_ended() -> None:
    gate = Gate(Inspection(_chain()), Conversation())
    for i in range(1000):
        await gate.take(b"", [Passage("content", 0, "some words", True, i)])
    assert len(gate._texts) <= 1


SMALL = b'{"model":"%s","messages":[{"role":"user","content":"hi"}],"x":[%s]}'
COMPLETION = {"id": "c", "object": "chat.completion", "model": "m", "choices": []}
ANSWERS: dict[str, Answer] = {
    "ok": whole(json.dumps(COMPLETION).encode()),
    "texts": whole(json.dumps({**COMPLETION, "x": ["a"] * (TEXT_LIMIT + 1)}).encode()),
    "values": whole(json.dumps({**COMPLETION, "x": [1] * 1_000_001}, separators=(",", ":")).encode()),
    "large": streamed(chunk("ann@example.org " * 20_000) + chunk("", "stop") + DONE),
    "choices": streamed(
        b"".join(
            _event({"choices": [{"index": i, "delta": {"content": "ann@example."}}]}) for i in range(600)
        )
        + DONE
    ),
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    policy = {"guards": [{"id": "pii", "use": "pii", "action": "redact"}]}
    with rough_upstream(ANSWERS) as upstream:
        config = write_gateway(tmp_path_factory.mktemp("stalls"), upstream.base_url, policy=policy)
        with gateway_process(config) as running:
            yield running


def _ask(gateway: RunningGateway, model: str, **more: Any) -> tuple[int, bytes]:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    status, _, data = gateway.ask(body=body)
    return status, data


def test_a_request_of_many_texts_is_answered_and_one_of_too_many_is_not(gateway: RunningGateway) -> None:
    assert 200 == _ask(gateway, "ok", x=["a"] * 50_000)[0]
    status, data = _ask(gateway, "ok", x=["a"] * MANY)
    assert (400, "too_many_values") == (status, json.loads(data)["error"]["code"])


@pytest.mark.parametrize("model", ["texts", "values"])
def test_an_answer_of_too_many_values_is_refused(gateway: RunningGateway, model: str) -> None:
    status, data = _ask(gateway, model)
    assert (502, "upstream_malformed") == (status, json.loads(data)["error"]["code"])


def test_a_large_event_and_many_texts_are_redacted_as_small_ones_are(gateway: RunningGateway) -> None:
    data = _ask(gateway, "large", stream=True)[1]
    assert (False, True) == (b"ann@" in data, b"[EMAIL]" in data)
    data = _ask(gateway, "choices", stream=True)[1]
    assert (600, True) == (data.count(b"ann@example."), data.endswith(DONE))
