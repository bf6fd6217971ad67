"""Lock files: what is written, what is read back, and every way in which one can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_offers import make_offer, make_tool
from verilabel.errors import LimitExceeded, MalformedInput, SealError, UsageError, VerilabelError
from verilabel.evidence.envelope import sign
from verilabel.evidence.keys import new_key
from verilabel.evidence.trust import trust_keys
from verilabel.gateway.mcp.pins.lock import make_lock
from verilabel.gateway.mcp.pins.locking import MAX_LOCK_BYTES, open_pins, read_lock, write_lock
from verilabel.gateway.mcp.policy.document import ServerEntry

OFFER = make_offer()
LOCK, _ = make_lock(OFFER)
KEY = new_key("pins.example.org")
TRUST = trust_keys(KEY.public)
ENTRY = ServerEntry(command=("mail-mcp",), pins="pins/mail.lock")


def put(folder: Path, data: bytes) -> None:
    (folder / "pins").mkdir(exist_ok=True)
    (folder / "pins" / "mail.lock").write_bytes(data)


def test_a_signed_lock_is_read_back_with_the_name_of_who_signed() -> None:
    read = read_lock(write_lock(LOCK, KEY), where="mail.lock", trust=TRUST)
    assert LOCK == read.lock
    assert ("pins.example.org",) == read.signers
    assert (KEY.keyid,) == read.keyids


def test_an_unsigned_lock_is_read_where_nobody_is_named_to_trust() -> None:
    assert LOCK == read_lock(write_lock(LOCK, None), where="mail.lock").lock


def test_an_unsigned_lock_is_refused_where_a_trust_policy_is_set() -> None:
    with pytest.raises(SealError, match="not signed"):
        read_lock(write_lock(LOCK, None), where="mail.lock", trust=TRUST)


def test_a_lock_that_somebody_else_signed_is_refused() -> None:
    with pytest.raises(SealError, match="key that was not given"):
        read_lock(write_lock(LOCK, new_key("mallory")), where="mail.lock", trust=TRUST)


def test_a_key_that_is_trusted_for_logs_alone_signs_no_lock() -> None:
    with pytest.raises(SealError):
        read_lock(write_lock(LOCK, KEY), where="mail.lock", trust=trust_keys(KEY.public, roles=("log",)))


def test_an_envelope_with_another_type_of_payload_is_no_lock() -> None:
    payload = write_lock(LOCK, None).removesuffix(b"\n")
    for trust in (None, TRUST):
        with pytest.raises(SealError):
            read_lock(sign(payload, KEY, payload_type="text/plain"), where="mail.lock", trust=trust)


@given(st.data())
def test_a_signed_lock_with_one_changed_byte_is_refused(data: st.DataObject) -> None:
    good = write_lock(LOCK, KEY)
    place = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(VerilabelError):
        read_lock(bytes(bad), where="mail.lock", trust=TRUST)


@given(st.integers(0, 10_000))
def test_a_truncated_lock_is_refused(size: int) -> None:
    for key, trust in ((KEY, TRUST), (None, None)):
        good = write_lock(LOCK, key)
        with pytest.raises(VerilabelError):
            read_lock(good[: size % (len(good) - 1)], where="mail.lock", trust=trust)


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_an_error_of_the_tree(data: bytes) -> None:
    for start in (b"", b'{"payload"'):
        for trust in (None, TRUST):
            with pytest.raises(VerilabelError):
                read_lock(start + data, where="mail.lock", trust=trust)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"tools":[', b'"tools" :['),
        (b'"format":', b'"extra":1,"format":'),
        (b'"server":"mail"', b'"server":"mail","server":"mail"'),
        (b"mcp-lock/v1", b"mcp-lock/v2"),
        (b'"name":"search"', b'"name":"aearch"'),
        (LOCK.tool_set.encode(), b"sha256:" + b"0" * 64),
        (LOCK.tools[0].content.encode(), b"sha256:0"),
    ],
)
def test_an_unsigned_lock_that_is_not_what_it_says_is_refused(old: bytes, new: bytes) -> None:
    good = write_lock(LOCK, None)
    assert old in good
    with pytest.raises(MalformedInput):
        read_lock(good.replace(old, new, 1), where="mail.lock")


def test_a_lock_that_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(LimitExceeded):
        read_lock(b" " * (MAX_LOCK_BYTES + 1), where="mail.lock")


def test_a_server_of_ten_thousand_tools_has_a_lock_that_can_be_read() -> None:
    lock, _ = make_lock(make_offer(*(make_tool(f"tool_number_{n:05}z", "x" * 600) for n in range(10_000))))
    assert lock == read_lock(write_lock(lock, KEY), where="mail.lock", trust=TRUST).lock


# -- opened for the gateway's file ---------------------------------------------------------------------------------


def test_a_named_lock_holds_for_its_server(tmp_path: Path) -> None:
    put(tmp_path, write_lock(LOCK, KEY))
    opened = open_pins(ENTRY, "mail", folder=tmp_path, trust=TRUST)
    assert () == opened.remarks
    assert 3 == len(opened.pins.examine(OFFER, {}).tools)


def test_a_server_without_pins_is_shown_with_a_remark(tmp_path: Path) -> None:
    opened = open_pins(ServerEntry(command=("mail-mcp",)), "mail", folder=tmp_path, trust=TRUST)
    assert ["warning"] == [remark.severity for remark in opened.remarks]
    assert 3 == len(opened.pins.examine(OFFER, {}).tools)


@pytest.mark.parametrize("key", [KEY, None])
def test_a_lock_that_nobody_vouches_for_is_remarked_on(tmp_path: Path, key: object) -> None:
    put(tmp_path, write_lock(LOCK, KEY if key else None))
    opened = open_pins(ENTRY, "mail", folder=tmp_path, trust=None)
    assert ["signed" in remark.message for remark in opened.remarks] == [True]


def test_a_lock_that_is_named_and_missing_closes_the_server(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such lock"):
        open_pins(ENTRY, "mail", folder=tmp_path, trust=None)
    opened = open_pins(ENTRY, "mail", folder=tmp_path, trust=None, closed=True)
    assert frozenset() == opened.pins.examine(OFFER, {}).tools
    assert ["error"] == [remark.severity for remark in opened.remarks]


@pytest.mark.parametrize(
    "data", [b"", b"{}", write_lock(LOCK, KEY)[:-9], write_lock(LOCK, new_key("mallory"))]
)
def test_a_corrupt_or_foreign_lock_closes_the_server(tmp_path: Path, data: bytes) -> None:
    put(tmp_path, data)
    with pytest.raises(VerilabelError, match=r"mail\.lock"):
        open_pins(ENTRY, "mail", folder=tmp_path, trust=TRUST)
    opened = open_pins(ENTRY, "mail", folder=tmp_path, trust=TRUST, closed=True)
    assert frozenset() == opened.pins.examine(OFFER, {}).tools


def test_another_servers_lock_closes_the_server(tmp_path: Path) -> None:
    put(tmp_path, write_lock(make_lock(make_offer(server="files"))[0], KEY))
    with pytest.raises(SealError, match="another server's"):
        open_pins(ENTRY, "mail", folder=tmp_path, trust=TRUST)
