"""Signed envelopes: DSSE v1 over Ed25519, in the one form in which no byte can be changed unnoticed.

An envelope file is the JCS bytes of `{"payload", "payloadType", "signatures": [{"keyid", "sig"}]}` and one
newline (one line of JSON Lines). The format is DSSE (secure-systems-lab/dsse v1.0.2, protocol and
envelope); this reader takes less than the specification does: standard base64 only, a keyid on every
signature, every signature valid. A second signer therefore signs an envelope of their own.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from verilabel.errors import MalformedInput, SealError
from verilabel.evidence.keys import PrivateKey, PublicKey, decode_base64
from verilabel.records.canonical import jcs, parse_json

IN_TOTO = "application/vnd.in-toto+json"
MAX_ENVELOPE_BYTES = 8 * 2**20
MAX_SIGNATURES = 16


@dataclass(frozen=True)
class Opened:
    """A payload whose signatures were all verified, and the keys that made them, in the envelope's order."""

    payload: bytes
    keys: tuple[PublicKey, ...]

    @property
    def keyids(self) -> tuple[str, ...]:
        """The keyids of the keys that signed."""
        return tuple(key.keyid for key in self.keys)


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: the Pre-Authentication Encoding of DSSE v1 (protocol.md)."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload: bytes, *keys: PrivateKey, payload_type: str = IN_TOTO) -> bytes:
    """The exact bytes of an envelope file, signed by each key in turn."""
    message = pae(payload_type, payload)
    document = {
        "payload": base64.b64encode(payload).decode("ascii"),
        "payloadType": payload_type,
        "signatures": [
            {"keyid": key.keyid, "sig": base64.b64encode(key.sign(message)).decode("ascii")} for key in keys
        ],
    }
    return jcs(document) + b"\n"


def open_envelope(
    data: bytes, keys: Iterable[PublicKey], *, payload_type: str = IN_TOTO, where: str = "envelope"
) -> Opened:
    """Verify an envelope and only then give out its payload, unparsed.

    `keys` are those that may have signed it; a keyid only says which of them to try. In order: 1 the size
    and the form, 2 canonical bytes, 3 the payload's type, 4 every signature, each by another key and by the
    one its keyid names. Raises SealError where a step fails. Whether a key that signed is trusted is for
    the caller to ask.
    """
    try:
        document = _parse_envelope(data, where)  # steps 1 and 2
        if document["payloadType"] != payload_type:  # step 3
            raise SealError("the envelope holds another type of payload", where=f"{where}: $.payloadType")
        payload = decode_base64(document["payload"], what="the payload", where=f"{where}: $.payload")
        signed = _verify_signatures(document["signatures"], pae(payload_type, payload), keys, where)  # step 4
    except MalformedInput as error:
        raise SealError(error.message, where=error.where, hint=error.hint) from None
    return Opened(payload, signed)


def _parse_envelope(data: bytes, where: str) -> dict[str, Any]:
    document = parse_json(data, where=where, max_bytes=MAX_ENVELOPE_BYTES, max_depth=4)
    _require_fields(document, {"payload": str, "payloadType": str, "signatures": list}, f"{where}: $")
    signatures = document["signatures"]
    if not 1 <= len(signatures) <= MAX_SIGNATURES:
        raise SealError(f"the envelope has {len(signatures)} signatures", where=f"{where}: $.signatures")
    for index, signature in enumerate(signatures):
        _require_fields(signature, {"keyid": str, "sig": str}, f"{where}: $.signatures[{index}]")
    if jcs(document) + b"\n" != data:
        raise SealError("the envelope is not in its canonical form", where=where)
    parsed: dict[str, Any] = document
    return parsed


def _require_fields(value: object, fields: dict[str, type], where: str) -> None:
    if not isinstance(value, dict) or value.keys() != fields.keys():
        raise SealError(f"not an object with exactly {', '.join(fields)}", where=where)
    for name, kind in fields.items():
        if not isinstance(value[name], kind):
            raise SealError("a value of the wrong type", where=f"{where}.{name}")


def _verify_signatures(
    signatures: list[dict[str, str]], message: bytes, keys: Iterable[PublicKey], where: str
) -> tuple[PublicKey, ...]:
    known = {key.keyid: key for key in keys}
    signed: list[PublicKey] = []
    for index, signature in enumerate(signatures):
        place = f"{where}: $.signatures[{index}]"
        key = known.pop(signature["keyid"], None)
        if key is None:
            named = signature["keyid"][:80]
            raise SealError(f"signed by a key that was not given, or twice by one: {named!r}", where=place)
        try:
            key.verify(decode_base64(signature["sig"], what="the signature", where=f"{place}.sig"), message)
        except SealError as error:
            raise SealError(error.message, where=place) from None
        signed.append(key)
    return tuple(signed)
