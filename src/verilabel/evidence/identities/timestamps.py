"""RFC 3161 time: an authority's signed word that a label's statement existed at a moment.

`log/label.tsr` holds the response to a query over the statement's exact bytes, with SHA-256. It counts where it
verifies against the certificates of an authority that the reader's trust policy names; the extra `timestamps` brings
the package `rfc3161-client`. A log's witnesses say the same without certificates; this is for those who must use one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from verilabel.errors import MalformedInput, MissingExtra, SealError
from verilabel.evidence.anchors import TimestampAuthority

MAX_RESPONSE_BYTES = 2**18


@dataclass(frozen=True)
class Stamped:
    """When a named authority saw the statement; UTC."""

    time: datetime
    authority: str


def timestamp_query(payload: bytes) -> bytes:
    """The DER query to send to an authority (content type `application/timestamp-query`), with a nonce."""
    try:
        from rfc3161_client import HashAlgorithm, TimestampRequestBuilder
    except ImportError:
        raise MissingExtra("rfc3161-client", "timestamps") from None
    builder = TimestampRequestBuilder().data(payload).hash_algorithm(HashAlgorithm.SHA256)
    query: bytes = builder.cert_request(cert_request=True).build().as_bytes()
    return query


def check_form(response: bytes, *, where: str = "timestamp") -> Any:
    """A response that grants a time stamp, decoded and not verified. Raises MissingExtra, MalformedInput."""
    try:
        from rfc3161_client import decode_timestamp_response
    except ImportError:
        raise MissingExtra("rfc3161-client", "timestamps") from None
    if len(response) > MAX_RESPONSE_BYTES:
        raise MalformedInput(f"over {MAX_RESPONSE_BYTES} bytes", where=where)
    try:
        decoded = decode_timestamp_response(response)
        if decoded.tst_info.gen_time is None:
            raise ValueError("no time")
    except ValueError as error:
        raise MalformedInput(f"not a time-stamp response: {error}", where=where) from None
    return decoded


def check_meant(response: bytes, payload: bytes, *, where: str = "timestamp") -> None:
    """Check that a response grants a stamp of exactly `payload`; whose it is, is not verified.

    Raises MissingExtra, MalformedInput, and SealError where it is of something else.
    """
    imprint = check_form(response, where=where).tst_info.message_imprint
    if imprint.message != hashlib.sha256(payload).digest():
        raise SealError("the time stamp is of something else", where=where)


def check_timestamp(
    response: bytes, payload: bytes, authorities: Sequence[TimestampAuthority], *, where: str = "timestamp"
) -> Stamped:
    """When one of `authorities` saw exactly `payload`.

    Raises MissingExtra without the package, MalformedInput for what is no response, SealError where no named authority
    made it for these bytes.
    """
    decoded = check_form(response, where=where)
    from rfc3161_client import VerificationError, VerifierBuilder

    reasons = []
    for authority in authorities:
        builder = VerifierBuilder()
        for certificate in _certificates(authority):
            own = certificate.issuer == certificate.subject
            add = builder.add_root_certificate if own else builder.add_intermediate_certificate
            builder = add(certificate)
        try:
            builder.build().verify_message(decoded, payload)
        except (VerificationError, ValueError) as error:
            reasons.append(f"{authority.name}: {error}")
            continue
        return Stamped(decoded.tst_info.gen_time.astimezone(UTC), authority.name)
    raise SealError(
        "the time stamp is not of an authority that the trust policy names, or not over this statement",
        where=where,
        hint="; ".join(reasons)[:500] or None,
    )


def _certificates(authority: TimestampAuthority) -> list[Any]:
    from cryptography.x509 import load_pem_x509_certificates

    try:
        return load_pem_x509_certificates(authority.certificates)
    except ValueError as error:
        raise MalformedInput(f"no PEM certificates: {error}", where=authority.name) from None
