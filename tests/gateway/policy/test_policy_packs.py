"""Packs: a policy in one signed file, pinned by its digest, fetched within bounds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle_factory import fixed_key
from verilabel.errors import LimitExceeded, MalformedInput, PolicyError, SealError, UsageError
from verilabel.evidence.envelope import sign
from verilabel.evidence.trust import parse_trust, trust_keys
from verilabel.gateway.policy.packing import (
    MAX_PACK_BYTES,
    PACK_TYPE,
    find_pack,
    keep_pack,
    pack_path,
    pack_policy,
    read_pack,
    verify_pack,
)
from verilabel.gateway.policy.pulling import fetch_pack
from verilabel.gateway.policy.reading import load_gateway
from verilabel.records.canonical import digest

POLICY = b"policy: mine\nversion: '2'\nguards:\n  - {id: g, use: pii}\n# to the last byte \n"
PINNED = digest(POLICY)
FIRST, SECOND = fixed_key("first", "first.example"), fixed_key("second", "second.example")
PACK = pack_policy(POLICY, FIRST, where="mine.yaml")
CONFIG = f"""gateway: 1
upstreams: [{{id: u, base_url: 'http://127.0.0.1:9/v1'}}]
models: [{{name: m, to: [{{upstream: u}}]}}]
policy: 'pack:mine@{PINNED}'
"""


def test_a_pack_holds_the_exact_bytes_of_a_policy() -> None:
    pack = verify_pack(PACK, where="p", keys=[FIRST.public])
    assert ("mine", "2", PINNED, POLICY) == (pack.name, pack.version, pack.digest, pack.data)
    assert (("first.example",), (FIRST.keyid,)) == (pack.signers, pack.keyids)


def test_a_pack_by_another_key_is_refused() -> None:
    with pytest.raises(SealError):
        verify_pack(PACK, where="p", keys=[SECOND.public])
    with pytest.raises(SealError):
        verify_pack(PACK, where="p", trust=trust_keys(SECOND.public))


def test_a_trust_policy_accepts_a_pack_by_a_key_for_labels_in_general() -> None:
    assert ("first.example",) == verify_pack(PACK, where="p", trust=trust_keys(FIRST.public)).signers
    for scope in ("roles: [log]", "roles: [labels], rubrics: [core]"):
        text = f"format: verilabel/trust/v1\naccept: {{key: {FIRST.public.line}, name: A, {scope}}}\n"
        with pytest.raises(SealError):
            verify_pack(PACK, where="p", trust=parse_trust(text.encode()))


def test_an_envelope_around_something_else_is_no_pack() -> None:
    for payload, kind in ((POLICY, "application/vnd.in-toto+json"), (b"not a policy", PACK_TYPE)):
        data = sign(payload, FIRST, payload_type=kind)
        with pytest.raises((SealError, MalformedInput)):
            read_pack(data, where="p")
        with pytest.raises((SealError, MalformedInput)):
            verify_pack(data, where="p", keys=[FIRST.public])
    with pytest.raises(MalformedInput):
        pack_policy(b"policy: 1", FIRST, where="p")


@given(place=st.integers(0, len(PACK) - 1), flip=st.integers(1, 255))
def test_a_pack_with_one_changed_byte_is_refused(place: int, flip: int) -> None:
    changed = PACK[:place] + bytes([PACK[place] ^ flip]) + PACK[place + 1 :]
    with pytest.raises((SealError, MalformedInput)):
        verify_pack(changed, where="p", keys=[FIRST.public])


@given(st.binary(max_size=200) | st.text('{}[]":,payloadTysigntur01', max_size=80).map(str.encode))
def test_no_bytes_make_reading_a_pack_fail_otherwise(data: bytes) -> None:
    with pytest.raises((SealError, MalformedInput)):
        read_pack(data, where="p")


def test_a_kept_pack_is_found_by_its_digest(tmp_path: Path) -> None:
    pack, path = keep_pack(PACK, PINNED, home=tmp_path, where="p")
    assert (PINNED, pack_path(PINNED, tmp_path)) == (pack.digest, path)
    reference = f"pack:mine@{PINNED}"
    assert POLICY == find_pack(reference, home=tmp_path, trust=None, where="x")
    assert POLICY == find_pack(reference, home=tmp_path, trust=trust_keys(FIRST.public), where="x")
    with pytest.raises(SealError):
        find_pack(reference, home=tmp_path, trust=trust_keys(SECOND.public), where="x")
    with pytest.raises(SealError):
        find_pack(f"pack:other@{PINNED}", home=tmp_path, trust=None, where="x")


def test_a_pack_that_does_not_fit_its_pin_is_not_kept(tmp_path: Path) -> None:
    other = digest(b"other")
    with pytest.raises(SealError):
        keep_pack(PACK, other, home=tmp_path, where="p")
    assert [] == list(tmp_path.iterdir())


def test_a_kept_pack_that_was_exchanged_is_refused(tmp_path: Path) -> None:
    keep_pack(PACK, PINNED, home=tmp_path, where="p")
    changed = pack_policy(POLICY.replace(b"use: pii", b"use: words"), FIRST, where="p")
    pack_path(PINNED, tmp_path).write_bytes(changed)
    with pytest.raises(SealError):
        find_pack(f"pack:mine@{PINNED}", home=tmp_path, trust=None, where="x")


@pytest.mark.parametrize(
    "reference", ["pack:mine", "pack:mine@sha256:12", f"pack:@{PINNED}", "pack:mine@../../x"]
)
def test_a_reference_without_a_digest_names_no_pack(tmp_path: Path, reference: str) -> None:
    with pytest.raises(MalformedInput):
        find_pack(reference, home=tmp_path, trust=None, where="x")


def test_a_configuration_uses_a_pinned_pack_without_any_network(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(CONFIG)
    with pytest.raises(UsageError) as caught:
        load_gateway(tmp_path / "gateway.yaml", home=tmp_path)
    assert f"policy pull URL --digest {PINNED}" in (caught.value.hint or "")
    keep_pack(PACK, PINNED, home=tmp_path, where="p")
    assert PINNED == load_gateway(tmp_path / "gateway.yaml", home=tmp_path).policy.digest


@contextmanager
def serving(
    status: int, body: bytes, headers: dict[str, str] | None = None
) -> Iterator[tuple[str, list[str]]]:
    """A server that answers everything alike, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def test_a_pack_is_fetched_over_http_from_this_machine_or_read_from_a_file(tmp_path: Path) -> None:
    with serving(200, PACK) as (url, _):
        assert PACK == fetch_pack(f"{url}/mine.pack")
    (tmp_path / "mine.pack").write_bytes(PACK)
    assert PACK == fetch_pack(str(tmp_path / "mine.pack"))


def test_redirects_are_not_followed() -> None:
    with serving(302, b"", {"Location": "/elsewhere"}) as (url, asked):
        with pytest.raises(UsageError) as caught:
            fetch_pack(f"{url}/mine.pack")
        assert "redirects are not followed" in (caught.value.hint or "")
        assert ["/mine.pack"] == asked


def test_more_than_a_pack_is_not_read(tmp_path: Path) -> None:
    with serving(200, b"x" * (MAX_PACK_BYTES + 1)) as (url, _), pytest.raises(LimitExceeded):
        fetch_pack(url)
    (tmp_path / "huge").write_bytes(b"x" * (MAX_PACK_BYTES + 1))
    with pytest.raises(LimitExceeded):
        fetch_pack(str(tmp_path / "huge"))


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("http://packs.example.org/a", PolicyError),
        ("ftp://packs.example.org/a", UsageError),
        ("file:///etc/passwd", UsageError),
        ("https://user:word@packs.example.org/a", UsageError),
        ("https://[::1", UsageError),
        ("http://127.0.0.1:9/a", UsageError),
        ("nowhere.pack", UsageError),
    ],
)
def test_an_address_that_may_not_be_asked_is_refused(source: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        fetch_pack(source)
