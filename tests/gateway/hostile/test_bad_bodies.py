"""Bodies that are no request, or a strange one: refused with the place, in the form of the API that was asked."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.upstream import Upstream, upstream_server

POLICY: dict[str, Any] = {
    "guards": [
        {"id": "pii", "use": "pii", "action": "redact"},
        {"id": "secrets", "use": "secrets", "action": "block"},
    ]
}
MESSAGES = b'"messages":[{"role":"user","content":"hi"}]'
SECRET = "ghp_" + "a1B2c3D4e5F6" * 3


def _with(*members: bytes) -> bytes:
    return b"{" + b",".join((b'"model":"m"', MESSAGES, *members)) + b"}"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_server() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    models = [
        {"name": "claude", "to": [{"upstream": "anthropic"}]},
        {"name": "known-*", "to": [{"upstream": "main"}]},
        {"name": "m", "to": [{"upstream": "main"}]},
    ]
    upstreams = [
        {"id": "main", "base_url": upstream.base_url, "retries": 0},
        {"id": "anthropic", "base_url": upstream.base_url, "retries": 0, "dialect": "anthropic"},
    ]
    config = write_gateway(
        tmp_path_factory.mktemp("bodies"),
        upstream.base_url,
        policy=POLICY,
        models=models,
        upstreams=upstreams,
    )
    with gateway_process(config) as running:
        yield running


NO_JSON = {
    "nothing": (b"", "invalid_json"),
    "a list": (b"[]", "invalid_json"),
    "null": (b"null", "invalid_json"),
    "a text": (b'"x"', "invalid_json"),
    "half an object": (b'{"model":"m"', "invalid_json"),
    "two objects": (_with() + b"{}", "invalid_json"),
    "a comment": (_with(b"/* x */"), "invalid_json"),
    "single quotes": (b"{'model':'m'}", "invalid_json"),
    "a byte order mark": (b"\xef\xbb\xbf" + _with(), "invalid_json"),
    "UTF-16": ('{"model":"m"}'.encode("utf-16"), "invalid_json"),
    "bytes that are no UTF-8": (_with(b'"x":"\xff"'), "invalid_json"),
    "half a surrogate pair": (_with(b'"x":"\\ud800"'), "invalid_json"),
    "NaN": (_with(b'"temperature":NaN'), "invalid_json"),
    "minus infinity": (_with(b'"temperature":-Infinity'), "invalid_json"),
    "a number out of range": (_with(b'"temperature":1e999'), "invalid_json"),
    "a number of 5,000 digits": (_with(b'"seed":' + b"9" * 5000), "invalid_json"),
    "compressed bytes": (gzip.compress(_with()), "invalid_json"),
    "a key twice": (_with(b'"model":"n"'), "duplicate_key"),
    "a key twice, inside": (_with(b'"metadata":{"a":"1","a":"2"}'), "duplicate_key"),
    "a key twice, once in escapes": (_with(b'"\\u006dodel":"n"'), "duplicate_key"),
    "a key twice, inside and in escapes": (_with(b'"metadata":{"\\u0061":"1","a":"2"}'), "duplicate_key"),
    "65 levels": (_with(b'"x":' + b"[" * 65 + b"]" * 65), "json_too_deep"),
    "500 levels": (_with(b'"x":' + b'{"a":' * 500 + b"1" + b"}" * 500), "json_too_deep"),
    "10,000 levels": (_with(b'"x":' + b"[" * 10_000 + b"]" * 10_000), "json_too_deep"),
    "levels without end": (b"[" * 4_000_000, "json_too_deep"),
}
NO_REQUEST = {
    "a model of 1 MB": (b'{"model":"' + b"m" * 1_000_000 + b'",' + MESSAGES + b"}", "$.model"),
    "a model with line ends": (b'{"model":"m\\r\\nx-a: b",' + MESSAGES + b"}", "$.model"),
    "a model with a zero": (b'{"model":"m\\u0000",' + MESSAGES + b"}", "$.model"),
    "a model that is a number": (b'{"model":5,' + MESSAGES + b"}", "$.model"),
    "no model": (b"{" + MESSAGES + b"}", "$.model"),
    "no messages": (b'{"model":"m"}', "$.messages"),
    "an empty list of messages": (b'{"model":"m","messages":[]}', "$.messages"),
    "messages that are no list": (b'{"model":"m","messages":{}}', "$.messages"),
    "a message that is text": (b'{"model":"m","messages":["x"]}', "$.messages[0]"),
    "a message without role": (b'{"model":"m","messages":[{"content":"x"}]}', "$.messages[0].role"),
    "129 choices": (_with(b'"n":129'), "$.n"),
    "no choices": (_with(b'"n":0'), "$.n"),
    "true choices": (_with(b'"n":true'), "$.n"),
    "tokens below zero": (_with(b'"max_tokens":-1'), "$.max_tokens"),
    "half tokens": (_with(b'"max_tokens":1.5'), "$.max_tokens"),
    "tokens beyond all measure": (_with(b'"max_tokens":99999999999999999999'), "$.max_tokens"),
    "a stream that is text": (_with(b'"stream":"true"'), "$.stream"),
    "arguments that are an object": (
        b'{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"c","type":"function",'
        b'"function":{"name":"f","arguments":{"a":1}}}]}]}',
        "$.messages[0].tool_calls[0].function.arguments",
    ),
}
STRANGE = {
    "unknown members": _with(b'"frobnicate":{"a":[1,null,"x"]}'),
    "128 choices": _with(b'"n":128'),
    "63 levels": _with(b'"x":' + b"[" * 62 + b"]" * 62),
    "a content that is null": b'{"model":"m","messages":[{"role":"user","content":null}]}',
    "an empty content": b'{"model":"m","messages":[{"role":"user","content":""}]}',
    "a pair of surrogates": b'{"model":"m","messages":[{"role":"user","content":"\\ud83d\\ude00"}]}',
    "a role that nobody knows": b'{"model":"m","messages":[{"role":"jester","content":"x"}]}',
    "arguments that are no JSON": (
        b'{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"c","type":"function",'
        b'"function":{"name":"f","arguments":"{not json"}}]},{"role":"tool","tool_call_id":"c","content":"x"}]}'
    ),
    "spaces everywhere": json.dumps(json.loads(_with()), indent=4).encode(),
}


@pytest.mark.parametrize("name", NO_JSON)
def test_a_body_that_could_be_read_in_two_ways_or_none_is_refused(
    gateway: RunningGateway, upstream: Upstream, name: str
) -> None:
    body, code = NO_JSON[name]
    before = len(upstream.requests)
    status, _, data = gateway.ask(data=body)
    assert (400, code, before) == (status, json.loads(data)["error"]["code"], len(upstream.requests))
    assert ("refused", code) == (gateway.records()[-1]["outcome"], gateway.records()[-1]["code"])


@pytest.mark.parametrize("name", NO_REQUEST)
def test_a_body_that_is_no_request_is_refused_with_the_place(
    gateway: RunningGateway, upstream: Upstream, name: str
) -> None:
    body, where = NO_REQUEST[name]
    before = len(upstream.requests)
    status, headers, data = gateway.ask(data=body)
    error = json.loads(data)["error"]
    assert (400, where, before) == (status, error["param"], len(upstream.requests))
    assert len(data) < 1000 and "x-a" not in headers


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_request_is_passed_on_as_it_is(
    gateway: RunningGateway, upstream: Upstream, name: str
) -> None:
    status, _, _ = gateway.ask(data=STRANGE[name])
    assert (200, json.loads(STRANGE[name])) == (status, upstream.last)


@pytest.mark.parametrize("name", ["a key twice", "10,000 levels", "NaN", "nothing"])
@pytest.mark.parametrize(
    "path", ["/v1/messages", "/v1/responses", "/v1/completions", "/v1/embeddings", "/v1/chat/completions"]
)
def test_every_api_refuses_what_is_no_json_in_its_own_form(
    gateway: RunningGateway, name: str, path: str
) -> None:
    body, _ = NO_JSON[name]
    status, _, data = gateway.ask(path, data=body)
    said = json.loads(data)
    assert 400 == status
    if path == "/v1/messages":
        assert ("error", "invalid_request_error") == (said["type"], said["error"]["type"])
    else:
        assert {"message", "type", "param", "code"} <= said["error"].keys()


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("text/plain", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonp", 415),
        ("", 415),
        ("Application/JSON; charset=utf-8", 200),
    ],
)
def test_only_json_is_taken(gateway: RunningGateway, kind: str, status: int) -> None:
    assert status == gateway.ask(data=_with(), headers={"content-type": kind})[0]


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, identity"])
def test_compressed_bodies_are_not_unpacked(gateway: RunningGateway, coding: str) -> None:
    status, _, data = gateway.ask(data=gzip.compress(_with()), headers={"content-encoding": coding})
    assert (415, "content_encoding") == (status, json.loads(data)["error"]["code"])


@pytest.mark.parametrize("model", ["unknown", "M", "m ", "known", "*", "known-*x\u2028"])
def test_a_model_that_no_route_names_is_not_there(
    gateway: RunningGateway, upstream: Upstream, model: str
) -> None:
    before = len(upstream.requests)
    status, _, data = gateway.ask(body={**json.loads(_with()), "model": model})
    assert (True, before) == (status in (400, 404), len(upstream.requests))
    assert model not in json.loads(data)["error"]["message"] or model in ("m ", "*", "M")


def test_headers_that_are_no_ascii_change_nothing(gateway: RunningGateway) -> None:
    strange = {"authorization": "Bearer \xe9\xff", "x-verilabel-wait": "\xfc", "user-agent": "\xe9"}
    assert 200 == gateway.ask(data=_with(), headers=strange)[0]


@pytest.mark.parametrize(
    "name",
    ["x-verilabel-label", "x-verilabel-policy", "x-request-id", "x-verilabel-user", "x-verilabel-route"],
)
def test_what_a_client_says_of_itself_in_headers_is_not_believed(
    gateway: RunningGateway, upstream: Upstream, name: str
) -> None:
    _, headers, _ = gateway.ask(
        data=_with(), headers={name: "forged", "cookie": "a=b", "x-forwarded-for": "9.9.9.9"}
    )
    assert "forged" not in headers.values()
    sent = {key.lower(): value for key, value in upstream.headers[-1].items()}
    assert not {name, "cookie", "x-forwarded-for"} & sent.keys()
    assert (
        "forged"
        not in (gateway.folder / "audit")
        .joinpath(sorted(each.name for each in (gateway.folder / "audit").glob("*.jsonl"))[-1])
        .read_text()
    )


def test_an_approval_of_nobody_is_not_there(gateway: RunningGateway, upstream: Upstream) -> None:
    before = len(upstream.requests)
    for named in ("ap_x", "ap_" + "0" * 20, "'; drop table approvals; --", "x" * 5000, "\xe9"):
        status, _, data = gateway.ask(data=_with(), headers={"x-verilabel-approval": named})
        assert (404, "approval_unknown") == (status, json.loads(data)["error"]["code"])
    assert before == len(upstream.requests)


def test_a_request_that_the_upstream_has_no_word_for_is_refused_with_the_place(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    before = len(upstream.requests)
    body = {"model": "claude", "messages": [{"role": "user", "content": "hi"}], "n": 3}
    status, _, data = gateway.ask(body=body)
    error = json.loads(data)["error"]
    assert (400, "not_translatable", "$.n", before) == (
        status,
        error["code"],
        error["param"],
        len(upstream.requests),
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just(SECRET),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
members = st.sampled_from(
    ["messages", "content", "role", "tools", "tool_calls", "n", "stream", "input", "prompt", "system", "x"]
)


@settings(max_examples=120)
@given(
    body=st.dictionaries(members, json_values, max_size=5) | json_values,
    path=st.sampled_from(["/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/completions"]),
    is_request=st.booleans(),
)
def test_no_json_makes_the_gateway_fail_or_a_secret_pass(
    gateway: RunningGateway, upstream: Upstream, body: Any, path: str, is_request: bool
) -> None:
    if is_request and isinstance(body, dict):
        body = {"messages": [{"role": "user", "content": "x"}], "input": "x", "prompt": "x", **body}
        body |= {"model": "m" if path != "/v1/messages" else "claude", "max_tokens": 5}
    before = len(upstream.requests)
    try:
        data = json.dumps(body).encode()
    except UnicodeEncodeError:
        return
    status, _, _ = gateway.ask(path, data=data)
    assert status < 500
    assert all(SECRET not in json.dumps(sent) for sent in upstream.requests[before:])
