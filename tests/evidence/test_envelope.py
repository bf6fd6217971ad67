"""DSSE envelopes: the published vectors, and no byte that can be changed unnoticed."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.errors import SealError
from verilabel.evidence.envelope import IN_TOTO, open_envelope, pae, sign
from verilabel.evidence.keys import PrivateKey
from verilabel.records.canonical import jcs

# RFC 8032 section 7.1, TEST 1 and TEST 2: the keys of the DSSE test vectors.
KEY_A = PrivateKey(
    Ed25519PrivateKey.from_private_bytes(
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    ),
    "A",
)
KEY_B = PrivateKey(
    Ed25519PrivateKey.from_private_bytes(
        bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    ),
    "B",
)
STATEMENT = b'{"_type":"https://in-toto.io/Statement/v1"}'
# payload type, payload, encoding, signature: testvectors/vectors.json of secure-systems-lab/dsse
VECTORS = {
    "single-signature": (
        IN_TOTO,
        STATEMENT,
        "445353457631203238206170706c69636174696f6e2f766e642e696e2d746f746f2b6a736f6e203433207b225f74797065"
        "223a2268747470733a2f2f696e2d746f746f2e696f2f53746174656d656e742f7631227d",
        "2WAfaHm5jluo0w+0rk8uVkluELJYWjSmU9x7EUzx+AyteDGJ4/nqyJXfmAUVFIAoQafWm7AxBZNw5M9ixNHiCA==",
    ),
    "url-safe-base64": (
        IN_TOTO,
        b"\xfb\xff\xbf\x3e\x3f",
        "445353457631203238206170706c69636174696f6e2f766e642e696e2d746f746f2b6a736f6e203520fbffbf3e3f",
        "P+/KHICeR7tI6S/YyejJTRtrXhcQyQ2LYPaL8h90KjC9qN8HU/svOQ6TuDOT1HIrsGW886DbWNWcCmX5twLrAw==",
    ),
    "non-ascii-payload-type": (
        "application/vnd.exämple+json",
        STATEMENT,
        "445353457631203239206170706c69636174696f6e2f766e642e6578c3a46d706c652b6a736f6e203433207b225f747970"
        "65223a2268747470733a2f2f696e2d746f746f2e696f2f53746174656d656e742f7631227d",
        "xmSk/ug66ysT7ayhkCIjhAq42zgZXSsEWuzUaNL7w2eGAdF/NU6/fRXPtmfN+5DNSAs5/i2lUnHjbbjPsu0tAw==",
    ),
    "empty-payload": (
        IN_TOTO,
        b"",
        "445353457631203238206170706c69636174696f6e2f766e642e696e2d746f746f2b6a736f6e203020",
        "gSggCAaTLTYyRH6FIDBem6meyIynsYy8RTHVzwx9tnTb7Bg/1jMWnuVgI/gffqmbsC2VX5/jHfkkDqsj7CDbDg==",
    ),
}
ENVELOPE = sign(STATEMENT, KEY_A)


def test_the_encoding_is_the_one_of_the_specification() -> None:
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert expected == pae("http://example.com/HelloWorld", b"hello world")


@pytest.mark.parametrize("name", VECTORS)
def test_signatures_are_those_of_the_published_vectors(name: str) -> None:
    payload_type, payload, encoded, signature = VECTORS[name]
    assert bytes.fromhex(encoded) == pae(payload_type, payload)
    envelope = sign(payload, KEY_A, payload_type=payload_type)
    assert signature == json.loads(envelope)["signatures"][0]["sig"]
    assert payload == open_envelope(envelope, [KEY_A.public], payload_type=payload_type).payload


def test_two_signers_of_one_envelope_are_both_reported() -> None:
    expected = "c1+67/aT0yqEpwx8PsVY3MLHsj9D0CZ014/Fv/QlG59P+9CobUZ7xECJ/V3USG0Ob9CiE5LjReEZUzNF2l7eBw=="
    envelope = sign(STATEMENT, KEY_A, KEY_B)
    assert expected == json.loads(envelope)["signatures"][1]["sig"]
    opened = open_envelope(envelope, [KEY_B.public, KEY_A.public])
    assert (KEY_A.keyid, KEY_B.keyid) == opened.keyids


def test_the_envelope_file_is_one_canonical_line() -> None:
    expected = (
        b'{"payload":"eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ==",'
        b'"payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"'
        + KEY_A.keyid.encode()
        + b'",'
        b'"sig":"2WAfaHm5jluo0w+0rk8uVkluELJYWjSmU9x7EUzx+AyteDGJ4/nqyJXfmAUVFIAoQafWm7AxBZNw5M9ixNHiCA=="}]}\n'
    )
    assert expected == ENVELOPE


@given(st.integers(0, len(ENVELOPE) - 1), st.integers(0, 255))
@settings(max_examples=400)
def test_an_envelope_with_one_changed_byte_is_refused(place: int, value: int) -> None:
    changed = ENVELOPE[:place] + bytes([value]) + ENVELOPE[place + 1 :]
    if changed == ENVELOPE:
        assert STATEMENT == open_envelope(changed, [KEY_A.public]).payload
        return
    with pytest.raises(SealError):
        open_envelope(changed, [KEY_A.public, KEY_B.public])


@given(st.integers(0, len(ENVELOPE)), st.binary(min_size=1, max_size=3))
@settings(max_examples=200)
def test_an_envelope_with_inserted_or_missing_bytes_is_refused(place: int, extra: bytes) -> None:
    for changed in (ENVELOPE[:place] + extra + ENVELOPE[place:], ENVELOPE[:place]):
        if changed != ENVELOPE:
            with pytest.raises(SealError):
                open_envelope(changed, [KEY_A.public])


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_no_envelope(data: bytes) -> None:
    with pytest.raises(SealError):
        open_envelope(data, [KEY_A.public])


@given(st.binary(max_size=300))
def test_what_was_signed_comes_back(payload: bytes) -> None:
    assert payload == open_envelope(sign(payload, KEY_B), [KEY_B.public]).payload


def altered(**fields: object) -> bytes:
    """The envelope with other values, written canonically again by somebody without the key."""
    return jcs({**json.loads(ENVELOPE), **fields}) + b"\n"


SIGNATURE = json.loads(ENVELOPE)["signatures"][0]


@pytest.mark.parametrize(
    "envelope",
    {
        "another_payload": altered(payload=base64.b64encode(b"{}").decode()),
        "another_type": altered(payloadType="application/json"),
        "type_of_the_payload_swapped": altered(payloadType="application/vnd.example.other+json"),
        "no_signature": altered(signatures=[]),
        "one_signature_twice": altered(signatures=[SIGNATURE, SIGNATURE]),
        "keyid_of_another_key": altered(signatures=[{**SIGNATURE, "keyid": KEY_B.keyid}]),
        "no_keyid": altered(signatures=[{"sig": SIGNATURE["sig"]}]),
        "an_unknown_second_signer": altered(
            signatures=[SIGNATURE, {**SIGNATURE, "keyid": "sha256:" + "0" * 64}]
        ),
        "an_extra_field": altered(comment="hello"),
        "an_extra_field_in_a_signature": altered(signatures=[{**SIGNATURE, "cert": ""}]),
        "signature_bits_beyond_base64": altered(
            signatures=[{**SIGNATURE, "sig": SIGNATURE["sig"][:-3] + "D=="}]
        ),
        "url_safe_base64": altered(signatures=[{**SIGNATURE, "sig": SIGNATURE["sig"].replace("+", "-")}]),
        "a_number_as_payload": altered(payload=7),
        "seventeen_signatures": altered(signatures=[SIGNATURE] * 17),
        "pretty_printed": json.dumps(json.loads(ENVELOPE), indent=2).encode() + b"\n",
        "no_final_newline": ENVELOPE[:-1],
        "two_final_newlines": ENVELOPE + b"\n",
        "a_byte_order_mark": b"\xef\xbb\xbf" + ENVELOPE,
        "a_list": b"[]\n",
        "too_large": altered(payload="A" * (9 * 2**20)),
    }.items(),
    ids=lambda item: item[0],
)
def test_an_envelope_with_a_named_defect_is_refused(envelope: tuple[str, bytes]) -> None:
    with pytest.raises(SealError):
        open_envelope(envelope[1], [KEY_A.public, KEY_B.public])


def test_a_signature_by_a_key_that_was_not_given_is_refused_and_named() -> None:
    with pytest.raises(SealError, match=KEY_A.keyid):
        open_envelope(ENVELOPE, [KEY_B.public])


def test_an_error_about_a_hostile_keyid_stays_short() -> None:
    with pytest.raises(SealError) as caught:
        open_envelope(altered(signatures=[{**SIGNATURE, "keyid": "x\x1b" * 100_000}]), [KEY_A.public])
    assert len(str(caught.value)) < 500 and "\x1b" not in str(caught.value)
