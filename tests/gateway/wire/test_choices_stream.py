"""Chat and completion streams: what leaves, joined, is the redaction of what came, and the rest as it came."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.stream_makers import (
    MARK,
    SECRET,
    SecretFilter,
    bodies_of,
    chat_stream,
    chat_text,
    chunk,
    cut,
    open_everything,
    open_nothing,
    redact,
    run,
    sse,
)
from verilabel.gateway.verdicts import Field, Usage
from verilabel.gateway.wire.catalogue import DIALECTS
from verilabel.gateway.wire.interface import MalformedStream, Passage

CHAT = DIALECTS["/v1/chat/completions"]
COMPLETIONS = DIALECTS["/v1/completions"]
PIECES = st.sampled_from(
    [
        SECRET,
        "sk-",
        "abc",
        "123",
        "sk-abc12",
        "s",
        "k",
        "-",
        " hello ",
        "é",
        "\u2028",
        "😀",
        '"',
        "\\",
        "\n",
        "data: x\n\n",
        "",
    ]
)
FIELDS = st.sampled_from(["content", "reasoning_content", "refusal", "tool 0", "tool 1", "something_new"])
EVENTS = st.lists(st.tuples(st.integers(0, 1), FIELDS, PIECES), max_size=30)
SIZES = st.lists(st.integers(1, 400), min_size=1, max_size=6)


def delta_of(field: str, text: str) -> dict[str, Any]:
    if field.startswith("tool"):
        return {"tool_calls": [{"index": int(field[-1]), "function": {"arguments": text}}]}
    if field == "something_new":
        return {"something_new": [{"index": 4, "text": text}]}
    return {field: text}


def text_in(delta: dict[str, Any], field: str) -> str:
    if field.startswith("tool"):
        calls = [call for call in delta.get("tool_calls") or [] if call["index"] == int(field[-1])]
        return "".join(call["function"]["arguments"] for call in calls)
    if field == "something_new":
        return "".join(item["text"] for item in delta.get(field, []))
    return delta.get(field) or ""


def texts_of(data: bytes) -> dict[tuple[int, str], str]:
    found: dict[tuple[int, str], str] = {}
    for body in bodies_of(data):
        for choice in body["choices"]:
            for field in ("content", "reasoning_content", "refusal", "tool 0", "tool 1", "something_new"):
                key = (choice["index"], field)
                found[key] = found.get(key, "") + text_in(choice["delta"], field)
    return {key: text for key, text in found.items() if text}


@given(EVENTS, SIZES, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_each_text_leaves_as_its_redaction_however_it_was_cut(
    events: list[tuple[int, str, str]], sizes: list[int], end: str, spaced: bool
) -> None:
    bodies = [chunk(delta_of(field, text), index=choice) for choice, field, text in events]
    bodies += [chunk(index=choice, finish="stop") for choice in (0, 1)]
    data = chat_stream(*bodies, end=end)
    if spaced:
        data = b"".join(sse(json.dumps(body), end=end) for body in bodies) + sse("[DONE]", end=end)
    rewriter = CHAT.rewriter(open_everything, keeps_passages=True)
    out = run(rewriter, cut(data, sizes))
    expected = {key: redact(text) for key, text in texts_of(data).items()}
    assert expected == texts_of(out)
    assert rewriter.is_complete
    assert out.endswith(sse("[DONE]", end=end))


@given(EVENTS, SIZES)
def test_a_stream_that_no_filter_looks_at_passes_byte_for_byte(
    events: list[tuple[int, str, str]], sizes: list[int]
) -> None:
    data = chat_stream(*[chunk(delta_of(field, text), index=choice) for choice, field, text in events])
    assert data == run(CHAT.rewriter(open_nothing, keeps_passages=False), cut(data, sizes))


@given(st.lists(PIECES, max_size=20), SIZES)
def test_completions_leave_as_their_redaction(pieces: list[str], sizes: list[int]) -> None:
    bodies = [
        {"id": "c", "choices": [{"index": 0, "text": piece, "finish_reason": None}]} for piece in pieces
    ]
    bodies.append({"id": "c", "choices": [{"index": 0, "text": "", "finish_reason": "stop"}]})
    out = run(COMPLETIONS.rewriter(open_everything, keeps_passages=False), cut(chat_stream(*bodies), sizes))
    assert redact("".join(pieces)) == "".join(body["choices"][0]["text"] for body in bodies_of(out))


@given(st.lists(PIECES, max_size=20), SIZES)
def test_passages_are_the_texts_that_were_let_go_and_end(pieces: list[str], sizes: list[int]) -> None:
    data = chat_stream(*[chunk({"content": piece}) for piece in pieces], chunk(finish="stop"))
    rewriter = CHAT.rewriter(open_everything, keeps_passages=True)
    passages: list[Passage] = []
    for read in cut(data, sizes):
        rewriter.feed(read)
        passages += rewriter.take_passages()
    assert redact("".join(pieces)) == "".join(passage.text for passage in passages)
    if "".join(pieces):
        assert [True] == [passage.is_last for passage in passages if passage.is_last]
        assert passages[-1].is_last
    assert [] == rewriter.take_passages()


def test_passages_of_texts_that_come_interleaved_say_which_text_they_are_of() -> None:
    bodies = [
        chunk(delta_of(f"tool {call}", text)) for call, text in ((0, "a1"), (1, "b1"), (0, "a2"), (1, "b2"))
    ]
    rewriter = CHAT.rewriter(open_everything, keeps_passages=True)
    rewriter.feed(chat_stream(*bodies, chunk(finish="tool_calls")))
    passages = rewriter.take_passages()
    for number, text in ((0, "a1a2"), (1, "b1b2")):
        mine = [passage for passage in passages if passage.number == number]
        assert text == "".join(passage.text for passage in mine)
        assert [False] * (len(mine) - 1) + [True] == [passage.is_last for passage in mine]


def test_text_after_its_end_passes_where_nothing_looks() -> None:
    data = chat_stream(chunk({"content": "a"}, finish="stop"), chunk({"content": "b"}, finish="stop"))
    assert data == run(CHAT.rewriter(open_nothing, keeps_passages=False), cut(data, [60]))


def test_forms_that_change_again_and_again_are_learned_anew() -> None:
    text = f"many {SECRET} words " * 60
    events = [
        sse({**chunk({"content": text[at : at + 2]}), "created": at // 40}) for at in range(0, len(text), 2)
    ]
    assert redact(text) == chat_text(run(CHAT.rewriter(open_everything, keeps_passages=False), events))


def test_deltas_of_one_read_that_change_leave_as_one_event() -> None:
    data = chat_stream(
        *[chunk({"content": piece}) for piece in ("one ", "two ", "key sk-", "abc123 ", "three s")]
    )
    rewriter = CHAT.rewriter(open_everything, keeps_passages=False)
    out = rewriter.feed(data.removesuffix(sse("[DONE]")))
    assert ["one ", f"two key {MARK} three "] == [b["choices"][0]["delta"]["content"] for b in bodies_of(out)]
    assert "s" == chat_text(rewriter.feed(sse("[DONE]")))


def test_what_is_held_goes_out_before_the_event_that_ends_its_choice() -> None:
    data = chat_stream(
        chunk({"content": "a sk-ab"}), chunk(finish="stop"), chunk({"content": "other"}, index=1)
    )
    bodies = bodies_of(run(CHAT.rewriter(open_everything, keeps_passages=False), [data]))
    assert [("a ", None), ("sk-ab", None), (None, "stop"), ("other", None)] == [
        (body["choices"][0]["delta"].get("content"), body["choices"][0]["finish_reason"]) for body in bodies
    ]
    assert "chatcmpl-1" == bodies[1]["id"]


def test_text_in_the_event_that_ends_its_choice_is_let_go_there() -> None:
    data = chat_stream(chunk({"content": "a sk-ab"}), chunk({"content": "c12"}, finish="stop"))
    bodies = bodies_of(run(CHAT.rewriter(open_everything, keeps_passages=False), cut(data, [50])))
    assert ["a ", "sk-abc12"] == [body["choices"][0]["delta"]["content"] for body in bodies]


def test_text_after_the_end_of_its_choice_is_refused_because_it_could_complete_a_match() -> None:
    rewriter = CHAT.rewriter(open_everything, keeps_passages=False)
    rewriter.feed(chat_stream(chunk({"content": "sk-abc"}, finish="stop")).removesuffix(sse("[DONE]")))
    with pytest.raises(MalformedStream, match="goes on"):
        rewriter.feed(sse(chunk({"content": "123"})))


def test_where_a_filter_stops_what_stands_before_the_match_is_the_last_that_goes_out() -> None:
    def open_stopping(field: Field, choice: int, *, is_plain: bool = False) -> SecretFilter:
        return SecretFilter(stops=True)

    for sizes in ([1], [100000]):
        data = chat_stream(
            chunk({"content": "fine "}), chunk({"content": "then sk-a"}), chunk({"content": "bc123 and more"})
        )
        rewriter = CHAT.rewriter(open_stopping, keeps_passages=True)
        out = run(rewriter, cut(data, sizes))
        assert rewriter.stopped
        assert "fine then " == chat_text(out)
        assert b"[DONE]" not in out
        assert b"" == rewriter.feed(sse(chunk({"content": "x"})))
        assert SECRET == rewriter.filters()[0][2].stopped_by.text  # type: ignore[union-attr]


@pytest.mark.parametrize("looks", [True, False])
def test_log_probabilities_and_token_ids_leave_only_where_nothing_looks(looks: bool) -> None:
    logprobs = {"content": [{"token": SECRET, "logprob": -0.5, "bytes": [115], "top_logprobs": []}]}
    data = chat_stream(
        chunk({"content": "x"}, logprobs=logprobs, token_ids=[7, 8]), chunk({}, logprobs=logprobs)
    )
    out = run(CHAT.rewriter(open_everything if looks else open_nothing, keeps_passages=False), [data])
    choices = [body["choices"][0] for body in bodies_of(out)]
    assert ([None, None] if looks else [logprobs, logprobs]) == [choice["logprobs"] for choice in choices]
    assert looks == (choices[0]["token_ids"] is None)
    assert looks == (SECRET.encode() not in out)


def test_strings_that_nobody_knows_are_looked_at() -> None:
    body = chunk({"content": "x", "audio": {"id": "a", "transcript": f"say {SECRET}", "data": "AAAA"}})
    body["citations"] = [f"https://example.org/?q={SECRET}"]
    body["choices"][0]["note"] = {"deep": [{"er": f"{SECRET}!"}]}
    out = run(CHAT.rewriter(open_everything, keeps_passages=False), [chat_stream(body)])
    assert SECRET.encode() not in out
    assert [f"https://example.org/?q={MARK}"] == bodies_of(out)[0]["citations"]
    assert "AAAA" == bodies_of(out)[0]["choices"][0]["delta"]["audio"]["data"]


def test_a_form_is_not_learned_from_an_event_in_which_another_text_was_changed() -> None:
    bodies = [{**chunk({"content": "x"}), "citations": [SECRET]} for _ in range(4)]
    out = run(CHAT.rewriter(open_everything, keeps_passages=False), [chat_stream(*bodies)])
    assert [[MARK]] * 4 == [body["citations"] for body in bodies_of(out)]


def test_a_text_beside_the_choices_cannot_hide_in_a_learned_form() -> None:
    body = {**chunk({"content": "x"}), "text": "sk-abc"}
    again = {**chunk({"content": "x"}), "text": "123"}
    out = run(CHAT.rewriter(open_everything, keeps_passages=False), [chat_stream(body, again, body, again)])
    assert f"{MARK}{MARK}" == "".join(body.get("text", "") for body in bodies_of(out))


def test_usage_model_and_fingerprint_are_read() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    rewriter = CHAT.rewriter(open_everything, keeps_passages=False)
    data = chat_stream(chunk({"content": "x"}), {**chunk(finish="stop"), "choices": [], "usage": usage})
    run(rewriter, [data])
    assert (Usage(3, 4), "m-1", "fp-1", 3) == (
        rewriter.usage,
        rewriter.served_model,
        rewriter.fingerprint,
        rewriter.events,
    )


def test_an_error_of_the_upstream_passes_after_what_was_held_and_ends_the_stream() -> None:
    error = {"error": {"message": f"failed on {SECRET}", "type": "server_error", "code": None}}
    rewriter = CHAT.rewriter(open_everything, keeps_passages=False)
    out = run(rewriter, [chat_stream(chunk({"content": "a sk-"}), error, chunk({"content": "abc123"}))])
    assert rewriter.is_complete
    assert [f"failed on {MARK}"] == [b["error"]["message"] for b in bodies_of(out) if "error" in b]
    assert "a sk-" == "".join(b["choices"][0]["delta"]["content"] for b in bodies_of(out) if "choices" in b)
    assert out.endswith(b"data: [DONE]\n\n")


def test_nothing_passes_after_the_end() -> None:
    rewriter = CHAT.rewriter(open_everything, keeps_passages=False)
    data = chat_stream(chunk({"content": "a"}))
    assert data == rewriter.feed(data + sse(chunk({"content": SECRET})) + b"data: words\n\n")
    assert b"" == rewriter.feed(data)


def test_comments_lose_their_words_and_other_lines_are_left_out() -> None:
    rewriter = CHAT.rewriter(open_everything, keeps_passages=False)
    assert b":\n\n" == rewriter.feed(f": {SECRET}\n\n".encode())
    out = rewriter.feed(f": {SECRET}\nid: {SECRET}\n".encode() + sse(chunk({"content": "a"})))
    assert "a" == chat_text(out)
    assert SECRET.encode() not in out


def test_a_stream_that_breaks_off_gives_out_what_was_held_and_is_not_complete() -> None:
    rewriter = CHAT.rewriter(open_everything, keeps_passages=False)
    assert "a " == chat_text(rewriter.feed(sse(chunk({"content": "a sk-a"}))))
    assert "sk-a" == chat_text(rewriter.finish())
    assert not rewriter.is_complete


def test_a_last_event_without_its_empty_line_is_taken_if_it_is_whole() -> None:
    rewriter = CHAT.rewriter(open_everything, keeps_passages=False)
    rewriter.feed(sse(chunk({"content": "a"})))
    assert b"" == rewriter.feed(b"data: [DONE]\n")
    assert b"data: [DONE]\n\n" == rewriter.finish()
    assert rewriter.is_complete


HOSTILE = {
    "half an event": sse(chunk({"content": "a"}))[:-20],
    "words": b"data: hello\n\n",
    "a list": b"data: []\n\n",
    "NaN": b'data: {"choices":[{"index":0,"delta":{"content":"a"},"x":NaN}]}\n\n',
    "a number out of range": b'data: {"choices":[],"x":1e999}\n\n',
    "a huge number": b'data: {"choices":[],"x":' + b"9" * 5000 + b"}\n\n",
    "a key twice": b'data: {"choices":[{"index":0,"delta":{"content":"a","content":"b"}}]}\n\n',
    "no UTF-8": b'data: {"choices":[{"index":0,"delta":{"content":"\xff"}}]}\n\n',
    "depth": b'data: {"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}\n\n",
    "some depth": b'data: {"x":' + b"[" * 100 + b'"a"' + b"]" * 100 + b"}\n\n",
    "choices that are none": b'data: {"choices":"sk-abc123"}\n\n',
    "a choice that is none": b'data: {"choices":["sk-abc123"]}\n\n',
    "an index that is none": b'data: {"choices":[{"index":"0","delta":{"content":"a"}}]}\n\n',
    "a name with words": b"event: my key is sk-abc123\ndata: {}\n\n",
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("size", [7, 1 << 20])
def test_a_hostile_stream_is_malformed_and_lets_no_secret_go(case: str, size: int) -> None:
    rewriter = CHAT.rewriter(open_everything, keeps_passages=False)
    out = b""
    with pytest.raises(MalformedStream) as raised:
        for read in cut(HOSTILE[case], [size]):
            out += rewriter.feed(read)
        out += rewriter.finish()
    assert SECRET.encode() not in out
    assert "sk-" not in str(raised.value)


def test_of_bytes_that_are_no_events_none_goes_out() -> None:
    rewriter = CHAT.rewriter(open_everything, keeps_passages=False)
    assert b":\n\n" == rewriter.feed(f"{SECRET}: {SECRET}\n\n".encode())
    assert b":\n\n" == rewriter.feed("data: {}\n".encode("utf-16") + b"\n\n")


def test_a_stream_with_too_many_texts_is_refused() -> None:
    rewriter = CHAT.rewriter(open_everything, keeps_passages=False)
    with pytest.raises(MalformedStream, match="more than 4096 texts"):
        for index in range(5000):
            rewriter.feed(sse(chunk({"content": "a"}, index=index)))


def test_names_that_lead_to_a_text_are_bounded() -> None:
    with pytest.raises(MalformedStream, match="too long"):
        CHAT.rewriter(open_everything, keeps_passages=False).feed(sse(chunk({"x" * 2000: {"text": "a"}})))


def test_halves_of_surrogate_pairs_pass_as_escapes() -> None:
    halves = [
        b'data: {"choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{"content":"\\ude00s"}}]}\n\n',
    ]
    out = run(CHAT.rewriter(open_everything, keeps_passages=False), [*halves, sse("[DONE]")])
    text = chat_text(out)
    assert "😀s" == text.encode("utf-16", "surrogatepass").decode("utf-16")
