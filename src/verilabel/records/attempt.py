"""Evidence lines: one attempt to get one answer, exactly as sent and received, and what was observed around it.

An `Attempt` holds only what the same answers make the same again, so that a run that was killed and resumed has
the same Merkle root as one that was not; clocks and headers live in `Observation`.
"""

from __future__ import annotations

import base64
import re

import msgspec

_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
KINDS_OF_A_SAMPLE = frozenset({"filtered", "missing", "empty", "too_large"})
"""Failures that say something of the sample and nothing of the model's being there."""


class Usage(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """Tokens as the provider counted them."""

    input_tokens: int = 0
    output_tokens: int = 0


class Failure(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """Why an attempt gave no answer. `kind` is one word a program can match on."""

    kind: str
    """timeout, connection, rate_limited, server_error, unauthorized, not_found, bad_request, malformed, truncated,
    too_large, empty, filtered, missing
    """
    message: str
    retryable: bool = False
    fatal: bool = False
    """True where asking for any other sample must fail in the same way (key refused, model unknown)."""

    @property
    def is_final(self) -> bool:
        """True if it is the provider's last word on this sample: asking again would be a choice, not a retry."""
        return self.is_about_the_sample and not self.retryable

    @property
    def is_about_the_sample(self) -> bool:
        """True if the failure says something of the sample and nothing of the model's being there."""
        return self.kind in KINDS_OF_A_SAMPLE


class Attempt(
    msgspec.Struct,
    frozen=True,
    tag_field="kind",
    tag="attempt",
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """One request and its response. Exactly one of `output` and `failure` is set."""

    suite: str
    sample: str
    epoch: int
    attempt: int
    """1 for the first try, 2 for its first retry."""
    request: str
    """The exact request body as UTF-8 text."""
    judge: str | None = None
    """`id@version` of the detector that asked, where the request is a judge's and not the system's."""
    status: int | None = None
    response: str | None = None
    """The exact response body, where it is UTF-8 without control characters."""
    response_base64: str | None = None
    """The exact response body, where it is not."""
    output: str | None = None
    """The answer's text, read from the response by the dialect's codec."""
    finish: str | None = None
    served_model: str | None = None
    fingerprint: str | None = None
    usage: Usage | None = None
    failure: Failure | None = None


class Observation(
    msgspec.Struct,
    frozen=True,
    tag_field="kind",
    tag="observation",
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """When an attempt happened and how long it took: true, but different in every run."""

    suite: str
    sample: str
    epoch: int
    attempt: int
    started_us: int
    """Microseconds since 1970-01-01 UTC."""
    elapsed_us: int
    judge: str | None = None
    headers: dict[str, str] = {}
    """An allow-list of response headers (request ids, rate limits, dates); never credentials."""


def body_fields(body: bytes) -> dict[str, str]:
    """The fields of an Attempt that keep a response body exactly: text where it is UTF-8, base64 where not.

    A body with control characters, which no JSON has, is kept as base64 too: as text it would take six times its size.
    """
    if not _CONTROLS.search(body):
        try:
            return {"response": body.decode("utf-8")}
        except UnicodeDecodeError:
            pass
    return {"response_base64": base64.b64encode(body).decode("ascii")}


def response_body(attempt: Attempt) -> bytes | None:
    """The exact response bytes of an attempt, or None where there was no response."""
    if attempt.response is not None:
        return attempt.response.encode("utf-8")
    if attempt.response_base64 is not None:
        return base64.b64decode(attempt.response_base64, validate=True)
    return None
