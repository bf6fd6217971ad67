"""What the mock upstream says is the scenario's text, however it is cut, and it is put together again."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from verilabel.gateway_bench.exchange import has_text
from verilabel.gateway_bench.received import received_texts
from verilabel.gateway_bench.scenario import PLAIN_TEXT, Scenario, stream_events, whole_reply

texts = st.text(st.characters(codec="utf-8"), max_size=80)
sizes = st.lists(st.integers(1, 40), min_size=1, max_size=5).map(tuple)


def test_the_load_tables_replies_have_680_bytes_and_their_streams_66_chunks() -> None:
    assert 680 == len(whole_reply(Scenario()))
    events = stream_events(Scenario())
    assert [b"data: [DONE]\n\n"] == events[66:]
    assert PLAIN_TEXT in received_texts(b"".join(events))


@given(texts, texts, texts, sizes, st.integers(0, 2))
def test_whole_or_streamed_the_same_texts_arrive(
    content: str, reasoning: str, arguments: str, cut: tuple[int, ...], quiet: int
) -> None:
    scenario = Scenario(
        content=content, reasoning=reasoning, arguments=arguments, sizes=cut, quiet_choices=quiet
    )
    for body in (whole_reply(scenario), b"".join(stream_events(scenario))):
        found = received_texts(body)
        for text in (content, reasoning, arguments):
            assert not text or text in found
        assert quiet == 0 or PLAIN_TEXT in found


def test_identifiers_are_no_text_and_every_other_field_is() -> None:
    reply = {
        "id": "secret-1",
        "verilabel": {"request_id": "secret-1"},
        "model": "secret-2",
        "choices": [{"index": 0, "message": {"content": "shown"}, "raw": {"before": "secret-3"}}],
    }
    assert ["shown", "secret-3"] == received_texts(json.dumps(reply).encode())


def test_what_is_no_json_counts_as_received() -> None:
    assert ["secret"] == received_texts(b"secret")
    assert ["{broken secret"] == received_texts(b"data: {broken secret\n\n: a comment\n\ndata: [DONE]\n\n")


def test_choices_of_a_stream_are_not_mixed() -> None:
    events = [
        {"choices": [{"index": index, "delta": {"content": piece}}]}
        for index, piece in ((1, "ab"), (0, "xy"), (1, "cd"))
    ]
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    assert ["abcd", "xy"] == received_texts(body)


def test_a_streams_first_text_is_not_its_role() -> None:
    events = stream_events(Scenario())
    assert not has_text(events[0])
    assert has_text(events[0] + events[1])
