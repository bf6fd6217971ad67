"""What is translated stands where the client's API shows texts to guards: on its way in, and on its way out."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from gateway.translation.asked_bodies import ASKED, MODELS
from gateway.translation.recorded_upstreams import PAIRS, RECORDED
from gateway.translation.sdk_exchange import events_of, translate_stream, translation_between
from verilabel.detectors.spans.interface import SpanFilter
from verilabel.detectors.spans.rule import Match
from verilabel.gateway.verdicts import Field
from verilabel.gateway.wire.catalogue import DIALECTS
from verilabel.gateway.wire.interface import ClientDialect, Slot

BY_NAME: dict[str, ClientDialect] = {dialect.name: dialect for dialect in DIALECTS.values()}
ANSWERED = ("Salt", "lowers", "question", "roads", "Oslo", "Bergen", "will not", "blocked", "harm")
QUESTIONED = (
    "briefly",
    "sources",
    "picture",
    "Let me",
    "Look it",
    "Oslo",
    "rain",
    "sun",
    "no such",
    "tomorrow",
    "Weather",
)


class Everything:
    """A filter that covers every character."""

    def __init__(self) -> None:
        self.matches: list[Match] = []
        self.stopped_by: Match | None = None
        self.held_chars = 0

    def feed(self, text: str) -> str:
        return "#" * len(text)

    def finish(self) -> str:
        return ""


def cover(field: Field, choice: int, *, is_plain: bool = False) -> SpanFilter:
    """A filter for any field."""
    return Everything()


def cover_slot(slot: Slot) -> None:
    """Put something else in the place of a text."""
    is_source = slot.field == "tool_arguments" and not slot.is_plain
    slot.container[slot.key] = "{}" if is_source else "#"


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_no_word_of_a_streamed_answer_passes_the_guards_of_the_clients_api(
    client: str, upstream: str
) -> None:
    dialect = BY_NAME[client]
    for recorded in RECORDED[upstream].values():
        content = translate_stream(translation_between(client, upstream), recorded.stream)
        rewriter = dialect.rewriter(cover, keeps_passages=False)
        pieces = [rewriter.feed(content[start : start + 50]) for start in range(0, len(content), 50)]
        covered = b"".join(pieces) + rewriter.finish()
        assert rewriter.is_complete
        assert events_of(client, covered)
        assert [] == [word for word in ANSWERED if word.encode() in covered]


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_no_word_of_a_whole_answer_passes_the_guards_of_the_clients_api(client: str, upstream: str) -> None:
    dialect = BY_NAME[client]
    for recorded in RECORDED[upstream].values():
        reply = translation_between(client, upstream).reply(recorded.whole, model="any")
        for slot in dialect.output_slots(reply):
            if isinstance(slot.key, str) and slot.key not in slot.container:
                continue  # a key that is a text itself, renamed before
            cover_slot(slot)
        covered = json.dumps(reply, ensure_ascii=False)
        assert [] == [word for word in ANSWERED if word in covered]


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_no_word_of_a_request_reaches_the_upstream_past_the_guards(client: str, upstream: str) -> None:
    body: dict[str, Any] = copy.deepcopy(ASKED[client])
    dialect = BY_NAME[client]
    assert dialect.check(body) is None
    for slot in dialect.input_slots(body):
        cover_slot(slot)
    asked = translation_between(client, upstream).request(body, model=MODELS[upstream])
    text = json.dumps(asked, ensure_ascii=False)
    assert [] == [word for word in QUESTIONED if word in text]


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_usage_and_served_model_of_a_translated_stream_are_what_the_pipeline_reads(
    client: str, upstream: str
) -> None:
    content = translate_stream(translation_between(client, upstream), RECORDED[upstream]["text"].stream)
    rewriter = BY_NAME[client].rewriter(cover, keeps_passages=False)
    rewriter.feed(content)
    rewriter.finish()
    assert "served-model" == rewriter.served_model
    assert rewriter.usage is not None
    assert (40, 20) == (rewriter.usage.input_tokens, rewriter.usage.output_tokens)
    whole = translation_between(client, upstream).reply(RECORDED[upstream]["text"].whole, model="any")
    assert rewriter.usage == BY_NAME[client].usage(whole)
