"""Errors of upstreams in the terms of the client's API."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.translation.recorded_upstreams import PAIRS
from gateway.translation.sdk_exchange import translation_between

OPENAI = {
    "error": {
        "message": "max_tokens is too large",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }
}
ANTHROPIC = {
    "type": "error",
    "error": {"type": "invalid_request_error", "message": "max_tokens is too large"},
}
GOOGLE = {"error": {"code": 400, "message": "max_tokens is too large", "status": "INVALID_ARGUMENT"}}


@pytest.mark.parametrize("body", [OPENAI, ANTHROPIC, GOOGLE, [GOOGLE], {"error": "max_tokens is too large"}])
def test_what_an_upstream_says_of_a_request_reaches_the_client(body: object) -> None:
    translation = translation_between("chat", "anthropic")
    assert (400, "max_tokens is too large") == translation.failure(400, json.dumps(body).encode())


def test_the_overload_of_one_api_is_the_overload_of_the_other() -> None:
    body = json.dumps(
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    ).encode()
    assert (503, "the upstream is overloaded") == translation_between("chat", "anthropic").failure(529, body)
    assert (503, "the upstream is overloaded") == translation_between("responses", "anthropic").failure(
        529, body
    )
    assert (529, "the upstream is overloaded") == translation_between("messages", "openai").failure(503, b"")


def test_a_refused_key_is_said_without_the_words_that_may_hold_it() -> None:
    body = json.dumps({"error": {"message": "Incorrect API key provided: sk-12345"}}).encode()
    for client, upstream in PAIRS:
        status, sentence = translation_between(client, upstream).failure(401, body)
        assert (401, False) == (status, "sk-12345" in sentence)


def test_google_calls_a_bad_key_a_bad_request_and_it_is_told_apart() -> None:
    error = {
        "code": 400,
        "message": "API key not valid. Please pass a valid API key.",
        "status": "INVALID_ARGUMENT",
    }
    translation = translation_between("chat", "google")
    assert 401 == translation.failure(400, json.dumps({"error": error}).encode())[0]


@pytest.mark.parametrize(
    "body", [b"", b"<html>Bad gateway</html>", b"\xff", b"[" * 5_000, b'{"error": {"message": 3}}']
)
def test_what_is_no_error_of_an_api_is_said_by_its_status(body: bytes) -> None:
    translation = translation_between("messages", "google")
    assert (502, "the upstream answered with status 502") == translation.failure(502, body)
    assert (400, "the upstream answered with status 400") == translation.failure(400, body)


@given(st.text(), st.integers(400, 599))
def test_a_sentence_is_one_short_line_whatever_an_upstream_says(message: str, status: int) -> None:
    body = json.dumps({"error": {"message": message * 40}}).encode()
    _, sentence = translation_between("chat", "google").failure(status, body)
    assert 0 < len(sentence) <= 300
    assert sentence.isprintable()
