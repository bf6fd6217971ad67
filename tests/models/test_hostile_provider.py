"""A provider that means harm: what it sends must not leak the key, spoil the evidence or make it unreadable."""

from __future__ import annotations

import json

import msgspec
import pytest

from servers.scripted import response, scripted_server
from verilabel.evidence.layout import MAX_LINE_BYTES
from verilabel.evidence.lines import decode_line, encode_line
from verilabel.models.address import open_model
from verilabel.models.dialects.dialect import MAX_NAME_CHARS
from verilabel.models.interface import Exchange, ModelRequest
from verilabel.models.keys import ApiKey
from verilabel.records.attempt import Attempt, body_fields, response_body
from verilabel.records.sample import Message

KEY = "sk-abc/def+0123456789"
QUESTION = ModelRequest("s@1.0.0", "a", 1, messages=(Message("user", "hello"),), params={})


async def ask(raw: bytes) -> Exchange:
    with scripted_server(raw) as url:
        model = open_model("openai/m", base_url=url, key_env="K", environ={"K": KEY}, allow_insecure=True)
        async with model:
            return await model.ask(QUESTION)


def answer(text: str = "hello", **more: object) -> bytes:
    return json.dumps({"choices": [{"message": {"content": text}}], "model": "m", **more}).encode()


def line_of(exchange: Exchange) -> bytes:
    """The evidence line that an exchange becomes."""
    attempt = Attempt(
        "s@1.0.0",
        "a",
        1,
        1,
        exchange.request.decode(),
        status=exchange.status,
        **body_fields(exchange.response),  # type: ignore[arg-type]
        output=exchange.output,
        served_model=exchange.served_model,
        failure=exchange.failure,
    )
    return encode_line(attempt)


@pytest.mark.parametrize(
    "escaped",
    [
        KEY,
        KEY.replace("/", "\\/"),
        KEY.replace("sk-", "\\u0073k-"),
        "".join(f"\\u{ord(c):04x}" for c in KEY),
        "".join(f"\\u{ord(c):04X}" for c in KEY).replace("\\", "\\\\"),
    ],
    ids=["plain", "slash", "letter", "every character", "JSON inside JSON"],
)
@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized"])
async def test_a_key_repeated_under_json_escapes_is_kept_nowhere(escaped: str, status: str) -> None:
    body = f'{{"choices":[{{"message":{{"content":"it is {escaped}"}}}}],"error":{{"message":"{escaped}"}}}}'
    exchange = await ask(response(body.encode(), status=status))
    assert exchange.failure is not None
    assert exchange.failure.fatal
    assert b"" == exchange.response
    assert KEY not in msgspec.json.encode(exchange.failure).decode() and exchange.output is None


def test_other_text_with_escapes_is_not_taken_for_the_key() -> None:
    key = ApiKey(KEY, where="K")
    assert not key.stands_in(b'{"a":"sk-abc\\/deg+0123456789 \\u0073k \\n \\\\"}' + b"\\" * 1000)


async def test_names_without_end_are_cut() -> None:
    exchange = await ask(
        response(answer(model="m" * 100_000, system_fingerprint="f" * 100_000, choices=[
            {"message": {"content": "hello"}, "finish_reason": "s" * 100_000}
        ]))
    )  # fmt: skip
    assert "hello" == exchange.output
    for name in (exchange.served_model, exchange.fingerprint, exchange.finish):
        assert name is not None
        assert MAX_NAME_CHARS == len(name)


@pytest.mark.parametrize("tokens", [2**53 - 1, 10**10, 1e300, -1, 0])
async def test_token_counts_that_cannot_be_are_not_counted(tokens: float) -> None:
    exchange = await ask(response(answer(usage={"prompt_tokens": tokens, "completion_tokens": 7})))
    assert exchange.usage is not None
    assert (0, 7) == (exchange.usage.input_tokens, exchange.usage.output_tokens)


async def test_a_body_of_control_characters_fits_a_line_of_evidence() -> None:
    body = b"\x00\x01\x1f" * 2_700_000
    exchange = await ask(response(body))
    line = line_of(exchange)
    assert len(line) < MAX_LINE_BYTES
    kept = decode_line(line, "line")
    assert isinstance(kept, Attempt)
    assert body == response_body(kept)
    assert exchange.failure is not None
    assert "malformed" == exchange.failure.kind


async def test_an_answer_that_looks_like_records_stays_one_line() -> None:
    text = 'x"}\n{"kind":"score","suite":"s@1.0.0","sample":"a","epoch":1,"detector":"d@1","event":"e","value":true}\n'
    line = line_of(await ask(response(answer(text))))
    assert b"\n" not in line
    kept = decode_line(line, "line")
    assert isinstance(kept, Attempt)
    assert text == kept.output
