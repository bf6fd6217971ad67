"""Texts that stand where guards could miss them: said twice, said in numbers, said behind another guard's change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.rough_upstream import Answer, chunk, rough_upstream, streamed, whole
from verilabel.gateway.guards.interface import Judgement
from verilabel.gateway.pipeline.chain import PassageEntry
from verilabel.gateway.pipeline.gating import change_text
from verilabel.gateway.pipeline.inspection import Text
from verilabel.gateway.policy.document import ActionWord, GuardEntry
from verilabel.gateway.verdicts import Action
from verilabel.gateway.wire.catalogue import DIALECTS

CARD = 4111111111111111
DONE = b"data: [DONE]\n\n"
POLICY: dict[str, Any] = {
    "guards": [
        {"id": "shape", "use": "json", "directions": ["output"], "settings": {"only_when_asked": True}},
        {
            "id": "topic",
            "use": "topics",
            "directions": ["output"],
            "window_chars": 40,
            "settings": {"forbidden": {"gambling": ["roulette"]}},
        },
    ],
    "rules": [{"id": "never", "when": "request.system == 'never'"}],
}


def _event(body: dict[str, Any]) -> bytes:
    return f"event: {body['type']}\ndata: {json.dumps(body)}\n\n".encode()


def _response(said: str, said_again: str) -> bytes:
    """A stream of Responses that says one text in parts, and perhaps another one when it repeats it."""
    part = {"type": "output_text", "text": said_again, "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    response = {"id": "resp_1", "object": "response", "model": "m", "status": "completed", "output": [item]}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    return b"".join(
        (
            _event({"type": "response.output_text.delta", **place, "delta": said, "sequence_number": 1}),
            _event({"type": "response.output_text.done", **place, "text": said_again, "sequence_number": 2}),
            _event({"type": "response.completed", "response": response, "sequence_number": 3}),
        )
    )


def _completion(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice]}).encode()


ANSWERS: dict[str, Answer] = {
    "honest": streamed(_response("Let us talk about tea.", "Let us talk about tea.")),
    "two-faced": streamed(_response("Let us talk about tea.", "Bet it all on roulette tonight.")),
    "prose": whole(_completion("Good morning!")),
    "object": whole(_completion('{"name": "Ada"}')),
    "prose-streamed": streamed(chunk("Good morning!") + chunk("", "stop") + DONE),
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("hidden")
    with rough_upstream(ANSWERS) as upstream:
        upstreams = [
            {"id": "main", "base_url": upstream.base_url, "retries": 0},
            {"id": "new", "base_url": upstream.base_url, "dialect": "openai-responses", "retries": 0},
        ]
        models = [
            {"name": "honest", "to": [{"upstream": "new"}]},
            {"name": "two-faced", "to": [{"upstream": "new"}]},
            {"name": "*", "to": [{"upstream": "main"}]},
        ]
        config = write_gateway(folder, "", policy=POLICY, models=models, upstreams=upstreams)
        with gateway_process(config) as running:
            yield running


def _ask_to_stream(gateway: RunningGateway, model: str) -> bytes:
    return gateway.ask("/v1/responses", {"model": model, "input": "hello", "stream": True})[2]


def test_a_text_that_is_repeated_as_another_one_goes_out_as_the_one_that_was_judged(
    gateway: RunningGateway,
) -> None:
    data = _ask_to_stream(gateway, "two-faced")
    assert (False, True) == (b"roulette" in data, b"response.completed" in data)
    assert 3 == data.count(b"Let us talk about tea.")


def test_a_stream_that_repeats_itself_truly_passes_unchanged(gateway: RunningGateway) -> None:
    assert _response("Let us talk about tea.", "Let us talk about tea.") == _ask_to_stream(gateway, "honest")


FORMATS = [
    {"type": "json_object"},
    {"type": "json_schema", "json_schema": {"name": "n", "schema": {"required": ["age"]}}},
]


@pytest.mark.parametrize("form", FORMATS)
def test_a_request_for_json_is_seen_by_the_guard_that_looks_only_when_asked(
    gateway: RunningGateway, form: dict[str, Any]
) -> None:
    body = {"messages": [{"role": "user", "content": "hello"}], "response_format": form}
    status, _, data = gateway.ask(body={"model": "prose", **body})
    assert (403, False) == (status, b"Good morning" in data)
    fits = form["type"] == "json_object"
    assert (200 if fits else 403) == gateway.ask(body={"model": "object", **body})[0]
    streamed_data = gateway.ask(body={"model": "prose-streamed", "stream": True, **body})[2]
    assert (True, False) == (b"guard_blocked" in streamed_data, b"Good morning" in streamed_data)


def test_a_request_that_asks_for_no_json_may_get_prose(gateway: RunningGateway) -> None:
    body = {"model": "prose", "messages": [{"role": "user", "content": "hello"}]}
    assert 200 == gateway.ask(body=body)[0]


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/v1/responses", {"input": "x", "text": {"format": {"type": "json_object"}}}, {}),
        (
            "/v1/responses",
            {"input": "x", "text": {"format": {"type": "json_schema", "schema": {"type": "array"}}}},
            {"type": "array"},
        ),
        (
            "/v1/messages",
            {"messages": [], "output_config": {"format": {"type": "json_schema", "schema": {"a": 1}}}},
            {"a": 1},
        ),
        ("/v1/chat/completions", {"messages": [], "response_format": {"type": "text"}}, None),
        ("/v1/responses", {"input": "x", "text": None}, None),
    ],
)
def test_what_an_answer_is_to_fit_is_known_of_every_api(
    path: str, body: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    assert expected == DIALECTS[path].describe({"model": "m", **body})["schema"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/v1/chat/completions",
            {"messages": [{"role": "system", "content": [{"type": "text", "text": None}]}]},
        ),
        ("/v1/responses", {"input": [{"role": "developer", "content": [{"type": "text", "text": None}]}]}),
        (
            "/v1/messages",
            {"messages": [{"role": "user", "content": "x"}], "system": [{"type": "text", "text": None}]},
        ),
    ],
)
def test_a_part_whose_text_is_null_says_nothing(path: str, body: dict[str, Any]) -> None:
    dialect = DIALECTS[path]
    assert (None, "") == (dialect.check({"model": "m", **body}), dialect.describe(body)["system"])


def test_a_system_prompt_with_a_text_that_is_null_is_no_mistake_of_the_gateway(
    gateway: RunningGateway,
) -> None:
    messages = [
        {"role": "system", "content": [{"type": "text", "text": None}]},
        {"role": "user", "content": "hello"},
    ]
    assert 200 == gateway.ask(body={"model": "prose", "messages": messages})[0]


def test_numbers_in_the_input_of_a_tool_are_looked_at_as_in_json_source() -> None:
    block = {
        "type": "tool_use",
        "id": "t",
        "name": "pay",
        "input": {"card": CARD, "deep": [{"n": CARD}], "k": 7},
    }
    reply = {"type": "message", "content": [block]}
    slots = DIALECTS["/v1/messages"].output_slots(reply)
    numbers = [slot for slot in slots if slot.text == str(CARD)]
    assert [("tool_arguments", True)] * 2 == [(slot.field, slot.is_plain) for slot in numbers]
    for slot in numbers:
        slot.container[slot.key] = "[CARD]"
    assert {"card": "[CARD]", "deep": [{"n": "[CARD]"}], "k": 7} == block["input"]


def _found(
    guard: str, text: Text, action: ActionWord, judgement: Judgement, replace_with: str | None = None
) -> tuple[PassageEntry, Text, Judgement]:
    entry = GuardEntry(id=guard, use="presidio", action=action, replace_with=replace_with)
    passage: Any = PassageEntry(entry, None, Action[action.upper()], {}, frozenset(("content",)), 0)  # type: ignore[arg-type]
    return passage, text, judgement


TEXT = Text("Ann Lee lives in Rome.", "content", 0)
NAME = _found("names", TEXT, "redact", Judgement(found=True, spans=((0, 7, "NAME"),)))
TOWN = _found("towns", TEXT, "redact", Judgement(found=True, spans=((17, 21, "TOWN"),)))
FIXED = _found("fixing", TEXT, "redact", Judgement(found=True, replacement="Ann Lee lives somewhere."))
OWN_WORDS = _found("ours", TEXT, "replace", Judgement(found=True, spans=((0, 1, "X"),)), "(withheld)")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([NAME], "[NAME] lives in Rome."),
        ([NAME, TOWN], "[NAME] lives in [TOWN]."),
        ([TOWN, NAME], "[NAME] lives in [TOWN]."),
        ([FIXED], "Ann Lee lives somewhere."),
        ([NAME, FIXED], "[fixing]"),
        ([FIXED, NAME], "[fixing]"),
        ([NAME, OWN_WORDS], "(withheld)"),
    ],
)
def test_what_several_guards_redact_in_one_text_is_all_gone(
    found: list[tuple[PassageEntry, Text, Judgement]], expected: str
) -> None:
    assert expected == change_text(found, TEXT)
